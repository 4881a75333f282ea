/* SPDX-License-Identifier: Apache-2.0 */
#include "master/supervise_state.h"

void supervise_replacements(const struct supervise *v, struct supervise_replacements *ret)
{
	*ret = (struct supervise_replacements){.waiting = v->starting != NULL,
			.done = v->n_replaced,
			.failed = v->n_failed};
	for (uint32_t i = 0; i < v->n_workers; i++)
		ret->waiting += v->workers[i].wants_restart;
}

uint32_t supervise_count(const struct supervise *v)
{
	return v->n_workers;
}

uint32_t supervise_count_ever(const struct supervise *v)
{
	return v->n_ever;
}

uint32_t supervise_slots(const struct supervise *v)
{
	return v->shared.conf.workers_max * BOARD_SEATS;
}

uint32_t supervise_ready(const struct supervise *v)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < v->n_workers; i++) {
		const struct seat *s = seat_now(&v->workers[i]);

		n += seat_is_ready(s) && !seat_is_draining(s);
	}
	return n;
}

pid_t supervise_pid(const struct supervise *v, uint32_t worker)
{
	return seat_pid(seat_now(&v->workers[worker]));
}

uint32_t supervise_restarts(const struct supervise *v, uint32_t worker)
{
	const struct worker *w = &v->workers[worker];
	uint32_t starts = seat_starts(w->seats[0]) + seat_starts(w->seats[1]);

	return starts > 0 ? starts - 1 : 0;
}

const struct stat_area *supervise_stat(const struct supervise *v)
{
	return v->shared.stat;
}

static bool is_in_use(const struct worker *w)
{
	const struct seat *s = seat_now(w);

	return !w->drain.is_on && seat_is_ready(s) && !seat_is_draining(s) &&
	       seat_generation(s) != 0;
}

void supervise_serving(const struct supervise *v, struct supervise_serving *ret)
{
	*ret = (struct supervise_serving){.now = 0};
	for (uint32_t i = 0; i < v->n_workers; i++) {
		const struct worker *w = &v->workers[i];
		bool has_served = seat_has_served(w->seats[0]) || seat_has_served(w->seats[1]);

		ret->now += is_in_use(w);
		ret->unborn += !has_served && !w->is_added;
		ret->expected += has_served && !w->drain.is_on;
	}
}

static const char *state_of(const struct supervise *v, const struct seat *s)
{
	const struct board_slot *b = &v->shared.board->slots[seat_slot(s)];
	const struct worker *w = &v->workers[seat_worker(s)];

	if (seat_pid(s) == 0)
		return "down";
	if (seat_is_draining(s) || w->held_until_ms != 0)
		return "draining";
	if (!seat_is_ready(s))
		return "starting";
	if (!w->drain.is_on)
		return "ready";
	return atomic_load(&b->active) != 0 ? "draining" : "drained";
}

uint32_t supervise_slot(const struct supervise *v, uint32_t worker)
{
	return seat_slot(seat_now(&v->workers[worker]));
}

const char *supervise_state(const struct supervise *v, uint32_t worker)
{
	return state_of(v, seat_now(&v->workers[worker]));
}

/* The process that takes connections is always told, another while it runs. */
static bool is_told(const struct supervise *v, const struct worker *w, unsigned seat)
{
	bool is_worker = w->number < v->n_workers || w->held_until_ms != 0;

	return seat_pid(w->seats[seat]) != 0 || (seat == w->current && is_worker);
}

bool supervise_process_at(const struct supervise *v, uint32_t i, struct supervise_process *ret)
{
	for (uint32_t slot = 0; slot < supervise_slots(v); slot++) {
		const struct worker *w = &v->workers[slot / BOARD_SEATS];
		const struct seat *s = w->seats[slot % BOARD_SEATS];

		if (!is_told(v, w, slot % BOARD_SEATS) || i-- != 0)
			continue;
		*ret = (struct supervise_process){.worker = w->number,
				.slot = slot,
				.pid = seat_pid(s),
				.state = state_of(v, s),
				.restarts = supervise_restarts(v, w->number),
				.failure = seat_failure(s),
				.has_others_counters = !is_told(v, w, !(slot % BOARD_SEATS))};
		return true;
	}
	return false;
}
