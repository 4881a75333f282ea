/* SPDX-License-Identifier: Apache-2.0
 *
 * Coarse timeouts, for thousands of connections: a wheel of 50 ms slots.  Moving a
 * deadline further away is one store; the timer is put right when its old slot comes up.
 * Fires between its deadline and 50 ms later.  Single-threaded, one wheel per worker.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define TIMER_TICK_MS 50
#define TIMER_SLOTS 1024

struct timer {
	struct timer *next, **back; /* back != NULL: in the wheel */
	uint64_t deadline_ms, slot_ms;
	void (*fn)(void *arg);
	void *arg;
};

struct timer_wheel {
	struct timer *slots[TIMER_SLOTS];
	uint64_t now_ms; /* of the last tick or timer_now_set() */
	uint64_t tick;
};

void timer_wheel_init(struct timer_wheel *w, uint64_t now_ms);
void timer_init(struct timer *t, void (*fn)(void *), void *arg);
/* From now, replacing what was set. */
void timer_set(struct timer_wheel *w, struct timer *t, uint64_t in_ms);
void timer_clear(struct timer *t);
/* Runs what is due.  Call every TIMER_TICK_MS. */
void timer_wheel_tick(struct timer_wheel *w, uint64_t now_ms);
