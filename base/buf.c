/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

void buf_done(struct buf *b)
{
	free(b->p);
	*b = (struct buf){.p = NULL};
}

void buf_clear(struct buf *b)
{
	b->n = 0;
	b->is_failed = false;
}

bool buf_reserve(struct buf *b, size_t n)
{
	size_t cap = b->cap != 0 ? b->cap : 256;
	char *p;

	if (b->is_failed || n > SIZE_MAX / 4 - b->n) {
		b->is_failed = true;
		return false;
	}
	if (b->p != NULL && b->cap - b->n >= n)
		return true;
	while (cap - b->n < n)
		cap *= 2;
	p = realloc(b->p, cap);
	if (p == NULL) {
		b->is_failed = true;
		return false;
	}
	b->p = p;
	b->cap = cap;
	return true;
}

void buf_add(struct buf *b, const void *p, size_t n)
{
	if (n == 0 || !buf_reserve(b, n))
		return;
	memcpy(b->p + b->n, p, n);
	b->n += n;
}

void buf_add_str(struct buf *b, struct str s)
{
	buf_add(b, s.p, s.n);
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0 || !buf_reserve(b, (size_t)n + 1))
		return;
	va_start(ap, fmt);
	vsnprintf(b->p + b->n, (size_t)n + 1, fmt, ap);
	va_end(ap);
	b->n += (size_t)n;
}

void buf_consume(struct buf *b, size_t n)
{
	if (n >= b->n) {
		b->n = 0;
		return;
	}
	memmove(b->p, b->p + n, b->n - n);
	b->n -= n;
}

const char *buf_z(struct buf *b)
{
	if (!buf_reserve(b, 1))
		return NULL;
	b->p[b->n] = '\0';
	return b->p;
}
