/* SPDX-License-Identifier: Apache-2.0
 *
 * What the certificate of a client says, as nginx words it in its ssl_client_* variables.
 */
#pragma once

#include <openssl/types.h>

#include "base/arena.h"
#include "plugin/exchange.h"

/* In the arena; n == 0: no certificate, or no room. */
struct str client_cert_text(SSL *ssl, enum exchange_client_cert what, struct arena *a);
