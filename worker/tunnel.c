/* SPDX-License-Identifier: Apache-2.0
 *
 * After a 101 (RFC 9110 7.8): bytes both ways, unread, until both sides have ended.  Each
 * direction holds one buffer: who does not read is not read for.
 */
#include <errno.h>

#include "base/log.h"
#include "worker/req.h"
#include "worker/worker.h"

#define TURN 32 /* steps of one direction before others get the loop */

/* Protocols that would carry requests past the gateway's eyes: HTTP again, or TLS around it. */
static bool hides_requests(struct str value)
{
	static const struct str refused[] = {{"h2c", 3}, {"http", 4}, {"tls", 3}};

	for (size_t at = 0; at < value.n; at++) {
		struct str rest = str_from(value, at);
		bool starts_word = at == 0 || value.p[at - 1] == ',' || value.p[at - 1] == ' ' ||
				   value.p[at - 1] == '\t';

		for (size_t i = 0; starts_word && i < sizeof(refused) / sizeof(refused[0]); i++)
			if (rest.n >= refused[i].n &&
					str_ieq(str_head(rest, refused[i].n), refused[i]))
				return true;
	}
	return false;
}

struct str req_upgrade_wanted(const struct req *q)
{
	const struct headers *headers = &q->x.request.headers;
	const struct header *h = headers_find_id(headers, HEADER_UPGRADE);

	if (!q->head.is_upgrade || h == NULL || headers_next(headers, h) != NULL ||
			hides_requests(h->value))
		return STR_NONE;
	return h->value;
}

/* The service may only switch to what was offered, once it has the whole request. */
bool req_upgrade_is_due(const struct req *q)
{
	const struct req_upstream *up = &q->up;
	const struct headers *headers = &q->x.response.service_headers;
	const struct header *h = headers_find_id(headers, HEADER_UPGRADE);

	return up->upgrade.n != 0 && up->reply.is_upgrade && up->is_request_sent &&
	       out_is_empty(&up->out) && q->body.is_over && h != NULL &&
	       headers_next(headers, h) == NULL && headers_list_has(up->upgrade, h->value);
}

void req_tunnel_start(struct req *q)
{
	const struct iobuf *from_client = q->body_in != NULL ? q->body_in : q->conn->in;

	q->is_tunnel = true;
	q->tunnel.up.first = iobuf_unread(from_client);
	q->tunnel.down.first = iobuf_unread(q->up.more != NULL ? q->up.more : q->up.in);
	stat_add(&q->w->stat->upgrades_total, 1);
	stat_add(&q->w->stat->tunnels_active, 1);
}

void req_tunnel_free(struct req *q)
{
	if (!q->is_tunnel)
		return;
	iobuf_put(q->tunnel.up.held);
	iobuf_put(q->tunnel.down.held);
	stat_sub(&q->w->stat->tunnels_active, 1);
}

static struct str pending(const struct tunnel_half *h)
{
	if (h->first.n != 0)
		return h->first;
	return h->held != NULL ? iobuf_unread(h->held) : STR_NONE;
}

/* > 0 bytes went on, 0 = the end, now passed on; -EAGAIN, -errno */
static ssize_t give(struct tunnel_half *h, struct str data, struct io *to)
{
	struct iovec v = {.iov_base = (char *)(uintptr_t)data.p, .iov_len = data.n};
	ssize_t n = io_write(to, &v, 1);

	if (n <= 0)
		return n == 0 ? -EPIPE : n;
	h->bytes += (uint64_t)n;
	if (h->first.n != 0)
		h->first = str_from(h->first, (size_t)n);
	else
		h->held->at += (size_t)n;
	return n;
}

static ssize_t take(struct tunnel_half *h, struct io *from, struct io *to)
{
	ssize_t n;

	if (h->is_over)
		return -EAGAIN;
	if (h->held == NULL)
		h->held = iobuf_get(IOBUF_BYTES);
	if (h->held == NULL)
		return -ENOMEM;
	h->held->at = h->held->n = 0;
	n = io_read(from, h->held->p, h->held->cap);
	if (n > 0)
		h->held->n = (size_t)n;
	if (n == 0) {
		io_end(to);
		h->is_over = true;
	}
	return n;
}

/* 0 = as far as it goes, 1 = there may be more, -errno.  *moved: something happened. */
static int pump(struct tunnel_half *h, struct io *from, struct io *to, bool *moved)
{
	for (int i = 0; i < TURN; i++) {
		struct str data = pending(h);
		ssize_t n = data.n != 0 ? give(h, data, to) : take(h, from, to);

		if (n == -EAGAIN)
			return 0;
		if (n < 0)
			return (int)n;
		*moved = true;
	}
	return 1;
}

static void tunnel_end(struct req *q)
{
	q->body_sent += q->tunnel.down.bytes;
	q->x.request.bytes += q->tunnel.up.bytes;
	stat_add(&q->w->stat->bytes_in, q->tunnel.up.bytes);
	stat_add(&q->w->stat->bytes_out, q->tunnel.down.bytes);
	req_release_upstream(q, false);
}

enum step_result req_tunnel_run(struct req *q)
{
	struct req_tunnel *t = &q->tunnel;
	struct io *client = &q->conn->io;
	bool moved = false;
	int up, down;

	if (q->up.conn == NULL) {
		tunnel_end(q);
		return STEP_GO_ON;
	}
	up = pump(&t->up, client, &q->up.conn->io, &moved);
	down = pump(&t->down, &q->up.conn->io, client, &moved);
	if (up < 0 || down < 0 || (t->up.is_over && t->down.is_over)) {
		q->is_aborted = up < 0 || down < 0;
		tunnel_end(q);
		return STEP_GO_ON;
	}
	if (moved || !t->has_timer)
		timer_set(&q->w->timers, &q->up.conn->timer, q->x.upstream.read_timeout_ms);
	t->has_timer = true;
	if (up > 0 || down > 0)
		event_active(&client->event, EV_TIMEOUT, 0);
	return STEP_WAIT;
}
