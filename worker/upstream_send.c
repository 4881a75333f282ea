/* SPDX-License-Identifier: Apache-2.0
 *
 * The request on its way to the service: head, then the body from memory or as the client
 * sends it.
 */
#include <errno.h>

#include "worker/req.h"
#include "worker/worker.h"

static void add_piece(struct req *q, struct str data)
{
	if (q->up.is_body_chunked)
		out_add_chunk(&q->up.out, data);
	else
		out_add(&q->up.out, data);
}

static void body_is_sent(struct req *q)
{
	if (q->up.is_body_chunked)
		out_add_chunk_end(&q->up.out);
	q->up.is_request_sent = true;
}

/* Queues what is at hand; the first piece may be read from the client, those behind it are
 * in the same buffer.  0, -EAGAIN = the client has sent no more, -EPROTO = broken body. */
static int fill(struct req *q)
{
	struct out *out = &q->up.out;
	bool may_read = out_is_empty(out);
	struct str data;

	while (out_has_chunk_room(out)) {
		switch (req_body_next(q, may_read, &data)) {
		case H1_DATA:
			add_piece(q, data);
			may_read = false;
			break;
		case H1_WANT:
			return out_is_empty(out) ? -EAGAIN : 0;
		case H1_END:
			body_is_sent(q);
			return 0;
		case H1_BAD:
			return -EPROTO;
		}
	}
	return 0;
}

static void start(struct req *q)
{
	out_add(&q->up.out, q->up.head);
	q->up.is_started = true;
	if (q->up.is_body_streamed) {
		add_piece(q, buf_str(&q->held_body));
		return;
	}
	out_add(&q->up.out, q->x.request.body.bytes);
	q->up.is_request_sent = true;
}

int req_send(struct req *q)
{
	struct upconn *u = q->up.conn;
	int r;

	if (u == NULL)
		return 0;
	if (!q->up.is_started)
		start(q);
	for (;;) {
		if (!q->up.is_request_sent && out_is_empty(&q->up.out)) {
			r = fill(q);
			if (r != 0)
				return r;
		} else if (!q->up.is_request_sent && q->up.out.sent == 0 &&
				out_has_chunk_room(&q->up.out)) {
			/* with the head goes the body that came with it */
			r = fill(q);
			if (r == -EPROTO)
				return r;
		}
		r = out_flush(&q->up.out, &u->io);
		if (r == -EAGAIN)
			timer_set(&q->w->timers, &u->timer, q->x.upstream.write_timeout_ms);
		if (r != 0 || q->up.is_request_sent)
			return r;
	}
}
