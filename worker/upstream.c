/* SPDX-License-Identifier: Apache-2.0
 *
 * The step towards the service: name, peer, connection, request, response head; and what
 * to do when one of them fails.
 */
#include <errno.h>

#include "base/clock.h"
#include "base/log.h"
#include "worker/req.h"
#include "worker/worker.h"

#define HELD_BYTES 65536
#define TLS_VERIFY_ON 2 /* of the service's record; unset is off, as in Kong */

enum up_next {
	UP_AGAIN, /* the state changed: look again */
	UP_WAIT,
	UP_OVER,
};

static enum up_next fail_with(struct req *q, int status, const char *message)
{
	req_release_upstream(q, false);
	exchange_answer_error(&q->x, status, message != NULL ? str_of(message) : STR_NONE);
	if (message != NULL)
		q->x.response.source = RESPONSE_FROM_EXIT;
	return UP_OVER;
}

/* The client's body is unreadable: its fault, whatever the service thinks of the rest. */
static enum up_next fail_body(struct req *q)
{
	uint64_t max = q->w->conf->client_max_body_size;

	if (q->is_client_gone) {
		req_release_upstream(q, false);
		q->is_aborted = true;
		q->x.response.status = 499;
		return UP_OVER;
	}
	q->keep_alive = false;
	return fail_with(q, max != 0 && q->body_bytes > max ? 413 : 400, NULL);
}

/* How the body will leave: from memory where it is whole already. */
static void choose_body(struct req *q)
{
	struct body *b = &q->x.request.body;
	struct str unread = iobuf_unread(q->conn->in);

	if (b->is_replaced || b->state == BODY_COMPLETE || q->body.is_over)
		return;
	if (q->head.framing == H1_LENGTH && !q->is_body_touched && q->head.length <= unread.n) {
		b->bytes = str_head(unread, (size_t)q->head.length);
		b->state = BODY_COMPLETE;
		q->conn->in->at += b->bytes.n;
		q->body_bytes = b->bytes.n;
		q->body.is_over = true;
		return;
	}
	q->up.is_body_streamed = true;
	q->up.is_body_chunked = q->head.framing == H1_CHUNKED;
}

static void log_failure(const struct req *q, const char *what, int error)
{
	char host[300];

	log_warn("upstream failed", "what=\"%s\" error=%d host=%s port=%u id=%s", what, error,
			log_quote(host, sizeof(host), q->x.upstream.host), q->x.upstream.port,
			q->x.request.id);
}

static void on_name(void *arg, const struct dns_answer *answer)
{
	struct req *q = arg;

	sl_check(q, REQ_MAGIC);
	q->up.peers = *answer;
	tracing_dns_end(q);
	q->up.state = UP_PICK;
	req_drive(q);
}

/* Kong's request_buffering: a chunked body is read before the service hears of it, so that
 * a malformed one never gets there and a small one can be sent again. */
static bool wants_whole_body(const struct req *q)
{
	const struct body *b = &q->x.request.body;

	return q->head.framing == H1_CHUNKED && b->state == BODY_UNREAD && !b->is_replaced &&
	       q->match->route->rec->request_buffering;
}

/* To the addresses of upstream.host. */
static enum up_next find_peers(struct req *q)
{
	struct req_upstream *up = &q->up;

	up->state = UP_BALANCE;
	if (req_find_balancer(q))
		return UP_AGAIN;
	up->wait.fn = on_name;
	up->wait.arg = q;
	up->state = UP_RESOLVING;
	tracing_dns_begin(q);
	if (!dns_find(q->w->dns, q->x.upstream.host, &up->peers, &up->wait))
		return UP_WAIT;
	tracing_dns_end(q);
	up->state = UP_PICK;
	return UP_AGAIN;
}

static enum up_next balance(struct req *q)
{
	int r = req_balance(q);

	q->up.state = r == -EAGAIN ? UP_RESOLVING : UP_PICK;
	if (r == -EAGAIN)
		return UP_WAIT;
	if (r == -ENOENT)
		return fail_with(q, 503, "failure to get a peer from the ring-balancer");
	return r == 0 ? UP_AGAIN : fail_with(q, 500, NULL);
}

static enum up_next resolve(struct req *q)
{
	if (q->is_body_bad || q->is_client_gone)
		return fail_body(q);
	choose_body(q);
	if (req_compose(q) != 0)
		return fail_with(q, 500, NULL);
	q->x.upstream_start_ns = clock_mono_ns();
	return find_peers(q);
}

static enum up_next holding(struct req *q)
{
	return req_body_hold(q) == STEP_WAIT ? UP_WAIT : resolve(q);
}

static bool is_tls(const struct req *q)
{
	return str_eq(q->x.upstream.scheme, STR("https"));
}

static enum up_next start(struct req *q)
{
	if (!str_eq(q->x.upstream.scheme, STR("http")) && !is_tls(q)) {
		log_failure(q, "scheme", 0);
		return fail_with(q, 502, "Services over this protocol are not supported yet");
	}
	if (!wants_whole_body(q))
		return resolve(q);
	q->held_max = HELD_BYTES;
	q->up.state = UP_HOLDING;
	return UP_AGAIN;
}

/* RFC 9110 9.2.2, as nginx: these are not sent twice. */
static bool is_repeatable(const struct req *q)
{
	struct str m = q->x.upstream.method;

	return !str_eq(m, STR("POST")) && !str_eq(m, STR("PATCH")) && !str_eq(m, STR("LOCK"));
}

/* u NULL: no connection could even be started. */
static void note_try(struct req *q, const struct upconn *u)
{
	struct exchange_try *t;

	tracing_try(q, u);
	if (q->x.n_tries == sizeof(q->x.tries) / sizeof(q->x.tries[0]))
		return;
	t = &q->x.tries[q->x.n_tries++];
	*t = (struct exchange_try){.peer = {q->x.upstream.host, q->x.upstream.port}};
	if (u != NULL) {
		t->peer.ip = arena_str(q->arena, (struct str){u->ip, u->ip_n});
		t->is_reused = u->is_reused;
	}
	t->start_real_ns = q->x.upstream_start_ns + q->w->real_offset_ns;
	if (q->x.n_tries > 1)
		t->start_real_ns = clock_mono_ns() + q->w->real_offset_ns;
}

static void note_failed_try(struct req *q, int status)
{
	stat_add(&q->w->stat->upstream_errors, 1);
	if (q->x.n_tries != 0)
		q->x.tries[q->x.n_tries - 1].state_code = status;
}

/* Another try, at what plugins choose or at the next address. */
static enum up_next try_again(struct req *q)
{
	stat_add(&q->w->stat->upstream_retries, 1);
	q->up.state = q->up.balancer != NULL && q->up.backend == NULL ? UP_BALANCE : UP_PICK;
	if (q->chain == NULL)
		return UP_AGAIN;
	if (chain_retry(q->chain) && !q->x.answer.is_set) {
		q->up.next_peer = 0;
		return find_peers(q);
	}
	return q->x.answer.is_set ? UP_OVER : UP_AGAIN;
}

/* After a failed try: another one if the rules allow, else the answer.  error: -errno. */
static enum up_next try_failed(struct req *q, const char *what, int error)
{
	struct req_upstream *up = &q->up;
	bool was_reused = up->conn != NULL && up->conn->is_reused;
	bool was_sent = up->out.sent != 0;
	bool is_body_gone = up->is_body_streamed && q->is_body_touched && up->is_started;
	bool is_short = error == -EMFILE || error == -ENFILE || error == -ENOMEM;
	int status = error == -ETIMEDOUT ? 504 : is_short ? 503 : 502;

	log_failure(q, what, -error);
	note_failed_try(q, status);
	tracing_try_failed(q, status, what);
	req_release_upstream(q, false);
	up->out = (struct out){.n = 0};
	up->is_started = up->is_request_sent = false;
	iobuf_put(up->in);
	up->in = NULL;
	up->scan = (struct h1_scan){.start = 0};
	if (!was_reused) {
		up->n_failed++;
		if (!is_short)
			req_backend_failed(q, error);
	}
	if (error == -EPROTO || is_short || is_body_gone || (was_sent && !is_repeatable(q)) ||
			up->n_failed > q->x.upstream.retries)
		return fail_with(q, status, NULL);
	return try_again(q);
}

/* Whom to connect to at that address, and how much of it must be proved.  0, -ENOMEM */
static int target_of(struct upstream_target *ret, const struct req *q, const struct peer *peer)
{
	const struct service *service = q->match->route->service;
	const struct exchange_tls *wanted = &q->x.upstream.tls;

	*ret = (struct upstream_target){.peer = *peer, .is_tls = is_tls(q)};
	if (!ret->is_tls)
		return 0;
	ret->name = upstream_tls_name(q->x.upstream.host_header, q->x.upstream.host);
	ret->is_verified = service != NULL && service->rec->tls_verify == TLS_VERIFY_ON;
	if (wanted->verify != EXCHANGE_TLS_AS_CONFIGURED)
		ret->is_verified = wanted->verify == EXCHANGE_TLS_VERIFY;
	if (ret->is_verified && wanted->has_verify_depth)
		ret->depth = (uint8_t)(wanted->verify_depth + 1);
	else if (ret->is_verified && service != NULL)
		ret->depth = (uint8_t)service->rec->tls_verify_depth;
	ret->has_own_context = tls_context_is_own(wanted);
	if (!ret->has_own_context)
		return 0;
	if (service != NULL && wanted->cert_pem.p == service->tls.cert_pem.p &&
			wanted->ca_pem.p == service->tls.ca_pem.p) {
		memcpy(ret->context_id, service->tls_id, sizeof(ret->context_id));
		return 0;
	}
	return tls_context_id(ret->context_id, wanted);
}

static enum up_next open_new(struct req *q, struct upstream_target *target)
{
	struct why why = WHY_NONE;
	int r = upstream_tls_find_context(q->w->tls, target, &q->x.upstream.tls, &why);

	if (r == -EINVAL) { /* no other try mends what a plugin brought */
		log_failure(q, why.text, 0);
		note_try(q, NULL);
		note_failed_try(q, 502);
		return fail_with(q, 502, NULL);
	}
	q->up.next_peer++;
	if (r == 0)
		r = upconn_open(q->w->upstreams, target, &q->up.conn);
	note_try(q, q->up.conn);
	return r != 0 ? try_failed(q, "connect", r) : UP_AGAIN;
}

static enum up_next pick(struct req *q)
{
	struct req_upstream *up = &q->up;
	struct upstream_target target;
	enum up_next next = UP_AGAIN;
	struct peer peer;

	if (up->peers.n == 0) {
		log_failure(q, "name resolution", 0);
		return fail_with(q, 503, "name resolution failed");
	}
	peer = up->peers.peers[up->next_peer % up->peers.n];
	peer_set_port(&peer, q->x.upstream.port);
	if (target_of(&target, q, &peer) != 0)
		return fail_with(q, 500, NULL);
	up->conn = upconn_take(q->w->upstreams, &target, !is_repeatable(q));
	if (up->conn != NULL)
		note_try(q, up->conn);
	else
		next = open_new(q, &target);
	if (up->conn == NULL)
		return next;
	up->conn->req = q;
	up->state = UP_CONNECTING;
	if (!up->conn->is_connected)
		timer_set(&q->w->timers, &up->conn->timer, q->x.upstream.connect_timeout_ms);
	return UP_AGAIN;
}

/* What TLS said, where it did: that the service wants a certificate may come with the response
 * only (RFC 8446 4.4.2.4). */
static const char *said(const struct req *q, const char *what)
{
	struct tls_link *tls = q->up.conn->tls;

	return tls != NULL && tls_link_why(tls)[0] != '\0' ? tls_link_why(tls) : what;
}

static enum up_next connecting(struct req *q)
{
	int r = upconn_check_connected(q->up.conn);

	if (r == -EAGAIN)
		return UP_WAIT;
	if (r != 0)
		return try_failed(q, said(q, "connect"), r);
	q->up.state = UP_EXCHANGING;
	tracing_connected(q);
	q->x.upstream_connected_ns = q->x.upstream_start_ns;
	if (!q->up.conn->is_reused)
		q->x.upstream_connected_ns = clock_mono_ns();
	return UP_AGAIN;
}

/* What plugins set before there was a response stands beside what the service sent. */
static void keep_early_headers(struct exchange_response *r, const struct headers *early)
{
	for (uint32_t i = 0; i < early->n; i++) {
		const struct header *f = &early->v[i];
		bool is_single = f->id == HEADER_CONTENT_TYPE || f->id == HEADER_CONTENT_LENGTH ||
				 f->id == HEADER_LOCATION;

		if (!is_single || headers_find_id(&r->headers, f->id) == NULL)
			headers_add(&r->headers, f->name, f->value);
	}
}

static void reply_taken(struct req *q)
{
	struct req_upstream *up = &q->up;
	struct exchange_response *r = &q->x.response;
	const struct headers early = r->headers;

	q->x.upstream_headers_ns = clock_mono_ns();
	req_backend_answered(q);
	r->source = RESPONSE_FROM_SERVICE;
	r->status = r->service_status = up->reply.status;
	tracing_replied(q);
	h1_body_init(&up->body, up->reply.framing, up->reply.length);
	r->service_body.state = up->body.is_over ? BODY_NONE : BODY_UNREAD;
	headers_share(&r->headers, &r->service_headers);
	if (early.n != 0)
		keep_early_headers(r, &early);
}

static enum up_next exchanging(struct req *q)
{
	struct req_upstream *up = &q->up;
	int sent = req_send(q), r;

	if (sent == -EPROTO)
		return fail_body(q);
	r = req_read_reply_head(q);
	if (r == -EAGAIN) {
		if (sent != 0 && sent != -EAGAIN)
			return try_failed(q, said(q, "send"), sent);
		if (sent == 0)
			timer_set(&q->w->timers, &up->conn->timer, q->x.upstream.read_timeout_ms);
		return UP_WAIT;
	}
	if (r != 0)
		return try_failed(q, r == -EPROTO ? "malformed response" : said(q, "receive"), r);
	reply_taken(q);
	up->state = UP_READY;
	if (q->chain != NULL && !up->is_upgraded && chain_wants_response(q->chain)) {
		q->x.response.service_body.state = BODY_READING;
		up->state = UP_BUFFERING;
	}
	return UP_AGAIN;
}

/* The whole response, for plugins with a response phase. */
static enum up_next buffering(struct req *q)
{
	struct body *b = &q->x.response.service_body;
	struct str data;
	enum h1_more more;

	if (!q->up.is_request_sent)
		req_send(q);
	while ((more = req_reply_next(q, true, &data)) == H1_DATA) {
		if (q->held_reply.n + data.n > q->w->conf->client_body_buffer_size) {
			log_failure(q,
					"response for a plugin that wants it whole is larger than "
					"client_body_buffer_size",
					0);
			return fail_with(q, 502, NULL);
		}
		buf_add(&q->held_reply, data.p, data.n);
		if (q->held_reply.is_failed)
			return fail_with(q, 500, NULL);
	}
	if (more == H1_WANT)
		return UP_WAIT;
	if (more == H1_BAD) {
		log_failure(q, "truncated response", 0);
		return fail_with(q, 502, NULL);
	}
	b->state = BODY_COMPLETE;
	b->bytes = buf_str(&q->held_reply);
	req_release_upstream(q, true);
	q->up.state = UP_READY;
	return UP_AGAIN;
}

static enum up_next ready(struct req *q)
{
	(void)q;
	return UP_OVER;
}

static enum up_next resolving(struct req *q)
{
	(void)q;
	return UP_WAIT;
}

static enum up_next (*const states[])(struct req *q) = {
		[UP_START] = start,
		[UP_HOLDING] = holding,
		[UP_RESOLVING] = resolving,
		[UP_BALANCE] = balance,
		[UP_PICK] = pick,
		[UP_CONNECTING] = connecting,
		[UP_EXCHANGING] = exchanging,
		[UP_BUFFERING] = buffering,
		[UP_READY] = ready,
};

enum step_result req_step_upstream(struct req *q)
{
	enum up_next next;

	do
		next = states[q->up.state](q);
	while (next == UP_AGAIN);
	if (next == UP_WAIT && req_client_left(q))
		return STEP_GO_ON;
	return next == UP_WAIT ? STEP_WAIT : STEP_GO_ON;
}

void req_on_upstream_timeout(struct req *q)
{
	struct upconn *u = q->up.conn;

	if (u == NULL)
		return;
	if (q->is_tunnel) {
		log_info("upgraded connection idle", "id=%s", q->x.request.id);
		req_release_upstream(q, false);
		req_drive(q);
		return;
	}
	if (q->up.state == UP_EXCHANGING && !q->up.is_request_sent && out_is_empty(&q->up.out)) {
		/* it is the client that keeps us waiting, and it has its own timeout */
		timer_set(&q->w->timers, &u->timer, q->x.upstream.read_timeout_ms);
		return;
	}
	if (q->up.state == UP_READY && !out_is_empty(&q->out)) {
		timer_set(&q->w->timers, &u->timer, q->x.upstream.read_timeout_ms);
		return;
	}
	if (q->up.state == UP_CONNECTING || q->up.state == UP_EXCHANGING) {
		if (try_failed(q, "timeout", -ETIMEDOUT) == UP_OVER)
			q->at++;
	} else if (q->up.state == UP_BUFFERING) {
		fail_with(q, 504, NULL);
		q->at++;
	} else {
		log_failure(q, "timeout in response", ETIMEDOUT);
		req_release_upstream(q, false);
	}
	req_drive(q);
}
