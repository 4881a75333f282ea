/* SPDX-License-Identifier: Apache-2.0 */
#include "shm/snap_verify.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <openssl/sha.h>
#include <signal.h>
#include <sys/prctl.h>
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

static uint64_t pages_of(MDB_txn *txn, MDB_dbi db)
{
	MDB_stat s;

	return mdb_stat(txn, db, &s) == 0
			       ? s.ms_branch_pages + s.ms_leaf_pages + s.ms_overflow_pages
			       : 0;
}

#define FREE_DBI 0 /* LMDB's own list of unused pages, … */
#define MAIN_DBI 1 /* … and of databases */

/* One entry of the free list: a count, then that many page numbers, descending. */
static int walk_free_entry(struct str list, uint64_t last_page, uint64_t *ret_n, struct why *why)
{
	uint64_t n = 0, page, above = last_page + 1;

	if (list.n >= sizeof(n))
		memcpy(&n, list.p, sizeof(n));
	if (n == 0 || n > (list.n - sizeof(n)) / sizeof(page))
		return corrupt(why, "the list of free pages is damaged; entry of", list.n);
	for (uint64_t i = 1; i <= n; i++) {
		memcpy(&page, list.p + i * sizeof(page), sizeof(page));
		if (page >= above || page < 2)
			return corrupt(why, "the list of free pages is damaged; page", page);
		above = page;
	}
	*ret_n += n;
	return 0;
}

/* A used page in the free list would be overwritten; one in neither is only lost. */
static int walk_free_list(struct walk *w, struct why *why)
{
	MDB_cursor *c = NULL;
	MDB_envinfo info;
	MDB_val key, value;
	uint64_t n = 2 + pages_of(w->txn, FREE_DBI) + pages_of(w->txn, MAIN_DBI);
	int rc, r = 0;

	if (mdb_env_info(w->env->mdb, &info) != 0 || mdb_cursor_open(w->txn, FREE_DBI, &c) != 0)
		return corrupt(why, "the list of free pages cannot be walked", 0);
	for (int db = 0; db < SNAP_DBS; db++)
		n += pages_of(w->txn, w->env->db[db]);
	rc = mdb_cursor_get(c, &key, &value, MDB_FIRST);
	for (; rc == 0 && r == 0; rc = mdb_cursor_get(c, &key, &value, MDB_NEXT))
		r = walk_free_entry(snap_str(value), info.me_last_pgno, &n, why);
	mdb_cursor_close(c);
	if (r == 0 && (rc != MDB_NOTFOUND || n > info.me_last_pgno + 1))
		return corrupt(why, "pages are both free and in use; pages counted", n);
	return r;
}

static int walk_all(struct walk *w, struct why *why)
{
	int r = snap_env_check_format(w->env, w->txn, why);

	if (r == 0)
		r = walk_meta(w, why);
	if (r == 0)
		r = walk_free_list(w, why);
	for (int db = SNAP_DB_META + 1; r == 0 && db < SNAP_DBS; db++)
		r = walk_db(w, (enum snap_db)db, why);
	for (uint32_t kind = 0; r == 0 && kind < SNAP_KINDS; kind++)
		if (w->counts[kind] != w->state.counts[kind])
			r = corrupt(why, "records are missing; kind", kind);
	return r == SNAP_E_NONE_YET ? corrupt(why, "the stamp is gone", 0) : r;
}

/* Before the first commit of a writer there is nothing to find. */
static bool is_untouched(const struct snap_env *env)
{
	MDB_envinfo info;

	return mdb_env_info(env->mdb, &info) == 0 && info.me_last_txnid == 0;
}

static int verify_here(const char *dir, struct why *why)
{
	struct snap_env env = {.mdb = NULL};
	struct walk w = {.env = &env};
	int dead = 0, r = snap_env_open(&env, dir, MDB_RDONLY, 0, why);

	if (r != 0)
		return r == SNAP_E_NONE_YET ? 0 : r;
	/* a process that replaced itself by exec left its slots there under a pid that lives: only
	 * somebody else can clear them, and only before it reads again */
	mdb_reader_check(env.mdb, &dead);
	if (is_untouched(&env)) {
		snap_env_close(&env);
		return 0;
	}
	r = snap_env_error(mdb_txn_begin(env.mdb, NULL, MDB_RDONLY, &w.txn), "begin reading", why);
	if (r == 0)
		r = snap_env_open_dbs(&env, w.txn, 0, why);
	if (r == 0)
		r = walk_all(&w, why);
	if (w.txn != NULL)
		mdb_txn_abort(w.txn);
	snap_env_close(&env);
	return r == SNAP_E_NONE_YET ? corrupt(why, "a database is gone", 0) : r;
}

/* A crash in the child is an answer, not an accident for the parent's handlers to report. */
static void let_crashes_end_us(void)
{
	static const int signals[] = {SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGSEGV, SIGALRM, SIGTERM};
	const struct rlimit no_core = {0, 0};
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	sigset_t none;

	sigemptyset(&none);
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		signal(signals[i], SIG_DFL);
	sigprocmask(SIG_SETMASK, &none, NULL);
	setrlimit(RLIMIT_CORE, &no_core);
	if (null >= 0)
		dup2(null, STDERR_FILENO);
	alarm(VERIFY_SECONDS_MAX);
}

static _Noreturn void verify_in_child(const char *dir, int out)
{
	struct verdict v = {.why = WHY_NONE};
	ssize_t n;

	/* It holds its parent's lock on the directory too. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	let_crashes_end_us();
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
