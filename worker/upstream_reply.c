/* SPDX-License-Identifier: Apache-2.0
 *
 * The service's response: its head, then its body piece by piece.
 */
#include <errno.h>

#include "worker/req.h"
#include "worker/worker.h"

static const struct h1_limits reply_limits = {8192, 65536, 500};

/* Reads behind what is there.  > 0, 0 = end of stream, -EAGAIN, -errno */
static ssize_t read_more(struct req *q)
{
	struct req_upstream *up = &q->up;
	struct iobuf *b;
	ssize_t n;

	if (up->in == NULL)
		up->in = iobuf_get(IOBUF_BYTES);
	if (up->in == NULL)
		return -ENOMEM;
	if (up->in->n == up->in->cap) {
		b = iobuf_grow(up->in, up->in->cap * 2);
		if (b == NULL)
			return -ENOMEM;
		up->in = b;
	}
	n = io_read(&up->conn->io, up->in->p + up->in->n, up->in->cap - up->in->n);
	if (n > 0)
		up->in->n += (size_t)n;
	return n;
}

/* 1 = an interim response was skipped, 0 = the final head is in, -EPROTO. */
static int take_head(struct req *q, size_t n)
{
	struct req_upstream *up = &q->up;
	struct str head = {up->in->p + up->in->at, n};
	struct headers *h = &q->x.response.service_headers;

	headers_init(h, q->arena);
	if (h1_parse_response(&up->reply, head, q->x.upstream.method, h) != 0)
		return -EPROTO;
	up->in->at += n;
	if (up->reply.status == 101) {
		up->is_upgraded = req_upgrade_is_due(q);
		return up->is_upgraded ? 0 : -EPROTO;
	}
	if (up->reply.status >= 200)
		return 0;
	up->scan = (struct h1_scan){.is_response = true};
	return 1;
}

int req_read_reply_head(struct req *q)
{
	struct req_upstream *up = &q->up;
	ssize_t n;

	for (;;) {
		struct str unread = up->in != NULL ? iobuf_unread(up->in) : STR_NONE;
		ptrdiff_t end = 0;

		up->scan.is_response = true;
		if (unread.n != 0)
			end = h1_scan(&up->scan, &reply_limits, unread.p, unread.n);
		if (end < 0)
			return -EPROTO;
		if (end > 0) {
			int r = take_head(q, (size_t)end);

			if (r <= 0)
				return r;
			continue;
		}
		n = read_more(q);
		if (n == 0)
			return unread.n != 0 ? -EPROTO : -ECONNRESET;
		if (n < 0)
			return (int)n;
	}
}

static struct iobuf *source(const struct req *q)
{
	return q->up.more != NULL ? q->up.more : q->up.in;
}

/* H1_DATA = there is something, H1_WANT, H1_END = that was the end, H1_BAD. */
static enum h1_more refill(struct req *q)
{
	struct req_upstream *up = &q->up;
	ssize_t n;

	if (up->conn == NULL)
		return H1_BAD;
	if (up->more == NULL)
		up->more = iobuf_get(IOBUF_BYTES);
	if (up->more == NULL)
		return H1_BAD;
	up->more->at = up->more->n = 0;
	n = io_read(&up->conn->io, up->more->p, up->more->cap);
	if (n == -EAGAIN) {
		timer_set(&q->w->timers, &up->conn->timer, q->x.upstream.read_timeout_ms);
		return H1_WANT;
	}
	if (n == 0) {
		up->is_eof = true;
		return h1_body_eof(&up->body) ? H1_END : H1_BAD;
	}
	if (n < 0)
		return H1_BAD;
	up->more->n = (size_t)n;
	return H1_DATA;
}

enum h1_more req_reply_next(struct req *q, bool may_read, struct str *ret)
{
	for (;;) {
		struct iobuf *b = source(q);
		struct str in = iobuf_unread(b);
		enum h1_more more = h1_body_next(&q->up.body, &in, ret);

		b->at = b->n - in.n;
		if (more != H1_WANT || !may_read)
			return more;
		more = refill(q);
		if (more != H1_DATA)
			return more;
	}
}

void req_release_upstream(struct req *q, bool may_keep)
{
	struct req_upstream *up = &q->up;
	struct upconn *u = up->conn;

	if (u == NULL)
		return;
	tracing_upstream_over(q);
	up->conn = NULL;
	u->req = NULL;
	if (may_keep && !up->is_upgraded && up->is_request_sent && out_is_empty(&up->out) &&
			up->body.is_over && up->reply.keep_alive && !up->is_eof &&
			source(q) != NULL && iobuf_unread(source(q)).n == 0)
		upconn_keep(u);
	else
		upconn_close(u);
}
