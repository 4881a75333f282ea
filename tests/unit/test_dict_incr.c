/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shm/dict.h"

#define SIZE (8 << 20)
#define QUOTA (4 << 20)

struct bed {
	struct dict *d;
	int fd;
	uint32_t a;
};
static struct bed bed;

static int set_up(void **state)
{
	struct why why = WHY_NONE;

	(void)state;
	return dict_create(&bed.d, &bed.fd, SIZE, QUOTA, &why) != 0 ||
	       dict_space(bed.d, STR("alpha"), &bed.a) != 0;
}

static int tear_down(void **state)
{
	(void)state;
	dict_free(bed.d);
	close(bed.fd);
	return 0;
}

static int set_number(const char *key, double v)
{
	struct dict_input in = {.kind = DICT_NUMBER, .number = v};

	return dict_set(bed.d, bed.a, str_of(key), &in, 0);
}

static struct dict_stats stats(void)
{
	struct dict_stats s;

	dict_get_stats(bed.d, &s);
	return s;
}

#define PROCESSES 4
#define ADDITIONS 250000

/* A refusal under load is no addition: it is asked for again. */
static bool add_many(unsigned n)
{
	double now;

	while (n != 0) {
		int r = dict_incr(bed.d, bed.a, STR("n"), 1, 60000, &now);

		if (r != 0 && r != DICT_E_BUSY)
			return false;
		n -= r == 0;
	}
	return true;
}

static void additions_of_four_processes_are_exact(void **state)
{
	struct dict_value v;

	(void)state;
	for (int i = 0; i < PROCESSES; i++) {
		if (fork() != 0)
			continue;
		_exit(add_many(ADDITIONS) ? 0 : 1);
	}
	for (int i = 0; i < PROCESSES; i++) {
		int status = -1;

		assert_true(wait(&status) > 0);
		assert_int_equal(status, 0);
	}
	assert_int_equal(dict_get(bed.d, bed.a, STR("n"), &v), 0);
	assert_true(v.number == PROCESSES * ADDITIONS);
}

/* Adds until it is killed; *told is what it was told last. */
_Noreturn static void add_and_tell(_Atomic uint64_t *told)
{
	double now;

	for (;;)
		if (dict_incr(bed.d, bed.a, STR("n"), 1, 0, &now) == 0)
			atomic_store(told, (uint64_t)now);
}

static void a_killed_adder_leaves_the_number_it_was_told_or_the_next(void **state)
{
	void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	_Atomic uint64_t *told = page;
	struct dict_value v;

	(void)state;
	assert_true(page != MAP_FAILED);
	assert_int_equal(set_number("n", 0), 0);
	for (int round = 0; round < 100; round++) {
		uint64_t before = atomic_load(told);
		pid_t pid = fork();

		if (pid == 0)
			add_and_tell(told);
		while (atomic_load(told) < before + 1000)
			sched_yield();
		kill(pid, SIGKILL);
		assert_int_equal(waitpid(pid, NULL, 0), pid);
		assert_int_equal(dict_get(bed.d, bed.a, STR("n"), &v), 0);
		assert_in_range((uint64_t)v.number, atomic_load(told), atomic_load(told) + 1);
		atomic_store(told, (uint64_t)v.number);
	}
	munmap(page, 4096);
}

/* Adds to far more keys than there are slots: entries change hands all the time. */
_Noreturn static void add_to_everything(void)
{
	char key[32];
	double now;

	for (unsigned i = 0;; i = (i + 1) % 100000) {
		snprintf(key, sizeof(key), "flood %u", i);
		dict_incr(bed.d, bed.a, str_of(key), 1, 0, &now);
	}
}

static void an_addition_never_reaches_another_key(void **state)
{
	struct dict_value v;
	pid_t pids[3];
	char key[32];

	(void)state;
	for (int i = 0; i < 3; i++) {
		pids[i] = fork();
		if (pids[i] == 0)
			add_to_everything();
	}
	for (unsigned i = 0; i < 30000; i++) {
		snprintf(key, sizeof(key), "flood %u", 100000 + i);
		/* the value that a slot of theirs had most likely */
		set_number(key, 1);
		if (dict_get(bed.d, bed.a, str_of(key), &v) == 0)
			assert_true(v.number == 1);
	}
	for (int i = 0; i < 3; i++) {
		kill(pids[i], SIGKILL);
		assert_int_equal(waitpid(pids[i], NULL, 0), pids[i]);
	}
}

static void what_is_alive_goes_only_when_slots_of_no_size_are_left(void **state)
{
	char key[32];

	(void)state;
	/* more than half of the tiny slots, whose buckets do not fill evenly */
	for (int i = 0; i < 6000; i++) {
		snprintf(key, sizeof(key), "counter %d", i);
		assert_int_equal(set_number(key, i), 0);
	}
	assert_in_range(stats().evictions, 0, 10);
	assert_in_range(stats().entries, 5990, 6000);
}

#define DICT_TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
			DICT_TEST(additions_of_four_processes_are_exact),
			DICT_TEST(a_killed_adder_leaves_the_number_it_was_told_or_the_next),
			DICT_TEST(an_addition_never_reaches_another_key),
			DICT_TEST(what_is_alive_goes_only_when_slots_of_no_size_are_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
