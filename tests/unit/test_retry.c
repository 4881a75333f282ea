/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/engine_bench.h"

#define METHOD(body) "function P:access(conf) " body " end"

static const struct bench_scope everywhere = {.config = "{}"};

static void another_try_goes_where_the_retry_callback_says(void **state)
{
	struct bench *b = *state;

	bench_plugin(b, "p", 2,
			METHOD("local n = 0 "
			       "kong.service.set_target_retry_callback(function() "
			       "n = n + 1 kong.ctx.shared.phase = ngx.get_phase() "
			       "if n == 3 then return 'x' end "
			       "if n == 4 then error('no') end "
			       "if n == 5 then while true do end end "
			       "return 'host' .. n, 9000 + n end)"));
	bench_plugin(b, "first", 3,
			METHOD("kong.service.set_target_retry_callback(function() "
			       "return 'other', 1 end)"));
	bench_instance(b, "p", "i1", everywhere);
	bench_instance(b, "first", "i2", everywhere);
	bench_commit(b);
	bench_run(b, "/");
	assert_true(chain_retry(b->chain));
	assert_string_equal(bench_text(b->x.upstream.host), "host1");
	assert_int_equal(b->x.upstream.port, 9001);
	assert_string_equal(bench_shared(b, "phase"), "balancer");
	assert_int_equal(b->x.phase, PHASE_ACCESS);
	assert_true(chain_retry(b->chain));
	for (unsigned i = 3; i <= 5; i++)
		assert_false(chain_retry(b->chain));
	assert_string_equal(bench_text(b->x.upstream.host), "host2");
	assert_false(b->x.answer.is_set);
	bench_end(b);
}

static void without_a_retry_callback_nothing_changes(void **state)
{
	struct bench *b = *state;

	bench_plugin(b, "p", 1, METHOD(""));
	bench_instance(b, "p", "i1", everywhere);
	bench_commit(b);
	bench_run(b, "/");
	assert_false(chain_retry(b->chain));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
			BENCH_TEST(another_try_goes_where_the_retry_callback_says),
			BENCH_TEST(without_a_retry_callback_nothing_changes),
	};

	return cmocka_run_group_tests_name("retry", tests, bench_process, NULL);
}
