/* SPDX-License-Identifier: Apache-2.0
 *
 * Puts a plan into the snapshot: one LMDB transaction, one generation.  What is rejected
 * keeps what it had; the rest goes in.
 */
#pragma once

#include "base/why.h"
#include "master/plan.h"
#include "master/vet.h"
#include "shm/snapshot_write.h"

/* Takes the verdict of sluice-check over into the item: rejected, or completed with priority,
 * phases, schema and bytecode (stored as a blob).  0, or as snapshot_put_blob. */
int apply_verdict(struct plan_item *item, const struct vet_verdict *verdict,
		struct snapshot_writer *w, struct why *why);

/* The code in force has this version already: what was found out about it then holds.  false:
 * it has to be checked. */
bool apply_known(struct plan_item *item, const struct snap_view *held);

/* With an intake: decides about a resource by its references, and writes what came of it (accepted,
 * or rejected) into the open transaction.  0, SNAP_E_FULL, -errno. */
int apply_item(struct plan *p, struct plan_item *item, const struct snap_view *held,
		struct why *why);

/* Decides what is still open (references, instances of refused code), commits.  Every item has
 * its outcome afterwards.  0; SNAP_E_FULL, -errno: nothing was committed. */
int apply_commit(struct plan *p, struct snapshot_writer *w, struct why *why);
