/* SPDX-License-Identifier: Apache-2.0 */
#include "master/upgrade.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "master/handover_check.h"
#include "master/image.h"
#include "master/upgrade_trial.h"

#define UPGRADE_MAGIC SL_MAGIC('U', 'P', 'G', 'R')
#define POLL_MS 20
/* An Update that takes longer is dropped: control sends it again. */
#define WAIT_MS 5000

enum state { IDLE, CHECKING, WAITING, REPLACING, DONE, REFUSED, FAILED };
static const char *const state_names[] = {
		"idle", "checking", "waiting", "replacing", "done", "refused", "failed"};

struct side {
	char program[4096], version[64], build[32];
};

struct upgrade {
	uint32_t magic;
	const struct conf *conf;
	const char *conf_file;
	struct event_base *base;
	const struct upgrade_events *events;
	void *arg;
	int conf_fd; /* conf, for the way back */

	enum state state;
	struct side from, to;
	struct why reason;
	uint64_t n_upgrades, wait_until_ms;
	bool is_stopping;
	bool is_holding_signals; /* WAITING, and exec is next */

	struct upgrade_trial *trial; /* of the binary; CHECKING */
	struct event *poll;
	/* REPLACING: */
	int old_binary_fd, old_conf_fd;
	uint64_t done_before, failed_before;
	bool has_control_replaced;
};

static void poll_soon(struct upgrade *u)
{
	const struct timeval tv = {.tv_usec = POLL_MS * 1000};

	event_add(u->poll, &tv);
}

static void fill_self(struct side *ret)
{
	const struct image *self = image_self();

	snprintf(ret->program, sizeof(ret->program), "%s", self->program);
	snprintf(ret->version, sizeof(ret->version), "%s", self->version);
	snprintf(ret->build, sizeof(ret->build), "%s", self->build);
}

static void copy_text(char *ret, size_t size, const char *text)
{
	snprintf(ret, size, "%s", text != NULL ? text : "");
}

static void fill_other(struct side *ret, const struct handover *h)
{
	copy_text(ret->program, sizeof(ret->program), h->program);
	copy_text(ret->version, sizeof(ret->version), h->version);
	copy_text(ret->build, sizeof(ret->build), h->build);
}

/* ---- the end ---- */

static void end(struct upgrade *u, enum state state, const struct why *why)
{
	char text[1200], quoted[1300];

	upgrade_trial_free(u->trial);
	u->trial = NULL;
	event_del(u->poll);
	if (u->is_holding_signals)
		image_take_signals();
	u->is_holding_signals = false;
	u->state = state;
	u->reason = why != NULL ? *why : WHY_NONE;
	if (state == DONE)
		log_notice("upgraded", "from=%s/%s to=%s/%s program=%s", u->from.version,
				u->from.build, u->to.version, u->to.build, u->to.program);
	else
		log_err(state == REFUSED ? "upgrade refused: nothing has changed"
					 : "upgrade failed: the old image goes on",
				"program=%s error=%s", u->to.program,
				log_quote(quoted, sizeof(quoted),
						str_of(why_text(&u->reason, text, sizeof(text)))));
}

/* ---- before exec ---- */

static int make_record(struct upgrade *u, struct handover **ret, struct why *why)
{
	const struct image *self = image_self();
	sl_auto(handover) h = NULL;

	if (handover_new(&h) < 0 || !handover_set_text(&h->version, self->version) ||
			!handover_set_text(&h->build, self->build) ||
			!handover_set_text(&h->program, self->program) ||
			!handover_set_text(&h->to_version, u->to.version) ||
			!handover_set_text(&h->to_build, u->to.build) ||
			!handover_set_text(&h->to_program, u->to.program) ||
			!handover_fill_same(h, u->conf) || !u->events->collect(u->arg, h))
		return why_errno(why, ENOMEM, "handover");
	h->binary_fd = self->binary_fd;
	h->conf_fd = u->conf_fd;
	h->upgrades = u->n_upgrades;
	*ret = sl_steal(h);
	return 0;
}

static void notify_reloading(void)
{
	sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%llu\nSTATUS=Replacing itself",
			(unsigned long long)clock_read_ns(CLOCK_MONOTONIC) / 1000);
}

static void leap(struct upgrade *u)
{
	sl_auto(handover) h = NULL;
	struct why why = WHY_NONE;
	int r;

	u->events->before_leap(u->arg);
	r = make_record(u, &h, &why);
	if (r == 0) {
		log_notice("becoming another image", "from=%s/%s to=%s/%s program=%s",
				u->from.version, u->from.build, u->to.version, u->to.build,
				u->to.program);
		notify_reloading();
		r = image_become(h, u->to.program, u->conf_file, NULL, &why);
		sd_notify(0, "READY=1\nSTATUS=Serving");
	}
	end(u, FAILED, &why);
}

static void on_trial_done(void *arg, const struct upgrade_answer *answer, const struct why *why)
{
	struct upgrade *u = arg;

	sl_check(u, UPGRADE_MAGIC);
	if (answer == NULL) {
		end(u, REFUSED, why);
		return;
	}
	upgrade_trial_free(u->trial);
	u->trial = NULL;
	snprintf(u->to.version, sizeof(u->to.version), "%s", answer->version);
	snprintf(u->to.build, sizeof(u->to.build), "%s", answer->build);
	u->state = WAITING;
	u->wait_until_ms = clock_mono_ms() + WAIT_MS;
	poll_soon(u);
}

static int look_at(const char *path, struct why *why)
{
	struct stat st;

	if (path[0] != '/') {
		why_set(why, NULL, 0, "%s is not an absolute path", path);
		return -EINVAL;
	}
	if (stat(path, &st) < 0)
		return why_errno(why, errno, "%s", path);
	if (!S_ISREG(st.st_mode)) {
		why_set(why, NULL, 0, "%s is not a file", path);
		return -EINVAL;
	}
	if (access(path, X_OK) < 0)
		return why_errno(why, errno, "%s cannot be executed", path);
	return 0;
}

static bool is_under_way(const struct upgrade *u)
{
	return u->state == CHECKING || u->state == WAITING || u->state == REPLACING;
}

static int refuse_now(const struct upgrade *u, struct why *why)
{
	if (u->is_stopping) {
		why_set(why, NULL, 0, "sluiced is stopping");
		return -ESHUTDOWN;
	}
	if (is_under_way(u)) {
		why_set(why, NULL, 0, "an upgrade to %s is under way (%s)", u->to.program,
				state_names[u->state]);
		return -EBUSY;
	}
	return 0;
}

int upgrade_start(struct upgrade *u, const char *binary, uint32_t timeout_ms, struct why *why)
{
	sl_auto(handover) h = NULL;
	struct why reason = WHY_NONE;
	int r = refuse_now(u, why);

	sl_check(u, UPGRADE_MAGIC);
	if (r < 0)
		return r;
	fill_self(&u->from);
	snprintf(u->to.program, sizeof(u->to.program), "%s",
			binary[0] != '\0' ? binary : u->from.program);
	u->to.version[0] = u->to.build[0] = '\0';
	r = look_at(u->to.program, &reason);
	if (r == 0)
		r = make_record(u, &h, &reason);
	if (r == 0)
		r = upgrade_trial_new(&u->trial, u->base, u->to.program, u->conf_file, h,
				timeout_ms, on_trial_done, u, &reason);
	if (r < 0) {
		if (why != NULL)
			*why = reason;
		end(u, REFUSED, &reason);
		return r;
	}
	log_notice("upgrade asked for: checking the binary", "program=%s", u->to.program);
	u->state = CHECKING;
	u->reason = WHY_NONE;
	return 0;
}

/* ---- after exec ---- */

static void go_back(struct upgrade *u)
{
	sl_auto(handover) h = NULL;
	struct why why = WHY_NONE;

	why_set(&u->reason, NULL, 0, "its first worker did not become ready; the log says why");
	u->events->before_leap(u->arg);
	if (make_record(u, &h, &why) < 0)
		return;
	h->conf_fd = u->old_conf_fd;
	log_err("going back to the image before this one", "program=%s", u->from.program);
	image_go_back(h, u->from.program, u->old_binary_fd, u->conf_file, u->reason.text, &why);
}

static void forget_old(struct upgrade *u)
{
	sl_close_fd(&u->old_binary_fd);
	sl_close_fd(&u->old_conf_fd);
	u->old_binary_fd = u->old_conf_fd = -1;
}

static void watch_replacing(struct upgrade *u)
{
	uint64_t done = 0, failed = 0;
	uint32_t waiting = 0;

	u->events->progress(u->arg, &waiting, &done, &failed);
	if (failed > u->failed_before && done == u->done_before && u->old_binary_fd >= 0) {
		go_back(u);
		forget_old(u); /* that failed: as if there were none */
	}
	if ((done > u->done_before || waiting == 0) && !u->has_control_replaced) {
		u->has_control_replaced = true;
		u->events->replace_control(u->arg);
	}
	if (waiting != 0) {
		poll_soon(u);
		return;
	}
	forget_old(u);
	if (failed > u->failed_before)
		why_set(&u->reason, NULL, 0,
				"%llu workers could not be replaced and are the old binary's: the "
				"log says why",
				(unsigned long long)(failed - u->failed_before));
	end(u, failed > u->failed_before ? FAILED : DONE,
			failed > u->failed_before ? &u->reason : NULL);
}

void upgrade_go_on(struct upgrade *u)
{
	uint32_t waiting = 0;

	sl_check(u, UPGRADE_MAGIC);
	if (u->state != REPLACING)
		return;
	u->events->progress(u->arg, &waiting, &u->done_before, &u->failed_before);
	u->events->replace_workers(u->arg);
	poll_soon(u);
}

/* A signal that libevent has caught and not yet told would end with this image: signals are held
 * first, and what was caught before comes to us until the next turn. */
static void wait_for_leap(struct upgrade *u)
{
	if (u->events->is_busy(u->arg) && clock_mono_ms() < u->wait_until_ms) {
		poll_soon(u);
	} else if (!u->is_holding_signals) {
		u->is_holding_signals = true;
		image_hold_signals();
		poll_soon(u);
	} else {
		leap(u);
	}
}

static void on_poll(evutil_socket_t fd, short what, void *arg)
{
	struct upgrade *u = arg;

	(void)fd;
	(void)what;
	if (u->state == REPLACING)
		watch_replacing(u);
	else if (u->state == WAITING)
		wait_for_leap(u);
}

/* ---- life ---- */

static void remember(struct upgrade *u, const struct handover *before, const char *failure)
{
	u->n_upgrades = before->upgrades;
	if (failure == NULL) {
		fill_other(&u->from, before);
		fill_self(&u->to);
		u->n_upgrades++;
		u->state = REPLACING;
		u->old_binary_fd = handover_take(before->binary_fd);
		u->old_conf_fd = handover_take(before->conf_fd);
		return;
	}
	fill_self(&u->from);
	copy_text(u->to.program, sizeof(u->to.program), before->to_program);
	copy_text(u->to.version, sizeof(u->to.version), before->to_version);
	copy_text(u->to.build, sizeof(u->to.build), before->to_build);
	why_set(&u->reason, NULL, 0, "%s", failure);
	end(u, FAILED, &u->reason);
}

int upgrade_new(struct upgrade **ret, struct event_base *base, const struct conf *conf,
		const char *conf_file, const struct handover *before, const char *failure,
		const struct upgrade_events *events, void *arg, struct why *why)
{
	sl_auto(upgrade) u = calloc(1, sizeof(*u));

	if (u == NULL)
		return why_errno(why, ENOMEM, "upgrade");
	u->magic = UPGRADE_MAGIC;
	u->conf = conf;
	u->conf_file = conf_file;
	u->base = base;
	u->events = events;
	u->arg = arg;
	u->old_binary_fd = u->old_conf_fd = -1;
	u->conf_fd = conf_to_fd(conf, why);
	if (u->conf_fd < 0)
		return u->conf_fd;
	u->poll = evtimer_new(base, on_poll, u);
	if (u->poll == NULL)
		return why_errno(why, ENOMEM, "upgrade");
	if (before != NULL)
		remember(u, before, failure);
	*ret = sl_steal(u);
	return 0;
}

void upgrade_stop(struct upgrade *u)
{
	sl_check(u, UPGRADE_MAGIC);
	u->is_stopping = true;
	if (u->state == CHECKING || u->state == WAITING)
		end(u, REFUSED, &(struct why){.text = "sluiced is stopping"});
	event_del(u->poll);
}

void upgrade_free(struct upgrade *u)
{
	if (u == NULL)
		return;
	sl_check(u, UPGRADE_MAGIC);
	upgrade_trial_free(u->trial);
	if (u->poll != NULL)
		event_free(u->poll);
	forget_old(u);
	sl_close_fd(&u->conf_fd);
	u->magic = 0;
	free(u);
}

uint64_t upgrade_count(const struct upgrade *u)
{
	sl_check(u, UPGRADE_MAGIC);
	return u->n_upgrades;
}

static json_t *side_json(const struct side *s)
{
	return json_pack("{s:s, s:s, s:s}", "version", s->version, "build", s->build, "program",
			s->program);
}

json_t *upgrade_json(const struct upgrade *u)
{
	char text[1200];

	sl_check(u, UPGRADE_MAGIC);
	return json_pack("{s:s, s:o, s:o, s:s, s:I}", "state", state_names[u->state], "from",
			side_json(&u->from), "to", side_json(&u->to), "reason",
			why_text(&u->reason, text, sizeof(text)), "upgrades",
			(json_int_t)u->n_upgrades);
}
