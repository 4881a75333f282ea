/* SPDX-License-Identifier: Apache-2.0 */
#include "shm/snap_verify.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <openssl/sha.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "shm/snap_env.h"
#include "shm/snap_txn.h"

/* A damaged tree may lead in circles. */
#define VERIFY_SECONDS_MAX 300

struct verdict {
	int result;
	struct why why;
};

struct walk {
	const struct snap_env *env;
	MDB_txn *txn;
	struct snap_state state;
	uint64_t counts[SNAP_KINDS];
};

static int corrupt(struct why *why, const char *what, uint64_t n)
{
	why_set(why, NULL, 0, "snapshot: %s (%" PRIu64 ")", what, n);
	return SNAP_E_CORRUPT;
}

static bool is_blob(struct str key, struct str value)
{
	uint8_t found[32];

	SHA256((const uint8_t *)value.p, value.n, found);
	return key.n == sizeof(found) && memcmp(found, key.p, sizeof(found)) == 0;
}

static int walk_entry(
		struct walk *w, enum snap_db db, struct str key, struct str value, struct why *why)
{
	uint8_t kind = (uint8_t)key.p[0];

	if (db == SNAP_DB_BLOB && !is_blob(key, value))
		return corrupt(why, "code does not have its hash; bytes", value.n);
	if (db == SNAP_DB_RECORD && kind >= SNAP_KINDS)
		return corrupt(why, "there is a record of an unknown kind", kind);
	if (db == SNAP_DB_RECORD)
		w->counts[kind]++;
	return 0;
}

static int walk_db(struct walk *w, enum snap_db db, struct why *why)
{
	MDB_cursor *c = NULL;
	MDB_stat known;
	MDB_val key, value;
	uint64_t n = 0, sum = 0;
	int rc, r = 0;

	if (mdb_stat(w->txn, w->env->db[db], &known) != 0 ||
			mdb_cursor_open(w->txn, w->env->db[db], &c) != 0)
		return corrupt(why, "a database cannot be walked", db);
	rc = mdb_cursor_get(c, &key, &value, MDB_FIRST);
	for (; rc == 0 && r == 0; rc = mdb_cursor_get(c, &key, &value, MDB_NEXT)) {
		if (++n > known.ms_entries || key.mv_size == 0)
			return corrupt(why, "a database leads in circles", db);
		r = walk_entry(w, db, snap_str(key), snap_str(value), why);
		sum += snap_hash_entry(snap_str(key), snap_str(value));
	}
	mdb_cursor_close(c);
	if (r != 0)
		return r;
	if (rc != MDB_NOTFOUND || n != known.ms_entries)
		return corrupt(why, "a database lost entries", db);
	if (db != SNAP_DB_BLOB && sum != w->state.sums[db])
		return corrupt(why, "a database does not hold what was written", db);
	return 0;
}

static int walk_meta(struct walk *w, struct why *why)
{
	struct route_summary summary;

	if (!snap_env_meta_fixed(w->env, w->txn, "state", &w->state, sizeof(w->state)))
		return SNAP_E_NONE_YET;
	if (!snap_env_meta_fixed(w->env, w->txn, "summary", &summary, sizeof(summary)))
		return corrupt(why, "the summary of routes is gone", 0);
	if (snap_meta_sum(&w->state, &summary, snap_env_meta(w->env, w->txn, "epoch"),
			    snap_env_meta(w->env, w->txn, "digest")) != w->state.sums[SNAP_DB_META])
		return corrupt(why, "the stamp of the generation is damaged", w->state.generation);
	return 0;
}

static int walk_all(struct walk *w, struct why *why)
{
	int r = snap_env_check_format(w->env, w->txn, why);

	if (r == 0)
		r = walk_meta(w, why);
	for (int db = SNAP_DB_META + 1; r == 0 && db < SNAP_DBS; db++)
		r = walk_db(w, (enum snap_db)db, why);
	for (uint32_t kind = 0; r == 0 && kind < SNAP_KINDS; kind++)
		if (w->counts[kind] != w->state.counts[kind])
			r = corrupt(why, "records are missing; kind", kind);
	return r == SNAP_E_NONE_YET ? 0 : r;
}

static int verify_here(const char *dir, struct why *why)
{
	struct snap_env env = {.mdb = NULL};
	struct walk w = {.env = &env};
	int r = snap_env_open(&env, dir, MDB_RDONLY, 0, why);

	if (r != 0)
		return r == SNAP_E_NONE_YET ? 0 : r;
	r = snap_env_error(mdb_txn_begin(env.mdb, NULL, MDB_RDONLY, &w.txn), "begin reading", why);
	if (r == 0)
		r = snap_env_open_dbs(&env, w.txn, 0, why);
	if (r == 0)
		r = walk_all(&w, why);
	if (w.txn != NULL)
		mdb_txn_abort(w.txn);
	snap_env_close(&env);
	return r == SNAP_E_NONE_YET ? 0 : r;
}

static _Noreturn void verify_in_child(const char *dir, int out)
{
	const struct rlimit no_core = {0, 0};
	struct verdict v = {.why = WHY_NONE};
	int null = open("/dev/null", O_WRONLY);
	ssize_t n;

	/* A crash here is an answer, not an accident to report. */
	setrlimit(RLIMIT_CORE, &no_core);
	if (null >= 0)
		dup2(null, STDERR_FILENO);
	alarm(VERIFY_SECONDS_MAX);
	v.result = verify_here(dir, &v.why);
	n = write(out, &v, sizeof(v));
	_exit(n == sizeof(v) ? 0 : 1);
}

int snap_verify(const char *dir, struct why *why)
{
	struct verdict v = {.why = WHY_NONE};
	sl_auto_fd int in = -1;
	int status = 0, fd[2];
	ssize_t n;
	pid_t pid;

	if (pipe2(fd, O_CLOEXEC) != 0)
		return why_errno(why, errno, "cannot check the snapshot");
	in = fd[0];
	pid = fork();
	if (pid == 0)
		verify_in_child(dir, fd[1]);
	close(fd[1]);
	if (pid < 0)
		return why_errno(why, errno, "cannot check the snapshot");
	do
		n = read(in, &v, sizeof(v));
	while (n < 0 && errno == EINTR);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (n == sizeof(v)) {
		if (why != NULL)
			*why = v.why;
		return v.result;
	}
	why_set(why, NULL, 0, "snapshot: reading %s/data.mdb ends in signal %d", dir,
			WIFSIGNALED(status) ? WTERMSIG(status) : 0);
	return SNAP_E_CORRUPT;
}
