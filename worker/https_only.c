/* SPDX-License-Identifier: Apache-2.0
 *
 * Routes for https alone, asked over http.
 */
#include "worker/req.h"

bool req_is_over_https(const struct req *q)
{
	const struct exchange_request *r = &q->x.request;
	struct str said = r->client_is_trusted
					  ? headers_get_id(&r->headers, HEADER_X_FORWARDED_PROTO)
					  : STR_NONE;

	return str_ieq(said.n != 0 ? said : r->scheme, STR("https"));
}

void req_answer_https_only(struct req *q, const struct route *r)
{
	uint32_t code = r->rec->https_redirect_status_code;
	struct exchange_request *x = &q->x.request;
	struct str to;

	if (code == 0 || code == 426) {
		exchange_answer_error(&q->x, 426, STR("Please use HTTPS protocol"));
		q->x.response.source = RESPONSE_FROM_EXIT;
		headers_set_id(&q->x.answer.headers, HEADER_CONNECTION, STR("Upgrade"));
		headers_set_id(&q->x.answer.headers, HEADER_UPGRADE, STR("TLS/1.2, HTTP/1.1"));
		return;
	}
	to = arena_printf(q->arena, "https://%.*s%.*s%s%.*s", STR_ARG(x->host),
			STR_ARG(x->raw_path), x->raw_query.n != 0 ? "?" : "",
			STR_ARG(x->raw_query));
	exchange_answer_bare(&q->x, (int)code);
	if (to.p != NULL)
		headers_set_id(&q->x.answer.headers, HEADER_LOCATION, to);
}
