/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>

#include "plugin/budget.h"
#include "plugin/vm_impl.h"

#define NS_PER_MS 1000000U
/* What is left of a budget when a parked run goes on, at least. */
#define RESUME_MIN_NS 100000U

static uint64_t n_discards;
volatile int vm_host_depth;
/* Its address marks a yield to the host; coroutine wrappers hand such a yield on. */
static const char host_yield_mark;

const char *vm_status_name(enum vm_status status)
{
	static const char *const names[] = {
			"ok", "yielded", "error", "cpu", "memory", "output", "wall", "discarded"};

	return (size_t)status < sizeof(names) / sizeof(*names) ? names[status] : "?";
}

static bool give_thread(struct vm_run *run)
{
	struct vm *vm = run->vm;

	if (!lua_checkstack(vm->L, 2))
		return false;
	run->co = lua_newthread(vm->L);
	run->co_ref = luaL_ref(vm->L, LUA_REGISTRYINDEX);
	return true;
}

struct vm_run *vm_run_new(struct vm *vm)
{
	struct vm_run *run = vm->idle;

	sl_check(vm, VM_MAGIC);
	if (vm->L == NULL)
		return NULL;
	if (run != NULL) {
		vm->idle = run->next_idle;
		vm->n_idle--;
	} else {
		run = calloc(1, sizeof(*run));
		if (run == NULL)
			return NULL;
		run->vm = vm;
	}
	if (run->co == NULL && !give_thread(run)) {
		free(run);
		return NULL;
	}
	run->state = RUN_FRESH;
	run->is_ended = false;
	run->cpu_ms = vm->limits.cpu_ms;
	run->used_ns = 0;
	run->enter_at_ns = run->began_ns = 0;
	run->payer = run;
	vm->n_runs++;
	return run;
}

void vm_run_set_cpu_ms(struct vm_run *run, uint32_t cpu_ms)
{
	run->cpu_ms = cpu_ms;
}

void vm_run_enter_at(struct vm_run *run, uint64_t now_ns)
{
	run->enter_at_ns = now_ns;
}

uint64_t vm_run_took_ns(const struct vm_run *run, uint64_t *ret_ended_ns)
{
	*ret_ended_ns = run->ended_ns;
	return run->ended_ns - run->began_ns;
}

void vm_run_share_budget(struct vm_run *run, struct vm_run *payer)
{
	run->payer = payer;
	run->cpu_ms = payer->cpu_ms;
}

void vm_run_charge(struct vm_run *run, uint64_t ns)
{
	run->payer->used_ns += ns;
}

struct lua_State *vm_run_state(struct vm_run *run)
{
	return run->co;
}

void vm_run_free(struct vm_run *run)
{
	struct vm *vm;

	if (run == NULL)
		return;
	vm = run->vm;
	vm->n_runs--;
	if (vm->L == NULL) {
		free(run);
		return;
	}
	if (run->state == RUN_FRESH || run->state == RUN_FINISHED) {
		lua_settop(run->co, 0);
	} else {
		luaL_unref(vm->L, LUA_REGISTRYINDEX, run->co_ref);
		run->co = NULL;
	}
	if (vm->n_idle >= VM_IDLE_RUNS_MAX) {
		if (run->co != NULL)
			luaL_unref(vm->L, LUA_REGISTRYINDEX, run->co_ref);
		free(run);
		return;
	}
	run->next_idle = vm->idle;
	vm->idle = run;
	vm->n_idle++;
}

/* What is left of the run's budget; 0 = it has none. */
static uint64_t run_left_ns(const struct vm_run *run)
{
	uint64_t all_ns = (uint64_t)run->cpu_ms * NS_PER_MS, used_ns = run->payer->used_ns;

	if (all_ns == 0)
		return 0;
	return all_ns > used_ns + RESUME_MIN_NS ? all_ns - used_ns : RESUME_MIN_NS;
}

/* lua_resume under the budget.  False: left by siglongjmp, nothing of the VM may be used. */
static __attribute__((noinline)) bool resume_guarded(struct vm_run *run, int n, int *ret_status)
{
	if (sigsetjmp(run->vm->escape, 0) != 0)
		return false;
	budget_enter(run->vm, run_left_ns(run), run->enter_at_ns);
	*ret_status = lua_resume(run->co, n);
	return true;
}

static enum vm_status discarded(struct vm *vm, struct why *why)
{
	why_set(why, NULL, 0, "plugin %s could not be stopped gently at its %s limit: VM discarded",
			vm->name,
			vm->killed == VM_CPU ? "CPU" : vm_status_name((enum vm_status)vm->killed));
	vm->L = NULL;
	vm->is_spoiled = true;
	vm->trips++;
	n_discards++;
	return VM_DISCARDED;
}

static enum vm_status killed(struct vm_run *run, struct why *why)
{
	struct vm *vm = run->vm;
	const char *file = vm->killed_line > 0 ? vm->killed_file : NULL;

	run->state = RUN_BROKEN;
	vm->trips++;
	if (vm->killed == VM_CPU)
		why_set(why, file, vm->killed_line, "used more than its %u ms of CPU time",
				run->cpu_ms);
	else if (vm->killed == VM_MEMORY)
		why_set(why, file, vm->killed_line, "used more than its %u MB of memory",
				(unsigned)(vm->memory_soft_bytes >> 20));
	else
		why_set(why, file, vm->killed_line, "made more output than it may");
	return (enum vm_status)vm->killed;
}

static enum vm_status yielded(struct vm_run *run, struct why *why)
{
	struct vm *vm = run->vm;
	bool is_host_yield = vm->is_host_yield;

	vm->is_host_yield = false;
	if (run->is_ended) {
		run->state = RUN_BROKEN;
		return VM_OK;
	}
	/* A host call that was just made goes on; what is left of the budget is little. */
	if (is_host_yield && (vm->killed == 0 || vm->killed == VM_CPU)) {
		run->state = RUN_PARKED;
		return VM_YIELDED;
	}
	if (vm->killed != 0)
		return killed(run, why);
	run->state = RUN_BROKEN;
	why_set(why, NULL, 0, "attempt to yield from outside a coroutine");
	return VM_ERROR;
}

static uint64_t leave(struct vm_run *run)
{
	struct vm *vm = run->vm;
	uint64_t segment_ns = budget_leave(vm, &run->ended_ns);

	if (run->began_ns == 0)
		run->began_ns = vm->entry_start_ns;
	run->enter_at_ns = 0;
	return segment_ns;
}

static enum vm_status run_on(struct vm_run *run, int n, struct why *why)
{
	struct vm *vm = run->vm;
	int status = 0;
	bool is_whole;
	uint64_t segment_ns;

	vm->run = run;
	vm->is_host_yield = false;
	is_whole = resume_guarded(run, n, &status);
	vm->run = NULL;
	if (!is_whole) {
		enum vm_status verdict = discarded(vm, why);

		vm->cpu_ns += leave(run);
		return verdict;
	}
	segment_ns = leave(run);
	vm->cpu_ns += segment_ns;
	run->payer->used_ns += segment_ns;
	if (status == LUA_YIELD)
		return yielded(run, why);
	if (status == 0) {
		run->state = RUN_FINISHED;
		return VM_OK;
	}
	if (vm->killed != 0)
		return killed(run, why);
	run->state = RUN_BROKEN;
	vm_error_to_why(run->co, why);
	return VM_ERROR;
}

/* It waits again and again, using what little each resume grants. */
static enum vm_status overdrawn(struct vm_run *run, struct why *why)
{
	run->state = RUN_BROKEN;
	run->vm->trips++;
	why_set(why, NULL, 0, "used more than its %u ms of CPU time, waiting again and again",
			run->cpu_ms);
	return VM_CPU;
}

enum vm_status vm_start(struct vm_run *run, int n_args, struct why *why)
{
	sl_assert(run->state == RUN_FRESH || run->state == RUN_FINISHED);
	return run_on(run, n_args, why);
}

enum vm_status vm_resume(struct vm_run *run, int n_results, struct why *why)
{
	sl_assert(run->state == RUN_PARKED);
	if (run->cpu_ms != 0 && run->payer->used_ns > 2 * (uint64_t)run->cpu_ms * NS_PER_MS)
		return overdrawn(run, why);
	return run_on(run, n_results, why);
}

int vm_yield(struct lua_State *L)
{
	struct vm *vm = vm_of(L);

	if (!lua_isyieldable(L))
		return luaL_error(L, "attempt to yield across C-call boundary");
	vm->is_host_yield = true;
	lua_pushlightuserdata(L, (void *)(uintptr_t)&host_yield_mark);
	return lua_yield(L, 1);
}

int vm_end(struct lua_State *L)
{
	struct vm *vm = vm_of(L);

	if (!lua_isyieldable(L))
		return luaL_error(L, "attempt to yield across C-call boundary");
	if (vm->run != NULL)
		vm->run->is_ended = true;
	return vm_yield(L);
}

bool vm_took_host_yield(struct lua_State *L)
{
	struct vm *vm = vm_of(L);
	bool was = vm->is_host_yield;

	vm->is_host_yield = false;
	return was;
}

void vm_push_host_yield_mark(struct lua_State *L)
{
	lua_pushlightuserdata(L, (void *)(uintptr_t)&host_yield_mark);
}

void vm_kill(struct lua_State *L, enum vm_status reason)
{
	budget_kill(vm_of(L), reason);
	/* Whoever catches this is yielded away at its next instruction. */
	(void)luaL_error(L, "budget exceeded");
	abort();
}

bool vm_was_ended(const struct vm_run *run)
{
	return run->is_ended;
}

uint64_t vm_discards(void)
{
	return n_discards;
}

bool vm_is_killed(struct lua_State *L)
{
	return vm_of(L)->killed != 0;
}

uint64_t vm_cpu_left_ns(struct lua_State *L)
{
	return budget_left_ns(vm_of(L));
}
