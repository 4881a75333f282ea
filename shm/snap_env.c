/* SPDX-License-Identifier: Apache-2.0 */
#include "shm/snap_env.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"

#define FILE_ROOM_BYTES (1U << 20)
#define WHOLE_TRIES 20 /* milliseconds */

static struct snap_env *open_envs;

static const char *const db_names[SNAP_DBS] = {
#define X(id, name) [SNAP_DB_##id] = name,
		SNAP_DB_TABLE(X)
#undef X
};

/* X(LMDB code, ours) */
static const struct {
	int mdb, ours;
} codes[] = {
		{MDB_MAP_FULL, SNAP_E_FULL},
		{ENOSPC, SNAP_E_FULL},
		{EDQUOT, SNAP_E_FULL},
		{MDB_CORRUPTED, SNAP_E_CORRUPT},
		{MDB_PAGE_NOTFOUND, SNAP_E_CORRUPT},
		/* a walk that goes deeper than any tree: a page leads back to itself */
		{MDB_CURSOR_FULL, SNAP_E_CORRUPT},
		{MDB_INVALID, SNAP_E_CORRUPT},
		{MDB_VERSION_MISMATCH, SNAP_E_CORRUPT},
		{MDB_INCOMPATIBLE, SNAP_E_CORRUPT},
		{MDB_READERS_FULL, -EUSERS},
		{MDB_MAP_RESIZED, -ESTALE},
		{MDB_PANIC, -EIO},
};

int snap_env_error(int rc, const char *what, struct why *why)
{
	if (rc == MDB_SUCCESS)
		return 0;
	why_set(why, NULL, 0, "snapshot: cannot %s: %s", what, mdb_strerror(rc));
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		if (codes[i].mdb == rc)
			return codes[i].ours;
	return rc > 0 ? -rc : -EIO;
}

static int env_register(struct snap_env *e, const char *dir, struct why *why)
{
	struct stat st;

	if (stat(dir, &st) != 0)
		return errno == ENOENT || errno == ENOTDIR
				       ? SNAP_E_NONE_YET
				       : why_errno(why, errno, "cannot look at %s", dir);
	for (const struct snap_env *o = open_envs; o != NULL; o = o->next) {
		if (o->dev != st.st_dev || o->ino != st.st_ino || o->pid != getpid())
			continue;
		/* A second open would drop the locks of the first when it closes. */
		why_set(why, NULL, 0, "%s is open in this process already", dir);
		return -EBUSY;
	}
	e->dev = st.st_dev;
	e->ino = st.st_ino;
	e->pid = getpid();
	return 0;
}

/* Bytes that the newest commit may touch, and bytes of the file; false = unknown. */
static bool env_sizes(const struct snap_env *e, uint64_t *ret_needed, uint64_t *ret_file)
{
	MDB_envinfo info;
	MDB_stat stat_;
	struct stat st;
	int fd;

	if (mdb_env_info(e->mdb, &info) != 0 || mdb_env_stat(e->mdb, &stat_) != 0 ||
			mdb_env_get_fd(e->mdb, &fd) != 0 || fstat(fd, &st) != 0)
		return false;
	*ret_needed = ((uint64_t)info.me_last_pgno + 1) * stat_.ms_psize;
	*ret_file = (uint64_t)st.st_size;
	return true;
}

bool snap_env_is_whole(const struct snap_env *e)
{
	uint64_t needed, file;

	/* A writer that has just committed makes its file whole at once. */
	for (int tries = 0; env_sizes(e, &needed, &file); tries++) {
		if (file >= needed)
			return true;
		if (tries == WHOLE_TRIES)
			return false;
		usleep(1000);
	}
	return false;
}

/* LMDB does not write pages at the end that a transaction took and gave back, so that its
 * file may be shorter than it says.  Nobody reads those, but no reader can tell that from a
 * file cut short: the writer keeps some empty room (no blocks on disk) behind the last. */
static void env_extend(struct snap_env *e)
{
	uint64_t needed, file;
	int fd, ignored = 0;

	if (!env_sizes(e, &needed, &file) || mdb_env_get_fd(e->mdb, &fd) != 0)
		return;
	if (file < needed + FILE_ROOM_BYTES / 2)
		ignored = ftruncate(fd, (off_t)(needed + FILE_ROOM_BYTES));
	(void)ignored; /* the commit stands; a reader that minds says so */
}

int snap_env_commit(struct snap_env *e, MDB_txn *txn, const char *what, struct why *why)
{
	int r = snap_env_error(mdb_txn_commit(txn), what, why);

	if (r == 0)
		env_extend(e);
	return r;
}

void snap_env_usage(const struct snap_env *e, uint64_t *ret_used, uint64_t *ret_map)
{
	MDB_envinfo info = {.me_mapsize = 0};
	uint64_t file;

	if (!env_sizes(e, ret_used, &file))
		*ret_used = 0;
	mdb_env_info(e->mdb, &info);
	*ret_map = info.me_mapsize;
}

static int env_open_file(struct snap_env *e, const char *dir, unsigned flags, size_t map_bytes,
		struct why *why)
{
	char path[4096];
	struct stat st;
	int rc;

	snprintf(path, sizeof(path), "%s/data.mdb", dir);
	if ((flags & MDB_RDONLY) != 0 && stat(path, &st) == 0 && st.st_size == 0)
		return SNAP_E_NONE_YET; /* its writer has just created it */
	rc = mdb_env_create(&e->mdb);
	if (rc == 0 && map_bytes != 0)
		rc = mdb_env_set_mapsize(e->mdb, map_bytes);
	if (rc == 0)
		rc = mdb_env_set_maxdbs(e->mdb, SNAP_DBS + 1);
	if (rc == 0)
		rc = mdb_env_set_maxreaders(e->mdb, SNAP_READERS_MAX);
	if (rc == 0)
		rc = mdb_env_open(e->mdb, dir, flags | MDB_NOTLS, 0660);
	if (rc == ENOENT && (flags & MDB_RDONLY) != 0)
		return SNAP_E_NONE_YET;
	return snap_env_error(rc, "open its environment", why);
}

int snap_env_open(struct snap_env *e, const char *dir, unsigned flags, size_t map_bytes,
		struct why *why)
{
	int r = env_register(e, dir, why);

	if (r != 0)
		return r;
	r = env_open_file(e, dir, flags, map_bytes, why);
	if (r != 0) {
		if (e->mdb != NULL)
			mdb_env_close(e->mdb);
		e->mdb = NULL;
		return r;
	}
	e->next = open_envs;
	open_envs = e;
	return 0;
}

void snap_env_close(struct snap_env *e)
{
	if (e->mdb == NULL)
		return;
	for (struct snap_env **at = &open_envs; *at != NULL; at = &(*at)->next) {
		if (*at != e)
			continue;
		*at = e->next;
		break;
	}
	sl_assert(e->pid == getpid());
	mdb_env_close(e->mdb);
	e->mdb = NULL;
}

int snap_env_open_dbs(struct snap_env *e, MDB_txn *txn, unsigned flags, struct why *why)
{
	for (size_t i = 0; i < SNAP_DBS; i++) {
		int rc = mdb_dbi_open(txn, db_names[i], flags, &e->db[i]);

		if (rc == MDB_NOTFOUND)
			return SNAP_E_NONE_YET;
		if (rc != 0)
			return snap_env_error(rc, "open a database", why);
	}
	return 0;
}

int snap_env_lock_file(const char *dir, struct snap_lock *ret)
{
	char path[4096];
	struct stat st;

	snprintf(path, sizeof(path), "%s/lock.mdb", dir);
	if (stat(path, &st) != 0)
		return -errno;
	*ret = (struct snap_lock){st.st_dev, st.st_ino};
	return 0;
}

struct str snap_env_meta(const struct snap_env *e, MDB_txn *txn, const char *name)
{
	MDB_val key = snap_val(str_of(name)), value;

	if (mdb_get(txn, e->db[SNAP_DB_META], &key, &value) != 0)
		return STR_NONE;
	return snap_str(value);
}

bool snap_env_meta_fixed(
		const struct snap_env *e, MDB_txn *txn, const char *name, void *ret, size_t n)
{
	struct str value = snap_env_meta(e, txn, name);

	if (value.n != n)
		return false;
	memcpy(ret, value.p, n);
	return true;
}

int snap_env_check_format(const struct snap_env *e, MDB_txn *txn, struct why *why)
{
	uint32_t format;

	if (!snap_env_meta_fixed(e, txn, "format", &format, sizeof(format)))
		return SNAP_E_NONE_YET;
	if (format > SNAPSHOT_FORMAT) {
		why_set(why, NULL, 0,
				"snapshot: written in format %u by a newer version; this one reads "
				"up to %d",
				format, SNAPSHOT_FORMAT);
		return SNAP_E_FORMAT;
	}
	if (format == SNAPSHOT_FORMAT)
		return 0;
	why_set(why, NULL, 0, "snapshot: there is no format %u", format);
	return SNAP_E_CORRUPT;
}
