/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/vm_harness.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>
#include <lauxlib.h>
#include <lua.h>

#include "base/clock.h"

static int host_wait(lua_State *L)
{
	return vm_yield(L);
}

static int host_exit(lua_State *L)
{
	return vm_end(L);
}

static int host_busy(lua_State *L)
{
	uint64_t until = clock_read_ns(CLOCK_THREAD_CPUTIME_ID) +
			 (uint64_t)luaL_checkinteger(L, 1) * 1000000U;
	bool is_bracketed = lua_toboolean(L, 2);

	if (is_bracketed)
		vm_host_enter(L);
	while (clock_read_ns(CLOCK_THREAD_CPUTIME_ID) < until)
		;
	if (is_bracketed)
		vm_host_leave(L);
	return 0;
}

static int host_sleep(lua_State *L)
{
	struct timespec t = {.tv_nsec = (long)luaL_checkinteger(L, 1) * 1000000};

	while (nanosleep(&t, &t) != 0)
		;
	return 0;
}

static int host_call(lua_State *L)
{
	lua_call(L, lua_gettop(L) - 1, 1);
	return 1;
}

void harness_library(lua_State *L, int env_index)
{
	static const luaL_Reg functions[] = {{"host_wait", host_wait}, {"host_exit", host_exit},
			{"host_busy", host_busy}, {"host_call", host_call},
			{"host_sleep", host_sleep}, {NULL, NULL}};

	lua_pushvalue(L, env_index);
	luaL_register(L, NULL, functions);
	lua_newtable(L);
	lua_newtable(L);
	lua_pushliteral(L, "/path");
	lua_setfield(L, -2, "path");
	lua_setfield(L, -2, "request");
	lua_setfield(L, env_index, "kong");
	lua_pop(L, 1);
}

int harness_process(void **state)
{
	struct why why = WHY_NONE;
	char text[2048];

	(void)state;
	if (vm_process_init(&why) == 0)
		return 0;
	(void)fprintf(stderr, "%s\n", why_text(&why, text, sizeof(text)));
	return -1;
}

static void make_vm(struct harness *h)
{
	assert_int_equal(vm_new(&h->vm, "tested", h->level, &h->limits, harness_library, h), 0);
}

void harness_open(struct harness *h, uint32_t cpu_ms, uint32_t memory_mb)
{
	*h = (struct harness){.limits = {.cpu_ms = cpu_ms, .memory_mb = memory_mb}};
	make_vm(h);
}

void harness_close(struct harness *h)
{
	vm_free(h->vm);
	h->vm = NULL;
	while (vm_reap())
		;
}

void harness_heal(struct harness *h)
{
	if (!vm_is_spoiled(h->vm))
		return;
	harness_close(h);
	make_vm(h);
}

enum vm_status harness_run_for(struct harness *h, const char *code, uint32_t cpu_ms)
{
	struct vm_run *run;
	enum vm_status status;
	uint64_t start;

	h->why = WHY_NONE;
	h->result[0] = 0;
	if (vm_load(h->vm, str_of(code), "t.lua", false, &h->why) < 0)
		return VM_ERROR;
	run = vm_run_new(h->vm);
	assert_non_null(run);
	lua_xmove(vm_main(h->vm), vm_run_state(run), 1);
	vm_run_set_cpu_ms(run, cpu_ms);
	start = clock_read_ns(CLOCK_THREAD_CPUTIME_ID);
	status = vm_start(run, 0, &h->why);
	h->elapsed_ns = clock_read_ns(CLOCK_THREAD_CPUTIME_ID) - start;
	if (status == VM_OK && !vm_was_ended(run) && lua_gettop(vm_run_state(run)) > 0) {
		(void)snprintf(h->result, sizeof(h->result), "%s",
				vm_push_text(vm_run_state(run), 1, NULL));
		lua_pop(vm_run_state(run), 1);
	}
	vm_run_free(run);
	return status;
}

enum vm_status harness_run(struct harness *h, const char *code)
{
	return harness_run_for(h, code, h->limits.cpu_ms);
}
