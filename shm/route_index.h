/* SPDX-License-Identifier: Apache-2.0
 *
 * Which routes may match a host and path: an index inside the snapshot, kept by the
 * writer one route at a time and read in place.  It narrows 100,000 routes to a handful;
 * worker/route decides among those (methods, headers, SNI, sources, regex) and picks by
 * priority.
 *
 * Keys of the index (db "route"): host pattern ('' = any host), hashed, then the path, in
 * order; beside them each pattern's regex paths, and a summary of which patterns there are.
 * Routes of a disabled service are not in it.
 */
#pragma once

#include <stdint.h>

#include "base/str.h"
#include "shm/snapshot.h"

/* One (route, path) pair: Kong splits a route with several paths likewise. */
struct route_candidate {
	struct str route_id;
	struct str path; /* a prefix of the path, or the regex without '~'; n == 0: no path
			    attribute */
	bool is_regex;
	bool host_is_wildcard, host_is_set;
	uint64_t priority; /* Kong's 64-bit traditional_compatible priority */
	int64_t created_at;
};

/* Calls fn for every candidate of host (lower-case, no port; may be empty) and port, in no
 * order, a route with several hosts perhaps twice; stops when fn returns false.  Allocates
 * nothing.  fn must not look up in the same view again. */
typedef bool route_candidate_fn(void *arg, const struct route_candidate *c);
void route_index_find(const struct snap_view *v, struct str host, uint16_t port, struct str path,
		route_candidate_fn *fn, void *arg);
