/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/route_part.h"

static bool method_matches(const Sluice__Record__Route *rec, struct str method)
{
	if (rec->n_methods == 0)
		return true;
	for (size_t i = 0; i < rec->n_methods; i++)
		if (str_eq(str_of(rec->methods[i]), method))
			return true;
	return false;
}

static bool value_matches(struct route *r, struct str wanted, struct str value)
{
	struct route_regex *re;

	if (!str_starts(wanted, STR("~*")))
		return str_ieq(wanted, value);
	re = route_regex_get(r, str_from(wanted, 2), false);
	return re != NULL && route_regex_match(re, value) >= 0;
}

/* Any field of that name with any of the values. */
static bool header_matches(struct route *r, const Sluice__Record__HeaderMatch *m,
		const struct headers *headers)
{
	const struct header *h = headers_find(headers, str_of(m->name));

	for (; h != NULL; h = headers_next(headers, h))
		for (size_t i = 0; i < m->n_values; i++)
			if (value_matches(r, str_of(m->values[i]), h->value))
				return true;
	return false;
}

static bool headers_match(struct route *r, const struct headers *headers)
{
	for (size_t i = 0; i < r->rec->n_headers; i++)
		if (!header_matches(r, r->rec->headers[i], headers))
			return false;
	return true;
}

static bool endpoint_matches(
		Sluice__Record__IpPort *const *list, size_t n, const struct endpoint *e)
{
	struct cidr address, block;

	if (n == 0)
		return true;
	if (!cidr_parse(e->ip, &address))
		return false;
	for (size_t i = 0; i < n; i++) {
		if (list[i]->port != 0 && list[i]->port != e->port)
			continue;
		if (list[i]->ip[0] == '\0')
			return true;
		if (cidr_parse(str_of(list[i]->ip), &block) && cidr_has(&block, &address))
			return true;
	}
	return false;
}

/* Only TLS has an SNI: plain http passes, as in Kong.  A trailing dot does not count. */
static bool sni_matches(const Sluice__Record__Route *rec, const struct exchange_request *q)
{
	struct str sni = q->tls_sni;

	if (rec->n_snis == 0 || !str_eq(q->scheme, STR("https")))
		return true;
	if (str_ends(sni, STR(".")))
		sni.n--;
	for (size_t i = 0; i < rec->n_snis; i++) {
		struct str wanted = str_of(rec->snis[i]);

		if (str_ends(wanted, STR(".")))
			wanted.n--;
		if (str_ieq(wanted, sni))
			return true;
	}
	return false;
}

/* A route for https alone takes http too: the client is told to come by TLS. */
static bool protocol_matches(const struct route *r, const struct exchange_request *q)
{
	if (str_eq(q->scheme, STR("https")))
		return r->is_https;
	return r->is_http || r->is_https;
}

bool route_attributes_match(struct route *r, const struct exchange *x)
{
	const struct exchange_request *q = &x->request;

	return protocol_matches(r, q) && method_matches(r->rec, q->method) &&
	       headers_match(r, &q->headers) && sni_matches(r->rec, q) &&
	       endpoint_matches(r->rec->sources, r->rec->n_sources, &q->client) &&
	       endpoint_matches(r->rec->destinations, r->rec->n_destinations, &q->server);
}
