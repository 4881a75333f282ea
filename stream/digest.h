/* SPDX-License-Identifier: Apache-2.0
 *
 * The digest of a whole configuration (Update.digest_after, Hello.digest): the sum, modulo 2^256,
 * over its resources of sha256(kind as 1 byte, id, a NUL, spec_sha256), each taken as a big-endian
 * number; nothing at all has the digest 0.  A change costs the same at any size: what went is
 * taken off, what came is added.  Both ends of the stream use it to agree, not to prove anything:
 * it is no protection against a control plane that lies.
 */
#pragma once

#include <stdint.h>

#define STREAM_SHA256_BYTES 32

struct stream_digest {
	uint8_t sum[STREAM_SHA256_BYTES]; /* as it is sent */
};

/* kind: 1 … 255. */
void stream_digest_add(struct stream_digest *d, uint32_t kind, const char *id,
		const uint8_t spec_sha256[STREAM_SHA256_BYTES]);
/* Takes off what was added before. */
void stream_digest_remove(struct stream_digest *d, uint32_t kind, const char *id,
		const uint8_t spec_sha256[STREAM_SHA256_BYTES]);
