/* SPDX-License-Identifier: Apache-2.0
 *
 * A client connection: reads heads, hands them to a request one at a time (pipelined
 * ones wait their turn), keeps the connection or ends it so that the answer arrives.
 */
#pragma once

#include <netinet/in.h>

#include "plugin/exchange.h"
#include "worker/h1_scan.h"
#include "worker/io.h"
#include "worker/iobuf.h"
#include "worker/out.h"
#include "worker/timer.h"

struct client_tls;
struct worker;
struct req;

enum conn_state {
	CONN_HANDSHAKE, /* of TLS */
	CONN_IDLE,      /* no byte of the next request yet */
	CONN_HEAD,      /* inside a head */
	CONN_BUSY,      /* a request is being served */
	CONN_LINGER,    /* our side is shut; what still comes is thrown away */
	CONN_DEAD,
};

struct conn {
	uint32_t magic;
	enum conn_state state;
	struct worker *w;
	struct io io;
	struct client_tls *tls; /* NULL: plain text, or nothing has come yet */
	bool is_plain_on_tls;   /* a request in plain text came where TLS is spoken */
	struct timer timer;
	struct conn *next, **back; /* in worker.conns; next only in worker.dead_conns */
	struct iobuf *in;          /* the head in hand and what follows it; NULL when idle */
	struct h1_scan scan;
	struct req *req;
	uint32_t n_requests;
	uint64_t lingered_bytes;
	uint16_t client_port, server_port;
	uint8_t client_ip_n, server_ip_n;
	char client_ip[INET6_ADDRSTRLEN], server_ip[INET6_ADDRSTRLEN];
};

#define CONN_MAGIC SL_MAGIC('C', 'O', 'N', 'N')

/* Takes fd over; address: of the client; server_port: of the listener, which is_tls or not. */
void conn_accepted(struct worker *w, int fd, const struct sockaddr_storage *address,
		uint16_t server_port, bool is_tls);
void conn_close(struct conn *c);
enum conn_presence { CONN_THERE, CONN_HALF_CLOSED, CONN_GONE };
/* What became of a client that waits for an answer; there while bytes of it are unread. */
enum conn_presence conn_presence(const struct conn *c);
/* Drain: a connection that waits for another request has a second for it, so that none is closed
 * while a request is on its way; one without has its end with its next answer. */
void conn_close_idle(struct worker *w);
/* The same for those that had a request, and no other: the worker goes on taking new ones. */
void conn_close_kept(struct worker *w);
/* More requests came behind the one in hand (pipelined). */
bool conn_has_more(const struct conn *c);
/* Frees what was closed in this turn of the loop. */
void conn_bury(struct worker *w);

/* The request is over.  keep: the connection may go on; leftover: bytes behind the request
 * that are not in c->in.  The request is freed by the caller. */
void conn_request_done(struct conn *c, bool keep, struct str leftover);
