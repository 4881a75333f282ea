/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shm/dict.h"

#define SIZE (8 << 20)
#define QUOTA (4 << 20)

struct bed {
	struct dict *d;
	int fd;
	uint32_t a, b; /* two spaces */
};
static struct bed bed;

static int set_up(void **state)
{
	struct why why = WHY_NONE;

	(void)state;
	return dict_create(&bed.d, &bed.fd, SIZE, QUOTA, &why) != 0 ||
	       dict_space(bed.d, STR("alpha"), &bed.a) != 0 ||
	       dict_space(bed.d, STR("beta"), &bed.b) != 0;
}

static int tear_down(void **state)
{
	(void)state;
	dict_free(bed.d);
	close(bed.fd);
	return 0;
}

static int set_text(uint32_t space, const char *key, struct str text, uint64_t ttl_ms)
{
	struct dict_input in = {.kind = DICT_STRING, .text = text};

	return dict_set(bed.d, space, str_of(key), &in, ttl_ms);
}

static int set_number(uint32_t space, const char *key, double v, uint64_t ttl_ms)
{
	struct dict_input in = {.kind = DICT_NUMBER, .number = v};

	return dict_set(bed.d, space, str_of(key), &in, ttl_ms);
}

static void sleep_ms(long ms)
{
	struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

	nanosleep(&t, NULL);
}

static struct dict_stats stats(void)
{
	struct dict_stats s;

	dict_get_stats(bed.d, &s);
	return s;
}

static void what_one_mapping_writes_another_reads(void **state)
{
	struct why why = WHY_NONE;
	sl_auto(dict) other = NULL;
	struct dict_value v;
	uint32_t space;

	(void)state;
	assert_int_equal(dict_map(&other, bed.fd, &why), 0);
	assert_int_equal(dict_space(other, STR("alpha"), &space), 0);
	assert_int_equal(space, bed.a);
	assert_int_equal(set_text(bed.a, "k", STR("hello, world"), 0), 0);
	assert_int_equal(dict_get(other, space, STR("k"), &v), 0);
	assert_int_equal(v.kind, DICT_STRING);
	assert_int_equal(v.n, 12);
	assert_memory_equal(v.bytes, "hello, world", 12);
	assert_int_equal(dict_delete(other, space, STR("k")), 0);
	assert_int_equal(dict_get(bed.d, bed.a, STR("k"), &v), DICT_E_ABSENT);
	assert_int_equal(stats().entries, 0);
	assert_int_equal(stats().used_bytes, 0);
}

static void a_space_does_not_see_the_keys_of_another(void **state)
{
	struct dict_value v;

	(void)state;
	assert_int_equal(set_number(bed.a, "k", 1, 0), 0);
	assert_int_equal(dict_get(bed.d, bed.b, STR("k"), &v), DICT_E_ABSENT);
	assert_int_equal(dict_delete(bed.d, bed.b, STR("k")), DICT_E_ABSENT);
	assert_int_equal(set_number(bed.b, "k", 2, 0), 0);
	assert_int_equal(dict_get(bed.d, bed.a, STR("k"), &v), 0);
	assert_true(v.number == 1);
}

static void an_entry_is_gone_when_its_time_is_over(void **state)
{
	struct dict_value v;
	uint64_t left;
	double n;

	(void)state;
	assert_int_equal(set_number(bed.a, "k", 1, 50), 0);
	assert_int_equal(dict_ttl(bed.d, bed.a, STR("k"), &left), 0);
	assert_true(left > 0 && left <= 50);
	assert_int_equal(set_number(bed.a, "for ever", 1, 0), 0);
	assert_int_equal(dict_ttl(bed.d, bed.a, STR("for ever"), &left), 0);
	assert_true(left == UINT64_MAX);
	sleep_ms(70);
	assert_int_equal(dict_get(bed.d, bed.a, STR("k"), &v), DICT_E_ABSENT);
	assert_int_equal(dict_ttl(bed.d, bed.a, STR("k"), &left), DICT_E_ABSENT);
	assert_int_equal(dict_incr(bed.d, bed.a, STR("k"), 5, 0, &n), 0);
	assert_true(n == 5);
	assert_int_equal(stats().entries, 2);
}

static void add_writes_only_what_is_not_there_and_incr_keeps_the_time(void **state)
{
	struct dict_input in = {.kind = DICT_BOOLEAN, .number = 1};
	uint64_t left;
	double n;

	(void)state;
	assert_int_equal(dict_add(bed.d, bed.a, STR("k"), &in, 0), 0);
	assert_int_equal(dict_add(bed.d, bed.a, STR("k"), &in, 0), DICT_E_EXISTS);
	assert_int_equal(dict_incr(bed.d, bed.a, STR("k"), 1, 0, &n), DICT_E_TYPE);
	assert_int_equal(dict_incr(bed.d, bed.a, STR("n"), 1.5, 60000, &n), 0);
	assert_int_equal(dict_incr(bed.d, bed.a, STR("n"), -3, 1, &n), 0);
	assert_true(n == -1.5);
	assert_int_equal(dict_ttl(bed.d, bed.a, STR("n"), &left), 0);
	assert_true(left > 50000);
}

static void a_value_may_grow_and_shrink_up_to_its_limit(void **state)
{
	static char big[DICT_VALUE_MAX + 1], key[DICT_KEY_MAX + 1];
	struct dict_input in = {.kind = DICT_STRING, .text = {big, DICT_VALUE_MAX}};
	struct dict_value v;

	(void)state;
	memset(big, 'x', sizeof(big));
	memset(key, 'k', sizeof(key));
	for (int round = 0; round < 3; round++) {
		assert_int_equal(set_text(bed.a, "k", STR("small"), 0), 0);
		assert_int_equal(dict_set(bed.d, bed.a, STR("k"), &in, 0), 0);
		assert_int_equal(dict_get(bed.d, bed.a, STR("k"), &v), 0);
		assert_int_equal(v.n, DICT_VALUE_MAX);
		assert_memory_equal(v.bytes, big, DICT_VALUE_MAX);
		assert_int_equal(stats().entries, 1);
	}
	assert_int_equal(set_text(bed.a, "k", (struct str){big, DICT_VALUE_MAX + 1}, 0),
			DICT_E_TOO_LONG);
	assert_int_equal(dict_set(bed.d, bed.a, (struct str){key, DICT_KEY_MAX}, &in, 0), 0);
	assert_int_equal(dict_get(bed.d, bed.a, (struct str){key, DICT_KEY_MAX}, &v), 0);
	assert_memory_equal(v.bytes, big, DICT_VALUE_MAX);
	assert_int_equal(dict_set(bed.d, bed.a, (struct str){key, DICT_KEY_MAX + 1}, &in, 0),
			DICT_E_TOO_LONG);
}

static void a_space_holds_its_quota_and_leaves_the_rest_alone(void **state)
{
	struct dict_value v;
	char key[32];
	unsigned kept = 0;

	(void)state;
	for (int i = 0; i < 100; i++) {
		snprintf(key, sizeof(key), "mine %d", i);
		assert_int_equal(set_number(bed.b, key, i, 0), 0);
	}
	for (int i = 0; i < 60000; i++) {
		snprintf(key, sizeof(key), "flood %d", i);
		set_number(bed.a, key, i, 0);
	}
	assert_true(stats().used_bytes <= QUOTA + 100 * 256);
	assert_true(stats().evictions > 0);
	for (int i = 0; i < 100; i++) {
		snprintf(key, sizeof(key), "mine %d", i);
		kept += dict_get(bed.d, bed.b, str_of(key), &v) == 0;
	}
	assert_int_equal(kept, 100);
}

static void expired_entries_make_room_before_live_ones(void **state)
{
	char key[32];

	(void)state;
	for (int i = 0; i < 10000; i++) {
		snprintf(key, sizeof(key), "short %d", i);
		set_number(bed.a, key, i, 1);
	}
	sleep_ms(20);
	uint64_t before = stats().evictions;

	for (int i = 0; i < 2000; i++) {
		snprintf(key, sizeof(key), "live %d", i);
		set_number(bed.a, key, i, 0);
	}
	assert_int_equal(stats().evictions, before);
}

static void what_is_no_dict_of_this_layout_is_refused(void **state)
{
	struct why why = WHY_NONE;
	struct dict *d = NULL;
	sl_auto_fd int other = memfd_create("x", 0);
	int fd;

	(void)state;
	assert_int_equal(dict_map(&d, other, &why), -EBADF);
	assert_int_equal(ftruncate(other, SIZE), 0);
	assert_int_equal(dict_map(&d, other, &why), -EBADF);
	assert_int_equal(dict_create(&d, &fd, 4096, 1, &why), -EINVAL);
	assert_non_null(strstr(why.text, "between"));
}

/* A value that tells whether it is whole: a repeated word of its key and turn. */
static void make_value(char *ret, size_t n, uint32_t key, uint32_t turn)
{
	uint32_t word[2] = {key, turn};

	for (size_t at = 0; at < n; at += 8)
		memcpy(ret + at, word, 8);
}

static bool is_whole(const struct dict_value *v, uint32_t key)
{
	if (v->n % 8 != 0 || v->n == 0 || memcmp(v->bytes, &key, 4) != 0)
		return false;
	for (size_t at = 8; at < v->n; at += 8)
		if (memcmp(v->bytes, v->bytes + at, 8) != 0)
			return false;
	return true;
}

#define KEYS 16

_Noreturn static void hammer(uint32_t turn)
{
	char bytes[2048], key[16];

	for (;; turn++) {
		uint32_t k = turn % KEYS;
		size_t n = turn % 3 == 0 ? 2048 : 160;
		struct dict_input in = {.kind = DICT_STRING, .text = {bytes, n}};

		make_value(bytes, n, k, turn);
		snprintf(key, sizeof(key), "k%u", k);
		dict_set(bed.d, bed.a, str_of(key), &in, 0);
	}
}

static void check_all_whole(void)
{
	struct dict_value v;
	char key[16];

	for (uint32_t k = 0; k < KEYS; k++) {
		int r;

		snprintf(key, sizeof(key), "k%u", k);
		r = dict_get(bed.d, bed.a, str_of(key), &v);
		assert_true(r == 0 || r == DICT_E_ABSENT);
		if (r == 0)
			assert_true(is_whole(&v, k));
	}
}

static void a_writer_killed_200_times_leaves_no_torn_value_and_no_lock(void **state)
{
	struct dict_value v;

	(void)state;
	for (uint32_t round = 0; round < 200; round++) {
		pid_t pid = fork();
		uint32_t step = round * 7919 % 1000;

		if (pid == 0)
			hammer(round * 1000);
		for (uint32_t i = 0; i < 200 + step; i++)
			check_all_whole();
		kill(pid, SIGKILL);
		assert_int_equal(waitpid(pid, NULL, 0), pid);
		check_all_whole();
		assert_int_equal(set_number(bed.b, "alive", round, 0), 0);
		assert_int_equal(dict_get(bed.d, bed.b, STR("alive"), &v), 0);
	}
	assert_true(stats().repairs > 0);
	assert_true(stats().entries <= KEYS + 1);
}

static void *write_and_read(void *arg)
{
	uint32_t turn = (uint32_t)(uintptr_t)arg;
	char bytes[256], key[16];
	struct dict_value v;
	double n;

	for (uint32_t i = 0; i < 5000; i++, turn++) {
		uint32_t k = turn % KEYS;
		struct dict_input in = {.kind = DICT_STRING, .text = {bytes, 160}};

		make_value(bytes, 160, k, turn);
		snprintf(key, sizeof(key), "k%u", k);
		dict_set(bed.d, bed.a, str_of(key), &in, 0);
		if (dict_get(bed.d, bed.a, str_of(key), &v) == 0 && !is_whole(&v, k))
			return arg;
		dict_incr(bed.d, bed.a, STR("n"), 1, 0, &n);
	}
	return NULL;
}

static void threads_never_see_half_a_value(void **state)
{
	pthread_t threads[4];
	struct dict_value v;

	(void)state;
	for (uintptr_t i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, write_and_read,
						 (void *)(i * 1000 + 1)),
				0);
	for (int i = 0; i < 4; i++) {
		void *torn = NULL;

		pthread_join(threads[i], &torn);
		assert_null(torn);
	}
	assert_int_equal(dict_get(bed.d, bed.a, STR("n"), &v), 0);
	assert_true(v.number == 20000);
}

static void one_holds_at_a_time_until_it_lets_go_or_its_time_is_over(void **state)
{
	uint64_t first, second;
	struct dict_value v;

	(void)state;
	assert_int_equal(dict_hold(bed.d, bed.a, STR("lock"), 60000, &first), 0);
	assert_int_equal(dict_hold(bed.d, bed.a, STR("lock"), 60000, &second), DICT_E_EXISTS);
	assert_int_equal(dict_hold(bed.d, bed.b, STR("lock"), 60000, &second), 0);
	assert_int_equal(dict_release(bed.d, bed.a, STR("lock"), second), DICT_E_ABSENT);
	assert_int_equal(dict_release(bed.d, bed.a, STR("lock"), first), 0);
	assert_int_equal(dict_release(bed.d, bed.a, STR("lock"), first), DICT_E_ABSENT);
	assert_int_equal(dict_hold(bed.d, bed.a, STR("lock"), 30, &first), 0);
	assert_int_equal(dict_prolong(bed.d, bed.a, STR("lock"), first, 60), 0);
	sleep_ms(100);
	assert_int_equal(dict_hold(bed.d, bed.a, STR("lock"), 60000, &second), 0);
	assert_int_equal(dict_prolong(bed.d, bed.a, STR("lock"), first, 60), DICT_E_ABSENT);
	assert_int_equal(dict_get(bed.d, bed.a, STR("none"), &v), DICT_E_ABSENT);
	assert_int_equal(set_number(bed.a, "value", 1, 0), 0);
	assert_int_equal(dict_hold(bed.d, bed.a, STR("value"), 60000, &first), DICT_E_TYPE);
}

static void hold_and_tell(int told)
{
	struct why why = WHY_NONE;
	struct dict *mine;
	uint64_t token;

	if (dict_map(&mine, bed.fd, &why) != 0 ||
			dict_hold(mine, bed.a, STR("lock"), 60000, &token) != 0 ||
			write(told, "x", 1) != 1)
		_exit(1);
	pause();
}

static void what_a_killed_process_held_is_free_at_once(void **state)
{
	uint64_t token;
	char c;
	int told[2];

	(void)state;
	assert_int_equal(pipe(told), 0);
	for (int round = 0; round < 20; round++) {
		pid_t pid = fork();

		if (pid == 0)
			hold_and_tell(told[1]);
		assert_int_equal(read(told[0], &c, 1), 1);
		assert_int_equal(
				dict_hold(bed.d, bed.a, STR("lock"), 60000, &token), DICT_E_EXISTS);
		kill(pid, SIGKILL);
		assert_int_equal(waitpid(pid, NULL, 0), pid);
		assert_int_equal(dict_hold(bed.d, bed.a, STR("lock"), 60000, &token), 0);
		assert_int_equal(dict_release(bed.d, bed.a, STR("lock"), token), 0);
	}
	close(told[0]);
	close(told[1]);
}

#define DICT_TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
			DICT_TEST(what_one_mapping_writes_another_reads),
			DICT_TEST(a_space_does_not_see_the_keys_of_another),
			DICT_TEST(an_entry_is_gone_when_its_time_is_over),
			DICT_TEST(add_writes_only_what_is_not_there_and_incr_keeps_the_time),
			DICT_TEST(a_value_may_grow_and_shrink_up_to_its_limit),
			DICT_TEST(a_space_holds_its_quota_and_leaves_the_rest_alone),
			DICT_TEST(expired_entries_make_room_before_live_ones),
			DICT_TEST(what_is_no_dict_of_this_layout_is_refused),
			DICT_TEST(a_writer_killed_200_times_leaves_no_torn_value_and_no_lock),
			DICT_TEST(one_holds_at_a_time_until_it_lets_go_or_its_time_is_over),
			DICT_TEST(what_a_killed_process_held_is_free_at_once),
			DICT_TEST(threads_never_see_half_a_value),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
