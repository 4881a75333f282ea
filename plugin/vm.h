/* SPDX-License-Identifier: Apache-2.0
 *
 * One LuaJIT VM: one plugin version in one worker (or in sluice-check).  It has its own
 * mmap arena, an allow-listed environment, CPU and memory budgets that hold under the
 * JIT, and pooled coroutines.  Mechanism and measurements: ARCHITECTURE.md, "The VM".
 *
 * Process-wide: vm_process_init() once, before the first vm_new().  Single-threaded.
 *
 * Who may call: programs that link LuaJIT (sluice-worker, sluice-check, sluicectl's
 * plugin test runs sluice-check).  Never the master or control.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "base/why.h"
#include "plugin/limits.h"

struct lua_State;
struct vm;

enum vm_level { VM_STRICT, VM_LAX };

/* Calibrates the LuaJIT library (hookmask offset, profiler anchor, timer), compiles the safe
 * library and stops an endless loop as a test.  In the process and thread that will run the
 * VMs: after fork, and before a jail that refuses timer_create.  0, or -ENOTSUP with why:
 * plugins must not run in this process.  Programs link with $(VM_LDFLAGS). */
int vm_process_init(struct why *why);

/* A fresh VM with the sandboxed environment of `level`.  open_library(L, env_index) is
 * called while the real globals still exist, to add the PDK (kong, ngx, modules) to the
 * environment table at stack index env_index; NULL = bare Lua environment (schemas).
 * user: vm_user(L) for C functions.  0, -ENOMEM. */
typedef void vm_open_fn(struct lua_State *L, int env_index);
int vm_new(struct vm **ret, const char *plugin_name, enum vm_level level,
		const struct vm_limits *limits, vm_open_fn *open_library, void *user);
void vm_free(struct vm *vm); /* NULL allowed; never while one of its runs is on the C stack */
SL_DEFINE_AUTO(vm);

/* fn(arg) at vm_free(), for what open_library made outside Lua.  0, -ENOMEM. */
int vm_on_free(struct vm *vm, void (*fn)(void *arg), void *arg);

void *vm_user(struct lua_State *L);
struct vm *vm_of(struct lua_State *L);
struct lua_State *vm_main(struct vm *vm);
const char *vm_plugin_name(const struct vm *vm);

/* require("name") in this VM: the first call runs open(L), which returns 1 (one value on the
 * stack); the value is sealed (vm_seal) and kept. */
void vm_provide_module(struct lua_State *L, const char *name, int (*open)(struct lua_State *));

/* require() of a name that nothing else provides: find(name) returns the value, then sealed and
 * kept as above, or nothing.  One per VM. */
void vm_provide_finder(struct lua_State *L, int (*find)(struct lua_State *));
/* Pushes the sealed environment, for trusted Lua that runs in it; not before vm_new() is done. */
void vm_push_environment(struct lua_State *L);

/* Replaces the table at the top of the stack by a read-only view of it named `name`, and so
 * its tables, recursively: writing raises "Cannot modify <name>.<key>. Protected by the
 * sandbox.".  A table whose metatable has __newindex, or that is sealed, is left as it is;
 * other metamethods (__call, …) go on working.  The environment and modules are sealed by
 * the VM itself, after open_library. */
void vm_seal(struct lua_State *L, const char *name);

/* tostring() for C functions that print plugin values: runs no plugin code (__tostring is
 * not called) and shows no addresses.  Pushes the string. */
const char *vm_push_text(struct lua_State *L, int index, size_t *ret_n);

/* Text only, unless is_trusted_bytecode (made by our own sluice-check, from the snapshot).
 * Leaves the chunk as a function on vm_main()'s stack with the sandbox environment.  chunk
 * name: "handler.lua".  0, or -EINVAL with why (file, line, text). */
int vm_load(struct vm *vm, struct str code, const char *chunk_name, bool is_trusted_bytecode,
		struct why *why);

enum vm_status {
	VM_OK,        /* returned; results on the coroutine's stack */
	VM_YIELDED,   /* a PDK function parked it (vm_yield); vm_resume() later */
	VM_ERROR,     /* Lua error; text in why */
	VM_CPU,       /* over the CPU budget: the coroutine is gone */
	VM_MEMORY,    /* over the soft memory cap: the coroutine is gone; VM is to be replaced */
	VM_OUTPUT,    /* over the output budget (vm_kill): the coroutine is gone */
	VM_WALL,      /* parked past its time: said by the host, never by a run */
	VM_DISCARDED, /* tier 2 or hard cap: the whole VM is gone; only vm_run_free() and vm_free()
			 may follow */
};

/* "ok", "yielded", "error", "cpu", "memory", "output", "wall", "discarded": for logs. */
const char *vm_status_name(enum vm_status status);

/* One run in a pooled coroutine. */
struct vm_run;

/* Takes a pooled coroutine; push function and arguments on vm_run_state(), then
 * vm_start(n_args). NULL = out of memory. */
struct vm_run *vm_run_new(struct vm *vm);
struct lua_State *vm_run_state(struct vm_run *run);
/* Before vm_start(): another CPU budget than the VM's for this run; 0 = none. */
void vm_run_set_cpu_ms(struct vm_run *run, uint32_t cpu_ms);
/* Before vm_start(): the monotonic clock as just read, so that it is not read again. */
void vm_run_enter_at(struct vm_run *run, uint64_t now_ns);
/* When it neither runs nor waits: from its start to its end, waiting included, and that end. */
uint64_t vm_run_took_ns(const struct vm_run *run, uint64_t *ret_ended_ns);
/* Before vm_start(): the run spends the budget of `payer`, which outlives it. */
void vm_run_share_budget(struct vm_run *run, struct vm_run *payer);
/* What the host did for a parked run counts against its budget too. */
void vm_run_charge(struct vm_run *run, uint64_t ns);
enum vm_status vm_start(struct vm_run *run, int n_args, struct why *why);
/* After VM_YIELDED: the n_results values on vm_run_state() become the parked call's results.  A
 * run that has used twice its budget, a little at each resume, ends with VM_CPU. */
enum vm_status vm_resume(struct vm_run *run, int n_results, struct why *why);
/* Back to the pool (or dropped, if it was killed or is parked). */
void vm_run_free(struct vm_run *run);

/* For a PDK C function: `return vm_yield(L);` parks the run with VM_YIELDED. */
int vm_yield(struct lua_State *L);

/* PDK C code that must not be cut by the tier-2 discard (it holds malloc'd memory or touches
 * host structures) brackets itself.  Nestable, cheap (a counter).  Between the two: nothing
 * that can run plugin Lua (lua_call, lua_gettable on plugin tables: use the raw forms), and
 * not for long.  An error that leaves the bracket is repaired. */
extern volatile int vm_host_depth; /* of the VM that runs: there is one at a time */
static inline void vm_host_enter(struct lua_State *L)
{
	(void)L;
	vm_host_depth++;
}
static inline void vm_host_leave(struct lua_State *L)
{
	(void)L;
	if (vm_host_depth > 0)
		vm_host_depth--;
}
/* From a C function, outside vm_host_enter(): ends the running coroutine with that status; no
 * pcall of the plugin sees it. */
_Noreturn void vm_kill(struct lua_State *L, enum vm_status reason);
/* True once a kill is pending: long loops in C check it and return early. */
bool vm_is_killed(struct lua_State *L);

/* CPU time that the running entry may still use; UINT64_MAX: no limit.  Long work in C asks it
 * first, since nothing stops that work half-way. */
uint64_t vm_cpu_left_ns(struct lua_State *L);

/* Uncatchable end of the running coroutine, decided by host code (exit()): the run ends
 * with VM_OK and vm_was_ended() true.  For a PDK C function: `return vm_end(L);` */
int vm_end(struct lua_State *L);
bool vm_was_ended(const struct vm_run *run);

uint64_t vm_memory_bytes(const struct vm *vm); /* live, exact */
uint64_t vm_memory_peak_bytes(const struct vm *vm);
uint64_t vm_cpu_ns(const struct vm *vm); /* spent in runs so far */
uint64_t vm_trips(const struct vm *vm);  /* budget kills so far */
bool vm_is_spoiled(const struct vm *vm); /* replace it at the next quiet point */
/* VMs discarded in this process: each leaks its machine code (64 kB and more), so that a
 * worker with very many is to be recycled. */
uint64_t vm_discards(void);
/* Off the request path: gives memory of freed VMs back, 4 MB per call; true = there is more. */
bool vm_reap(void);

/* text → bytecode with line numbers, compiled before any plugin code ran in the process
 * state used (a throw-away VM).  In *ret (malloc'd, caller frees).  -EINVAL with why. */
int vm_compile(struct str source, const char *chunk_name, char **ret, size_t *ret_n,
		struct why *why);

/* The LuaJIT build, for keying bytecode: "LuaJIT 2.1.… x64 gc64 bc2 <build id>". */
const char *vm_library_id(void);
