/* SPDX-License-Identifier: Apache-2.0
 *
 * Where a message's head ends, and whether its bytes are strictly formed (RFC 9112 2.2,
 * 3, 4, 5): CRLF at every line end, tokens, no bare CR or LF, no NUL, no folding, no space
 * before a colon.  Works line by line as bytes arrive, each byte looked at once, and gives
 * the same answer however the bytes were split.  What passes is then split by llhttp.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

struct h1_limits {
	size_t line_max;    /* bytes of the first line */
	size_t head_max;    /* bytes of the fields */
	uint32_t count_max; /* fields */
};

/* Zero-initialised = at the start of a message. */
struct h1_scan {
	size_t start;     /* of the first line: behind one empty line */
	size_t line;      /* of the line being read */
	size_t searched;  /* no LF before this offset in that line */
	size_t first_end; /* behind the first line's CRLF; 0 = not there yet */
	uint32_t n_fields;
	bool is_response;
};

#define H1_INCOMPLETE 0

/* p[0..n) is the message so far, from its first byte.  Returns the length of the head with
 * its empty line, H1_INCOMPLETE, or the negated HTTP status to refuse it with: -400, -414
 * (first line too long), -431 (fields too long or too many). */
ptrdiff_t h1_scan(struct h1_scan *s, const struct h1_limits *limits, const char *p, size_t n);

/* RFC 9110 5.6.2 */
bool h1_is_tchar(unsigned char c);
/* field-vchar, SP, HTAB, obs-text */
bool h1_is_value_char(unsigned char c);
/* A field that plugins may have written: a token, and nothing that would end the line. */
bool h1_field_is_clean(struct str name, struct str value);
