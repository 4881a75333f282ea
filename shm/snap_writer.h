/* SPDX-License-Identifier: Apache-2.0
 *
 * Inside of the writer.  Inner part of snapshot_write.
 */
#pragma once

#include "base/buf.h"
#include "shm/snap_txn.h"

struct snapshot_writer {
	uint32_t magic;
	struct snap_env env;
	int dir_fd;           /* flock'ed: one writer per directory */
	struct snap_txn *txn; /* open now: LMDB has one writer at a time */
	bool has_loose_blobs; /* some blob may belong to no record */
	struct buf scratch;
	char *dir;
};

#define SNAPSHOT_WRITER_MAGIC SL_MAGIC('S', 'N', 'P', 'W')

/* Drops every blob that no PLUGIN_CODE record refers to. */
int snap_blob_collect(struct snap_txn *t, struct why *why);
