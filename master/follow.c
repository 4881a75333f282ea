/* SPDX-License-Identifier: Apache-2.0 */
#include "master/follow.h"

#include <errno.h>
#include <event2/event.h>
#include <malloc.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "master/apply.h"
#include "master/hello.h"
#include "master/intake.h"
#include "master/outcome.h"
#include "master/review.h"
#include "master/verdicts.h"
#include "stream/client.h"

#define FOLLOW_MAGIC SL_MAGIC('F', 'L', 'L', 'W')
/* Until the Ack says how far the workers have come. */
#define ROLLOUT_MS 5000
/* Between two chunks of code. */
#define FETCH_MS 30000
/* Changes of what workers run, told at once. */
#define STATUS_DELAY_MS 50

struct follow {
	uint32_t magic;
	struct event_base *base;
	struct follow_conf conf;
	struct stream_client *client;
	struct review *review;
	struct rollout *rollout;

	struct snap_view *held; /* in force; NULL: none yet */
	bool wants_everything;  /* ask for a full Update */

	struct plan *plan;      /* under way */
	bool is_committed;      /* … waiting for the workers */
	bool is_from_stream;    /* … and its stream is still there to be told */
	struct event *patience; /* for chunks, then for workers */
	struct event *status;

	bool has_misfits; /* see plan.h */

	bool is_connected;
	uint64_t link_since_ms;
	struct why link_why;
};

static void arm(struct event *ev, uint32_t ms)
{
	struct timeval tv = {.tv_sec = ms / 1000, .tv_usec = (suseconds_t)(ms % 1000) * 1000};

	event_add(ev, &tv);
}

static uint64_t generation_of(const struct follow *f)
{
	return f->held != NULL ? snap_view_generation(f->held) : 0;
}

static void log_failure(const char *what, const struct why *why)
{
	char text[1200], quoted[1300];

	log_err(what, "error=%s",
			log_quote(quoted, sizeof(quoted),
					str_of(why_text(why, text, sizeof(text)))));
}

/* ---- the state held ---- */

static int refresh_view(struct follow *f, struct why *why)
{
	struct snap_view *v = NULL;
	int r = snapshot_writer_view(f->conf.writer, &v, why);

	if (r != 0 && r != SNAP_E_NONE_YET)
		return err_fold(r);
	snap_view_unref(f->held);
	f->held = v;
	return 0;
}

/* ---- talking to control ---- */

static void say_hello(void *arg)
{
	struct follow *f = arg;

	f->is_connected = true;
	f->link_since_ms = clock_mono_ms();
	if (hello_send(f->client, f->conf.node, f->wants_everything ? NULL : f->held) == 0)
		log_notice("control stream open", "peer=%s generation=%llu",
				stream_client_peer(f->client),
				(unsigned long long)generation_of(f));
	arm(f->status, STATUS_DELAY_MS);
}

static void send_status(evutil_socket_t fd, short what, void *arg)
{
	struct follow *f = arg;

	(void)fd;
	(void)what;
	/* while an Update is under way its Ack says more */
	if (f->is_connected && f->held != NULL && f->plan == NULL)
		verdicts_status(f->client, f->held, f->rollout, f->conf.breaker);
}

void follow_changed(struct follow *f)
{
	if (!event_pending(f->status, EV_TIMEOUT, NULL))
		arm(f->status, STATUS_DELAY_MS);
}

/* ---- the end of an Update ---- */

static void drop_plan(struct follow *f)
{
	review_cancel(f->review);
	event_del(f->patience);
	plan_free(f->plan);
	f->plan = NULL;
	f->is_committed = false;
}

static void refuse_update(struct follow *f, const Sluice__Stream__V1__Update *u,
		const char *refused_for, const struct why *why)
{
	log_failure("Update refused", why);
	verdicts_remember_refusal(f->conf.history, u, refused_for, why);
	verdicts_refuse(f->client, u, generation_of(f), refused_for, why);
}

static void refuse_plan(struct follow *f, const char *refused_for, const struct why *why)
{
	refuse_update(f, f->plan->update, refused_for, why);
	drop_plan(f);
}

/* What was rejected for lack of something may fit now: start over with a full Update. */
static bool wants_everything_again(struct follow *f)
{
	bool is_due = !f->plan->is_full && f->has_misfits && plan_may_heal(f->plan);

	f->has_misfits = plan_has_misfits(f->plan) || (f->has_misfits && !f->plan->is_full);
	return is_due;
}

static void finish_rollout(struct follow *f)
{
	bool is_again = wants_everything_again(f), is_large;
	int r;

	outcome_log(f->plan, f->rollout, f->conf.node->conf);
	verdicts_remember(f->conf.history, f->plan, f->rollout);
	r = f->is_from_stream ? verdicts_ack(f->client, f->plan, f->rollout) : 0;
	if (r < 0)
		log_warn("cannot acknowledge an Update", "error=\"%s\"", strerror(-r));
	is_large = f->plan->intake != NULL;
	drop_plan(f);
	if (is_large)
		malloc_trim(0);
	follow_changed(f);
	if (is_again) {
		f->wants_everything = true;
		stream_client_reset(f->client, "resources rejected before may fit now");
	}
}

static void finish_if_complete(struct follow *f)
{
	if (f->plan != NULL && f->is_committed &&
			rollout_is_complete(f->rollout, f->plan->update->generation))
		finish_rollout(f);
}

static void on_impatience(evutil_socket_t fd, short what, void *arg)
{
	struct follow *f = arg;

	(void)fd;
	(void)what;
	if (f->plan == NULL)
		return;
	if (f->is_committed) {
		finish_rollout(f);
	} else {
		drop_plan(f);
		stream_client_reset(f->client, "what was to come did not come");
	}
}

/* ---- an Update ---- */

static void commit(struct follow *f)
{
	struct why why = WHY_NONE;
	int r = apply_commit(f->plan, f->conf.writer, &why);

	if (r != 0) {
		refuse_plan(f, "store", &why);
		return;
	}
	f->wants_everything = false;
	f->is_committed = true;
	if (refresh_view(f, &why) < 0)
		log_failure("cannot read the generation just committed", &why);
	arm(f->patience, ROLLOUT_MS);
	f->conf.committed(f->conf.arg, f->plan->update->generation);
	finish_if_complete(f);
}

static void on_reviewed(void *arg, int r, const struct why *why)
{
	struct follow *f = arg;

	if (r != 0)
		refuse_plan(f, "store", why);
	else
		commit(f);
}

static void on_fetch(void *arg, const Sluice__Stream__V1__BlobRequest *request)
{
	struct follow *f = arg;
	Sluice__Stream__V1__NodeMessage m = SLUICE__STREAM__V1__NODE_MESSAGE__INIT;

	m.body_case = SLUICE__STREAM__V1__NODE_MESSAGE__BODY_BLOBS;
	m.blobs = (Sluice__Stream__V1__BlobRequest *)(uintptr_t)request;
	arm(f->patience, FETCH_MS);
	stream_client_send(f->client, &m);
}

static const struct review_events review_events = {.fetch = on_fetch, .done = on_reviewed};

static struct plan_base base_of(const struct follow *f)
{
	return (struct plan_base){.held = f->held,
			.source_bytes_max = (uint64_t)f->conf.node->conf->plugin_limits_source_kb *
					    1024};
}

static void review_plan(struct follow *f)
{
	struct why why = WHY_NONE;

	event_del(f->patience);
	if (review_start(f->review, f->plan, f->held) < 0) {
		why_errno(&why, ENOMEM, "Update");
		refuse_plan(f, "store", &why);
	}
}

static void on_part(struct follow *f, const Sluice__Stream__V1__Update *u)
{
	const char *refused_for = "store";
	struct why why = WHY_NONE;
	int r = intake_take(f->plan, u, &refused_for, &why);

	if (r != 0)
		refuse_plan(f, refused_for, &why);
	else if (f->plan->intake->is_complete)
		review_plan(f);
	else
		arm(f->patience, FETCH_MS);
}

static void on_first(struct follow *f, const Sluice__Stream__V1__Update *u)
{
	struct plan_base base = base_of(f);
	const char *refused_for = "store";
	struct why why = WHY_NONE;
	int r = u->has_more ? intake_start(&f->plan, u, &base, f->conf.writer, &refused_for, &why)
			    : plan_new(&f->plan, u, &base, &refused_for, &why);

	if (r != 0) {
		refuse_update(f, u, refused_for, &why);
		return;
	}
	f->is_from_stream = true;
	if (u->has_more)
		on_part(f, u);
	else
		review_plan(f);
}

static void on_update(struct follow *f, const Sluice__Stream__V1__Update *u)
{
	if (f->plan != NULL && f->is_committed)
		finish_rollout(f); /* of a stream that is gone */
	if (f->plan != NULL && intake_is_part_of(f->plan, u))
		on_part(f, u);
	else if (u->part != 0)
		log_debug("part of an Update that was refused", "part=%u", u->part);
	else if (f->plan != NULL)
		stream_client_reset(f->client, "an Update before the Ack of the one before");
	else
		on_first(f, u);
}

static void on_chunk(struct follow *f, const Sluice__Stream__V1__BlobChunk *chunk)
{
	struct why why = WHY_NONE;

	if (f->plan == NULL)
		return; /* of an Update that was dropped */
	arm(f->patience, FETCH_MS);
	if (review_chunk(f->review, chunk, &why) < 0) {
		drop_plan(f);
		stream_client_reset(f->client, why.text);
	} else if (f->plan != NULL && !f->is_committed && !review_is_fetching(f->review)) {
		event_del(f->patience); /* sluice-check has its own deadline */
	}
}

static void on_message(void *arg, const Sluice__Stream__V1__ControlMessage *m)
{
	struct follow *f = arg;

	sl_check(f, FOLLOW_MAGIC);
	if (m->body_case == SLUICE__STREAM__V1__CONTROL_MESSAGE__BODY_UPDATE)
		on_update(f, m->update);
	else if (m->body_case == SLUICE__STREAM__V1__CONTROL_MESSAGE__BODY_CHUNK)
		on_chunk(f, m->chunk);
}

static void on_closed(void *arg, const struct why *why, uint32_t retry_in_ms)
{
	struct follow *f = arg;
	char text[1200], quoted[1300];

	if (f->is_connected || f->link_since_ms == 0)
		f->link_since_ms = clock_mono_ms();
	log_at(f->is_connected ? LOG_WARN : LOG_INFO, "no control stream", "retry_ms=%u error=%s",
			retry_in_ms,
			log_quote(quoted, sizeof(quoted),
					str_of(why_text(why, text, sizeof(text)))));
	f->is_connected = false;
	f->link_why = *why;
	f->is_from_stream = false;
	/* a committed one is rolled out to its end */
	if (f->plan != NULL && !f->is_committed)
		drop_plan(f);
}

static uint64_t tell_generation(void *arg)
{
	return generation_of(arg);
}

static const struct stream_client_events client_events = {.opened = say_hello,
		.message = on_message,
		.closed = on_closed,
		.generation = tell_generation};

/* ---- life ---- */

int follow_new(struct follow **ret, struct event_base *base, const struct follow_conf *conf,
		struct why *why)
{
	sl_auto(follow) f = calloc(1, sizeof(*f));
	int r;

	if (f == NULL)
		return why_errno(why, ENOMEM, "control stream");
	f->magic = FOLLOW_MAGIC;
	f->base = base;
	f->conf = *conf;
	f->link_since_ms = clock_mono_ms();
	f->patience = evtimer_new(base, on_impatience, f);
	f->status = evtimer_new(base, send_status, f);
	r = rollout_new(&f->rollout, conf->n_slots, conf->n_workers);
	if (r == 0)
		r = review_new(&f->review, base, conf->node->conf, conf->check_program,
				conf->writer, &review_events, f);
	if (r < 0 || f->patience == NULL || f->status == NULL)
		return why_errno(why, ENOMEM, "control stream");
	r = refresh_view(f, why);
	if (r < 0)
		return r;
	f->wants_everything = f->held != NULL && plan_may_know_better(f->held);
	*ret = sl_steal(f);
	return 0;
}

void follow_free(struct follow *f)
{
	if (f == NULL)
		return;
	sl_check(f, FOLLOW_MAGIC);
	stream_client_free(f->client);
	review_free(f->review);
	plan_free(f->plan);
	rollout_free(f->rollout);
	snap_view_unref(f->held);
	if (f->patience != NULL)
		event_free(f->patience);
	if (f->status != NULL)
		event_free(f->status);
	f->magic = 0;
	free(f);
}

int follow_start(struct follow *f, struct why *why)
{
	const struct conf *c = f->conf.node->conf;
	struct stream_client_conf conf = {.max_message_bytes = c->cluster_max_payload};
	sl_auto_mem char *path = conf_path(c, "control.sock");
	char address[4200];

	if (path == NULL)
		return why_errno(why, ENOMEM, "control stream");
	if (strcmp(c->role, "data_plane") == 0) {
		conf.addresses = c->cluster_control_plane;
		conf.tls = (struct stream_tls){.cert = c->cluster_cert,
				.key = c->cluster_cert_key,
				.ca = c->cluster_ca_cert,
				.server_name = c->cluster_server_name};
	} else {
		snprintf(address, sizeof(address), "unix:%s", path);
		conf.addresses = address;
		/* sluice-control is our child: it is there in a moment */
		conf.backoff_min_ms = 50;
		conf.backoff_max_ms = 1000;
	}
	return stream_client_new(&f->client, f->base, &conf, &client_events, f, why);
}

bool follow_is_busy(const struct follow *f)
{
	return f->plan != NULL;
}

void follow_drop_update(struct follow *f)
{
	if (f->plan == NULL)
		return;
	drop_plan(f);
	stream_client_reset(f->client, "sluiced is replaced");
}

void follow_worker_at(struct follow *f, uint32_t slot, uint64_t generation)
{
	rollout_generation(f->rollout, slot, generation);
	finish_if_complete(f);
	follow_changed(f);
}

void follow_set_workers(struct follow *f, uint32_t n_workers)
{
	rollout_set_total(f->rollout, n_workers);
	follow_changed(f);
}

void follow_worker_gone(struct follow *f, uint32_t slot)
{
	rollout_gone(f->rollout, slot);
	snapshot_reader_check(f->conf.writer);
	finish_if_complete(f);
	follow_changed(f);
}

void follow_plugin_report(struct follow *f, uint32_t slot, const struct plugin_report *report)
{
	if (rollout_report(f->rollout, slot, report))
		follow_changed(f);
}

const struct snap_view *follow_view(const struct follow *f)
{
	return f->held;
}

const struct rollout *follow_rollout(const struct follow *f)
{
	return f->rollout;
}

void follow_get_link(const struct follow *f, struct follow_link *ret)
{
	ret->is_connected = f->is_connected;
	ret->peer = f->is_connected ? stream_client_peer(f->client) : "";
	ret->last_error = f->link_why.text;
	ret->since_ms = clock_mono_ms() - f->link_since_ms;
	ret->is_updating = f->plan != NULL;
	review_counts(f->review, &ret->checks_run, &ret->checks_remembered);
}
