/* SPDX-License-Identifier: Apache-2.0
 *
 * Single arguments of a query string, without making a table of all.  Knows no Lua.
 */
#pragma once

#include <stdbool.h>

#include "base/arena.h"
#include "base/str.h"

/* One name[=value]; value.p == NULL: there is no '='. */
struct query_item {
	struct str name, value; /* still escaped */
};

/* Cuts the next item off *rest; empty ones are skipped.  False at the end. */
bool query_next(struct str *rest, struct query_item *ret);
/* True when the escaped name stands for `plain`. */
bool query_name_is(struct str escaped, struct str plain);
/* %XX and '+' decoded, into the arena (or s itself when there is nothing to decode). */
struct str query_unescape(struct arena *a, struct str s);
