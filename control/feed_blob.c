/* SPDX-License-Identifier: Apache-2.0
 *
 * Code to a node that asks for it: chunks of 64 KiB, held back while its connection is full.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "control/feed_node.h"

#define CHUNK_BYTES (64U << 10)
#define QUEUED_MAX (512U << 10) /* above what makes `drained` come */

int feed_node_want(struct feed_node *n, const Sluice__Stream__V1__BlobRequest *request)
{
	size_t left = n->blobs_n - n->blobs_at;
	uint8_t(*list)[STORE_SHA_BYTES];

	if (left + request->n_sha256 > FEED_BLOBS_QUEUED_MAX)
		return -E2BIG;
	list = calloc(left + request->n_sha256 + 1, sizeof(*list));
	if (list == NULL)
		return -ENOMEM;
	if (left != 0)
		memcpy(list, n->blobs + n->blobs_at, left * sizeof(*list));
	for (size_t i = 0; i < request->n_sha256; i++) {
		if (request->sha256[i].len != STORE_SHA_BYTES) {
			free(list);
			return -EINVAL;
		}
		memcpy(list[left + i], request->sha256[i].data, STORE_SHA_BYTES);
	}
	free(n->blobs);
	n->blobs = list;
	n->blobs_at = 0;
	n->blobs_n = left + request->n_sha256;
	return 0;
}

static int send_chunk(struct feed_node *n, struct str blob, bool is_missing)
{
	Sluice__Stream__V1__ControlMessage m = SLUICE__STREAM__V1__CONTROL_MESSAGE__INIT;
	Sluice__Stream__V1__BlobChunk chunk = SLUICE__STREAM__V1__BLOB_CHUNK__INIT;
	struct str part = str_head(str_from(blob, n->blob_offset), CHUNK_BYTES);
	int r;

	chunk.sha256 = (ProtobufCBinaryData){STORE_SHA_BYTES, n->blobs[n->blobs_at]};
	chunk.offset = n->blob_offset;
	chunk.total = blob.n;
	chunk.data = (ProtobufCBinaryData){part.n, (uint8_t *)(uintptr_t)part.p};
	chunk.is_missing = is_missing;
	m.body_case = SLUICE__STREAM__V1__CONTROL_MESSAGE__BODY_CHUNK;
	m.chunk = &chunk;
	r = stream_peer_send(n->peer, &m);
	if (r != 0)
		return r;
	n->blob_offset += part.n;
	if (is_missing || n->blob_offset >= blob.n) {
		n->blobs_at++;
		n->blob_offset = 0;
	}
	return 0;
}

static int send_some(struct feed_node *n, struct store_txn *t)
{
	int r = 0;

	while (r == 0 && n->blobs_at < n->blobs_n && stream_peer_queued(n->peer) < QUEUED_MAX) {
		struct str blob = STR("");

		r = store_blob_get(t, n->blobs[n->blobs_at], &blob);
		if (r >= 0)
			r = send_chunk(n, blob, r == STORE_E_NONE);
	}
	return r;
}

void feed_node_send_blobs(struct feed_node *n, struct store *store)
{
	sl_auto(store_txn) t = NULL;

	if (n->peer == NULL || n->blobs_at == n->blobs_n)
		return;
	if (store_begin(store, false, &t, NULL) != 0 || send_some(n, t) != 0)
		stream_peer_close(n->peer, "code could not be sent");
}
