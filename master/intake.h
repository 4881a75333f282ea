/* SPDX-License-Identifier: Apache-2.0
 *
 * An Update that comes in parts.  Each part goes into one open transaction as it comes; kept are
 * only plugins and their instances, which are judged together at the end, and what was rejected.
 * Nothing is visible before apply_commit().
 */
#pragma once

#include "base/why.h"
#include "master/plan.h"
#include "shm/snapshot_write.h"
#include "stream/digest.h"

struct arena;

struct intake_place {
	uint32_t kind;
	char id[PLAN_ID_MAX + 1];
};

struct intake {
	struct snap_txn *txn;
	struct snap_view *held; /* in force meanwhile; NULL: nothing */
	struct arena *kept;     /* what the plan's items point to */
	size_t cap;             /* of the plan's items */
	size_t n_rejected;
	struct stream_digest digest;
	struct intake_place removed, resource; /* the last of each */
	uint64_t source_bytes_max;
	uint32_t next_part;
	bool is_complete;
};

/* From part 0 of an Update that has more; it is taken like the others afterwards.  Errors as
 * plan_new(). */
int intake_start(struct plan **ret, const Sluice__Stream__V1__Update *update,
		const struct plan_base *base, struct snapshot_writer *w,
		const char **ret_refused_for, struct why *why);
/* The next part.  After the last p->intake->is_complete.  0; -EINVAL, SNAP_E_FULL, -errno: the
 * Update is refused as a whole, *ret_refused_for says for what. */
int intake_take(struct plan *p, const Sluice__Stream__V1__Update *part,
		const char **ret_refused_for, struct why *why);
/* The update is a part of the plan's. */
bool intake_is_part_of(const struct plan *p, const Sluice__Stream__V1__Update *update);
void intake_free(struct intake *in);
