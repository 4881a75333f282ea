/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/pdk_rows.h"

#define ACCESS(code) "function P:access(conf) " code " end "

static const struct bench_scope everywhere;

static void counters_count_and_keep_their_time(void **state)
{
	static const struct pdk_row rows[] = {
			{"c:get()", "0"},
			{"c:incr()", "1"},
			{"c:incr(2.5)", "3.5"},
			{"c:incr(-1, 60)", "2.5"},
			{"sluice.counter('n'):get()", "2.5"},
			{"sluice.counter('m'):get()", "0"},
			{"c:reset()", "true"},
			{"c:reset()", "false"},
			{"c:get()", "0"},
			{"c:incr('1')", "! n must be a number"},
			{"c:incr(0/0)", "! n must be finite"},
			{"c:incr(1/0)", "! n must be finite"},
			{"c:incr(1, 'x')", "! ttl must be a number"},
			{"c:incr(1, -1)", "! ttl must be a number of seconds between 0 and 1e9"},
			{"c:incr(1, 0/0)", "! ttl must be a number of seconds between 0 and 1e9"},
			{"sluice.counter()", "! name must be a string"},
			{"sluice.counter(1)", "! name must be a string"},
			{"sluice.counter('')", "! name must have between 1 and 184 bytes"},
			{"sluice.counter(('x'):rep(185))",
					"! name must have between 1 and 184 bytes"},
			{"c.incr()", "! call it as a method of what sluice.counter() returned"},
			{"c.incr({})", "! call it as a method of what sluice.counter() returned"},
			{"c.incr({'d1:x'})",
					"! call it as a method of what sluice.counter() returned"},
	};

	PDK_ROWS_CHECK(*state, "access", "local c = sluice.counter('n')", rows);
}

static void dicts_hold_strings_numbers_and_booleans(void **state)
{
	static const struct pdk_row rows[] = {
			{"d:get('k')", "nil"},
			{"d:set('k', 'a\\0b')", "true"},
			{"#d:get('k')", "3"},
			{"d:set('k', 1.5)", "true"},
			{"d:get('k'), type(d:get('k'))", "1.5, number"},
			{"d:set('k', false)", "true"},
			{"d:get('k'), type(d:get('k'))", "false, boolean"},
			{"d:set('', 'empty key')", "true"},
			{"d:get('')", "empty key"},
			{"d:add('k', 1)", "nil, exists"},
			{"d:add('k2', 1, 60)", "true"},
			{"d:ttl('k2') > 59 and d:ttl('k2') <= 60", "true"},
			{"d:ttl('k') == math.huge", "true"},
			{"d:ttl('none')", "nil, not found"},
			{"d:incr('k')", "nil, not a number"},
			{"d:incr('k2', 2)", "3"},
			{"d:incr('new', 7, 1)", "7"},
			{"d:delete('k')", "true"},
			{"d:delete('k')", "false"},
			{"d:set('k', nil)", "! value must be a string, a number or a boolean"},
			{"d:set('k', {})", "! value must be a string, a number or a boolean"},
			{"d:set('k', print)", "! value must be a string, a number or a boolean"},
			{"d:set(1, 1)", "! key must be a string"},
			{"d:get()", "! key must be a string"},
			{"d:set('k', ('x'):rep(3840))", "true"},
			{"#d:get('k')", "3840"},
			{"d:set('k', ('x'):rep(3841))",
					"nil, too long: names and key take at most 190 bytes "
					"together, a string 3840"},
			{"d:get(('k'):rep(200))",
					"nil, too long: names and key take at most 190 bytes "
					"together, a string 3840"},
			{"d.get({'c1:x'}, 'k')",
					"! call it as a method of what sluice.dict() returned"},
	};

	PDK_ROWS_CHECK(*state, "access", "local d = sluice.dict('d')", rows);
}

static void names_and_keys_do_not_run_into_each_other(void **state)
{
	static const struct pdk_row rows[] = {
			{"sluice.dict('a'):set('1:b', 1)", "true"},
			{"sluice.dict('a1:b'):get('')", "nil"},
			{"sluice.dict('a1'):get(':b')", "nil"},
			{"sluice.counter('a'):get()", "0"},
			{"getmetatable(sluice.dict('a'))", "false"},
			{"pcall(setmetatable, sluice.dict('a'), {})",
					"false, cannot change a protected metatable"},
	};

	PDK_ROWS_CHECK(*state, "access", "", rows);
}

static void a_plugin_does_not_see_what_another_one_counts(void **state)
{
	struct bench *b = *state;

	bench_plugin(b, "p", 2, ACCESS("kong.ctx.shared.p = sluice.counter('n'):incr()"));
	bench_plugin(b, "q", 1, ACCESS("kong.ctx.shared.q = sluice.counter('n'):incr(10)"));
	bench_instance(b, "p", "i1", everywhere);
	bench_instance(b, "q", "i2", everywhere);
	bench_commit(b);
	for (int i = 0; i < 3; i++)
		bench_run(b, "/");
	assert_string_equal(bench_shared(b, "p"), "3");
	assert_string_equal(bench_shared(b, "q"), "30");
}

static void a_replaced_plugin_finds_what_it_left(void **state)
{
	struct bench *b = *state;

	bench_plugin(b, "p", 1, ACCESS("kong.ctx.shared.n = sluice.counter('n'):incr()"));
	bench_instance(b, "p", "i1", everywhere);
	bench_commit(b);
	bench_run(b, "/");
	bench_plugin(b, "p", 1, ACCESS("kong.ctx.shared.n = sluice.counter('n'):incr(100)"));
	bench_commit(b);
	bench_run(b, "/");
	assert_string_equal(bench_shared(b, "n"), "101");
}

static void a_plugin_fills_its_quota_only(void **state)
{
	struct dict_stats s;
	struct bench *b = *state;

	bench_plugin_with(b, "p", 1,
			ACCESS("local d = sluice.dict('d') local v = ('x'):rep(3000) "
			       "for i = 1, 2000 do d:set('k' .. i, v) end "),
			NULL, 1000, 0);
	bench_instance(b, "p", "i1", everywhere);
	bench_commit(b);
	bench_run(b, "/");
	dict_get_stats(b->dict, &s);
	assert_true(s.used_bytes > 0 && s.used_bytes <= DICT_BYTES_MIN / 4);
	assert_true(s.evictions + s.refusals > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
			BENCH_TEST(counters_count_and_keep_their_time),
			BENCH_TEST(dicts_hold_strings_numbers_and_booleans),
			BENCH_TEST(names_and_keys_do_not_run_into_each_other),
			BENCH_TEST(a_plugin_does_not_see_what_another_one_counts),
			BENCH_TEST(a_replaced_plugin_finds_what_it_left),
			BENCH_TEST(a_plugin_fills_its_quota_only),
	};

	return cmocka_run_group_tests(tests, bench_process, NULL);
}
