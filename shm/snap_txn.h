/* SPDX-License-Identifier: Apache-2.0
 *
 * Inside of a write transaction: what the index writers use.  Every change of an entry goes
 * through here, so that counts and sums always agree with the contents.
 */
#pragma once

#include "shm/snap_env.h"
#include "shm/snapshot_write.h"

struct snap_txn {
	uint32_t magic;
	struct snapshot_writer *writer;
	MDB_txn *mdb;
	struct snap_state state;
	struct route_summary summary;
	bool is_code_changed;
	int failed; /* the first error; commit returns it */
};

/* ret_is_new may be NULL.  0, SNAP_E_FULL, -errno; -EINVAL for a key that is too long. */
int snap_txn_store(struct snap_txn *t, enum snap_db db, struct snap_key *key, struct str value,
		bool *ret_is_new, struct why *why);
/* Absent is fine; ret_existed may be NULL. */
int snap_txn_drop(struct snap_txn *t, enum snap_db db, struct snap_key *key, bool *ret_existed,
		struct why *why);
/* Valid until the next change in the transaction; STR_NONE when absent. */
struct str snap_txn_find(struct snap_txn *t, enum snap_db db, struct snap_key *key);

/* What state.sums[SNAP_DB_META] must be. */
uint64_t snap_meta_sum(const struct snap_state *state, const struct route_summary *summary,
		struct str epoch, struct str digest);
