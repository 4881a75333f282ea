/* SPDX-License-Identifier: Apache-2.0
 *
 * What control wants this node to hold, accepted here or not, as the snapshot knows it: the hash
 * of a record as control sent it, or of what was refused in its place.  With the digest stored
 * beside them, an Update is checked at the cost of what it changes.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "shm/snapshot_write.h"

/* false: control wants no such resource (or an older sluiced refused it and did not write down
 * what it was: then the digest will not come out, and control sends everything). */
bool wanted_in_view(const struct snap_view *v, uint32_t kind, const char *id, uint8_t ret[32]);
/* As the transaction has it so far. */
bool wanted_in_txn(struct snap_txn *t, uint32_t kind, const char *id, uint8_t ret[32]);
