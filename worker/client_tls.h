/* SPDX-License-Identifier: Apache-2.0
 *
 * TLS of one client connection: its handshake, and what a request may ask about it.  Owned by
 * worker/conn; the layer between io and socket is worker/tls_layer.
 */
#pragma once

#include "plugin/exchange.h"
#include "worker/io.h"

struct client_tls;
struct conn;

/* What the first bytes of a connection to a TLS listener are. */
enum client_tls_look {
	CLIENT_TLS_NOTHING, /* nothing has come yet */
	CLIENT_TLS_HELLO,
	CLIENT_TLS_PLAIN, /* a request in plain text */
	CLIENT_TLS_GONE,
};
enum client_tls_look client_tls_look(struct io *io);

/* Over c's socket, once something has come.  0, -ENOMEM */
int client_tls_open(struct client_tls **ret, struct conn *c);
/* Says good-bye; before io_close(). */
void client_tls_close(struct client_tls *t);
/* 0 = done, -EAGAIN, -ECONNABORTED (said in the log) */
int client_tls_handshake(struct client_tls *t);
/* What waits to be read: -EAGAIN = nothing, 1 = data, 0 = the end of the stream, -errno */
int client_tls_peek(struct client_tls *t);

/* About the client's certificate, in the arena; n == 0: none. */
struct str client_tls_cert(
		const struct client_tls *t, enum exchange_client_cert what, struct arena *a);
/* What the connection's certificate phase left, for a request.  0, -ENOMEM */
int client_tls_hand_on(const struct client_tls *t, struct exchange *x);

/* In the certificate phase: asks for the client's certificate, whatever it is; with ca_pem it hears
 * whose, and is verified by these.  NULL = done, else why not (static). */
const char *client_tls_request_cert(struct client_tls *t, struct str ca_pem);
/* No later handshake resumes this session. */
void client_tls_disable_reuse(struct client_tls *t);

/* Fills the tls_* fields, borrowed for the connection's life. */
void client_tls_tell(const struct client_tls *t, struct exchange_request *ret);
