/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/egress.h"

#include <errno.h>
#include <stdlib.h>

#include "worker/cidr.h"

enum entry_kind { ENTRY_ANY, ENTRY_NET, ENTRY_HOST, ENTRY_SUFFIX };

struct entry {
	enum entry_kind kind;
	struct cidr net;
	struct str host; /* in the configuration; of a suffix: with its first dot */
	uint16_t port;   /* 0: every one */
};

/* What no wide entry opens. */
enum { BLOCK_LOOPBACK_4, BLOCK_LOOPBACK_6, BLOCK_OTHERS };
static const char *const block_texts[] = {
		[BLOCK_LOOPBACK_4] = "127.0.0.0/8",
		[BLOCK_LOOPBACK_6] = "::1/128",
		[BLOCK_OTHERS] = "0.0.0.0/8",
		"169.254.0.0/16",
		"224.0.0.0/4",
		"240.0.0.0/4",
		"::/128",
		"fe80::/10",
		"fec0::/10",
		"ff00::/8",
		"fd00:ec2::254/128",
		/* IPv4 in other clothes: NAT64, 6to4 and compatible forms of what is above */
		"64:ff9b::a9fe:0/112",
		"64:ff9b::7f00:0/104",
		"2002:a9fe::/32",
		"2002:7f00::/24",
		"::7f00:0/104",
		"::a9fe:0/112",
};
#define BLOCKS (sizeof(block_texts) / sizeof(block_texts[0]))

struct egress {
	struct cidr blocks[BLOCKS];
	struct entry *v;
	unsigned n;
	struct peer *servers; /* of names, which `any` opens */
	unsigned n_servers;
	uint16_t *own_ports; /* of listeners that plugins have no business with */
	unsigned n_own;
};

void egress_free(struct egress *e)
{
	free(e->v);
	free(e->own_ports);
	free(e->servers);
	free(e);
}

static bool is_port(struct str text, uint16_t *ret)
{
	uint64_t port;

	if (!str_to_u64(text, &port) || port == 0 || port > 65535)
		return false;
	*ret = (uint16_t)port;
	return true;
}

/* "host:port", "[net]:port", or either without port. */
static struct str split_port(struct str text, uint16_t *ret_port)
{
	ptrdiff_t end = text.n != 0 && text.p[0] == '[' ? str_find_char(text, ']') : -1;
	ptrdiff_t colon = str_find_char(text, ':');

	*ret_port = 0;
	if (end > 0) {
		if ((size_t)end + 1 == text.n ||
				(text.p[end + 1] == ':' &&
						is_port(str_from(text, (size_t)end + 2), ret_port)))
			return (struct str){text.p + 1, (size_t)end - 1};
		return text;
	}
	if (colon > 0 && is_port(str_from(text, (size_t)colon + 1), ret_port))
		return str_head(text, (size_t)colon);
	return text;
}

static void entry_read(struct entry *e, struct str text)
{
	struct str host = split_port(text, &e->port);

	e->host = host;
	if (str_ieq(host, STR("any")))
		e->kind = ENTRY_ANY;
	else if (cidr_parse(host, &e->net))
		e->kind = ENTRY_NET;
	else
		e->kind = str_starts(host, STR("*.")) ? ENTRY_SUFFIX : ENTRY_HOST;
	if (e->kind == ENTRY_SUFFIX)
		e->host = str_from(host, 1);
}

/* The ports of one list of listeners. */
static void own_add(struct egress *e, const char *list)
{
	struct conf_address address;
	struct str one;

	while (conf_list_next(&list, &one))
		if (conf_parse_address(one, &address, NULL) == 0)
			e->own_ports[e->n_own++] = address.port;
}

static unsigned list_count(const char *list)
{
	struct str one;
	unsigned n = 0;

	while (conf_list_next(&list, &one))
		n++;
	return n;
}

int egress_new(struct egress **ret, const struct conf *conf, struct why *why)
{
	sl_auto(egress) e = calloc(1, sizeof(*e));
	const char *const own[] = {conf->admin_listen, conf->status_listen, conf->cluster_listen};
	const char *at = conf->plugin_egress;
	unsigned n_own = 0;
	struct str one;

	if (e == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < BLOCKS; i++)
		if (!cidr_parse(str_of(block_texts[i]), &e->blocks[i])) {
			why_set(why, NULL, 0, "%s is no network", block_texts[i]);
			return -EINVAL;
		}
	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
		n_own += list_count(own[i]);
	e->v = calloc(list_count(at) + 1, sizeof(*e->v));
	e->own_ports = calloc(n_own + 1, sizeof(*e->own_ports));
	if (e->v == NULL || e->own_ports == NULL)
		return -ENOMEM;
	while (conf_list_next(&at, &one))
		entry_read(&e->v[e->n++], one);
	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
		own_add(e, own[i]);
	*ret = sl_steal(e);
	return 0;
}

int egress_set_servers(struct egress *e, const struct peer *servers, unsigned n)
{
	free(e->servers);
	e->n_servers = 0;
	e->servers = calloc(n + 1U, sizeof(*servers));
	if (e->servers == NULL)
		return -ENOMEM;
	memcpy(e->servers, servers, n * sizeof(*servers));
	e->n_servers = n;
	return 0;
}

static struct cidr address_of(const struct peer *p)
{
	struct cidr a = {.bits = 128};

	if (p->at.any.sa_family == AF_INET6) {
		memcpy(a.bytes, &p->at.v6.sin6_addr, 16);
	} else {
		memset(a.bytes + 10, 0xff, 2);
		memcpy(a.bytes + 12, &p->at.v4.sin_addr, 4);
	}
	return a;
}

/* The block an address lies in; BLOCKS: none. */
static size_t block_of(const struct egress *e, const struct cidr *a)
{
	size_t i = 0;

	while (i < BLOCKS && !cidr_has(&e->blocks[i], a))
		i++;
	return i;
}

static bool host_fits(const struct entry *e, struct str host)
{
	if (str_ends(host, STR(".")))
		host.n--;
	if (e->kind == ENTRY_HOST)
		return str_ieq(e->host, host);
	return host.n > e->host.n && str_ieq(e->host, str_from(host, host.n - e->host.n));
}

/* Does an entry open the block for this address (block == BLOCKS: it lies in none)? */
static bool entry_allows(const struct egress *e, const struct entry *entry, struct str host,
		const struct cidr *a, size_t block)
{
	switch (entry->kind) {
	case ENTRY_ANY:
		return block == BLOCKS;
	case ENTRY_NET:
		return cidr_has(&entry->net, a) &&
		       (block == BLOCKS ||
				       (entry->net.bits >= e->blocks[block].bits &&
						       cidr_has(&e->blocks[block], &entry->net)));
	case ENTRY_HOST:
		return host_fits(entry, host) && (block == BLOCKS || block < BLOCK_OTHERS);
	case ENTRY_SUFFIX:
		return host_fits(entry, host) && block == BLOCKS;
	}
	return false;
}

static bool is_own_port(const struct egress *e, uint16_t port)
{
	for (unsigned i = 0; i < e->n_own; i++)
		if (e->own_ports[i] == port)
			return true;
	return false;
}

/* The address and port of a name server of the node. */
static bool is_server(const struct egress *e, const struct cidr *a, uint16_t port)
{
	for (unsigned i = 0; i < e->n_servers; i++) {
		struct cidr server = address_of(&e->servers[i]);

		if (peer_port(&e->servers[i]) == port &&
				memcmp(a->bytes, server.bytes, sizeof(server.bytes)) == 0)
			return true;
	}
	return false;
}

bool egress_allows(const struct egress *e, struct str host, const struct peer *to)
{
	struct cidr a = address_of(to);
	size_t block = block_of(e, &a);
	uint16_t port = peer_port(to);
	bool is_own = block < BLOCK_OTHERS && is_own_port(e, port);

	for (unsigned i = 0; i < e->n; i++) {
		const struct entry *entry = &e->v[i];

		if (entry->port != 0 && entry->port != port)
			continue;
		if (entry->kind == ENTRY_ANY && is_server(e, &a, port))
			return true;
		if (is_own && (entry->kind != ENTRY_NET || entry->port == 0))
			continue;
		if (entry_allows(e, entry, host, &a, block))
			return true;
	}
	return false;
}

bool egress_is_own(const struct egress *e, const struct peer *to, const struct peer *local)
{
	struct cidr a = address_of(to), b = address_of(local);
	uint16_t port = peer_port(to);

	if (!is_own_port(e, port) || memcmp(a.bytes, b.bytes, sizeof(a.bytes)) != 0)
		return false;
	for (unsigned i = 0; i < e->n; i++)
		if (e->v[i].kind == ENTRY_NET && e->v[i].port == port && cidr_has(&e->v[i].net, &a))
			return false;
	return true;
}
