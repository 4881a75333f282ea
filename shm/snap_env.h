/* SPDX-License-Identifier: Apache-2.0
 *
 * One LMDB environment, opened once per process.  Inner part of snapshot (reading) and
 * snapshot_write.
 */
#pragma once

#include <sys/types.h>

#include "base/why.h"
#include "shm/snap_layout.h"
#include "shm/snapshot.h"

#define SNAP_READERS_MAX 512

struct snap_env {
	MDB_env *mdb;
	MDB_dbi db[SNAP_DBS];
	pid_t pid; /* that opened it */
	dev_t dev; /* of the directory */
	ino_t ino;
	struct snap_env *next; /* of this process */
};

/* flags: MDB_RDONLY, or 0 with map_bytes.  A file that is no environment is SNAP_E_CORRUPT;
 * none is SNAP_E_NONE_YET for readers.  -EBUSY: open in this process already. */
int snap_env_open(struct snap_env *e, const char *dir, unsigned flags, size_t map_bytes,
		struct why *why);
/* Opens the databases in txn; MDB_CREATE in flags makes them.  The caller commits. */
int snap_env_open_dbs(struct snap_env *e, MDB_txn *txn, unsigned flags, struct why *why);
void snap_env_close(struct snap_env *e);

/* True when the file is as long as its newest commit says: beyond its end is SIGBUS. */
bool snap_env_is_whole(const struct snap_env *e);
/* Writer: commits (txn is gone then) and keeps the file whole, with room for the next. */
int snap_env_commit(struct snap_env *e, MDB_txn *txn, const char *what, struct why *why);
/* Bytes of the file in use, and of the map. */
void snap_env_usage(const struct snap_env *e, uint64_t *ret_used, uint64_t *ret_map);
/* "<dir>/lock.mdb" as it is now. */
int snap_env_lock_file(const char *dir, struct snap_lock *ret);

/* An LMDB code as ours: 0, SNAP_E_FULL, SNAP_E_CORRUPT, -errno; why says what failed. */
int snap_env_error(int rc, const char *what, struct why *why);

/* "meta" value; STR_NONE when absent. */
struct str snap_env_meta(const struct snap_env *e, MDB_txn *txn, const char *name);
/* Fixed-size "meta" value; false when absent or of another size. */
bool snap_env_meta_fixed(
		const struct snap_env *e, MDB_txn *txn, const char *name, void *ret, size_t n);
/* Format number in the file: 0, SNAP_E_NONE_YET, SNAP_E_FORMAT, SNAP_E_CORRUPT. */
int snap_env_check_format(const struct snap_env *e, MDB_txn *txn, struct why *why);
