/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/chain_thread.h"

#include <stdlib.h>

#include "base/clock.h"

/* What the event loop does for one wait, counted as CPU time of who waits: a plugin that
 * waits for nothing again and again uses its budget up. */
#define WAIT_COST_NS 5000U
#define NS_PER_MS 1000000U

static void append(struct chain_threads *all, struct chain_thread *t)
{
	struct chain_thread **at = &all->first;

	while (*at != NULL)
		at = &(*at)->next;
	t->next = NULL;
	*at = t;
}

static void take_out(struct chain_threads *all, const struct chain_thread *t)
{
	struct chain_thread **at = &all->first;

	while (*at != t)
		at = &(*at)->next;
	*at = t->next;
}

struct chain_thread *chain_threads_begin(struct chain_threads *all, struct vm_run *run)
{
	*all = (struct chain_threads){.payer = run, .method = {.run = run}};
	append(all, &all->method);
	return &all->method;
}

static bool at_once(struct exchange *x, struct pdk_pending *pending)
{
	(void)x;
	(void)pending;
	return true;
}

/* Frees the run of a thread that is out of the list; the payer's stays until the last. */
static void give_back(struct chain_threads *all, struct chain_thread *t)
{
	if (t->id == 0) {
		if (t->run == NULL)
			all->payer = NULL;
	} else {
		vm_run_free(t->run);
		free(t);
		all->n--;
	}
	if (all->first != NULL)
		return;
	vm_run_free(all->payer);
	all->payer = NULL;
}

/* A thread that parked ends without going on. */
static void drop(struct chain_threads *all, struct chain_thread *t)
{
	take_out(all, t);
	if (!t->is_fresh && t->pending.drop != NULL)
		t->pending.drop(&t->pending);
	give_back(all, t);
}

/* The new thread's id; 0: too many, -1: no memory. */
static int spawn(struct chain_threads *all, struct vm *vm, int function_ref)
{
	struct chain_thread *t = NULL;
	lua_State *L;

	if (all->n >= CHAIN_THREADS_MAX) {
		luaL_unref(vm_main(vm), LUA_REGISTRYINDEX, function_ref);
		return 0;
	}
	t = calloc(1, sizeof(*t));
	if (t != NULL)
		t->run = vm_run_new(vm);
	if (t == NULL || t->run == NULL) {
		luaL_unref(vm_main(vm), LUA_REGISTRYINDEX, function_ref);
		free(t);
		return -1;
	}
	vm_run_share_budget(t->run, all->payer);
	L = vm_run_state(t->run);
	lua_rawgeti(L, LUA_REGISTRYINDEX, function_ref);
	luaL_unref(L, LUA_REGISTRYINDEX, function_ref);
	t->is_fresh = true;
	t->id = ++all->last_id;
	all->n++;
	append(all, t);
	return t->id;
}

static int kill(struct chain_threads *all, int id)
{
	for (struct chain_thread *t = all->first; t != NULL; t = t->next)
		if (t->id == id && id != 0) {
			drop(all, t);
			return 1;
		}
	return 0;
}

void chain_thread_park(struct chain_threads *all, struct chain_thread *t,
		const struct pdk_pending *pending, struct vm *vm)
{
	struct pdk_pending *p = &t->pending;

	*p = *pending;
	t->is_woken = false;
	take_out(all, t); /* the others have their turn first */
	append(all, t);
	if (p->want == PDK_WANT_SPAWN)
		p->thread = spawn(all, vm, p->thread);
	else if (p->want == PDK_WANT_KILL)
		p->thread = kill(all, p->thread);
	if (p->want != PDK_WANT_NOTHING)
		p->is_done = at_once;
}

void chain_thread_end(struct chain_threads *all, struct chain_thread *t)
{
	take_out(all, t);
	give_back(all, t);
}

void chain_threads_wake(struct chain_threads *all)
{
	for (struct chain_thread *t = all->first; t != NULL; t = t->next)
		t->is_woken = true;
}

static bool is_ready(struct chain_thread *t, struct exchange *x, uint64_t now_ns)
{
	struct pdk_pending *p = &t->pending;

	if (p->is_done != NULL && p->is_done(x, p))
		return true;
	if (!t->is_woken)
		return false;
	if (p->deadline_ns == 0)
		return p->is_done == NULL;
	p->is_timed_out = now_ns >= p->deadline_ns || x->ops->is_timeless;
	return p->is_timed_out;
}

struct chain_thread *chain_thread_ready(struct chain_threads *all, struct exchange *x)
{
	uint64_t now_ns;

	if (all->first == NULL)
		return NULL;
	for (struct chain_thread *t = all->first; t != NULL; t = t->next)
		if (t->is_fresh)
			return t;
	now_ns = clock_mono_ns();
	for (struct chain_thread *t = all->first; t != NULL; t = t->next)
		if (is_ready(t, x, now_ns))
			return t;
	return NULL;
}

enum vm_status chain_thread_run(struct exchange *x, struct chain_thread *t, struct why *why)
{
	int n;

	if (t->is_fresh) {
		t->is_fresh = false;
		return vm_start(t->run, 0, why);
	}
	n = t->pending.finish(vm_run_state(t->run), x, &t->pending);
	t->pending.drop = NULL;
	vm_run_charge(t->run, WAIT_COST_NS);
	return vm_resume(t->run, n, why);
}

void chain_threads_set_timer(const struct chain_threads *all, struct exchange *x)
{
	uint64_t first_ns = UINT64_MAX, now_ns;

	for (const struct chain_thread *t = all->first; t != NULL; t = t->next)
		if (t->pending.deadline_ns != 0 && t->pending.deadline_ns < first_ns)
			first_ns = t->pending.deadline_ns;
	if (first_ns == UINT64_MAX)
		return;
	now_ns = clock_mono_ns();
	x->ops->sleep(x, first_ns <= now_ns ? 0
					    : (uint32_t)((first_ns - now_ns + NS_PER_MS - 1) /
							      NS_PER_MS));
}

void chain_threads_drop(struct chain_threads *all)
{
	while (all->first != NULL)
		drop(all, all->first);
}
