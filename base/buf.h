/* SPDX-License-Identifier: Apache-2.0
 *
 * A growable byte buffer on the heap, for data whose life is not a request's.
 * Embedded by value; zero-initialised = empty.  A failed growth makes the buffer
 * sticky-failed (is_failed), so that a writer may check once at the end.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"

struct buf {
	char *p;
	size_t n, cap;
	bool is_failed;
};

void buf_done(struct buf *b);  /* frees, and is empty again */
void buf_clear(struct buf *b); /* keeps the memory */
/* Room for n more bytes; false = out of memory, is_failed set. */
bool buf_reserve(struct buf *b, size_t n);
void buf_add(struct buf *b, const void *p, size_t n);
void buf_add_str(struct buf *b, struct str s);
void buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Drops n bytes (clamped) from the front. */
void buf_consume(struct buf *b, size_t n);
/* NUL-terminates (the NUL is not counted) and returns p; NULL when failed. */
const char *buf_z(struct buf *b);

static inline struct str buf_str(const struct buf *b)
{
	return (struct str){b->p, b->n};
}

#define sl_auto_buf __attribute__((cleanup(buf_done))) struct buf
