/* SPDX-License-Identifier: Apache-2.0
 *
 * Connections to service peers, and the pool of idle ones (per worker, keyed by address).
 * An idle connection that becomes readable or old is closed.
 */
#pragma once

#include "worker/dns.h"
#include "worker/io.h"
#include "worker/timer.h"

struct worker;
struct req;
struct upconn_pool;

struct upconn {
	uint32_t magic;
	struct worker *w;
	struct io io;
	struct timer timer;
	struct peer peer;
	uint8_t ip_n;
	char ip[INET6_ADDRSTRLEN];
	struct req *req; /* who uses it; NULL: idle or dead */
	struct upconn *next, **back;
	uint32_t n_requests;
	bool is_connected, is_reused;
};

#define UPCONN_MAGIC SL_MAGIC('U', 'P', 'C', 'N')

int upconn_pool_new(struct upconn_pool **ret, struct worker *w);
void upconn_pool_free(struct upconn_pool *p);

/* An idle connection to the peer, or NULL.  is_checked: look whether it is still open
 * first (a request that must not be repeated). */
struct upconn *upconn_take(struct upconn_pool *p, const struct peer *peer, bool is_checked);
/* Starts a connection.  0 or -errno. */
int upconn_open(struct upconn_pool *p, const struct peer *peer, struct upconn **ret);
/* 0 = connected, -EAGAIN = not yet, -errno = refused. */
int upconn_check_connected(struct upconn *u);
/* Back into the pool (or closed: too many, too old). */
void upconn_keep(struct upconn *u);
void upconn_close(struct upconn *u);
/* Frees what was closed; call outside of any connection's callbacks. */
void upconn_bury(struct upconn_pool *p);
