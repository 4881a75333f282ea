/* SPDX-License-Identifier: Apache-2.0 */
#include "master/master.h"

#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <string.h>
#include <systemd/sd-daemon.h>

#include "base/clock.h"
#include "base/log.h"
#include "master/handover.h"
#include "master/image.h"
#include "master/master_state.h"
#include "master/reload.h"

static void end_if_all_gone(struct master *m)
{
	if (m->are_workers_gone && m->is_control_gone)
		event_base_loopexit(m->base, NULL);
}

/* ---- what the parts report ---- */

/* There may be more than configured, because systemd had kept their listeners: what waited there
 * is accepted now. */
static void drop_surplus(struct master *m)
{
	uint32_t wanted = conf_workers(m->conf);
	struct why why = WHY_NONE;
	char text[1200];

	if (m->workers == NULL || m->is_taken_over || supervise_count(m->workers) <= wanted)
		return;
	if (supervise_scale(m->workers, wanted, &why) < 0)
		log_warn("more workers than configured go on", "error=\"%s\"",
				why_text(&why, text, sizeof(text)));
}

static void announce(struct master *m)
{
	if (m->is_announced)
		return;
	m->is_announced = true;
	drop_surplus(m);
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
	targets_tell(m->targets, m->workers, slot);
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

const struct supervise_events master_worker_events = {
		.ready = on_worker_ready,
		.generation_done = on_generation_done,
		.plugin_state = on_plugin_state,
		.plugin_counts = on_plugin_counts,
		.left = on_worker_left,
		.gone = on_worker_gone,
		.scaled = on_workers_scaled,
		.stopped = on_workers_stopped,
};

void master_on_control_stopped(void *arg)
{
	struct master *m = arg;

	m->is_control_gone = true;
	end_if_all_gone(m);
}

void master_on_breaker(void *arg)
{
	struct master *m = arg;

	follow_changed(m->follow);
}

void master_on_committed(void *arg, uint64_t generation)
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
	upgrade_stop(m->upgrade);
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

char *master_reload(void *arg, struct why *why)
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
	sl_auto_mem char *notes = master_reload(m, &why);
	char text[1200], quoted[1300];

	if (notes == NULL)
		log_err("reload refused: nothing changed", "error=%s",
				log_quote(quoted, sizeof(quoted),
						str_of(why_text(&why, text, sizeof(text)))));
	else
		log_notice("reloaded", "notes=%s",
				log_quote(quoted, sizeof(quoted), str_of(notes)));
}

static void on_upgrade(struct master *m)
{
	struct why why = WHY_NONE;
	int r = upgrade_start(m->upgrade, "", UPGRADE_TIMEOUT_MS, &why);

	/* other refusals are told by themselves */
	if (r == -EBUSY || r == -ESHUTDOWN)
		log_warn("no upgrade by SIGUSR2", "error=\"%s\"", why.text);
}

void master_on_signal(evutil_socket_t sig, short what, void *arg)
{
	struct master *m = arg;

	(void)what;
	sl_check(m, MASTER_MAGIC);
	if (sig == SIGHUP)
		on_hangup(m);
	else if (sig == SIGUSR2)
		on_upgrade(m);
	else if (!m->sources.is_stopping)
		stop(m, sig == SIGINT);
	else
		stop(m, true); /* asked again: now */
}

/* Before anything is freed: what was adopted must not end with us. */
static void go_back(const struct master *m, const struct why *reason)
{
	char text[1200], quoted[1300];
	struct why why = WHY_NONE;

	why_text(reason, text, sizeof(text));
	log_err("cannot take over: going back to the image before this one", "error=%s",
			log_quote(quoted, sizeof(quoted), str_of(text)));
	image_go_back(m->before, m->before->program, m->before->binary_fd, m->conf_file, text,
			&why);
	log_err("cannot go back", "error=%s",
			log_quote(quoted, sizeof(quoted),
					str_of(why_text(&why, text, sizeof(text)))));
}

int master_new(struct master **ret, const struct conf *conf, const char *conf_file,
		const struct handover *before, const char *failure, struct why *why)
{
	sl_auto(master) m = calloc(1, sizeof(*m));
	int r;

	if (m == NULL)
		return why_errno(why, ENOMEM, "sluiced");
	m->magic = MASTER_MAGIC;
	m->conf = conf;
	m->conf_file = conf_file;
	m->dict_fd = -1;
	m->before = before;
	r = master_make(m, failure, why);
	if (r == 0 && m->follow != NULL)
		r = follow_start(m->follow, why);
	if (r < 0 && before != NULL && failure == NULL)
		go_back(m, why);
	if (r < 0)
		return r;
	m->is_taken_over = before != NULL;
	m->before = NULL;
	*ret = sl_steal(m);
	return 0;
}

int master_run(struct master *m)
{
	sl_check(m, MASTER_MAGIC);
	if (m->workers != NULL)
		supervise_start(m->workers);
	if (m->control != NULL)
		control_child_start(m->control);
	if (m->workers == NULL)
		announce(m);
	upgrade_go_on(m->upgrade);
	return event_base_dispatch(m->base) < 0 ? -EIO : 0;
}

void master_free(struct master *m)
{
	if (m == NULL)
		return;
	sl_check(m, MASTER_MAGIC);
	upgrade_free(m->upgrade);
	status_free(m->status);
	control_child_free(m->control);
	supervise_free(m->workers);
	account_free(m->account);
	targets_free(m->targets);
	latency_free(m->latency);
	steering_free(m->steering);
	breakers_free(m->breakers);
	dict_free(m->dict);
	sl_close_fd(&m->dict_fd);
	follow_free(m->follow);
	snapshot_writer_free(m->writer);
	listeners_free(m->listeners);
	fdstore_free(m->kept);
	counts_free(m->counts);
	expiry_free(m->expiry);
	history_free(m->history);
	for (int i = 0; i < MASTER_SIGNALS; i++) {
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
