/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/dns.h"

#include <errno.h>
#include <event2/dns.h>
#include <stdio.h>

#include "base/clock.h"

#define NAMES_MAX 1024 /* remembered */
#define BUCKETS 256
#define FAILED_TTL_MS 1000
#define TTL_MIN_MS 1000
#define SEARCH_MAX 16

struct dns_name {
	struct dns_name *next;
	struct dns *d;
	struct dns_answer answer;
	uint64_t fresh_until_ms, stale_until_ms;
	struct dns_wait *waits;
	uint32_t turn;
	int n_asking; /* look-ups under way: A and AAAA */
	struct dns_answer coming;
	uint64_t coming_ttl_ms;
	bool has_answer, is_permanent; /* from the hosts file */
	size_t n;
	char text[DNS_NAME_MAX + 1];
};

struct dns {
	struct evdns_base *evdns;
	uint64_t stale_ms;
	unsigned n_names;
	struct dns_name *buckets[BUCKETS];
};

void dns_free(struct dns *d)
{
	if (d->evdns != NULL)
		evdns_base_free(d->evdns, 0);
	for (unsigned i = 0; i < BUCKETS; i++)
		while (d->buckets[i] != NULL) {
			struct dns_name *name = d->buckets[i];

			d->buckets[i] = name->next;
			free(name);
		}
	free(d);
}

unsigned dns_servers(const struct dns *d, struct peer *ret, unsigned max)
{
	unsigned n = 0;

	while (n < max) {
		struct peer *p = &ret[n];
		int len = evdns_base_get_nameserver_addr(
				d->evdns, (int)n, &p->at.any, sizeof(p->at));

		if (len <= 0 || (size_t)len > sizeof(p->at))
			break;
		p->len = (uint32_t)len;
		n++;
	}
	return n;
}

static unsigned bucket_of(struct str host)
{
	uint32_t h = 2166136261U;

	for (size_t i = 0; i < host.n; i++)
		h = (h ^ (uint8_t)ascii_lower(host.p[i])) * 16777619U;
	return (h ^ h >> 16) % BUCKETS;
}

/* Room for one more: drops names of a bucket that nobody waits for. */
static void make_room(struct dns *d, unsigned bucket)
{
	for (unsigned i = 0; i < BUCKETS && d->n_names >= NAMES_MAX; i++) {
		struct dns_name **at = &d->buckets[(bucket + i) % BUCKETS];

		while (*at != NULL) {
			struct dns_name *name = *at;

			if (name->n_asking != 0 || name->is_permanent) {
				at = &name->next;
				continue;
			}
			*at = name->next;
			free(name);
			d->n_names--;
		}
	}
}

static struct dns_name *name_get(struct dns *d, struct str host)
{
	unsigned bucket = bucket_of(host);
	struct dns_name *name = d->buckets[bucket];

	while (name != NULL && !str_ieq((struct str){name->text, name->n}, host))
		name = name->next;
	if (name != NULL)
		return name;
	make_room(d, bucket);
	name = calloc(1, sizeof(*name));
	if (name == NULL)
		return NULL;
	name->d = d;
	name->n = host.n;
	memcpy(name->text, host.p, host.n);
	name->next = d->buckets[bucket];
	d->buckets[bucket] = name;
	d->n_names++;
	return name;
}

static void answer_take(struct dns_name *name, struct dns_answer *ret)
{
	uint32_t n = name->answer.n;

	ret->n = n;
	for (uint32_t i = 0; i < n; i++)
		ret->peers[i] = name->answer.peers[(i + name->turn) % n];
	name->turn++;
}

static void tell_all(struct dns_name *name)
{
	while (name->waits != NULL) {
		struct dns_wait *w = name->waits;
		struct dns_answer answer;

		dns_cancel(w);
		answer_take(name, &answer);
		w->fn(w->arg, &answer);
	}
}

/* Both look-ups are in: an answer replaces the old one; none leaves it to serve as stale. */
static void settle(struct dns_name *name)
{
	uint64_t now = clock_mono_ms();

	if (name->coming.n != 0) {
		name->answer = name->coming;
		name->has_answer = true;
		name->fresh_until_ms = now + name->coming_ttl_ms;
		name->stale_until_ms = name->fresh_until_ms + name->d->stale_ms;
	} else {
		if (name->stale_until_ms < now)
			name->answer.n = 0;
		name->has_answer = name->answer.n != 0;
		name->fresh_until_ms = now + FAILED_TTL_MS;
	}
	tell_all(name);
}

/* IPv6 addresses serve names that have no other: a host may have no way to them. */
static bool takes_family(struct dns_answer *a, int family)
{
	bool has_v4 = a->n != 0 && a->peers[0].at.any.sa_family == AF_INET;

	if (family == AF_INET && !has_v4)
		a->n = 0;
	return (family == AF_INET || !has_v4) && a->n < DNS_ADDRESSES_MAX;
}

static void add_peer(struct dns_name *name, int family, const void *bytes)
{
	struct peer *p;

	if (!takes_family(&name->coming, family))
		return;
	p = &name->coming.peers[name->coming.n++];
	memset(p, 0, sizeof(*p));
	p->at.any.sa_family = (sa_family_t)family;
	if (family == AF_INET) {
		memcpy(&p->at.v4.sin_addr, bytes, 4);
		p->len = sizeof(p->at.v4);
	} else {
		memcpy(&p->at.v6.sin6_addr, bytes, 16);
		p->len = sizeof(p->at.v6);
	}
}

static void on_ttl(int result, char type, int count, int ttl, void *addresses, void *arg)
{
	struct dns_name *name = arg;
	int step = type == DNS_IPv6_AAAA ? 16 : 4;

	for (int i = 0; result == DNS_ERR_NONE && i < count; i++)
		add_peer(name, step == 4 ? AF_INET : AF_INET6, (char *)addresses + i * step);
	if (result == DNS_ERR_NONE && count > 0) {
		uint64_t ttl_ms = ttl > 0 ? (uint64_t)ttl * 1000 : 0;

		name->coming_ttl_ms = ttl_ms > TTL_MIN_MS ? ttl_ms : TTL_MIN_MS;
	}
	if (result == DNS_ERR_SHUTDOWN)
		return;
	/* IPv4 is what will be used: nobody waits for the other look-up */
	if (--name->n_asking == 0 || (type == DNS_IPv4_A && name->coming.n != 0))
		settle(name);
}

static void ask(struct dns *d, struct dns_name *name)
{
	/* a final dot: the name is complete */
	const int flags = name->text[name->n - 1] == '.' ? DNS_QUERY_NO_SEARCH : 0;

	name->coming.n = 0;
	name->coming_ttl_ms = TTL_MIN_MS;
	name->n_asking = 2;
	if (evdns_base_resolve_ipv4(d->evdns, name->text, flags, on_ttl, name) == NULL)
		on_ttl(DNS_ERR_UNKNOWN, DNS_IPv4_A, 0, 0, NULL, name);
	if (evdns_base_resolve_ipv6(d->evdns, name->text, flags, on_ttl, name) == NULL)
		on_ttl(DNS_ERR_UNKNOWN, DNS_IPv6_AAAA, 0, 0, NULL, name);
}

bool dns_find(struct dns *d, struct str host, struct dns_answer *ret, struct dns_wait *wait)
{
	uint64_t now = clock_mono_ms();
	struct dns_name *name;

	ret->n = 0;
	if (peer_parse(host, &ret->peers[0])) {
		ret->n = 1;
		return true;
	}
	if (host.n == 0 || host.n > DNS_NAME_MAX || memchr(host.p, '\0', host.n) != NULL)
		return true;
	name = name_get(d, host);
	if (name == NULL)
		return true;
	if (name->n_asking == 0 && name->fresh_until_ms <= now)
		ask(d, name);
	if (name->fresh_until_ms > now || (name->has_answer && name->stale_until_ms > now)) {
		answer_take(name, ret);
		return true;
	}
	if (name->n_asking == 0)
		return true;
	wait->next = name->waits;
	wait->back = &name->waits;
	if (wait->next != NULL)
		wait->next->back = &wait->next;
	name->waits = wait;
	return false;
}

void dns_cancel(struct dns_wait *wait)
{
	if (wait->back == NULL)
		return;
	*wait->back = wait->next;
	if (wait->next != NULL)
		wait->next->back = wait->back;
	wait->back = NULL;
	wait->next = NULL;
}

/* "address name …  # comment": kept for good, as the file is read once. */
static void hosts_line(struct dns *d, char *line)
{
	char *save = NULL, *word;
	struct peer peer;

	line[strcspn(line, "#\r\n")] = '\0';
	word = strtok_r(line, " \t", &save);
	if (word == NULL || !peer_parse(str_of(word), &peer))
		return;
	while ((word = strtok_r(NULL, " \t", &save)) != NULL) {
		struct str host = str_of(word);
		struct dns_name *name = host.n <= DNS_NAME_MAX ? name_get(d, host) : NULL;

		if (name == NULL || name->answer.n == DNS_ADDRESSES_MAX)
			continue;
		name->answer.peers[name->answer.n++] = peer;
		name->has_answer = name->is_permanent = true;
		name->fresh_until_ms = UINT64_MAX;
	}
}

static void hosts_read(struct dns *d, const char *file)
{
	char localhost[] = "127.0.0.1 localhost";
	sl_auto_file FILE *f = fopen(file, "re");
	sl_auto_mem char *line = NULL;
	size_t cap = 0;
	bool has_localhost = false;

	while (f != NULL && getline(&line, &cap, f) >= 0) {
		has_localhost |= strstr(line, "localhost") != NULL;
		hosts_line(d, line);
	}
	if (!has_localhost)
		hosts_line(d, localhost);
}

static int nameservers_add(struct dns *d, const struct conf *conf, struct why *why)
{
	const char *at = conf->dns_resolver;
	struct str one;
	char z[128];

	while (conf_list_next(&at, &one)) {
		snprintf(z, sizeof(z), "%.*s", STR_ARG(one));
		if (evdns_base_nameserver_ip_add(d->evdns, z) != 0) {
			why_set(why, "dns_resolver", 0, "%s is not the address of a name server",
					z);
			return -EINVAL;
		}
	}
	return 0;
}

static void search_add(struct dns *d, const char *list)
{
	struct str all[SEARCH_MAX];
	char domain[DNS_NAME_MAX + 1];
	size_t n = 0;

	evdns_base_search_clear(d->evdns);
	while (n < SEARCH_MAX && conf_list_next(&list, &all[n]))
		n++;
	while (n-- > 0) { /* evdns puts each in front */
		snprintf(domain, sizeof(domain), "%.*s", STR_ARG(all[n]));
		evdns_base_search_add(d->evdns, domain);
	}
}

/* What the node's configuration leaves open. */
static void resolv_conf_read(struct dns *d, const struct conf *conf)
{
	int what = DNS_OPTION_SEARCH;

	if (conf->dns_resolver[0] == '\0')
		what |= DNS_OPTION_NAMESERVERS;
	evdns_base_resolv_conf_parse(d->evdns, what, "/etc/resolv.conf");
	if (conf->dns_search[0] != '\0')
		search_add(d, conf->dns_search);
}

int dns_new(struct dns **ret, struct event_base *base, const struct conf *conf, struct why *why)
{
	sl_auto(dns) d = calloc(1, sizeof(*d));
	char timeout[32];
	int r;

	if (d == NULL)
		return -ENOMEM;
	d->stale_ms = conf->dns_stale_ttl_ms;
	d->evdns = evdns_base_new(base, EVDNS_BASE_DISABLE_WHEN_INACTIVE);
	if (d->evdns == NULL)
		return -ENOMEM;
	snprintf(timeout, sizeof(timeout), "%u.%03u", conf->dns_timeout_ms / 1000,
			conf->dns_timeout_ms % 1000);
	resolv_conf_read(d, conf);
	evdns_base_set_option(d->evdns, "timeout:", timeout);
	evdns_base_set_option(d->evdns, "attempts:", "2");
	evdns_base_set_option(d->evdns, "randomize-case:", "0");
	r = nameservers_add(d, conf, why);
	if (r != 0)
		return r;
	hosts_read(d, conf->dns_hostsfile);
	*ret = sl_steal(d);
	return 0;
}
