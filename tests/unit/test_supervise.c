/* SPDX-License-Identifier: Apache-2.0
 *
 * master/supervise with its scaling and draining, master/seat: against workers that are this
 * program (supervise_bed).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "tests/unit/supervise_bed.h"

/* ---- replacing ---- */

static void a_replacement_that_never_becomes_ready_is_given_up_and_the_old_goes_on(void **state)
{
	struct bed b = {.base = NULL};
	struct why why = WHY_NONE;
	pid_t old;

	(void)state;
	open_bed(&b, "serves", 2);
	wait_for(&b, "0 ready, 1 ready");
	old = supervise_pid(b.s, 1);
	act("silent");
	assert_int_equal(supervise_restart(b.s, 1, &why), 0);
	wait_for(&b, "0 ready, 1 ready, 1 starting");
	wait_for_failures(&b, 1);
	wait_for(&b, "0 ready, 1 ready");
	assert_int_equal(supervise_pid(b.s, 1), old);
	act("serves"); /* and the next one may be better */
	assert_int_equal(supervise_restart(b.s, 1, &why), 0);
	while (supervise_pid(b.s, 1) == old)
		event_base_loop(b.base, EVLOOP_ONCE);
	wait_for(&b, "0 ready, 1 ready");
	close_bed(&b);
}

static void a_replacement_that_cannot_start_is_given_up_and_the_next_worker_has_its_turn(
		void **state)
{
	struct bed b = {.base = NULL};
	struct why why = WHY_NONE;
	struct supervise_process p;
	pid_t old[2];

	(void)state;
	open_bed(&b, "serves", 2);
	wait_for(&b, "0 ready, 1 ready");
	for (uint32_t w = 0; w < 2; w++)
		old[w] = supervise_pid(b.s, w);
	act("fails");
	assert_int_equal(supervise_restart(b.s, SUPERVISE_ALL, &why), 0);
	wait_for_failures(&b, 2);
	wait_for(&b, "0 ready, 1 ready");
	for (uint32_t w = 0; w < 2; w++)
		assert_int_equal(supervise_pid(b.s, w), old[w]);
	assert_true(supervise_process_at(b.s, 0, &p));
	assert_string_equal(p.failure, "");
	close_bed(&b);
}

static void the_old_process_drains_while_the_new_one_serves(void **state)
{
	struct bed b = {.base = NULL};
	struct why why = WHY_NONE;
	struct supervise_replacements r;

	(void)state;
	open_bed(&b, "slow", 1);
	wait_for(&b, "0 ready");
	assert_int_equal(supervise_restart(b.s, 0, &why), 0);
	wait_for(&b, "0 draining, 0 ready");
	assert_int_equal(b.n_left, 1);
	/* a third one has no seat before the first is gone */
	assert_int_equal(supervise_restart(b.s, 0, &why), 0);
	supervise_replacements(b.s, &r);
	assert_int_equal(r.waiting, 1);
	assert_int_equal(r.done, 1);
	wait_for(&b, "0 draining, 0 ready");
	close_bed(&b);
}

static void a_worker_that_lies_is_killed_and_started_again(void **state)
{
	struct bed b = {.base = NULL};

	(void)state;
	open_bed(&b, "lies", 1);
	while (supervise_restarts(b.s, 0) < 2)
		event_base_loop(b.base, EVLOOP_ONCE);
	act("serves");
	wait_for(&b, "0 ready");
	close_bed(&b);
}

/* ---- scaling, without steering ---- */

static void a_worker_that_is_taken_away_accepts_on_and_can_be_taken_back(void **state)
{
	struct bed b = {.base = NULL};
	struct why why = WHY_NONE;
	pid_t pids[3];

	(void)state;
	open_bed(&b, "serves", 3);
	wait_for(&b, "0 ready, 1 ready, 2 ready");
	for (uint32_t w = 0; w < 3; w++)
		pids[w] = supervise_pid(b.s, w);
	assert_int_equal(supervise_scale(b.s, 1, &why), 0);
	wait_for(&b, "0 ready, 1 draining, 2 draining");
	assert_int_equal(supervise_count(b.s), 1);
	assert_int_equal(b.n_left, 2);
	assert_int_equal(listeners_workers(b.listeners), 3); /* their queues are still there */
	assert_int_equal(supervise_scale(b.s, 2, &why), 0);
	wait_for(&b, "0 ready, 1 ready, 2 draining");
	assert_int_equal(supervise_pid(b.s, 1), pids[1]);
	kill(pids[2], SIGKILL); /* what waits there must be accepted by somebody */
	while (supervise_pid(b.s, 2) == pids[2])
		event_base_loop(b.base, EVLOOP_ONCE);
	wait_for(&b, "0 ready, 1 ready, 2 draining");
	assert_int_equal(supervise_scale(b.s, 4, &why), 0);
	wait_for(&b, "0 ready, 1 ready, 2 ready, 3 ready");
	assert_int_equal(listeners_workers(b.listeners), 4);
	assert_int_equal(b.n_scaled, 3);
	close_bed(&b);
}

static void what_there_is_no_room_for_is_refused(void **state)
{
	struct bed b = {.base = NULL};
	struct why why = WHY_NONE;

	(void)state;
	open_bed(&b, "serves", 2);
	wait_for(&b, "0 ready, 1 ready");
	assert_int_equal(supervise_scale(b.s, 5, &why), -ERANGE);
	assert_non_null(strstr(why.text, "1 to 4"));
	assert_int_equal(supervise_scale(b.s, 0, &why), -ERANGE);
	assert_int_equal(supervise_restart(b.s, 2, &why), -ENOENT);
	supervise_stop(b.s, 1000);
	assert_int_equal(supervise_scale(b.s, 3, &why), -ESHUTDOWN);
	assert_int_equal(supervise_drain(b.s, 0, 0, &why), -ESHUTDOWN);
	while (!b.is_stopped)
		event_base_loop(b.base, EVLOOP_ONCE);
	close_bed(&b);
}

/* ---- who is counted on ---- */

static struct supervise_serving serving(const struct bed *b)
{
	struct supervise_serving s;

	supervise_serving(b->s, &s);
	return s;
}

static void nobody_counts_on_a_worker_that_was_added_before_it_is_there(void **state)
{
	struct bed b = {.base = NULL};
	struct why why = WHY_NONE;

	(void)state;
	open_bed(&b, "serves", 1);
	assert_int_equal(serving(&b).unborn, 1);
	wait_for(&b, "0 ready");
	assert_int_equal(serving(&b).unborn, 0);
	act("silent");
	assert_int_equal(supervise_scale(b.s, 4, &why), 0);
	wait_for(&b, "0 ready, 1 starting, 2 starting, 3 starting");
	assert_int_equal(serving(&b).now, 1);
	assert_int_equal(serving(&b).expected, 1);
	assert_int_equal(serving(&b).unborn, 0);
	close_bed(&b);
}

static void a_worker_without_a_configuration_takes_no_traffic_yet(void **state)
{
	struct bed b = {.base = NULL};

	(void)state;
	open_bed(&b, "empty", 2);
	wait_for(&b, "0 ready, 1 ready");
	assert_int_equal(serving(&b).now, 0);
	assert_int_equal(serving(&b).unborn, 2);
	supervise_publish(b.s, 7);
	while (serving(&b).now < 2)
		event_base_loop(b.base, EVLOOP_ONCE);
	assert_int_equal(serving(&b).unborn, 0);
	kill(supervise_pid(b.s, 0), SIGKILL);
	while (serving(&b).now == 2)
		event_base_loop(b.base, EVLOOP_ONCE);
	assert_int_equal(serving(&b).expected, 2); /* it is missed */
	close_bed(&b);
}

/* ---- draining ---- */

static uint32_t flags(const struct bed *b, uint32_t slot)
{
	return atomic_load(&steering_board(b->steering)->slots[slot].master_flags);
}

static void a_drain_is_on_the_board_for_all_processes_of_the_worker(void **state)
{
	struct bed b = {.base = NULL};
	struct why why = WHY_NONE;

	(void)state;
	open_bed(&b, "serves", 2);
	wait_for(&b, "0 ready, 1 ready");
	assert_int_equal(flags(&b, 0), SLOT_IS_OPEN);
	assert_int_equal(supervise_drain(b.s, 1, 1000, &why), 0);
	wait_for(&b, "0 ready, 1 drained");
	assert_int_equal(flags(&b, 2), SLOT_IS_CLOSING);
	assert_int_equal(flags(&b, 3), SLOT_IS_CLOSING);
	assert_int_equal(supervise_drain(b.s, 0, 1000, &why), -EBUSY);
	assert_int_equal(supervise_drain(b.s, 5, 1000, &why), -ENOENT);
	/* restarted because of something else it stays out; by its own number it is back */
	assert_int_equal(supervise_restart(b.s, SUPERVISE_ALL, &why), 0);
	while (supervise_restarts(b.s, 1) < 1)
		event_base_loop(b.base, EVLOOP_ONCE);
	wait_for(&b, "0 ready, 1 drained");
	act("fails"); /* then it does not take connections either */
	assert_int_equal(supervise_restart(b.s, 1, &why), 0);
	wait_for_failures(&b, 1);
	act("serves");
	assert_int_equal(supervise_restart(b.s, SUPERVISE_ALL, &why), 0);
	while (supervise_restarts(b.s, 1) < 3)
		event_base_loop(b.base, EVLOOP_ONCE);
	wait_for(&b, "0 ready, 1 drained");
	assert_int_equal(supervise_restart(b.s, 1, &why), 0);
	wait_for(&b, "0 ready, 1 ready");
	/* the drain is newer than the restart */
	assert_int_equal(supervise_restart(b.s, 1, &why), 0);
	assert_int_equal(supervise_drain(b.s, 1, 1000, &why), 0);
	while (supervise_restarts(b.s, 1) < 5)
		event_base_loop(b.base, EVLOOP_ONCE);
	wait_for(&b, "0 ready, 1 drained");
	close_bed(&b);
}

static void the_node_drains_and_goes_on_accepting(void **state)
{
	struct bed b = {.base = NULL};
	struct supervise_drain d;
	struct why why = WHY_NONE;

	(void)state;
	open_bed(&b, "serves", 1);
	wait_for(&b, "0 ready");
	assert_int_equal(supervise_drain(b.s, SUPERVISE_ALL, 5000, &why), 0);
	assert_int_equal(flags(&b, 0), SLOT_IS_OPEN | SLOT_IS_CLOSING);
	supervise_get_drain(b.s, SUPERVISE_ALL, &d);
	assert_true(d.is_on);
	assert_int_equal(d.timeout_ms, 5000);
	assert_int_equal(supervise_scale(b.s, 2, &why), 0);
	wait_for(&b, "0 ready, 1 ready");
	assert_int_equal(flags(&b, 2), SLOT_IS_OPEN | SLOT_IS_CLOSING);
	assert_int_equal(supervise_undrain(b.s, SUPERVISE_ALL, &why), 0);
	assert_int_equal(flags(&b, 0), SLOT_IS_OPEN);
	assert_int_equal(flags(&b, 2), SLOT_IS_OPEN);
	close_bed(&b);
}

/* ---- without the program ---- */

/* How many of 32 connections worker 1 gets. */
static int share_of_second(const struct bed *b)
{
	struct sockaddr_in sa = {
			.sin_family = AF_INET, .sin_port = htons(listeners_port(b->listeners, 0))};
	int clients[32], fd, n = 0;

	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	for (int i = 0; i < 32; i++) {
		clients[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		assert_int_equal(connect(clients[i], (struct sockaddr *)&sa, sizeof(sa)), 0);
	}
	for (uint32_t w = 0; w < 2; w++) {
		while ((fd = accept4(listeners_fd(b->listeners, w, 0), NULL, NULL, SOCK_CLOEXEC)) >=
				0) {
			n += w == 1;
			close(fd);
		}
	}
	for (int i = 0; i < 32; i++)
		close(clients[i]);
	return n;
}

static void a_worker_without_a_heartbeat_gets_nothing_until_it_beats_again(void **state)
{
	struct bed b = {.base = NULL};
	uint64_t until_ms;
	int n = -1;

	(void)state;
	open_bed(&b, "serves", 2);
	wait_for(&b, "0 ready, 1 ready");
	assert_true(share_of_second(&b) > 0);
	kill(supervise_pid(b.s, 1), SIGSTOP);
	for (until_ms = clock_mono_ms() + 5000; n != 0 && clock_mono_ms() < until_ms;) {
		event_base_loop(b.base, EVLOOP_ONCE);
		n = share_of_second(&b);
	}
	assert_int_equal(n, 0);
	kill(supervise_pid(b.s, 1), SIGCONT);
	for (until_ms = clock_mono_ms() + 5000; n == 0 && clock_mono_ms() < until_ms;) {
		event_base_loop(b.base, EVLOOP_ONCE);
		n = share_of_second(&b);
	}
	assert_true(n > 0);
	close_bed(&b);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(
					a_replacement_that_never_becomes_ready_is_given_up_and_the_old_goes_on),
			cmocka_unit_test(
					a_replacement_that_cannot_start_is_given_up_and_the_next_worker_has_its_turn),
			cmocka_unit_test(the_old_process_drains_while_the_new_one_serves),
			cmocka_unit_test(a_worker_that_lies_is_killed_and_started_again),
			cmocka_unit_test(
					a_worker_that_is_taken_away_accepts_on_and_can_be_taken_back),
			cmocka_unit_test(what_there_is_no_room_for_is_refused),
			cmocka_unit_test(
					nobody_counts_on_a_worker_that_was_added_before_it_is_there),
			cmocka_unit_test(a_worker_without_a_configuration_takes_no_traffic_yet),
			cmocka_unit_test(a_drain_is_on_the_board_for_all_processes_of_the_worker),
			cmocka_unit_test(the_node_drains_and_goes_on_accepting),
			cmocka_unit_test(
					a_worker_without_a_heartbeat_gets_nothing_until_it_beats_again),
	};

	if (argc == 3 && strcmp(argv[1], "--slot") == 0)
		return fake_worker((uint32_t)strtoul(argv[2], NULL, 10));
	return cmocka_run_group_tests_name("supervise", tests, NULL, NULL);
}
