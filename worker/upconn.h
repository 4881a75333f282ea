/* SPDX-License-Identifier: Apache-2.0
 *
 * Connections to service peers, and the pool of idle ones (per worker, keyed by
 * address, and with TLS by name, verification and plugins' certificates too).
 * An idle connection that becomes readable or old is closed.
 */
#pragma once

#include "worker/dns.h"
#include "worker/io.h"
#include "worker/timer.h"
#include "worker/upstream_tls.h"

struct worker;
struct req;
struct upconn_pool;

struct upconn {
	uint32_t magic;
	struct worker *w;
	struct io io;
	struct timer timer;
	struct upstream_target target; /* its name is the tls_link's */
	struct tls_link *tls;          /* NULL: plain */
	uint8_t ip_n;
	char ip[INET6_ADDRSTRLEN];
	struct req *req; /* who uses it; NULL: idle or dead */
	struct upconn *next, **back;
	uint32_t n_requests;
	bool is_tcp_up, is_connected, is_reused; /* connected: and shaken hands */
};

#define UPCONN_MAGIC SL_MAGIC('U', 'P', 'C', 'N')

int upconn_pool_new(struct upconn_pool **ret, struct worker *w);
void upconn_pool_free(struct upconn_pool *p);

/* An idle connection to the target, or NULL.  is_checked: look whether it is still open
 * first (a request that must not be repeated). */
struct upconn *upconn_take(
		struct upconn_pool *p, const struct upstream_target *target, bool is_checked);
/* Starts a connection.  0 or -errno. */
int upconn_open(struct upconn_pool *p, const struct upstream_target *target, struct upconn **ret);
/* 0 = connected, -EAGAIN = not yet, -ECONNABORTED = TLS failed (tls_link_why()), -errno. */
int upconn_check_connected(struct upconn *u);
/* Back into the pool (or closed: too many, too old). */
void upconn_keep(struct upconn *u);
void upconn_close(struct upconn *u);
/* Frees what was closed; call outside of any connection's callbacks. */
void upconn_bury(struct upconn_pool *p);
