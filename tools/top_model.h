/* SPDX-License-Identifier: Apache-2.0
 *
 * What `sluicectl top` shows: rates between two looks at a node, as a document.
 */
#pragma once

#include <jansson.h>
#include <stdint.h>

#include "base/why.h"

/* One look: the node's documents and when they were asked for. */
struct top_look {
	json_t *status, *workers, *plugins, *latency, *traffic;
	uint64_t at_ns; /* monotonic */
};
/* 0 or -errno with why; fill only an empty one. */
int top_look(struct top_look *ret, const char *prefix, struct why *why);
void top_look_done(struct top_look *l);

/* {"interval_ms","node":{…},"workers":[…],"plugins":[…],"routes":[…]}; plugins ordered by `sort`
 * (share, runs, p99, errors, name).  A new reference; NULL: no memory. */
json_t *top_model(const struct top_look *before, const struct top_look *now, const char *sort);
/* "share" → "runs" → …; NULL: that is none. */
const char *top_next_sort(const char *sort);
