/* SPDX-License-Identifier: Apache-2.0 */
#include "stream/grpc_status.h"

#include <stdint.h>

#include "base/hex.h"

static const char *const status_names[] = {
#define X(name, number) [number] = #name,
		GRPC_STATUS_TABLE(X)
#undef X
};

const char *grpc_status_name(unsigned status)
{
	if (status >= sizeof(status_names) / sizeof(status_names[0]))
		return "UNKNOWN";
	return status_names[status];
}

size_t grpc_message_encode(char *ret, size_t size, const char *text)
{
	static const char digits[] = "0123456789ABCDEF";
	size_t n = 0;

	for (; *text != '\0'; text++) {
		uint8_t c = (uint8_t)*text;
		bool is_plain = c >= 0x20 && c <= 0x7e && c != '%';

		if (n + (is_plain ? 1U : 3U) >= size)
			break;
		if (is_plain) {
			ret[n++] = *text;
			continue;
		}
		ret[n++] = '%';
		ret[n++] = digits[c >> 4];
		ret[n++] = digits[c & 15];
	}
	ret[n] = '\0';
	return n;
}

size_t grpc_message_decode(char *ret, size_t size, struct str text)
{
	size_t n = 0;

	for (size_t i = 0; i < text.n && n + 1 < size; i++) {
		char c = text.p[i];

		if (c == '%' && text.n - i > 2 &&
				hex_decode((struct str){text.p + i + 1, 2}, &c, 1))
			i += 2;
		ret[n++] = c;
	}
	ret[n] = '\0';
	return n;
}
