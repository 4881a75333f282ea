/* SPDX-License-Identifier: Apache-2.0
 *
 * When code is loaded, what is told about it, and what becomes of requests when it is gone.
 */
#include "tests/unit/engine_bench.h"

#include "shm/record.pb-c.h"

#define ACCESS(code) "function P:access(conf) " code " end "

static const struct bench_scope everywhere;

static uint64_t memory_bytes;

static void add_memory(void *arg, const struct engine_plugin_stat *stat)
{
	(void)arg;
	memory_bytes += stat->memory_bytes;
}

static bool is_loaded(struct bench *b)
{
	memory_bytes = 0;
	engine_stats(b->engine, add_memory, NULL);
	return memory_bytes != 0;
}

static void code_that_is_bound_is_loaded_at_the_switch(void **state)
{
	struct bench *b = *state;

	bench_plugin(b, "p", 1, ACCESS(""));
	bench_commit(b);
	assert_int_equal(b->n_reports, 1);
	assert_false(is_loaded(b));
	bench_plugin(b, "p", 1, ACCESS("kong.ctx.shared.a = 1"));
	bench_instance(b, "p", "i1", (struct bench_scope){.route = "r"});
	bench_commit(b);
	assert_true(is_loaded(b));
	assert_int_equal(b->n_refused, 0);
}

static void code_that_is_bound_and_does_not_load_is_refused_and_guards_its_requests(void **state)
{
	struct bench *b = *state;

	bench_plugin(b, "p", 1, ACCESS("end syntax error"));
	bench_instance(b, "p", "i1", everywhere);
	bench_commit(b);
	assert_int_equal(b->n_refused, 1);
	assert_int_equal(b->last_report.version_in_force, 0);
	assert_string_equal(b->last_report.why.file, "handler.lua");
	assert_int_equal(bench_run(b, "/"), CHAIN_ANSWER);
	assert_int_equal(b->x.answer.status, 500);
	assert_int_equal(b->n_reports, 1);
	bench_plugin(b, "p", 1, ACCESS(""));
	bench_commit(b);
	assert_true(b->last_report.is_active);
	assert_int_equal(bench_run(b, "/"), CHAIN_GO_ON);
}

static void a_load_that_fails_on_first_use_is_told_once(void **state)
{
	struct bench *b = *state;

	bench_plugin(b, "p", 1, ACCESS("end syntax error"));
	bench_commit(b);
	assert_int_equal(b->n_refused, 0);
	bench_instance(b, "p", "i1", everywhere);
	bench_commit(b);
	assert_int_equal(bench_run(b, "/"), CHAIN_ANSWER);
	assert_int_equal(b->x.answer.status, 500);
	assert_int_equal(b->n_refused, 1);
	assert_int_equal(b->last_report.version_in_force, 0);
	bench_run(b, "/");
	engine_idle(b->engine);
	assert_int_equal(b->n_refused, 1);
}

#define SPIN \
	"function P:configure(configs) local t = os.clock() " \
	"while os.clock() - t < 0.1 do end P.is_configured = true end " ACCESS( \
			"kong.ctx.shared.configured = tostring(P.is_configured)")

static const char *configured_with(struct bench *b, uint32_t cpu_ms)
{
	engine_free(b->engine);
	b->conf.configure_cpu_ms = cpu_ms;
	assert_int_equal(engine_new(&b->engine, &b->conf, NULL), 0);
	bench_plugin(b, "p", 1, SPIN);
	bench_instance(b, "p", "i1", everywhere);
	bench_commit(b);
	bench_run(b, "/");
	return bench_shared(b, "configured");
}

static void configure_has_a_budget_of_its_own(void **state)
{
	struct bench *b = *state;

	assert_string_equal(configured_with(b, 2000), "true");
	bench_end(b);
	assert_string_equal(configured_with(b, 30), "nil");
}

/* A second request beside the bench's. */
struct other {
	struct arena *arena;
	struct exchange x;
	struct chain *chain;
};

static void other_begin(struct bench *b, struct other *o)
{
	struct plan *p = engine_plan(b->engine, STR("r"), STR("s"));

	assert_int_equal(arena_new(&o->arena, 1U << 20), 0);
	exchange_init(&o->x, o->arena, b->x.ops, b);
	o->x.request.scheme = STR("http");
	o->x.request.method = STR("GET");
	assert_int_equal(exchange_set_target(&o->x, STR("/")), 0);
	o->x.request.body.state = BODY_UNREAD;
	o->chain = chain_new(b->engine, &o->x);
	assert_non_null(o->chain);
	chain_set_plan(o->chain, p);
	plan_unref(p);
}

static void a_request_that_waits_goes_on_in_its_vm_while_a_fresh_one_serves(void **state)
{
	struct bench *b = *state;
	struct other o;

	bench_plugin(b, "p", 1,
			ACCESS("if kong.request.get_path() == '/' then "
			       "kong.ctx.shared.body = kong.request.get_raw_body() "
			       "else local t = {} while true do t[#t + 1] = {} end end"));
	bench_instance(b, "p", "i1", everywhere);
	bench_commit(b);
	bench_request(b, "/fill");
	other_begin(b, &o);
	assert_int_equal(chain_access(o.chain), CHAIN_WAIT);
	assert_int_equal(bench_run(b, "/fill"), CHAIN_ANSWER);
	assert_int_equal(b->x.answer.status, 500);
	engine_idle(b->engine);
	assert_int_equal(bench_run(b, "/"), CHAIN_GO_ON);
	o.x.request.body = (struct body){.state = BODY_COMPLETE, .bytes = STR("late")};
	assert_int_equal(chain_resume(o.chain), CHAIN_GO_ON);
	assert_non_null(o.x.ctx_shared);
	chain_log(o.chain);
	chain_free(o.chain);
	arena_free(o.arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
			BENCH_TEST(code_that_is_bound_is_loaded_at_the_switch),
			BENCH_TEST(code_that_is_bound_and_does_not_load_is_refused_and_guards_its_requests),
			BENCH_TEST(a_load_that_fails_on_first_use_is_told_once),
			BENCH_TEST(configure_has_a_budget_of_its_own),
			BENCH_TEST(a_request_that_waits_goes_on_in_its_vm_while_a_fresh_one_serves),
	};

	return cmocka_run_group_tests_name("load", tests, bench_process, NULL);
}
