/* SPDX-License-Identifier: Apache-2.0
 *
 * Between the files of the route module only.
 */
#pragma once

#include "worker/route.h"

/* A regex of a route, found again by its text. */
struct route_regex {
	struct route_regex *next;
	char *text;
	pcre2_code *code; /* NULL: does not compile, matches nothing */
};

/* Compiled on first use; NULL = out of memory. */
struct route_regex *route_regex_get(struct route *r, struct str text, bool is_path);
void route_regex_free(struct route_regex *list);
/* Bytes matched from the start (paths) or anywhere (headers), or -1.  Bounded effort. */
ptrdiff_t route_regex_match(const struct route_regex *re, struct str subject);
/* {"unnamed":[whole, …],"named":{…}}; STR_NONE when it does not match or out of memory. */
struct str route_regex_captures(const struct route_regex *re, struct str subject, struct arena *a);

/* Everything but host and path, which the index has decided. */
bool route_attributes_match(struct route *r, const struct exchange *x);

struct route *route_load(struct str record, struct engine *engine, const struct snap_view *view,
		struct assoc *services, uint64_t generation);
void route_unref(struct route *r);
extern const struct assoc_kind route_service_kind;
