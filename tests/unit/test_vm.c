/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <lauxlib.h>
#include <lua.h>

#include "tests/unit/vm_harness.h"

#define CPU_MS 10
#define MEMORY_MB 16

static void assert_result(struct harness *h, const char *code, const char *wanted)
{
	enum vm_status status = harness_run(h, code);

	if (status != VM_OK)
		fail_msg("%s: %s: %s", code, vm_status_name(status), h->why.text);
	assert_string_equal(h->result, wanted);
}

static void a_chunk_runs_and_returns_values(void **state)
{
	struct harness h;

	(void)state;
	harness_open(&h, CPU_MS, MEMORY_MB);
	assert_result(&h, "return 1 + 1", "2");
	assert_result(&h, "return ('x'):rep(3)", "xxx");
	harness_close(&h);
}

static void an_endless_loop_is_stopped(void **state)
{
	struct harness h;

	(void)state;
	harness_open(&h, CPU_MS, MEMORY_MB);
	assert_int_equal(harness_run(&h, "while true do end"), VM_CPU);
	assert_result(&h, "return 'usable'", "usable");
	harness_close(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(a_chunk_runs_and_returns_values),
			cmocka_unit_test(an_endless_loop_is_stopped),
	};

	return cmocka_run_group_tests(tests, harness_process, NULL);
}
