/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/req.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/hex.h"
#include "base/log.h"
#include "shm/probe.h"
#include "worker/account.h"
#include "worker/client_tls.h"
#include "worker/worker.h"

#define FREE_MAX 256
#define ARENA_SLACK_BYTES (16U * 1024 * 1024)

static struct req *free_list;
static unsigned free_n;

/* From the free list: the arena keeps its first chunk, so that a usual request allocates
 * nothing. */
static struct req *req_new(struct conn *c)
{
	struct req *q = free_list;
	struct arena *arena;

	if (q != NULL) {
		free_list = q->next_free;
		free_n--;
		arena = q->arena;
	} else {
		q = malloc(sizeof(*q));
		if (q == NULL)
			return NULL;
		if (arena_new(&arena,
				    ARENA_SLACK_BYTES +
						    2 * (size_t)c->w->conf->client_body_buffer_size) !=
				0) {
			free(q);
			return NULL;
		}
	}
	exchange_init(&q->x, arena, &req_ops, q); /* clears x */
	q->x.worker = c->w;
	memset(&q->w, 0, sizeof(*q) - offsetof(struct req, w));
	q->magic = REQ_MAGIC;
	q->w = c->w;
	q->conn = c;
	q->arena = arena;
	return q;
}

static void req_free(struct req *q)
{
	struct worker *w = q->w;

	chain_free(q->chain);
	dns_cancel(&q->up.wait);
	req_release_upstream(q, false);
	if (q->has_sleep)
		evtimer_del(&q->sleep);
	timer_clear(&q->wait_limit);
	req_tunnel_free(q);
	iobuf_put(q->body_in);
	iobuf_put(q->up.in);
	iobuf_put(q->up.more);
	buf_done(&q->held_body);
	buf_done(&q->held_reply);
	buf_done(&q->filtered);
	backend_release(q->up.backend);
	balancer_unref(q->up.balancer);
	route_match_unref(q->match);
	stat_sub(&w->stat->requests_active, 1);
	q->magic = 0;
	if (free_n >= FREE_MAX) {
		arena_free(q->arena);
		free(q);
		return;
	}
	arena_clear(q->arena);
	q->next_free = free_list;
	free_list = q;
	free_n++;
}

/* 32 hexadecimal digits from a buffer of kernel randomness. */
static void id_make(char ret[33])
{
	static uint8_t pool[4096];
	static size_t at = sizeof(pool);

	if (at == sizeof(pool)) {
		random_bytes(pool, sizeof(pool));
		at = 0;
	}
	hex_encode(pool + at, 16, ret);
	at += 16;
}

static void request_identify(struct req *q)
{
	struct exchange_request *r = &q->x.request;
	struct conn *c = q->conn;

	id_make(r->id);
	r->start_mono_ns = clock_mono_ns();
	r->start_real_ns = r->start_mono_ns + q->w->real_offset_ns;
	r->scheme = c->tls != NULL ? STR("https") : STR("http");
	if (c->tls != NULL)
		client_tls_tell(c->tls, r);
	r->client = (struct endpoint){{c->client_ip, c->client_ip_n}, c->client_port};
	r->server = (struct endpoint){{c->server_ip, c->server_ip_n}, c->server_port};
	r->real_client = r->client;
	stat_add(&q->w->stat->requests_total, 1);
	stat_add(&q->w->stat->requests_active, 1);
}

/* Host without port, lower-case; the port apart. */
static bool host_read(struct req *q)
{
	struct exchange_request *r = &q->x.request;
	struct str host = q->head.authority;
	ptrdiff_t colon = host.n != 0 && host.p[0] == '[' ? str_find(host, STR("]:"))
							  : str_find_char(host, ':');
	uint64_t port = 0;
	char *lower;

	if (colon >= 0) {
		size_t end = (size_t)colon + (host.p[0] == '[' ? 1 : 0);

		if (str_to_u64(str_from(host, end + 1), &port))
			r->host_port = (uint16_t)port;
		host = str_head(host, end);
	}
	lower = arena_alloc(q->arena, host.n + 1);
	if (lower == NULL)
		return false;
	for (size_t i = 0; i < host.n; i++)
		lower[i] = ascii_lower(host.p[i]);
	r->host = (struct str){lower, host.n};
	return true;
}

/* 0, or the status to refuse with. */
static int request_fill(struct req *q, struct str head)
{
	struct exchange_request *r = &q->x.request;
	int e = h1_parse_request(&q->head, head, &r->headers);

	if (e != 0)
		return -e;
	r->method = q->head.method;
	r->request_line = q->head.start_line;
	r->http_major = 1;
	r->http_minor = q->head.minor;
	r->bytes = head.n;
	if (q->conn->tls != NULL && client_tls_hand_on(q->conn->tls, &q->x) != 0)
		return 500;
	e = exchange_set_target(&q->x, q->head.target);
	if (e != 0)
		return e == -ENOMEM ? 500 : 400;
	if (!host_read(q))
		return 500;
	h1_body_init(&q->body, q->head.framing, q->head.length);
	r->body.state = q->body.is_over ? BODY_NONE : BODY_UNREAD;
	if (q->w->conf->client_max_body_size != 0 &&
			q->head.length > q->w->conf->client_max_body_size)
		return 413;
	real_ip_apply(q->w->real_ip, &q->x);
	return 0;
}

enum step {
	STEP_REWRITE,
	STEP_ROUTE,
	STEP_ACCESS,
	STEP_UPSTREAM,
	STEP_RESPONSE,
	STEP_RESPOND,
	STEP_LOG,
	STEP_COUNT,
};

static void answer(struct req *q, int status, const char *message)
{
	exchange_answer_error(&q->x, status, message != NULL ? str_of(message) : STR_NONE);
	/* What the gateway says in words of its own is an exit to plugins, as in the reference. */
	if (message != NULL)
		q->x.response.source = RESPONSE_FROM_EXIT;
}

static void refuse(struct req *q, int status, const char *message)
{
	q->is_refused = true;
	q->head.keep_alive = false;
	q->at = STEP_RESPOND;
	answer(q, status, message);
}

void req_start(struct conn *c, struct str head)
{
	struct req *q = req_new(c);
	int status;

	c->req = q;
	if (q == NULL) {
		stat_add(&c->w->stat->requests_shed, 1);
		conn_close(c);
		return;
	}
	request_identify(q);
	PROBE(request_start, q->x.request.id);
	status = request_fill(q, head);
	if (status != 0) {
		stat_add(&c->w->stat->requests_refused, 1);
		refuse(q, status, NULL);
		return;
	}
	if (c->w->tracing.parts != 0)
		tracing_start(q);
	q->keep_alive = q->head.keep_alive && c->n_requests < c->w->conf->keepalive_requests;
	if (c->w->engine == NULL)
		return;
	q->chain = chain_new(c->w->engine, &q->x);
	if (q->chain == NULL)
		refuse(q, 500, NULL);
}

void req_refuse(struct conn *c, int status, const char *message)
{
	struct req *q = req_new(c);

	c->req = q;
	if (q == NULL) {
		conn_close(c);
		return;
	}
	request_identify(q);
	q->x.request.method = STR("GET");
	refuse(q, status, message);
	req_drive(q);
}

/* A phase of the chain as a step: parked until the awaited thing is there. */
/* Nobody waits for what the plugin waits for. */
static enum step_result leave_parked(struct req *q)
{
	q->is_parked = false;
	timer_clear(&q->wait_limit);
	q->at = STEP_LOG - 1;
	return STEP_GO_ON;
}

static enum step_result run_phase(struct req *q, enum chain_verdict (*phase)(struct chain *))
{
	enum chain_verdict v;

	if (q->chain == NULL)
		return STEP_GO_ON;
	if (q->is_parked) {
		if (q->x.request.body.state == BODY_READING && req_body_hold(q) == STEP_GO_ON)
			q->is_resumable = true;
		if (!q->is_resumable)
			return req_client_left(q) ? leave_parked(q) : STEP_WAIT;
		q->is_resumable = false;
		timer_clear(&q->wait_limit);
		v = chain_resume(q->chain);
	} else {
		v = phase(q->chain);
	}
	q->is_parked = v == CHAIN_WAIT;
	if (q->is_parked) {
		/* the body may be here already: then nothing else would wake us */
		if (q->x.request.body.state == BODY_READING)
			q->is_woken = true;
		return STEP_WAIT;
	}
	if (v == CHAIN_ANSWER)
		q->at = STEP_RESPOND - 1;
	return STEP_GO_ON;
}

static enum step_result step_rewrite(struct req *q)
{
	return run_phase(q, chain_rewrite);
}

static enum step_result step_route(struct req *q)
{
	const struct route *r;

	tracing_router(q, false);
	q->match = route_find(q->w->routes, &q->x);
	if (q->match == NULL || (q->match->route != NULL && route_apply(q->match, &q->x) != 0)) {
		answer(q, 500, NULL);
		q->at = STEP_RESPOND - 1;
		return STEP_GO_ON;
	}
	r = q->match->route;
	if (r == NULL) {
		stat_add(&q->w->stat->requests_unrouted, 1);
		answer(q, 404, "no Route matched with those values");
		q->at = STEP_RESPOND - 1;
		return STEP_GO_ON;
	}
	tracing_router(q, true);
	if (q->chain != NULL && r->plan != NULL)
		chain_set_plan(q->chain, r->plan);
	if (!r->is_http && !req_is_over_https(q)) {
		req_answer_https_only(q, r);
		q->at = STEP_RESPOND - 1;
	}
	return STEP_GO_ON;
}

static enum step_result step_access(struct req *q)
{
	enum step_result s = run_phase(q, chain_access);
	const struct service *service = q->match->route->service;

	if (s != STEP_GO_ON || q->x.answer.is_set)
		return s;
	if (q->x.upstream.host.n == 0 || (service != NULL && !service->rec->enabled)) {
		answer(q, 503, "no Service found with those values");
		q->at = STEP_RESPOND - 1;
	}
	return s;
}

/* The response phase, for a response that was held whole. */
static enum step_result step_response(struct req *q)
{
	if (q->x.answer.is_set || q->is_aborted ||
			q->x.response.service_body.state != BODY_COMPLETE)
		return STEP_GO_ON;
	return run_phase(q, chain_response);
}

static void access_line(const struct req *q)
{
	const struct exchange *x = &q->x;
	char line[512], route[128];

	log_info("request", "id=%s client=%.*s line=%s status=%d bytes=%llu route=%s ms=%.3f",
			x->request.id, STR_ARG(x->request.client.ip),
			log_quote(line, sizeof(line), x->request.request_line), x->response.status,
			(unsigned long long)x->response.bytes_sent,
			log_quote(route, sizeof(route), x->route.name),
			(double)(x->response_end_ns - x->request.start_mono_ns) / 1e6);
}

static enum step_result step_log(struct req *q)
{
	struct exchange *x = &q->x;

	x->response_end_ns = clock_mono_ns();
	x->response.bytes_sent = q->out.sent + q->tunnel.down.bytes;
	x->response.body_bytes_sent = q->body_sent;
	tracing_finish(q);
	if (!q->is_refused && q->chain != NULL)
		chain_log(q->chain);
	account_request(q);
	if (q->x.trace != NULL)
		tracing_end(q);
	if (log_wants(LOG_INFO))
		access_line(q);
	return STEP_DONE;
}

static const struct {
	const char *name;
	enum step_result (*run)(struct req *q);
} steps[STEP_COUNT] = {
		[STEP_REWRITE] = {"rewrite", step_rewrite},
		[STEP_ROUTE] = {"route", step_route},
		[STEP_ACCESS] = {"access", step_access},
		[STEP_UPSTREAM] = {"upstream", req_step_upstream},
		[STEP_RESPONSE] = {"response", step_response},
		[STEP_RESPOND] = {"respond", req_step_respond},
		[STEP_LOG] = {"log", step_log},
};

static void finish(struct req *q)
{
	struct conn *c = q->conn;

	if (q->is_client_gone || q->is_aborted) {
		c->req = NULL;
		conn_close(c);
	} else {
		conn_request_done(c, q->keep_alive, req_body_leftover(q));
	}
	req_free(q);
}

void req_on_client_timeout(struct req *q)
{
	if (!out_is_empty(&q->out)) {
		/* it does not read its answer */
		q->is_aborted = true;
		q->at = STEP_LOG;
	} else if (req_half_closed_is_over(q)) {
		q->at = STEP_LOG;
	} else if (!q->is_head_made && !q->body.is_over && !q->x.answer.is_set &&
			(q->at == STEP_UPSTREAM || q->is_parked)) {
		req_release_upstream(q, false);
		q->is_parked = false;
		q->keep_alive = false;
		answer(q, 408, NULL);
		q->at = STEP_RESPOND;
	} else {
		return;
	}
	req_drive(q);
}

void req_drive(struct req *q)
{
	enum step_result s = STEP_GO_ON;

	sl_check(q, REQ_MAGIC);
	if (q->is_driving) {
		q->is_woken = true;
		return;
	}
	q->is_driving = true;
	do {
		q->is_woken = false;
		do {
			unsigned at = q->at;

			s = steps[at].run(q);
			if (s == STEP_GO_ON)
				q->at++;
		} while (s == STEP_GO_ON);
	} while (s == STEP_WAIT && q->is_woken);
	q->is_driving = false;
	if (s == STEP_DONE)
		finish(q);
}
