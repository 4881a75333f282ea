/* SPDX-License-Identifier: Apache-2.0
 *
 * More and fewer workers at run time.
 */
#include <errno.h>

#include "base/check.h"
#include "master/listen.h"
#include "master/steering.h"
#include "master/supervise_state.h"

static void set_count(struct supervise *v, uint32_t n)
{
	v->n_workers = n;
	v->n_ever = n > v->n_ever ? n : v->n_ever;
	steering_set_workers(steering_of(v), n);
}

static int add_worker(struct supervise *v, struct why *why)
{
	struct worker *w = &v->workers[v->n_workers];
	int r;

	if (seat_pid(seat_now(w)) != 0)
		w->current = !w->current;
	if (seat_pid(seat_now(w)) != 0) {
		why_set(why, NULL, 0, "two processes of worker %u still finish their requests",
				w->number);
		return -EBUSY;
	}
	r = listeners_add(v->shared.conf.listeners, why);
	if (r < 0)
		return r;
	w->is_added = true;
	steering_move(steering_of(v), w->number, seat_slot(seat_now(w)));
	set_count(v, v->n_workers + 1);
	seat_start(seat_now(w));
	return 0;
}

/* The flag first: nothing new comes.  The worker accepts what waits and closes its copies, the
 * master its own: what came in between goes to the others. */
static void remove_worker(struct supervise *v)
{
	struct worker *w = &v->workers[v->n_workers - 1];

	if (v->starting == w)
		supervise_end_overlap(v);
	w->wants_restart = false;
	set_count(v, v->n_workers - 1);
	supervise_end_drain(v, w);
	for (unsigned i = 0; i < listeners_count(v->shared.conf.listeners); i++)
		steering_remove(steering_of(v), i, w->number);
	for (unsigned i = 0; i < BOARD_SEATS; i++)
		supervise_leave(v, w->seats[i], v->shared.conf.conf->shutdown_timeout_ms);
	listeners_drop(v->shared.conf.listeners);
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
	if (n < v->n_workers && !steering_can_migrate(steering_of(v))) {
		why_set(why, NULL, 0,
				"without eBPF and without net.ipv4.tcp_migrate_req the connections "
				"that "
				"wait for a worker would be lost: set workers and start sluiced "
				"again");
		return -ENOTSUP;
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
