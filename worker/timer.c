/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/timer.h"

#include <stddef.h>

void timer_wheel_init(struct timer_wheel *w, uint64_t now_ms)
{
	*w = (struct timer_wheel){.now_ms = now_ms, .tick = now_ms / TIMER_TICK_MS};
}

void timer_init(struct timer *t, void (*fn)(void *), void *arg)
{
	*t = (struct timer){.fn = fn, .arg = arg};
}

static void unlink_timer(struct timer *t)
{
	if (t->back == NULL)
		return;
	*t->back = t->next;
	if (t->next != NULL)
		t->next->back = t->back;
	t->back = NULL;
	t->next = NULL;
}

/* Into the slot behind its deadline; far deadlines wait in the last slot and move on. */
static void link_timer(struct timer_wheel *w, struct timer *t)
{
	uint64_t at = t->deadline_ms / TIMER_TICK_MS + 1;
	struct timer **slot;

	if (at <= w->tick)
		at = w->tick + 1;
	if (at > w->tick + TIMER_SLOTS - 1)
		at = w->tick + TIMER_SLOTS - 1;
	t->slot_ms = at * TIMER_TICK_MS;
	slot = &w->slots[at % TIMER_SLOTS];
	t->next = *slot;
	if (t->next != NULL)
		t->next->back = &t->next;
	t->back = slot;
	*slot = t;
}

void timer_set(struct timer_wheel *w, struct timer *t, uint64_t in_ms)
{
	t->deadline_ms = w->now_ms + in_ms;
	if (t->back != NULL && t->slot_ms <= t->deadline_ms + TIMER_TICK_MS)
		return;
	unlink_timer(t);
	link_timer(w, t);
}

void timer_clear(struct timer *t)
{
	unlink_timer(t);
}

static void run_slot(struct timer_wheel *w, struct timer **slot)
{
	struct timer *due = *slot;

	/* detached first: a callback may set or clear any timer */
	*slot = NULL;
	if (due != NULL)
		due->back = &due;
	while (due != NULL) {
		struct timer *t = due;

		unlink_timer(t);
		if (t->deadline_ms > w->now_ms)
			link_timer(w, t);
		else
			t->fn(t->arg);
	}
}

void timer_wheel_tick(struct timer_wheel *w, uint64_t now_ms)
{
	uint64_t until = now_ms / TIMER_TICK_MS;

	w->now_ms = now_ms;
	if (until - w->tick > TIMER_SLOTS) /* the process was stopped for long */
		w->tick = until - TIMER_SLOTS;
	while (w->tick < until) {
		w->tick++;
		run_slot(w, &w->slots[w->tick % TIMER_SLOTS]);
	}
}
