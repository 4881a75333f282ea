/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/pdk_rows.h"

#define ACCESS(code) "function P:access(conf) " code " end "
#define COUNTING "local n = 0 local function cb(v, err, ttl) n = n + 1 return v, err, ttl end "

static const struct bench_scope everywhere;

static void a_value_is_made_once_and_found_again(void **state)
{
	static const struct pdk_row rows[] = {
			{"c:get('k', nil, cb, 'v')", "v, nil, 3"},
			{"c:get('k', nil, cb, 'w')", "v, nil, 1"},
			{"n", "1"},
			{"c:get('none')", "nil, nil, -1"},
			{"c:get('nil', nil, cb)", "nil, nil, 3"},
			{"c:get('nil', nil, cb)", "nil, nil, 1"},
			{"c:get('false', nil, cb, false)", "false, nil, 3"},
			{"c:get('false', nil, cb, true)", "false, nil, 1"},
			{"c:get('t', nil, cb, {a = {1, 2}, [7] = 'x'})[7]", "x"},
			{"c:invalidate_local('k')", ""},
			{"c:get('k', nil, cb, 'w')", "w, nil, 3"},
			{"c:safe_set('k', 5, 10)", "true"},
			{"c:get('k', nil, cb, 'w')", "5, nil, 2"},
			{"c:get('k', nil, cb, 'w')", "5, nil, 1"},
			{"c:invalidate('k')", ""},
			{"c:probe('k')", "nil"},
			{"c:renew('k', nil, cb, 'renewed')", "renewed, nil, 0"},
			{"c:get('k', nil, cb, 'w')", "renewed, nil, 2"},
			{"select('#', c:probe('k'))", "3"},
			{"c:probe('k')", "0, nil, renewed"},
			{"c:get(('k'):rep(5000), nil, cb, 1)", "1, nil, 3"},
			{"c:get(('k'):rep(5000), nil, cb, 2)", "1, nil, 1"},
			{"c:get(('k'):rep(4999) .. 'l', nil, cb, 2)", "2, nil, 3"},
			{"c:get('a\\0b', nil, cb, 'z\\0y') == 'z\\0y'", "true"},
	};

	PDK_ROWS_CHECK(*state, "access", COUNTING "local c = kong.cache", rows);
}

static void a_long_value_is_in_pieces_and_a_longer_one_is_not_kept(void **state)
{
	static const struct pdk_row rows[] = {
			{"c:safe_set('k', long)", "true"},
			{"c:get('k') == long", "true"},
			{"c:safe_set('k', long:rep(2))", "true"},
			{"c:get('k') == long:rep(2)", "true"},
			{"c:safe_set('k', 'short')", "true"},
			{"c:get('k')", "short, nil, 2"},
			{"c:safe_set('k', long:rep(3))", "nil, value too large"},
			{"#c:get('big', nil, cb, long:rep(3))", "300000"},
			{"c:get('big')", "nil, nil, -1"},
	};

	PDK_ROWS_CHECK(*state, "access",
			COUNTING "local c = kong.cache local long = ('0123456789'):rep(10000)",
			rows);
}

static void wrong_arguments_raise_and_bad_callbacks_are_told(void **state)
{
	static const struct pdk_row rows[] = {
			{"c:get()", "! key must be a string"},
			{"c:get(1)", "! key must be a string"},
			{"c:get('k', 1)", "! opts must be a table"},
			{"c:get('k', {ttl = 'x'})", "! opts.ttl must be a number"},
			{"c:get('k', {neg_ttl = -1})", "! opts.neg_ttl must be >= 0"},
			{"c:get('k', {resurrect_ttl = 0/0})", "! opts.resurrect_ttl must be >= 0"},
			{"c:get('k', nil, 1)", "! callback must be nil or a function"},
			{"c:renew('k')", "! callback must be a function"},
			{"c:get_bulk()", "! bulk must be a table"},
			{"c:get_bulk({})", "! bulk must have n field"},
			{"c:get_bulk({n = 1})",
					"! key at index 1 must be a string for operation 1"},
			{"c:get('k', nil, function() return nil, 'no luck' end)",
					"nil, failed to get from node cache: no luck"},
			{"c:get('k', nil, function() return print end)",
					"nil, failed to get from node cache: cannot cache a "
					"function"},
			{"c:get('k', nil, function() return {print} end)",
					"nil, failed to get from node cache: cannot cache a "
					"function"},
			{"c:get('k', nil, function() local t = {} t.t = t return t end)",
					"nil, failed to get from node cache: cannot cache a table "
					"that "
					"contains itself or nests too deeply"},
			{"c:get('k', nil, function() return 1, nil, 'x' end)",
					"nil, failed to get from node cache: bad third return "
					"value "
					"from callback: ttl must be a number"},
			{"(select(2, c:get('k', nil, error, 'x')))",
					"failed to get from node cache: callback threw an error: "
					"x"},
			{"c:get('k', nil, cb, 'still works')", "still works, nil, 3"},
			{"c:get('t', nil, cb, 'brief', nil, -1)", "brief, nil, 3"},
			{"c:get('t')", "nil, nil, -1"},
			{"(function() kong.cache.get = 1 end)()", "! Cannot modify kong.cache.get. "
								  "Protected by the sandbox."},
			{"kong.cache.purge", "nil"},
			{"getmetatable(kong.cache)", "false"},
	};

	PDK_ROWS_CHECK(*state, "access", COUNTING "local c = kong.cache", rows);
}

static void an_expired_value_serves_while_its_callback_fails(void **state)
{
	static const struct pdk_row rows[] = {
			{"c:get('k', {ttl = 0.02}, cb, 'old')", "old, nil, 3"},
			{"c:get('n', {ttl = 100, neg_ttl = 0.02}, cb)", "nil, nil, 3"},
			{"c:get('s', nil, cb, 'by callback', nil, 0.02)", "by callback, nil, 3"},
			{"ngx.sleep(0.05)", ""},
			{"c:probe('k')", "nil"},
			{"c:get('n', nil, cb, 1)", "1, nil, 3"},
			{"c:get('s', nil, cb, 2)", "2, nil, 3"},
			{"c:get('k', {resurrect_ttl = 0}, cb, nil, 'down')",
					"nil, failed to get from node cache: down"},
			{"c:get('k', {resurrect_ttl = 0.02}, cb, nil, 'down')", "old, nil, 4"},
			{"c:get('k', nil, cb, 'not asked')", "old, nil, 1"},
			{"ngx.sleep(0.05)", ""},
			{"c:get('k', nil, cb, 'new')", "new, nil, 3"},
	};

	PDK_ROWS_CHECK(*state, "access", COUNTING "local c = kong.cache", rows);
}

static void get_bulk_answers_each(void **state)
{
	static const struct pdk_row rows[] = {
			{"r.n", "9"},
			{"r[1], r[2], r[3]", "v, nil, 3"},
			{"r[4], r[5], r[6]", "nil, no luck, nil"},
			{"r[7], r[8], r[9]", "v, nil, 1"},
	};

	PDK_ROWS_CHECK(*state, "access",
			COUNTING
			"local r = kong.cache:get_bulk({ 'a', {ttl = 5}, cb, 'v', 'b', nil, "
			"function() return nil, 'no luck' end, nil, 'a', nil, cb, 'w', n = 3 })",
			rows);
}

static void a_lock_is_held_by_one(void **state)
{
	static const struct pdk_row rows[] = {
			{"a:lock('k')", "0"},
			{"a:lock('k')", "nil, locked"},
			{"b:lock('k')", "nil, timeout"},
			{"other:lock('k')", "0"},
			{"a:expire(5)", "true"},
			{"a:unlock()", "1"},
			{"a:unlock()", "nil, unlocked"},
			{"a:expire()", "nil, unlocked"},
			{"b:lock('k')", "0"},
			{"b:expire(0)", "true"},
			{"ngx.sleep(0.05)", ""},
			{"b:unlock()", "nil, unlocked"},
			{"a:lock()", "nil, nil key"},
			{"a:lock(1)", "! key must be a string"},
			{"lock:new()", "nil, dictionary not found"},
			{"lock:new('d', {timeout = -1})", "! timeout must be a number >= 0"},
			{"getmetatable(a)", "false"},
	};

	PDK_ROWS_CHECK(*state, "access",
			"local lock = require('resty.lock') local a = lock:new('d', {timeout = 0}) "
			"local b = lock:new('d', {timeout = 0.01}) local other = lock:new('e')",
			rows);
}

/* Killed in its callback, twice: the third finds no lock in its way.  (A kill more
 * and the breaker would suspend it.) */
static void a_run_that_is_killed_in_its_callback_lets_go(void **state)
{
	struct bench *b = *state;

	bench_plugin_with(b, "p", 1,
			ACCESS("local n = sluice.counter('n'):incr() kong.ctx.shared.v = "
			       "kong.cache:get('k', nil, function() while n < 3 do end return n "
			       "end)"),
			NULL, 10, 0);
	bench_instance(b, "p", "i1", everywhere);
	bench_commit(b);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(bench_run(b, "/"), i < 2 ? CHAIN_ANSWER : CHAIN_GO_ON);
		if (i < 2)
			bench_end(b);
	}
	assert_string_equal(bench_shared(b, "v"), "3");
}

static void a_lock_ends_with_its_request(void **state)
{
	struct bench *b = *state;

	bench_plugin(b, "p", 1,
			ACCESS("local l = require('resty.lock'):new('d', {timeout = 0}) "
			       "kong.ctx.shared.v = tostring(l:lock('k'))"));
	bench_instance(b, "p", "i1", everywhere);
	bench_commit(b);
	for (int i = 0; i < 3; i++) {
		bench_run(b, "/");
		assert_string_equal(bench_shared(b, "v"), "0");
		bench_end(b);
	}
}

static void a_plugin_does_not_find_what_another_one_cached(void **state)
{
	struct bench *b = *state;

	bench_plugin(b, "p", 2, ACCESS("kong.cache:safe_set('k', 'of p')"));
	bench_plugin(b, "q", 1, ACCESS("kong.ctx.shared.q = tostring(kong.cache:get('k'))"));
	bench_instance(b, "p", "i1", everywhere);
	bench_instance(b, "q", "i2", everywhere);
	bench_commit(b);
	bench_run(b, "/");
	assert_string_equal(bench_shared(b, "q"), "nil");
}

/* consumers:…, routes:… and so on. */
static void what_was_made_of_an_entity_is_made_anew_with_the_next_generation(void **state)
{
	struct bench *b = *state;

	bench_plugin(b, "p", 2,
			ACCESS("kong.ctx.shared.n = kong.cache:get('consumers:x:::::w', nil, "
			       "function() return sluice.counter('n'):incr() end) "
			       "kong.ctx.shared.m = kong.cache:get('mine', nil, "
			       "function() return sluice.counter('m'):incr() end)"));
	bench_instance(b, "p", "i1", everywhere);
	bench_commit(b);
	bench_run(b, "/");
	bench_end(b);
	bench_run(b, "/");
	assert_string_equal(bench_shared(b, "n"), "1");
	bench_end(b);
	bench_instance(b, "p", "i2", (struct bench_scope){.route = "other"});
	bench_commit(b);
	bench_run(b, "/");
	assert_string_equal(bench_shared(b, "n"), "2");
	assert_string_equal(bench_shared(b, "m"), "1");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
			BENCH_TEST(a_value_is_made_once_and_found_again),
			BENCH_TEST(a_long_value_is_in_pieces_and_a_longer_one_is_not_kept),
			BENCH_TEST(wrong_arguments_raise_and_bad_callbacks_are_told),
			BENCH_TEST(an_expired_value_serves_while_its_callback_fails),
			BENCH_TEST(get_bulk_answers_each),
			BENCH_TEST(a_lock_is_held_by_one),
			BENCH_TEST(a_run_that_is_killed_in_its_callback_lets_go),
			BENCH_TEST(a_lock_ends_with_its_request),
			BENCH_TEST(a_plugin_does_not_find_what_another_one_cached),
			BENCH_TEST(what_was_made_of_an_entity_is_made_anew_with_the_next_generation),
	};

	return cmocka_run_group_tests(tests, bench_process, NULL);
}
