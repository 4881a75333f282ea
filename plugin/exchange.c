/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/exchange.h"

#include <errno.h>

#include "plugin/path.h"

void exchange_init(
		struct exchange *x, struct arena *arena, const struct exchange_ops *ops, void *host)
{
	*x = (struct exchange){.magic = EXCHANGE_MAGIC, .arena = arena, .ops = ops, .host = host};
	headers_init(&x->request.headers, arena);
	headers_init(&x->response.headers, arena);
	headers_init(&x->response.service_headers, arena);
	headers_init(&x->answer.headers, arena);
}

/* No control, space or fragment anywhere; in the path only whole escapes, and no NUL. */
static bool target_is_clean(struct str target)
{
	bool is_path = true;

	for (size_t i = 0; i < target.n; i++) {
		unsigned char c = (unsigned char)target.p[i];

		if (c <= 0x20 || c == 0x7f || c == '#')
			return false;
		if (c == '?')
			is_path = false;
		if (c == '%' && is_path && percent_byte(target, i) <= 0)
			return false;
	}
	return target.n != 0;
}

/* "http://host/path?q" → "/path?q" (RFC 9112 3.2.2).  False when it is not of that form. */
static bool strip_authority(struct str target, struct str *ret)
{
	struct str rest;
	size_t i = 0;

	if (str_ieq(str_head(target, 7), STR("http://")))
		rest = str_from(target, 7);
	else if (str_ieq(str_head(target, 8), STR("https://")))
		rest = str_from(target, 8);
	else
		return false;
	while (i < rest.n && rest.p[i] != '/' && rest.p[i] != '?')
		i++;
	*ret = str_from(rest, i);
	return i != 0;
}

int exchange_set_target(struct exchange *x, struct str target)
{
	struct exchange_request *q = &x->request;
	struct str rest = target;
	ptrdiff_t mark;

	if (!target_is_clean(target))
		return -EINVAL;
	/* RFC 9112 3.2.4: the server as a whole */
	if (str_eq(target, STR("*")) && str_eq(q->method, STR("OPTIONS")))
		rest = STR("/");
	else if (target.p[0] != '/' && !strip_authority(target, &rest))
		return -EINVAL;
	mark = str_find_char(rest, '?');
	q->target = target;
	q->raw_path = mark < 0 ? rest : str_head(rest, (size_t)mark);
	q->raw_query = mark < 0 ? STR("") : str_from(rest, (size_t)mark + 1);
	if (q->raw_path.n == 0)
		q->raw_path = STR("/");
	q->path = path_normalize(x->arena, q->raw_path);
	return q->path.p != NULL ? 0 : -ENOMEM;
}

const char *exchange_route_name(const struct exchange *x)
{
	struct str name = x->route.name.n != 0 ? x->route.name : x->route.id;
	const char *z = name.n != 0 ? arena_strndup(x->arena, name.p, name.n) : NULL;

	return z != NULL ? z : "";
}

struct str exchange_client_cert(struct exchange *x, enum exchange_client_cert what)
{
	if (x->request.tls_version.n == 0 || x->ops == NULL || x->ops->client_cert == NULL)
		return STR_NONE;
	return x->ops->client_cert(x, what);
}
