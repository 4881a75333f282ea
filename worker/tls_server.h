/* SPDX-License-Identifier: Apache-2.0
 *
 * What the TLS connections of clients have in common in one worker: versions and ciphers, the
 * certificate for a server name, and tickets (RFC 5077, RFC 8446 4.6.1) that any worker of the node
 * takes: their keys follow from a secret on the board, a new one each half day.  Files are read
 * before the jail.  Single-threaded.
 */
#pragma once

#include <openssl/types.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "base/why.h"
#include "shm/board.h"
#include "shm/conf.h"
#include "shm/snapshot.h"

struct tls_server;

/* Reads ssl_cert and ssl_cert_key, or the node's own certificate below prefix.  -errno, why. */
int tls_server_new(struct tls_server **ret, const struct conf *conf, const struct board *board,
		struct why *why);
void tls_server_free(struct tls_server *s); /* NULL allowed */

/* A connection's; NULL: out of memory. */
SSL *tls_server_connection(struct tls_server *s);
/* Gives the connection the certificate of that name (worker/certificates); where there is none
 * the default stays.  False: it cannot be used. */
bool tls_server_certify(
		struct tls_server *s, SSL *ssl, const struct snap_view *view, struct str sni);

/* The owner's part in callbacks: the connection that SSL_set_app_data() was told of. */
struct tls_server_owner {
	/* A first message has come: its server name. */
	bool (*on_name)(void *arg, struct str extension);
	/* 1 = go on, 0 = fail, -1 = asked again by the next handshake call. */
	int (*on_certificate)(void *arg);
	/* The name a session belongs to. */
	struct str (*name)(void *arg);
	void *arg;
};
