/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/iobuf.h"

#include <stdlib.h>
#include <string.h>

#define POOL_MAX 256 /* 4 MiB at most stay with an idle worker */

static struct iobuf *pool;
static unsigned pool_n;

struct iobuf *iobuf_get(size_t cap)
{
	struct iobuf *b = pool;

	if (cap <= IOBUF_BYTES && b != NULL) {
		pool = b->next;
		pool_n--;
	} else {
		cap = cap > IOBUF_BYTES ? cap : IOBUF_BYTES;
		b = malloc(sizeof(*b) + cap);
		if (b == NULL)
			return NULL;
		b->cap = cap;
	}
	b->n = b->at = 0;
	return b;
}

void iobuf_put(struct iobuf *b)
{
	if (b == NULL)
		return;
	if (b->cap != IOBUF_BYTES || pool_n >= POOL_MAX) {
		free(b);
		return;
	}
	b->next = pool;
	pool = b;
	pool_n++;
}

struct iobuf *iobuf_grow(struct iobuf *b, size_t cap)
{
	struct iobuf *to = iobuf_get(cap);

	if (to == NULL)
		return NULL;
	memcpy(to->p, b->p, b->n);
	to->n = b->n;
	to->at = b->at;
	iobuf_put(b);
	return to;
}
