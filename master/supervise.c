/* SPDX-License-Identifier: Apache-2.0 */
#include "master/supervise.h"

#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <string.h>

#include "base/check.h"
#include "master/listen.h"
#include "master/steering.h"
#include "master/supervise_state.h"

#define OVERLAP_MS 30000

static bool has_process(const struct worker *w)
{
	return seat_pid(w->seats[0]) != 0 || seat_pid(w->seats[1]) != 0;
}

/* One that drains has closed its copies. */
static bool is_listening(const struct worker *w)
{
	for (unsigned i = 0; i < BOARD_SEATS; i++) {
		if (seat_pid(w->seats[i]) != 0 && !seat_is_draining(w->seats[i]))
			return true;
	}
	return false;
}

/* ---- replacement: starting → taken over → the old one finishes ---- */

void supervise_end_overlap(struct supervise *v)
{
	v->starting = NULL;
	event_del(v->impatience);
}

/* What there is to do next: one replacement at a time. */
static void advance(struct supervise *v)
{
	uint32_t ms = v->shared.conf.overlap_ms != 0 ? v->shared.conf.overlap_ms : OVERLAP_MS;
	const struct timeval patience = {
			.tv_sec = ms / 1000, .tv_usec = (suseconds_t)(ms % 1000) * 1000};

	for (uint32_t i = 0; i < v->n_workers && v->starting == NULL && !v->is_stopping; i++) {
		struct worker *w = &v->workers[i];

		/* the other seat may still finish what it had the last time */
		if (!w->wants_restart || seat_pid(seat_other(w)) != 0)
			continue;
		w->wants_restart = false;
		if (seat_pid(seat_now(w)) == 0) {
			if (w->restart_ends_drain)
				supervise_end_drain(v, w);
			seat_start(seat_now(w)); /* now, not when its back-off is over */
			continue;
		}
		log_notice("worker is replaced", "slot=%u worker_pid=%d", i,
				(int)seat_pid(seat_now(w)));
		v->starting = w;
		event_add(v->impatience, &patience);
		seat_start(seat_other(w));
	}
}

void supervise_leave(struct supervise *v, struct seat *old, uint32_t drain_ms)
{
	seat_drain(old, drain_ms);
	v->events->left(v->arg, seat_slot(old));
}

static void take_over(struct supervise *v, struct worker *w)
{
	struct seat *old = seat_now(w), *now = seat_other(w);

	supervise_end_overlap(v);
	v->n_replaced++;
	w->current = !w->current;
	steering_close(steering_of(v), seat_slot(old));
	steering_move(steering_of(v), w->number, seat_slot(now));
	if (w->restart_ends_drain)
		supervise_end_drain(v, w);
	supervise_settle(v, w);
	log_notice("worker taken over: the old process finishes its requests",
			"slot=%u worker_pid=%d old_pid=%d", w->number, (int)seat_pid(now),
			(int)seat_pid(old));
	supervise_leave(v, old, v->shared.conf.conf->shutdown_timeout_ms);
}

static void give_up_overlap(struct supervise *v, const char *reason)
{
	struct worker *w = v->starting;

	log_err("a replacement did not become ready: the old process goes on",
			"slot=%u reason=\"%s\"", w->number, reason);
	supervise_end_overlap(v);
	w->restart_ends_drain = false;
	v->n_failed++;
	seat_end(seat_other(w), SIGKILL);
}

static void on_impatience(evutil_socket_t fd, short what, void *arg)
{
	struct supervise *v = arg;

	(void)fd;
	(void)what;
	if (v->starting != NULL)
		give_up_overlap(v, "it took too long");
	advance(v);
}

/* ---- what seats tell ---- */

static void on_ready(void *arg, struct seat *s, uint64_t generation)
{
	struct supervise *v = arg;
	struct worker *w = &v->workers[seat_worker(s)];

	if (s != seat_now(w) && w == v->starting)
		take_over(v, w);
	else if (s == seat_now(w))
		supervise_settle(v, w);
	else
		return;
	if (w->number >= v->n_workers)
		return;
	v->events->ready(v->arg, seat_slot(s), generation);
	advance(v);
}

static void on_worn_out(void *arg, struct seat *s, uint64_t discards)
{
	struct supervise *v = arg;
	struct worker *w = &v->workers[seat_worker(s)];

	if (v->is_stopping || s != seat_now(w))
		return;
	log_notice("worker is worn out by discarded plugin VMs", "slot=%u discards=%llu", w->number,
			(unsigned long long)discards);
	w->wants_restart = true;
	advance(v);
}

static void tell_if_all_stopped(struct supervise *v)
{
	for (uint32_t i = 0; i < v->shared.conf.workers_max; i++) {
		if (has_process(&v->workers[i]))
			return;
	}
	v->events->stopped(v->arg);
}

static void on_ended(void *arg, struct seat *s, bool is_last)
{
	struct supervise *v = arg;
	struct worker *w = &v->workers[seat_worker(s)];

	/* what waits at its listeners goes to the others, unless another process is there to take
	 * it: a copy that stays open would keep it from them */
	if (!is_last && !v->is_stopping && !is_listening(w))
		steering_relisten(steering_of(v), v->shared.conf.listeners, w->number);
	v->events->gone(v->arg, seat_slot(s));
	if (v->is_stopping) {
		tell_if_all_stopped(v);
		return;
	}
	supervise_settle(v, w);
	supervise_drop_surplus(v);
	if (w == v->starting && s == seat_other(w))
		give_up_overlap(v, "it ended");
	advance(v);
}

static const struct seat_events seat_events = {
		.ready = on_ready,
		.worn_out = on_worn_out,
		.ended = on_ended,
};

/* ---- heartbeat ---- */

static void check_heartbeat(struct supervise *v, struct seat *s)
{
	uint64_t silent_ms = seat_silent_ms(s);

	if (silent_ms < v->shared.conf.conf->worker_hang_ms)
		return;
	log_err("worker hangs: replaced", "slot=%u worker_pid=%d silent_ms=%llu", seat_worker(s),
			(int)seat_pid(s), (unsigned long long)silent_ms);
	seat_kill(s, SIGABRT);
}

static void check_heartbeats(evutil_socket_t fd, short what, void *arg)
{
	struct supervise *v = arg;

	(void)fd;
	(void)what;
	for (uint32_t i = 0; i < supervise_slots(v); i++)
		check_heartbeat(v, v->workers[i / BOARD_SEATS].seats[i % BOARD_SEATS]);
	if (!steering_is_bpf(steering_of(v)))
		supervise_leave_out_stale(v);
}

static int watch_heartbeats(struct supervise *v)
{
	uint32_t every_ms = v->shared.conf.conf->worker_hang_ms / 8 + 1;
	bool is_bpf = steering_is_bpf(steering_of(v));
	struct timeval tv;

	if (every_ms > 1000)
		every_ms = 1000;
	if (!is_bpf && every_ms > SUPERVISE_LOOK_MS)
		every_ms = SUPERVISE_LOOK_MS;
	tv = (struct timeval){.tv_sec = every_ms / 1000,
			.tv_usec = (suseconds_t)(every_ms % 1000) * 1000};
	v->heartbeats = event_new(v->shared.base, -1, EV_PERSIST, check_heartbeats, v);
	v->impatience = evtimer_new(v->shared.base, on_impatience, v);
	v->holds = evtimer_new(v->shared.base, supervise_on_holds, v);
	return v->heartbeats == NULL || v->impatience == NULL || v->holds == NULL ||
					       event_add(v->heartbeats, &tv) < 0
			       ? -ENOMEM
			       : 0;
}

/* ---- life ---- */

static int make_seats(struct supervise *v, struct why *why)
{
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < supervise_slots(v); i++) {
		struct worker *w = &v->workers[i / BOARD_SEATS];

		w->number = i / BOARD_SEATS;
		r = seat_new(&w->seats[i % BOARD_SEATS], &v->shared, i, why);
	}
	return r;
}

int supervise_new(struct supervise **ret, struct event_base *base,
		const struct supervise_conf *conf, const struct supervise_events *events, void *arg,
		struct why *why)
{
	sl_auto(supervise) v = calloc(1, sizeof(*v));
	int r;

	if (v == NULL)
		return why_errno(why, ENOMEM, "workers");
	sl_assert(conf->n_workers <= conf->workers_max && conf->workers_max <= CONF_WORKERS_MAX);
	v->magic = SUPERVISE_MAGIC;
	v->events = events;
	v->arg = arg;
	v->n_workers = v->n_ever = conf->n_workers;
	v->shared = (struct seat_shared){.base = base,
			.conf = *conf,
			.board = steering_board(conf->steering),
			.stat_fd = -1,
			.conf_fd = -1,
			.events = &seat_events,
			.arg = v,
			.heard = events,
			.heard_arg = arg};
	v->shared.conf_fd = conf_to_fd(conf->conf, why);
	if (v->shared.conf_fd < 0)
		return v->shared.conf_fd;
	r = make_seats(v, why);
	if (r == 0 && (watch_heartbeats(v) < 0 || supervise_drains_new(v) < 0))
		r = why_errno(why, ENOMEM, "workers");
	if (r == 0)
		r = conf->before != NULL ? supervise_adopt(v, conf->before, why)
					 : stat_create(&v->shared.stat, &v->shared.stat_fd,
							   supervise_slots(v), why);
	if (r < 0)
		return r;
	v->shared.conf.before = NULL;
	*ret = sl_steal(v);
	return 0;
}

void supervise_free(struct supervise *v)
{
	if (v == NULL)
		return;
	sl_check(v, SUPERVISE_MAGIC);
	for (uint32_t i = 0; i < supervise_slots(v); i++)
		seat_free(v->workers[i / BOARD_SEATS].seats[i % BOARD_SEATS]);
	supervise_drains_free(v);
	if (v->heartbeats != NULL)
		event_free(v->heartbeats);
	if (v->impatience != NULL)
		event_free(v->impatience);
	if (v->holds != NULL)
		event_free(v->holds);
	if (v->shared.stat != NULL)
		stat_unmap(v->shared.stat);
	sl_close_fd(&v->shared.stat_fd);
	sl_close_fd(&v->shared.conf_fd);
	v->magic = 0;
	free(v);
}

void supervise_start(struct supervise *v)
{
	sl_check(v, SUPERVISE_MAGIC);
	for (uint32_t i = 0; i < v->n_workers; i++) {
		struct seat *s = seat_now(&v->workers[i]);

		if (seat_is_ready(s))
			v->events->ready(v->arg, seat_slot(s),
					atomic_load(&v->shared.board->slots[seat_slot(s)]
									.generation));
		else if (seat_pid(s) == 0)
			seat_start(s);
	}
}

void supervise_stop(struct supervise *v, uint32_t drain_ms)
{
	sl_check(v, SUPERVISE_MAGIC);
	v->is_stopping = true;
	supervise_end_overlap(v);
	event_del(v->holds);
	for (uint32_t i = 0; i < supervise_slots(v); i++) {
		struct seat *s = v->workers[i / BOARD_SEATS].seats[i % BOARD_SEATS];

		if (drain_ms != 0)
			seat_drain(s, drain_ms);
		else
			seat_end(s, SIGKILL);
	}
	tell_if_all_stopped(v);
}

void supervise_publish(struct supervise *v, uint64_t generation)
{
	struct ipc_out out;

	sl_check(v, SUPERVISE_MAGIC);
	atomic_store(&v->shared.board->live_generation, generation);
	ipc_begin(&out, IPC_GENERATION);
	ipc_put_u64(&out, generation);
	for (uint32_t i = 0; i < supervise_slots(v); i++) {
		struct seat *s = v->workers[i / BOARD_SEATS].seats[i % BOARD_SEATS];

		seat_tell(s, &out);
		seat_wake(s);
	}
}

void supervise_set_log_level(struct supervise *v, enum log_level level)
{
	struct ipc_out out;

	ipc_begin(&out, IPC_LOG_LEVEL);
	ipc_put_u32(&out, level);
	supervise_tell(v, SUPERVISE_ALL, &out);
}

void supervise_tell(struct supervise *v, uint32_t slot, const struct ipc_out *out)
{
	for (uint32_t i = 0; i < supervise_slots(v); i++)
		if (slot == SUPERVISE_ALL || slot == i)
			seat_tell(v->workers[i / BOARD_SEATS].seats[i % BOARD_SEATS], out);
}

int supervise_refuse(const struct supervise *v, uint32_t worker, struct why *why)
{
	if (v->is_stopping) {
		why_set(why, NULL, 0, "the node is stopping");
		return -ESHUTDOWN;
	}
	if (worker != SUPERVISE_ALL && worker >= v->n_workers) {
		why_set(why, NULL, 0, "there is no worker %u; there are 0 to %u", worker,
				v->n_workers - 1);
		return -ENOENT;
	}
	return 0;
}

int supervise_restart(struct supervise *v, uint32_t worker, struct why *why)
{
	int r;

	sl_check(v, SUPERVISE_MAGIC);
	r = supervise_refuse(v, worker, why);
	if (r < 0)
		return r;
	for (uint32_t i = 0; i < v->n_workers; i++) {
		if (worker != SUPERVISE_ALL && worker != i)
			continue;
		v->workers[i].wants_restart = true;
		v->workers[i].restart_ends_drain = worker == i;
	}
	advance(v);
	return 0;
}
