/* SPDX-License-Identifier: Apache-2.0
 *
 * Perl-compatible regular expressions on request data, compiled once per process and kept in
 * a bounded cache; PCRE2 with its JIT.  Every match has a step limit, so that a catastrophic
 * pattern fails instead of holding the worker.
 */
#pragma once

#include <stddef.h>

#include "base/str.h"
#include "base/why.h"

struct regex;

/* options: ngx.re's letters (a d D i j J m n o s u U x); NULL = none.  Borrowed from the cache:
 * valid until the next regex_get().  0, -EINVAL with why, -ENOTSUP with why: no such letter;
 * -ENOMEM. */
int regex_get(struct regex **ret, struct str pattern, const char *options, struct why *why);

/* Groups of the pattern, without the whole match. */
unsigned regex_groups(const struct regex *r);
/* The name of group i (1 …), or STR_NONE. */
bool regex_is_utf(const struct regex *r); /* options u, U */
bool regex_has_duplicate_names(
		const struct regex *r); /* option D: a name may have several groups */
struct str regex_group_name(const struct regex *r, unsigned i);

#define REGEX_UNSET ((size_t)-1)

/* From byte `from` of s.  1: *ret_spans holds 2 * (groups + 1) offsets (REGEX_UNSET = the group
 * took no part), valid until the next call.  0: no match.  -EINVAL with why: bad UTF-8, or over
 * the step limit. */
int regex_match(struct regex *r, struct str s, size_t from, const size_t **ret_spans,
		struct why *why);
