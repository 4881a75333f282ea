/* SPDX-License-Identifier: Apache-2.0
 *
 * Attempts to get out of the sandbox or to change what the next request sees.  Each chunk
 * returns "escaped" when it got what it wanted, or leaves damage that the check after it
 * finds, in its own VM or in a neighbour's.
 */
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

#include "tests/unit/vm_harness.h"

#define CPU_MS 50
#define MEMORY_MB 16

/* clang-format off */
static const char *const attempts[] = {
	/* what must not exist */
	"if io.open or io.popen or io.lines or io.read or io.write or io.stdout then return 'escaped' end",
	"if os.execute or os.getenv or os.remove or os.rename or os.exit or os.tmpname or os.setlocale then return 'escaped' end",
	"if debug or package or module or ffi or newproxy or collectgarbage or gcinfo then return 'escaped' end",
	"if load or loadstring or loadfile or dofile then return 'escaped' end",
	"if getfenv or setfenv then return 'escaped' end",
	"if rawget or rawset or rawequal or rawlen then return 'escaped' end",
	"if string.dump or ('').dump or math.randomseed then return 'escaped' end",
	"if jit.on or jit.off or jit.flush or jit.opt or jit.util or jit.attach or jit.status then return 'escaped' end",
	"if kong.timer or (ngx and ngx.timer) then return 'escaped' end",
	"return _G.io.open and 'escaped'",
	"return _G._G._G.debug and 'escaped'",
	"for k in pairs(_G) do if k == 'debug' or k == 'load' or k == 'ffi' or k == 'package' then return 'escaped' end end",
	"for k in next, _G do return 'escaped' end",
	"local seen = {} local function walk(t) if type(t) ~= 'table' or seen[t] then return end seen[t] = true for k, v in pairs(t) do if k == 'getfenv' or k == 'dump' or k == 'debug' or k == 'popen' or k == 'loadstring' then error('found') end walk(v) end end local ok = pcall(walk, _G) if not ok then return 'escaped' end",
	/* require */
	"return require('io') and 'escaped'",
	"return require('ffi') and 'escaped'",
	"return require('jit.util') and 'escaped'",
	"return require('jit.opt') and 'escaped'",
	"return require('debug') and 'escaped'",
	"return require('os') and 'escaped'",
	"return require('package') and 'escaped'",
	"return require('_G') and 'escaped'",
	"return require('string') and 'escaped'",
	"return require('../../etc/passwd') and 'escaped'",
	"return require('bit\\0io') and 'escaped'",
	"return require(setmetatable({}, {__tostring = function() return 'io' end})) and 'escaped'",
	/* writing what others see */
	"string.format = function() return 'pwned' end",
	"string.new_function = 1",
	"_G.string = {format = function() return 'pwned' end}",
	"string = {}",
	"tostring = function() return 'pwned' end",
	"a_global = 1",
	"_G.a_global = 1",
	"_G['a_global'] = 1",
	"_G._G = {}",
	"kong.request = {}",
	"kong.request.path = '/pwned'",
	"kong.request.added = 'pwned'",
	"table.insert(kong.request, 'pwned') return kong.request.path ~= '/path' and 'escaped'",
	"table.clear(kong.request) return kong.request.path ~= '/path' and 'escaped'",
	"table.move({'pwned'}, 1, 1, 1, kong.request)",
	"table.sort(kong)",
	"table.remove(string)",
	"setmetatable(_G, nil)",
	"setmetatable(_G, {__index = function() return 'pwned' end})",
	"setmetatable(string, {__index = function() return 'pwned' end})",
	"setmetatable('', {__index = function() return 'pwned' end})",
	"setmetatable(kong.request, {})",
	"setmetatable(print, {})",
	"local mt = getmetatable('') if mt then return 'escaped' end",
	"local mt = getmetatable(_G) if mt then return 'escaped' end",
	"local mt = getmetatable(string) if mt then return 'escaped' end",
	"local mt = getmetatable(kong.request) if mt then return 'escaped' end",
	"local mt = getmetatable(print) if mt then return 'escaped' end",
	"local mt = getmetatable(coroutine.create(print)) if mt then return 'escaped' end",
	"local mt = getmetatable(require('string.buffer').new()) if mt then return 'escaped' end",
	"local mt = getmetatable(1LL) if mt then return 'escaped' end",
	"local t = {} for k, v in pairs(kong.request) do t[k] = v end t.path = '/pwned'",
	"local _, t = pairs(kong.request) if t then t.path = '/pwned' end",
	"local f, t = ipairs(kong.request) t[1] = 'pwned'",
	"require('bit').band = function() return 'pwned' end",
	"require('string.buffer').new = function() return 'pwned' end",
	"require('table.new')(1, 1)._G = 1 return table.new == nil and 'escaped'",
	"local b = require('string.buffer').new() b.put = 1",
	"local b = require('string.buffer').new() b.__index.put = function() end",
	/* pointers and addresses */
	"local b = require('string.buffer').new() if b.ref or b.reserve or b.commit or b.putcdata then return 'escaped' end",
	"local b = require('string.buffer').new() b:put('x') return b:ref() and 'escaped'",
	"local b = require('string.buffer').new() b:set(1LL, 100) return 'escaped'",
	"local b = require('string.buffer').new() b:put(1LL) return 'escaped'",
	"local b = require('string.buffer').new({}) return 'escaped'",
	"local b = require('string.buffer').new(100, {metatable = {{}}}) b:put('x')",
	"local b = require('string.buffer').new() b:putf('%p', b) return 'escaped'",
	"local b = require('string.buffer') local f = b.new().put return f({}, 'x') and 'escaped'",
	"local b = require('string.buffer') return b.new().get('x') and 'escaped'",
	"return string.format('%p', {}) and 'escaped'",
	"return string.format('%5p', print) and 'escaped'",
	"return string.format('%-p', print) and 'escaped'",
	"local a = tostring({}) if tonumber(a:match('0x(%x+)'), 16) > 0xffffff then return 'escaped' end",
	"local a = tostring(print) if not a:match('^function: 0x0000%x%x%x%x$') then return 'escaped' end",
	"local a = tostring(coroutine.create(print)) if not a:match('^thread: 0x0000') then return 'escaped' end",
	"local a = tostring(tostring) if a:find('builtin') then return 'escaped' end",
	"local a = string.format('%s', {}) if not a:match('^table: 0x0000') then return 'escaped' end",
	"local a = ('').format('%s', print) if not a:match('^function: 0x0000') then return 'escaped' end",
	"local ok, e = pcall(error, {}) if tostring(e):match('0x[^0]') then return 'escaped' end",
	"local l = require('string.buffer').decode('\\3') if l and tostring(l):match('0x[^0]') then return 'escaped' end",
	"local l = require('string.buffer').decode('\\4\\1\\2\\3\\4') return 'escaped'",
	"local l = require('string.buffer').decode('\\5\\1\\2\\3\\4\\5\\6\\7\\8') return coroutine.wrap(function() coroutine.yield(l) end)() and 'escaped'",
	/* numbers that are cdata: they must stay numbers */
	"local x = 1LL return x.y and 'escaped'",
	"local x = 1LL x.y = 1",
	"return (1LL)[0] and 'escaped'",
	"return (1LL)() and 'escaped'",
	"return ('x'):rep(1LL) == 'x' and 'fine'",
	"return tostring(1ULL) ~= '1ULL' and 'escaped'",
	"for k in pairs(1LL) do return 'escaped' end",
	"return #1LL",
	"local x = 1LL + 'x' return 'escaped'",
	"return require('ffi') == nil or 1LL == 1",
	/* bytecode */
	"return loadstring and loadstring('\\27LJ') and 'escaped'",
	/* coroutines */
	"local me = coroutine.running() if me then return 'escaped' end",
	"local me = coroutine.wrap(function() return coroutine.running() end)() return coroutine.resume(me) and 'escaped'",
	"return coroutine.resume(coroutine.running()) and 'escaped'",
	"local co co = coroutine.create(function() return coroutine.resume(co) end) local ok, inner = coroutine.resume(co) if inner then return 'escaped' end",
	"coroutine.yield('pwned')",
	"pcall(coroutine.yield, 'pwned')",
	"local f = coroutine.wrap(function() coroutine.yield(1) error('x') end) f() pcall(f) pcall(f) return pcall(f) and 'escaped'",
	"coroutine.resume(coroutine.create(function() host_exit() end)) return 'escaped'",
	"pcall(function() host_exit() end) return 'escaped'",
	"xpcall(host_exit, function() end) return 'escaped'",
	"for _ in host_exit do end return 'escaped'",
	"table.sort({1, 2}, host_exit) return 'escaped'",
	"('x'):gsub('x', host_exit) return 'escaped'",
	"tostring(setmetatable({}, {__tostring = host_exit})) return 'escaped'",
	"local x = setmetatable({}, {__index = host_exit}).y return 'escaped'",
	"coroutine.wrap(function() coroutine.wrap(function() pcall(host_exit) end)() end)() return 'escaped'",
	/* the implementation of the wrappers */
	"tostring(setmetatable({}, {__tostring = 1}))",
	"tostring(setmetatable({}, {__metatable = false, __tostring = function() return 1 end}))",
	"return getmetatable(setmetatable({}, {__metatable = 'locked'})) ~= 'locked' and 'escaped'",
	"setmetatable(setmetatable({}, {__metatable = 'locked'}), {}) return 'escaped'",
	"string.gsub('x', 'x', function(...) return _G end)",
	"string.gsub('x', 'x', {x = true})",
	"return ('x'):gsub('(x', function() end) and 'escaped'",
	"return ('x'):gsub(nil, print) and 'escaped'",
	"return ('x'):find('x', -2^63) and 'fine'",
	"return ('x'):find('x', 2^63) and 'fine'",
	"return ('x'):find('x', 0/0) and 'fine'",
	"return ('x'):match('()()()()()()()()()()()()()()()()()()()()()()()()()()()()()()()()()()') and 'escaped'",
	"return ('abc'):sub(-2^31, 2^31) == 'abc' and 'fine'",
	"return os.date(('%c'):rep(200)) and 'escaped'",
	"return os.date('%Q') and 'escaped'",
	"return os.date('%') and 'escaped'",
	"return os.date('*t', 1e300) and 'escaped'",
	"return os.date('*t', 0/0) and 'escaped'",
	"return os.time({year = 2^31, month = -2^31, day = 2^31}) and 'fine'",
	"return os.time({year = 1}) and 'escaped'",
	"return table.concat(setmetatable({}, {__index = function() return 'x' end}), '', 1, 3) and 'escaped'",
	"return table.concat({1, {}, 3}) and 'escaped'",
	"return table.new(-1, -1) and 'fine'",
	"return table.new(0/0, 1/0) and 'fine'",
	"return table.clone(kong.request).path and 'escaped'",
	"return unpack({}, 1, 2^31) and 'escaped'",
	"xpcall(error, nil)",
	"xpcall()",
	"pcall()",
	"coroutine.resume()",
	"coroutine.wrap()",
	"coroutine.wrap(1)",
	"table.sort()",
	"string.gsub()",
	"string.format()",
	"tostring()",
	"require()",
	"pairs()",
	"setmetatable()",
	"getmetatable()",
	"error()",
	"error(nil)",
	"error(print)",
	"error(setmetatable({}, {__index = function() return 'pwned' end}))",
};
/* clang-format on */

_Static_assert(sizeof(attempts) / sizeof(*attempts) >= 150, "attempts get more, not fewer");

/* Returns "intact" as long as nothing that code before it did is visible. */
static const char VICTIM[] =
		"local b = require('string.buffer').new() b:put('b', 1) "
		"local s = string.format('%s|%s|%s', ('x'):upper(), table.concat({1, 2}, ','), "
		"b:get()) "
		"if s ~= 'X|1,2|b1' then return s end "
		"if kong.request.path ~= '/path' or kong.request.added or kong.request[1] == "
		"'escaped' "
		"then return 'kong' end "
		"if a_global ~= nil or _G.a_global ~= nil or _G._G ~= _G then return 'globals' end "
		"if string.new_function or type(tostring(1)) ~= 'string' or require('bit').band(3, "
		"2) ~= 2 "
		"then return 'library' end "
		"local n = 0 for k in pairs(string) do n = n + 1 end if n ~= 13 then return "
		"'string ' .. n end "
		"if pcall(function() string.x = 1 end) then return 'open' end "
		"return 'intact'";

static void assert_intact(struct harness *h, const char *after)
{
	if (harness_run(h, VICTIM) != VM_OK || strcmp(h->result, "intact") != 0)
		fail_msg("after <%s>: '%s' %s", after, h->result, h->why.text);
}

static void no_attempt_escapes_and_none_leaves_a_trace(void **state)
{
	struct harness h, neighbour;
	unsigned n_bad = 0;

	(void)state;
	harness_open(&h, CPU_MS, MEMORY_MB);
	harness_open(&neighbour, CPU_MS, MEMORY_MB);
	assert_intact(&h, "the start");
	for (size_t i = 0; i < sizeof(attempts) / sizeof(*attempts); i++) {
		enum vm_status status = harness_run(&h, attempts[i]);

		if (getenv("VERBOSE") != NULL)
			print_message("%-10s %-60s %s %s\n", vm_status_name(status), attempts[i],
					h.result, h.why.text);
		if ((status != VM_OK && status != VM_ERROR) || strcmp(h.result, "escaped") == 0) {
			print_error("%s: <%s> %s %s\n", vm_status_name(status), attempts[i],
					h.result, h.why.text);
			n_bad++;
		}
		harness_heal(&h);
		assert_intact(&h, attempts[i]);
		assert_intact(&neighbour, attempts[i]);
	}
	harness_close(&h);
	harness_close(&neighbour);
	assert_int_equal(n_bad, 0);
}

static void no_attempt_is_counted_twice(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(attempts) / sizeof(*attempts); i++)
		for (size_t k = 0; k < i; k++)
			assert_string_not_equal(attempts[i], attempts[k]);
}

/* Without this, "nothing escaped" might mean that the attempts are no good. */
static void in_plain_lua_the_same_attempts_do_escape(void **state)
{
	unsigned n_escaped = 0;

	(void)state;
	for (size_t i = 0; i < 14; i++) {
		lua_State *L = luaL_newstate();

		luaL_openlibs(L);
		lua_newtable(L);
		lua_setglobal(L, "kong");
		if (luaL_loadstring(L, attempts[i]) == 0 && lua_pcall(L, 0, 1, 0) == 0 &&
				lua_type(L, -1) == LUA_TSTRING &&
				strcmp(lua_tostring(L, -1), "escaped") == 0)
			n_escaped++;
		lua_close(L);
	}
	assert_in_range(n_escaped, 9, 14);
}

static void bytecode_is_refused_and_so_is_a_text_with_its_mark(void **state)
{
	struct harness h;
	char *code = NULL;
	size_t n = 0;
	struct why why = WHY_NONE;

	(void)state;
	harness_open(&h, CPU_MS, MEMORY_MB);
	assert_int_equal(vm_compile(STR("return 7"), "t.lua", &code, &n, &why), 0);
	assert_int_equal(vm_load(h.vm, (struct str){code, n}, "t.lua", false, &why), -22);
	assert_non_null(strstr(why.text, "precompiled bytecode"));
	assert_int_equal(vm_load(h.vm, STR("\033LJ"), "t.lua", false, &why), -22);
	assert_int_equal(vm_load(h.vm, (struct str){code, n}, "t.lua", true, &why), 0);
	assert_int_equal(vm_load(h.vm, STR("return 1"), "t.lua", true, &why), -22);
	free(code);
	harness_close(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(no_attempt_escapes_and_none_leaves_a_trace),
			cmocka_unit_test(no_attempt_is_counted_twice),
			cmocka_unit_test(in_plain_lua_the_same_attempts_do_escape),
			cmocka_unit_test(bytecode_is_refused_and_so_is_a_text_with_its_mark),
	};

	return cmocka_run_group_tests(tests, harness_process, NULL);
}
