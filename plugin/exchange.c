/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/exchange.h"

#include <errno.h>

void exchange_init(
		struct exchange *x, struct arena *arena, const struct exchange_ops *ops, void *host)
{
	*x = (struct exchange){.magic = EXCHANGE_MAGIC, .arena = arena, .ops = ops, .host = host};
	headers_init(&x->request.headers, arena);
	headers_init(&x->response.headers, arena);
	headers_init(&x->response.service_headers, arena);
	headers_init(&x->answer.headers, arena);
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = ascii_lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The byte behind a "%XX" at s[at], or -1 when it is not one. */
static int percent_byte(struct str s, size_t at)
{
	int hi, lo;

	if (s.n - at < 3)
		return -1;
	hi = hex_digit(s.p[at + 1]);
	lo = hex_digit(s.p[at + 2]);
	return hi < 0 || lo < 0 ? -1 : hi * 16 + lo;
}

/* RFC 3986 2.3 */
static bool is_unreserved(int c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       c == '-' || c == '.' || c == '_' || c == '~';
}

/* No control, space or fragment anywhere; in the path only whole escapes, and no NUL. */
static bool target_is_clean(struct str target)
{
	bool is_path = true;

	for (size_t i = 0; i < target.n; i++) {
		unsigned char c = (unsigned char)target.p[i];

		if (c <= 0x20 || c == 0x7f || c == '#')
			return false;
		if (c == '?')
			is_path = false;
		if (c == '%' && is_path && percent_byte(target, i) <= 0)
			return false;
	}
	return target.n != 0;
}

/* "http://host/path?q" → "/path?q" (RFC 9112 3.2.2).  False when it is not of that form. */
static bool strip_authority(struct str target, struct str *ret)
{
	struct str rest;
	size_t i = 0;

	if (str_ieq(str_head(target, 7), STR("http://")))
		rest = str_from(target, 7);
	else if (str_ieq(str_head(target, 8), STR("https://")))
		rest = str_from(target, 8);
	else
		return false;
	while (i < rest.n && rest.p[i] != '/' && rest.p[i] != '?')
		i++;
	*ret = str_from(rest, i);
	return i != 0;
}

int exchange_set_target(struct exchange *x, struct str target)
{
	struct exchange_request *q = &x->request;
	struct str rest = target;
	ptrdiff_t mark;

	if (!target_is_clean(target))
		return -EINVAL;
	/* RFC 9112 3.2.4: the server as a whole */
	if (str_eq(target, STR("*")) && str_eq(q->method, STR("OPTIONS")))
		rest = STR("/");
	else if (target.p[0] != '/' && !strip_authority(target, &rest))
		return -EINVAL;
	mark = str_find_char(rest, '?');
	q->target = target;
	q->raw_path = mark < 0 ? rest : str_head(rest, (size_t)mark);
	q->raw_query = mark < 0 ? STR("") : str_from(rest, (size_t)mark + 1);
	if (q->raw_path.n == 0)
		q->raw_path = STR("/");
	q->path = path_normalize(x->arena, q->raw_path);
	return q->path.p != NULL ? 0 : -ENOMEM;
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

/* RFC 3986 6.2.2.1 and 6.2.2.2; never longer than what came in. */
static size_t decode_unreserved(struct str in, char *out)
{
	size_t n = 0;

	for (size_t i = 0; i < in.n; i++) {
		int c = in.p[i] == '%' ? percent_byte(in, i) : -1;

		if (c < 0) {
			out[n++] = in.p[i];
			continue;
		}
		if (is_unreserved(c)) {
			out[n++] = (char)c;
		} else {
			out[n++] = '%';
			out[n++] = "0123456789ABCDEF"[c >> 4];
			out[n++] = "0123456789ABCDEF"[c & 15];
		}
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
	n = 1 + decode_unreserved(raw_path, p + 1);
	n = remove_dot_segments(p, n);
	p[n] = '\0';
	return (struct str){p, n};
}
