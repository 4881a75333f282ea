/* SPDX-License-Identifier: Apache-2.0
 *
 * The digest of a whole configuration (Update.digest_after, Hello.digest): sha256 over, for
 * every resource in (kind, id) byte order, kind as 1 byte, id, a NUL, spec_sha256.
 * Equal digests = nothing to send.  Incremental; both ends of the stream use it.
 */
#pragma once

#include <stdint.h>

#include "base/cleanup.h"

#define STREAM_SHA256_BYTES 32

struct stream_digest;

int stream_digest_new(struct stream_digest **ret);
void stream_digest_free(struct stream_digest *d);
SL_DEFINE_AUTO(stream_digest);

/* -EINVAL: not after the one before in (kind, id) order, or kind is not in 1 … 255; nothing
 * was added then. */
int stream_digest_add(struct stream_digest *d, uint32_t kind, const char *id,
		const uint8_t spec_sha256[STREAM_SHA256_BYTES]);
/* Gives the digest and starts afresh. */
void stream_digest_end(struct stream_digest *d, uint8_t ret[STREAM_SHA256_BYTES]);
