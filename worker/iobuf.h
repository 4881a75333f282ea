/* SPDX-License-Identifier: Apache-2.0
 *
 * Read buffers, recycled per worker.  One holds a message's head and what came with it
 * (slices of the exchange point into it: it lives until the request is logged); others
 * carry streamed bodies.  An idle connection holds none.
 */
#pragma once

#include <stddef.h>

#include "base/str.h"

#define IOBUF_BYTES 16384

struct iobuf {
	struct iobuf *next; /* in the pool */
	size_t cap, n, at;  /* p[at..n) is unread */
	char p[];
};

/* At least `cap` bytes; NULL = out of memory. */
struct iobuf *iobuf_get(size_t cap);
void iobuf_put(struct iobuf *b); /* NULL allowed */
/* A larger one with the same bytes; the old one is put back only on success. */
struct iobuf *iobuf_grow(struct iobuf *b, size_t cap);

static inline struct str iobuf_unread(const struct iobuf *b)
{
	return (struct str){b->p + b->at, b->n - b->at};
}
