/* SPDX-License-Identifier: Apache-2.0
 *
 * Inside of a view.  Inner part of snapshot and route_index.
 */
#pragma once

#include "shm/snap_env.h"
#include "shm/snapshot.h"

struct snap_view {
	uint32_t magic;
	uint32_t refs;
	const struct snap_env *env;
	MDB_txn *txn;
	MDB_cursor *route; /* kept, so that a look-up allocates nothing */
	struct snap_state state;
	struct route_summary summary;
	struct str epoch, digest;
};

/* A new read transaction on an environment of this process. */
int snap_view_open(struct snap_view **ret, const struct snap_env *e, struct why *why);
/* An entry of SNAP_DB_REFUSAL; false: none, or damaged. */
bool snap_refusal_parse(struct str value, struct snap_refusal *ret);
/* STR_NONE when absent. */
struct str snap_view_find(const struct snap_view *v, enum snap_db db, struct snap_key *key);
