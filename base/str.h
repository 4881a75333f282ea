/* SPDX-License-Identifier: Apache-2.0
 *
 * A slice of bytes that somebody else owns.  Not NUL-terminated; may hold NULs.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct str {
	const char *p;
	size_t n;
};

#define STR(literal) ((struct str){(literal), sizeof(literal) - 1})
#define STR_NONE ((struct str){NULL, 0})
/* For printf: printf("%.*s", STR_ARG(s)). */
#define STR_ARG(s) (int)(s).n, (s).p

static inline struct str str_of(const char *z)
{
	return (struct str){z, z != NULL ? strlen(z) : 0};
}

static inline bool str_eq(struct str a, struct str b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static inline bool str_starts(struct str s, struct str prefix)
{
	return s.n >= prefix.n && (prefix.n == 0 || memcmp(s.p, prefix.p, prefix.n) == 0);
}

static inline bool str_ends(struct str s, struct str suffix)
{
	return s.n >= suffix.n &&
	       (suffix.n == 0 || memcmp(s.p + s.n - suffix.n, suffix.p, suffix.n) == 0);
}

/* From byte `from` (clamped) to the end. */
static inline struct str str_from(struct str s, size_t from)
{
	if (s.n == 0) /* perhaps of no memory, to which nothing may be added */
		return s;
	return from >= s.n ? (struct str){s.p + s.n, 0} : (struct str){s.p + from, s.n - from};
}

/* The first n bytes (clamped). */
static inline struct str str_head(struct str s, size_t n)
{
	return (struct str){s.p, n < s.n ? n : s.n};
}

/* ASCII only, independent of the locale. */
/* None of the eight bytes at p is below a space or DEL: what may stand in a field's value. */
static inline bool str_is_plain8(const char *p)
{
	const uint64_t each = 0x0101010101010101U;
	uint64_t x, del;

	memcpy(&x, p, sizeof(x));
	del = x ^ each * 0x7f;
	return ((((x - each * 0x20) & ~x) | ((del - each) & ~del)) & each * 0x80) == 0;
}

static inline char ascii_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

bool str_ieq(struct str a, struct str b);

/* Byte offset of c / of needle in s, or -1. */
ptrdiff_t str_find_char(struct str s, char c);
ptrdiff_t str_find(struct str s, struct str needle);

/* Without spaces and tabs at both ends. */
struct str str_trim(struct str s);

/* Decimal digits only, no sign, no overflow; false leaves *ret alone. */
bool str_to_u64(struct str s, uint64_t *ret);

/* strcmp-like order. */
int str_cmp(struct str a, struct str b);
