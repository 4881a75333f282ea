/* SPDX-License-Identifier: Apache-2.0
 *
 * Targets of upstreams as the node has them: what its workers think of each (shm/health), and what
 * an operator said.  Master only; single-threaded.
 */
#pragma once

#include <jansson.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/str.h"
#include "base/why.h"
#include "master/supervise.h"
#include "shm/snapshot.h"

struct handover;
struct targets;

/* before: what an earlier image of sluiced left; NULL: nothing. */
int targets_new(struct targets **ret, uint32_t n_slots, const struct handover *before,
		struct why *why);
void targets_free(struct targets *t);
SL_DEFINE_AUTO(targets);

/* The memory and the words; false: no memory. */
bool targets_hand_over(const struct targets *t, struct handover *h);
/* For workers to inherit; borrowed. */
int targets_fd(const struct targets *t);

struct target_word {
	struct str upstream, target; /* names; target as "host:port" */
	struct str address;          /* "ip:port"; empty: every address that the target has */
	bool is_healthy;
};
/* Tells every worker, and keeps it for those that start later: "healthy" is how they begin, so it
 * only ends an earlier word.  -ENOENT with why: the view has no such target; -ENOSPC, -ENOMEM. */
int targets_set(struct targets *t, struct supervise *workers, const struct snap_view *view,
		const struct target_word *word, struct why *why);
/* To a worker that has become ready. */
void targets_tell(const struct targets *t, struct supervise *workers, uint32_t slot);

/* {"host:port":[{"address","health","workers_healthy","workers_unhealthy"},…],…} of the targets
 * that workers have used; health: HEALTHY, UNHEALTHY, HEALTHCHECKS_OFF, DNS_ERROR.  NULL: no such
 * upstream. */
json_t *targets_json(const struct targets *t, const struct supervise *workers,
		const struct snap_view *view, struct str upstream);
/* kong_upstream_target_health. */
void targets_prometheus(const struct targets *t, const struct supervise *workers,
		const struct snap_view *view, struct buf *out);
