/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/upconn.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "worker/req.h"
#include "worker/worker.h"

#define BUCKETS 64

struct upconn_pool {
	struct worker *w;
	uint32_t n_idle;
	struct upconn *buckets[BUCKETS]; /* newest first */
	struct upconn *dead;
};

int upconn_pool_new(struct upconn_pool **ret, struct worker *w)
{
	struct upconn_pool *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return -ENOMEM;
	p->w = w;
	*ret = p;
	return 0;
}

static unsigned bucket_of(const struct peer *peer)
{
	const uint8_t *p = (const uint8_t *)&peer->at;
	uint32_t h = 0;

	for (uint32_t i = 2; i < peer->len; i++)
		h = h * 31 + p[i];
	return (h ^ h >> 8) % BUCKETS;
}

static void pool_add(struct upconn_pool *p, struct upconn *u)
{
	struct upconn **at = &p->buckets[bucket_of(&u->target.peer)];

	u->next = *at;
	u->back = at;
	if (u->next != NULL)
		u->next->back = &u->next;
	*at = u;
	p->n_idle++;
	stat_set(&p->w->stat->upstream_idle, p->n_idle);
}

static void pool_remove(struct upconn_pool *p, struct upconn *u)
{
	if (u->back == NULL)
		return;
	*u->back = u->next;
	if (u->next != NULL)
		u->next->back = u->back;
	u->back = NULL;
	u->next = NULL;
	p->n_idle--;
	stat_set(&p->w->stat->upstream_idle, p->n_idle);
}

/* Nothing to read and not closed. */
static bool is_quiet(struct upconn *u)
{
	char c;

	if (u->tls != NULL)
		return tls_link_is_quiet(u->tls);
	return recv(u->io.fd, &c, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && errno == EAGAIN;
}

static void on_ready(void *arg)
{
	struct upconn *u = arg;

	sl_check(u, UPCONN_MAGIC);
	if (u->req != NULL)
		req_drive(u->req);
	else if (u->io.is_readable && !is_quiet(u))
		upconn_close(u);
	else
		u->io.is_readable = false;
}

static void on_timeout(void *arg)
{
	struct upconn *u = arg;

	sl_check(u, UPCONN_MAGIC);
	if (u->req != NULL)
		req_on_upstream_timeout(u->req);
	else
		upconn_close(u);
}

struct upconn *upconn_take(
		struct upconn_pool *p, const struct upstream_target *target, bool is_checked)
{
	struct upconn *u = p->buckets[bucket_of(&target->peer)], *next;

	for (; u != NULL; u = next) {
		next = u->next;
		if (!upstream_target_eq(&u->target, target))
			continue;
		if (is_checked && !is_quiet(u)) {
			upconn_close(u);
			continue;
		}
		pool_remove(p, u);
		u->is_reused = true;
		stat_add(&p->w->stat->upstream_reused, 1);
		return u;
	}
	return NULL;
}

/* Without a name of its own: the pool compares with the tls_link's copy. */
static int target_take(struct upconn *u, const struct upstream_target *target)
{
	int r;

	u->target = *target;
	u->target.name = STR_NONE;
	u->target.context = NULL;
	if (!target->is_tls)
		return 0;
	r = tls_link_open(&u->tls, u->w->tls, &u->io, target);
	if (r == 0)
		u->target.name = tls_link_name(u->tls);
	return r;
}

int upconn_open(struct upconn_pool *p, const struct upstream_target *target, struct upconn **ret)
{
	int fd = peer_connect(&target->peer), r;
	struct upconn *u;

	if (fd < 0)
		return fd;
	u = calloc(1, sizeof(*u));
	if (u == NULL) {
		close(fd);
		return -ENOMEM;
	}
	u->magic = UPCONN_MAGIC;
	u->w = p->w;
	u->ip_n = (uint8_t)peer_text(&target->peer, u->ip, sizeof(u->ip));
	timer_init(&u->timer, on_timeout, u);
	r = io_open(&u->io, p->w->base, fd, on_ready, u);
	if (r == 0)
		r = target_take(u, target);
	if (r != 0) {
		io_close(&u->io);
		free(u);
		return r;
	}
	stat_add(&p->w->stat->upstream_connects, 1);
	*ret = u;
	return 0;
}

/* 0 = TCP is up, -EAGAIN, -errno */
static int check_tcp(struct upconn *u)
{
	int error = 0;
	socklen_t n = sizeof(error);

	if (u->is_tcp_up)
		return 0;
	if (!u->io.is_writable && !u->io.is_readable)
		return -EAGAIN;
	if (getsockopt(u->io.fd, SOL_SOCKET, SO_ERROR, &error, &n) != 0)
		return -errno;
	if (error != 0)
		return -error;
	if (!u->io.is_writable)
		return -EAGAIN;
	u->is_tcp_up = true;
	return 0;
}

int upconn_check_connected(struct upconn *u)
{
	int r;

	if (u->is_connected)
		return 0;
	r = check_tcp(u);
	if (r == 0 && u->tls != NULL)
		r = tls_link_handshake(u->tls);
	u->is_connected = r == 0;
	return r;
}

void upconn_keep(struct upconn *u)
{
	const struct conf *conf = u->w->conf;
	struct upconn_pool *p = u->w->upstreams;

	u->req = NULL;
	if (++u->n_requests >= conf->upstream_keepalive_max_requests ||
			p->n_idle >= conf->upstream_keepalive_pool_size || u->io.is_peer_closed ||
			u->w->is_draining || (u->tls != NULL && !is_quiet(u))) {
		upconn_close(u);
		return;
	}
	timer_set(&u->w->timers, &u->timer, conf->upstream_keepalive_idle_timeout_ms);
	pool_add(p, u);
}

void upconn_close(struct upconn *u)
{
	struct upconn_pool *p = u->w->upstreams;

	sl_check(u, UPCONN_MAGIC);
	pool_remove(p, u);
	timer_clear(&u->timer);
	if (u->tls != NULL)
		tls_link_close(u->tls);
	u->tls = NULL;
	io_close(&u->io);
	u->magic = 0;
	u->req = NULL;
	u->next = p->dead;
	p->dead = u;
}

void upconn_bury(struct upconn_pool *p)
{
	while (p->dead != NULL) {
		struct upconn *u = p->dead;

		p->dead = u->next;
		free(u);
	}
}

void upconn_pool_free(struct upconn_pool *p)
{
	for (unsigned i = 0; i < BUCKETS; i++)
		while (p->buckets[i] != NULL)
			upconn_close(p->buckets[i]);
	upconn_bury(p);
	free(p);
}
