/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/snap_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/clock.h"

static const char *self;

static void put_consumer(struct snap_txn *t, const char *id, const char *name, uint64_t version)
{
	Sluice__Record__Consumer c = SLUICE__RECORD__CONSUMER__INIT;

	c.id = (char *)(uintptr_t)id;
	c.username = (char *)(uintptr_t)name;
	assert_int_equal(put_message(t, CONSUMER, id, version, &c.base), 0);
}

/* Generation g: 40 consumers and one route, all of version g. */
static void put_generation(struct snapshot_writer *w, uint64_t g)
{
	struct snap_txn *t = begin(w);
	char id[24], name[128], path[32];

	for (unsigned i = 0; i < 40; i++) {
		snprintf(id, sizeof(id), "c%u", i);
		snprintf(name, sizeof(name), "%u-of-%llu-with-some-more-bytes-to-fill-pages", i,
				(unsigned long long)g);
		put_consumer(t, id, name, g);
	}
	snprintf(path, sizeof(path), "/%llu", (unsigned long long)g);
	put_route(t, .id = "r", .paths = path);
	commit(t, g);
}

static bool check_version(void *arg, struct str id, uint64_t version, struct str record)
{
	(void)id;
	assert_true(record.n != 0);
	assert_int_equal(version, *(uint64_t *)arg);
	return true;
}

static bool check_path(void *arg, const struct route_candidate *c)
{
	uint64_t g;

	assert_true(str_to_u64(str_from(c->path, 1), &g));
	assert_int_equal(g, *(uint64_t *)arg);
	return true;
}

static void assert_whole(struct snap_view *v)
{
	uint64_t g = snap_view_generation(v);
	char path[32];

	assert_int_equal(snap_count(v, CONSUMER), 40);
	snap_each(v, CONSUMER, check_version, &g);
	snprintf(path, sizeof(path), "/%llu", (unsigned long long)g);
	route_index_find(v, STR("h"), 80, str_of(path), check_path, &g);
}

/* The other program: commits generations until it is killed, a byte on stdout for the first. */
static int run_writer(const char *dir)
{
	struct snapshot_writer *w = NULL;
	struct snap_view *v = NULL;
	uint64_t g = 0;

	if (snapshot_writer_open(&w, dir, (unsigned)-1, NULL) != 0)
		return 1;
	if (snapshot_writer_view(w, &v, NULL) == 0)
		g = snap_view_generation(v);
	snap_view_unref(v);
	for (;;) {
		put_generation(w, ++g);
		if (write(STDOUT_FILENO, "", 1) != 1)
			return 2;
	}
}

static pid_t start_writer(const char *dir, int *ret_out)
{
	int fd[2];
	char byte;
	pid_t pid;

	assert_int_equal(pipe2(fd, O_CLOEXEC), 0);
	pid = fork();
	if (pid == 0) {
		dup2(fd[1], STDOUT_FILENO);
		execl(self, self, "writer", dir, (char *)NULL);
		_exit(127);
	}
	close(fd[1]);
	assert_int_equal(read(fd[0], &byte, 1), 1);
	*ret_out = fd[0];
	return pid;
}

static void stop(pid_t pid)
{
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void a_writer_killed_a_hundred_times_leaves_whole_generations(void **state)
{
	struct fixture *f = *state;
	uint64_t newest = 0;
	unsigned seed = 11;

	for (int i = 0; i < 100; i++) {
		struct snapshot *s = NULL;
		struct snap_view *v = NULL;
		struct why why = WHY_NONE;
		int out;
		pid_t pid = start_writer(f->dir, &out);

		usleep((useconds_t)rand_r(&seed) % 4000);
		stop(pid);
		close(out);
		assert_int_equal(snapshot_open(&s, f->dir, &why), 0);
		assert_int_equal(snapshot_view(s, &v, &why), 0);
		assert_true(snap_view_generation(v) > newest);
		newest = snap_view_generation(v);
		assert_whole(v);
		snap_view_unref(v);
		snapshot_free(s);
	}
	snapshot_writer_free(open_writer(f));
}

static void a_reader_in_another_process_always_sees_one_whole_generation(void **state)
{
	struct fixture *f = *state;
	struct snapshot *s = NULL;
	struct snap_view *old = NULL, *v;
	struct why why = WHY_NONE;
	uint64_t first, until;
	int out;
	pid_t pid = start_writer(f->dir, &out);

	fcntl(out, F_SETPIPE_SZ, 1 << 20);
	assert_int_equal(snapshot_open(&s, f->dir, &why), 0);
	assert_int_equal(snapshot_view(s, &old, &why), 0);
	first = snap_view_generation(old);
	until = clock_mono_ms() + 400;
	while (clock_mono_ms() < until) {
		v = NULL;
		assert_int_equal(snapshot_view(s, &v, &why), 0);
		assert_whole(v);
		snap_view_unref(v);
	}
	assert_int_equal(snap_view_generation(old), first);
	assert_whole(old);
	v = NULL;
	assert_int_equal(snapshot_view(s, &v, &why), 0);
	assert_true(snap_view_generation(v) > first);
	snap_view_unref(v);
	snap_view_unref(old);
	snapshot_free(s);
	stop(pid);
	close(out);
}

static void a_full_map_leaves_the_old_generation_and_room_to_go_on(void **state)
{
	sl_auto(snapshot_writer) w = NULL;
	struct fixture *f = *state;
	struct why why = WHY_NONE;
	struct snap_view *v;
	int r = 0;

	assert_int_equal(snapshot_writer_open_sized(&w, f->dir, (unsigned)-1, 1 << 20, &why), 0);
	put_generation(w, 1);
	for (int round = 0; round < 3; round++) {
		struct snap_txn *t = begin(w);
		Sluice__Record__Consumer c = SLUICE__RECORD__CONSUMER__INIT;
		static uint8_t filler[4000];
		char id[24];

		c.json = (ProtobufCBinaryData){sizeof(filler), filler};
		r = 0;
		for (unsigned i = 0; r == 0 && i < 1000; i++) {
			snprintf(id, sizeof(id), "big%u", i);
			c.id = id;
			r = put_message(t, CONSUMER, id, 1, &c.base);
		}
		assert_int_equal(r, SNAP_E_FULL);
		assert_int_equal(snap_txn_commit(t, STR("e"), 9, STR("d"), &why), SNAP_E_FULL);
		snap_txn_free(t);
		v = view_of(w);
		assert_int_equal(snap_view_generation(v), (uint64_t)round + 1);
		assert_whole(v);
		snap_view_unref(v);
		put_generation(w, (uint64_t)round + 2);
	}
}

static void overwrite(const struct fixture *f, const char *name, off_t at, const void *p, size_t n)
{
	char path[128];
	sl_auto_fd int fd = -1;

	snprintf(path, sizeof(path), "%s/%s", f->dir, name);
	fd = open(path, O_WRONLY | O_CREAT, 0640);
	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, p, n, at), n);
}

/* The damaged file is moved aside, and the node starts empty. */
static void expect_moved_aside(const struct fixture *f)
{
	sl_auto(snapshot_writer) w = NULL;
	struct snap_view *v = NULL;
	struct why why = WHY_NONE;
	char aside[128];
	struct stat st;

	assert_int_equal(snapshot_writer_open(&w, f->dir, (unsigned)-1, &why), SNAP_E_CORRUPT);
	assert_true(why.text[0] != '\0');
	assert_non_null(w);
	assert_int_equal(snapshot_writer_view(w, &v, &why), SNAP_E_NONE_YET);
	snprintf(aside, sizeof(aside), "%s.corrupt-1/data.mdb", f->dir);
	assert_int_equal(stat(aside, &st), 0);
	put_generation(w, 1);
	v = view_of(w);
	assert_whole(v);
	snap_view_unref(v);
}

/* Returns the bytes in use. */
static uint64_t make_snapshot(const struct fixture *f)
{
	sl_auto(snapshot_writer) w = open_writer(f);
	uint64_t used, map;

	for (uint64_t g = 1; g < 4; g++)
		put_generation(w, g);
	snapshot_writer_usage(w, &used, &map);
	return used;
}

static void a_truncated_file_is_never_mapped_into_a_crash(void **state)
{
	struct fixture *f = *state;
	struct snapshot *s = NULL;
	struct why why = WHY_NONE;
	char path[128];
	off_t size;

	size = (off_t)make_snapshot(f);
	snprintf(path, sizeof(path), "%s/data.mdb", f->dir);
	for (size -= 4096; size > 0; size -= 4096) {
		assert_int_equal(truncate(path, size), 0);
		assert_int_equal(snapshot_open(&s, f->dir, &why), SNAP_E_CORRUPT);
		assert_int_equal(truncate(path, size - 100), 0);
		assert_int_equal(snapshot_open(&s, f->dir, &why), SNAP_E_CORRUPT);
	}
	assert_int_equal(truncate(path, 8192), 0);
	expect_moved_aside(f);
}

static void pages_given_back_at_the_end_do_not_make_a_file_look_short(void **state)
{
	struct fixture *f = *state;
	struct snapshot_writer *w = open_writer(f);
	unsigned seed = 3;

	for (uint64_t g = 1; g < 400; g++) {
		struct snap_txn *t = begin(w);
		char id[24];

		for (unsigned i = 0; i < 30; i++) {
			snprintf(id, sizeof(id), "c%u", (unsigned)rand_r(&seed) % 500);
			put_consumer(t, id, id, g);
			snprintf(id, sizeof(id), "c%u", (unsigned)rand_r(&seed) % 500);
			assert_int_equal(snap_txn_delete(t, CONSUMER, str_of(id), NULL), 0);
		}
		commit(t, g);
		snap_view_unref(view_of(w));
	}
	snapshot_writer_free(w);
	snapshot_writer_free(open_writer(f));
}

static void a_file_of_garbage_is_moved_aside(void **state)
{
	struct fixture *f = *state;
	static uint8_t garbage[100000];

	assert_int_equal(mkdir(f->dir, 0750), 0);
	memset(garbage, 0x5a, sizeof(garbage));
	overwrite(f, "data.mdb", 0, garbage, sizeof(garbage));
	expect_moved_aside(f);
}

static void an_empty_file_is_a_fresh_start(void **state)
{
	struct fixture *f = *state;
	struct snapshot *s = NULL;
	struct why why = WHY_NONE;

	assert_int_equal(mkdir(f->dir, 0750), 0);
	overwrite(f, "data.mdb", 0, "", 0);
	assert_int_equal(snapshot_open(&s, f->dir, &why), SNAP_E_NONE_YET);
	snapshot_writer_free(open_writer(f));
}

static bool is_found_or_harmless(const struct fixture *f)
{
	struct snapshot_writer *w = NULL;
	struct why why = WHY_NONE;
	struct snap_view *v;
	int r = snapshot_writer_open(&w, f->dir, (unsigned)-1, &why);

	if (r != 0 && r != SNAP_E_CORRUPT)
		fail_msg("%d: %s", r, why.text);
	if (r == 0) {
		v = view_of(w);
		assert_int_equal(snap_view_generation(v), 3);
		assert_whole(v);
		snap_view_unref(v);
	}
	snapshot_writer_free(w);
	return r == SNAP_E_CORRUPT;
}

/* Every page is hit, at its head, among its entries, at its end. */
static void a_damaged_page_is_found_or_was_not_in_use(void **state)
{
	static const off_t places[] = {8, 18, 40, 2000, 4032};
	struct fixture *f = *state;
	uint8_t noise[32];
	unsigned found = 0, tries = 0;
	off_t size = (off_t)make_snapshot(f);

	memset(noise, 0xa5, sizeof(noise));
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		for (off_t at = 8192; at < size; at += 4096, tries++) {
			overwrite(f, "data.mdb", at + places[i], noise, sizeof(noise));
			found += is_found_or_harmless(f);
			remove_below(f->dir);
			make_snapshot(f);
		}
	}
	assert_true(found >= 20);
	assert_true(tries > found);
}

static void a_file_of_a_newer_format_is_refused_and_kept(void **state)
{
	struct fixture *f = *state;
	struct snapshot_writer *w = open_writer(f);
	uint32_t format = SNAPSHOT_FORMAT + 1;
	MDB_env *env = NULL;
	MDB_txn *txn = NULL;
	char name[] = "format";
	MDB_val key = {6, name}, value = {sizeof(format), &format};
	struct snapshot *s = NULL;
	struct why why = WHY_NONE;
	MDB_dbi meta;

	snapshot_writer_free(w);
	assert_int_equal(mdb_env_create(&env), 0);
	mdb_env_set_maxdbs(env, 4);
	assert_int_equal(mdb_env_open(env, f->dir, 0, 0640), 0);
	assert_int_equal(mdb_txn_begin(env, NULL, 0, &txn), 0);
	assert_int_equal(mdb_dbi_open(txn, "meta", 0, &meta), 0);
	assert_int_equal(mdb_put(txn, meta, &key, &value, 0), 0);
	assert_int_equal(mdb_txn_commit(txn), 0);
	mdb_env_close(env);
	w = NULL;
	assert_int_equal(snapshot_writer_open(&w, f->dir, (unsigned)-1, &why), SNAP_E_FORMAT);
	assert_non_null(strstr(why.text, "newer version"));
	assert_null(w);
	assert_int_equal(snapshot_open(&s, f->dir, &why), SNAP_E_FORMAT);
}

static void a_deleted_lock_file_is_told_to_readers_and_writer(void **state)
{
	struct fixture *f = *state;
	struct snapshot_writer *w = open_writer(f);
	struct snapshot *s = NULL;
	struct why why = WHY_NONE;
	char path[128];
	int status;
	pid_t pid;

	put_generation(w, 1);
	assert_int_equal(snapshot_reader_check(w), 0);
	snprintf(path, sizeof(path), "%s/lock.mdb", f->dir);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(snapshot_reader_check(w), -ESTALE);
	pid = fork();
	if (pid == 0)
		_exit(snapshot_open(&s, f->dir, &why) == -ESTALE ? 0 : 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	snapshot_writer_free(w);
	snapshot_writer_free(open_writer(f));
	assert_int_equal(snapshot_open(&s, f->dir, &why), 0);
	snapshot_free(s);
}

static void a_killed_readers_slot_is_cleared(void **state)
{
	struct fixture *f = *state;
	sl_auto(snapshot_writer) w = open_writer(f);
	int fd[2], cleared;
	char byte;
	pid_t pid;

	put_generation(w, 1);
	assert_int_equal(pipe(fd), 0);
	pid = fork();
	if (pid == 0) {
		struct snapshot *s = NULL;
		struct snap_view *v = NULL;

		if (snapshot_open(&s, f->dir, NULL) != 0 || snapshot_view(s, &v, NULL) != 0 ||
				write(fd[1], "", 1) != 1)
			_exit(1);
		pause();
		_exit(0);
	}
	close(fd[1]);
	assert_int_equal(read(fd[0], &byte, 1), 1);
	close(fd[0]);
	assert_int_equal(snapshot_reader_check(w), 0);
	stop(pid);
	cleared = snapshot_reader_check(w);
	assert_int_equal(cleared, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_new, fixture_free)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
			TEST(a_writer_killed_a_hundred_times_leaves_whole_generations),
			TEST(a_reader_in_another_process_always_sees_one_whole_generation),
			TEST(a_full_map_leaves_the_old_generation_and_room_to_go_on),
			TEST(a_truncated_file_is_never_mapped_into_a_crash),
			TEST(pages_given_back_at_the_end_do_not_make_a_file_look_short),
			TEST(a_file_of_garbage_is_moved_aside),
			TEST(an_empty_file_is_a_fresh_start),
			TEST(a_damaged_page_is_found_or_was_not_in_use),
			TEST(a_file_of_a_newer_format_is_refused_and_kept),
			TEST(a_deleted_lock_file_is_told_to_readers_and_writer),
			TEST(a_killed_readers_slot_is_cleared),
	};

	if (argc == 3 && strcmp(argv[1], "writer") == 0)
		return run_writer(argv[2]);
	self = "/proc/self/exe";
	return cmocka_run_group_tests_name("snapshot faults", tests, NULL, NULL);
}
