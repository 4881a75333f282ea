/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/cosocket.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plugin/exchange.h"
#include "worker/coconn.h"
#include "worker/worker.h"

#define COSOCKET_MAGIC SL_MAGIC('C', 'O', 'S', 'O')

/* A handle of a request. */
struct cosocket {
	uint32_t magic;
	struct exchange *x;
	struct cosocket_pool *pool;
	struct coowner *owner;
	struct coconn *conn; /* NULL: none */
	bool is_datagram, is_awaited, is_connected;
	struct dns_wait wait;
	struct dns_answer found;
	bool is_asking, is_found;
	uint16_t port;
	char address[INET6_ADDRSTRLEN]; /* of resolve() */
	char host[DNS_NAME_MAX + 1];
	char why[320];
};

void cosocket_wake(struct cosocket *s)
{
	sl_check(s, COSOCKET_MAGIC);
	if (!s->is_awaited)
		return;
	s->is_awaited = false;
	s->x->ops->net_ready(s->x);
}

static int again(struct cosocket *s)
{
	s->is_awaited = true;
	return -EAGAIN;
}

static int op_open(struct exchange *x, struct str plugin, bool is_datagram, struct cosocket **ret)
{
	struct cosocket_pool *p = x->worker->plugin_sockets;
	struct coowner *o = coowner_get(p, plugin);
	struct cosocket *s = calloc(1, sizeof(*s));

	if (o != NULL) {
		o->n_sockets++;
		p->n_sockets++;
		stat_set(&p->w->stat->plugin_sockets, p->n_sockets);
	}
	if (o == NULL || s == NULL || o->n_sockets > COSOCKETS_OF_PLUGIN_MAX ||
			p->n_sockets > COSOCKETS_MAX) {
		bool is_memory = o == NULL || s == NULL;

		if (o != NULL)
			coowner_drop(p, o);
		free(s);
		return is_memory ? -ENOMEM : -EMFILE;
	}
	s->magic = COSOCKET_MAGIC;
	s->x = x;
	s->pool = p;
	s->owner = o;
	s->is_datagram = is_datagram;
	*ret = s;
	return 0;
}

static void disconnect(struct cosocket *s)
{
	dns_cancel(&s->wait);
	s->is_asking = s->is_connected = false;
	if (s->conn != NULL)
		coconn_close(s->conn);
	s->conn = NULL;
}

static void op_close(struct cosocket *s)
{
	sl_check(s, COSOCKET_MAGIC);
	disconnect(s);
	coowner_drop(s->pool, s->owner);
	s->magic = 0;
	free(s);
}

static void on_found(void *arg, const struct dns_answer *answer)
{
	struct cosocket *s = arg;

	s->found = *answer;
	s->is_found = true;
	cosocket_wake(s);
}

/* 0 = s->found is there, -EAGAIN */
static int find(struct cosocket *s, struct str host)
{
	if (!s->is_asking) {
		s->is_asking = true;
		s->wait = (struct dns_wait){.fn = on_found, .arg = s};
		s->is_found = dns_find(s->x->worker->dns, host, &s->found, &s->wait);
	}
	if (!s->is_found)
		return again(s);
	s->is_asking = false;
	return 0;
}

static int not_found(struct cosocket *s)
{
	snprintf(s->why, sizeof(s->why), "%.255s could not be resolved (3: Host not found)",
			s->host);
	return -ENOENT;
}

/* Dials the first address that is allowed. */
static int dial_found(struct cosocket *s)
{
	struct str host = str_of(s->host);
	int r;

	if (s->found.n == 0)
		return not_found(s);
	for (uint32_t i = 0; i < s->found.n; i++) {
		struct peer to = s->found.peers[i];

		peer_set_port(&to, s->port);
		if (!egress_allows(s->pool->egress, host, &to))
			continue;
		r = coconn_open(s->pool, &to, s->is_datagram, &s->conn);
		if (r == -EACCES)
			continue;
		if (r == 0)
			s->conn->user = s;
		return r;
	}
	snprintf(s->why, sizeof(s->why), "egress to %.255s:%u denied by plugin_egress", s->host,
			s->port);
	return -EACCES;
}

static int op_connected(struct cosocket *s)
{
	int r;

	sl_check(s, COSOCKET_MAGIC);
	if (s->conn == NULL) {
		r = find(s, str_of(s->host));
		if (r == 0)
			r = dial_found(s);
		if (r != 0)
			return r;
	}
	r = s->is_datagram ? 0 : coconn_check(s->conn);
	if (r == -EAGAIN)
		return again(s);
	s->is_connected = r == 0;
	if (r != 0)
		disconnect(s);
	return r;
}

/* 0, -ENOENT */
static int take_host(struct cosocket *s, struct str host)
{
	s->why[0] = '\0';
	if (host.n == 0 || host.n >= sizeof(s->host) || memchr(host.p, '\0', host.n) != NULL) {
		snprintf(s->why, sizeof(s->why), "bad host name");
		return -ENOENT;
	}
	memcpy(s->host, host.p, host.n);
	s->host[host.n] = '\0';
	return 0;
}

static int op_resolve(struct cosocket *s, struct str host, struct str *ret)
{
	int r;

	sl_check(s, COSOCKET_MAGIC);
	if (!s->is_asking && take_host(s, host) != 0)
		return -ENOENT;
	r = find(s, str_of(s->host));
	if (r != 0)
		return r;
	if (s->found.n == 0)
		return not_found(s);
	ret->n = peer_text(&s->found.peers[0], s->address, sizeof(s->address));
	ret->p = s->address;
	return 0;
}

static int op_connect(struct cosocket *s, struct str host, uint16_t port, struct str pool)
{
	sl_check(s, COSOCKET_MAGIC);
	disconnect(s);
	s->port = port;
	if (take_host(s, host) != 0)
		return -ENOENT;
	if (pool.n != 0)
		s->conn = coconn_take(s->owner, pool);
	if (s->conn == NULL)
		return op_connected(s);
	s->conn->user = s;
	s->is_connected = true;
	return 0;
}

/* TLS begins; the name is kept for those who find the connection in the pool. */
static int begin_tls(struct cosocket *s, struct str name, bool is_verified)
{
	struct coconn *c = s->conn;
	struct upstream_target target = {
			.peer = c->peer, .is_tls = true, .is_verified = is_verified, .name = name};

	free(c->name);
	c->name = strndup(name.p != NULL ? name.p : "", name.n);
	if (c->name == NULL)
		return -ENOMEM;
	c->is_verified = is_verified;
	return tls_link_open(&c->tls, s->x->worker->tls, &c->io, &target);
}

static int op_handshake(struct cosocket *s, struct str name, bool is_verified)
{
	struct coconn *c = s->conn;
	int r = 0;

	sl_check(s, COSOCKET_MAGIC);
	name = upstream_tls_name(name, str_of(s->host));
	if (c->tls == NULL)
		r = begin_tls(s, name, is_verified);
	if (r != 0)
		return r;
	if (is_verified && (!c->is_verified || !str_ieq(str_of(c->name), name))) {
		snprintf(s->why, sizeof(s->why),
				"the certificate was not verified for this name when this pooled "
				"connection was made");
		disconnect(s);
		return -ECONNABORTED;
	}
	r = tls_link_handshake(c->tls);
	if (r == -EAGAIN)
		return again(s);
	if (r == -ECONNABORTED)
		snprintf(s->why, sizeof(s->why), "%s", tls_link_why(c->tls));
	if (r != 0)
		disconnect(s);
	return r;
}

static ssize_t op_receive(struct cosocket *s, void *p, size_t n)
{
	ssize_t got = io_read(&s->conn->io, p, n);

	return got == -EAGAIN ? again(s) : got;
}

static ssize_t op_send(struct cosocket *s, struct str data)
{
	const struct iovec one = {(void *)(uintptr_t)data.p, data.n};
	ssize_t put = io_write(&s->conn->io, &one, 1);

	return put == -EAGAIN ? again(s) : put;
}

static int op_keep(struct cosocket *s, struct str pool, uint32_t idle_ms, uint32_t size)
{
	int r = s->pool->w->is_draining ? -EPIPE
					: coconn_keep(s->conn, s->owner, pool, idle_ms, size);

	if (r != 0)
		return r;
	s->conn = NULL;
	s->is_connected = false;
	return 0;
}

static bool op_is_open(const struct cosocket *s)
{
	return s->conn != NULL && s->is_connected;
}

static bool op_is_datagram(const struct cosocket *s)
{
	return s->is_datagram;
}

static uint32_t op_reused(const struct cosocket *s)
{
	return s->conn != NULL ? s->conn->reused : 0;
}

static const char *op_why(const struct cosocket *s)
{
	return s->why;
}

const struct cosocket_ops cosocket_ops = {
		.open = op_open,
		.close = op_close,
		.disconnect = disconnect,
		.connect = op_connect,
		.connected = op_connected,
		.resolve = op_resolve,
		.handshake = op_handshake,
		.receive = op_receive,
		.send = op_send,
		.keep = op_keep,
		.is_open = op_is_open,
		.is_datagram = op_is_datagram,
		.reused = op_reused,
		.why = op_why,
};
