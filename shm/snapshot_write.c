/* SPDX-License-Identifier: Apache-2.0 */
#include "shm/snapshot_write.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"
#include "shm/snap_verify.h"
#include "shm/snap_view.h"
#include "shm/snap_writer.h"

#define MAP_BYTES ((uint64_t)16 << 30)
#define NO_GID ((unsigned)-1)
#define ASIDE_MAX 1000
#define LOCK_TRIES 10 /* of 50 ms */

static int writer_lock_dir(struct snapshot_writer *w, struct why *why)
{
	if (mkdir(w->dir, 0750) != 0 && errno != EEXIST)
		return why_errno(why, errno, "cannot create %s", w->dir);
	w->dir_fd = open(w->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (w->dir_fd < 0)
		return why_errno(why, errno, "cannot open %s", w->dir);
	/* A killed sluiced may have left a child between fork and exec, for a moment. */
	for (int tries = 0; tries < LOCK_TRIES; tries++) {
		if (flock(w->dir_fd, LOCK_EX | LOCK_NB) == 0)
			return 0;
		if (errno != EWOULDBLOCK)
			return why_errno(why, errno, "cannot lock %s", w->dir);
		usleep(50000);
	}
	why_set(why, NULL, 0, "%s is in use by another sluiced; give each node its own prefix",
			w->dir);
	return -EBUSY;
}

/* Kept for whoever wants to know what happened; the node starts empty. */
static int writer_move_aside(struct snapshot_writer *w, struct why *why)
{
	char aside[4096];

	for (int n = 1; n <= ASIDE_MAX; n++) {
		struct stat st;

		snprintf(aside, sizeof(aside), "%s.corrupt-%d", w->dir, n);
		if (lstat(aside, &st) == 0)
			continue;
		if (rename(w->dir, aside) != 0)
			return why_errno(why, errno, "cannot move %s aside", w->dir);
		close(w->dir_fd);
		w->dir_fd = -1;
		return 0;
	}
	why_set(why, NULL, 0, "there are %d damaged snapshots beside %s; remove them", ASIDE_MAX,
			w->dir);
	return -EEXIST;
}

static int writer_set_access(struct snapshot_writer *w, unsigned gid, struct why *why)
{
	static const struct {
		const char *name;
		mode_t mode;
	} files[] = {{".", 0750}, {"data.mdb", 0640}, {"lock.mdb", 0660}};

	/* By name: closing a second descriptor of the lock file would drop its locks. */
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		if (gid != NO_GID && fchownat(w->dir_fd, files[i].name, (uid_t)-1, gid, 0) != 0)
			return why_errno(why, errno, "cannot give %s/%s to group %u", w->dir,
					files[i].name, gid);
		if (fchmodat(w->dir_fd, files[i].name, files[i].mode, 0) != 0)
			return why_errno(why, errno, "cannot set the mode of %s/%s", w->dir,
					files[i].name);
	}
	return 0;
}

static int put_meta(struct snapshot_writer *w, MDB_txn *txn, const char *name, void *p, size_t n)
{
	MDB_val key = snap_val(str_of(name)), value = {n, p};

	return mdb_put(txn, w->env.db[SNAP_DB_META], &key, &value, 0);
}

/* Generation 0, which nobody is shown. */
static int writer_stamp_first(struct snapshot_writer *w, MDB_txn *txn)
{
	uint32_t format = SNAPSHOT_FORMAT;
	struct snap_state state = {.generation = 0};
	struct route_summary summary = {.exact = 0};
	int rc;

	state.sums[SNAP_DB_META] = snap_meta_sum(&state, &summary, STR_NONE, STR_NONE);
	rc = put_meta(w, txn, "format", &format, sizeof(format));
	if (rc == 0)
		rc = put_meta(w, txn, "state", &state, sizeof(state));
	return rc == 0 ? put_meta(w, txn, "summary", &summary, sizeof(summary)) : rc;
}

/* Nothing is written when nothing changed: a node restarts on a full disk too. */
static int writer_stamp_lock(struct snapshot_writer *w, MDB_txn *txn, struct snap_lock *now)
{
	MDB_val key = snap_val(str_of("lock")), held;

	if (mdb_get(txn, w->env.db[SNAP_DB_META], &key, &held) == 0 &&
			held.mv_size == sizeof(*now) &&
			memcmp(held.mv_data, now, sizeof(*now)) == 0)
		return 0;
	return put_meta(w, txn, "lock", now, sizeof(*now));
}

static int writer_stamp(struct snapshot_writer *w, MDB_txn *txn, struct why *why)
{
	struct snap_lock lock;
	int rc = 0, r = snap_env_check_format(&w->env, txn, why);

	if (r != 0 && r != SNAP_E_NONE_YET)
		return r;
	if (r == SNAP_E_NONE_YET)
		rc = writer_stamp_first(w, txn);
	r = snap_env_lock_file(w->dir, &lock);
	if (r != 0)
		return why_errno(why, -r, "cannot look at %s/lock.mdb", w->dir);
	if (rc == 0)
		rc = writer_stamp_lock(w, txn, &lock);
	return snap_env_error(rc, "stamp the file", why);
}

static int writer_open_env(struct snapshot_writer *w, uint64_t map_bytes, struct why *why)
{
	MDB_txn *txn = NULL;
	int dead, r = snap_env_open(&w->env, w->dir, 0, map_bytes, why);

	if (r != 0)
		return r;
	mdb_reader_check(w->env.mdb, &dead);
	r = snap_env_error(mdb_txn_begin(w->env.mdb, NULL, 0, &txn), "begin writing", why);
	if (r != 0)
		return r;
	r = snap_env_open_dbs(&w->env, txn, MDB_CREATE, why);
	if (r == 0)
		r = writer_stamp(w, txn, why);
	if (r != 0) {
		mdb_txn_abort(txn);
		return r;
	}
	return snap_env_commit(&w->env, txn, "prepare the file", why);
}

/* A damaged file is moved aside, and *ret_is_damaged says so. */
static int writer_start(struct snapshot_writer *w, unsigned gid, uint64_t map_bytes,
		bool *ret_is_damaged, struct why *why)
{
	struct why later = WHY_NONE;
	int r;

	r = writer_lock_dir(w, why);
	if (r == 0)
		r = snap_verify(w->dir, why);
	*ret_is_damaged = r == SNAP_E_CORRUPT;
	if (*ret_is_damaged) {
		r = writer_move_aside(w, &later);
		if (r == 0)
			r = writer_lock_dir(w, &later);
	}
	if (r == 0)
		r = writer_open_env(w, map_bytes, &later);
	if (r == 0)
		r = writer_set_access(w, gid, &later);
	if (r != 0 && why != NULL && later.text[0] != '\0')
		*why = later;
	return r;
}

int snapshot_writer_open_sized(struct snapshot_writer **ret, const char *dir, unsigned gid,
		uint64_t map_bytes, struct why *why)
{
	sl_auto(snapshot_writer) w = calloc(1, sizeof(*w));
	bool is_damaged = false;
	int r;

	if (w == NULL)
		return -ENOMEM;
	w->magic = SNAPSHOT_WRITER_MAGIC;
	w->dir_fd = -1;
	w->has_loose_blobs = true; /* of an update that never came to its commit */
	w->dir = strdup(dir);
	if (w->dir == NULL)
		return -ENOMEM;
	r = writer_start(w, gid, map_bytes, &is_damaged, why);
	if (r != 0)
		return r == SNAP_E_CORRUPT ? -EIO : r;
	*ret = sl_steal(w);
	return is_damaged ? SNAP_E_CORRUPT : 0;
}

int snapshot_writer_open(
		struct snapshot_writer **ret, const char *dir, unsigned gid, struct why *why)
{
	return snapshot_writer_open_sized(ret, dir, gid, MAP_BYTES, why);
}

void snapshot_writer_free(struct snapshot_writer *w)
{
	if (w == NULL)
		return;
	sl_check(w, SNAPSHOT_WRITER_MAGIC);
	sl_assert(w->txn == NULL);
	snap_env_close(&w->env);
	if (w->dir_fd >= 0)
		close(w->dir_fd);
	buf_done(&w->scratch);
	free(w->dir);
	w->magic = 0;
	free(w);
}

int snapshot_writer_view(struct snapshot_writer *w, struct snap_view **ret, struct why *why)
{
	sl_check(w, SNAPSHOT_WRITER_MAGIC);
	return snap_view_open(ret, &w->env, why);
}

void snapshot_writer_usage(const struct snapshot_writer *w, uint64_t *ret_used, uint64_t *ret_map)
{
	sl_check(w, SNAPSHOT_WRITER_MAGIC);
	snap_env_usage(&w->env, ret_used, ret_map);
}

int snapshot_reader_check(struct snapshot_writer *w)
{
	struct snap_lock now, known;
	MDB_txn *txn = NULL;
	bool is_same;
	int dead = 0;

	sl_check(w, SNAPSHOT_WRITER_MAGIC);
	mdb_reader_check(w->env.mdb, &dead);
	if (mdb_txn_begin(w->env.mdb, NULL, MDB_RDONLY, &txn) != 0)
		return dead;
	is_same = snap_env_meta_fixed(&w->env, txn, "lock", &known, sizeof(known)) &&
		  snap_env_lock_file(w->dir, &now) == 0 && now.dev == known.dev &&
		  now.ino == known.ino;
	mdb_txn_abort(txn);
	return is_same ? dead : -ESTALE;
}
