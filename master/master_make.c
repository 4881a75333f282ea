/* SPDX-License-Identifier: Apache-2.0
 *
 * The parts of a node, made in their order; each takes over what another image of sluiced left.
 */
#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <string.h>
#include <systemd/sd-daemon.h>

#include "base/log.h"
#include "master/handover.h"
#include "master/handover_check.h"
#include "master/image.h"
#include "master/master_state.h"
#include "shm/programs.h"

#define READER_CHECK_S 10

static const int handled_signals[MASTER_SIGNALS] = {SIGTERM, SIGQUIT, SIGINT, SIGHUP, SIGUSR2};

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
	for (int i = 0; i < MASTER_SIGNALS; i++) {
		m->signals[i] = evsignal_new(m->base, handled_signals[i], master_on_signal, m);
		if (m->signals[i] == NULL || event_add(m->signals[i], NULL) < 0)
			return why_errno(why, ENOMEM, "signals");
	}
	image_take_signals();
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

/* Those that are there already, or else new ones. */
static int make_listeners(struct master *m, uint32_t max, struct why *why)
{
	const char *list = m->conf->proxy_listen;
	int r;

	if (m->before != NULL)
		return listeners_adopt(&m->listeners, list, m->before, why);
	r = listeners_restore(&m->listeners, list, m->n_workers, max, m->kept, why);
	if (r == 0)
		m->n_workers = listeners_workers(m->listeners);
	return r;
}

static int make_steering(struct master *m, uint32_t n_slots, struct why *why)
{
	char name[FDSTORE_NAME_MAX];
	int r;

	if (m->before != NULL)
		return steering_adopt(&m->steering, m->conf, m->before, why);
	r = steering_new(&m->steering, m->conf, m->node->id, m->n_workers, n_slots, why);
	if (r == 0)
		steering_inherit_socks(m->steering,
				fdstore_take(m->kept, FDSTORE_SOCKS, NULL, NULL, name));
	return r;
}

static int make_dict(struct master *m, struct why *why)
{
	if (m->before == NULL)
		return dict_create(&m->dict, &m->dict_fd, m->conf->plugin_dict_size,
				m->conf->plugin_dict_quota, why);
	m->dict_fd = handover_take(m->before->dict_fd);
	return dict_map(&m->dict, m->dict_fd, why);
}

/* What workers share beside the board. */
static int make_memory(struct master *m, uint32_t n_slots, struct why *why)
{
	struct steering_report steering;
	int r = make_dict(m, why);

	steering_report(m->steering, &steering);
	if (r == 0)
		r = m->before != NULL ? latency_adopt(&m->latency, m->conf, n_slots, m->before, why)
				      : latency_new(&m->latency, m->conf, n_slots, steering.pin_dir,
							why);
	if (r == 0)
		r = account_new(&m->account, m->conf, n_slots, m->before, why);
	if (r == 0)
		r = targets_new(&m->targets, n_slots, m->before, why);
	return r == 0 ? breakers_new(&m->breakers, m->base, m->conf, m->before, master_on_breaker,
					m, why)
		      : r;
}

static int make_workers(struct master *m, uint32_t max, struct why *why)
{
	struct supervise_conf workers = {.conf = m->conf,
			.n_workers = m->n_workers,
			.workers_max = max,
			.before = m->before,
			.dict_fd = m->dict_fd,
			.traffic_fd = account_fd(m->account),
			.lat_fd = latency_rows_fd(m->latency),
			.lat_names_fd = latency_names_fd(m->latency),
			.breaker_fd = breakers_fd(m->breakers),
			.health_fd = targets_fd(m->targets),
			.listeners = m->listeners,
			.steering = m->steering,
			.program = m->worker_program};
	struct follow_conf follow = {.node = m->node,
			.n_workers = m->n_workers,
			.n_slots = max * BOARD_SEATS,
			.history = m->history,
			.committed = master_on_committed,
			.arg = m,
			.breaker = breakers_memory(m->breakers),
			.writer = m->writer,
			.check_program = m->check_program};
	int r = supervise_new(&m->workers, m->base, &workers, &master_worker_events, m, why);

	return r == 0 ? follow_new(&m->follow, m->base, &follow, why) : r;
}

/* What was scaled by hand before an upgrade stays. */
static int count_workers(struct master *m, uint32_t max, struct why *why)
{
	m->n_workers = m->before != NULL ? (uint32_t)m->before->n_workers : conf_workers(m->conf);
	if (m->n_workers != 0 && m->n_workers <= max &&
			(m->before == NULL || (m->before->n_listening >= m->n_workers &&
							      m->before->n_listening <= max)))
		return 0;
	why_set(why, NULL, 0, "%u workers of at most %u", m->n_workers, max);
	return -EPROTO;
}

static int make_data_plane(struct master *m, struct why *why)
{
	uint32_t max = conf_workers_max(m->conf);
	const struct snap_view *v;
	int r = count_workers(m, max, why);

	if (r == 0)
		r = find_programs(m, why);
	if (r == 0)
		r = make_listeners(m, max, why);
	if (r == 0)
		r = make_steering(m, max * BOARD_SEATS, why);
	if (r == 0)
		r = steering_take_listeners(m->steering, m->listeners, why);
	if (r == 0)
		r = open_snapshot(m, why);
	if (r == 0)
		r = make_memory(m, max * BOARD_SEATS, why);
	if (r == 0)
		r = make_workers(m, max, why);
	if (r < 0)
		return r;
	v = follow_view(m->follow);
	latency_name_plugins(m->latency, v);
	if (v != NULL)
		supervise_publish(m->workers, snap_view_generation(v));
	m->reader_check = every(m, on_reader_check, (struct timeval){.tv_sec = READER_CHECK_S});
	return m->reader_check != NULL ? 0 : why_errno(why, ENOMEM, "sluiced");
}

static int make_control(struct master *m, struct why *why)
{
	int r = control_child_new(&m->control, m->base, m->conf, master_on_control_stopped, m, why);

	return r == 0 && m->before != NULL ? control_child_adopt(m->control, m->before, why) : r;
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
			.targets = m->targets,
			.breaker = m->breakers != NULL ? breakers_memory(m->breakers) : NULL,
			.control = m->control != NULL ? control_child_process(m->control) : NULL,
			.upgrade = m->upgrade,
			.reload = master_reload,
			.arg = m};
	return status_new(&m->status, m->base, &m->sources, m->before, why);
}

static int make_books(struct master *m, struct why *why)
{
	m->base = event_base_new();
	if (m->base == NULL || history_new(&m->history) < 0 || counts_new(&m->counts) < 0 ||
			expiry_new(&m->expiry, m->conf) < 0)
		return why_errno(why, ENOMEM, "sluiced");
	if (m->before != NULL && !counts_adopt(m->counts, m->before))
		log_warn("some counts of plugins were not taken over", NULL);
	return 0;
}

int master_make(struct master *m, const char *failure, struct why *why)
{
	bool is_data_plane = strcmp(m->conf->role, "control_plane") != 0;
	bool is_control_plane = strcmp(m->conf->role, "data_plane") != 0;
	int r = m->before != NULL ? handover_compare_same(m->before, m->conf, why) : 0;

	if (r == 0 && m->before == NULL && fdstore_inherit(&m->kept) < 0)
		r = why_errno(why, ENOMEM, "sluiced");
	if (r == 0)
		r = node_adopt(&m->node, m->conf, m->before, why);
	if (r == 0)
		r = make_books(m, why);
	if (r == 0)
		r = watch_signals(m, why);
	if (r == 0 && is_data_plane)
		r = make_data_plane(m, why);
	if (r == 0 && is_control_plane)
		r = make_control(m, why);
	if (r == 0)
		r = upgrade_new(&m->upgrade, m->base, m->conf, m->conf_file, m->before, failure,
				&master_upgrade_events, m, why);
	if (r == 0)
		r = make_status(m, why);
	if (r < 0)
		return r;
	/* what is left nobody needs any more */
	fdstore_discard(m->kept, "");
	return 0;
}
