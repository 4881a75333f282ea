/* SPDX-License-Identifier: Apache-2.0
 *
 * What is to leave on a socket: a few slices, sent with one call.  Nothing is copied: the
 * slices stay valid until out_flush() returned 0.
 */
#pragma once

#include "base/str.h"
#include "worker/io.h"

#define OUT_SLICES 16
#define OUT_CHUNKS 4

struct out {
	struct iovec v[OUT_SLICES];
	int at, n, n_chunks;
	char sizes[OUT_CHUNKS][20]; /* chunk lines */
	uint64_t sent;              /* bytes since it was zeroed */
};

static inline bool out_is_empty(const struct out *o)
{
	return o->n == 0;
}

/* True while that many more slices fit. */
static inline bool out_has_room(const struct out *o, int n)
{
	return o->n + n <= OUT_SLICES;
}

/* True while one more chunk fits. */
static inline bool out_has_chunk_room(const struct out *o)
{
	return out_has_room(o, 4) && o->n_chunks < OUT_CHUNKS;
}

/* data as a chunk (RFC 9112 7.1); nothing when it is empty. */
void out_add_chunk(struct out *o, struct str data);
/* The last chunk. */
void out_add_chunk_end(struct out *o);

/* Empty slices are dropped.  There must be room. */
void out_add(struct out *o, struct str s);
/* 0 = all gone; -EAGAIN = wait for the socket; -errno */
int out_flush(struct out *o, struct io *io);
