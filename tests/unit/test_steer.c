/* SPDX-License-Identifier: Apache-2.0
 *
 * The steering program in the kernel, with real sockets on loopback.  The listeners of all
 * workers are in this process: what each would accept is counted.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "ebpf/steer.h"
#include "shm/board.h"

#define WORKERS 4

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

struct bed {
	struct steer *steer;
	struct board *board;
	unsigned n_groups;
	int fds[4][WORKERS];
	union address at[4];
};

static socklen_t size_of(const union address *a)
{
	return a->any.sa_family == AF_INET ? sizeof(a->v4) : sizeof(a->v6);
}

static union address address_of(int family, const char *host)
{
	union address a = {.any.sa_family = (sa_family_t)family};

	assert_int_equal(inet_pton(family, host,
					 family == AF_INET ? (void *)&a.v4.sin_addr
							   : (void *)&a.v6.sin6_addr),
			1);
	return a;
}

static int listen_at(union address *a, bool is_dual)
{
	int on = 1, v6_only = !is_dual,
	    fd = socket(a->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK, 0);
	socklen_t n = size_of(a);

	setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
	if (a->any.sa_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &v6_only, sizeof(v6_only));
	assert_int_equal(bind(fd, &a->any, n), 0);
	assert_int_equal(listen(fd, 512), 0);
	assert_int_equal(getsockname(fd, &a->any, &n), 0);
	return fd;
}

static void beat(struct bed *b)
{
	for (int w = 0; w < WORKERS; w++)
		atomic_store(&b->board->slots[w].heartbeat_ns, clock_mono_ns());
}

static void add_group(struct bed *b, union address at, bool is_dual)
{
	struct why why = WHY_NONE;
	unsigned g = b->n_groups++;

	b->at[g] = at;
	for (unsigned w = 0; w < WORKERS; w++) {
		b->fds[g][w] = listen_at(&b->at[g], is_dual);
		assert_int_equal(steer_place(b->steer, g, w, b->fds[g][w]), 0);
	}
	assert_int_equal(steer_attach(b->steer, g, b->fds[g][0], &why), 0);
}

static int bed_open(struct bed *b)
{
	struct steer_fault fault;
	struct why why = WHY_NONE;

	*b = (struct bed){.n_groups = 0};
	if (steer_new(&b->steer, &fault, &why) == STEER_E_UNAVAILABLE) {
		print_message("skipped: %s\n", why.text);
		return -1;
	}
	assert_non_null(b->steer);
	assert_int_equal(board_adopt(&b->board, steer_board_fd(b->steer), WORKERS, &why), 0);
	for (int w = 0; w < WORKERS; w++) {
		b->board->slots[w].state = SLOT_READY;
		b->board->slots[w].master_flags = SLOT_IS_OPEN;
	}
	beat(b);
	return 0;
}

static void bed_close(struct bed *b)
{
	for (unsigned g = 0; g < b->n_groups; g++) {
		for (int w = 0; w < WORKERS; w++)
			close(b->fds[g][w]);
	}
	board_unmap(b->board);
	steer_free(b->steer);
}

#define BED(b) \
	struct bed b; \
	(void)state; \
	if (bed_open(&(b)) < 0) { \
		skip(); \
		return; \
	}

/* from: NULL, or a source address. */
static int dial(const union address *to, const char *from)
{
	int fd = socket(to->any.sa_family, SOCK_STREAM, 0);

	if (from != NULL) {
		union address a = address_of(to->any.sa_family, from);

		assert_int_equal(bind(fd, &a.any, size_of(&a)), 0);
	}
	assert_int_equal(connect(fd, &to->any, size_of(to)), 0);
	return fd;
}

/* What worker w finds in its queue of group g; as a worker, it counts what it takes. */
static int take(struct bed *b, unsigned g, int w)
{
	int n = 0, fd;

	while ((fd = accept(b->fds[g][w], NULL, NULL)) >= 0) {
		close(fd);
		n++;
	}
	return n;
}

static void dial_many(const union address *to, int n)
{
	for (int i = 0; i < n; i++)
		close(dial(to, NULL));
}

static void assert_quarters(struct bed *b, unsigned g, int each)
{
	for (int w = 0; w < WORKERS; w++)
		assert_int_equal(take(b, g, w), each);
}

static void every_mode_loads_and_least_conn_and_round_robin_share_exactly(void **state)
{
	BED(b);
	add_group(&b, address_of(AF_INET, "127.0.0.1"), false);
	for (unsigned mode = 0; mode < STEER_MODE_COUNT; mode++) {
		int all = 0;

		steer_set_mode(b.steer, (enum steer_mode)mode);
		beat(&b);
		dial_many(&b.at[0], 200);
		for (int w = 0; w < WORKERS; w++) {
			int n = take(&b, 0, w);

			all += n;
			if (mode == STEER_LEAST_CONN || mode == STEER_ROUND_ROBIN)
				assert_int_equal(n, 50);
			b.board->slots[w].gone = b.board->slots[w].assigned;
		}
		assert_int_equal(all, 200);
	}
	bed_close(&b);
}

static void ipv4_ipv6_dual_stack_and_several_ports_are_kept_apart(void **state)
{
	union address v4_of_dual = address_of(AF_INET, "127.0.0.1");
	struct steer_counts c;

	BED(b);
	add_group(&b, address_of(AF_INET, "127.0.0.1"), false);
	add_group(&b, address_of(AF_INET6, "::1"), false);
	add_group(&b, address_of(AF_INET6, "::"), true);
	/* the port of the first, at another address: a group of its own */
	b.at[3] = address_of(AF_INET, "127.0.0.2");
	b.at[3].v4.sin_port = b.at[0].v4.sin_port;
	add_group(&b, b.at[3], false);
	v4_of_dual.v4.sin_port = b.at[2].v6.sin6_port;
	for (unsigned g = 0; g < 4; g++) {
		beat(&b);
		dial_many(&b.at[g], 20);
		assert_quarters(&b, g, 5);
	}
	beat(&b);
	dial_many(&v4_of_dual, 20);
	assert_quarters(&b, 2, 5);
	steer_get_counts(b.steer, &c);
	assert_int_equal(c.chosen, 100);
	assert_int_equal(c.failed + c.unknown + c.nobody, 0);
	bed_close(&b);
}

static void closed_draining_and_silent_workers_get_nothing(void **state)
{
	BED(b);
	add_group(&b, address_of(AF_INET, "127.0.0.1"), false);
	steer_set_stale_ms(b.steer, 2000);
	b.board->slots[0].state = SLOT_DRAINING;
	b.board->slots[1].master_flags = 0;
	b.board->slots[2].heartbeat_ns = clock_mono_ns() - 3000000000U;
	dial_many(&b.at[0], 40);
	for (int w = 0; w < WORKERS; w++)
		assert_int_equal(take(&b, 0, w), w == 3 ? 40 : 0);
	bed_close(&b);
}

static void an_address_keeps_its_worker_and_a_drain_moves_only_the_drained(void **state)
{
	int before[40], slot, fd;
	char from[16];

	BED(b);
	add_group(&b, address_of(AF_INET, "127.0.0.1"), false);
	steer_set_mode(b.steer, STEER_HASH_IP);
	for (int round = 0; round < 3; round++) {
		b.board->slots[1].state = round == 2 ? SLOT_DRAINING : SLOT_READY;
		for (int i = 0; i < 40; i++) {
			snprintf(from, sizeof(from), "127.0.1.%d", i + 1);
			fd = dial(&b.at[0], from);
			for (slot = 0; slot < WORKERS && take(&b, 0, slot) == 0; slot++)
				;
			close(fd);
			assert_in_range(slot, 0, WORKERS - 1);
			if (round == 0)
				before[i] = slot;
			else if (round == 1 || before[i] != 1)
				assert_int_equal(slot, before[i]);
			else
				assert_int_not_equal(slot, 1);
		}
	}
	bed_close(&b);
}

static void without_an_open_worker_or_a_socket_the_kernel_decides_and_it_is_counted(void **state)
{
	struct steer_counts c;
	int all = 0;

	BED(b);
	add_group(&b, address_of(AF_INET, "127.0.0.1"), false);
	for (int w = 0; w < WORKERS; w++)
		b.board->slots[w].master_flags = 0;
	dial_many(&b.at[0], 30);
	b.board->slots[2].master_flags = SLOT_IS_OPEN;
	assert_int_equal(steer_remove(b.steer, 0, 2), 0);
	assert_int_equal(steer_remove(b.steer, 0, 2), STEER_E_EMPTY);
	dial_many(&b.at[0], 30);
	for (int w = 0; w < WORKERS; w++)
		all += take(&b, 0, w);
	assert_int_equal(all, 60);
	steer_get_counts(b.steer, &c);
	assert_int_equal(c.nobody, 30);
	assert_int_equal(c.failed, 30);
	assert_int_equal(c.chosen, 0);
	bed_close(&b);
}

static void what_waits_at_a_listener_that_is_replaced_goes_to_the_others(void **state)
{
	struct steer_counts c;
	int fresh;

	BED(b);
	add_group(&b, address_of(AF_INET, "127.0.0.1"), false);
	dial_many(&b.at[0], 40);
	/* as the master does it when worker 1 is gone */
	b.board->slots[1].master_flags = 0;
	fresh = listen_at(&b.at[0], false);
	assert_int_equal(steer_place(b.steer, 0, 1, fresh), 0);
	close(b.fds[0][1]);
	b.fds[0][1] = fresh;
	assert_int_equal(take(&b, 0, 1), 0);
	assert_int_equal(take(&b, 0, 0) + take(&b, 0, 2) + take(&b, 0, 3), 40);
	steer_get_counts(b.steer, &c);
	assert_int_equal(c.migrated, 10);
	b.board->slots[1].master_flags = SLOT_IS_OPEN;
	beat(&b);
	for (int w = 0; w < WORKERS; w++)
		b.board->slots[w].gone = b.board->slots[w].assigned;
	dial_many(&b.at[0], 40);
	assert_quarters(&b, 0, 10);
	bed_close(&b);
}

static void another_program_takes_the_listeners_over_with_what_waits_there(void **state)
{
	struct bed next;
	struct why why = WHY_NONE;
	struct steer_counts c;

	BED(b);
	add_group(&b, address_of(AF_INET, "127.0.0.1"), false);
	dial_many(&b.at[0], 40);
	assert_int_equal(bed_open(&next), 0);
	assert_int_equal(steer_place(next.steer, 0, 0, b.fds[0][0]), STEER_E_BUSY);
	/* another layout: group 5 */
	for (unsigned w = 0; w < WORKERS; w++)
		assert_int_equal(steer_take(next.steer, 5, w, b.fds[0][w], steer_array_fd(b.steer)),
				0);
	assert_int_equal(steer_attach(next.steer, 5, b.fds[0][0], &why), 0);
	assert_int_equal(steer_remove(b.steer, 0, 0), STEER_E_EMPTY);
	assert_quarters(&b, 0, 10);
	beat(&next);
	dial_many(&b.at[0], 40);
	assert_quarters(&b, 0, 10);
	steer_get_counts(next.steer, &c);
	assert_int_equal(c.chosen, 40);
	board_unmap(next.board);
	steer_free(next.steer);
	bed_close(&b);
}

static void a_worker_reads_and_writes_the_board_by_its_fd_alone(void **state)
{
	struct why why = WHY_NONE;
	struct board *w = NULL;

	BED(b);
	assert_int_equal(board_map(&w, steer_board_fd(b.steer), &why), 0);
	assert_int_equal(w->n_slots, WORKERS);
	atomic_store(&w->slots[3].active, 17);
	assert_int_equal(atomic_load(&b.board->slots[3].active), 17);
	board_unmap(w);
	assert_true(board_map(&w, steer_array_fd(b.steer), &why) < 0);
	bed_close(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(
					every_mode_loads_and_least_conn_and_round_robin_share_exactly),
			cmocka_unit_test(ipv4_ipv6_dual_stack_and_several_ports_are_kept_apart),
			cmocka_unit_test(closed_draining_and_silent_workers_get_nothing),
			cmocka_unit_test(
					an_address_keeps_its_worker_and_a_drain_moves_only_the_drained),
			cmocka_unit_test(
					without_an_open_worker_or_a_socket_the_kernel_decides_and_it_is_counted),
			cmocka_unit_test(
					what_waits_at_a_listener_that_is_replaced_goes_to_the_others),
			cmocka_unit_test(
					another_program_takes_the_listeners_over_with_what_waits_there),
			cmocka_unit_test(a_worker_reads_and_writes_the_board_by_its_fd_alone),
	};

	return cmocka_run_group_tests_name("steering: the program", tests, NULL, NULL);
}
