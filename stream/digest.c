/* SPDX-License-Identifier: Apache-2.0 */
#include "stream/digest.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "base/buf.h"
#include "base/check.h"

#define STREAM_DIGEST_MAGIC SL_MAGIC('S', 'D', 'I', 'G')

struct stream_digest {
	uint32_t magic;
	EVP_MD_CTX *sha;
	struct buf last; /* the key of the resource before: kind, id, NUL */
};

static void digest_start(struct stream_digest *d)
{
	/* SHA-256 is built in; only a broken OpenSSL installation fails here. */
	sl_assert(EVP_DigestInit_ex(d->sha, EVP_sha256(), NULL) == 1);
	buf_clear(&d->last);
}

int stream_digest_new(struct stream_digest **ret)
{
	sl_auto(stream_digest) d = calloc(1, sizeof(*d));

	if (d == NULL)
		return -ENOMEM;
	d->magic = STREAM_DIGEST_MAGIC;
	d->sha = EVP_MD_CTX_new();
	if (d->sha == NULL)
		return -ENOMEM;
	digest_start(d);
	*ret = sl_steal(d);
	return 0;
}

void stream_digest_free(struct stream_digest *d)
{
	if (d == NULL)
		return;
	EVP_MD_CTX_free(d->sha);
	buf_done(&d->last);
	d->magic = 0;
	free(d);
}

int stream_digest_add(struct stream_digest *d, uint32_t kind, const char *id,
		const uint8_t spec_sha256[STREAM_SHA256_BYTES])
{
	sl_auto_buf key = {.n = 0};
	uint8_t kind_byte = (uint8_t)kind;

	sl_check(d, STREAM_DIGEST_MAGIC);
	if (kind < 1 || kind > UINT8_MAX)
		return -EINVAL;
	buf_add(&key, &kind_byte, 1);
	buf_add(&key, id, strlen(id) + 1);
	if (key.is_failed)
		return -ENOMEM;
	if (d->last.n > 0 && str_cmp(buf_str(&key), buf_str(&d->last)) <= 0)
		return -EINVAL;
	EVP_DigestUpdate(d->sha, key.p, key.n);
	EVP_DigestUpdate(d->sha, spec_sha256, STREAM_SHA256_BYTES);
	buf_done(&d->last);
	d->last = key;
	key = (struct buf){.n = 0};
	return 0;
}

void stream_digest_end(struct stream_digest *d, uint8_t ret[STREAM_SHA256_BYTES])
{
	unsigned n = 0;

	sl_check(d, STREAM_DIGEST_MAGIC);
	EVP_DigestFinal_ex(d->sha, ret, &n);
	sl_assert(n == STREAM_SHA256_BYTES);
	digest_start(d);
}
