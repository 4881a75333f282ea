/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/tracing.h"

#include <errno.h>
#include <stdlib.h>

#include "base/hex.h"
#include "plugin/traceparent.h"
#include "worker/otlp.h"
#include "worker/req.h"
#include "worker/worker.h"

#define TRACEPARENT STR("traceparent")
#define TRACESTATE STR("tracestate")

void tracing_read(struct tracing *ret, const struct conf *conf)
{
	ret->parts = trace_parts(conf->tracing_instrumentations);
	ret->rate = strtod(conf->tracing_sampling_rate, NULL);
}

static struct trace *trace_of(const struct req *q)
{
	return q->x.trace;
}

/* One field of that form; two are none (W3C Trace Context, 3.2). */
static bool read_parent(const struct req *q, struct traceparent *ret)
{
	const struct headers *h = &q->x.request.headers;
	const struct header *found = NULL;

	for (uint32_t i = 0; i < h->n; i++) {
		if (!str_ieq(h->v[i].name, TRACEPARENT))
			continue;
		if (found != NULL)
			return false;
		found = &h->v[i];
	}
	return found != NULL && traceparent_parse(found->value, ret) == 0;
}

static void add_root(struct req *q)
{
	const struct exchange_request *r = &q->x.request;
	struct trace *t = trace_of(q);
	struct span *s = trace_start_span(t, STR("kong"), NULL, SPAN_SERVER);

	if (s == NULL)
		return;
	s->start_ns = r->start_real_ns;
	trace_set_active(t, s);
	if (!t->is_sampled)
		return;
	span_set_text(t, s, "http.method", r->method);
	span_set_text(t, s, "http.url",
			arena_printf(q->arena, "%.*s://%.*s%.*s", STR_ARG(r->scheme),
					STR_ARG(r->host), STR_ARG(r->target)));
	span_set_text(t, s, "http.host", r->host);
	span_set_text(t, s, "http.scheme", r->scheme);
	span_set_text(t, s, "http.flavor", r->http_minor == 0 ? STR("1.0") : STR("1.1"));
	span_set_text(t, s, "http.client_ip", r->real_client.ip);
	span_set_text(t, s, "net.peer.ip", r->client.ip);
	span_set_text(t, s, "kong.request.id", str_of(r->id));
}

void tracing_start(struct req *q)
{
	struct traceparent parent;
	struct trace *t;
	bool has_parent = read_parent(q, &parent);

	/* A request's id is 16 random bytes: what a trace begun here needs. */
	if (!has_parent)
		hex_decode(str_of(q->x.request.id), parent.trace_id, TRACE_ID_BYTES);
	t = trace_new(q->arena, parent.trace_id);
	if (t == NULL)
		return;
	q->x.trace = t;
	q->trace.has_parent = has_parent;
	t->parts = q->w->tracing.parts;
	t->rate = q->w->tracing.rate;
	t->is_sampled = has_parent ? parent.is_sampled : trace_is_chosen(t->id, t->rate);
	if (has_parent)
		memcpy(t->parent_id, parent.span_id, SPAN_ID_BYTES);
	span_new_id(q->trace.outgoing);
	if ((t->parts & TRACE_BIT(TRACE_REQUEST)) != 0)
		add_root(q);
}

void tracing_router(struct req *q, bool is_over)
{
	struct trace *t = trace_of(q);

	if (!trace_wants(t, TRACE_ROUTER))
		return;
	if (is_over)
		trace_finish_span(t, q->trace.router, 0);
	else
		q->trace.router = trace_start_span(t, STR("kong.router"), t->root, SPAN_INTERNAL);
}

int tracing_propagate(struct req *q)
{
	struct headers *h = &q->x.request.headers;
	struct trace *t = trace_of(q);
	char text[TRACEPARENT_CHARS + 1];
	struct traceparent p, now;
	bool is_there;

	if (t == NULL)
		return 0;
	is_there = read_parent(q, &now);
	/* Another one than the client's: a plugin's, which knows better. */
	if (is_there && (!q->trace.has_parent ||
					memcmp(now.span_id, t->parent_id, SPAN_ID_BYTES) != 0))
		return 0;
	/* Recorded here or not: a caller that samples nothing is told of nothing. */
	if (is_there && !t->is_sampled && !now.is_sampled)
		return 0;
	memcpy(p.trace_id, t->id, TRACE_ID_BYTES);
	memcpy(p.span_id, q->trace.outgoing, SPAN_ID_BYTES);
	if (t->root != NULL && !trace_wants(t, TRACE_BALANCER))
		memcpy(p.span_id, t->root->id, SPAN_ID_BYTES);
	p.is_sampled = t->is_sampled;
	traceparent_write(&p, text);
	if (!q->trace.has_parent)
		headers_remove(h, TRACESTATE);
	return headers_set(h, TRACEPARENT, arena_str(q->arena, str_of(text)));
}

void tracing_dns_begin(struct req *q)
{
	struct trace *t = trace_of(q);
	struct peer literal;

	if (!trace_wants(t, TRACE_DNS) || peer_parse(q->x.upstream.host, &literal))
		return;
	q->trace.dns = trace_start_span(t, STR("kong.dns"), t->root, SPAN_CLIENT);
	span_set_text(t, q->trace.dns, "dns.record.domain", q->x.upstream.host);
	span_set_number(t, q->trace.dns, "dns.record.port", q->x.upstream.port);
}

void tracing_dns_end(struct req *q)
{
	struct span *s = q->trace.dns;
	char text[INET6_ADDRSTRLEN];

	if (s == NULL)
		return;
	q->trace.dns = NULL;
	if (q->up.peers.n != 0) {
		size_t n = peer_text(&q->up.peers.peers[0], text, sizeof(text));

		span_set_text(trace_of(q), s, "dns.record.ip", (struct str){text, n});
	} else {
		s->status = SPAN_ERROR;
		span_record_error(trace_of(q), s, STR("name resolution failed"));
	}
	trace_finish_span(trace_of(q), s, 0);
}

/* The service was told of one span: the last try is it, whatever came before. */
void tracing_try(struct req *q, const struct upconn *u)
{
	struct trace *t = trace_of(q);
	struct exchange *x = &q->x;
	struct span *s;

	if (!trace_wants(t, TRACE_BALANCER))
		return;
	tracing_upstream_over(q);
	s = trace_start_span(t, STR("kong.balancer"), t->root, SPAN_CLIENT);
	if (s == NULL)
		return;
	if (q->trace.try != NULL)
		span_new_id(q->trace.try->id);
	memcpy(s->id, q->trace.outgoing, SPAN_ID_BYTES);
	q->trace.try = s;
	span_set_number(t, s, "try_count", ++q->trace.n_tries);
	if (u != NULL)
		span_set_text(t, s, "net.peer.ip", (struct str){u->ip, u->ip_n});
	span_set_text(t, s, "net.peer.name", x->upstream.host);
	span_set_number(t, s, "net.peer.port", x->upstream.port);
	span_set_text(t, s, "http.method", x->upstream.method);
	span_set_text(t, s, "http.url",
			arena_printf(q->arena, "%.*s://%.*s%.*s", STR_ARG(x->upstream.scheme),
					STR_ARG(x->upstream.host), STR_ARG(x->request.target)));
}

void tracing_try_failed(struct req *q, int status, const char *what)
{
	struct span *s = q->trace.try;

	if (s == NULL || s->end_ns != 0)
		return;
	s->status = SPAN_ERROR;
	span_set_number(trace_of(q), s, "http.status_code", status);
	span_record_error(trace_of(q), s, str_of(what));
	tracing_upstream_over(q);
}

static struct span *part_of_try(struct req *q, struct str name)
{
	struct trace *t = trace_of(q);
	struct span *below = q->trace.try != NULL ? q->trace.
	try : t
		->root;

	return trace_start_span(t, name, below, SPAN_INTERNAL);
}

void tracing_connected(struct req *q)
{
	if (trace_wants(trace_of(q), TRACE_UPSTREAM))
		q->trace.first_byte = part_of_try(q, STR("kong.upstream.ttfb"));
}

void tracing_replied(struct req *q)
{
	struct trace *t = trace_of(q);

	if (q->trace.try != NULL)
		span_set_number(t, q->trace.try, "http.status_code", q->x.response.service_status);
	if (!trace_wants(t, TRACE_UPSTREAM))
		return;
	trace_finish_span(t, q->trace.first_byte, 0);
	q->trace.read = part_of_try(q, STR("kong.upstream.read_response"));
}

void tracing_upstream_over(struct req *q)
{
	struct trace *t = trace_of(q);

	if (t == NULL)
		return;
	trace_finish_span(t, q->trace.first_byte, 0);
	trace_finish_span(t, q->trace.read, 0);
	trace_finish_span(t, q->trace.try, 0);
	q->trace.first_byte = q->trace.read = NULL;
}

void tracing_finish(struct req *q)
{
	struct trace *t = trace_of(q);
	struct span *root;

	if (t == NULL)
		return;
	tracing_upstream_over(q);
	root = t->root;
	if (root == NULL || !t->is_sampled)
		return;
	span_set_number(t, root, "http.status_code", q->x.response.status);
	if (q->x.route.name.n != 0)
		span_set_text(t, root, "kong.route.name", q->x.route.name);
	if (q->x.service.name.n != 0)
		span_set_text(t, root, "kong.service.name", q->x.service.name);
	if (q->x.response.status >= 500)
		root->status = SPAN_ERROR;
	trace_finish_span(t, root, q->x.response_end_ns + q->w->real_offset_ns);
}

void tracing_end(struct req *q)
{
	struct trace *t = trace_of(q);
	bool is_wanted = false;

	for (uint32_t i = 0; i < t->n; i++) {
		is_wanted |= t->v[i]->should_sample && t->v[i]->name.p != NULL;
		trace_finish_span(t, t->v[i], 0);
	}
	if (t->root != NULL && t->n_dropped != 0) {
		span_set_number(t, t->root, "sluice.spans_dropped", t->n_dropped);
		stat_add(&q->w->stat->otlp_spans_dropped, t->n_dropped);
	}
	if (is_wanted && q->w->otlp != NULL)
		otlp_add_trace(q->w->otlp, t);
}
