/* SPDX-License-Identifier: Apache-2.0
 *
 * Conditions in a chain: when they are asked, what they see, what their errors do.
 */
#include "plugin/value.h"
#include "tests/unit/engine_bench.h"

/* Appends "name " to kong.ctx.shared.trace. */
#define MARK(what) "kong.ctx.shared.trace = (kong.ctx.shared.trace or '') .. '" what " ' "
#define ACCESS(code) "function P:access(conf) " code " end "
#define METHOD(phase, code) "function P:" phase "(conf) " code " end "

static void a_condition_decides_over_access_and_what_follows(void **state)
{
	struct bench *b = *state;

	bench_plugin(b, "p", 1,
			METHOD("rewrite", MARK("rw")) ACCESS(MARK("a")) METHOD("log", MARK("l")));
	bench_instance(b, "p", "i1",
			(struct bench_scope){.condition = "!http.path.contains(\"skip\")"});
	bench_commit(b);
	bench_run(b, "/anything");
	chain_log(b->chain);
	assert_string_equal(bench_shared(b, "trace"), "rw a l ");
	bench_run(b, "/anything/skip");
	chain_log(b->chain);
	assert_string_equal(bench_shared(b, "trace"), "rw ");
}

static void a_condition_that_cannot_be_evaluated_answers_500(void **state)
{
	struct bench *b = *state;

	bench_plugin(b, "p", 1, ACCESS(MARK("a")));
	bench_instance(b, "p", "i1",
			(struct bench_scope){.condition = "kong.ctx.shared.foo == \"x\""});
	bench_commit(b);
	assert_int_equal(bench_run(b, "/"), CHAIN_ANSWER);
	assert_int_equal(b->x.answer.status, 500);
}

static void a_condition_asks_about_other_plugins(void **state)
{
	static const struct {
		const char *condition, *want;
	} rows[] = {
			{"plugins.key_auth.is_matched", "k p "},
			{"plugins.key_auth.access_has_executed", "k p "},
			{"plugins.key_auth.priority == 20", "k p "},
			{"plugins.p.is_matched && !plugins.p.access_has_executed", "k p "},
			/* Of a consumer that is not here, but on this route. */
			{"plugins.vip.is_matched && !plugins.vip.access_has_executed", "k p "},
			/* Of a consumer, on another route. */
			{"plugins.elsewhere.is_matched == false", "k p "},
			{"plugins.elsewhere.priority == 3", "k p "},
			{"plugins.unused.is_matched == null", "k p "},
			{"plugins.unused.priority == null && plugins.none.priority == null",
					"k p "},
			{"plugins.key_auth.is_matched == false", "k "},
	};
	struct bench *b = *state;

	bench_plugin(b, "key-auth", 20, ACCESS(MARK("k")));
	bench_plugin(b, "vip", 4, ACCESS(MARK("v")));
	bench_plugin(b, "elsewhere", 3, ACCESS(MARK("e")));
	bench_plugin(b, "unused", 2, ACCESS(MARK("u")));
	bench_plugin(b, "p", 1, ACCESS(MARK("p")));
	bench_instance(b, "key-auth", "i1", (struct bench_scope){.route = "r"});
	bench_instance(b, "vip", "i2", (struct bench_scope){.route = "r", .consumer = "c"});
	bench_instance(b, "elsewhere", "i3", (struct bench_scope){.route = "q", .consumer = "c"});
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		bench_instance(b, "p", "i4", (struct bench_scope){.condition = rows[i].condition});
		bench_commit(b);
		bench_run(b, "/");
		if (strcmp(bench_shared(b, "trace"), rows[i].want) != 0)
			print_error("%s\n", rows[i].condition);
		assert_string_equal(bench_shared(b, "trace"), rows[i].want);
	}
}

static void a_condition_that_fails_skips_a_plugin_that_is_open(void **state)
{
	struct bench *b = *state;

	bench_plugin(b, "p", 1, ACCESS(MARK("a")));
	bench_instance(b, "p", "i1",
			(struct bench_scope){.condition = "kong.ctx.shared.foo == \"x\"",
					.on_error = "open"});
	bench_commit(b);
	assert_int_equal(bench_run(b, "/"), CHAIN_GO_ON);
	assert_string_equal(bench_shared(b, "trace"), "nil");
}

static void a_condition_sees_what_plugins_before_it_changed(void **state)
{
	struct bench *b = *state;

	bench_plugin(b, "first", 9,
			ACCESS("kong.service.request.set_header('X-Seen', 'yes') "
			       "kong.client.authenticate({id='c', username='alice', tags={'vip'}}, "
			       "nil) "
			       "kong.ctx.shared.deep = {list = {1, {k = 'v'}}}" MARK("f")));
	bench_plugin(b, "p", 1, ACCESS(MARK("p")));
	bench_instance(b, "first", "i1", (struct bench_scope){.route = NULL});
	bench_instance(b, "p", "i2",
			(struct bench_scope){.condition = "http.headers.x_seen == 'yes' && "
							  "consumer.username == 'alice' && "
							  "consumer.tags == ['vip'] && "
							  "kong.ctx.shared.deep.list[1].k == 'v' "
							  "&& plugins.first.access_has_executed"});
	bench_commit(b);
	bench_run(b, "/");
	assert_string_equal(bench_shared(b, "trace"), "f p ");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
			BENCH_TEST(a_condition_decides_over_access_and_what_follows),
			BENCH_TEST(a_condition_that_cannot_be_evaluated_answers_500),
			BENCH_TEST(a_condition_asks_about_other_plugins),
			BENCH_TEST(a_condition_that_fails_skips_a_plugin_that_is_open),
			BENCH_TEST(a_condition_sees_what_plugins_before_it_changed),
	};

	return cmocka_run_group_tests_name("chain_condition", tests, bench_process, NULL);
}
