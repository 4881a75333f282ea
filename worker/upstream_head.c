/* SPDX-License-Identifier: Apache-2.0
 *
 * The request's head as the service gets it (Kong's proxy headers).
 */
#include <errno.h>

#include "worker/req.h"
#include "worker/text.h"
#include "worker/worker.h"

#define PRODUCT PACKAGE_NAME "/" PACKAGE_VERSION

/* Fields that are ours to write, or belong to one hop (RFC 9110 7.6.1). */
static const uint8_t is_dropped[HEADER_ID_COUNT] = {
		[HEADER_HOST] = 1,
		[HEADER_CONNECTION] = 1,
		[HEADER_CONTENT_LENGTH] = 1,
		[HEADER_TRANSFER_ENCODING] = 1,
		[HEADER_EXPECT] = 1,
		[HEADER_UPGRADE] = 1,
		[HEADER_TE] = 1,
		[HEADER_TRAILER] = 1,
		[HEADER_KEEP_ALIVE] = 1,
		[HEADER_PROXY_CONNECTION] = 1,
		[HEADER_PROXY] = 1,
		[HEADER_VIA] = 1,
		[HEADER_X_FORWARDED_FOR] = 1,
		[HEADER_X_FORWARDED_PROTO] = 1,
		[HEADER_X_FORWARDED_HOST] = 1,
		[HEADER_X_FORWARDED_PORT] = 1,
		[HEADER_X_FORWARDED_PATH] = 1,
		[HEADER_X_FORWARDED_PREFIX] = 1,
		[HEADER_X_REAL_IP] = 1,
};

static void add_own_fields(struct req *q, struct text *t)
{
	const struct headers *h = &q->x.request.headers;
	bool names_fields = headers_connection_has_names(h);

	for (uint32_t i = 0; i < h->n; i++) {
		const struct header *f = &h->v[i];

		if (is_dropped[f->id] || (names_fields && headers_connection_names(h, f->name)))
			continue;
		if (f->id == HEADER_X_KONG_REQUEST_ID && q->w->added.upstream_request_id)
			continue;
		text_add_field(t, f->name, f->value);
	}
}

/* The client's own word when it is trusted, else what we see. */
static struct str believed(const struct exchange_request *r, enum header_id id, struct str seen)
{
	struct str said = r->client_is_trusted ? headers_get_id(&r->headers, id) : STR_NONE;

	return said.n != 0 ? said : seen;
}

static void add_forwarded_for(const struct exchange_request *r, struct text *t)
{
	const struct header *f = headers_find_id(&r->headers, HEADER_X_FORWARDED_FOR);

	text_add(t, STR("X-Forwarded-For: "));
	for (; f != NULL; f = headers_next(&r->headers, f)) {
		text_add(t, f->value);
		text_add(t, STR(", "));
	}
	text_add(t, r->client.ip);
	text_add(t, STR("\r\n"));
}

static void add_forwarded(struct req *q, struct text *t)
{
	const struct exchange_request *r = &q->x.request;
	struct str port = r->client_is_trusted
					  ? headers_get_id(&r->headers, HEADER_X_FORWARDED_PORT)
					  : STR_NONE;
	struct str prefix = q->x.matched_prefix;

	if (str_eq(prefix, STR("/")))
		prefix = STR_NONE;
	prefix = believed(r, HEADER_X_FORWARDED_PREFIX, prefix);
	add_forwarded_for(r, t);
	text_add_field(t, STR("X-Forwarded-Proto"),
			believed(r, HEADER_X_FORWARDED_PROTO, r->scheme));
	text_add_field(t, STR("X-Forwarded-Host"), believed(r, HEADER_X_FORWARDED_HOST, r->host));
	text_add(t, STR("X-Forwarded-Port: "));
	if (port.n != 0)
		text_add(t, port);
	else
		text_add_u64(t, r->server.port);
	text_add(t, STR("\r\n"));
	text_add_field(t, STR("X-Forwarded-Path"),
			believed(r, HEADER_X_FORWARDED_PATH, r->raw_path));
	if (prefix.n != 0)
		text_add_field(t, STR("X-Forwarded-Prefix"), prefix);
	text_add_field(t, STR("X-Real-IP"), r->real_client.ip);
}

static void add_via(const struct exchange_request *r, struct text *t)
{
	const struct header *f = headers_find_id(&r->headers, HEADER_VIA);

	text_add(t, STR("Via: "));
	for (; f != NULL; f = headers_next(&r->headers, f)) {
		text_add(t, f->value);
		text_add(t, STR(", "));
	}
	text_add(t, STR("1.1 " PRODUCT "\r\n"));
}

static void add_framing(struct req *q, struct text *t)
{
	const struct body *b = &q->x.request.body;
	uint64_t length = b->bytes.n;

	if (q->up.is_body_chunked) {
		text_add(t, STR("Transfer-Encoding: chunked\r\n"));
		return;
	}
	if (q->up.is_body_streamed)
		length = q->head.length;
	else if (length == 0 && q->head.framing == H1_NO_BODY && !b->is_replaced)
		return;
	text_add(t, STR("Content-Length: "));
	text_add_u64(t, length);
	text_add(t, STR("\r\n"));
}

static void add_upgrade(struct req *q, struct text *t)
{
	q->up.upgrade = req_upgrade_wanted(q);
	if (q->up.upgrade.n == 0)
		return;
	text_add(t, STR("Connection: Upgrade\r\n"));
	text_add_field(t, STR("Upgrade"), q->up.upgrade);
}

static void add_request_line(struct req *q, struct text *t)
{
	const struct exchange *x = &q->x;

	text_add(t, x->upstream.method);
	text_add(t, STR(" "));
	text_add(t, x->upstream.path);
	if (x->request.raw_query.n != 0 ||
			(!x->request.is_query_changed && str_ends(x->request.target, STR("?")))) {
		text_add(t, STR("?"));
		text_add(t, x->request.raw_query);
	}
	text_add(t, STR(" HTTP/1.1\r\n"));
}

/* What plugins wrote may hold anything: nothing that would end a line may leave. */
static bool is_clean(const struct exchange *x)
{
	if (!headers_name_is_valid(x->upstream.method) ||
			!headers_value_is_valid(x->upstream.host_header))
		return false;
	for (size_t i = 0; i < x->upstream.path.n; i++)
		if ((unsigned char)x->upstream.path.p[i] <= ' ' || x->upstream.path.p[i] == 0x7f)
			return false;
	for (size_t i = 0; i < x->request.raw_query.n; i++)
		if ((unsigned char)x->request.raw_query.p[i] <= ' ' ||
				x->request.raw_query.p[i] == 0x7f)
			return false;
	for (uint32_t i = 0; i < x->request.headers.n; i++)
		if (!x->request.headers.v[i].is_scanned &&
				!h1_field_is_clean(x->request.headers.v[i].name,
						x->request.headers.v[i].value))
			return false;
	return true;
}

int req_compose(struct req *q)
{
	struct text t;

	if (tracing_propagate(q) != 0)
		return -ENOMEM;
	if (!is_clean(&q->x))
		return -EINVAL;
	text_init(&t, q->arena, 1024);
	add_request_line(q, &t);
	text_add_field(&t, STR("Host"), q->x.upstream.host_header);
	add_own_fields(q, &t);
	add_framing(q, &t);
	add_upgrade(q, &t);
	add_forwarded(q, &t);
	add_via(&q->x.request, &t);
	if (q->w->added.upstream_request_id)
		text_add_field(&t, STR("X-Kong-Request-Id"),
				(struct str){q->x.request.id, sizeof(q->x.request.id) - 1});
	text_add(&t, STR("\r\n"));
	q->up.head = text_str(&t);
	return t.is_failed ? -ENOMEM : 0;
}
