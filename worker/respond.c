/* SPDX-License-Identifier: Apache-2.0
 *
 * The response on its way to the client: from memory (an answer of ours, a held response)
 * or as the service sends it, through the plugins' filters.
 */
#include <errno.h>

#include "base/log.h"
#include "worker/req.h"
#include "worker/worker.h"

#define JOIN_MAX_BYTES 2048

static bool may_have_body(const struct req *q)
{
	int status = q->x.response.status;

	return !str_eq(q->x.request.method, STR("HEAD")) && status != 204 && status != 304;
}

static void take_answer(struct req *q)
{
	struct exchange_response *r = &q->x.response;

	req_release_upstream(q, false);
	r->status = q->x.answer.status;
	headers_share(&r->headers, &q->x.answer.headers);
	headers_init(&r->service_headers, q->arena);
	q->memory_body = q->x.answer.body;
	q->is_streamed = false;
}

static void take_response(struct req *q)
{
	const struct body *b = &q->x.response.service_body;

	if (q->x.answer.is_set) {
		take_answer(q);
	} else if (b->state == BODY_COMPLETE || b->is_replaced) {
		q->memory_body = b->bytes;
		q->is_streamed = false;
	} else {
		q->is_streamed = true;
	}
}

/* True when the client's connection can carry another request after this one. */
static bool can_stay(struct req *q)
{
	if (!q->keep_alive || (worker_is_leaving(q->w) && !conn_has_more(q->conn)))
		return false;
	if (q->up.is_body_streamed && q->up.conn != NULL)
		return q->body.is_over;
	return req_body_discard(q);
}

static bool queue_head(struct req *q, bool has_length, uint64_t length)
{
	struct str head = req_reply_head(q, has_length, length);

	if (head.n == 0) {
		q->is_aborted = true;
		return false;
	}
	out_add(&q->out, head);
	return true;
}

static void filter(struct req *q, struct str data, bool is_last)
{
	q->x.chunk = data;
	q->x.chunk_is_last = is_last;
	chain_body_filter(q->chain);
}

static void queue_memory(struct req *q)
{
	struct str body = q->memory_body;
	int status = q->x.response.status;

	if (q->has_body_filter) {
		filter(q, body, true);
		body = q->x.chunk;
	}
	q->is_end_queued = true;
	if (!queue_head(q, status != 204 && status != 304, body.n) || !may_have_body(q))
		return;
	out_add(&q->out, body);
	q->body_sent = body.n;
}

/* Framing of a streamed response (RFC 9112 6.3): its length where nobody changes it. */
static void queue_stream_head(struct req *q)
{
	const struct h1_head *reply = &q->up.reply;
	bool has_length = reply->framing == H1_LENGTH && !q->has_body_filter;
	uint64_t length = reply->length;

	if (!may_have_body(q) || reply->framing == H1_NO_BODY) {
		struct str said = headers_get_id(&q->x.response.headers, HEADER_CONTENT_LENGTH);

		q->is_end_queued = true;
		has_length = reply->status != 204 && !q->has_body_filter &&
			     str_to_u64(said, &length);
		if (reply->framing == H1_NO_BODY)
			req_release_upstream(q, true);
	} else if (!has_length) {
		q->is_reply_chunked = q->head.minor == 1;
		q->keep_alive &= q->is_reply_chunked;
	}
	queue_head(q, has_length, length);
}

/* The service's 101; unless a plugin answered or chose another status: then the service's
 * connection is of no use, and there is no body. */
static void queue_upgrade(struct req *q)
{
	q->keep_alive = false;
	q->is_end_queued = true;
	if (queue_head(q, false, 0))
		req_tunnel_start(q);
}

/* A small body leaves behind its head from one place: the kernel takes one slice faster than
 * two. */
static void join_small(struct req *q)
{
	struct iovec *v = q->out.v;
	size_t n = v[0].iov_len;
	char *p;

	if (q->out.n != 2 || v[1].iov_len > JOIN_MAX_BYTES)
		return;
	p = arena_grow(q->arena, v[0].iov_base, n, n + v[1].iov_len);
	if (p == NULL)
		return;
	memcpy(p + n, v[1].iov_base, v[1].iov_len);
	v[0] = (struct iovec){p, n + v[1].iov_len};
	q->out.n = 1;
}

static void prepare(struct req *q)
{
	struct exchange_response *r = &q->x.response;

	q->is_head_made = true;
	take_response(q);
	if (q->chain != NULL && !q->is_refused) {
		if (chain_header_filter(q->chain) == CHAIN_ANSWER)
			take_answer(q);
		q->has_body_filter = chain_wants_body_filter(q->chain);
	}
	if (r->status == 101 && q->up.is_upgraded && q->up.conn != NULL) {
		r->is_sent = true;
		queue_upgrade(q);
		return;
	}
	if (q->up.is_upgraded && q->is_streamed) {
		req_release_upstream(q, false);
		q->is_streamed = false;
	}
	if (r->status < 200 || r->status > 599)
		r->status = 500;
	r->is_sent = true;
	q->keep_alive = can_stay(q);
	if (q->is_streamed)
		queue_stream_head(q);
	else
		queue_memory(q);
}

static void add_piece(struct req *q, struct str data)
{
	q->body_sent += data.n;
	if (q->is_reply_chunked)
		out_add_chunk(&q->out, data);
	else
		out_add(&q->out, data);
}

/* The body is whole: the peer is free for others before our last byte has left. */
static void end_body(struct req *q)
{
	if (q->is_reply_chunked)
		out_add_chunk_end(&q->out);
	q->is_end_queued = true;
	req_release_upstream(q, true);
}

/* Pieces through the plugins, gathered. */
static enum h1_more gather_filtered(struct req *q, bool may_read)
{
	enum h1_more more;
	struct str data;

	buf_clear(&q->filtered);
	do {
		bool is_last;

		more = req_reply_next(q, may_read && q->filtered.n == 0, &data);
		if (more != H1_DATA && more != H1_END)
			break;
		is_last = q->up.body.is_over;
		filter(q, data, is_last);
		buf_add_str(&q->filtered, q->x.chunk);
		if (is_last || q->x.chunk_is_last)
			more = H1_END;
	} while (more == H1_DATA);
	if (q->filtered.is_failed)
		return H1_BAD;
	add_piece(q, buf_str(&q->filtered));
	return more;
}

static enum h1_more gather(struct req *q, bool may_read)
{
	enum h1_more more = H1_DATA;
	struct str data;

	while (more == H1_DATA && out_has_chunk_room(&q->out)) {
		more = req_reply_next(q, may_read, &data);
		may_read = false;
		if (more == H1_DATA)
			add_piece(q, data);
	}
	return more;
}

/* Queues more of the body.  False: nothing to send now. */
static bool queue_more(struct req *q, bool may_read)
{
	enum h1_more more = q->has_body_filter ? gather_filtered(q, may_read) : gather(q, may_read);

	if (more == H1_END)
		end_body(q);
	if (more != H1_BAD)
		return !out_is_empty(&q->out) || q->is_end_queued;
	log_warn("upstream broke off its response", "id=%s", q->x.request.id);
	stat_add(&q->w->stat->upstream_errors, 1);
	req_release_upstream(q, false);
	q->is_aborted = true;
	return true;
}

/* The request's body may still be on its way while the response comes back. */
static void upload(struct req *q)
{
	int r;

	if (q->up.conn == NULL || q->up.is_request_sent)
		return;
	r = req_send(q);
	if (r != 0 && r != -EAGAIN)
		q->up.is_request_sent = q->is_body_bad = true;
}

enum step_result req_step_respond(struct req *q)
{
	struct conn *c = q->conn;

	if (q->is_aborted)
		return STEP_GO_ON;
	upload(q);
	if (!q->is_head_made) {
		prepare(q);
		if (!q->is_end_queued && !q->is_aborted)
			queue_more(q, false);
		join_small(q);
	}
	while (!q->is_aborted) {
		int r = out_flush(&q->out, &c->io);

		if (r == -EAGAIN) {
			timer_set(&q->w->timers, &c->timer, q->w->conf->send_timeout_ms);
			return STEP_WAIT;
		}
		if (r != 0)
			q->is_client_gone = q->is_aborted = true;
		else if (q->is_end_queued)
			break;
		else if (!queue_more(q, true) && !req_client_left(q))
			return STEP_WAIT;
	}
	return q->is_tunnel && !q->is_aborted ? req_tunnel_run(q) : STEP_GO_ON;
}
