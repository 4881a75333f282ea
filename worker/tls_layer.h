/* SPDX-License-Identifier: Apache-2.0
 *
 * OpenSSL between a connection and its non-blocking socket, as a layer of worker/io: the same for
 * clients and for services.  Embedded in what knows whom the connection is for.  Single-threaded.
 */
#pragma once

#include <openssl/types.h>
#include <stdbool.h>

#include "base/check.h"
#include "worker/io.h"

/* What went wrong, for words of the owner's. */
struct tls_fault {
	int kind; /* SSL_ERROR_…; 0: nothing yet */
	int system_error;
	unsigned long reason; /* of OpenSSL's error queue */
};

struct tls_layer {
	uint32_t magic;
	SSL *ssl;
	struct io *io;
	bool is_up, is_broken;
	struct tls_fault fault;
};

#define TLS_LAYER_MAGIC SL_MAGIC('T', 'L', 'S', 'L')

/* Takes ssl over: every io_read and io_write of io goes through it from now on. */
void tls_layer_open(struct tls_layer *l, SSL *ssl, struct io *io);
/* Says good-bye where the peer can still hear it; before io_close(). */
void tls_layer_close(struct tls_layer *l);
/* 0 = done, -EAGAIN = wait (for the socket, or for a callback's answer), -ECONNABORTED */
int tls_layer_handshake(struct tls_layer *l);
/* What waits to be read: -EAGAIN = nothing, 1 = data, 0 = the end of the stream, -errno */
int tls_layer_peek(struct tls_layer *l);
