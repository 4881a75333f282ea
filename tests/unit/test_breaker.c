/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "shm/breaker.h"

#define T0 1000000U
#define CONTENT 7U

static const struct breaker_conf conf = {.trips = 3, .window_ms = 1000, .retry_ms = 100};

struct bed {
	struct breaker *b, *other; /* the master's, a worker's */
	int fd;
	struct breaker_row *row;
};

static int set_up(void **state)
{
	struct bed *bed = calloc(1, sizeof(*bed));
	struct why why = WHY_NONE;

	assert_int_equal(breaker_create(&bed->b, &bed->fd, &conf, &why), 0);
	assert_int_equal(breaker_map(&bed->other, bed->fd, &conf, &why), 0);
	bed->row = breaker_join(bed->other, STR("p"), CONTENT);
	assert_non_null(bed->row);
	/* tests live at a time of their own, not before the join */
	atomic_store(&bed->row->closed_ms, 0);
	*state = bed;
	return 0;
}

static int tear_down(void **state)
{
	struct bed *bed = *state;

	breaker_free(bed->b);
	breaker_free(bed->other);
	close(bed->fd);
	free(bed);
	return 0;
}

static enum breaker_state state_of(const struct bed *bed, uint64_t now)
{
	struct breaker_show show;

	breaker_show(bed->b, STR("p"), now, &show);
	return show.state;
}

static bool trip(struct bed *bed, uint64_t now)
{
	uint64_t wait_ms;

	return breaker_trip(bed->other, bed->row, CONTENT, 0, now, &wait_ms);
}

static void open_at(struct bed *bed, uint64_t now)
{
	assert_false(trip(bed, now));
	assert_false(trip(bed, now));
	assert_true(trip(bed, now));
	assert_int_equal(state_of(bed, now), BREAKER_OPEN);
}

static enum breaker_answer ask(struct bed *bed, uint64_t now, uint64_t *ticket)
{
	return breaker_ask(bed->other, bed->row, now, ticket);
}

static void it_opens_at_the_last_of_so_many_trips_within_the_window(void **state)
{
	struct bed *bed = *state;
	uint64_t ticket = 0;

	assert_false(trip(bed, T0));
	assert_false(trip(bed, T0 + 600));
	/* the first is out of the window by now */
	assert_false(trip(bed, T0 + 1001));
	assert_true(breaker_is_closed(bed->row));
	assert_int_equal(ask(bed, T0 + 1002, &ticket), BREAKER_PASS);
	assert_true(trip(bed, T0 + 1600));
	assert_false(breaker_is_closed(bed->row));
	assert_int_equal(ask(bed, T0 + 1600, &ticket), BREAKER_HOLD);
	assert_int_equal(ticket, 0);
}

static void any_run_of_trips_in_a_window_counts_wherever_it_begins(void **state)
{
	struct bed *bed = *state;

	/* a pair each 900 ms never has three within 1000, then three come close together */
	for (uint64_t i = 0; i < 200; i++)
		assert_false(trip(bed, T0 + i * 501));
	assert_false(trip(bed, T0 + 200 * 501));
	assert_true(trip(bed, T0 + 200 * 501 + 1));
}

static void one_request_tries_it_when_its_time_is_over(void **state)
{
	struct bed *bed = *state;
	uint64_t ticket = 0, none = 0;

	open_at(bed, T0);
	assert_int_equal(ask(bed, T0 + 99, &ticket), BREAKER_HOLD);
	assert_int_equal(ask(bed, T0 + 100, &ticket), BREAKER_TRY);
	assert_int_not_equal(ticket, 0);
	assert_int_equal(state_of(bed, T0 + 100), BREAKER_HALF_OPEN);
	assert_int_equal(ask(bed, T0 + 101, &none), BREAKER_HOLD);
	assert_true(breaker_settle(bed->other, bed->row, ticket, true, T0 + 110));
	assert_true(breaker_is_closed(bed->row));
}

static void a_try_that_trips_doubles_the_wait_up_to_a_bound(void **state)
{
	static const uint64_t waits[] = {200, 400, 800, 1600, 3200, 6400, 6400, 6400};
	struct bed *bed = *state;
	uint64_t now = T0 + 100, ticket, wait_ms;

	open_at(bed, T0);
	for (size_t i = 0; i < sizeof(waits) / sizeof(waits[0]); i++) {
		assert_int_equal(ask(bed, now, &ticket), BREAKER_TRY);
		assert_true(breaker_trip(bed->other, bed->row, CONTENT, ticket, now, &wait_ms));
		assert_int_equal(wait_ms, waits[i]);
		assert_int_equal(ask(bed, now + wait_ms - 1, &ticket), BREAKER_HOLD);
		now += wait_ms;
	}
	/* well again: the next suspension begins with the short wait */
	assert_int_equal(ask(bed, now, &ticket), BREAKER_TRY);
	assert_true(breaker_settle(bed->other, bed->row, ticket, true, now));
	open_at(bed, now + 1);
	assert_int_equal(ask(bed, now + 101, &ticket), BREAKER_TRY);
}

static void trips_before_it_closed_do_not_count(void **state)
{
	struct bed *bed = *state;
	uint64_t ticket;

	open_at(bed, T0);
	assert_int_equal(ask(bed, T0 + 100, &ticket), BREAKER_TRY);
	assert_true(breaker_settle(bed->other, bed->row, ticket, true, T0 + 100));
	assert_false(trip(bed, T0 + 101));
	assert_false(trip(bed, T0 + 102));
	assert_true(trip(bed, T0 + 103));
}

static void a_try_without_outcome_lets_the_next_request_try(void **state)
{
	struct bed *bed = *state;
	uint64_t ticket, second;

	open_at(bed, T0);
	assert_int_equal(ask(bed, T0 + 100, &ticket), BREAKER_TRY);
	assert_false(breaker_settle(bed->other, bed->row, ticket, false, T0 + 120));
	assert_int_equal(state_of(bed, T0 + 120), BREAKER_OPEN);
	assert_int_equal(ask(bed, T0 + 120, &second), BREAKER_TRY);
}

static void beside_a_try_of_which_nothing_is_heard_there_is_another_and_the_first_word_counts(
		void **state)
{
	struct bed *bed = *state;
	uint64_t late, second, wait_ms;

	open_at(bed, T0);
	assert_int_equal(ask(bed, T0 + 100, &late), BREAKER_TRY);
	assert_int_equal(ask(bed, T0 + 199, &second), BREAKER_HOLD);
	assert_int_equal(ask(bed, T0 + 200, &second), BREAKER_TRY);
	/* without an outcome: that is no reason to let a third in */
	assert_false(breaker_settle(bed->other, bed->row, late, false, T0 + 201));
	assert_int_equal(state_of(bed, T0 + 201), BREAKER_HALF_OPEN);
	assert_true(breaker_settle(bed->other, bed->row, late, true, T0 + 202));
	/* closed: the second's trip is one of as many as it takes */
	assert_false(breaker_trip(bed->other, bed->row, CONTENT, second, T0 + 203, &wait_ms));
	assert_true(breaker_is_closed(bed->row));
	open_at(bed, T0 + 5000);
	assert_int_equal(ask(bed, T0 + 5100, &late), BREAKER_TRY);
	assert_int_equal(ask(bed, T0 + 5200, &second), BREAKER_TRY);
	assert_true(breaker_trip(bed->other, bed->row, CONTENT, second, T0 + 5201, &wait_ms));
	assert_false(breaker_settle(bed->other, bed->row, late, true, T0 + 5202));
	assert_int_equal(state_of(bed, T0 + 5202), BREAKER_OPEN);
}

static void stragglers_do_not_move_an_open_breaker(void **state)
{
	struct bed *bed = *state;
	uint64_t ticket;

	open_at(bed, T0);
	for (int i = 0; i < 10; i++)
		assert_false(trip(bed, T0 + 1));
	assert_int_equal(ask(bed, T0 + 100, &ticket), BREAKER_TRY);
	for (int i = 0; i < 10; i++)
		assert_false(trip(bed, T0 + 101));
	assert_true(breaker_settle(bed->other, bed->row, ticket, true, T0 + 102));
}

static void another_content_starts_closed_and_the_old_ones_trips_are_nothing_to_it(void **state)
{
	struct bed *bed = *state;
	uint64_t changes;

	open_at(bed, T0);
	changes = breaker_changes(bed->b);
	/* the same one, after a restart of a worker: still suspended */
	assert_ptr_equal(breaker_join(bed->other, STR("p"), CONTENT), bed->row);
	assert_false(breaker_is_closed(bed->row));
	/* a worker behind the others says that it is there: that is no change */
	assert_ptr_equal(breaker_stay(bed->other, STR("p"), CONTENT + 1), bed->row);
	assert_false(breaker_is_closed(bed->row));
	assert_int_equal(breaker_changes(bed->b), changes);
	assert_ptr_equal(breaker_join(bed->other, STR("p"), CONTENT + 1), bed->row);
	assert_true(breaker_is_closed(bed->row));
	assert_int_equal(breaker_changes(bed->b), changes + 1);
	for (int i = 0; i < 10; i++)
		assert_false(trip(bed, T0 + 5));
	assert_true(breaker_is_closed(bed->row));
}

static void plugins_do_not_share_a_row(void **state)
{
	struct bed *bed = *state;
	struct breaker_row *q = breaker_join(bed->other, STR("q"), CONTENT);

	assert_non_null(q);
	assert_ptr_not_equal(q, bed->row);
	open_at(bed, T0);
	assert_true(breaker_is_closed(q));
}

static void with_no_trips_asked_for_nothing_is_ever_suspended(void **state)
{
	const struct breaker_conf off = {.trips = 0, .window_ms = 1, .retry_ms = 1};
	struct bed *bed = *state;
	struct breaker *b = NULL;
	struct why why = WHY_NONE;

	assert_int_equal(breaker_map(&b, bed->fd, &off, &why), 0);
	assert_null(breaker_join(b, STR("p"), CONTENT));
	assert_true(breaker_is_closed(NULL));
	breaker_free(b);
}

static void rows_of_plugins_that_are_gone_are_taken_over(void **state)
{
	struct bed *bed = *state;
	char id[16];

	for (unsigned i = 0; i < BREAKER_ROWS - 1; i++) {
		struct breaker_row *row;

		snprintf(id, sizeof(id), "x%u", i);
		row = breaker_join(bed->other, str_of(id), CONTENT);
		assert_non_null(row);
		if (i == 17)
			atomic_store(&row->seen_ms, 0);
	}
	/* full: all but one are in use */
	assert_non_null(breaker_join(bed->other, STR("new"), CONTENT));
	assert_null(breaker_join(bed->other, STR("one too many"), CONTENT));
	assert_ptr_equal(breaker_join(bed->other, STR("p"), CONTENT), bed->row);
}

/* A worker that writes what it likes: any state is one, no wait is for ever. */
static void whatever_is_in_the_memory_it_goes_on(void **state)
{
	struct bed *bed = *state;
	uint64_t words = 88172645463325252U, ticket, wait_ms;

	for (int i = 0; i < 100000; i++) {
		uint64_t now = T0 + (uint64_t)i;

		words ^= words << 13;
		words ^= words >> 7;
		words ^= words << 17;
		atomic_store(&bed->row->word, words);
		atomic_store(&bed->row->n_trips, words * 3);
		atomic_store(&bed->row->closed_ms, words % 3 == 0 ? words : 0);
		ticket = 0;
		(void)breaker_trip(bed->other, bed->row, CONTENT, words % 5 == 0 ? words : 0, now,
				&wait_ms);
		if (ask(bed, now, &ticket) == BREAKER_TRY)
			(void)breaker_settle(bed->other, bed->row, ticket, words % 2 == 0, now);
		assert_in_range(state_of(bed, now), BREAKER_CLOSED, BREAKER_HALF_OPEN);
	}
	/* suspended for ever: it is not believed */
	atomic_store(&bed->row->word, UINT64_MAX);
	assert_int_equal(ask(bed, T0, &ticket), BREAKER_TRY);
}

/* Each suspends, tries, closes as it comes; every change is won by one of them. */
static void play(struct bed *bed, uint64_t n, _Atomic uint64_t *sums)
{
	uint64_t ticket, wait_ms, now;

	for (uint64_t i = 0; i < n; i++) {
		now = T0 + atomic_fetch_add(&sums[3], 1);
		if (breaker_trip(bed->other, bed->row, CONTENT, 0, now, &wait_ms))
			atomic_fetch_add(&sums[0], 1);
		ticket = 0;
		if (ask(bed, now, &ticket) != BREAKER_TRY)
			continue;
		atomic_fetch_add(&sums[1], 1);
		if (breaker_settle(bed->other, bed->row, ticket, true, now))
			atomic_fetch_add(&sums[2], 1);
	}
}

static void four_processes_agree_on_every_change(void **state)
{
	struct bed *bed = *state;
	_Atomic uint64_t *sums =
			mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct breaker_show show;
	pid_t pids[4];
	int status;

	assert_true(sums != MAP_FAILED);
	for (int i = 0; i < 4; i++) {
		pids[i] = fork();
		if (pids[i] == 0) {
			play(bed, 50000, sums);
			_exit(0);
		}
	}
	for (int i = 0; i < 4; i++) {
		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		assert_int_equal(status, 0);
	}
	breaker_show(bed->b, STR("p"), T0, &show);
	assert_int_equal(show.opens, sums[0]);
	assert_true(sums[0] > 10);
	assert_true(sums[2] <= sums[1]);
	/* it opens, is tried, closes; a try may be given up and another begin */
	assert_true(sums[2] <= sums[0] && sums[0] <= sums[2] + 1);
	assert_int_equal(breaker_changes(bed->b), sums[0] + sums[1] + sums[2]);
	munmap(sums, 4096);
}

static void another_memory_is_refused(void **state)
{
	struct breaker *b = NULL;
	struct why why = WHY_NONE;
	int fd = memfd_create("other", 0);

	(void)state;
	assert_int_equal(ftruncate(fd, 4096), 0);
	assert_true(breaker_map(&b, fd, &conf, &why) < 0);
	assert_non_null(strstr(why.text, "breakers"));
	close(fd);
}

#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
			T(it_opens_at_the_last_of_so_many_trips_within_the_window),
			T(any_run_of_trips_in_a_window_counts_wherever_it_begins),
			T(one_request_tries_it_when_its_time_is_over),
			T(a_try_that_trips_doubles_the_wait_up_to_a_bound),
			T(trips_before_it_closed_do_not_count),
			T(a_try_without_outcome_lets_the_next_request_try),
			T(beside_a_try_of_which_nothing_is_heard_there_is_another_and_the_first_word_counts),
			T(stragglers_do_not_move_an_open_breaker),
			T(another_content_starts_closed_and_the_old_ones_trips_are_nothing_to_it),
			T(plugins_do_not_share_a_row),
			T(with_no_trips_asked_for_nothing_is_ever_suspended),
			T(rows_of_plugins_that_are_gone_are_taken_over),
			T(whatever_is_in_the_memory_it_goes_on),
			T(four_processes_agree_on_every_change),
			T(another_memory_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
