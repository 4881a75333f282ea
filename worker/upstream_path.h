/* SPDX-License-Identifier: Apache-2.0
 *
 * The path sent to a service: Kong's path_handling table (v0, v1).
 */
#pragma once

#include <stdbool.h>

#include "base/arena.h"
#include "base/str.h"

struct upstream_path {
	struct str service; /* the service's path; n == 0: "/" */
	struct str request; /* normalized request path */
	size_t matched;     /* bytes of request that the route's path matched */
	bool strips;        /* strip_path */
	bool is_v1;         /* path_handling v1: plain concatenation */
};

/* STR_NONE = out of memory. */
struct str upstream_path_make(struct arena *a, const struct upstream_path *u);
