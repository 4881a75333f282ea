/* SPDX-License-Identifier: Apache-2.0
 * ngx.thread.* and ngx.semaphore: what their Lua is given.  A queue is a number; who waits in it
 * is woken by anything else of the same VM, in this request or another. */
#include "plugin/module_part.h"

/* Lives in the request that waits. */
struct pdk_waiter {
	struct pdk_waiter *next, **back;
	struct pdk_waiter **head; /* of its VM */
	struct exchange *x;
	double queue;
	bool is_woken;
};

/* Pushes why a plugin cannot wait here. */
static int wait_check(lua_State *L)
{
	if (pdk_may_wait(L))
		return 0;
	lua_pushliteral(L, "API disabled in the context of a phase that cannot wait");
	return 1;
}

static int new_queue(lua_State *L)
{
	lua_pushnumber(L, (lua_Number)++pdk_host(L)->last_queue);
	return 1;
}

static void leave_queue(struct pdk_waiter *w)
{
	*w->back = w->next;
	if (w->next != NULL)
		w->next->back = w->back;
}

/* The first one that sleeps there. */
static bool wake_first(struct pdk_waiter *w, double queue)
{
	for (; w != NULL; w = w->next)
		if (w->queue == queue && !w->is_woken) {
			w->is_woken = true;
			if (w->x->ops->wake != NULL)
				w->x->ops->wake(w->x);
			return true;
		}
	return false;
}

static bool is_woken(struct exchange *x, struct pdk_pending *pending)
{
	const struct pdk_waiter *w = pending->object;

	(void)x;
	return w->is_woken;
}

static int finish_park(lua_State *L, struct exchange *x, const struct pdk_pending *pending)
{
	(void)x;
	leave_queue(pending->object);
	lua_pushboolean(L, !pending->is_timed_out);
	return 1;
}

/* What it was woken for is another's now. */
static void drop_park(struct pdk_pending *pending)
{
	struct pdk_waiter *w = pending->object;

	leave_queue(w);
	if (w->is_woken)
		wake_first(*w->head, w->queue);
}

static void join_queue(struct pdk_waiter **head, struct pdk_waiter *w)
{
	struct pdk_waiter **at = head;

	while (*at != NULL)
		at = &(*at)->next;
	w->head = head;
	w->back = at;
	*at = w;
}

/* park(queue, ms or nil): true when woken, false when the time is over. */
static int park(lua_State *L)
{
	double queue = luaL_checknumber(L, 1), ms = luaL_optnumber(L, 2, 0);
	struct pdk_pending pending = {
			.finish = finish_park, .is_done = is_woken, .drop = drop_park};
	struct exchange *x = pdk_exchange(L);
	struct pdk_waiter *w;

	if (!pdk_may_wait(L))
		return luaL_error(L, "API disabled in the current phase");
	if (!lua_isyieldable(L))
		return luaL_error(L, "attempt to yield across C-call boundary");
	vm_host_enter(L);
	w = arena_calloc(x->arena, sizeof(*w));
	if (w != NULL) {
		w->x = x;
		w->queue = queue;
		join_queue(&pdk_host(L)->waiters, w);
	}
	vm_host_leave(L);
	pdk_check_room(L, w != NULL ? 0 : -1);
	pending.object = w;
	if (ms > 0)
		pending.deadline_ns = pdk_deadline_ns((ms < 86400e3 ? ms : 86400e3) / 1000);
	return pdk_wait(L, &pending);
}

/* wake_one(queue): false when nobody sleeps there. */
static int wake_one(lua_State *L)
{
	double queue = luaL_checknumber(L, 1);
	bool is_one;

	vm_host_enter(L);
	is_one = wake_first(pdk_host(L)->waiters, queue);
	vm_host_leave(L);
	lua_pushboolean(L, is_one);
	return 1;
}

static int wake(lua_State *L)
{
	double queue = luaL_checknumber(L, 1);

	vm_host_enter(L);
	while (wake_first(pdk_host(L)->waiters, queue))
		;
	vm_host_leave(L);
	return 0;
}

static int n_waiting(lua_State *L)
{
	double queue = luaL_checknumber(L, 1);
	lua_Integer n = 0;

	for (const struct pdk_waiter *w = pdk_host(L)->waiters; w != NULL; w = w->next)
		n += w->queue == queue && !w->is_woken;
	lua_pushinteger(L, n);
	return 1;
}

static int finish_spawn(lua_State *L, struct exchange *x, const struct pdk_pending *pending)
{
	(void)x;
	if (pending->thread > 0) {
		lua_pushinteger(L, pending->thread);
		return 1;
	}
	lua_pushnil(L);
	lua_pushstring(L, pending->thread == 0 ? "too many light threads" : "no memory");
	return 2;
}

/* thread_spawn(function): its number; it has run as far as it goes without waiting. */
static int thread_spawn(lua_State *L)
{
	struct pdk_pending pending = {.finish = finish_spawn, .want = PDK_WANT_SPAWN};

	luaL_checktype(L, 1, LUA_TFUNCTION);
	if (!lua_isyieldable(L))
		return luaL_error(L, "attempt to yield across C-call boundary");
	lua_settop(L, 1);
	pending.thread = luaL_ref(L, LUA_REGISTRYINDEX);
	return pdk_wait(L, &pending);
}

static int finish_kill(lua_State *L, struct exchange *x, const struct pdk_pending *pending)
{
	(void)x;
	lua_pushboolean(L, pending->thread);
	return 1;
}

static int thread_kill(lua_State *L)
{
	struct pdk_pending pending = {.finish = finish_kill, .want = PDK_WANT_KILL};

	pending.thread = (int)luaL_checkinteger(L, 1);
	if (!pdk_may_wait(L))
		return luaL_error(L, "API disabled in the current phase");
	return pdk_wait(L, &pending);
}

const luaL_Reg module_thread_functions[] = {
		{"wait_check", wait_check},
		{"new_queue", new_queue},
		{"park", park},
		{"wake", wake},
		{"wake_one", wake_one},
		{"n_waiting", n_waiting},
		{"thread_spawn", thread_spawn},
		{"thread_kill", thread_kill},
		{NULL, NULL},
};

static int only_in_lua(lua_State *L)
{
	return luaL_error(L, "not here");
}

/* clang-format off */
#define THREAD_FUNCTIONS(X) \
	X("spawn", only_in_lua, PDK_WAITS, VM_LAX, "Runs a function as a light thread of this phase, on the same budget.") \
	X("wait", only_in_lua, PDK_WAITS, VM_LAX, "Waits for the first of some light threads: true and its results, or false and its error.") \
	X("kill", only_in_lua, PDK_WAITS, VM_LAX, "Ends a light thread.")
/* clang-format on */

static const struct pdk_function functions[] = {THREAD_FUNCTIONS(PDK_ROW)};

void ngx_thread_open(lua_State *L, int env_index)
{
	module_register_lua(L, env_index, "ngx.thread", functions, PDK_COUNT(functions), "_thread");
}
