/* SPDX-License-Identifier: Apache-2.0
 *
 * A key, its certificate, and those between it and an authority: read from PEM texts or files.
 * For workers, which show them, and for who judges them before.
 */
#pragma once

#include <openssl/types.h>

#include "base/str.h"
#include "base/why.h"

struct certificate_pair {
	X509 *cert;
	struct stack_st_X509 *chain;
	EVP_PKEY *key;
};

/* Of PEM texts.  0, -EINVAL (why), -ENOMEM.  certificate_pair_done() in any case. */
int certificate_pair_parse(
		struct certificate_pair *ret, struct str cert, struct str key, struct why *why);
/* Of files, into a context that shows it to clients: OpenSSL refuses what is too weak, too.  0,
 * -errno, with why: the file and what is wrong with it. */
int certificate_pair_use(
		SSL_CTX *context, const char *cert_path, const char *key_path, struct why *why);
void certificate_pair_done(struct certificate_pair *p);
