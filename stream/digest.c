/* SPDX-License-Identifier: Apache-2.0 */
#include "stream/digest.h"

#include <string.h>

#include <openssl/evp.h>

#include "base/check.h"

static void term(uint32_t kind, const char *id, const uint8_t spec_sha256[STREAM_SHA256_BYTES],
		uint8_t ret[STREAM_SHA256_BYTES])
{
	EVP_MD_CTX *sha = EVP_MD_CTX_new();
	uint8_t kind_byte = (uint8_t)kind;

	/* SHA-256 is built in; only a broken OpenSSL installation fails here. */
	sl_assert(sha != NULL && EVP_DigestInit_ex(sha, EVP_sha256(), NULL) == 1);
	EVP_DigestUpdate(sha, &kind_byte, 1);
	EVP_DigestUpdate(sha, id, strlen(id) + 1);
	EVP_DigestUpdate(sha, spec_sha256, STREAM_SHA256_BYTES);
	EVP_DigestFinal_ex(sha, ret, NULL);
	EVP_MD_CTX_free(sha);
}

void stream_digest_add(struct stream_digest *d, uint32_t kind, const char *id,
		const uint8_t spec_sha256[STREAM_SHA256_BYTES])
{
	uint8_t t[STREAM_SHA256_BYTES];
	unsigned carry = 0;

	term(kind, id, spec_sha256, t);
	for (int i = STREAM_SHA256_BYTES - 1; i >= 0; i--) {
		carry += (unsigned)d->sum[i] + t[i];
		d->sum[i] = (uint8_t)carry;
		carry >>= 8;
	}
}

void stream_digest_remove(struct stream_digest *d, uint32_t kind, const char *id,
		const uint8_t spec_sha256[STREAM_SHA256_BYTES])
{
	uint8_t t[STREAM_SHA256_BYTES];
	int borrow = 0;

	term(kind, id, spec_sha256, t);
	for (int i = STREAM_SHA256_BYTES - 1; i >= 0; i--) {
		int v = (int)d->sum[i] - t[i] - borrow;

		borrow = v < 0;
		d->sum[i] = (uint8_t)v;
	}
}
