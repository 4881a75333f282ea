/* SPDX-License-Identifier: Apache-2.0
 *
 * The request's body, from the client.
 */
#include <errno.h>

#include "worker/req.h"
#include "worker/worker.h"

/* What the body is read from now: behind the head first, its own buffer then. */
static struct iobuf *source(const struct req *q)
{
	return q->body_in != NULL ? q->body_in : q->conn->in;
}

static void continue_send(struct req *q)
{
	static const struct str text = {"HTTP/1.1 100 Continue\r\n\r\n", 25};
	struct iovec v = {.iov_base = (char *)(uintptr_t)text.p, .iov_len = text.n};

	if (q->is_continue_sent || !q->head.expects_continue)
		return;
	/* 25 bytes on a socket that nothing was written to yet: they fit */
	q->is_continue_sent = true;
	if (iobuf_unread(source(q)).n == 0 && q->out.sent == 0)
		io_write(&q->conn->io, &v, 1);
}

/* One read into the body's own buffer.  H1_DATA = there is something. */
static enum h1_more refill(struct req *q)
{
	struct conn *c = q->conn;
	ssize_t n;

	continue_send(q);
	if (q->body_in == NULL)
		q->body_in = iobuf_get(IOBUF_BYTES);
	if (q->body_in == NULL)
		return H1_BAD;
	q->body_in->at = q->body_in->n = 0;
	n = io_read(&c->io, q->body_in->p, q->body_in->cap);
	if (n == -EAGAIN) {
		timer_set(&q->w->timers, &c->timer, q->w->conf->client_body_timeout_ms);
		return H1_WANT;
	}
	if (n <= 0) {
		q->is_client_gone = true;
		return H1_BAD;
	}
	q->body_in->n = (size_t)n;
	stat_add(&q->w->stat->bytes_in, (uint64_t)n);
	q->x.request.bytes += (uint64_t)n;
	return H1_DATA;
}

static bool is_over_limit(const struct req *q)
{
	uint64_t max = q->w->conf->client_max_body_size;

	return max != 0 && q->body_bytes > max;
}

enum h1_more req_body_next(struct req *q, bool may_read, struct str *ret)
{
	q->is_body_touched = true;
	for (;;) {
		struct iobuf *b = source(q);
		struct str in = iobuf_unread(b);
		enum h1_more more = h1_body_next(&q->body, &in, ret);

		b->at = b->n - in.n;
		q->body_bytes += ret->n;
		if (more == H1_BAD || is_over_limit(q)) {
			q->is_body_bad = true;
			return H1_BAD;
		}
		if (more != H1_WANT || !may_read)
			return more;
		more = refill(q);
		if (more != H1_DATA)
			return more;
	}
}

static enum step_result body_settled(struct req *q, enum body_state state)
{
	q->x.request.body.state = state;
	if (state == BODY_COMPLETE)
		q->x.request.body.bytes = buf_str(&q->held_body);
	return STEP_GO_ON;
}

enum step_result req_body_hold(struct req *q)
{
	struct str data;

	for (;;) {
		switch (req_body_next(q, true, &data)) {
		case H1_DATA:
			buf_add(&q->held_body, data.p, data.n);
			if (q->held_body.is_failed)
				return body_settled(q, BODY_FAILED);
			/* what is held goes ahead of the rest when it is streamed */
			if (q->held_body.n > q->held_max)
				return body_settled(q, BODY_TOO_BIG);
			break;
		case H1_WANT:
			return STEP_WAIT;
		case H1_END:
			return body_settled(q, BODY_COMPLETE);
		case H1_BAD:
			return body_settled(q, BODY_FAILED);
		}
	}
}

void req_want_body(struct exchange *x, size_t max_bytes)
{
	struct req *q = x->host;
	uint64_t limit = q->w->conf->client_body_buffer_size;

	q->held_max = max_bytes != 0 && max_bytes < limit ? max_bytes : (size_t)limit;
	x->request.body.state = BODY_READING;
	if (q->head.framing == H1_LENGTH && q->head.length > q->held_max)
		x->request.body.state = BODY_TOO_BIG;
	q->is_resumable = x->request.body.state != BODY_READING;
	q->is_woken = true;
}

bool req_body_discard(struct req *q)
{
	struct str data;
	enum h1_more more;

	if (q->body.is_over)
		return true;
	if (q->is_body_bad || q->is_client_gone)
		return false;
	do
		more = req_body_next(q, false, &data);
	while (more == H1_DATA);
	return more == H1_END;
}

struct str req_body_leftover(const struct req *q)
{
	return q->body_in != NULL ? iobuf_unread(q->body_in) : STR_NONE;
}
