/* SPDX-License-Identifier: Apache-2.0 */
#include "master/master.h"

#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <string.h>
#include <systemd/sd-daemon.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "master/account.h"
#include "master/breakers.h"
#include "master/control_child.h"
#include "master/counts.h"
#include "master/expiry.h"
#include "master/follow.h"
#include "master/history.h"
#include "master/latency.h"
#include "master/listen.h"
#include "master/node.h"
#include "master/reload.h"
#include "master/status.h"
#include "master/steering.h"
#include "master/supervise.h"
#include "shm/dict.h"
#include "shm/programs.h"

#define MASTER_MAGIC SL_MAGIC('M', 'S', 'T', 'R')
#define READER_CHECK_S 10

enum { SIGNALS = 4 };
static const int handled_signals[SIGNALS] = {SIGTERM, SIGQUIT, SIGINT, SIGHUP};

struct master {
	uint32_t magic;
	const struct conf *conf;
	const char *conf_file;
	struct event_base *base;
	struct node *node;
	struct listeners *listeners;
	struct steering *steering;
	struct snapshot_writer *writer;
	struct dict *dict;
	int dict_fd;
	struct latency *latency;
	struct account *account;
	struct breakers *breakers;
	struct supervise *workers;
	struct follow *follow;
	struct history *history;
	struct counts *counts;
	struct expiry *expiry;
	struct control_child *control;
	struct status *status;
	struct status_sources sources;
	char *worker_program, *check_program;
	struct event *signals[SIGNALS];
	struct event *watchdog, *reader_check;
	bool is_announced; /* READY=1 was sent */
	bool are_workers_gone, is_control_gone;
};

static void end_if_all_gone(struct master *m)
{
	if (m->are_workers_gone && m->is_control_gone)
		event_base_loopexit(m->base, NULL);
}

/* ---- what the parts report ---- */

static void announce(struct master *m)
{
	if (m->is_announced)
		return;
	m->is_announced = true;
	sd_notify(0, "READY=1\nSTATUS=Serving");
	log_notice("sluiced is ready", "node_id=%s role=%s workers=%u", m->node->id, m->conf->role,
			m->workers != NULL ? supervise_count(m->workers) : 0);
}

static void on_worker_ready(void *arg, uint32_t slot, uint64_t generation)
{
	struct master *m = arg;

	follow_worker_at(m->follow, slot, generation);
	if (supervise_ready(m->workers) == supervise_count(m->workers))
		announce(m);
}

static void on_generation_done(void *arg, uint32_t slot, uint64_t generation)
{
	struct master *m = arg;

	follow_worker_at(m->follow, slot, generation);
}

static void on_plugin_state(void *arg, uint32_t slot, const struct plugin_report *r)
{
	struct master *m = arg;

	follow_plugin_report(m->follow, slot, r);
}

static void on_plugin_counts(void *arg, uint32_t slot, const struct plugin_counts *c)
{
	struct master *m = arg;

	counts_update(m->counts, slot, c);
}

static void on_worker_left(void *arg, uint32_t slot)
{
	follow_worker_gone(((struct master *)arg)->follow, slot);
}

static void on_worker_gone(void *arg, uint32_t slot)
{
	counts_gone(((struct master *)arg)->counts, slot);
	on_worker_left(arg, slot);
}

static void on_workers_scaled(void *arg, uint32_t n_workers)
{
	follow_set_workers(((struct master *)arg)->follow, n_workers);
}

static void on_workers_stopped(void *arg)
{
	struct master *m = arg;

	m->are_workers_gone = true;
	end_if_all_gone(m);
}

static const struct supervise_events worker_events = {
		.ready = on_worker_ready,
		.generation_done = on_generation_done,
		.plugin_state = on_plugin_state,
		.plugin_counts = on_plugin_counts,
		.left = on_worker_left,
		.gone = on_worker_gone,
		.scaled = on_workers_scaled,
		.stopped = on_workers_stopped,
};

static void on_control_stopped(void *arg)
{
	struct master *m = arg;

	m->is_control_gone = true;
	end_if_all_gone(m);
}

static void on_breaker(void *arg)
{
	struct master *m = arg;

	follow_changed(m->follow);
}

static void on_committed(void *arg, uint64_t generation)
{
	struct master *m = arg;

	latency_name_plugins(m->latency, follow_view(m->follow));
	supervise_publish(m->workers, generation);
}

/* ---- stop and reload ---- */

static void stop(struct master *m, bool is_fast)
{
	log_notice("stopping", "how=\"%s\"", is_fast ? "at once" : "after requests in flight");
	sd_notify(0, "STOPPING=1");
	m->sources.is_stopping = true;
	/* nobody accepts on our copies: a connection there would wait for nothing */
	if (m->steering != NULL)
		steering_drop_listeners(m->steering);
	listeners_free(m->listeners);
	m->listeners = NULL;
	m->is_control_gone = m->control == NULL || !control_child_stop(m->control, is_fast);
	if (m->workers != NULL)
		supervise_stop(m->workers, is_fast ? 0 : m->conf->shutdown_timeout_ms);
	else
		on_workers_stopped(m);
}

static char *reload(void *arg, struct why *why)
{
	struct master *m = arg;
	enum log_level level = log_level();
	struct buf notes = {.p = NULL};
	int r;

	sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%llu",
			(unsigned long long)clock_read_ns(CLOCK_MONOTONIC) / 1000);
	r = reload_compare(m->conf, m->conf_file, &level, &notes, why);
	if (r == 0) {
		log_set_level(level);
		if (m->workers != NULL)
			supervise_set_log_level(m->workers, level);
		if (m->control != NULL && !control_child_reload(m->control))
			buf_printf(&notes, "sluice-control does not run: nothing reloaded there\n");
		else if (m->control != NULL && m->conf->declarative_config[0] != '\0')
			buf_printf(&notes, "loading %s; if it is refused, the log says why\n",
					m->conf->declarative_config);
		if (notes.n == 0)
			buf_printf(&notes, "reloaded");
	}
	sd_notify(0, "READY=1");
	if (r < 0 || buf_z(&notes) == NULL) {
		buf_done(&notes);
		return NULL;
	}
	return notes.p;
}

static void on_hangup(struct master *m)
{
	struct why why = WHY_NONE;
	sl_auto_mem char *notes = reload(m, &why);
	char text[1200], quoted[1300];

	if (notes == NULL)
		log_err("reload refused: nothing changed", "error=%s",
				log_quote(quoted, sizeof(quoted),
						str_of(why_text(&why, text, sizeof(text)))));
	else
		log_notice("reloaded", "notes=%s",
				log_quote(quoted, sizeof(quoted), str_of(notes)));
}

static void on_signal(evutil_socket_t sig, short what, void *arg)
{
	struct master *m = arg;

	(void)what;
	sl_check(m, MASTER_MAGIC);
	if (sig == SIGHUP)
		on_hangup(m);
	else if (!m->sources.is_stopping)
		stop(m, sig == SIGINT);
	else
		stop(m, true); /* asked again: now */
}

static void on_watchdog(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	sd_notify(0, "WATCHDOG=1");
}

static void on_reader_check(evutil_socket_t fd, short what, void *arg)
{
	struct master *m = arg;

	(void)fd;
	(void)what;
	if (snapshot_reader_check(m->writer) == -ESTALE)
		log_err("snapshot/lock.mdb was deleted: new workers cannot read, restart sluiced",
				NULL);
}

/* ---- making the parts ---- */

static struct event *every(struct master *m, event_callback_fn fn, struct timeval tv)
{
	struct event *ev = event_new(m->base, -1, EV_PERSIST, fn, m);

	if (ev != NULL)
		event_add(ev, &tv);
	return ev;
}

static int watch_signals(struct master *m, struct why *why)
{
	uint64_t usec = 0;

	signal(SIGPIPE, SIG_IGN);
	for (int i = 0; i < SIGNALS; i++) {
		m->signals[i] = evsignal_new(m->base, handled_signals[i], on_signal, m);
		if (m->signals[i] == NULL || event_add(m->signals[i], NULL) < 0)
			return why_errno(why, ENOMEM, "signals");
	}
	if (sd_watchdog_enabled(0, &usec) > 0)
		m->watchdog = every(m, on_watchdog,
				(struct timeval){.tv_sec = (time_t)(usec / 2000000),
						.tv_usec = (suseconds_t)(usec / 2 % 1000000)});
	return 0;
}

static int open_snapshot(struct master *m, struct why *why)
{
	sl_auto_mem char *dir = conf_path(m->conf, "snapshot");
	struct why reason = WHY_NONE;
	char text[1200], quoted[1300];
	int r;

	if (dir == NULL)
		return why_errno(why, ENOMEM, "snapshot");
	r = snapshot_writer_open(&m->writer, dir, m->node->worker_gid, &reason);
	if (r == SNAP_E_CORRUPT)
		/* moved aside; control sends everything again */
		log_err("snapshot was corrupt: starting without one", "error=%s",
				log_quote(quoted, sizeof(quoted),
						str_of(why_text(&reason, text, sizeof(text)))));
	else if (r != 0 && why != NULL)
		*why = reason;
	return r == SNAP_E_CORRUPT ? 0 : err_fold(r);
}

static int find_programs(struct master *m, struct why *why)
{
	int r = program_find("sluice-worker", &m->worker_program, why);

	return r == 0 ? program_find("sluice-check", &m->check_program, why) : r;
}

static int make_data_plane(struct master *m, struct why *why)
{
	uint32_t n_workers = conf_workers(m->conf), max = conf_workers_max(m->conf);
	uint32_t n_slots = max * BOARD_SEATS;
	struct supervise_conf workers = {
			.conf = m->conf, .n_workers = n_workers, .workers_max = max};
	struct follow_conf follow = {.node = m->node,
			.n_workers = n_workers,
			.n_slots = n_slots,
			.history = m->history,
			.committed = on_committed,
			.arg = m};
	struct steering_report steering;
	const struct snap_view *v;
	int r = find_programs(m, why);

	if (r == 0)
		r = listeners_open(&m->listeners, m->conf->proxy_listen, n_workers, why);
	if (r == 0)
		r = steering_new(&m->steering, m->conf, m->node->id, n_workers, n_slots, why);
	if (r == 0)
		r = steering_take_listeners(m->steering, m->listeners, why);
	if (r == 0)
		r = open_snapshot(m, why);
	if (r < 0)
		return r;
	r = dict_create(&m->dict, &m->dict_fd, m->conf->plugin_dict_size,
			m->conf->plugin_dict_quota, why);
	if (r < 0)
		return r;
	steering_report(m->steering, &steering);
	r = latency_new(&m->latency, m->conf, n_slots, steering.pin_dir, why);
	if (r == 0)
		r = account_new(&m->account, m->conf, n_slots, why);
	if (r < 0)
		return r;
	r = breakers_new(&m->breakers, m->base, m->conf, on_breaker, m, why);
	if (r < 0)
		return r;
	workers.dict_fd = m->dict_fd;
	workers.traffic_fd = account_fd(m->account);
	workers.lat_fd = latency_rows_fd(m->latency);
	workers.lat_names_fd = latency_names_fd(m->latency);
	workers.breaker_fd = breakers_fd(m->breakers);
	follow.breaker = breakers_memory(m->breakers);
	workers.listeners = m->listeners;
	workers.steering = m->steering;
	workers.program = m->worker_program;
	follow.writer = m->writer;
	follow.check_program = m->check_program;
	r = supervise_new(&m->workers, m->base, &workers, &worker_events, m, why);
	if (r == 0)
		r = follow_new(&m->follow, m->base, &follow, why);
	if (r < 0)
		return r;
	v = follow_view(m->follow);
	latency_name_plugins(m->latency, v);
	if (v != NULL)
		supervise_publish(m->workers, snap_view_generation(v));
	m->reader_check = every(m, on_reader_check, (struct timeval){.tv_sec = READER_CHECK_S});
	return m->reader_check != NULL ? 0 : why_errno(why, ENOMEM, "sluiced");
}

static int make_status(struct master *m, struct why *why)
{
	m->sources = (struct status_sources){.node = m->node,
			.follow = m->follow,
			.workers = m->workers,
			.steering = m->steering,
			.writer = m->writer,
			.history = m->history,
			.counts = m->counts,
			.expiry = m->expiry,
			.dict = m->dict,
			.account = m->account,
			.latency = m->latency,
			.breaker = m->breakers != NULL ? breakers_memory(m->breakers) : NULL,
			.control = m->control != NULL ? control_child_process(m->control) : NULL,
			.reload = reload,
			.arg = m};
	return status_new(&m->status, m->base, &m->sources, why);
}

static int make_parts(struct master *m, struct why *why)
{
	bool is_data_plane = strcmp(m->conf->role, "control_plane") != 0;
	bool is_control_plane = strcmp(m->conf->role, "data_plane") != 0;
	int r = node_open(&m->node, m->conf, why);

	if (r < 0)
		return r;
	m->base = event_base_new();
	if (m->base == NULL || history_new(&m->history) < 0 || counts_new(&m->counts) < 0 ||
			expiry_new(&m->expiry, m->conf) < 0)
		return why_errno(why, ENOMEM, "sluiced");
	r = watch_signals(m, why);
	if (r == 0 && is_data_plane)
		r = make_data_plane(m, why);
	if (r == 0 && is_control_plane)
		r = control_child_new(&m->control, m->base, m->conf, on_control_stopped, m, why);
	return r == 0 ? make_status(m, why) : r;
}

int master_new(struct master **ret, const struct conf *conf, const char *conf_file, struct why *why)
{
	sl_auto(master) m = calloc(1, sizeof(*m));
	int r;

	if (m == NULL)
		return why_errno(why, ENOMEM, "sluiced");
	m->magic = MASTER_MAGIC;
	m->conf = conf;
	m->conf_file = conf_file;
	m->dict_fd = -1;
	r = make_parts(m, why);
	if (r < 0)
		return r;
	*ret = sl_steal(m);
	return 0;
}

int master_run(struct master *m)
{
	struct why why = WHY_NONE;
	char text[1200];

	sl_check(m, MASTER_MAGIC);
	if (m->workers != NULL)
		supervise_start(m->workers);
	if (m->control != NULL)
		control_child_start(m->control);
	if (m->follow != NULL && follow_start(m->follow, &why) < 0) {
		log_err("cannot follow control", "error=\"%s\"",
				why_text(&why, text, sizeof(text)));
		return -EINVAL;
	}
	if (m->workers == NULL)
		announce(m);
	return event_base_dispatch(m->base) < 0 ? -EIO : 0;
}

void master_free(struct master *m)
{
	if (m == NULL)
		return;
	sl_check(m, MASTER_MAGIC);
	status_free(m->status);
	control_child_free(m->control);
	supervise_free(m->workers);
	account_free(m->account);
	latency_free(m->latency);
	steering_free(m->steering);
	breakers_free(m->breakers);
	dict_free(m->dict);
	sl_close_fd(&m->dict_fd);
	follow_free(m->follow);
	snapshot_writer_free(m->writer);
	listeners_free(m->listeners);
	counts_free(m->counts);
	expiry_free(m->expiry);
	history_free(m->history);
	for (int i = 0; i < SIGNALS; i++) {
		if (m->signals[i] != NULL)
			event_free(m->signals[i]);
	}
	if (m->watchdog != NULL)
		event_free(m->watchdog);
	if (m->reader_check != NULL)
		event_free(m->reader_check);
	if (m->base != NULL)
		event_base_free(m->base);
	node_free(m->node);
	free(m->worker_program);
	free(m->check_program);
	m->magic = 0;
	free(m);
}
