/* SPDX-License-Identifier: Apache-2.0
 *
 * TLS for the stream: version 1.2 or newer, both sides show a certificate that descends from
 * the same CA file, ALPN "h2", and the server's certificate carries the expected name.
 */
#pragma once

#include <openssl/ssl.h>
#include <stdbool.h>

#include "base/why.h"
#include "stream/client.h"

/* Files were given: certificate, key and CA, all three, or why says what lacks. */
bool tls_is_wanted(const struct stream_tls *conf);
int tls_server_context(SSL_CTX **ret, const struct stream_tls *conf, struct why *why);
int tls_client_context(SSL_CTX **ret, const struct stream_tls *conf, struct why *why);
/* One connection; name (a host or an address) is what the server's certificate must carry. */
SSL *tls_client_new(SSL_CTX *context, const char *name);
SSL *tls_server_new(SSL_CTX *context);
/* The subject of the other side's certificate (RFC 4514), "" when there is none. */
void tls_peer_subject(const SSL *ssl, char *ret, size_t size);
