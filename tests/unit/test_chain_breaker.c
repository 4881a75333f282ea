/* SPDX-License-Identifier: Apache-2.0 */
#include <unistd.h>

#include "base/clock.h"
#include "shm/breaker.h"
#include "tests/unit/engine_bench.h"

#define MARK(what) "kong.ctx.shared.trace = (kong.ctx.shared.trace or '') .. '" what " ' "
#define METHOD(phase, code) "function P:" phase "(conf) " code " end "
#define LOOP_ON(path) "if kong.request.get_path() == '" path "' then while true do end end "

static void suspend(struct bench *b)
{
	for (unsigned i = 0; i < BENCH_BREAKER_TRIPS; i++) {
		assert_int_equal(bench_run(b, "/loop"), CHAIN_ANSWER);
		assert_int_equal(b->x.answer.status, 500);
	}
}

static void after_the_wait(void)
{
	uint64_t end_ms = clock_mono_ms() + BENCH_BREAKER_RETRY_MS + 2;

	/* the timer of the budgets interrupts sleeps */
	while (clock_mono_ms() < end_ms)
		usleep(1000);
}

static void a_suspended_plugin_is_answered_503_and_no_later_one_runs(void **state)
{
	struct bench *b = *state;

	bench_plugin(b, "p", 2,
			METHOD("access", LOOP_ON("/loop") MARK("p")) METHOD("log", MARK("l")));
	bench_plugin(b, "q", 1, METHOD("access", MARK("q")) METHOD("log", MARK("q-log")));
	bench_instance(b, "p", "i1", (struct bench_scope){0});
	bench_instance(b, "q", "i2", (struct bench_scope){0});
	bench_commit(b);
	suspend(b);
	assert_int_equal(bench_run(b, "/"), CHAIN_ANSWER);
	assert_int_equal(b->x.answer.status, 503);
	assert_non_null(strstr(bench_text(b->x.answer.body), "suspended"));
	chain_log(b->chain);
	assert_string_equal(bench_shared(b, "trace"), "q-log ");
}

static void with_on_error_open_the_rest_runs(void **state)
{
	struct bench *b = *state;

	bench_plugin(b, "p", 2, METHOD("access", LOOP_ON("/loop") MARK("p")));
	bench_plugin(b, "q", 1, METHOD("access", MARK("q")));
	bench_instance(b, "p", "i1", (struct bench_scope){.on_error = "open"});
	bench_instance(b, "q", "i2", (struct bench_scope){0});
	bench_commit(b);
	for (unsigned i = 0; i < BENCH_BREAKER_TRIPS; i++)
		assert_int_equal(bench_run(b, "/loop"), CHAIN_GO_ON);
	assert_int_equal(bench_run(b, "/"), CHAIN_GO_ON);
	assert_string_equal(bench_shared(b, "trace"), "q ");
}

static void a_request_that_was_let_in_runs_to_its_end(void **state)
{
	struct bench *b = *state;
	struct chain *first;

	bench_plugin(b, "p", 2,
			METHOD("access", LOOP_ON("/loop") MARK("a")) METHOD("header_filter",
					LOOP_ON("/late") MARK("h")) METHOD("log", MARK("l")));
	bench_instance(b, "p", "i1", (struct bench_scope){0});
	bench_commit(b);
	/* the last trip is its own, after access */
	for (unsigned i = 1; i < BENCH_BREAKER_TRIPS; i++)
		bench_run(b, "/loop");
	assert_int_equal(bench_run(b, "/late"), CHAIN_GO_ON);
	first = b->chain;
	assert_int_equal(chain_header_filter(first), CHAIN_GO_ON);
	chain_log(first);
	assert_string_equal(bench_shared(b, "trace"), "a l ");
	assert_int_equal(bench_run(b, "/"), CHAIN_ANSWER);
	assert_int_equal(b->x.answer.status, 503);
}

static void a_request_that_was_held_at_first_is_held_to_its_end(void **state)
{
	struct bench *b = *state;

	bench_plugin(b, "p", 2,
			METHOD("rewrite", LOOP_ON("/loop") MARK("r")) METHOD("access", MARK("a")));
	bench_instance(b, "p", "i1", (struct bench_scope){.on_error = "open"});
	bench_commit(b);
	for (unsigned i = 0; i < BENCH_BREAKER_TRIPS; i++)
		bench_run(b, "/loop");
	bench_request(b, "/");
	assert_int_equal(chain_rewrite(b->chain), CHAIN_GO_ON);
	after_the_wait();
	bench_route(b, "r", "s");
	assert_int_equal(chain_access(b->chain), CHAIN_GO_ON);
	assert_string_equal(bench_shared(b, "trace"), "nil");
	/* the next one tries */
	assert_int_equal(bench_run(b, "/"), CHAIN_GO_ON);
	assert_string_equal(bench_shared(b, "trace"), "r a ");
}

static void it_is_closed_at_the_end_of_the_request_that_tried_it(void **state)
{
	struct bench *b = *state;
	struct breaker_show show;

	bench_plugin(b, "p", 2, METHOD("access", LOOP_ON("/loop")) METHOD("log", LOOP_ON("/log")));
	bench_instance(b, "p", "i1", (struct bench_scope){0});
	bench_commit(b);
	suspend(b);
	after_the_wait();
	/* well in access, ill in log */
	assert_int_equal(bench_run(b, "/log"), CHAIN_GO_ON);
	chain_log(b->chain);
	bench_end(b);
	breaker_show(b->breaker, STR("code-p"), 0, &show);
	assert_int_equal(show.state, BREAKER_OPEN);
	assert_int_equal(show.opens, 2);
	after_the_wait();
	after_the_wait();
	assert_int_equal(bench_run(b, "/"), CHAIN_GO_ON);
	breaker_show(b->breaker, STR("code-p"), 0, &show);
	assert_int_equal(show.state, BREAKER_HALF_OPEN);
	chain_log(b->chain);
	bench_end(b);
	breaker_show(b->breaker, STR("code-p"), 0, &show);
	assert_int_equal(show.state, BREAKER_CLOSED);
}

static void other_code_of_the_same_plugin_starts_closed(void **state)
{
	struct bench *b = *state;

	bench_plugin(b, "p", 2, METHOD("access", LOOP_ON("/loop")));
	bench_instance(b, "p", "i1", (struct bench_scope){0});
	bench_commit(b);
	suspend(b);
	bench_plugin(b, "p", 2, METHOD("access", LOOP_ON("/loop") "local other"));
	bench_commit(b);
	assert_int_equal(bench_run(b, "/"), CHAIN_GO_ON);
	/* other limits are other code */
	suspend(b);
	bench_plugin_with(b, "p", 2, METHOD("access", LOOP_ON("/loop") "local other"), NULL, 19, 0);
	bench_commit(b);
	assert_int_equal(bench_run(b, "/"), CHAIN_GO_ON);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
			BENCH_TEST(a_suspended_plugin_is_answered_503_and_no_later_one_runs),
			BENCH_TEST(with_on_error_open_the_rest_runs),
			BENCH_TEST(a_request_that_was_let_in_runs_to_its_end),
			BENCH_TEST(a_request_that_was_held_at_first_is_held_to_its_end),
			BENCH_TEST(it_is_closed_at_the_end_of_the_request_that_tried_it),
			BENCH_TEST(other_code_of_the_same_plugin_starts_closed),
	};

	return cmocka_run_group_tests(tests, bench_process, NULL);
}
