/* SPDX-License-Identifier: Apache-2.0
 *
 * OpenSSL contexts towards services: the worker's own, and those of certificates and keys that
 * plugins bring as PEM text (kong.service.set_tls_cert_key, set_tls_verify_store), kept by
 * a digest of that text: at most TLS_CONTEXTS of TLS_CONTEXTS_BYTES, the least used one goes first.
 * Connections hold a reference of their own.  Per worker, single-threaded.
 */
#pragma once

#include <openssl/types.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/why.h"
#include "plugin/exchange.h"

#define TLS_CONTEXT_ID_BYTES 32
#define TLS_CONTEXTS 64
#define TLS_CONTEXTS_BYTES (8 * 1024 * 1024) /* of PEM text, together */
#define TLS_CONTEXT_PEM_MAX (1024 * 1024)    /* of one */

/* A client's: TLS 1.2 or newer, ALPN http/1.1, no renegotiation, no compression, sessions told
 * to a callback only.  NULL: out of memory. */
SSL_CTX *tls_context_new(void);

struct tls_contexts;

/* base: gives the others its session callback, and its authorities where plugins bring
 * none; outlives the ret. */
int tls_contexts_new(struct tls_contexts **ret, SSL_CTX *base);
void tls_contexts_free(struct tls_contexts *t);
SL_DEFINE_AUTO(tls_contexts);

/* Does a plugin want certificates of its own? */
bool tls_context_is_own(const struct exchange_tls *wanted);
/* Of everything that goes into the context, key included.  0, -ENOMEM */
int tls_context_id(uint8_t ret[TLS_CONTEXT_ID_BYTES], const struct exchange_tls *wanted);
/* The context of id, which is wanted's.  *ret is borrowed: until the next call.
 * 0, -ENOMEM, -EINVAL: text that is no certificate or key (why says which). */
int tls_contexts_get(struct tls_contexts *t, const uint8_t id[TLS_CONTEXT_ID_BYTES],
		const struct exchange_tls *wanted, SSL_CTX **ret, struct why *why);
/* How many are held now. */
unsigned tls_contexts_count(const struct tls_contexts *t);
