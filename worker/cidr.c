/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/cidr.h"

#include <arpa/inet.h>

#define TEXT_MAX 46

static bool address_parse(struct str text, struct cidr *ret, unsigned *ret_width)
{
	char z[TEXT_MAX + 1];

	if (text.n == 0 || text.n > TEXT_MAX)
		return false;
	memcpy(z, text.p, text.n);
	z[text.n] = '\0';
	if (inet_pton(AF_INET, z, ret->bytes + 12) == 1) {
		memset(ret->bytes, 0, 10);
		memset(ret->bytes + 10, 0xff, 2);
		*ret_width = 32;
		return true;
	}
	*ret_width = 128;
	return inet_pton(AF_INET6, z, ret->bytes) == 1;
}

bool cidr_parse(struct str text, struct cidr *ret)
{
	ptrdiff_t slash = str_find_char(text, '/');
	struct str address = slash < 0 ? text : str_head(text, (size_t)slash);
	unsigned width;
	uint64_t bits;

	if (!address_parse(address, ret, &width))
		return false;
	bits = width;
	if (slash >= 0 && !str_to_u64(str_from(text, (size_t)slash + 1), &bits))
		return false;
	if (bits > width)
		return false;
	ret->bits = (uint8_t)(128 - width + bits);
	return true;
}

bool cidr_has(const struct cidr *block, const struct cidr *address)
{
	unsigned whole = block->bits / 8U, rest = block->bits % 8U;

	if (memcmp(block->bytes, address->bytes, whole) != 0)
		return false;
	if (rest == 0)
		return true;
	return ((block->bytes[whole] ^ address->bytes[whole]) >> (8 - rest)) == 0;
}
