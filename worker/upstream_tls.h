/* SPDX-License-Identifier: Apache-2.0
 *
 * TLS towards services (protocol https): OpenSSL over a connection's own non-blocking socket,
 * as a layer of worker/io.  Certificates are checked per service, or as plugins want it; sessions
 * are resumed per peer, name, check and plugins' certificates.  The certificates to trust are found
 * before the jail; those of the system are parsed when the first service asks for verification.
 * Single-threaded.
 */
#pragma once

#include <stdbool.h>

#include "base/cleanup.h"
#include "base/why.h"
#include "shm/conf.h"
#include "shm/stat.h"
#include "worker/dns.h"
#include "worker/io.h"
#include "worker/tls_context.h"

#define UPSTREAM_TLS_NAME_MAX 255

/* Whom a connection is for: what a pooled one must have in common with a new one. */
struct upstream_target {
	struct peer peer;
	bool is_tls, is_verified;
	uint8_t depth;   /* intermediate certificates, + 1; 0 = as OpenSSL has it */
	struct str name; /* is_tls: SNI and the certificate's name, or an IP address */
	bool has_own_context;
	uint8_t context_id[TLS_CONTEXT_ID_BYTES]; /* of plugins' certificates; zeros: none */
	SSL_CTX *context; /* borrowed, to open with; not compared; NULL: the worker's */
};

bool upstream_target_eq(const struct upstream_target *a, const struct upstream_target *b);

struct upstream_tls; /* per worker */
struct tls_link;     /* per connection */

/* lua_ssl_trusted_certificate is read from conf: before the jail.  -errno with why. */
int upstream_tls_new(struct upstream_tls **ret, const struct conf *conf, struct stat_worker *stat,
		struct why *why);
void upstream_tls_free(struct upstream_tls *t);
SL_DEFINE_AUTO(upstream_tls);

/* The context to open target's connection with, where plugins brought certificates.
 * 0, -ENOMEM, -EINVAL: they cannot be used (why). */
int upstream_tls_find_context(struct upstream_tls *t, struct upstream_target *target,
		const struct exchange_tls *wanted, struct why *why);

/* The name for SNI and verification: of a Host field without its port and final dot, or of
 * `host` when that is no usable host name. */
struct str upstream_tls_name(struct str host_header, struct str host);

/* Puts TLS over a connecting socket: every io_read and io_write goes through it from now on.
 * 0, -ENOMEM */
int tls_link_open(struct tls_link **ret, struct upstream_tls *t, struct io *io,
		const struct upstream_target *target);
/* Says good-bye where the peer can still hear it; before io_close(). */
void tls_link_close(struct tls_link *l);
/* 0 = done, -EAGAIN = wait for the socket, -ECONNABORTED = refused: tls_link_why(). */
int tls_link_handshake(struct tls_link *l);
/* The target's name as the link keeps it. */
struct str tls_link_name(const struct tls_link *l);
/* Why the connection failed, in words; "" = it did not. */
const char *tls_link_why(struct tls_link *l);
/* No data and no end of stream waits to be read. */
bool tls_link_is_quiet(struct tls_link *l);
