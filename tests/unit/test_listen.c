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

int main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(every_worker_has_its_own_socket_on_the_same_port),
			cmocka_unit_test(a_port_that_another_gateway_shares_is_refused_by_name),
			cmocka_unit_test(an_address_of_another_machine_is_refused_by_name),
			cmocka_unit_test(no_address_at_all_is_no_error),
			cmocka_unit_test(
					a_process_that_keeps_ending_is_started_less_and_less_often),
			cmocka_unit_test(a_process_that_ran_long_is_started_at_once_again),
	};

	return cmocka_run_group_tests_name("listen", tests, NULL, NULL);
}
