/* SPDX-License-Identifier: Apache-2.0
 *
 * The choice of steering, compiled for the host.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "ebpf/steer.h"
#include "ebpf/steer_pick.h"

#define SECOND 1000000000ULL
#define STALE_NS 90000000ULL

static struct board board;
static uint32_t chance, turn;

/* n workers, ready, open, fresh, idle. */
static void start(uint32_t n)
{
	memset(&board, 0, sizeof(board));
	board.n_slots = n;
	chance = turn = 0;
	for (uint32_t i = 0; i < n; i++) {
		board.slots[i].state = SLOT_READY;
		board.slots[i].master_flags = SLOT_IS_OPEN;
		board.slots[i].heartbeat_ns = SECOND;
	}
}

static void load(uint32_t slot, uint64_t connections)
{
	board.slots[slot].assigned = board.slots[slot].gone + connections;
}

static uint32_t choose_for(enum steer_mode mode, uint64_t client, uint32_t cpu, uint32_t n_classes)
{
	struct steer_pick p = {.board = &board,
			.now_ns = SECOND + STALE_NS,
			.stale_ns = STALE_NS,
			.client = client,
			.n = board.n_slots,
			.chance = (uint32_t)steer_mix(++chance),
			.turn = turn++,
			.cpu = cpu,
			.n_classes = n_classes};

	steer_choose(&p, mode);
	return p.best;
}

/* As the program: a connection that was given counts at once. */
static uint32_t give(enum steer_mode mode, uint64_t client)
{
	uint32_t slot = choose_for(mode, client, 0, 0);

	assert_in_range(slot, 0, board.n_slots - 1);
	board.slots[slot].assigned++;
	return slot;
}

static void spread(uint64_t *ret_least, uint64_t *ret_most)
{
	*ret_least = UINT64_MAX;
	*ret_most = 0;
	for (uint32_t i = 0; i < board.n_slots; i++) {
		uint64_t n = board.slots[i].assigned - board.slots[i].gone;

		*ret_least = n < *ret_least ? n : *ret_least;
		*ret_most = n > *ret_most ? n : *ret_most;
	}
}

static void assert_even_after(enum steer_mode mode, uint32_t workers, uint32_t connections)
{
	uint64_t least, most;

	start(workers);
	for (uint32_t i = 0; i < connections; i++)
		give(mode, 0);
	spread(&least, &most);
	assert_in_range(most - least, 0, connections % workers == 0 ? 0 : 1);
}

static void least_conn_and_round_robin_share_exactly(void **state)
{
	(void)state;
	for (uint32_t workers = 1; workers <= STEER_SCAN_MAX; workers++) {
		assert_even_after(STEER_LEAST_CONN, workers, 50 * workers);
		assert_even_after(STEER_ROUND_ROBIN, workers, 50 * workers);
	}
	assert_even_after(STEER_ROUND_ROBIN, 64, 6400);
}

static void above_16_workers_the_better_of_two_stays_close(void **state)
{
	uint64_t least, most;

	(void)state;
	start(64);
	for (int i = 0; i < 6400; i++)
		give(STEER_LEAST_CONN, 0);
	spread(&least, &most);
	assert_in_range(most, 100, 108);
	assert_in_range(least, 92, 100);
}

static void equally_idle_workers_take_turns_by_chance(void **state)
{
	uint32_t got[4] = {0};

	(void)state;
	start(4);
	for (int i = 0; i < 4000; i++)
		got[choose_for(STEER_LEAST_CONN, 0, 0, 0)]++;
	for (int i = 0; i < 4; i++)
		assert_in_range(got[i], 800, 1200);
}

static void a_burst_does_not_run_to_the_emptiest_worker_only(void **state)
{
	uint64_t least, most;

	(void)state;
	start(4);
	for (uint32_t i = 1; i < 4; i++)
		load(i, 67);
	/* nothing of it is accepted meanwhile: `gone` and `seen` stand still */
	for (int i = 0; i < 99; i++)
		give(STEER_LEAST_CONN, 0);
	spread(&least, &most);
	assert_int_equal(most, 75);
	assert_int_equal(least, 75);
}

static void a_draining_dead_or_closed_worker_gets_nothing(void **state)
{
	(void)state;
	for (unsigned mode = 0; mode < STEER_KERNEL; mode++) {
		start(5);
		board.slots[0].state = SLOT_DRAINING;
		board.slots[1].state = SLOT_DEAD;
		board.slots[2].state = SLOT_STARTING;
		board.slots[3].master_flags = 0;
		for (uint64_t client = 1; client < 200; client++)
			assert_int_equal(choose_for((enum steer_mode)mode, client, 1, 2), 4);
	}
}

static void a_worker_with_an_old_heartbeat_gets_nothing_while_others_are_fresh(void **state)
{
	(void)state;
	for (unsigned mode = 0; mode < STEER_KERNEL; mode++) {
		start(4);
		board.slots[2].heartbeat_ns = SECOND - 1;
		/* the busiest of all, but alive */
		load(1, 1000);
		for (uint64_t client = 1; client < 200; client++)
			assert_int_not_equal(choose_for((enum steer_mode)mode, client, 0, 2), 2);
	}
}

static void when_every_heartbeat_is_old_all_get_their_share(void **state)
{
	(void)state;
	for (unsigned mode = 0; mode < STEER_KERNEL; mode++) {
		uint32_t got[4] = {0};

		start(4);
		for (int i = 0; i < 4; i++)
			board.slots[i].heartbeat_ns = 0;
		for (uint64_t client = 1; client < 400; client++)
			got[choose_for((enum steer_mode)mode, client, (uint32_t)client, 4)]++;
		for (int i = 0; i < 4; i++)
			assert_in_range(got[i], 50, 200);
	}
}

static void a_heartbeat_of_the_future_is_fresh(void **state)
{
	(void)state;
	start(2);
	board.slots[1].heartbeat_ns = 5 * SECOND;
	board.slots[0].heartbeat_ns = 0;
	assert_int_equal(choose_for(STEER_LEAST_CONN, 0, 0, 0), 1);
}

static void nobody_is_chosen_when_nobody_is_there(void **state)
{
	(void)state;
	for (unsigned mode = 0; mode < STEER_KERNEL; mode++) {
		start(20);
		for (int i = 0; i < 20; i++)
			board.slots[i].master_flags = 0;
		assert_int_equal(choose_for((enum steer_mode)mode, 1, 0, 2), STEER_NOBODY);
		board.n_slots = 0;
		assert_int_equal(choose_for((enum steer_mode)mode, 1, 0, 2), STEER_NOBODY);
	}
}

static void a_board_that_claims_more_slots_than_there_are_is_read_to_its_end(void **state)
{
	(void)state;
	start(64);
	board.n_slots = 4000000000U;
	for (unsigned mode = 0; mode < STEER_KERNEL; mode++)
		assert_in_range(choose_for((enum steer_mode)mode, 7, 3, 4), 0, 63);
}

static void a_count_that_looks_negative_is_no_load(void **state)
{
	(void)state;
	start(2);
	board.slots[0].gone = 5;
	load(1, 1);
	assert_int_equal(choose_for(STEER_LEAST_CONN, 0, 0, 0), 0);
}

static void an_address_keeps_its_worker(void **state)
{
	uint32_t got[4] = {0};

	(void)state;
	start(4);
	for (uint64_t client = 1; client <= 4000; client++) {
		uint32_t slot = choose_for(STEER_HASH_IP, steer_mix(client), 0, 0);

		got[slot]++;
		load(slot, 1000);
		assert_int_equal(choose_for(STEER_HASH_IP, steer_mix(client), 1, 2), slot);
	}
	for (int i = 0; i < 4; i++)
		assert_in_range(got[i], 900, 1100);
}

static void a_drain_moves_the_drained_workers_addresses_only_and_evenly(void **state)
{
	static uint32_t before[4001];
	uint32_t moved[5] = {0};

	(void)state;
	start(5);
	for (uint64_t client = 1; client <= 4000; client++)
		before[client] = choose_for(STEER_HASH_IP, steer_mix(client), 0, 0);
	board.slots[2].state = SLOT_DRAINING;
	for (uint64_t client = 1; client <= 4000; client++) {
		uint32_t slot = choose_for(STEER_HASH_IP, steer_mix(client), 0, 0);

		if (before[client] != 2)
			assert_int_equal(slot, before[client]);
		else
			moved[slot]++;
	}
	assert_int_equal(moved[2], 0);
	for (int i = 0; i < 5; i++)
		assert_true(i == 2 || (moved[i] > 140 && moved[i] < 260));
	board.slots[2].state = SLOT_READY;
	for (uint64_t client = 1; client <= 4000; client++)
		assert_int_equal(
				choose_for(STEER_HASH_IP, steer_mix(client), 0, 0), before[client]);
}

static void a_closed_worker_leaves_its_turns_to_all_others(void **state)
{
	(void)state;
	start(4);
	board.slots[1].master_flags = 0;
	for (int i = 0; i < 300; i++)
		give(STEER_ROUND_ROBIN, 0);
	assert_int_equal(board.slots[0].assigned, 100);
	assert_int_equal(board.slots[1].assigned, 0);
	assert_int_equal(board.slots[2].assigned, 100);
	assert_int_equal(board.slots[3].assigned, 100);
}

static void a_cpu_has_its_workers_and_others_only_without_them(void **state)
{
	(void)state;
	start(4);
	load(0, 9);
	assert_int_equal(choose_for(STEER_CPU, 0, 0, 2), 2);
	assert_int_equal(choose_for(STEER_CPU, 0, 2, 2), 2);
	load(2, 10);
	assert_int_equal(choose_for(STEER_CPU, 0, 0, 2), 0);
	board.slots[0].master_flags = board.slots[2].master_flags = 0;
	load(1, 1);
	assert_int_equal(choose_for(STEER_CPU, 0, 0, 2), 3);
}

static void modes_have_names_that_read_back(void **state)
{
	enum steer_mode mode;

	(void)state;
	for (unsigned i = 0; i < STEER_MODE_COUNT; i++) {
		const char *name = steer_mode_name((enum steer_mode)i);

		assert_true(steer_mode_parse(str_of(name), &mode));
		assert_int_equal(mode, i);
		assert_non_null(strstr(steer_mode_list(), name));
	}
	assert_false(steer_mode_parse(STR("least"), &mode));
	assert_int_equal(steer_mode_list()[0], 'l');
}

int main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(least_conn_and_round_robin_share_exactly),
			cmocka_unit_test(above_16_workers_the_better_of_two_stays_close),
			cmocka_unit_test(equally_idle_workers_take_turns_by_chance),
			cmocka_unit_test(a_burst_does_not_run_to_the_emptiest_worker_only),
			cmocka_unit_test(a_draining_dead_or_closed_worker_gets_nothing),
			cmocka_unit_test(
					a_worker_with_an_old_heartbeat_gets_nothing_while_others_are_fresh),
			cmocka_unit_test(when_every_heartbeat_is_old_all_get_their_share),
			cmocka_unit_test(a_heartbeat_of_the_future_is_fresh),
			cmocka_unit_test(nobody_is_chosen_when_nobody_is_there),
			cmocka_unit_test(
					a_board_that_claims_more_slots_than_there_are_is_read_to_its_end),
			cmocka_unit_test(a_count_that_looks_negative_is_no_load),
			cmocka_unit_test(an_address_keeps_its_worker),
			cmocka_unit_test(
					a_drain_moves_the_drained_workers_addresses_only_and_evenly),
			cmocka_unit_test(a_closed_worker_leaves_its_turns_to_all_others),
			cmocka_unit_test(a_cpu_has_its_workers_and_others_only_without_them),
			cmocka_unit_test(modes_have_names_that_read_back),
	};

	return cmocka_run_group_tests_name("steering: the choice", tests, NULL, NULL);
}
