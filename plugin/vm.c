/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/vm.h"

#include <errno.h>
#include <luajit.h>
#include <lualib.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

#include "base/log.h"
#include "plugin/budget.h"
#include "plugin/sandbox.h"
#include "plugin/vm_impl.h"
#include "plugin/vm_library.h"

#define MEMORY_MB_DEFAULT 64U
/* Between the cap that kills and the cap that discards. */
#define MEMORY_MARGIN_MB 32U
/* Address space per byte of cap: size classes strand some. */
#define RESERVE_FACTOR 3U
#define PACE_PERCENT 60U
/* Above, an orderly lua_close() would take longer than a request. */
#define CLOSE_MAX_BYTES (8U << 20)

static char *scratch;

char *vm_scratch(void)
{
	return scratch;
}

static int on_panic(lua_State *L)
{
	const char *text = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "?";
	char quoted[256];

	log_crit("Lua error outside a protected call", "error=%s",
			log_quote(quoted, sizeof(quoted), str_of(text)));
	abort();
}

static int open_state(struct vm *vm, uint32_t memory_mb)
{
	uint64_t soft_mb = memory_mb != 0 ? memory_mb : MEMORY_MB_DEFAULT;
	int r;

	vm->memory_soft_bytes = soft_mb << 20;
	vm->memory_hard_bytes = (soft_mb + MEMORY_MARGIN_MB) << 20;
	vm->memory_pace_bytes = vm->memory_soft_bytes * PACE_PERCENT / 100U;
	r = vm_arena_open(&vm->arena, vm->memory_hard_bytes * RESERVE_FACTOR);
	if (r < 0)
		return r;
	vm->L = lua_newstate(vm_realloc, vm);
	if (vm->L == NULL)
		return -ENOMEM;
	(void)lua_atpanic(vm->L, on_panic);
	return 0;
}

static struct vm *make(const char *name)
{
	struct vm *vm = calloc(1, sizeof(*vm));

	if (vm == NULL)
		return NULL;
	vm->magic = VM_MAGIC;
	(void)snprintf(vm->name, sizeof(vm->name), "%s", name);
	return vm;
}

int vm_new_bare(struct vm **ret, const char *name)
{
	sl_auto(vm) vm = make(name);
	int r;

	if (vm == NULL)
		return -ENOMEM;
	r = open_state(vm, 0);
	if (r < 0)
		return r;
	*ret = sl_steal(vm);
	return 0;
}

int vm_new(struct vm **ret, const char *plugin_name, enum vm_level level,
		const struct vm_limits *limits, vm_open_fn *open_library, void *user)
{
	sl_auto(vm) vm = make(plugin_name);
	int r;

	if (vm == NULL)
		return -ENOMEM;
	vm->level = level;
	vm->limits = *limits;
	vm->user = user;
	r = open_state(vm, limits->memory_mb);
	if (r < 0)
		return r;
	budget_prepare(vm);
	r = sandbox_open(vm, open_library);
	if (r < 0)
		return r;
	*ret = sl_steal(vm);
	return 0;
}

static void free_idle_runs(struct vm *vm)
{
	while (vm->idle != NULL) {
		struct vm_run *run = vm->idle;

		vm->idle = run->next_idle;
		free(run);
	}
}

static void run_free_hooks(struct vm *vm)
{
	while (vm->free_hooks != NULL) {
		struct vm_free_hook *h = vm->free_hooks;

		vm->free_hooks = h->next;
		h->fn(h->arg);
		free(h);
	}
}

void vm_free(struct vm *vm)
{
	if (vm == NULL)
		return;
	sl_check(vm, VM_MAGIC);
	sl_assert(!budget_is_running(vm));
	if (vm->L != NULL && vm->arena.live_bytes <= CLOSE_MAX_BYTES)
		lua_close(vm->L);
	else if (vm->L != NULL) /* the machine code is not in the arena */
		(void)luaJIT_setmode(vm->L, 0, LUAJIT_MODE_ENGINE | LUAJIT_MODE_FLUSH);
	run_free_hooks(vm);
	free_idle_runs(vm);
	vm_arena_close(&vm->arena);
	vm->magic = 0;
	free(vm);
}

int vm_on_free(struct vm *vm, void (*fn)(void *arg), void *arg)
{
	struct vm_free_hook *h = malloc(sizeof(*h));

	if (h == NULL)
		return -ENOMEM;
	*h = (struct vm_free_hook){vm->free_hooks, fn, arg};
	vm->free_hooks = h;
	return 0;
}

struct vm *vm_of(struct lua_State *L)
{
	struct vm *vm = budget_running;
	void *ud;

	/* No VM's functions are called while another one runs. */
	if (vm != NULL)
		return vm;
	(void)lua_getallocf(L, &ud);
	return ud;
}

void *vm_user(struct lua_State *L)
{
	return vm_of(L)->user;
}

struct lua_State *vm_main(struct vm *vm)
{
	return vm->L;
}

const char *vm_plugin_name(const struct vm *vm)
{
	return vm->name;
}

uint64_t vm_memory_bytes(const struct vm *vm)
{
	return vm->arena.live_bytes;
}

uint64_t vm_memory_peak_bytes(const struct vm *vm)
{
	return vm->arena.peak_bytes;
}

uint64_t vm_cpu_ns(const struct vm *vm)
{
	return vm->cpu_ns;
}

uint64_t vm_trips(const struct vm *vm)
{
	return vm->trips;
}

bool vm_is_spoiled(const struct vm *vm)
{
	return vm->is_spoiled;
}

bool vm_reap(void)
{
	return vm_arena_reap();
}

/* An endless compiled loop must be stopped, or nothing else here can be relied on. */
static int stop_a_loop(struct why *why)
{
	static const struct vm_limits limits = {.cpu_ms = 1, .memory_mb = 8};
	sl_auto(vm) vm = NULL;
	struct vm_run *run;
	enum vm_status status;
	int r = vm_new(&vm, "self test", VM_STRICT, &limits, NULL, NULL);

	if (r < 0)
		return why_errno(why, -r, "cannot create a VM");
	r = vm_load(vm, STR("local n = 0 while true do n = n + 1 end"), "self-test", false, why);
	run = r < 0 ? NULL : vm_run_new(vm);
	if (run == NULL)
		return r < 0 ? r : -ENOMEM;
	lua_xmove(vm->L, vm_run_state(run), 1);
	status = vm_start(run, 0, why);
	vm_run_free(run);
	if (status == VM_CPU)
		return 0;
	why_set(why, NULL, 0, "unknown LuaJIT library: an endless loop ended as '%s'",
			vm_status_name(status));
	return -ENOTSUP;
}

int vm_process_init(struct why *why)
{
	int r;

	if (scratch != NULL)
		return 0;
	tzset(); /* reads files: os.date must not */
	r = vm_library_check(why);
	if (r == 0)
		r = budget_process_init(why);
	if (r == 0)
		r = sandbox_process_init(why);
	if (r < 0)
		return r;
	scratch = mmap(NULL, VM_RESULT_MAX, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (scratch == MAP_FAILED) {
		scratch = NULL;
		return why_errno(why, ENOMEM, "cannot reserve memory for results");
	}
	r = stop_a_loop(why);
	if (r < 0) {
		(void)munmap(scratch, VM_RESULT_MAX);
		scratch = NULL;
	}
	return r;
}
