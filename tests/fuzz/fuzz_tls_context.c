/* SPDX-License-Identifier: Apache-2.0
 *
 * Contexts of hostile PEM text: what is refused says why, what is taken is found again, and the
 * cache stays within its bounds.  The input: certificates, a zero byte, a key, a zero byte,
 * authorities.
 */
#include <errno.h>
#include <openssl/ssl.h>
#include <stdint.h>
#include <stdlib.h>

#include "worker/tls_context.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct str next_part(struct str *rest)
{
	ptrdiff_t end = str_find_char(*rest, '\0');
	struct str part = end >= 0 ? str_head(*rest, (size_t)end) : *rest;

	*rest = str_from(*rest, part.n + (end >= 0));
	return part;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct tls_contexts *contexts;
	struct str rest = {(const char *)data, size};
	uint8_t id[TLS_CONTEXT_ID_BYTES];
	struct exchange_tls wanted = {.verify = EXCHANGE_TLS_AS_CONFIGURED};
	struct why why = WHY_NONE;
	SSL_CTX *first, *again;
	int r;

	if (contexts == NULL && tls_contexts_new(&contexts, tls_context_new()) != 0)
		abort();
	wanted.cert_pem = next_part(&rest);
	wanted.key_pem = next_part(&rest);
	wanted.ca_pem = rest;
	if (!tls_context_is_own(&wanted))
		return 0;
	if (tls_context_id(id, &wanted) != 0)
		abort();
	r = tls_contexts_get(contexts, id, &wanted, &first, &why);
	if (r != 0 && (r != -EINVAL || first != NULL || why.text[0] == '\0'))
		abort();
	if (r == 0 && (tls_contexts_get(contexts, id, &wanted, &again, &why) != 0 ||
				      again != first))
		abort();
	if (tls_contexts_count(contexts) > TLS_CONTEXTS)
		abort();
	return 0;
}
