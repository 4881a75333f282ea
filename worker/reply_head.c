/* SPDX-License-Identifier: Apache-2.0
 *
 * The response's head as the client gets it (Kong's response headers).
 */
#include "base/clock.h"
#include "worker/req.h"
#include "worker/text.h"
#include "worker/worker.h"

#define PRODUCT PACKAGE_NAME "/" PACKAGE_VERSION

/* Written by us, or of one hop only (RFC 9110 7.6.1). */
static const uint8_t is_dropped[HEADER_ID_COUNT] = {
		[HEADER_CONNECTION] = 1,
		[HEADER_CONTENT_LENGTH] = 1,
		[HEADER_TRANSFER_ENCODING] = 1,
		[HEADER_UPGRADE] = 1,
		[HEADER_TE] = 1,
		[HEADER_TRAILER] = 1,
		[HEADER_KEEP_ALIVE] = 1,
		[HEADER_PROXY_CONNECTION] = 1,
};

static bool is_from_service(const struct req *q)
{
	return q->x.response.source == RESPONSE_FROM_SERVICE;
}

static struct str reason_of(const struct req *q)
{
	const struct exchange_response *r = &q->x.response;

	if (is_from_service(q) && r->status == r->service_status)
		return str_from(q->up.reply.start_line, 13);
	return str_of(status_reason(r->status));
}

static void add_status_line(const struct req *q, struct text *t)
{
	text_add(t, STR("HTTP/1.1 "));
	text_add_u64(t, (uint64_t)q->x.response.status);
	text_add(t, STR(" "));
	text_add(t, reason_of(q));
	text_add(t, STR("\r\n"));
}

struct seen {
	bool server, date;
};

static void add_fields(const struct req *q, struct text *t, struct seen *seen)
{
	const struct headers *h = &q->x.response.headers;
	const struct headers *from = &q->x.response.service_headers;
	bool names_fields = headers_connection_has_names(from);

	for (uint32_t i = 0; i < h->n; i++) {
		const struct header *f = &h->v[i];

		if (is_dropped[f->id] || (names_fields && headers_connection_names(from, f->name)))
			continue;
		if (!f->is_scanned && !h1_field_is_clean(f->name, f->value))
			continue;
		if (f->id == HEADER_VIA && is_from_service(q) && q->w->added.server_tokens)
			continue;
		seen->server |= f->id == HEADER_SERVER;
		seen->date |= f->id == HEADER_DATE;
		text_add_field(t, f->name, f->value);
	}
}

static void add_via(const struct req *q, struct text *t)
{
	const struct headers *h = &q->x.response.headers;
	const struct header *f = headers_find_id(h, HEADER_VIA);

	text_add(t, STR("Via: "));
	for (; f != NULL; f = headers_next(h, f)) {
		text_add(t, f->value);
		text_add(t, STR(", "));
	}
	text_add(t, STR("1.1 " PRODUCT "\r\n"));
}

static void add_ms(struct text *t, struct str name, uint64_t from_ns, uint64_t to_ns)
{
	text_add(t, name);
	text_add(t, STR(": "));
	text_add_u64(t, to_ns > from_ns ? (to_ns - from_ns) / 1000000 : 0);
	text_add(t, STR("\r\n"));
}

static void add_latencies(const struct req *q, struct text *t)
{
	const struct exchange *x = &q->x;
	uint64_t start = x->request.start_mono_ns;

	if (is_from_service(q)) {
		add_ms(t, STR("X-Kong-Upstream-Latency"), x->upstream_start_ns,
				x->upstream_headers_ns);
		add_ms(t, STR("X-Kong-Proxy-Latency"), start, x->upstream_start_ns);
	} else {
		add_ms(t, STR("X-Kong-Response-Latency"), start, clock_mono_ns());
	}
}

static void add_debug(const struct req *q, struct text *t)
{
	const struct exchange *x = &q->x;

	if (!q->w->conf->allow_debug_header ||
			!str_eq(headers_get(&x->request.headers, STR("kong-debug")), STR("1")))
		return;
	if (x->route.id.n != 0)
		text_add_field(t, STR("Kong-Route-Id"), x->route.id);
	if (x->route.name.n != 0)
		text_add_field(t, STR("Kong-Route-Name"), x->route.name);
	if (x->service.id.n != 0)
		text_add_field(t, STR("Kong-Service-Id"), x->service.id);
	if (x->service.name.n != 0)
		text_add_field(t, STR("Kong-Service-Name"), x->service.name);
}

static void add_own(const struct req *q, struct text *t, const struct seen *seen)
{
	const struct added_headers *a = &q->w->added;

	if (!seen->date)
		text_add_field(t, STR("Date"), str_of(q->w->date));
	if (a->server_tokens && !seen->server)
		text_add(t, STR("Server: " PRODUCT "\r\n"));
	if (a->server_tokens && is_from_service(q))
		add_via(q, t);
	if (a->latency_tokens)
		add_latencies(q, t);
	if (a->upstream_status && q->x.response.service_status != 0) {
		text_add(t, STR("X-Kong-Upstream-Status: "));
		text_add_u64(t, (uint64_t)q->x.response.service_status);
		text_add(t, STR("\r\n"));
	}
	if (a->request_id)
		text_add_field(t, STR("X-Kong-Request-Id"),
				(struct str){q->x.request.id, sizeof(q->x.request.id) - 1});
	add_debug(q, t);
}

static void add_connection(const struct req *q, struct text *t)
{
	bool upgrades = q->x.response.status == 426;

	if (q->x.response.status == 101) {
		text_add(t, STR("Connection: Upgrade\r\n"));
		text_add_field(t, STR("Upgrade"),
				headers_get_id(&q->x.response.service_headers, HEADER_UPGRADE));
		return;
	}
	if (upgrades) {
		struct str to = headers_get_id(&q->x.response.headers, HEADER_UPGRADE);

		text_add_field(t, STR("Upgrade"), to.n != 0 ? to : STR("TLS/1.2, HTTP/1.1"));
	}
	if (!q->keep_alive)
		text_add(t, upgrades ? STR("Connection: Upgrade, close\r\n")
				     : STR("Connection: close\r\n"));
	else if (upgrades)
		text_add(t, STR("Connection: Upgrade\r\n"));
	else
		text_add(t, STR("Connection: keep-alive\r\n"));
}

struct str req_reply_head(struct req *q, bool has_length, uint64_t length)
{
	struct seen seen = {.server = false};
	struct text t;

	text_init(&t, q->arena, 1024);
	add_status_line(q, &t);
	add_fields(q, &t, &seen);
	if (has_length) {
		text_add(&t, STR("Content-Length: "));
		text_add_u64(&t, length);
		text_add(&t, STR("\r\n"));
	} else if (q->is_reply_chunked) {
		text_add(&t, STR("Transfer-Encoding: chunked\r\n"));
	}
	add_connection(q, &t);
	add_own(q, &t, &seen);
	text_add(&t, STR("\r\n"));
	return text_str(&t);
}
