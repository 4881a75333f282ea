/* SPDX-License-Identifier: Apache-2.0
 *
 * More and fewer workers at run time.
 */
#include <errno.h>
#include <event2/event.h>
#include <signal.h>

#include "base/check.h"
#include "base/clock.h"
#include "master/listen.h"
#include "master/listen_share.h"
#include "master/steering.h"
#include "master/supervise_state.h"

static void set_count(struct supervise *v, uint32_t n)
{
	v->n_workers = n;
	v->n_ever = n > v->n_ever ? n : v->n_ever;
	steering_set_workers(steering_of(v), n);
}

/* ---- one more ---- */

/* Taken away not long ago, without steering: it has never ceased to accept. */
static void take_back(struct supervise *v, struct worker *w)
{
	struct seat *s = seat_now(w);

	w->held_until_ms = 0;
	seat_hold(s, false);
	listeners_keep(v->shared.conf.listeners, w->number, true);
	set_count(v, v->n_workers + 1);
	supervise_settle(v, w);
	if (seat_is_ready(s))
		v->events->ready(v->arg, seat_slot(s), seat_generation(s));
}

static int add_worker(struct supervise *v, struct why *why)
{
	struct worker *w = &v->workers[v->n_workers];
	int r = 0;

	w->is_added = true;
	if (w->held_until_ms != 0) {
		take_back(v, w);
		return 0;
	}
	if (seat_pid(seat_now(w)) != 0)
		w->current = !w->current;
	if (seat_pid(seat_now(w)) != 0) {
		why_set(why, NULL, 0, "two processes of worker %u still finish their requests",
				w->number);
		return -EBUSY;
	}
	if (listeners_workers(v->shared.conf.listeners) == w->number)
		r = listeners_add(v->shared.conf.listeners, why);
	if (r < 0)
		return r;
	steering_move(steering_of(v), w->number, seat_slot(seat_now(w)));
	set_count(v, v->n_workers + 1);
	supervise_settle(v, w);
	seat_start(seat_now(w));
	return 0;
}

/* ---- one less ---- */

/* The kernel knows a listener by its place among the others: only the last may be closed, and is
 * closed when no process has a copy. */
void supervise_drop_surplus(struct supervise *v)
{
	uint32_t last;

	while ((last = listeners_workers(v->shared.conf.listeners) - 1) >= v->n_workers) {
		struct worker *w = &v->workers[last];

		if (w->held_until_ms != 0 || seat_pid(w->seats[0]) != 0 ||
				seat_pid(w->seats[1]) != 0)
			return;
		listeners_drop(v->shared.conf.listeners);
		supervise_settle(v, w);
	}
}

void supervise_arm_holds(struct supervise *v)
{
	uint64_t now = clock_mono_ms(), first = UINT64_MAX;
	struct timeval tv;

	for (uint32_t i = v->n_workers; i < v->shared.conf.workers_max; i++) {
		uint64_t until = v->workers[i].held_until_ms;

		first = until != 0 && until < first ? until : first;
	}
	if (first == UINT64_MAX)
		return;
	first = first > now ? first - now : 0;
	tv = (struct timeval){.tv_sec = (time_t)(first / 1000),
			.tv_usec = (suseconds_t)(first % 1000) * 1000};
	event_add(v->holds, &tv);
}

static void leave(struct supervise *v, struct worker *w)
{
	for (unsigned i = 0; i < BOARD_SEATS; i++)
		supervise_leave(v, w->seats[i], v->shared.conf.conf->shutdown_timeout_ms);
}

void supervise_on_holds(evutil_socket_t fd, short what, void *arg)
{
	struct supervise *v = arg;

	(void)fd;
	(void)what;
	for (uint32_t i = v->n_workers; i < v->shared.conf.workers_max; i++) {
		struct worker *w = &v->workers[i];

		if (w->held_until_ms == 0 || w->held_until_ms > clock_mono_ms())
			continue;
		w->held_until_ms = 0;
		seat_hold(seat_now(w), false);
		leave(v, w);
	}
	supervise_drop_surplus(v);
	supervise_arm_holds(v);
}

/* Without steering nothing takes what comes to its queue elsewhere.  Nothing new is sent there, and
 * it accepts until every handshake that has begun is over. */
static void hold(struct supervise *v, struct worker *w)
{
	struct seat *other = seat_other(w);

	if (seat_pid(other) != 0 && !seat_is_draining(other))
		seat_end(other, SIGKILL);
	w->held_until_ms = clock_mono_ms() + listeners_handshake_ms();
	seat_hold(seat_now(w), true);
	listeners_keep(v->shared.conf.listeners, w->number, false);
	v->events->left(v->arg, seat_slot(seat_now(w)));
	supervise_settle(v, w);
	supervise_arm_holds(v);
}

/* The flag first: nothing new comes.  The worker accepts what waits and closes its copies, the
 * master its own: what came in between goes to the others. */
static void give_away(struct supervise *v, struct worker *w)
{
	for (unsigned i = 0; i < listeners_count(v->shared.conf.listeners); i++)
		steering_remove(steering_of(v), i, w->number);
	leave(v, w);
	listeners_drop(v->shared.conf.listeners);
}

static void remove_worker(struct supervise *v)
{
	struct worker *w = &v->workers[v->n_workers - 1];

	if (v->starting == w)
		supervise_end_overlap(v);
	w->wants_restart = false;
	set_count(v, v->n_workers - 1);
	supervise_end_drain(v, w);
	if (steering_is_bpf(steering_of(v)))
		give_away(v, w);
	else
		hold(v, w);
}

static int refuse(const struct supervise *v, uint32_t n, struct why *why)
{
	if (v->is_stopping) {
		why_set(why, NULL, 0, "the node is stopping");
		return -ESHUTDOWN;
	}
	if (n == 0 || n > v->shared.conf.workers_max) {
		why_set(why, NULL, 0,
				"%u workers: there may be 1 to %u here; for more raise workers_max "
				"and "
				"start sluiced again",
				n, v->shared.conf.workers_max);
		return -ERANGE;
	}
	return 0;
}

int supervise_scale(struct supervise *v, uint32_t n, struct why *why)
{
	uint32_t before = v->n_workers;
	int r = refuse(v, n, why);

	sl_check(v, SUPERVISE_MAGIC);
	if (r < 0)
		return r;
	while (r == 0 && v->n_workers < n)
		r = add_worker(v, why);
	while (r == 0 && v->n_workers > n)
		remove_worker(v);
	log_notice("workers scaled", "workers=%u before=%u asked=%u", v->n_workers, before, n);
	v->events->scaled(v->arg, v->n_workers);
	return r;
}
