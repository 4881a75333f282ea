/* SPDX-License-Identifier: Apache-2.0
 *
 * Programs that attack time or memory.  Each must end in time, as the table says, and the
 * worker must be as usable afterwards as before.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/vm_harness.h"

#define CPU_MS 10
#define MEMORY_MB 16
/* CPU time of the thread; generous: caches and clock rates are shared. */
#ifdef WITH_ASAN
#define END_MAX_NS 2000000000ULL
#else
#define END_MAX_NS 250000000ULL
#endif
#define N_SOAK 2000
#define N_TRIES 3
#define PROBE_CPU_MS 5000 /* asks whether a VM is usable, not how fast it is */

enum {
	OK = 1U << VM_OK,
	ERR = 1U << VM_ERROR,
	CPU = 1U << VM_CPU,
	MEM = 1U << VM_MEMORY,
	GONE = 1U << VM_DISCARDED
};
#define STOPPED (CPU | MEM | GONE)
#define FILLS (1U << 16) /* given the time, it fills the memory */

/* clang-format off */
static const struct attack {
	const char *name;
	unsigned outcomes; /* any of */
	const char *code;
} attacks[] = {
	{"empty loop", CPU, "while true do end"},
	{"repeat loop", CPU, "repeat until false"},
	{"goto loop", CPU, "::a:: goto a"},
	{"numeric for", CPU, "for i = 1, math.huge do end"},
	{"nested for", CPU, "for i = 1, 1e9 do for j = 1, 1e9 do end end"},
	{"counting loop", CPU, "local n = 0 while true do n = n + 1 end"},
	{"call loop", CPU, "local function f() end while true do f() end"},
	{"builtin call loop", CPU, "while true do math.sin(1) end"},
	{"C call loop", CPU, "while true do ('x'):rep(2) end"},
	{"tail call loop", CPU, "local function f() return f() end f()"},
	{"mutual tail calls", CPU, "local f, g function f() return g() end function g() return f() end f()"},
	{"pcall in a loop", CPU, "while true do pcall(function() while true do end end) end"},
	{"loop in pcall", CPU, "pcall(function() while true do end end) return 1"},
	{"pcall of error in a loop", CPU, "while true do pcall(error, 'x') end"},
	{"nested pcall", STOPPED | ERR, "local function f() return pcall(f) or f() end while true do pcall(f) end"},
	{"deep pcall chain", CPU, "local function f(n) if n == 0 then while true do end end pcall(f, n - 1) end f(3000)"},
	{"xpcall looping handler", CPU, "xpcall(function() while true do end end, function() while true do end end)"},
	{"xpcall error then looping handler", CPU, "xpcall(error, function() while true do end end)"},
	{"xpcall in a loop", CPU, "while true do xpcall(function() while true do end end, function(e) return e end) end"},
	{"xpcall handler that errors", CPU, "local function h() error('h') end while true do xpcall(error, h) end"},
	{"xpcall recursive handler", CPU | ERR | OK | MEM, "local function h() return xpcall(error, h) end xpcall(error, h)"},
	{"error with looping __tostring", ERR, "error(setmetatable({}, {__tostring = function() while true do end end}))"},
	{"tostring with looping __tostring", CPU, "tostring(setmetatable({}, {__tostring = function() while true do end end}))"},
	{"format with looping __tostring", CPU, "string.format('%s', setmetatable({}, {__tostring = function() while true do end end}))"},
	{"buffer put with looping __tostring", CPU, "require('string.buffer').new():put(setmetatable({}, {__tostring = function() while true do end end}))"},
	{"__index loop", CPU, "local t = setmetatable({}, {__index = function(t, k) while true do end end}) return t.x"},
	{"__index recursion", ERR | CPU, "local t t = setmetatable({}, {__index = function(t, k) return t[k] end}) return t.x"},
	{"__index chain onto itself", ERR, "local t = {} setmetatable(t, {__index = t}) return t.x"},
	{"__newindex loop", CPU, "setmetatable({}, {__newindex = function() while true do end end}).x = 1"},
	{"__add loop", CPU, "return setmetatable({}, {__add = function() while true do end end}) + 1"},
	{"__concat loop", CPU, "return setmetatable({}, {__concat = function() while true do end end}) .. 'x'"},
	{"__eq loop", CPU, "local mt = {__eq = function() while true do end end} return setmetatable({}, mt) == setmetatable({}, mt)"},
	{"__lt loop", CPU, "local mt = {__lt = function() while true do end end} return setmetatable({}, mt) < setmetatable({}, mt)"},
	{"__call loop", CPU, "setmetatable({}, {__call = function() while true do end end})()"},
	{"__unm loop", CPU, "return -setmetatable({}, {__unm = function() while true do end end})"},
	{"for iterator", CPU, "for _ in function() return 1 end do end"},
	{"for iterator that loops", CPU, "for _ in function() while true do end end do end"},
	{"__gc", OK, "setmetatable({}, {__gc = function() while true do end end}) return 1"},
	{"recursion", ERR | MEM, "local function f() return 1 + f() end f()"},
	{"recursion caught", OK | CPU | MEM, "local function f() return 1 + f() end return pcall(f)"},
	{"recursion caught in a loop", STOPPED, "local function f() return 1 + f() end while true do pcall(f) end"},
	{"vararg recursion", ERR | MEM | CPU, "local function f(...) return f(1, ...) + 1 end f()"},
	{"coroutine loop", CPU, "coroutine.wrap(function() while true do end end)()"},
	{"coroutine ping-pong", CPU, "local f = coroutine.wrap(function() while true do coroutine.yield() end end) while true do f() end"},
	{"coroutine loop resumed for ever", CPU, "while true do coroutine.resume(coroutine.create(function() while true do end end)) end"},
	{"coroutine wrap recursion", ERR | CPU | MEM, "local function f() return coroutine.wrap(f)() end f()"},
	{"coroutine wrap recursion caught", STOPPED | OK | ERR, "local function f() return pcall(coroutine.wrap(f)) end while true do f() end"},
	{"coroutine resume recursion", OK | ERR | CPU, "local function f() return coroutine.resume(coroutine.create(f)) end f() return 1"},
	{"coroutine bomb", STOPPED | FILLS, "local t = {} while true do t[#t + 1] = coroutine.create(function() end) end"},
	{"suspended coroutine bomb", STOPPED | FILLS, "local t = {} while true do local f = coroutine.wrap(function(...) coroutine.yield() end) f(1, 2, 3) t[#t + 1] = f end"},
	{"stray yield", ERR, "coroutine.yield()"},
	{"catastrophic find", ERR | CPU, "return ('a'):rep(30):find(('a?'):rep(30) .. ('a'):rep(30))"},
	{"catastrophic match", ERR, "return ('a'):rep(64):match('.-.-.-.-.-.-.-.-b')"},
	{"catastrophic match, long", ERR | CPU, "return ('a'):rep(100000):match('.-.-.-.-b$')"},
	{"catastrophic star", ERR, "return ('a'):rep(64):find('a*a*a*a*a*a*a*a*b')"},
	{"catastrophic gsub", ERR | CPU, "return ('a'):rep(64):gsub('a*a*a*a*a*a*a*a*b', '')"},
	{"catastrophic gmatch", ERR | CPU, "for _ in ('a'):rep(64):gmatch('a*a*a*a*a*a*a*a*b') do end"},
	{"catastrophic match in a pcall loop", CPU, "while true do pcall(string.match, ('a'):rep(64), '.-.-.-.-.-.-.-.-b') end"},
	{"balance over a long string", OK | CPU | ERR, "return ('('):rep(100000):find('%b()')"},
	{"back-reference search", OK | CPU | ERR, "return ('a'):rep(20000):find('(.*)%1b')"},
	{"gsub callback loop", CPU, "('x'):gsub('.', function() while true do end end)"},
	{"gsub recursion", ERR | CPU | MEM, "local function f() return (('x'):gsub('.', f)) end f()"},
	{"gsub table with __index loop", CPU, "('x'):gsub('.', setmetatable({}, {__index = function() while true do end end}))"},
	{"gsub growth", ERR, "return ('x'):rep(10000):gsub('x', ('y'):rep(10000))"},
	{"gsub %0 growth", ERR, "return ('x'):rep(2000):gsub('.*', ('%0'):rep(10000))"},
	{"gsub callback growth", ERR | STOPPED, "local y = ('y'):rep(100000) return ('x'):rep(100000):gsub('x', function() return y end)"},
	{"sort with a looping comparator", CPU, "table.sort({3, 2, 1}, function() while true do end end)"},
	{"sort with an inconsistent comparator", OK, "local t = {} for i = 1, 200 do t[i] = i end table.sort(t, function() return true end) return 1"},
	{"sort with a comparator that errors", ERR, "table.sort({3, 2, 1}, function() error('x') end)"},
	{"sort of many", STOPPED, "local t = {} for i = 1, 3e5 do t[i] = -i end while true do table.sort(t) table.sort(t, function(a, b) return a > b end) end"},
	{"sort with __lt loop", CPU, "local mt = {__lt = function() while true do end end} table.sort({setmetatable({}, mt), setmetatable({}, mt)})"},
	{"rep bomb", ERR, "return ('x'):rep(1e9)"},
	{"rep bomb with separator", ERR, "return ('x'):rep(1e6, ('y'):rep(1000))"},
	{"rep bomb caught", CPU | MEM, "while true do pcall(string.rep, 'x', 1e9) end"},
	{"rep overflow", ERR, "return ('xxxx'):rep(2^62)"},
	{"concat bomb", STOPPED | FILLS, "local s = 'x' while true do s = s .. s end"},
	{"concat bomb caught", STOPPED | FILLS, "while true do pcall(function() local s = 'x' while true do s = s .. s end end) end"},
	{"slow concat bomb", STOPPED, "local s = '' while true do s = s .. 'xxxxxxxxxxxxxxxx' end"},
	{"table.concat bomb", ERR, "local s, t = ('x'):rep(1e6), {} for i = 1, 1000 do t[i] = s end return table.concat(t)"},
	{"table.concat separator bomb", ERR, "local t = {} for i = 1, 1000 do t[i] = '' end return table.concat(t, ('x'):rep(1e6))"},
	{"table.concat huge range", ERR, "return table.concat({}, '', 1, 2^31 - 1)"},
	{"table.concat last index", OK, "return table.concat({[2147483647] = 'x'}, '', 2147483647, 2147483647)"},
	{"table fill", STOPPED | FILLS, "local t = {} while true do t[#t + 1] = 1 end"},
	{"table fill caught", STOPPED | FILLS, "local t = {} while true do pcall(function() while true do t[#t + 1] = {} end end) end"},
	{"hash fill", STOPPED | FILLS, "local t, i = {}, 0 while true do i = i + 1 t['k' .. i] = i end"},
	{"string fill", STOPPED | FILLS, "local t, i = {}, 0 while true do i = i + 1 t[i] = ('x'):rep(1000) .. i end"},
	{"closure fill", STOPPED | FILLS, "local t, i = {}, 0 while true do i = i + 1 t[i] = function() return i end end"},
	{"big strings fill", STOPPED | FILLS, "local t, i = {}, 0 while true do i = i + 1 t[i] = ('x'):rep(4000000 + i % 1000) end"},
	{"nested table", STOPPED | FILLS, "local t = {} while true do t = {t} end"},
	{"tree", STOPPED, "local function tree(n) return n > 0 and {tree(n - 1), tree(n - 1)} or {} end while true do local t = tree(22) end"},
	{"table.new bomb", STOPPED | FILLS, "local t = {} while true do t[#t + 1] = table.new(1e9, 1e9) end"},
	{"table.insert at the front", STOPPED, "local t = {} while true do table.insert(t, 1, 1) end"},
	{"garbage only", CPU | MEM, "while true do local t = {1, 2, 3, {}} end"},
	{"unpack bomb", ERR, "return unpack({}, 1, 1e7)"},
	{"unpack all", ERR, "return unpack({}, -2147483648, 2147483647)"},
	{"unpack in string.char", ERR | OK, "local t = {} for i = 1, 7000 do t[i] = 65 end return string.char(unpack(t))"},
	{"string.byte of a long string", ERR | OK, "return select('#', ('x'):rep(1e6):byte(1, -1))"},
	{"format width", ERR | OK, "return #string.format('%99d', 1)"},
	{"format huge width", ERR, "return string.format('%99999999d', 1)"},
	{"format %p", ERR, "return string.format('%p', {})"},
	{"format arguments bomb", ERR, "local s, t = ('x'):rep(1e6), {} for i = 1, 100 do t[i] = s end return string.format(('%s'):rep(100), unpack(t))"},
	{"format %q bomb", OK | ERR | STOPPED, "local s = ('\\0'):rep(3e6) while true do local t = string.format('%q', s) end"},
	{"format wide items", ERR, "return string.format(('%99d'):rep(100000), unpack({}))"},
	{"table.move bomb", STOPPED, "table.move({1}, 1, 1e15, 2, {})"},
	{"table.clone in a loop", STOPPED | FILLS, "local t = {} for i = 1, 1e4 do t[i] = i end local all = {} while true do all[#all + 1] = table.clone(t) end"},
	{"buffer bomb", STOPPED | FILLS, "local b = require('string.buffer').new() local s = ('x'):rep(1e6) while true do b:put(s) end"},
	{"buffer encode recursion", ERR, "local t = {} t.t = t return require('string.buffer').encode(t)"},
	{"buffer encode bomb", OK | ERR | STOPPED, "local b = require('string.buffer') local t = {} for i = 1, 2e5 do t[i] = 'x' end while true do b.encode(t) end"},
	{"buffer decode garbage", ERR, "return require('string.buffer').decode(('\\255'):rep(1000))"},
	{"buffer decode nested", ERR | OK, "return require('string.buffer').decode(('\\8'):rep(10000))"},
	{"next loop", CPU, "local t = {1, 2, 3} while true do for k in pairs(t) do end end"},
	{"select loop", CPU, "local t = {} for i = 1, 200 do t[i] = i end while true do select('#', unpack(t)) end"},
	{"bit loop", CPU, "local x = 1 while true do x = bit.rol(x, 1) end"},
	{"date loop", CPU, "while true do os.date('%c') end"},
	{"lower bomb", STOPPED | OK, "local s = ('X'):rep(4e6) while true do s:lower() end"},
	{"reverse bomb", STOPPED | OK, "local s = ('X'):rep(4e6) while true do s:reverse() end"},
	{"plain find of a long needle", CPU, "local s = ('a'):rep(1e6) local n = ('a'):rep(5e5) .. 'b' while true do s:find(n, 1, true) end"},
	{"compare long strings", STOPPED | OK, "local a, b = ('a'):rep(4e6), ('a'):rep(4e6 - 1) .. 'b' while true do local x = a < b end"},
	{"tostring of many objects", STOPPED | FILLS, "local t = {} while true do local o = {} t[#t + 1] = tostring(o) t[#t + 1] = o end"},
	{"loop below a C frame", CPU, "host_call(function() while true do end end)"},
	{"caught loop below a C frame", CPU, "host_call(function() pcall(function() while true do end end) while true do end end)"},
	{"host code over the budget, unbracketed", GONE, "host_busy(200, false)"},
	{"host code over the budget, bracketed", CPU, "host_busy(40, true) while true do end"},
	{"exit in pcall", OK, "pcall(host_exit) while true do end"},
	{"exit in a coroutine in pcall", OK, "pcall(coroutine.wrap(function() pcall(host_exit) while true do end end)) while true do end"},
	{"syntax error", ERR, "while while"},
	{"long jump list", ERR | CPU | OK, "goto x do end local y ::x:: return y"},
};
/* clang-format on */

#define N_ATTACKS (sizeof(attacks) / sizeof(*attacks))
_Static_assert(N_ATTACKS >= 100, "attacks get more, not fewer");

static void no_attack_is_counted_twice(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_ATTACKS; i++)
		for (size_t k = 0; k < i; k++)
			assert_string_not_equal(attacks[i].code, attacks[k].code);
}

static void check_usable(struct harness *h, const char *after)
{
	harness_heal(h);
	if (harness_run_for(h,
			    "local n = 0 for i = 1, 1000 do n = n + #('x'):rep(i % 7) end "
			    "local ok = pcall(error, 'e') "
			    "return n .. tostring(ok) .. coroutine.wrap(function() return 'c' "
			    "end)()",
			    PROBE_CPU_MS) != VM_OK ||
			strcmp(h->result, "3003falsec") != 0)
		fail_msg("after '%s': '%s' %s", after, h->result, h->why.text);
}

/* Instrumented C code is so slow that the second tier may come first. */
static bool is_expected(const struct attack *a, enum vm_status status)
{
#ifdef WITH_ASAN
	if (status == VM_DISCARDED || status == VM_CPU)
		return true;
#endif
	return (a->outcomes & (1U << status)) != 0;
}

/* CPU time grows with what else uses the caches and the core's other thread.  What is late only
 * then is in time when it runs again; what really is late is so each time. */
static bool ends_as_it_should(struct harness *h, const struct attack *a)
{
	for (unsigned i = 0; i < N_TRIES; i++) {
		/* an error that is to come by itself needs the time to come */
		uint32_t cpu_ms = i > 0 && (a->outcomes & STOPPED) == 0 ? 10 * CPU_MS : CPU_MS;
		enum vm_status status = harness_run_for(h, a->code, cpu_ms);
		bool is_good = is_expected(a, status) && h->elapsed_ns <= END_MAX_NS;

		if (!is_good || getenv("VERBOSE") != NULL)
			print_message("%-40s %-9s %6.1f ms %s\n", a->name, vm_status_name(status),
					(double)h->elapsed_ns / 1e6, h->why.text);
		check_usable(h, a->name);
		if (is_good)
			return true;
	}
	return false;
}

static void every_attack_ends_as_it_should_and_leaves_a_usable_vm(void **state)
{
	struct harness h;
	unsigned n_bad = 0;

	(void)state;
	harness_open(&h, CPU_MS, MEMORY_MB);
	for (size_t i = 0; i < N_ATTACKS; i++)
		n_bad += ends_as_it_should(&h, &attacks[i]) ? 0 : 1;
	harness_close(&h);
	assert_int_equal(n_bad, 0);
}

static void given_time_what_fills_memory_meets_the_memory_cap(void **state)
{
	struct harness h;

	(void)state;
	harness_open(&h, 10000, MEMORY_MB);
	for (size_t i = 0; i < N_ATTACKS; i++) {
		enum vm_status status;

		if ((attacks[i].outcomes & FILLS) == 0)
			continue;
		status = harness_run(&h, attacks[i].code);
		if (status != VM_MEMORY && status != VM_DISCARDED)
			fail_msg("%s: %s after %.1f ms: %s", attacks[i].name,
					vm_status_name(status), (double)h.elapsed_ns / 1e6,
					h.why.text);
		/* one block beyond the hard limit is discarded before it is granted */
		assert_in_range(vm_memory_peak_bytes(h.vm),
				status == VM_DISCARDED ? 0 : MEMORY_MB << 20,
				(MEMORY_MB + 32) << 20);
		check_usable(&h, attacks[i].name);
	}
	harness_close(&h);
}

static void a_fresh_vm_stands_each_attack_alone(void **state)
{
	struct harness h;

	(void)state;
	for (size_t i = 0; i < N_ATTACKS; i++) {
		harness_open(&h, CPU_MS, MEMORY_MB);
		(void)harness_run(&h, attacks[i].code);
		check_usable(&h, attacks[i].name);
		harness_close(&h);
	}
}

static void thousands_of_random_attacks_leave_it_usable(void **state)
{
	struct harness h, neighbour;
	unsigned n_runs = N_SOAK;

	(void)state;
#ifdef WITH_ASAN
	n_runs /= 10;
#endif
	srand(11);
	harness_open(&h, 2, 8);
	harness_open(&neighbour, CPU_MS, MEMORY_MB);
	assert_int_equal(harness_run(&neighbour, "return 1"), VM_OK);
	for (unsigned i = 0; i < n_runs; i++) {
		const struct attack *a = &attacks[(size_t)rand() % N_ATTACKS];

		/* 200 ms each, known, and it leaks machine code by design */
		if (strstr(a->code, "host_busy") != NULL)
			continue;
		(void)harness_run(&h, a->code);
		check_usable(&h, a->name);
		if (i % 16 == 0)
			check_usable(&neighbour, "a neighbour's soak");
		if (i % 100 == 99)
			while (vm_reap())
				;
	}
	harness_close(&h);
	harness_close(&neighbour);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(no_attack_is_counted_twice),
			cmocka_unit_test(every_attack_ends_as_it_should_and_leaves_a_usable_vm),
			cmocka_unit_test(given_time_what_fills_memory_meets_the_memory_cap),
			cmocka_unit_test(a_fresh_vm_stands_each_attack_alone),
			cmocka_unit_test(thousands_of_random_attacks_leave_it_usable),
	};

	return cmocka_run_group_tests(tests, harness_process, NULL);
}
