/* SPDX-License-Identifier: Apache-2.0
 *
 * The node, or a worker of it, taken out of use and back again.  The board carries it: processes
 * read it there, also those that start later.
 */
#include <errno.h>
#include <event2/event.h>

#include "base/check.h"
#include "base/clock.h"
#include "master/handover.h"
#include "master/listen.h"
#include "master/steering.h"
#include "master/supervise_state.h"

static bool is_open(const struct supervise *v, const struct worker *w)
{
	const struct seat *s = seat_now(w);

	return !w->drain.is_on && w->number < v->n_workers && seat_is_ready(s) &&
	       !seat_is_draining(s);
}

/* The program sees on the board who is there and alive; the kernel must be told.  A worker that was
 * taken away is out for as long as it has listeners. */
static bool is_out(const struct supervise *v, const struct worker *w)
{
	if (steering_is_bpf(steering_of(v)))
		return w->drain.is_on;
	return w->number < listeners_workers(v->shared.conf.listeners) &&
	       (w->is_stale || !is_open(v, w));
}

void supervise_leave_out_stale(struct supervise *v)
{
	for (uint32_t i = 0; i < v->n_workers && !v->is_stopping; i++) {
		struct worker *w = &v->workers[i];
		bool is_stale = seat_silent_ms(seat_now(w)) > STEERING_STALE_MS - SUPERVISE_LOOK_MS;

		if (is_stale == w->is_stale)
			continue;
		w->is_stale = is_stale;
		supervise_settle(v, w);
	}
}

void supervise_settle(struct supervise *v, struct worker *w)
{
	bool is_closing;

	if (v->is_stopping)
		return; /* the listeners are gone */
	is_closing = v->drain.is_on || w->drain.is_on || w->held_until_ms != 0;

	for (unsigned i = 0; i < BOARD_SEATS; i++)
		steering_set_closing(steering_of(v), seat_slot(w->seats[i]), is_closing);
	steering_set_out(steering_of(v), w->number, is_out(v, w));
	if (is_open(v, w))
		steering_open(steering_of(v), seat_slot(seat_now(w)));
	else
		steering_close(steering_of(v), seat_slot(seat_now(w)));
}

static void settle_all(struct supervise *v)
{
	for (uint32_t i = 0; i < v->n_workers; i++)
		supervise_settle(v, &v->workers[i]);
}

/* ---- the deadline ---- */

static void on_deadline(evutil_socket_t fd, short what, void *arg)
{
	const struct drain *d = arg;
	uint64_t connections = 0, requests = 0;

	(void)fd;
	(void)what;
	for (uint32_t slot = d->first * BOARD_SEATS; slot < d->end * BOARD_SEATS; slot++) {
		const struct stat_worker *w = &d->of->shared.stat->workers[slot];

		connections += atomic_load(&w->connections_active);
		requests += atomic_load(&w->requests_active);
	}
	log_at(connections != 0 ? LOG_WARN : LOG_NOTICE, "drain: its time is over",
			"of=%s slot=%u connections_left=%llu requests_left=%llu",
			d == &d->of->drain ? "node" : "worker", d->first,
			(unsigned long long)connections, (unsigned long long)requests);
}

static int drain_init(struct drain *d, const struct supervise *v, uint32_t first, uint32_t end)
{
	*d = (struct drain){.of = v, .first = first, .end = end};
	d->deadline = evtimer_new(v->shared.base, on_deadline, d);
	return d->deadline == NULL ? -ENOMEM : 0;
}

int supervise_drains_new(struct supervise *v)
{
	uint32_t n = v->shared.conf.workers_max;
	int r = drain_init(&v->drain, v, 0, n);

	for (uint32_t i = 0; r == 0 && i < n; i++)
		r = drain_init(&v->workers[i].drain, v, i, i + 1);
	return r;
}

static void drain_done(struct drain *d)
{
	if (d->deadline != NULL)
		event_free(d->deadline);
	d->deadline = NULL;
}

void supervise_drains_free(struct supervise *v)
{
	drain_done(&v->drain);
	for (uint32_t i = 0; i < v->shared.conf.workers_max; i++)
		drain_done(&v->workers[i].drain);
}

/* ---- on and off ---- */

static void turn_on(struct drain *d, uint32_t timeout_ms)
{
	struct timeval tv = {.tv_sec = timeout_ms / 1000,
			.tv_usec = (suseconds_t)(timeout_ms % 1000) * 1000};

	d->is_on = true;
	d->since_ms = clock_mono_ms();
	d->timeout_ms = timeout_ms;
	event_add(d->deadline, &tv);
}

static void turn_off(struct drain *d)
{
	d->is_on = false;
	event_del(d->deadline);
}

void supervise_end_drain(struct supervise *v, struct worker *w)
{
	w->restart_ends_drain = false;
	if (!w->drain.is_on)
		return;
	turn_off(&w->drain);
	log_notice("worker takes connections again", "slot=%u", w->number);
	supervise_settle(v, w);
}

static bool is_last_in_use(const struct supervise *v, uint32_t worker)
{
	for (uint32_t i = 0; i < v->n_workers; i++) {
		if (i != worker && !v->workers[i].drain.is_on)
			return false;
	}
	return true;
}

int supervise_drain(struct supervise *v, uint32_t worker, uint32_t timeout_ms, struct why *why)
{
	int r = supervise_refuse(v, worker, why);

	sl_check(v, SUPERVISE_MAGIC);
	if (r < 0)
		return r;
	if (worker == SUPERVISE_ALL) {
		log_notice("node drains", "timeout_ms=%u", timeout_ms);
		turn_on(&v->drain, timeout_ms);
		settle_all(v);
		return 0;
	}
	if (is_last_in_use(v, worker)) {
		why_set(why, NULL, 0,
				"worker %u is the last that takes connections; to drain the whole "
				"node name none",
				worker);
		return -EBUSY;
	}
	log_notice("worker drains", "slot=%u timeout_ms=%u", worker, timeout_ms);
	v->workers[worker].restart_ends_drain = false; /* one asked for before this */
	turn_on(&v->workers[worker].drain, timeout_ms);
	supervise_settle(v, &v->workers[worker]);
	return 0;
}

int supervise_undrain(struct supervise *v, uint32_t worker, struct why *why)
{
	int r = supervise_refuse(v, worker, why);

	sl_check(v, SUPERVISE_MAGIC);
	if (r < 0)
		return r;
	if (worker != SUPERVISE_ALL) {
		supervise_end_drain(v, &v->workers[worker]);
		return 0;
	}
	if (v->drain.is_on)
		log_notice("node drains no longer", NULL);
	turn_off(&v->drain);
	settle_all(v);
	return 0;
}

void supervise_get_drain(const struct supervise *v, uint32_t worker, struct supervise_drain *ret)
{
	const struct drain *d = worker == SUPERVISE_ALL ? &v->drain : &v->workers[worker].drain;

	*ret = (struct supervise_drain){d->is_on, d->since_ms, d->timeout_ms};
}

/* ---- from image to image ---- */

void supervise_adopt_drain(struct supervise *v, const struct handover_drain *before)
{
	struct drain *d = &v->drain;
	uint64_t gone_ms = clock_mono_ms() - before->since_ms;

	if (before->worker != HANDOVER_NODE && before->worker >= v->n_workers)
		return;
	if (before->worker != HANDOVER_NODE)
		d = &v->workers[before->worker].drain;
	turn_on(d, before->timeout_ms > gone_ms ? before->timeout_ms - (uint32_t)gone_ms : 0);
	d->since_ms = before->since_ms;
	d->timeout_ms = before->timeout_ms;
}

static void hand_over(const struct drain *d, uint32_t worker, struct handover *h)
{
	if (d->is_on)
		h->drains[h->n_drains++] =
				(struct handover_drain){worker, d->since_ms, d->timeout_ms};
}

void supervise_hand_over_drains(const struct supervise *v, struct handover *h)
{
	h->n_drains = 0;
	hand_over(&v->drain, HANDOVER_NODE, h);
	for (uint32_t i = 0; i < v->n_workers; i++)
		hand_over(&v->workers[i].drain, i, h);
}
