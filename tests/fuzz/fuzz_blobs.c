/* SPDX-License-Identifier: Apache-2.0
 *
 * Chunks of code in whatever order and size: what comes out complete has its hash.  The wanted blob
 * is "sluice", of 6 bytes.
 */
#include <openssl/sha.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "master/blobs.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct blobs *b, const uint8_t sha256[32])
{
	const char *refusal = NULL;
	struct str blob = blobs_get(b, sha256, &refusal);
	uint8_t found[32];

	if (blob.p == NULL)
		return;
	SHA256((const uint8_t *)blob.p, blob.n, found);
	if (memcmp(found, sha256, sizeof(found)) != 0)
		abort();
}

/* Chunks: one byte of length, then a BlobChunk; a chunk without a hash is of the wanted blob. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct blobs *b = NULL;
	struct why why = WHY_NONE;
	uint8_t sha256[32];
	int r = blobs_new(&b);

	SHA256((const uint8_t *)"sluice", 6, sha256);
	if (r == 0)
		r = blobs_want(b, sha256, 6);
	for (size_t at = 0; r == 0 && at < size;) {
		size_t n = data[at] < size - at - 1 ? data[at] : size - at - 1;
		Sluice__Stream__V1__BlobChunk *c =
				sluice__stream__v1__blob_chunk__unpack(NULL, n, data + at + 1);

		at += n + 1;
		if (c == NULL)
			continue;
		if (c->sha256.len == 0) {
			Sluice__Stream__V1__BlobChunk ours = *c;

			ours.sha256 = (ProtobufCBinaryData){.len = 32, .data = sha256};
			r = blobs_chunk(b, &ours, &why);
		} else {
			r = blobs_chunk(b, c, &why);
		}
		sluice__stream__v1__blob_chunk__free_unpacked(c, NULL);
	}
	check(b, sha256);
	blobs_free(b);
	return 0;
}
