/* SPDX-License-Identifier: Apache-2.0
 *
 * The snapshot, writing side: sluiced only (a worker must not link this).  One
 * snap_txn = one LMDB transaction = one generation.  Synchronous commits: power loss
 * leaves the previous or the new generation.  Indexes (names, routes, instances) are
 * kept here, so that what is committed is consistent by construction.
 */
#pragma once

#include "shm/snapshot.h"

struct snapshot_writer;
struct snap_txn;

/* Creates dir and environment where absent (files group-readable by gid, lock file
 * group-writable; gid (gid_t)-1 = leave), migrates older formats, verifies digest and blobs
 * (a corrupt file is moved aside to snapshot.corrupt-N and reported by SNAP_E_CORRUPT with
 * *ret valid and empty).  0, SNAP_E_FORMAT (refused), -EBUSY (another writer), -errno. */
int snapshot_writer_open(
		struct snapshot_writer **ret, const char *dir, unsigned gid, struct why *why);
/* As above with a map (the most the file can grow to) of map_bytes instead of 16 GiB. */
int snapshot_writer_open_sized(struct snapshot_writer **ret, const char *dir, unsigned gid,
		uint64_t map_bytes, struct why *why);
void snapshot_writer_free(struct snapshot_writer *w);
SL_DEFINE_AUTO(snapshot_writer);

/* The master's own view of the environment it writes (the same env, never a second open). */
int snapshot_writer_view(struct snapshot_writer *w, struct snap_view **ret, struct why *why);
/* Clears slots of dead readers: on every SIGCHLD and every 10 s.  Returns how many;
 * -ESTALE: somebody deleted the lock file, new readers will be refused, restart. */
int snapshot_reader_check(struct snapshot_writer *w);
/* Bytes of the file in use, and of the map. */
void snapshot_writer_usage(const struct snapshot_writer *w, uint64_t *ret_used, uint64_t *ret_map);
/* Blob present already? */
bool snapshot_has_blob(struct snapshot_writer *w, const uint8_t sha256[32]);
/* Stores blobs ahead of their generation: in the open transaction, else in one of its own.  0,
 * SNAP_E_FULL, -errno; -EBADMSG when bytes do not hash to sha256. */
int snapshot_put_blob(struct snapshot_writer *w, const uint8_t sha256[32], struct str bytes,
		struct why *why);

/* One at a time (-EBUSY).  It may stay open across turns of the event loop. */
int snap_txn_begin(struct snapshot_writer *w, struct snap_txn **ret, struct why *why);
/* Removes every record and index (full Update): what is put afterwards is all there is. */
int snap_txn_clear(struct snap_txn *t, struct why *why);
/* record: serialized sluice.record message of that kind; version as control counts.
 * -EINVAL when it does not parse. */
int snap_txn_put(struct snap_txn *t, uint32_t kind, struct str id, uint64_t version,
		struct str record, struct why *why);
int snap_txn_delete(struct snap_txn *t, uint32_t kind, struct str id, struct why *why);
/* A refused resource, of any kind from 1 to 255: remembered until a put or delete of that id. */
int snap_txn_refuse(struct snap_txn *t, uint32_t kind, struct str id,
		const struct snap_refusal *refusal, struct why *why);
/* Read what the transaction would commit; valid until the next change in it. */
struct str snap_txn_get(struct snap_txn *t, uint32_t kind, struct str id, uint64_t *ret_version);
bool snap_txn_refusal(struct snap_txn *t, uint32_t kind, struct str id, struct snap_refusal *ret);
/* Drops blobs that no record refers to, stamps epoch, generation, digest, commits.
 * 0, SNAP_E_FULL, -errno: then nothing has changed.  The caller frees t in any case. */
int snap_txn_commit(struct snap_txn *t, struct str epoch, uint64_t generation, struct str digest,
		struct why *why);
void snap_txn_free(struct snap_txn *t); /* abort, if not committed */
SL_DEFINE_AUTO(snap_txn);
