/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

#include "base/clock.h"
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

static void a_short_budget_holds_after_a_long_one_and_after_none(void **state)
{
	static const uint32_t before_ms[] = {0, 1000};
	struct harness h, other;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		harness_open(&h, CPU_MS, MEMORY_MB);
		assert_result(&h, "return 'arms the timer'", "arms the timer");
		harness_open(&other, before_ms[i], MEMORY_MB);
		assert_result(&other, "host_busy(30) return 'long'", "long");
		assert_int_equal(harness_run(&h, "while true do end"), VM_CPU);
		assert_true(h.elapsed_ns < 500000000U);
		harness_close(&other);
		harness_close(&h);
	}
}

/* Expressions that must mean here what they mean in stock Lua. */
static const char *const same[] = {
		"('hello world'):find('o w')",
		"('hello'):find('l+', -3)",
		"('hello'):find('')",
		"('hello'):find('', 10)",
		"('a.b'):find('.', 2, true)",
		"('key=val'):match('(%w+)=(%w+)')",
		"('  x '):match('^%s*(.-)%s*$')",
		"('abc'):match('()b()')",
		"('abc'):gsub('%w', '%0%0')",
		"('abc'):gsub('%w*', 'x')",
		"('abc'):gsub('', '-')",
		"('hello world'):gsub('o', '0', 1)",
		"('abc'):gsub('b', {b = 'X'})",
		"('abc'):gsub('.', {b = false})",
		"('abc'):gsub('(.)(.)', function(a, b) return b .. a end)",
		"('abc'):gsub('^a', function() return 'X' end)",
		"('abc'):gsub('^', '>')",
		"('a,b,,c'):gsub(',', function() end)",
		"('x = 1'):gsub('(%w+) = (%w+)', '%2 = %1')",
		"('abc'):gsub('', function() return '-' end)",
		"('a b c'):gsub('%s', '%%')",
		"('x'):rep(3, ',')",
		"('x'):rep(0)",
		"('x'):rep(-1)",
		"('ab'):rep(5)",
		"string.format('%5.2f|%d|%s|%q|%x|%c', 3.14159, 42, 'hi', 'a\\n\"b\"', 255, 65)",
		"string.format('%s %s %s', nil, true, 12)",
		"string.format('%-5s|%5s|', 'a', 'b')",
		"string.format('%%')",
		"string.format('%s', setmetatable({}, {__tostring = function() return 'T' end}))",
		"table.concat({1, 2, 'x'}, ', ')",
		"table.concat({'a', 'b', 'c'}, '-', 2, 3)",
		"table.concat({})",
		"table.concat({'a'}, 'x', 3)",
		"select('#', unpack({1, nil, 3}, 1, 3))",
		"(function() local t = {5, 2, 8, 1, 9, 3} table.sort(t) return table.concat(t, ' "
		"') end)()",
		"(function() local t = {} for i = 1, 100 do t[i] = (i * 37) % 101 end "
		"table.sort(t, function(a, b) return a > b end) return table.concat(t, ' ') end)()",
		"(function() local t = {'b', 'a', 'c'} table.sort(t) return table.concat(t) end)()",
		"(function() local s = '' for k, v in ('a=1, b=2'):gmatch('(%w+)=(%w+)') do s = s "
		".. k .. v end return s end)()",
		"(function() local n = 0 for w in ('one two'):gmatch('%a*') do n = n + 1 end "
		"return n end)()",
		"(function() local s = '' for p in ('abc'):gmatch('()') do s = s .. p end return s "
		"end)()",
		"(function() local s = '' for p in ('^a^a'):gmatch('^a') do s = s .. p end return "
		"s end)()",
		"xpcall(error, function(e) return 'h:' .. e end, 'x')",
		"xpcall(function(...) return ... end, print, 1, 2)",
		"pcall(error, 'x', 0)",
		"tostring(nil)",
		"tostring(1.5)",
		"tostring(true)",
		"tostring(setmetatable({}, {__tostring = function() return 'T' end}))",
		"(function() local f = coroutine.wrap(function(a) local b = coroutine.yield(a + 1) "
		"return b * 2 end) return f(1) + f(10) end)()",
		"coroutine.resume(coroutine.create(function(...) return select('#', ...), ... "
		"end), 1, nil)",
		"coroutine.resume(coroutine.create(function() error('x', 0) end))",
		"coroutine.status(coroutine.create(print))",
		"os.time({year = 2020, month = 1, day = 2, hour = 3})",
		"os.date('!%Y-%m-%d %H:%M:%S', 86400)",
		"os.date('!*t', 0).year",
		"type(os.clock())",
		"math.floor(3.7) + math.max(1, 5, 3)",
		"bit.band(0xff, 0x0f)",
		"bit.tohex(255, 4)",
		"table.maxn({1, 2, [10] = 3})",
		"table.remove({1, 2, 3})",

		"_VERSION",
		"next({})",
		"type(next)",
		"tonumber('0x10')",
		"tonumber('z', 36)",
		"(function() local t = {} for k in pairs({a = 1}) do t[#t + 1] = k end return t[1] "
		"end)()",
		"(function() local n = 0 table.foreach({1, 2, 3}, function(k, v) n = n + v end) "
		"return n end)()",
		"(function() return table.foreachi({1, 2, 3}, function(i, v) if v == 2 then return "
		"'two' end end) end)()",
		"table.concat(table.move({1, 2, 3}, 1, 3, 2), ',')",
		"table.concat(table.move({1, 2, 3}, 2, 3, 1), ',')",
};

static void the_safe_library_means_what_the_stock_library_means(void **state)
{
	struct harness h;
	lua_State *L = luaL_newstate();

	(void)state;
	luaL_openlibs(L);
	harness_open(&h, CPU_MS, MEMORY_MB);
	for (size_t i = 0; i < sizeof(same) / sizeof(*same); i++) {
		char code[1024];
		size_t n;
		static const char show[] =
				"local function show(...) local t = {} for i = 1, select('#', ...) "
				"do t[i] = tostring((select(i, ...))) end "
				"return table.concat(t, '|') end return show(";

		(void)snprintf(code, sizeof(code), "%s%s)", show, same[i]);
		if (luaL_loadstring(L, code) != 0 || lua_pcall(L, 0, 1, 0) != 0)
			fail_msg("%s: stock Lua: %s", same[i], lua_tostring(L, -1));
		if (harness_run(&h, code) != VM_OK)
			fail_msg("%s: %s", same[i], h.why.text);
		if (strncmp(h.result, lua_tolstring(L, -1, &n), sizeof(h.result) - 1) != 0)
			fail_msg("%s: '%s', not '%s'", same[i], h.result, lua_tostring(L, -1));
		lua_settop(L, 0);
	}
	lua_close(L);
	harness_close(&h);
}

/* Runs code that parks `times` times; each wait gets its number. */
static enum vm_status run_waiting(struct harness *h, const char *code, unsigned *ret_waits)
{
	struct vm_run *run;
	enum vm_status status;

	*ret_waits = 0;
	assert_int_equal(vm_load(h->vm, str_of(code), "t.lua", false, &h->why), 0);
	run = vm_run_new(h->vm);
	lua_xmove(vm_main(h->vm), vm_run_state(run), 1);
	status = vm_start(run, 0, &h->why);
	while (status == VM_YIELDED && *ret_waits < 1000) {
		lua_pushinteger(vm_run_state(run), (lua_Integer)++ * ret_waits);
		status = vm_resume(run, 1, &h->why);
	}
	if (status == VM_OK && lua_gettop(vm_run_state(run)) > 0)
		(void)snprintf(h->result, sizeof(h->result), "%s",
				vm_push_text(vm_run_state(run), 1, NULL));
	vm_run_free(run);
	return status;
}

static void a_host_call_waits_through_whatever_lua_is_above_it(void **state)
{
	static const struct {
		const char *code, *result;
		unsigned waits;
	} cases[] = {
			{"return host_wait()", "1", 1},
			{"local ok, v = pcall(host_wait) return v", "1", 1},
			{"local ok, v = pcall(pcall, function() return host_wait() end) return "
			 "tostring(v)",
					"true", 1},
			{"local ok, v = xpcall(host_wait, print) return v", "1", 1},
			{"return coroutine.wrap(function() return host_wait() + host_wait() end)()",
					"3", 2},
			{"return coroutine.wrap(function() return coroutine.wrap(function() return "
			 "coroutine.wrap(host_wait)() end)() end)()",
					"1", 1},
			{"local co = coroutine.create(function() coroutine.yield(host_wait()) "
			 "return host_wait() end) "
			 "local _, a = coroutine.resume(co) local _, b = coroutine.resume(co) "
			 "return a .. b",
					"12", 2},
			{"return (('ab'):gsub('.', function(c) return c .. host_wait() end))",
					"a1b2", 2},
			{"local t = {3, 1, 2} table.sort(t, function(a, b) host_wait() return a < "
			 "b end) "
			 "return table.concat(t)",
					"123", 3},
			{"return setmetatable({}, {__index = function() return host_wait() end}).x",
					"1", 1},
			{"return tostring(setmetatable({}, {__tostring = function() return 'w' .. "
			 "host_wait() end}))",
					"w1", 1},
			{"local s = '' for v in host_wait do s = s .. v if v == 3 then return s "
			 "end end",
					"123", 3},
			{"local t = {} for i = 1, 200 do t[i] = host_wait() end return #t", "200",
					200},
			{"pcall(function() error(host_wait()) end) return host_wait()", "2", 2},
	};
	struct harness h;
	unsigned waits;

	(void)state;
	harness_open(&h, CPU_MS, MEMORY_MB);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		h.result[0] = 0;
		if (run_waiting(&h, cases[i].code, &waits) != VM_OK)
			fail_msg("%s: %s", cases[i].code, h.why.text);
		assert_string_equal(h.result, cases[i].result);
		assert_int_equal(waits, cases[i].waits);
	}
	harness_close(&h);
}

static void the_budget_is_one_for_all_segments_of_a_run(void **state)
{
	struct harness h;
	unsigned waits;

	(void)state;
	harness_open(&h, CPU_MS, MEMORY_MB);
	assert_int_equal(run_waiting(&h, "while true do host_wait() host_busy(3) end", &waits),
			VM_CPU);
	assert_in_range(waits, 2, 6);
	assert_int_equal(vm_trips(h.vm), 1);
	harness_close(&h);
}

static void waiting_in_the_kernel_costs_no_cpu_budget(void **state)
{
	struct harness h;

	(void)state;
	harness_open(&h, 5, MEMORY_MB);
	assert_result(&h,
			"host_sleep(60) local n = 0 for i = 1, 1e5 do n = n + i end return 'slept'",
			"slept");
	harness_close(&h);
}

static void two_runs_of_one_vm_wait_independently(void **state)
{
	struct harness h;
	struct vm_run *a, *b;

	(void)state;
	harness_open(&h, CPU_MS, MEMORY_MB);
	a = vm_run_new(h.vm);
	b = vm_run_new(h.vm);
	for (int i = 0; i < 2; i++) {
		struct vm_run *run = i == 0 ? a : b;

		assert_int_equal(vm_load(h.vm, STR("return host_wait() .. host_wait()"), "t.lua",
						 false, &h.why),
				0);
		lua_xmove(vm_main(h.vm), vm_run_state(run), 1);
		assert_int_equal(vm_start(run, 0, &h.why), VM_YIELDED);
	}
	lua_pushliteral(vm_run_state(b), "b");
	assert_int_equal(vm_resume(b, 1, &h.why), VM_YIELDED);
	lua_pushliteral(vm_run_state(a), "a");
	assert_int_equal(vm_resume(a, 1, &h.why), VM_YIELDED);
	lua_pushliteral(vm_run_state(a), "A");
	assert_int_equal(vm_resume(a, 1, &h.why), VM_OK);
	assert_string_equal(lua_tostring(vm_run_state(a), 1), "aA");
	vm_run_free(a);
	vm_run_free(b); /* parked: dropped */
	assert_result(&h, "return 'usable'", "usable");
	harness_close(&h);
}

static void an_exit_ends_the_run_and_says_so(void **state)
{
	struct harness h;
	struct vm_run *run;

	(void)state;
	harness_open(&h, CPU_MS, MEMORY_MB);
	assert_int_equal(vm_load(h.vm, STR("pcall(host_exit) error('not reached')"), "t.lua", false,
					 &h.why),
			0);
	run = vm_run_new(h.vm);
	lua_xmove(vm_main(h.vm), vm_run_state(run), 1);
	assert_int_equal(vm_start(run, 0, &h.why), VM_OK);
	assert_true(vm_was_ended(run));
	vm_run_free(run);
	harness_close(&h);
}

static void an_error_says_file_line_and_text(void **state)
{
	struct harness h;

	(void)state;
	harness_open(&h, CPU_MS, MEMORY_MB);
	assert_int_equal(harness_run(&h, "local x = 1\nerror('went wrong')"), VM_ERROR);
	assert_string_equal(h.why.file, "t.lua");
	assert_int_equal(h.why.line, 2);
	assert_string_equal(h.why.text, "went wrong");
	assert_int_equal(harness_run(&h, "local x =\n\n= 1"), VM_ERROR);
	assert_int_equal(h.why.line, 3);
	assert_string_equal(h.why.text, "unexpected symbol near '='");
	harness_close(&h);
}

static int open_greeting(lua_State *L)
{
	lua_newtable(L);
	lua_pushliteral(L, "hello");
	lua_setfield(L, -2, "word");
	return 1;
}

static void a_provided_module_can_be_required_and_not_changed(void **state)
{
	struct harness h;

	(void)state;
	harness_open(&h, CPU_MS, MEMORY_MB);
	vm_provide_module(vm_main(h.vm), "greeting", open_greeting);
	assert_result(&h, "return require('greeting').word", "hello");
	assert_result(&h, "return require('greeting') == require('greeting') and 'same'", "same");
	assert_int_equal(harness_run(&h, "require('greeting').word = 'x'"), VM_ERROR);
	assert_string_equal(h.why.text, "Cannot modify greeting.word. Protected by the sandbox.");
	harness_close(&h);
}

static void a_vm_is_small_and_gives_its_memory_back(void **state)
{
	static const struct vm_limits limits = {.cpu_ms = CPU_MS, .memory_mb = MEMORY_MB};
	struct vm *vms[50];

	(void)state;
	for (size_t i = 0; i < 50; i++) {
		assert_int_equal(vm_new(&vms[i], "small", VM_STRICT, &limits, NULL, NULL), 0);
		assert_in_range(vm_memory_bytes(vms[i]), 10000, 100000);
	}
	for (size_t i = 0; i < 50; i++)
		vm_free(vms[i]);
}

/* CRC-32C of four bytes from state 0: appended to them, it brings the state back to 0. */
static uint32_t crc32c(uint32_t crc)
{
	for (int bit = 0; bit < 32; bit++)
		crc = crc >> 1 ^ (0x82f63b78U & (0U - (crc & 1U)));
	return crc;
}

/* Time to intern n strings of 16 bytes: any, or such as have one CRC whatever the seed. */
static uint64_t intern_ns(lua_State *L, uint32_t n, bool is_chosen)
{
	uint64_t start = clock_mono_ns();

	lua_newtable(L);
	for (uint32_t i = 0; i < n; i++) {
		uint32_t words[4] = {i * 2654435761U, 0, i, i ^ 0x55555555U};

		words[1] = is_chosen ? crc32c(words[0]) : i;
		if (is_chosen) {
			words[2] = words[0];
			words[3] = words[1];
		}
		lua_pushlstring(L, (const char *)words, sizeof(words));
		lua_pushboolean(L, true);
		lua_rawset(L, -3);
	}
	lua_pop(L, 1);
	return clock_mono_ns() - start;
}

static void chosen_strings_do_not_collide(void **state)
{
	struct harness h;
	uint64_t any_ns, chosen_ns;

	(void)state;
	harness_open(&h, CPU_MS, 64);
	any_ns = intern_ns(vm_main(h.vm), 30000, false);
	chosen_ns = intern_ns(vm_main(h.vm), 30000, true);
	if (chosen_ns > 20 * any_ns + 50000000U)
		fail_msg("chosen strings took %.1f ms, others %.1f ms", (double)chosen_ns / 1e6,
				(double)any_ns / 1e6);
	harness_close(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(a_chunk_runs_and_returns_values),
			cmocka_unit_test(an_endless_loop_is_stopped),
			cmocka_unit_test(a_short_budget_holds_after_a_long_one_and_after_none),
			cmocka_unit_test(the_safe_library_means_what_the_stock_library_means),
			cmocka_unit_test(a_host_call_waits_through_whatever_lua_is_above_it),
			cmocka_unit_test(the_budget_is_one_for_all_segments_of_a_run),
			cmocka_unit_test(waiting_in_the_kernel_costs_no_cpu_budget),
			cmocka_unit_test(two_runs_of_one_vm_wait_independently),
			cmocka_unit_test(an_exit_ends_the_run_and_says_so),
			cmocka_unit_test(an_error_says_file_line_and_text),
			cmocka_unit_test(a_provided_module_can_be_required_and_not_changed),
			cmocka_unit_test(a_vm_is_small_and_gives_its_memory_back),
			cmocka_unit_test(chosen_strings_do_not_collide),
	};

	return cmocka_run_group_tests(tests, harness_process, NULL);
}
