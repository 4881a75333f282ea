/* SPDX-License-Identifier: Apache-2.0
 *
 * Writes the head of a message into an arena: bytes appended, room made as needed.
 */
#pragma once

#include <stdio.h>

#include "base/arena.h"
#include "base/str.h"

struct text {
	struct arena *arena;
	char *p;
	size_t n, cap;
	bool is_failed;
};

/* Room for about cap bytes at first. */
static inline void text_init(struct text *t, struct arena *a, size_t cap)
{
	*t = (struct text){.arena = a, .p = arena_alloc(a, cap), .cap = cap};
	t->is_failed = t->p == NULL;
}

static inline bool text_reserve(struct text *t, size_t n)
{
	size_t cap = t->cap;

	if (t->is_failed)
		return false;
	if (t->cap - t->n >= n)
		return true;
	while (cap - t->n < n)
		cap *= 2;
	t->p = arena_grow(t->arena, t->p, t->n, cap);
	t->cap = cap;
	t->is_failed = t->p == NULL;
	return !t->is_failed;
}

static inline void text_add(struct text *t, struct str s)
{
	if (s.n == 0 || !text_reserve(t, s.n))
		return;
	memcpy(t->p + t->n, s.p, s.n);
	t->n += s.n;
}

static inline void text_add_u64(struct text *t, uint64_t v)
{
	char digits[20];
	size_t i = sizeof(digits);

	do
		digits[--i] = (char)('0' + v % 10);
	while ((v /= 10) != 0);
	text_add(t, (struct str){digits + i, sizeof(digits) - i});
}

/* "name: value\r\n" */
static inline void text_add_field(struct text *t, struct str name, struct str value)
{
	if (!text_reserve(t, name.n + value.n + 4))
		return;
	memcpy(t->p + t->n, name.p, name.n);
	t->n += name.n;
	memcpy(t->p + t->n, ": ", 2);
	t->n += 2;
	if (value.n != 0)
		memcpy(t->p + t->n, value.p, value.n);
	t->n += value.n;
	memcpy(t->p + t->n, "\r\n", 2);
	t->n += 2;
}

static inline struct str text_str(const struct text *t)
{
	return t->is_failed ? STR_NONE : (struct str){t->p, t->n};
}
