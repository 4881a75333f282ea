/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "plugin/budget.h"
#include "plugin/vm_impl.h"

#define HURRIED_PAUSE 100
#define HURRIED_STEPMUL 400
#define RELAXED_PAUSE 200
#define RELAXED_STEPMUL 200

/* Near the cap garbage must not kill a plugin: start a cycle now, then one after another.
 * Each of these calls is a plain store. */
static void hurry_gc(struct vm *vm)
{
	if (vm->is_gc_hurried)
		return;
	vm->is_gc_hurried = true;
	(void)lua_gc(vm->L, LUA_GCSETPAUSE, HURRIED_PAUSE);
	(void)lua_gc(vm->L, LUA_GCSETSTEPMUL, HURRIED_STEPMUL);
	(void)lua_gc(vm->L, LUA_GCRESTART, 0);
}

static void relax_gc(struct vm *vm)
{
	vm->is_gc_hurried = false;
	(void)lua_gc(vm->L, LUA_GCSETPAUSE, RELAXED_PAUSE);
	(void)lua_gc(vm->L, LUA_GCSETSTEPMUL, RELAXED_STEPMUL);
}

/* After the block was refused, or before it is granted, above the pace: bytes would live. */
static void press(struct vm *vm, uint64_t bytes)
{
	if (bytes > vm->memory_soft_bytes)
		vm->is_spoiled = true;
	if (budget_is_running(vm)) {
		if (bytes > vm->memory_hard_bytes && vm_host_depth == 0)
			budget_discard(vm, VM_MEMORY);
		if (bytes > vm->memory_soft_bytes)
			budget_kill(vm, VM_MEMORY);
	}
	if (vm->L != NULL)
		hurry_gc(vm);
}

void *vm_realloc(void *ud, void *ptr, size_t old_n, size_t new_n)
{
	struct vm *vm = ud;
	struct vm_arena *a = &vm->arena;
	void *p;

	if (new_n > old_n && a->live_bytes - old_n + new_n > vm->memory_pace_bytes)
		press(vm, a->live_bytes - old_n + new_n);
	else if (new_n == 0 && vm->is_gc_hurried && a->live_bytes < vm->memory_pace_bytes / 2)
		relax_gc(vm);
	p = vm_arena_realloc(a, ptr, old_n, new_n);
	if (p == NULL && new_n != 0) {
		vm->is_spoiled = true;
		/* LuaJIT does not survive NULL on a trace. */
		if (budget_is_running(vm) && vm_host_depth == 0)
			budget_discard(vm, VM_MEMORY);
	}
	return p;
}
