/* SPDX-License-Identifier: Apache-2.0 */
#include "base/hex.h"

#include <stdio.h>
#include <sys/random.h>

#include "base/check.h"

void hex_encode(const void *bytes, size_t n, char *ret_text)
{
	static const char digits[] = "0123456789abcdef";
	const uint8_t *b = bytes;

	for (size_t i = 0; i < n; i++) {
		ret_text[2 * i] = digits[b[i] >> 4];
		ret_text[2 * i + 1] = digits[b[i] & 15];
	}
	ret_text[2 * n] = '\0';
}

static int hex_digit(char c)
{
	c = ascii_lower(c);
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool hex_decode(struct str text, void *ret_bytes, size_t n)
{
	uint8_t *b = ret_bytes;

	if (text.n != 2 * n)
		return false;
	for (size_t i = 0; i < n; i++) {
		int hi = hex_digit(text.p[2 * i]), lo = hex_digit(text.p[2 * i + 1]);

		if (hi < 0 || lo < 0)
			return false;
		b[i] = (uint8_t)(hi << 4 | lo);
	}
	return true;
}

void random_bytes(void *ret, size_t n)
{
	char *p = ret;

	while (n != 0) {
		ssize_t got = getrandom(p, n, 0);

		sl_assert(got > 0);
		p += got;
		n -= (size_t)got;
	}
}

void uuid_make(char ret_text[UUID_TEXT_BYTES])
{
	uint8_t b[16];
	char hex[33];

	random_bytes(b, sizeof(b));
	b[6] = (uint8_t)((b[6] & 0x0f) | 0x40);
	b[8] = (uint8_t)((b[8] & 0x3f) | 0x80);
	hex_encode(b, sizeof(b), hex);
	snprintf(ret_text, UUID_TEXT_BYTES, "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12,
			hex + 16, hex + 20);
}

bool uuid_is_valid(struct str text)
{
	if (text.n != 36)
		return false;
	for (size_t i = 0; i < 36; i++) {
		bool is_dash = i == 8 || i == 13 || i == 18 || i == 23;

		if (is_dash ? text.p[i] != '-' : hex_digit(text.p[i]) < 0)
			return false;
	}
	return true;
}
