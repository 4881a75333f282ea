/* SPDX-License-Identifier: Apache-2.0
 *
 * The Update that brings a node from a generation it holds to the store's, in as many parts as it
 * takes.  Parts are made while the connection takes them, from one read transaction.
 */
#pragma once

#include <stdint.h>

#include "base/cleanup.h"
#include "control/feed_node.h"

struct feed_update;

struct feed_update_facts {
	uint64_t base; /* 0 = full */
	uint64_t generation;
	uint64_t resources_n, removed_n; /* sent so far */
	uint32_t parts_n;
};

/* base: the generation the node holds in our epoch, 0 = send all.  Falls back to a full Update
 * when the change log does not reach back.  Makes n->nonce.  0, or -errno of the store. */
int feed_update_new(
		struct feed_update **ret, struct feed_node *n, struct store *store, uint64_t base);
void feed_update_free(struct feed_update *u);
SL_DEFINE_AUTO(feed_update);

/* Sends what the node's connection takes now.  1: all is sent; 0: call again when it has drained;
 * -errno of store and stream. */
int feed_update_send(struct feed_update *u);
struct feed_update_facts feed_update_facts(const struct feed_update *u);
