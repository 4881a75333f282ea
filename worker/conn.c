/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/conn.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "worker/client_tls.h"
#include "worker/req.h"
#include "worker/worker.h"

#define LINGER_MS 2000
/* While draining: to the next request of a connection. */
#define IDLE_DRAIN_MS 1000
#define LINGER_BYTES_MAX (1024 * 1024)
/* Requests served from one connection's buffer before others get a turn. */
#define PIPELINE_TURN 16

static void conn_run(struct conn *c);

static void on_ready(void *arg)
{
	struct conn *c = arg;

	sl_check(c, CONN_MAGIC);
	conn_run(c);
}

static void refuse(struct conn *c, int status)
{
	const char *message = NULL;

	if (c->is_plain_on_tls && status != 408) {
		status = 400;
		message = "The plain HTTP request was sent to HTTPS port";
	}
	stat_add(&c->w->stat->requests_refused, 1);
	c->state = CONN_BUSY;
	req_refuse(c, status, message);
}

static void on_timeout(void *arg)
{
	struct conn *c = arg;

	sl_check(c, CONN_MAGIC);
	if (c->state == CONN_BUSY)
		req_on_client_timeout(c->req);
	else if (c->state == CONN_HEAD)
		refuse(c, 408);
	else if (c->state == CONN_IDLE && worker_is_leaving(c->w) && conn_has_more(c))
		timer_set(&c->w->timers, &c->timer, IDLE_DRAIN_MS); /* it came just now */
	else
		conn_close(c);
}

static void unlink_conn(struct conn *c)
{
	*c->back = c->next;
	if (c->next != NULL)
		c->next->back = c->back;
}

void conn_close(struct conn *c)
{
	struct worker *w = c->w;

	sl_check(c, CONN_MAGIC);
	if (c->state == CONN_IDLE)
		stat_sub(&w->stat->connections_waiting, 1);
	c->state = CONN_DEAD;
	timer_clear(&c->timer);
	if (c->tls != NULL)
		client_tls_close(c->tls);
	c->tls = NULL;
	io_close(&c->io);
	iobuf_put(c->in);
	c->in = NULL;
	unlink_conn(c);
	c->next = w->dead_conns;
	w->dead_conns = c;
	w->n_conns--;
	stat_set(&w->stat->connections_active, w->n_conns);
	atomic_store_explicit(&w->me->active, w->n_conns, memory_order_relaxed);
	board_slot_settle(w->me);
}

void conn_bury(struct worker *w)
{
	while (w->dead_conns != NULL) {
		struct conn *c = w->dead_conns;

		w->dead_conns = c->next;
		c->magic = 0;
		free(c);
	}
}

enum conn_presence conn_presence(const struct conn *c)
{
	ssize_t n;
	char byte;

	if (c->in != NULL && iobuf_unread(c->in).n != 0)
		return CONN_THERE;
	if (c->tls != NULL) {
		int there = client_tls_peek(c->tls);

		if (there == 0)
			return CONN_HALF_CLOSED;
		return there < 0 && there != -EAGAIN ? CONN_GONE : CONN_THERE;
	}
	n = recv(c->io.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
	if (n == 0)
		return CONN_HALF_CLOSED;
	return n < 0 && errno != EAGAIN && errno != EINTR ? CONN_GONE : CONN_THERE;
}

bool conn_has_more(const struct conn *c)
{
	char byte;

	if (c->in != NULL && iobuf_unread(c->in).n != 0)
		return true;
	return c->tls == NULL && recv(c->io.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

void conn_close_idle(struct worker *w)
{
	for (struct conn *c = w->conns; c != NULL; c = c->next) {
		if (c->state == CONN_IDLE || c->state == CONN_HANDSHAKE)
			timer_set(&w->timers, &c->timer, IDLE_DRAIN_MS);
	}
}

void conn_close_kept(struct worker *w)
{
	for (struct conn *c = w->conns; c != NULL; c = c->next) {
		if (c->state == CONN_IDLE && c->n_requests != 0)
			timer_set(&w->timers, &c->timer, IDLE_DRAIN_MS);
	}
}

/* A closing worker still takes connections, and their first request may take its time. */
static uint32_t idle_ms(const struct conn *c)
{
	bool is_short = c->w->is_draining || (c->w->is_closing && c->n_requests != 0);

	return is_short ? IDLE_DRAIN_MS : c->w->conf->keepalive_timeout_ms;
}

static void enter_idle(struct conn *c)
{
	if (c->in != NULL && iobuf_unread(c->in).n == 0) {
		iobuf_put(c->in);
		c->in = NULL;
	}
	c->state = CONN_IDLE;
	stat_add(&c->w->stat->connections_waiting, 1);
	timer_set(&c->w->timers, &c->timer, idle_ms(c));
}

static void enter_head(struct conn *c)
{
	stat_sub(&c->w->stat->connections_waiting, 1);
	c->state = CONN_HEAD;
	timer_set(&c->w->timers, &c->timer, c->w->conf->client_header_timeout_ms);
}

static void server_address_read(struct conn *c, uint16_t server_port)
{
	struct sockaddr_storage at;
	socklen_t n = sizeof(at);
	struct peer peer = {.len = 0};

	c->server_port = server_port;
	if (getsockname(c->io.fd, (struct sockaddr *)&at, &n) != 0 || n > sizeof(peer.at))
		return;
	memcpy(&peer.at, &at, n);
	c->server_ip_n = (uint8_t)peer_text(&peer, c->server_ip, sizeof(c->server_ip));
}

void conn_accepted(struct worker *w, int fd, const struct sockaddr_storage *address,
		uint16_t server_port, bool is_tls)
{
	const int one = 1;
	struct peer peer = {.len = 0};
	struct conn *c = calloc(1, sizeof(*c));

	if (c == NULL) {
		close(fd);
		return;
	}
	c->magic = CONN_MAGIC;
	c->w = w;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (io_open(&c->io, w->base, fd, on_ready, c) != 0) {
		free(c);
		return;
	}
	c->io.is_writable = true;
	memcpy(&peer.at, address, sizeof(peer.at));
	c->client_ip_n = (uint8_t)peer_text(&peer, c->client_ip, sizeof(c->client_ip));
	c->client_port = peer_port(&peer);
	server_address_read(c, server_port);
	timer_init(&c->timer, on_timeout, c);
	c->next = w->conns;
	c->back = &w->conns;
	if (c->next != NULL)
		c->next->back = &c->next;
	w->conns = c;
	w->n_conns++;
	stat_set(&w->stat->connections_active, w->n_conns);
	atomic_store_explicit(&w->me->active, w->n_conns, memory_order_relaxed);
	if (!is_tls) {
		enter_idle(c);
		return;
	}
	c->state = CONN_HANDSHAKE;
	timer_set(&w->timers, &c->timer, w->conf->client_header_timeout_ms);
}

/* Room for more of a head: bounded by the limits, which the scan enforces. */
static bool make_room(struct conn *c)
{
	const struct h1_limits *l = &c->w->request_limits;
	struct iobuf *b;

	if (c->in == NULL)
		return (c->in = iobuf_get(IOBUF_BYTES)) != NULL;
	if (c->in->at != 0 && c->in->n == c->in->cap) {
		c->in->n -= c->in->at;
		memmove(c->in->p, c->in->p + c->in->at, c->in->n);
		c->in->at = 0;
	}
	if (c->in->n < c->in->cap)
		return true;
	if (c->in->cap > l->line_max + l->head_max + 64)
		return false;
	b = iobuf_grow(c->in, c->in->cap * 2);
	if (b != NULL)
		c->in = b;
	return b != NULL;
}

/* One read.  False: nothing more now (or the connection is gone). */
static bool read_some(struct conn *c)
{
	ssize_t n;

	if (!c->io.is_readable)
		return false;
	if (!make_room(c)) {
		conn_close(c);
		return false;
	}
	n = io_read(&c->io, c->in->p + c->in->n, c->in->cap - c->in->n);
	if (n > 0) {
		c->in->n += (size_t)n;
		stat_add(&c->w->stat->bytes_in, (uint64_t)n);
		return true;
	}
	if (n != -EAGAIN)
		conn_close(c);
	else if (c->state == CONN_IDLE && iobuf_unread(c->in).n == 0) {
		iobuf_put(c->in);
		c->in = NULL;
	}
	return false;
}

/* Looks for a head in what is there.  True: a request was started (or refused). */
static bool start_request(struct conn *c)
{
	struct str unread = c->in != NULL ? iobuf_unread(c->in) : STR_NONE;
	ptrdiff_t n;

	if (unread.n == 0)
		return false;
	if (c->state == CONN_IDLE)
		enter_head(c);
	n = h1_scan(&c->scan, &c->w->request_limits, unread.p, unread.n);
	if (n == H1_INCOMPLETE)
		return false;
	if (n < 0 || c->is_plain_on_tls) {
		refuse(c, (int)-n);
		return true;
	}
	c->in->at += (size_t)n;
	c->n_requests++;
	c->state = CONN_BUSY;
	unread = (struct str){unread.p + c->scan.start, (size_t)n - c->scan.start};
	c->scan = (struct h1_scan){.start = 0};
	req_start(c, unread);
	return true;
}

static void linger_run(struct conn *c)
{
	char sink[4096];
	ssize_t n;

	while ((n = io_read(&c->io, sink, sizeof(sink))) > 0) {
		c->lingered_bytes += (uint64_t)n;
		if (c->lingered_bytes > LINGER_BYTES_MAX)
			break;
	}
	if (n != -EAGAIN)
		conn_close(c);
}

/* What the client speaks.  False: nothing more now (or the connection is gone). */
static bool look(struct conn *c)
{
	switch (client_tls_look(&c->io)) {
	case CLIENT_TLS_HELLO:
		if (client_tls_open(&c->tls, c) == 0)
			return true;
		break;
	case CLIENT_TLS_PLAIN:
		c->is_plain_on_tls = true;
		enter_idle(c);
		return true;
	case CLIENT_TLS_NOTHING:
		return false;
	case CLIENT_TLS_GONE:
		break;
	}
	conn_close(c);
	return false;
}

static bool handshake(struct conn *c)
{
	int r;

	if (c->tls == NULL && (!look(c) || c->is_plain_on_tls))
		return c->is_plain_on_tls;
	r = client_tls_handshake(c->tls);
	if (r == 0)
		enter_idle(c);
	else if (r != -EAGAIN)
		conn_close(c);
	return r == 0;
}

static void conn_run(struct conn *c)
{
	for (int turn = 0; turn < PIPELINE_TURN;) {
		if (c->state == CONN_DEAD)
			return;
		if (c->state == CONN_LINGER) {
			linger_run(c);
			return;
		}
		if (c->state == CONN_HANDSHAKE) {
			if (!handshake(c))
				return;
			continue;
		}
		if (c->state == CONN_BUSY) {
			req_drive(c->req);
			if (c->state == CONN_BUSY)
				return;
			turn++;
			continue;
		}
		if (!start_request(c) && !read_some(c))
			return;
	}
	event_active(&c->io.event, EV_TIMEOUT, 0);
}

/* RFC 9112 9.6: so that the answer is not lost to a reset, shut our side and drain. */
static void enter_linger(struct conn *c)
{
	io_end(&c->io);
	c->state = CONN_LINGER;
	c->req = NULL;
	timer_set(&c->w->timers, &c->timer, LINGER_MS);
	if (c->io.is_readable)
		linger_run(c);
}

void conn_request_done(struct conn *c, bool keep, struct str leftover)
{
	c->req = NULL;
	if (c->state == CONN_DEAD)
		return;
	if (!keep) {
		enter_linger(c);
		return;
	}
	if (leftover.n != 0) {
		/* it came behind the body, so c->in has been read to its end */
		sl_assert(leftover.n <= c->in->cap);
		memcpy(c->in->p, leftover.p, leftover.n);
		c->in->n = leftover.n;
		c->in->at = 0;
	}
	enter_idle(c);
	/* the next request may be here already, and no edge will tell */
	if (c->in != NULL || c->io.is_readable)
		event_active(&c->io.event, EV_TIMEOUT, 0);
}
