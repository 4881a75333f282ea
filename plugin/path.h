/* SPDX-License-Identifier: Apache-2.0
 *
 * Paths: the form that routes and plugins see, and the form that goes into a request line.
 * Percent-escapes, one by one, for whoever reads them.
 */
#pragma once

#include "base/arena.h"
#include "base/hex.h"
#include "base/str.h"

/* The byte that the escape at s[at] ("%XX", either case) stands for; -1: not an escape. */
int percent_byte(struct str s, size_t at);
/* Writes "%XX", upper-case; 3. */
size_t percent_write(char *out, unsigned char c);

/* The normalized form: every escape decoded but those of reserved characters
 * (!*'();:@&=+$,/?%#[]), which get upper-case digits; "//" merged; dot segments removed (RFC
 * 3986 5.2.4).  May hold any byte: never write it to a peer, path_escape() is for that.  In the
 * arena, or raw_path itself; STR_NONE: out of memory. */
struct str path_normalize(struct arena *a, struct str raw_path);

/* Fit for a request line and a header: what RFC 3986 3.3 does not allow in a path is escaped,
 * escapes that are there stay.  In the arena, or path itself; STR_NONE: out of memory. */
struct str path_escape(struct arena *a, struct str path);
