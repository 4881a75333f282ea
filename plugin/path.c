/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/path.h"

#include <string.h>

int percent_byte(struct str s, size_t at)
{
	uint8_t byte;

	if (s.n - at < 3 || !hex_decode(str_head(str_from(s, at + 1), 2), &byte, 1))
		return -1;
	return byte;
}

size_t percent_write(char *out, unsigned char c)
{
	static const char digits[] = "0123456789ABCDEF";

	out[0] = '%';
	out[1] = digits[c >> 4];
	out[2] = digits[c & 15];
	return 3;
}

static bool is_normal(struct str path)
{
	if (path.n == 0 || path.p[0] != '/')
		return false;
	for (size_t i = 0; i < path.n; i++) {
		if (path.p[i] == '%')
			return false;
		if (path.p[i] == '/' && i + 1 < path.n &&
				(path.p[i + 1] == '/' || path.p[i + 1] == '.'))
			return false;
	}
	return true;
}

/* What keeps its escape: it would mean something else in a path, or in a target, unescaped. */
static bool is_reserved(int c)
{
	return c > 0 && c < 0x80 && strchr("!*'();:@&=+$,/?%#[]", c) != NULL;
}

/* RFC 3986 6.2.2.1 and, further than 6.2.2.2, all but the reserved; never longer than what
 * came in. */
static size_t decode(struct str in, char *out)
{
	size_t n = 0;

	for (size_t i = 0; i < in.n; i++) {
		int c = in.p[i] == '%' ? percent_byte(in, i) : -1;

		if (c < 0) {
			out[n++] = in.p[i];
			continue;
		}
		if (is_reserved(c))
			n += percent_write(out + n, (unsigned char)c);
		else
			out[n++] = (char)c;
		i += 2;
	}
	return n;
}

/* Where the output ends once its last segment is gone: "/a/b" → "/a". */
static size_t drop_segment(const char *out, size_t n)
{
	while (n > 0 && out[n - 1] != '/')
		n--;
	return n > 0 ? n - 1 : 0;
}

/* RFC 3986 5.2.4 in place, empty segments merged; p does not have to start with '/'. */
static size_t remove_dot_segments(char *p, size_t n)
{
	size_t out = 0, i = 0;
	bool ends_in_slash = false;

	while (i < n) {
		size_t start = i, len;

		while (i < n && p[i] != '/')
			i++;
		len = i - start;
		ends_in_slash = i < n;
		i += ends_in_slash;
		if (len == 0)
			continue;
		if (len == 1 && p[start] == '.') {
			ends_in_slash = true;
		} else if (len == 2 && p[start] == '.' && p[start + 1] == '.') {
			out = drop_segment(p, out);
			ends_in_slash = true;
		} else {
			p[out++] = '/';
			memmove(p + out, p + start, len);
			out += len;
		}
	}
	if (ends_in_slash || out == 0)
		p[out++] = '/';
	return out;
}

struct str path_normalize(struct arena *a, struct str raw_path)
{
	char *p;
	size_t n;

	if (is_normal(raw_path))
		return raw_path;
	/* One more byte: the '/' that a relative path gets in front. */
	p = arena_alloc(a, raw_path.n + 2);
	if (p == NULL)
		return STR_NONE;
	p[0] = '/';
	n = 1 + decode(raw_path, p + 1);
	n = remove_dot_segments(p, n);
	p[n] = '\0';
	return (struct str){p, n};
}

/* RFC 3986 3.3, and '[' and ']' as the reference has it; a '%' is judged by what follows. */
/* clang-format off */
static const bool stands_in_path[256] = {
	['0' ... '9'] = true, ['a' ... 'z'] = true, ['A' ... 'Z'] = true,
	['!'] = true, ['$'] = true, ['%'] = true, ['&'] = true, ['\''] = true, ['('] = true,
	[')'] = true, ['*'] = true, ['+'] = true, [','] = true, ['-'] = true, ['.'] = true,
	['/'] = true, [':'] = true, [';'] = true, ['='] = true, ['@'] = true, ['['] = true,
	[']'] = true, ['_'] = true, ['~'] = true,
};
/* clang-format on */

static bool must_escape(struct str s, size_t at)
{
	unsigned char c = (unsigned char)s.p[at];

	return !stands_in_path[c] || (c == '%' && percent_byte(s, at) < 0);
}

struct str path_escape(struct arena *a, struct str path)
{
	size_t i = 0, n;
	char *p;

	while (i < path.n && !must_escape(path, i))
		i++;
	if (i == path.n)
		return path;
	p = arena_alloc(a, path.n * 3 + 1);
	if (p == NULL)
		return STR_NONE;
	memcpy(p, path.p, i);
	for (n = i; i < path.n; i++) {
		if (must_escape(path, i))
			n += percent_write(p + n, (unsigned char)path.p[i]);
		else
			p[n++] = path.p[i];
	}
	p[n] = '\0';
	return (struct str){p, n};
}
