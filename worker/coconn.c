/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/coconn.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "worker/cosocket.h"

struct coowner *coowner_get(struct cosocket_pool *p, struct str name)
{
	struct coowner *o = p->owners;

	name = str_head(name, name.n < sizeof(o->name) ? name.n : sizeof(o->name) - 1);
	while (o != NULL && !str_eq(str_of(o->name), name))
		o = o->next;
	if (o != NULL)
		return o;
	o = calloc(1, sizeof(*o));
	if (o == NULL)
		return NULL;
	memcpy(o->name, name.p, name.n);
	o->next = p->owners;
	p->owners = o;
	return o;
}

void coowner_drop(struct cosocket_pool *p, struct coowner *o)
{
	struct coowner **at = &p->owners;

	p->n_sockets--;
	stat_set(&p->w->stat->plugin_sockets, p->n_sockets);
	if (--o->n_sockets != 0)
		return;
	while (*at != o)
		at = &(*at)->next;
	*at = o->next;
	free(o);
}

static void take_out(struct coconn *c)
{
	struct coconn **at = &c->owner->idle;

	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
	c->next = NULL;
	timer_clear(&c->timer);
}

/* An idle one is its owner's socket, too. */
static void close_idle(struct coconn *c)
{
	struct coowner *o = c->owner;

	take_out(c);
	coconn_close(c);
	coowner_drop(c->pool, o);
}

bool coconn_is_quiet(struct coconn *c)
{
	char byte;

	if (c->tls != NULL)
		return tls_link_is_quiet(c->tls);
	return recv(c->io.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && errno == EAGAIN;
}

static void on_ready(void *arg)
{
	struct coconn *c = arg;

	sl_check(c, COCONN_MAGIC);
	if (c->user != NULL)
		cosocket_wake(c->user);
	else if (c->io.is_readable && !coconn_is_quiet(c))
		close_idle(c);
	else
		c->io.is_readable = false;
}

static void on_idle_over(void *arg)
{
	close_idle(arg);
}

/* -EACCES when the address turned out to be one of our own listeners'. */
static int own_check(const struct cosocket_pool *p, int fd, const struct peer *to)
{
	struct peer local = {.len = sizeof(local.at)};
	socklen_t n = sizeof(local.at);

	if (getsockname(fd, &local.at.any, &n) != 0)
		return -errno;
	return egress_is_own(p->egress, to, &local) ? -EACCES : 0;
}

/* A socket on its way, or -errno. */
static int dial(const struct cosocket_pool *p, const struct peer *to, bool is_datagram)
{
	const int type = is_datagram ? SOCK_DGRAM : SOCK_STREAM, one = 1;
	int fd = socket(to->at.any.sa_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), r = 0;

	if (fd < 0)
		return -errno;
	if (!is_datagram)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (connect(fd, &to->at.any, to->len) != 0 && errno != EINPROGRESS)
		r = -errno;
	if (r == 0)
		r = own_check(p, fd, to);
	if (r == 0)
		return fd;
	close(fd);
	return r;
}

int coconn_open(struct cosocket_pool *p, const struct peer *to, bool is_datagram,
		struct coconn **ret)
{
	int fd = dial(p, to, is_datagram), r;
	struct coconn *c;

	if (fd < 0)
		return fd;
	c = calloc(1, sizeof(*c));
	if (c == NULL) {
		close(fd);
		return -ENOMEM;
	}
	c->magic = COCONN_MAGIC;
	c->pool = p;
	c->peer = *to;
	timer_init(&c->timer, on_idle_over, c);
	r = io_open(&c->io, p->w->base, fd, on_ready, c);
	if (r != 0) {
		free(c);
		return r;
	}
	c->io.is_datagram = is_datagram;
	stat_add(&p->w->stat->plugin_connects, 1);
	*ret = c;
	return 0;
}

int coconn_check(struct coconn *c)
{
	int error = 0;
	socklen_t n = sizeof(error);

	if (!c->io.is_writable && !c->io.is_readable)
		return -EAGAIN;
	if (getsockopt(c->io.fd, SOL_SOCKET, SO_ERROR, &error, &n) != 0)
		return -errno;
	if (error != 0)
		return -error;
	return c->io.is_writable ? 0 : -EAGAIN;
}

void coconn_close(struct coconn *c)
{
	sl_check(c, COCONN_MAGIC);
	if (c->tls != NULL)
		tls_link_close(c->tls);
	c->tls = NULL;
	io_close(&c->io);
	free(c->key);
	free(c->name);
	c->key = c->name = NULL;
	c->user = NULL;
	c->magic = 0;
	c->next = c->pool->dead;
	c->pool->dead = c;
}

struct coconn *coconn_take(struct coowner *o, struct str key)
{
	struct coconn *c = o->idle, *next;

	for (; c != NULL; c = next) {
		next = c->next;
		if (!str_eq(str_of(c->key), key))
			continue;
		if (c->io.is_peer_closed || !coconn_is_quiet(c)) {
			/* not by close_idle(): the owner has the taker's socket, and stays */
			close_idle(c);
			continue;
		}
		take_out(c);
		c->reused++;
		coowner_drop(c->pool, o);
		return c;
	}
	return NULL;
}

/* The oldest of that name goes when there are `size`. */
static void make_room(struct coowner *o, const char *key, uint32_t size)
{
	struct coconn *oldest = NULL;
	uint32_t n = 0;

	for (struct coconn *c = o->idle; c != NULL; c = c->next)
		if (strcmp(c->key, key) == 0) {
			oldest = c;
			n++;
		}
	if (n >= size)
		close_idle(oldest);
}

int coconn_keep(struct coconn *c, struct coowner *o, struct str key, uint32_t idle_ms,
		uint32_t size)
{
	struct cosocket_pool *p = c->pool;

	if (c->io.is_peer_closed || !coconn_is_quiet(c))
		return -EPIPE;
	if (c->key == NULL || !str_eq(str_of(c->key), key)) {
		free(c->key);
		c->key = strndup(key.p, key.n);
	}
	if (c->key == NULL)
		return -ENOMEM;
	make_room(o, c->key, size);
	c->user = NULL;
	c->owner = o;
	c->next = o->idle;
	o->idle = c;
	o->n_sockets++;
	p->n_sockets++;
	stat_set(&p->w->stat->plugin_sockets, p->n_sockets);
	if (idle_ms != 0)
		timer_set(&p->w->timers, &c->timer, idle_ms);
	return 0;
}

int cosocket_pool_new(struct cosocket_pool **ret, struct worker *w, struct why *why)
{
	struct cosocket_pool *p = calloc(1, sizeof(*p));
	struct peer servers[DNS_SERVERS_MAX];
	int r;

	if (p == NULL)
		return -ENOMEM;
	p->w = w;
	r = egress_new(&p->egress, w->conf, why);
	if (r == 0)
		r = egress_set_servers(
				p->egress, servers, dns_servers(w->dns, servers, DNS_SERVERS_MAX));
	if (r != 0) {
		if (p->egress != NULL)
			egress_free(p->egress);
		free(p);
		return r;
	}
	*ret = p;
	return 0;
}

void cosocket_bury(struct cosocket_pool *p)
{
	while (p->dead != NULL) {
		struct coconn *c = p->dead;

		p->dead = c->next;
		free(c);
	}
}

void cosocket_pool_free(struct cosocket_pool *p)
{
	struct coowner *o = p->owners, *next;

	/* every request is gone: what an owner has left is idle */
	for (; o != NULL; o = next) {
		next = o->next;
		for (uint32_t n = o->n_sockets; n > 0 && o->idle != NULL; n--)
			close_idle(o->idle);
	}
	cosocket_bury(p);
	egress_free(p->egress);
	free(p);
}
