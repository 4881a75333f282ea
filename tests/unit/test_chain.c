/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/value.h"
#include "shm/record.pb-c.h"
#include "tests/unit/engine_bench.h"

/* Appends "name:phase " to kong.ctx.shared.trace. */
#define MARK(what) "kong.ctx.shared.trace = (kong.ctx.shared.trace or '') .. '" what " ' "
#define ACCESS(code) "function P:access(conf) " code " end "
#define METHOD(phase, code) "function P:" phase "(conf) " code " end "

static const struct bench_scope everywhere;

static void a_request_without_plugins_passes(void **state)
{
	struct bench *b = *state;

	bench_commit(b);
	assert_int_equal(bench_run(b, "/"), CHAIN_GO_ON);
	assert_false(chain_wants_response(b->chain));
	assert_false(chain_wants_body_filter(b->chain));
	assert_int_equal(chain_header_filter(b->chain), CHAIN_GO_ON);
	chain_log(b->chain);
}

static void plugins_run_by_priority_then_by_name_backwards(void **state)
{
	struct bench *b = *state;

	bench_plugin(b, "low", -10, ACCESS(MARK("low")) METHOD("log", MARK("low")));
	bench_plugin(b, "a", 5, ACCESS(MARK("a")) METHOD("log", MARK("a")));
	bench_plugin(b, "z", 5, ACCESS(MARK("z")) METHOD("log", MARK("z")));
	bench_plugin(b, "high", 1000, ACCESS(MARK("high")) METHOD("log", MARK("high")));
	bench_instance(b, "low", "i1", everywhere);
	bench_instance(b, "a", "i2", everywhere);
	bench_instance(b, "z", "i3", everywhere);
	bench_instance(b, "high", "i4", everywhere);
	bench_commit(b);
	assert_int_equal(bench_run(b, "/"), CHAIN_GO_ON);
	assert_string_equal(bench_shared(b, "trace"), "high z a low ");
	chain_log(b->chain);
	assert_string_equal(bench_shared(b, "trace"), "high z a low high z a low ");
}

static void later_phases_keep_the_order_when_rewrite_ran_first(void **state)
{
	struct bench *b = *state;

	bench_plugin(b, "low", 1, METHOD("rewrite", MARK("rw")) METHOD("log", MARK("low")));
	bench_plugin(b, "high", 2, METHOD("log", MARK("high")));
	bench_instance(b, "low", "i1", everywhere);
	bench_instance(b, "high", "i2", everywhere);
	bench_commit(b);
	assert_int_equal(bench_run(b, "/"), CHAIN_GO_ON);
	chain_log(b->chain);
	assert_string_equal(bench_shared(b, "trace"), "rw high low ");
}

static void exit_in_access_ends_it_but_the_rest_is_collected(void **state)
{
	struct bench *b = *state;

	bench_plugin(b, "first", 2,
			ACCESS("kong.response.exit(403, 'no', {['X-A']='b'}) " MARK("never")));
	bench_plugin(b, "second", 1,
			ACCESS(MARK("never")) METHOD("header_filter", MARK("hf"))
					METHOD("log", MARK("log")));
	bench_instance(b, "first", "i1", everywhere);
	bench_instance(b, "second", "i2", everywhere);
	bench_commit(b);
	assert_int_equal(bench_run(b, "/"), CHAIN_ANSWER);
	assert_int_equal(b->x.answer.status, 403);
	assert_string_equal(bench_text(b->x.answer.body), "no");
	assert_string_equal(bench_text(headers_get(&b->x.answer.headers, STR("x-a"))), "b");
	assert_string_equal(bench_text(headers_get_id(&b->x.answer.headers, HEADER_CONTENT_LENGTH)),
			"2");
	assert_int_equal(b->x.response.source, RESPONSE_FROM_EXIT);
	assert_int_equal(chain_header_filter(b->chain), CHAIN_GO_ON);
	chain_log(b->chain);
	assert_string_equal(bench_shared(b, "trace"), "hf log ");
}

static void exit_in_rewrite_leaves_the_globals_for_the_later_phases(void **state)
{
	struct bench *b = *state;

	bench_plugin(b, "p", 2, METHOD("rewrite", "kong.response.exit(200, 'early')"));
	bench_plugin(b, "q", 1, ACCESS(MARK("never")) METHOD("log", MARK("log")));
	bench_instance(b, "p", "i1", everywhere);
	bench_instance(b, "q", "i2", everywhere);
	bench_commit(b);
	assert_int_equal(bench_run(b, "/"), CHAIN_ANSWER);
	chain_log(b->chain);
	assert_string_equal(bench_shared(b, "trace"), "log ");
}

static void an_error_answers_500_and_others_are_untouched(void **state)
{
	struct bench *b = *state;

	bench_plugin(b, "bad", 2, ACCESS("error('oops')") METHOD("log", "error('again')"));
	bench_plugin(b, "good", 1, ACCESS(MARK("never")) METHOD("log", MARK("log")));
	bench_instance(b, "bad", "i1", everywhere);
	bench_instance(b, "good", "i2", everywhere);
	bench_commit(b);
	assert_int_equal(bench_run(b, "/"), CHAIN_ANSWER);
	assert_int_equal(b->x.answer.status, 500);
	assert_non_null(strstr(bench_text(b->x.answer.body), "An unexpected error occurred"));
	assert_int_equal(b->x.response.source, RESPONSE_FROM_ERROR);
	chain_log(b->chain);
	assert_string_equal(bench_shared(b, "trace"), "log ");
}

static void an_instance_that_fails_open_is_passed_by(void **state)
{
	struct bench *b = *state;

	bench_plugin(b, "bad", 2, ACCESS("error('oops')"));
	bench_plugin(b, "good", 1, ACCESS(MARK("good")));
	bench_instance(b, "bad", "i1", (struct bench_scope){.on_error = "open"});
	bench_instance(b, "good", "i2", everywhere);
	bench_commit(b);
	assert_int_equal(bench_run(b, "/"), CHAIN_GO_ON);
	assert_string_equal(bench_shared(b, "trace"), "good ");
}

static void the_narrowest_scope_wins(void **state)
{
	static const struct {
		struct bench_scope scope;
		const char *id;
	} rows[] = {
			{{0}, "global"},
			{{.service = "s"}, "S"},
			{{.route = "r"}, "R"},
			{{.consumer = "c"}, "C"},
			{{.route = "r", .service = "s"}, "RS"},
			{{.service = "s", .consumer = "c"}, "SC"},
			{{.route = "r", .consumer = "c"}, "RC"},
			{{.route = "r", .service = "s", .consumer = "c"}, "RSC"},
	};
	struct bench *b = *state;

	bench_plugin(b, "auth", 10, ACCESS("kong.client.authenticate({id='c'}, nil)"));
	bench_instance(b, "auth", "i-auth", everywhere);
	bench_plugin(b, "p", 1, ACCESS("kong.ctx.shared.id = kong.plugin.get_id()"));
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		bench_instance(b, "p", rows[i].id, rows[i].scope);
		bench_commit(b);
		assert_int_equal(bench_run(b, "/"), CHAIN_GO_ON);
		assert_string_equal(bench_shared(b, "id"), rows[i].id);
	}
}

static void a_plugin_scoped_elsewhere_does_not_run(void **state)
{
	struct bench *b = *state;

	bench_plugin(b, "p", 1, ACCESS(MARK("p")));
	bench_instance(b, "p", "i1", (struct bench_scope){.route = "other"});
	bench_instance(b, "p", "i2", (struct bench_scope){.consumer = "c"});
	bench_commit(b);
	assert_int_equal(bench_run(b, "/"), CHAIN_GO_ON);
	assert_string_equal(bench_shared(b, "trace"), "nil");
}

static void protocols_of_an_instance_are_respected(void **state)
{
	struct bench *b = *state;

	bench_plugin(b, "p", 1, ACCESS(MARK("p")));
	bench_instance(b, "p", "i1", (struct bench_scope){.protocol = "https"});
	bench_commit(b);
	bench_run(b, "/");
	assert_string_equal(bench_shared(b, "trace"), "nil");
}

static void a_body_that_is_not_in_is_waited_for(void **state)
{
	struct bench *b = *state;

	b->late_body = STR("She sells sea shells");
	bench_plugin(b, "replace", 800,
			ACCESS("local body = kong.request.get_raw_body() "
			       "kong.service.request.set_raw_body((body:gsub(conf.from, "
			       "conf.to)))"));
	bench_plugin(b, "reflect", -10,
			ACCESS("kong.response.exit(200, kong.request.get_raw_body())"));
	bench_instance(b, "replace", "i1",
			(struct bench_scope){.config = "{\"from\":\"sea\",\"to\":\"pelican\"}"});
	bench_instance(b, "reflect", "i2", everywhere);
	bench_commit(b);
	assert_int_equal(bench_run(b, "/"), CHAIN_ANSWER);
	assert_string_equal(bench_text(b->x.answer.body), "She sells pelican shells");
	assert_true(b->x.request.body.is_replaced);
}

static void a_request_that_ends_while_it_waits_leaves_nothing_behind(void **state)
{
	struct bench *b = *state;

	bench_plugin(b, "p", 1, ACCESS("kong.request.get_raw_body()") METHOD("log", MARK("log")));
	bench_instance(b, "p", "i1", everywhere);
	bench_commit(b);
	for (int i = 0; i < 100; i++) {
		bench_request(b, "/");
		b->x.request.body.state = BODY_UNREAD;
		assert_int_equal(chain_rewrite(b->chain), CHAIN_GO_ON);
		bench_route(b, "r", "s");
		assert_int_equal(chain_access(b->chain), CHAIN_WAIT);
		chain_log(b->chain);
		bench_end(b);
	}
	b->late_body = STR("x");
	assert_int_equal(bench_run(b, "/"), CHAIN_GO_ON);
}

static void a_loop_is_stopped_and_the_next_request_runs(void **state)
{
	struct bench *b = *state;

	bench_plugin(b, "p", 1,
			ACCESS("if kong.request.get_path() == '/loop' then "
			       "while true do pcall(function() while true do end end) end "
			       "end " MARK("p")));
	bench_instance(b, "p", "i1", everywhere);
	bench_commit(b);
	assert_int_equal(bench_run(b, "/loop"), CHAIN_ANSWER);
	assert_int_equal(b->x.answer.status, 500);
	assert_int_equal(bench_run(b, "/"), CHAIN_GO_ON);
	assert_string_equal(bench_shared(b, "trace"), "p ");
}

static void memory_over_its_cap_is_stopped_and_the_vm_replaced(void **state)
{
	struct bench *b = *state;

	bench_plugin_with(b, "p", 1,
			ACCESS("if kong.request.get_path() == '/fill' then local t = {} "
			       "for i = 1, 1e9 do t[i] = 'x' .. i end end " MARK("p")),
			NULL, 2000, 8);
	bench_instance(b, "p", "i1", everywhere);
	bench_commit(b);
	assert_int_equal(bench_run(b, "/fill"), CHAIN_ANSWER);
	engine_idle(b->engine);
	assert_int_equal(bench_run(b, "/"), CHAIN_GO_ON);
	assert_string_equal(bench_shared(b, "trace"), "p ");
}

static void a_request_in_flight_ends_on_the_code_it_began_with(void **state)
{
	struct bench *b = *state;
	struct chain *old;

	b->late_body = STR("x");
	bench_plugin(b, "p", 1,
			ACCESS("kong.request.get_raw_body() kong.response.exit(200,'one')"));
	bench_instance(b, "p", "i1", everywhere);
	bench_commit(b);
	bench_request(b, "/");
	b->x.request.body.state = BODY_UNREAD;
	chain_rewrite(b->chain);
	bench_route(b, "r", "s");
	assert_int_equal(chain_access(b->chain), CHAIN_WAIT);
	old = b->chain;
	bench_plugin(b, "p", 1, ACCESS("kong.response.exit(200,'two')"));
	bench_commit(b);
	assert_true(b->last_report.is_active);
	b->x.request.body.state = BODY_COMPLETE;
	assert_int_equal(chain_resume(old), CHAIN_ANSWER);
	assert_string_equal(bench_text(b->x.answer.body), "one");
	assert_int_equal(bench_run(b, "/"), CHAIN_ANSWER);
	assert_string_equal(bench_text(b->x.answer.body), "two");
}

static void code_that_does_not_load_leaves_the_last_good_version(void **state)
{
	struct bench *b = *state;

	bench_plugin(b, "p", 1, ACCESS(MARK("one")));
	bench_instance(b, "p", "i1", everywhere);
	bench_commit(b);
	bench_run(b, "/");
	bench_plugin(b, "p", 1, ACCESS("end syntax error"));
	bench_commit(b);
	assert_int_equal(b->n_refused, 1);
	assert_int_equal(b->last_report.version_in_force, 1);
	assert_string_equal(b->last_report.why.file, "handler.lua");
	assert_int_equal(bench_run(b, "/"), CHAIN_GO_ON);
	assert_string_equal(bench_shared(b, "trace"), "one ");
}

static uint64_t live_memory;

static void add_memory(void *arg, const struct engine_plugin_stat *stat)
{
	(void)arg;
	live_memory += stat->memory_bytes;
}

static void two_hundred_replacements_keep_one_version(void **state)
{
	struct bench *b = *state;
	char methods[128];
	uint64_t first = 0;

	bench_instance(b, "p", "i1", everywhere);
	for (int i = 0; i < 200; i++) {
		snprintf(methods, sizeof(methods), ACCESS("kong.response.exit(200, 'v%d')"), i);
		bench_plugin(b, "p", 1, methods);
		bench_commit(b);
		assert_int_equal(bench_run(b, "/"), CHAIN_ANSWER);
		snprintf(methods, sizeof(methods), "v%d", i);
		assert_string_equal(bench_text(b->x.answer.body), methods);
		live_memory = 0;
		engine_stats(b->engine, add_memory, NULL);
		if (i == 0)
			first = live_memory;
	}
	assert_true(live_memory <= first + first / 20);
}

static void configure_gets_the_configs_at_load_and_at_every_switch(void **state)
{
	struct bench *b = *state;

	bench_plugin(b, "p", 1,
			"local seen = 'never' function P:configure(configs) "
			"seen = configs and #configs .. configs[1].word or 'none' end " ACCESS(
					"kong.response.exit(200, seen)"));
	bench_instance(b, "p", "i1", (struct bench_scope){.config = "{\"word\":\"a\"}"});
	bench_commit(b);
	bench_run(b, "/");
	assert_string_equal(bench_text(b->x.answer.body), "1a");
	bench_instance(b, "p", "i2",
			(struct bench_scope){.route = "x", .config = "{\"word\":\"a\"}"});
	bench_commit(b);
	bench_run(b, "/");
	assert_string_equal(bench_text(b->x.answer.body), "2a");
}

static void header_filter_changes_the_response_and_may_replace_it(void **state)
{
	struct bench *b = *state;

	bench_plugin(b, "p", 2,
			METHOD("header_filter", "kong.response.set_header('X-Seen', "
						"kong.response.get_status()) "
						"if kong.request.get_path() == '/exit' then "
						"kong.response.exit(418, 'tea') end"));
	bench_instance(b, "p", "i1", everywhere);
	bench_commit(b);
	bench_run(b, "/");
	b->x.response.status = 200;
	assert_int_equal(chain_header_filter(b->chain), CHAIN_GO_ON);
	assert_string_equal(bench_text(headers_get(&b->x.response.headers, STR("x-seen"))), "200");
	bench_run(b, "/exit");
	b->x.response.status = 200;
	assert_int_equal(chain_header_filter(b->chain), CHAIN_ANSWER);
	assert_int_equal(b->x.answer.status, 418);
	assert_string_equal(bench_text(b->x.answer.body), "tea");
	assert_string_equal(bench_text(headers_get(&b->x.answer.headers, STR("x-seen"))), "200");
}

static void body_filters_see_each_chunk_and_may_hold_them(void **state)
{
	struct bench *b = *state;

	bench_plugin(b, "p", 1,
			METHOD("body_filter", "local body = kong.response.get_raw_body() "
					      "if body then "
					      "kong.response.set_raw_body(body:upper()) end"));
	bench_instance(b, "p", "i1", everywhere);
	bench_commit(b);
	bench_run(b, "/");
	assert_true(chain_wants_body_filter(b->chain));
	b->x.chunk = STR("ab");
	chain_body_filter(b->chain);
	assert_int_equal(b->x.chunk.n, 0);
	b->x.chunk = STR("cd");
	b->x.chunk_is_last = true;
	chain_body_filter(b->chain);
	assert_string_equal(bench_text(b->x.chunk), "ABCD");
}

static void chunks_behind_a_replaced_body_are_dropped(void **state)
{
	struct bench *b = *state;

	bench_plugin(b, "p", 1, METHOD("body_filter", "kong.response.set_raw_body('new')"));
	bench_instance(b, "p", "i1", everywhere);
	bench_commit(b);
	bench_run(b, "/");
	b->x.chunk = STR("ab");
	chain_body_filter(b->chain);
	assert_string_equal(bench_text(b->x.chunk), "new");
	assert_true(b->x.chunk_is_last);
	b->x.chunk = STR("cd");
	chain_body_filter(b->chain);
	assert_int_equal(b->x.chunk.n, 0);
}

static void a_response_phase_asks_for_buffering(void **state)
{
	struct bench *b = *state;

	bench_plugin(b, "p", 1,
			METHOD("response", "kong.response.exit(200, "
					   "kong.service.response.get_raw_body() "
					   ".. '!')"));
	bench_instance(b, "p", "i1", everywhere);
	bench_commit(b);
	bench_run(b, "/");
	assert_true(chain_wants_response(b->chain));
	b->x.response.service_body =
			(struct body){.state = BODY_COMPLETE, .bytes = STR("from service")};
	assert_int_equal(chain_response(b->chain), CHAIN_ANSWER);
	assert_string_equal(bench_text(b->x.answer.body), "from service!");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
			BENCH_TEST(a_request_without_plugins_passes),
			BENCH_TEST(plugins_run_by_priority_then_by_name_backwards),
			BENCH_TEST(later_phases_keep_the_order_when_rewrite_ran_first),
			BENCH_TEST(exit_in_access_ends_it_but_the_rest_is_collected),
			BENCH_TEST(exit_in_rewrite_leaves_the_globals_for_the_later_phases),
			BENCH_TEST(an_error_answers_500_and_others_are_untouched),
			BENCH_TEST(an_instance_that_fails_open_is_passed_by),
			BENCH_TEST(the_narrowest_scope_wins),
			BENCH_TEST(a_plugin_scoped_elsewhere_does_not_run),
			BENCH_TEST(protocols_of_an_instance_are_respected),
			BENCH_TEST(a_body_that_is_not_in_is_waited_for),
			BENCH_TEST(a_request_that_ends_while_it_waits_leaves_nothing_behind),
			BENCH_TEST(a_loop_is_stopped_and_the_next_request_runs),
			BENCH_TEST(memory_over_its_cap_is_stopped_and_the_vm_replaced),
			BENCH_TEST(a_request_in_flight_ends_on_the_code_it_began_with),
			BENCH_TEST(code_that_does_not_load_leaves_the_last_good_version),
			BENCH_TEST(two_hundred_replacements_keep_one_version),
			BENCH_TEST(configure_gets_the_configs_at_load_and_at_every_switch),
			BENCH_TEST(header_filter_changes_the_response_and_may_replace_it),
			BENCH_TEST(body_filters_see_each_chunk_and_may_hold_them),
			BENCH_TEST(chunks_behind_a_replaced_body_are_dropped),
			BENCH_TEST(a_response_phase_asks_for_buffering),
	};

	return cmocka_run_group_tests_name("chain", tests, bench_process, NULL);
}
