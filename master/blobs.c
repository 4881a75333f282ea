/* SPDX-License-Identifier: Apache-2.0 */
#include "master/blobs.h"

#include <errno.h>
#include <openssl/sha.h>
#include <string.h>

#include "base/buf.h"

struct blob {
	uint8_t sha256[32];
	uint64_t bytes;
	struct buf data;
	bool is_complete;
	const char *refusal; /* static text */
};

struct blobs {
	struct blob *all;
	size_t n, cap;
	ProtobufCBinaryData *names;
};

int blobs_new(struct blobs **ret)
{
	*ret = calloc(1, sizeof(**ret));
	return *ret != NULL ? 0 : -ENOMEM;
}

void blobs_free(struct blobs *b)
{
	if (b == NULL)
		return;
	for (size_t i = 0; i < b->n; i++)
		buf_done(&b->all[i].data);
	free(b->all);
	free(b->names);
	free(b);
}

static struct blob *find(const struct blobs *b, const uint8_t *sha256)
{
	for (size_t i = 0; i < b->n; i++) {
		if (memcmp(b->all[i].sha256, sha256, 32) == 0)
			return &b->all[i];
	}
	return NULL;
}

int blobs_want(struct blobs *b, const uint8_t sha256[32], uint64_t bytes)
{
	struct blob *grown;

	if (find(b, sha256) != NULL)
		return 0;
	if (b->n == b->cap) {
		grown = realloc(b->all, (b->cap * 2 + 8) * sizeof(*grown));
		if (grown == NULL)
			return -ENOMEM;
		b->all = grown;
		b->cap = b->cap * 2 + 8;
	}
	b->all[b->n] = (struct blob){.bytes = bytes};
	memcpy(b->all[b->n].sha256, sha256, 32);
	b->n++;
	return 0;
}

bool blobs_request(struct blobs *b, Sluice__Stream__V1__BlobRequest *ret)
{
	ProtobufCBinaryData *names;

	if (b->n == 0)
		return false;
	names = realloc(b->names, b->n * sizeof(*names));
	if (names == NULL)
		return false;
	b->names = names;
	for (size_t i = 0; i < b->n; i++)
		names[i] = (ProtobufCBinaryData){.data = b->all[i].sha256, .len = 32};
	ret->n_sha256 = b->n;
	ret->sha256 = names;
	return true;
}

static void finish(struct blob *e)
{
	uint8_t sha256[32];

	e->is_complete = true;
	SHA256((const uint8_t *)e->data.p, e->data.n, sha256);
	if (memcmp(sha256, e->sha256, 32) != 0) {
		e->refusal = "the code that came does not have the announced hash";
		buf_done(&e->data);
	}
}

static int violation(struct why *why, const char *what)
{
	why_set(why, "BlobChunk", 0, "%s", what);
	return -EPROTO;
}

int blobs_chunk(struct blobs *b, const Sluice__Stream__V1__BlobChunk *chunk, struct why *why)
{
	struct blob *e = chunk->sha256.len == 32 ? find(b, chunk->sha256.data) : NULL;

	if (e != NULL && e->refusal != NULL)
		return 0; /* the rest of what is refused already */
	if (e == NULL || e->is_complete)
		return violation(why, "a blob that was not asked for");
	if (chunk->is_missing) {
		e->is_complete = true;
		e->refusal = "control does not have this code";
		return 0;
	}
	if (chunk->total != e->bytes) {
		e->is_complete = true;
		e->refusal = "the code is not as long as announced";
		return 0;
	}
	if (chunk->offset != e->data.n || chunk->data.len > e->bytes - e->data.n ||
			(chunk->data.len == 0 && e->bytes != 0))
		return violation(why, "a chunk out of order");
	buf_add(&e->data, chunk->data.data, chunk->data.len);
	if (e->data.is_failed)
		return why_errno(why, ENOMEM, "BlobChunk");
	if (e->data.n == e->bytes)
		finish(e);
	return 0;
}

bool blobs_are_complete(const struct blobs *b)
{
	for (size_t i = 0; i < b->n; i++) {
		if (!b->all[i].is_complete)
			return false;
	}
	return true;
}

struct str blobs_get(const struct blobs *b, const uint8_t sha256[32], const char **ret_refusal)
{
	const struct blob *e = find(b, sha256);

	*ret_refusal = e != NULL ? e->refusal : NULL;
	return e != NULL && e->is_complete && e->refusal == NULL ? buf_str(&e->data) : STR_NONE;
}
