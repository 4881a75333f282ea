/* SPDX-License-Identifier: Apache-2.0
 *
 * One connection of a plugin, in use or idle in the pool.  Private to worker/cosocket.
 */
#pragma once

#include "base/check.h"
#include "worker/dns.h"
#include "worker/egress.h"
#include "worker/io.h"
#include "worker/timer.h"
#include "worker/upstream_tls.h"
#include "worker/worker.h"

/* A plugin by its name, while it has connections. */
struct coowner {
	struct coowner *next;
	uint32_t n_sockets;  /* handles and idle connections */
	struct coconn *idle; /* newest first */
	char name[128];
};

struct coconn {
	uint32_t magic;
	struct cosocket_pool *pool;
	struct io io;
	struct tls_link *tls; /* NULL: plain */
	bool is_verified;
	char *name; /* that was verified */
	struct peer peer;
	struct coowner *owner;
	struct timer timer;    /* idle */
	struct cosocket *user; /* NULL: idle or dead */
	struct coconn *next;   /* idle, or dead */
	uint32_t reused;
	char *key; /* its pool's name; NULL: it was never kept */
};

#define COCONN_MAGIC SL_MAGIC('C', 'O', 'C', 'N')

struct cosocket_pool {
	struct worker *w;
	struct egress *egress;
	struct coowner *owners;
	uint32_t n_sockets;
	struct coconn *dead;
};

/* Dials; -EACCES: an address of the node's own listeners.  0 or -errno. */
int coconn_open(struct cosocket_pool *p, const struct peer *to, bool is_datagram,
		struct coconn **ret);
/* 0 = up, -EAGAIN, -errno */
int coconn_check(struct coconn *c);
void coconn_close(struct coconn *c);
/* No data and no end waits to be read. */
bool coconn_is_quiet(struct coconn *c);

/* The plugin's row, made where absent; NULL = out of memory. */
struct coowner *coowner_get(struct cosocket_pool *p, struct str name);
/* One socket less. */
void coowner_drop(struct cosocket_pool *p, struct coowner *o);

/* An idle connection of that name, taken out; NULL: none. */
struct coconn *coconn_take(struct coowner *o, struct str key);
/* Into the pool, where it counts as a socket of its owner. */
int coconn_keep(struct coconn *c, struct coowner *o, struct str key, uint32_t idle_ms,
		uint32_t size);

/* cosocket.c: the connection's user can go on. */
void cosocket_wake(struct cosocket *s);
