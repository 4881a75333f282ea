/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>

#include "master/backoff.h"
#include "master/listen.h"
#include "master/listen_share.h"

/* "127.0.0.1:port" that nobody listens on. */
static void free_address(char *ret, size_t size)
{
	struct sockaddr_in sa = {.sin_family = AF_INET};
	socklen_t n = sizeof(sa);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(fd, (struct sockaddr *)&sa, n), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&sa, &n), 0);
	close(fd);
	snprintf(ret, size, "127.0.0.1:%u", ntohs(sa.sin_port));
}

static void every_worker_has_its_own_socket_on_the_same_port(void **state)
{
	sl_auto(listeners) l = NULL;
	struct why why = WHY_NONE;
	char first[32], list[64];
	struct sockaddr_in sa;
	socklen_t n;

	(void)state;
	free_address(first, sizeof(first));
	snprintf(list, sizeof(list), "%s, [::1]:%s", first, first + strlen("127.0.0.1:"));
	assert_int_equal(listeners_open(&l, list, 3, &why), 0);
	assert_int_equal(listeners_count(l), 2);
	for (uint32_t w = 0; w < 3; w++) {
		n = sizeof(sa);
		assert_int_equal(getsockname(listeners_fd(l, w, 0), (struct sockaddr *)&sa, &n), 0);
		assert_int_equal(ntohs(sa.sin_port), listeners_port(l, 0));
		assert_int_not_equal(fcntl(listeners_fd(l, w, 1), F_GETFD) & FD_CLOEXEC, 0);
	}
	assert_int_not_equal(listeners_fd(l, 0, 0), listeners_fd(l, 1, 0));
}

static void a_port_that_another_gateway_shares_is_refused_by_name(void **state)
{
	sl_auto(listeners) first = NULL;
	sl_auto(listeners) second = NULL;
	struct why why = WHY_NONE;
	char list[64];

	(void)state;
	free_address(list, sizeof(list));
	assert_int_equal(listeners_open(&first, list, 2, &why), 0);
	assert_int_equal(listeners_open(&second, list, 2, &why), -EADDRINUSE);
	assert_non_null(strstr(why.text, list));
	assert_non_null(strstr(why.text, "is another gateway running?"));
}

static void an_address_of_another_machine_is_refused_by_name(void **state)
{
	sl_auto(listeners) l = NULL;
	struct why why = WHY_NONE;

	(void)state;
	assert_int_equal(listeners_open(&l, "192.0.2.1:8000", 1, &why), -EADDRNOTAVAIL);
	assert_non_null(strstr(why.text, "192.0.2.1:8000"));
	assert_int_equal(listeners_open(&l, "example.com:80", 1, &why), -EINVAL);
}

static void no_address_at_all_is_no_error(void **state)
{
	sl_auto(listeners) l = NULL;
	struct why why = WHY_NONE;

	(void)state;
	assert_int_equal(listeners_open(&l, "off", 4, &why), 0);
	assert_int_equal(listeners_count(l), 0);
}

static void a_process_that_keeps_ending_is_started_less_and_less_often(void **state)
{
	struct backoff b = {.last_ms = 0};

	(void)state;
	assert_int_equal(backoff_next(&b, 5), 10);
	assert_int_equal(backoff_next(&b, 5), 20);
	assert_int_equal(backoff_next(&b, 5), 40);
	for (int i = 0; i < 20; i++)
		backoff_next(&b, 5);
	assert_int_equal(backoff_next(&b, 5), BACKOFF_MAX_MS);
}

static void a_process_that_ran_long_is_started_at_once_again(void **state)
{
	struct backoff b = {.last_ms = BACKOFF_MAX_MS};

	(void)state;
	assert_int_equal(backoff_next(&b, BACKOFF_STABLE_MS - 1), BACKOFF_MAX_MS);
	assert_int_equal(backoff_next(&b, BACKOFF_STABLE_MS), BACKOFF_FIRST_MS);
}

static void three_workers(struct listeners **ret)
{
	struct why why = WHY_NONE;
	char list[32];

	free_address(list, sizeof(list));
	assert_int_equal(listeners_open(ret, list, 3, &why), 0);
}

/* n connections: how many came to each worker. */
static void connect_many(const struct listeners *l, int n, int ret[4])
{
	struct sockaddr_in sa = {.sin_family = AF_INET, .sin_port = htons(listeners_port(l, 0))};
	int clients[64], fd;

	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_true(n <= 64);
	for (int i = 0; i < n; i++) {
		clients[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		assert_int_equal(connect(clients[i], (struct sockaddr *)&sa, sizeof(sa)), 0);
	}
	for (uint32_t w = 0; w < listeners_workers(l); w++) {
		ret[w] = 0;
		while ((fd = accept4(listeners_fd(l, w, 0), NULL, NULL, SOCK_CLOEXEC)) >= 0) {
			ret[w]++;
			close(fd);
		}
		assert_int_equal(errno, EAGAIN);
	}
	for (int i = 0; i < n; i++)
		close(clients[i]);
}

static void a_worker_that_is_left_out_gets_nothing_and_the_others_all(void **state)
{
	sl_auto(listeners) l = NULL;
	struct why why = WHY_NONE;
	int got[4];

	(void)state;
	three_workers(&l);
	for (uint32_t out = 0; out < 3; out++) {
		assert_int_equal(listeners_share(l, 1U << out, &why), 0);
		connect_many(l, 64, got);
		for (uint32_t w = 0; w < 3; w++)
			assert_true((got[w] == 0) == (w == out));
		assert_int_equal(got[0] + got[1] + got[2], 64);
	}
	assert_int_equal(listeners_share(l, 3, &why), 0);
	connect_many(l, 64, got);
	assert_int_equal(got[2], 64);
}

static void nobody_left_out_and_everybody_left_out_is_the_kernels_choice(void **state)
{
	sl_auto(listeners) l = NULL;
	struct why why = WHY_NONE;
	int got[4];

	(void)state;
	three_workers(&l);
	assert_int_equal(listeners_share(l, 0, &why), 0); /* there is no filter to take away */
	assert_int_equal(listeners_share(l, 4, &why), 0);
	assert_int_equal(listeners_share(l, 7, &why), 0);
	connect_many(l, 64, got);
	assert_true(got[0] > 0 && got[1] > 0 && got[2] > 0);
	assert_int_equal(listeners_share(l, 0, &why), 0);
	connect_many(l, 64, got);
	assert_true(got[0] > 0 && got[1] > 0 && got[2] > 0);
}

static void listeners_are_added_and_dropped_at_the_end_and_keep_their_places(void **state)
{
	sl_auto(listeners) l = NULL;
	struct why why = WHY_NONE;
	int got[4];

	(void)state;
	three_workers(&l);
	/* one that is left out before it is there */
	assert_int_equal(listeners_share(l, 8, &why), 0);
	assert_int_equal(listeners_add(l, &why), 0);
	assert_int_equal(listeners_workers(l), 4);
	connect_many(l, 64, got);
	assert_int_equal(got[3], 0);
	assert_int_equal(listeners_share(l, 7, &why), 0);
	connect_many(l, 64, got);
	assert_int_equal(got[3], 64);
	listeners_drop(l);
	listeners_drop(l);
	assert_int_equal(listeners_workers(l), 2);
	assert_int_equal(listeners_add(l, &why), 0);
	assert_int_equal(listeners_share(l, 3, &why), 0);
	connect_many(l, 64, got);
	assert_int_equal(got[2], 64);
}

static void what_came_before_it_was_left_out_is_still_in_its_queue(void **state)
{
	sl_auto(listeners) l = NULL;
	struct why why = WHY_NONE;
	struct sockaddr_in sa = {.sin_family = AF_INET};
	int client, fd;

	(void)state;
	three_workers(&l);
	sa.sin_port = htons(listeners_port(l, 0));
	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(listeners_share(l, 6, &why), 0);
	client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(client, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(listeners_share(l, 1, &why), 0);
	fd = accept4(listeners_fd(l, 0, 0), NULL, NULL, SOCK_CLOEXEC);
	assert_true(fd >= 0);
	close(fd);
	close(client);
}

static void a_handshake_is_over_when_its_last_retry_was_in_vain(void **state)
{
	uint32_t ms = listeners_handshake_ms();

	(void)state;
	assert_true(ms >= 2000);
	assert_int_equal(ms % 1000, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(every_worker_has_its_own_socket_on_the_same_port),
			cmocka_unit_test(a_port_that_another_gateway_shares_is_refused_by_name),
			cmocka_unit_test(an_address_of_another_machine_is_refused_by_name),
			cmocka_unit_test(no_address_at_all_is_no_error),
			cmocka_unit_test(
					a_process_that_keeps_ending_is_started_less_and_less_often),
			cmocka_unit_test(a_worker_that_is_left_out_gets_nothing_and_the_others_all),
			cmocka_unit_test(
					nobody_left_out_and_everybody_left_out_is_the_kernels_choice),
			cmocka_unit_test(
					listeners_are_added_and_dropped_at_the_end_and_keep_their_places),
			cmocka_unit_test(what_came_before_it_was_left_out_is_still_in_its_queue),
			cmocka_unit_test(a_handshake_is_over_when_its_last_retry_was_in_vain),
			cmocka_unit_test(a_process_that_ran_long_is_started_at_once_again),
	};

	return cmocka_run_group_tests_name("listen", tests, NULL, NULL);
}
