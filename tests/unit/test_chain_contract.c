/* SPDX-License-Identifier: Apache-2.0
 *
 * What a plugin's methods get and what follows from how they end, phase by phase, as the
 * reference has it; and where it does better, that it does.
 */
#include <stdio.h>

#include "tests/unit/pdk_rows.h"
#include "tests/unit/snap_fixture.h"

#define MARK(what) "kong.ctx.shared.trace = (kong.ctx.shared.trace or '') .. '" what " ' "
#define METHOD(phase, code) "function P:" phase "(conf) " code " end "
#define LIST_SCHEMA \
	"{\"fields\":[{\"config\":{\"type\":\"record\",\"fields\":[" \
	"{\"methods\":{\"type\":\"set\",\"elements\":{\"type\":\"string\"}}}," \
	"{\"list\":{\"type\":\"array\",\"elements\":{\"type\":\"string\"}}}," \
	"{\"none\":{\"type\":\"string\"}}," \
	"{\"inner\":{\"type\":\"record\",\"fields\":[{\"x\":{\"type\":\"integer\"}}]}}]}}]}"

static const struct bench_scope everywhere;

static void conf_has_what_the_instance_is(void **state)
{
	struct bench *b = *state;

	bench_plugin_with(b, "p", 1,
			METHOD("access",
					"kong.ctx.shared.id = conf.__plugin_id "
					"kong.ctx.shared.ws = conf.__ws_id "
					"kong.ctx.shared.key = conf.__key__ "
					"kong.ctx.shared.seq = type(conf.__seq__) "
					"kong.ctx.shared.scope = tostring(conf.route_id) .. ' ' .. "
					"tostring(conf.service_id) .. ' ' .. "
					"tostring(conf.consumer_id) "
					"kong.ctx.shared.name = "
					"tostring(conf.plugin_instance_name)"),
			LIST_SCHEMA, 0, 0);
	bench_instance(b, "p", "i-p", (struct bench_scope){.route = "r", .service = "s"});
	bench_commit(b);
	assert_int_equal(bench_run(b, "/"), CHAIN_GO_ON);
	assert_string_equal(bench_shared(b, "id"), "i-p");
	assert_string_equal(bench_shared(b, "ws"), "0dc6f45b-8f8d-40d2-a504-473544ee190b");
	assert_string_equal(bench_shared(b, "key"),
			"plugins:p:r:s:::0dc6f45b-8f8d-40d2-a504-473544ee190b");
	assert_string_equal(bench_shared(b, "seq"), "number");
	assert_string_equal(bench_shared(b, "scope"), "r s nil");
	assert_string_equal(bench_shared(b, "name"), "nil");
}

static void lists_of_conf_know_what_they_are(void **state)
{
	struct bench *b = *state;

	bench_plugin_with(b, "p", 1,
			METHOD("access", "local cjson = require 'cjson' "
					 "kong.response.exit(200, cjson.encode(conf.list) .. "
					 "cjson.encode(conf.methods) .. tostring(conf.methods.GET) "
					 ".. "
					 "tostring(conf.methods.PUT) .. tostring(conf.none) .. "
					 "tostring(conf.inner.x) .. #conf.methods)"),
			LIST_SCHEMA, 0, 0);
	bench_instance(b, "p", "i-p",
			(struct bench_scope){.config = "{\"methods\":[\"GET\"],\"list\":[],"
						       "\"none\":null,\"inner\":{\"x\":null}}"});
	bench_commit(b);
	assert_int_equal(bench_run(b, "/"), CHAIN_ANSWER);
	assert_string_equal(bench_text(b->x.answer.body), "[][\"GET\"]truenilnilnil1");
}

/* As in the reference: plugins keep what they derive from it in it.  It is the VM's own. */
static void conf_is_one_table_until_the_instance_changes(void **state)
{
	struct bench *b = *state;

	bench_plugin_with(b, "p", 1,
			METHOD("access", "conf.n = (conf.n or 0) + 1 kong.ctx.shared.n = conf.n"),
			LIST_SCHEMA, 0, 0);
	bench_plugin(b, "q", 0, METHOD("access", "kong.ctx.shared.other = tostring(conf.n)"));
	bench_instance(b, "p", "i-p", everywhere);
	bench_instance(b, "q", "i-q", everywhere);
	bench_commit(b);
	bench_run(b, "/");
	bench_run(b, "/");
	assert_string_equal(bench_shared(b, "n"), "2");
	assert_string_equal(bench_shared(b, "other"), "nil");
	bench_instance(b, "p", "i-p", (struct bench_scope){.config = "{\"list\":[\"x\"]}"});
	bench_commit(b);
	bench_run(b, "/");
	assert_string_equal(bench_shared(b, "n"), "1");
}

static void make_two(struct bench *b, const char *first, const char *second)
{
	bench_plugin(b, "first", 2, first);
	bench_plugin(b, "second", 1, second);
	bench_instance(b, "first", "i1", everywhere);
	bench_instance(b, "second", "i2", everywhere);
	bench_commit(b);
	assert_int_equal(b->n_refused, 0);
}

#define ALL_PHASES \
	METHOD("rewrite", MARK("rewrite")) \
	METHOD("access", MARK("access")) \
	METHOD("header_filter", MARK("header_filter")) \
	METHOD("body_filter", MARK("body_filter")) \
	METHOD("log", MARK("log"))

/* The rest of a request whose answer or response is there. */
static void finish(struct bench *b)
{
	b->x.response.status = b->x.answer.is_set ? b->x.answer.status : 200;
	(void)chain_header_filter(b->chain);
	b->x.chunk = STR("body");
	b->x.chunk_is_last = true;
	chain_body_filter(b->chain);
	chain_log(b->chain);
}

static void an_error_in_rewrite_is_500_and_the_globals_go_on(void **state)
{
	struct bench *b = *state;

	make_two(b, METHOD("rewrite", "error('x')"), ALL_PHASES);
	assert_int_equal(bench_run(b, "/"), CHAIN_ANSWER);
	assert_int_equal(b->x.answer.status, 500);
	assert_int_equal(b->x.response.source, RESPONSE_FROM_ERROR);
	finish(b);
	assert_string_equal(bench_shared(b, "trace"), "header_filter body_filter log ");
}

static void an_exit_in_rewrite_ends_rewrite(void **state)
{
	struct bench *b = *state;

	make_two(b, METHOD("rewrite", "kong.response.exit(302, nil, {Location = '/x'})"),
			ALL_PHASES);
	assert_int_equal(bench_run(b, "/"), CHAIN_ANSWER);
	assert_int_equal(b->x.answer.status, 302);
	assert_int_equal(b->x.response.source, RESPONSE_FROM_EXIT);
	finish(b);
	assert_string_equal(bench_shared(b, "trace"), "header_filter body_filter log ");
}

static void the_first_of_two_answers_counts(void **state)
{
	struct bench *b = *state;

	make_two(b,
			METHOD("access", "pcall(kong.response.exit, 401, 'first') "
					 "kong.response.exit(402, 'second')"),
			ALL_PHASES);
	assert_int_equal(bench_run(b, "/"), CHAIN_ANSWER);
	assert_int_equal(b->x.answer.status, 401);
	assert_string_equal(bench_text(b->x.answer.body), "first");
	finish(b);
	assert_string_equal(bench_shared(b, "trace"), "rewrite header_filter body_filter log ");
}

/* In the reference the error of one ends the phase for all. */
static void an_error_in_a_later_phase_is_its_own_plugins_only(void **state)
{
	struct bench *b = *state;

	make_two(b,
			METHOD("header_filter", "error('h')") METHOD("body_filter", "error('b')")
					METHOD("log", "error('l')"),
			ALL_PHASES);
	assert_int_equal(bench_run(b, "/"), CHAIN_GO_ON);
	finish(b);
	assert_string_equal(
			bench_shared(b, "trace"), "rewrite access header_filter body_filter log ");
	assert_string_equal(bench_text(b->x.chunk), "body");
}

static void an_error_in_response_is_500(void **state)
{
	struct bench *b = *state;

	make_two(b, METHOD("response", "error('x')"), METHOD("log", MARK("log")));
	assert_int_equal(bench_run(b, "/"), CHAIN_GO_ON);
	assert_true(chain_wants_response(b->chain));
	b->x.response.status = 200;
	b->x.response.source = RESPONSE_FROM_SERVICE;
	assert_int_equal(chain_response(b->chain), CHAIN_ANSWER);
	assert_int_equal(b->x.answer.status, 500);
	assert_int_equal(b->x.response.source, RESPONSE_FROM_ERROR);
	chain_log(b->chain);
	assert_string_equal(bench_shared(b, "trace"), "log ");
}

static void the_source_of_a_response_is_told(void **state)
{
	static const struct {
		const char *access, *source;
	} rows[] = {
			{"kong.response.exit(200, 'x')", "exit"},
			{"kong.response.error(400)", "exit"},
			{"ngx.exit(403)", "exit"},
			{"ngx.say('x')", "exit"},
			{"error('x')", "error"},
	};
	struct bench *b = *state;
	char methods[256];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		snprintf(methods, sizeof(methods), METHOD("access", "%s"), rows[i].access);
		make_two(b, methods,
				METHOD("log", "kong.ctx.shared.s = kong.response.get_source()"));
		assert_int_equal(bench_run(b, "/"), CHAIN_ANSWER);
		finish(b);
		assert_string_equal(bench_shared(b, "s"), rows[i].source);
	}
}

/* A plugin that an earlier one's exit kept from running is collected by its scope as usual. */
static void what_is_collected_after_an_exit_follows_its_scope(void **state)
{
	struct bench *b = *state;

	bench_plugin(b, "first", 3, METHOD("access", "kong.response.exit(403)"));
	bench_plugin(b, "here", 2, METHOD("log", MARK("here")));
	bench_plugin(b, "there", 1, METHOD("log", MARK("there")));
	bench_instance(b, "first", "i1", everywhere);
	bench_instance(b, "here", "i2", (struct bench_scope){.route = "r"});
	bench_instance(b, "there", "i3", (struct bench_scope){.route = "other"});
	bench_commit(b);
	assert_int_equal(bench_run(b, "/"), CHAIN_ANSWER);
	finish(b);
	assert_string_equal(bench_shared(b, "trace"), "here ");
}

static void configure_gets_nil_when_the_last_instance_goes(void **state)
{
	struct bench *b = *state;

	bench_plugin(b, "p", 1,
			"local seen = '' function P:configure(configs) seen = seen .. (configs and "
			"#configs or 'nil') .. ' ' end function P:access() kong.response.exit(200, "
			"seen) end");
	bench_instance(b, "p", "i1", everywhere);
	bench_commit(b);
	bench_run(b, "/");
	bench_remove(b, INSTANCE, "i1");
	bench_commit(b);
	bench_instance(b, "p", "i2", everywhere);
	bench_commit(b);
	bench_run(b, "/");
	assert_string_equal(bench_text(b->x.answer.body), "1 nil 1 ");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
			BENCH_TEST(conf_has_what_the_instance_is),
			BENCH_TEST(lists_of_conf_know_what_they_are),
			BENCH_TEST(conf_is_one_table_until_the_instance_changes),
			BENCH_TEST(an_error_in_rewrite_is_500_and_the_globals_go_on),
			BENCH_TEST(an_exit_in_rewrite_ends_rewrite),
			BENCH_TEST(the_first_of_two_answers_counts),
			BENCH_TEST(an_error_in_a_later_phase_is_its_own_plugins_only),
			BENCH_TEST(an_error_in_response_is_500),
			BENCH_TEST(the_source_of_a_response_is_told),
			BENCH_TEST(what_is_collected_after_an_exit_follows_its_scope),
			BENCH_TEST(configure_gets_nil_when_the_last_instance_goes),
	};

	return cmocka_run_group_tests_name("chain_contract", tests, bench_process, NULL);
}
