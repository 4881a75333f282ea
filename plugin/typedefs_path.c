/* SPDX-License-Identifier: Apache-2.0
 *
 * Paths (RFC 3986 3.3), router paths, URLs.
 */
#include "plugin/typedefs_part.h"

#include <string.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "base/arena.h"
#include "plugin/path.h"

static bool is_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static bool is_hex(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static bool has_only_path_characters(struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (!is_alnum(s.p[i]) &&
				(s.p[i] == '\0' || strchr("/.-_~%!$&'()*+,;=:@", s.p[i]) == NULL))
			return false;
	}
	return true;
}

/* Every % is followed by two hexadecimal digits. */
static bool check_encoding(struct str s, struct buf *msg)
{
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] != '%')
			continue;
		if (i + 2 < s.n && is_hex(s.p[i + 1]) && is_hex(s.p[i + 2]))
			continue;
		buf_printf(msg, "invalid url-encoded value: '%.*s'",
				STR_ARG(str_head(str_from(s, i), 3)));
		return false;
	}
	return true;
}

bool typedef_check_path(struct str text, struct buf *msg)
{
	if (!has_only_path_characters(text)) {
		buf_printf(msg,
				"invalid path: '%.*s' (characters outside of the reserved list of "
				"RFC "
				"3986 found)",
				STR_ARG(text));
		return false;
	}
	return check_encoding(text, msg);
}

static bool check_regex(struct str text, struct buf *msg)
{
	PCRE2_UCHAR reason[128];
	PCRE2_SIZE at = 0;
	int err = 0;
	pcre2_code *code = pcre2_compile((PCRE2_SPTR)text.p, text.n, 0, &err, &at, NULL);

	if (code != NULL) {
		pcre2_code_free(code);
		return true;
	}
	pcre2_get_error_message(err, reason, sizeof(reason));
	buf_printf(msg, "invalid regex: '%.*s' (PCRE returned: %s at offset %zu)", STR_ARG(text),
			(const char *)reason, at);
	return false;
}

static bool check_normalized(struct str text, struct buf *msg)
{
	sl_auto(arena) arena = NULL;
	struct str normal;

	if (arena_new(&arena, 0) < 0)
		return true;
	normal = path_normalize(arena, text);
	if (normal.p == NULL || str_eq(normal, text))
		return true;
	buf_printf(msg, "non-normalized path, consider use '%.*s' instead", STR_ARG(normal));
	return false;
}

bool typedef_check_router_path(struct str text, struct buf *msg)
{
	if (str_starts(text, STR("~")))
		return check_regex(str_from(text, 1), msg);
	/* A normalized path holds what typedefs.path would have escaped. */
	return check_encoding(text, msg) && check_normalized(text, msg);
}

bool typedef_check_router_header(struct str text, struct buf *msg)
{
	return !str_starts(text, STR("~*")) || check_regex(str_from(text, 2), msg);
}

/* scheme://host…: what a URL must have here. */
bool typedef_check_url(struct str text, struct buf *msg)
{
	ptrdiff_t at = str_find(text, STR("://"));
	struct str rest = at < 0 ? text : str_from(text, (size_t)at + 3);
	size_t n = 0;

	while (n < rest.n && memchr("/?#", rest.p[n], 3) == NULL)
		n++;
	if (at < 0 && !str_starts(text, STR("//"))) {
		buf_printf(msg, "missing host in url");
		return false;
	}
	if (at >= 0 && (n == 0 || rest.p[0] == ':' || rest.p[n - 1] == '@')) {
		buf_printf(msg, "missing host in url");
		return false;
	}
	if (at > 0)
		return true;
	buf_printf(msg, "missing scheme in url");
	return false;
}
