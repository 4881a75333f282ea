/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "shm/ipc.h"

static int setup(void **state)
{
	static int pair[2];

	*state = pair;
	return ipc_pair(pair);
}

static int teardown(void **state)
{
	int *pair = *state;

	close(pair[0]);
	close(pair[1]);
	return 0;
}

static void every_field_arrives_and_the_message_is_read_to_its_last_byte(void **state)
{
	static struct ipc_out out;
	static struct ipc_in in;
	int *fd = *state;

	ipc_begin(&out, IPC_PLUGIN_STATE);
	ipc_put_str(&out, STR("a plugin"));
	ipc_put_u64(&out, UINT64_MAX - 1);
	ipc_put_u8(&out, 7);
	ipc_put_str(&out, STR_NONE);
	ipc_put_u32(&out, 42);
	assert_int_equal(ipc_send(fd[0], &out), 0);
	assert_int_equal(ipc_recv(fd[1], &in), 0);
	assert_int_equal(in.type, IPC_PLUGIN_STATE);
	assert_true(str_eq(ipc_get_str(&in), STR("a plugin")));
	assert_int_equal(ipc_get_u64(&in), UINT64_MAX - 1);
	assert_int_equal(ipc_get_u8(&in), 7);
	assert_int_equal(ipc_get_str(&in).n, 0);
	assert_false(ipc_done(&in));
	assert_int_equal(ipc_get_u32(&in), 42);
	assert_true(ipc_done(&in));
}

static void a_short_message_reads_as_zeroes_and_is_never_done(void **state)
{
	static struct ipc_out out;
	static struct ipc_in in;
	int *fd = *state;

	ipc_begin(&out, IPC_GENERATION);
	ipc_put_u32(&out, 5);
	assert_int_equal(ipc_send(fd[0], &out), 0);
	assert_int_equal(ipc_recv(fd[1], &in), 0);
	assert_int_equal(ipc_get_u64(&in), 0);
	assert_int_equal(ipc_get_u32(&in), 0);
	assert_false(ipc_done(&in));
}

static void a_string_longer_than_its_message_is_not_read(void **state)
{
	static struct ipc_in in;
	uint32_t lie[3] = {IPC_FAILED, UINT32_MAX, 1};
	int *fd = *state;

	assert_int_equal(send(fd[0], lie, sizeof(lie), 0), sizeof(lie));
	assert_int_equal(ipc_recv(fd[1], &in), 0);
	assert_int_equal(ipc_get_str(&in).n, 0);
	assert_false(ipc_done(&in));
}

static void packets_of_no_known_type_or_too_many_bytes_are_malformed(void **state)
{
	static uint8_t big[IPC_MESSAGE_MAX + 1];
	static struct ipc_in in;
	uint32_t types[] = {IPC_NONE, IPC_TYPE_COUNT, UINT32_MAX};
	int *fd = *state;

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		assert_int_equal(send(fd[0], &types[i], 4, 0), 4);
		assert_int_equal(ipc_recv(fd[1], &in), IPC_E_MALFORMED);
	}
	assert_int_equal(send(fd[0], big, 3, 0), 3);
	assert_int_equal(ipc_recv(fd[1], &in), IPC_E_MALFORMED);
	types[0] = IPC_READY;
	memcpy(big, types, 4);
	assert_int_equal(send(fd[0], big, sizeof(big), 0), sizeof(big));
	assert_int_equal(ipc_recv(fd[1], &in), IPC_E_MALFORMED);
}

static void fields_that_do_not_fit_are_refused_at_send(void **state)
{
	static struct ipc_out out;
	static char big[IPC_MESSAGE_MAX];
	int *fd = *state;

	ipc_begin(&out, IPC_FAILED);
	ipc_put_str(&out, (struct str){big, sizeof(big)});
	ipc_put_str(&out, (struct str){big, SIZE_MAX});
	assert_int_equal(ipc_send(fd[0], &out), -EMSGSIZE);
}

static void neither_end_ever_blocks(void **state)
{
	static struct ipc_out out;
	static struct ipc_in in;
	int *fd = *state;
	int r = 0;

	assert_int_equal(ipc_recv(fd[1], &in), IPC_E_AGAIN);
	ipc_begin(&out, IPC_FAILED);
	for (int i = 0; i < 100000 && r == 0; i++)
		r = ipc_send(fd[0], &out);
	assert_int_equal(r, IPC_E_AGAIN);
}

static void a_peer_that_is_gone_is_closed_both_ways(void **state)
{
	static struct ipc_out out;
	static struct ipc_in in;
	int *fd = *state;
	int spare = dup(fd[1]);

	close(fd[1]);
	close(spare);
	fd[1] = -1;
	ipc_begin(&out, IPC_READY);
	assert_int_equal(ipc_recv(fd[0], &in), IPC_E_CLOSED);
	assert_int_equal(ipc_send(fd[0], &out), IPC_E_CLOSED);
}

static void a_process_not_started_by_the_master_has_inherited_nothing(void **state)
{
	struct why why = WHY_NONE;

	(void)state;
	assert_int_equal(ipc_check_inherited(1, &why), -EBADF);
	assert_non_null(strstr(why.text, "inherited fd"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
			TEST(every_field_arrives_and_the_message_is_read_to_its_last_byte),
			TEST(a_short_message_reads_as_zeroes_and_is_never_done),
			TEST(a_string_longer_than_its_message_is_not_read),
			TEST(packets_of_no_known_type_or_too_many_bytes_are_malformed),
			TEST(fields_that_do_not_fit_are_refused_at_send),
			TEST(neither_end_ever_blocks),
			TEST(a_peer_that_is_gone_is_closed_both_ways),
			cmocka_unit_test(a_process_not_started_by_the_master_has_inherited_nothing),
	};

	return cmocka_run_group_tests_name("ipc", tests, NULL, NULL);
}
