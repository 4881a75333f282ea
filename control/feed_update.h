/* SPDX-License-Identifier: Apache-2.0
 *
 * The Update that brings a node from a generation it holds to the store's.
 */
#pragma once

#include <stdint.h>

#include "control/feed_node.h"

struct feed_update {
	uint64_t base; /* 0 = full */
	uint64_t generation;
	size_t resources_n, removed_n;
};

/* base: the generation the node holds in our epoch, 0 = send all.  Falls back to a full Update
 * when the change log does not reach back.  0, or -errno of store and stream. */
int feed_update_send(
		struct feed_node *n, struct store *store, uint64_t base, struct feed_update *ret);
