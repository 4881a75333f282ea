/* SPDX-License-Identifier: Apache-2.0
 *
 * Names of entities, tags, headers and cookies.
 */
#include "plugin/typedefs_part.h"

#include <string.h>

#include <jansson.h>

#include "plugin/headers.h"

static bool is_name_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c != '\0' && strchr(".-_~", c) != NULL);
}

bool typedef_check_name(struct str text, struct buf *msg)
{
	for (size_t i = 0; i < text.n; i++) {
		if (is_name_char(text.p[i]))
			continue;
		buf_printf(msg,
				"invalid value '%.*s': it must only contain alphanumeric and '., "
				"-, "
				"_, ~' characters",
				STR_ARG(text));
		return false;
	}
	return true;
}

/* JSON strings are valid UTF-8 already: only the ASCII part is to be looked at. */
bool typedef_check_utf8_name(struct str text, struct buf *msg)
{
	for (size_t i = 0; i < text.n; i++) {
		if ((unsigned char)text.p[i] >= 0x80 || is_name_char(text.p[i]))
			continue;
		buf_printf(msg,
				"invalid value '%.*s': the only accepted ascii characters are "
				"alphanumerics or ., -, _, and ~",
				STR_ARG(text));
		return false;
	}
	return true;
}

bool typedef_check_tag(struct str text, struct buf *msg)
{
	for (size_t i = 0; i < text.n; i++) {
		unsigned char c = (unsigned char)text.p[i];

		if (c >= 0x80 || (c >= 0x20 && c < 0x7f && c != ',' && c != '/'))
			continue;
		buf_printf(msg,
				"invalid tag '%.*s': expected printable ascii (except `,` and `/`) "
				"or valid utf-8 sequences",
				STR_ARG(text));
		return false;
	}
	return true;
}

bool typedef_check_header_name(struct str text, struct buf *msg)
{
	if (headers_name_is_valid(text))
		return true;
	buf_printf(msg,
			"bad header name '%.*s', allowed characters are A-Z, a-z, 0-9, '_', and "
			"'-'",
			STR_ARG(text));
	return false;
}

bool typedef_check_cookie_name(struct str text, struct buf *msg)
{
	if (headers_name_is_valid(text))
		return true;
	buf_printf(msg, "contains one or more invalid characters. ASCII control characters "
			"(0-31;127), "
			"space, tab and the characters ()<>@,;:\\\"/?={}[] are not allowed.");
	return false;
}
