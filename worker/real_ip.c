/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/real_ip.h"

#include <errno.h>

#include "worker/cidr.h"

struct real_ip {
	struct str header;
	bool is_recursive;
	size_t n;
	struct cidr v[];
};

int real_ip_new(struct real_ip **ret, const struct conf *conf, struct why *why)
{
	const char *at = conf->trusted_ips;
	size_t n = 0;
	struct str one;
	sl_auto(real_ip) r = NULL;

	while (conf_list_next(&at, &one))
		n++;
	r = calloc(1, sizeof(*r) + n * sizeof(r->v[0]));
	if (r == NULL)
		return -ENOMEM;
	at = conf->trusted_ips;
	while (conf_list_next(&at, &one)) {
		if (!cidr_parse(one, &r->v[r->n++])) {
			why_set(why, "trusted_ips", 0, "%.*s is not an address or CIDR block",
					STR_ARG(one));
			return -EINVAL;
		}
	}
	r->header = str_of(conf->real_ip_header);
	r->is_recursive = conf->real_ip_recursive;
	*ret = sl_steal(r);
	return 0;
}

void real_ip_free(struct real_ip *r)
{
	free(r);
}

static bool is_trusted(const struct real_ip *r, struct str ip)
{
	struct cidr address;

	if (r->n == 0 || !cidr_parse(ip, &address))
		return false;
	for (size_t i = 0; i < r->n; i++)
		if (cidr_has(&r->v[i], &address))
			return true;
	return false;
}

/* Cuts the last member off a comma-separated list. */
static struct str last_member(struct str *list)
{
	size_t i = list->n;
	struct str last;

	while (i != 0 && list->p[i - 1] != ',')
		i--;
	last = str_trim(str_from(*list, i));
	*list = str_head(*list, i != 0 ? i - 1 : 0);
	return last;
}

/* From the right: the first address, or with recursion the first that is not trusted. */
static struct str pick(const struct real_ip *r, struct str list)
{
	struct str best = STR_NONE;
	struct cidr address;

	while (list.n != 0) {
		struct str ip = last_member(&list);

		if (!cidr_parse(ip, &address))
			break;
		best = ip;
		if (!r->is_recursive || !is_trusted(r, ip))
			break;
	}
	return best;
}

void real_ip_apply(const struct real_ip *r, struct exchange *x)
{
	struct exchange_request *q = &x->request;
	struct str ip;

	q->real_client = q->client;
	q->client_is_trusted = is_trusted(r, q->client.ip);
	if (!q->client_is_trusted)
		return;
	ip = pick(r, headers_get(&q->headers, r->header));
	if (ip.n != 0)
		q->real_client = (struct endpoint){.ip = ip, .port = q->client.port};
}
