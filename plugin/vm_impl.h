/* SPDX-License-Identifier: Apache-2.0
 *
 * struct vm, shared by the files of libvm (vm*.c, budget*.c, sandbox*.c, safe_*.c) only.
 */
#pragma once

#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include <lauxlib.h>
#include <lua.h>

#include "base/check.h"
#include "plugin/vm.h"
#include "plugin/vm_arena.h"

#define VM_MAGIC SL_MAGIC('P', 'L', 'V', 'M')
#define VM_NAME_MAX 128
#define VM_IDLE_RUNS_MAX 64
/* The longest string that one library call may make. */
#define VM_RESULT_MAX (4U << 20)

struct vm_free_hook {
	struct vm_free_hook *next;
	void (*fn)(void *arg);
	void *arg;
};

struct vm {
	uint32_t magic;
	lua_State *L; /* NULL: discarded */
	struct vm_arena arena;
	struct vm_limits limits;
	uint64_t memory_pace_bytes; /* above: the allocator looks closer */
	uint64_t memory_soft_bytes, memory_hard_bytes;
	enum vm_level level;
	char name[VM_NAME_MAX];
	void *user;

	/* Written by the timer's signal handler too (same thread). */
	volatile sig_atomic_t killed; /* enum vm_status: VM_CPU | VM_MEMORY; 0 = no */
	int killed_line; /* where the plugin was when the kill reached it; 0 = unknown */
	char killed_file[64];
	volatile uint8_t *hookmask; /* LuaJIT's g->hookmask */
	sigjmp_buf escape;          /* valid while it runs */

	/* The entry that runs now: see budget.c. */
	uint64_t entry_start_ns, deadline_ns, entry_budget_ns;
	uint64_t charged_ns, charged_at_cpu_ns, kill_cpu_ns;
	bool is_charged, is_gc_hurried, is_spoiled, is_loading;

	struct vm_run *run;  /* running, or NULL */
	struct vm_run *idle; /* pool */
	unsigned n_idle, n_runs;
	bool is_host_yield; /* the yield under way was made by vm_yield()/vm_end() */

	int env_ref; /* registry: the sealed environment */
	uint64_t cpu_ns, trips;
	struct vm_free_hook *free_hooks;
};

enum vm_run_state {
	RUN_FRESH,    /* thread is clean */
	RUN_PARKED,   /* yielded to the host */
	RUN_FINISHED, /* returned; thread can be used again */
	RUN_BROKEN,   /* killed, ended or failed: thread is not used again */
};

struct vm_run {
	struct vm *vm;
	struct vm_run *next_idle;
	lua_State *co;
	int co_ref;
	enum vm_run_state state;
	bool is_ended;
	uint32_t cpu_ms;             /* its budget; 0 = none */
	uint64_t used_ns;            /* by the segments before this one */
	uint64_t enter_at_ns;        /* 0, or a clock reading that is fresh enough to begin at */
	uint64_t began_ns, ended_ns; /* first entry, last leave (monotonic) */
	struct vm_run *payer; /* whose used_ns counts: itself, or the run it shares a budget with */
};

/* 4 MB that C library functions build results in; one user at a time. */
char *vm_scratch(void);
/* lua_Alloc for a struct vm, with pacing and caps. */
void *vm_realloc(void *ud, void *ptr, size_t old_n, size_t new_n);
/* A VM without environment or budgets: the calibration anchor and compilation. */
int vm_new_bare(struct vm **ret, const char *name);
/* Fills why from a Lua error value at the top of L and pops it; runs no plugin code. */
void vm_error_to_why(lua_State *L, struct why *why);
/* For the coroutine wrappers: was the yield that just ended a resume made by the host? */
bool vm_took_host_yield(struct lua_State *L);
void vm_push_host_yield_mark(struct lua_State *L);
