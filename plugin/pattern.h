/* SPDX-License-Identifier: Apache-2.0
 *
 * Lua 5.1 patterns (reference manual 5.4.1: classes, sets, * + - ?, anchors, captures,
 * back-references, %b, %f) without Lua, with a bound on steps and depth, so that a hostile
 * pattern costs a known time.  Used by plugins' string functions and by schemas' `match`.
 *
 * Pure; any process and thread may call it.
 */
#pragma once

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

#define PATTERN_CAPTURES_MAX 32
#define PATTERN_DEPTH_MAX 200

enum pattern_result {
	PATTERN_NO_MATCH,
	PATTERN_MATCH,
	PATTERN_ERROR,       /* malformed: see .error */
	PATTERN_TOO_COMPLEX, /* over the step or depth limit: see .error */
	PATTERN_STOPPED,     /* *stop became true: see .error */
};

/* Bytes start .. start+n of the subject; is_position: a "()" capture, whose value is
 * start + 1. */
struct pattern_capture {
	size_t start, n;
	bool is_position;
};

/* One search or a row of searches of one subject.  Set up by pattern_begin(). */
struct pattern {
	struct str subject, text;
	uint64_t steps_left;
	const volatile sig_atomic_t *stop; /* polled; NULL allowed */
	bool is_anchored;

	/* After PATTERN_MATCH: */
	size_t start, end; /* of the whole match */
	unsigned n_captures;
	struct pattern_capture capture[PATTERN_CAPTURES_MAX];

	const char *error; /* literal, worded as LuaJIT does */

	/* matcher's own */
	unsigned depth;
};

/* steps are single comparisons; 0 = the default, 200,000 and 10 per subject byte (about half
 * a millisecond for short subjects).  Keeps pointers to both slices. */
void pattern_begin(struct pattern *p, struct str subject, struct str text, uint64_t max_steps);

/* The leftmost match that starts at byte `from` (0-based, <= subject.n) or later. */
enum pattern_result pattern_search(struct pattern *p, size_t from);
/* Only a match that starts exactly at byte `from`. */
enum pattern_result pattern_match_at(struct pattern *p, size_t from);

/* Capture i, or the whole match when i == 0 and there are none.  False: no such capture. */
bool pattern_get_capture(const struct pattern *p, unsigned i, struct pattern_capture *ret);

/* True when `text` holds no magic character: it can be searched as plain bytes. */
bool pattern_is_plain(struct str text);

/* For schemas: does `text` match somewhere in subject?  Errors count as no match and, when
 * error is not NULL, are told there (else *error is NULL). */
bool pattern_matches(struct str subject, struct str text, const char **error);
/* NULL, or what is wrong with `text` as a pattern (found without a subject, so only what is
 * wrong with its form). */
const char *pattern_check(struct str text);
