/* SPDX-License-Identifier: Apache-2.0 */
#include "base/str.h"

#define EACH(byte) (0x0101010101010101U * (uint64_t)(byte))

/* ascii_lower() of eight bytes at once: a byte's high bit comes up in one of the two sums, not
 * in both, when it is A…Z. */
static uint64_t lower8(uint64_t x)
{
	uint64_t low = x & EACH(0x7f), from_a = low + EACH(0x80 - 'A'),
		 past_z = low + EACH(0x7f - 'Z');

	return x | ((from_a ^ past_z) & ~x & EACH(0x80)) >> 2;
}

static bool ieq8(const char *a, const char *b)
{
	uint64_t x, y;

	memcpy(&x, a, sizeof(x));
	memcpy(&y, b, sizeof(y));
	return x == y || lower8(x) == lower8(y);
}

static bool ieq4(const char *a, const char *b)
{
	uint32_t x, y;

	memcpy(&x, a, sizeof(x));
	memcpy(&y, b, sizeof(y));
	return x == y || lower8(x) == lower8(y);
}

bool str_ieq(struct str a, struct str b)
{
	size_t i = 0;

	if (a.n != b.n)
		return false;
	if (a.n >= 8) {
		for (; i + 8 < a.n; i += 8)
			if (!ieq8(a.p + i, b.p + i))
				return false;
		return ieq8(a.p + a.n - 8, b.p + a.n - 8);
	}
	if (a.n >= 4)
		return ieq4(a.p, b.p) && ieq4(a.p + a.n - 4, b.p + a.n - 4);
	for (; i < a.n; i++)
		if (a.p[i] != b.p[i] && ascii_lower(a.p[i]) != ascii_lower(b.p[i]))
			return false;
	return true;
}

ptrdiff_t str_find_char(struct str s, char c)
{
	const char *at = s.n != 0 ? memchr(s.p, c, s.n) : NULL;

	return at != NULL ? at - s.p : -1;
}

ptrdiff_t str_find(struct str s, struct str needle)
{
	const char *at;

	if (needle.n == 0)
		return 0;
	at = s.n != 0 ? memmem(s.p, s.n, needle.p, needle.n) : NULL;
	return at != NULL ? at - s.p : -1;
}

struct str str_trim(struct str s)
{
	while (s.n != 0 && (s.p[0] == ' ' || s.p[0] == '\t'))
		s = str_from(s, 1);
	while (s.n != 0 && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t'))
		s.n--;
	return s;
}

bool str_to_u64(struct str s, uint64_t *ret)
{
	uint64_t v = 0;

	if (s.n == 0)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
		if (__builtin_mul_overflow(v, 10U, &v) ||
				__builtin_add_overflow(v, (uint64_t)(s.p[i] - '0'), &v))
			return false;
	}
	*ret = v;
	return true;
}

int str_cmp(struct str a, struct str b)
{
	size_t n = a.n < b.n ? a.n : b.n;
	int r = n != 0 ? memcmp(a.p, b.p, n) : 0;

	if (r != 0)
		return r;
	return a.n == b.n ? 0 : a.n < b.n ? -1 : 1;
}
