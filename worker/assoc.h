/* SPDX-License-Identifier: Apache-2.0
 *
 * A bounded cache from bytes to ref-counted objects: 4-way sets, the least recently used of
 * a set goes.  Entries carry the generation they were made in: an older one is a miss, so a
 * generation switch costs nothing; assoc_sweep() gives their memory back bit by bit.
 * Keys an attacker chooses can only evict, never lengthen a search.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/str.h"

#define ASSOC_KEY_MAX 512

struct assoc;
struct assoc_kind {
	void (*ref)(void *value);
	void (*unref)(void *value);
};

/* n_sets: a power of two. */
int assoc_new(struct assoc **ret, uint32_t n_sets, const struct assoc_kind *kind);
void assoc_free(struct assoc *a);
SL_DEFINE_AUTO(assoc);

/* A new reference, or NULL. */
void *assoc_get(struct assoc *a, struct str key, uint64_t generation);
/* Takes its own reference.  A key over ASSOC_KEY_MAX, or no memory: it is not kept. */
void assoc_put(struct assoc *a, struct str key, uint64_t generation, void *value);
/* Looks at n_sets more sets for entries of older generations and drops them.  True when a
 * whole round since the last switch found no more. */
bool assoc_sweep(struct assoc *a, uint64_t generation, uint32_t n_sets);
