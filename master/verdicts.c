/* SPDX-License-Identifier: Apache-2.0 */
#include "master/verdicts.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "master/intake.h"

#define VERDICTS_AT_ONCE 4096 /* 1 KiB each at most */

typedef Sluice__Stream__V1__ResourceVerdict Verdict;

#define STATE(name) SLUICE__STREAM__V1__RESOURCE_VERDICT__STATE__##name

/* protobuf-c's structs are not const; nothing is written through these. */
static char *lend(const char *s)
{
	return (char *)(uintptr_t)s;
}

static void set_why(Verdict *v, const char *code, const struct why *why)
{
	v->state = STATE(REJECTED);
	v->error_code = lend(code);
	if (why == NULL)
		return;
	v->error_file = lend(why->file);
	v->error_line = why->line > 0 ? (uint32_t)why->line : 0;
	v->error_text = lend(why->text);
}

static void fill_accepted(Verdict *v, const struct plan_item *item, uint64_t generation,
		const struct rollout *r)
{
	const struct why *why = NULL;
	uint64_t in_force = item->in_force;

	if (item->plugin != NULL)
		why = rollout_refusal(r, str_of(item->id), item->version, &in_force);
	v->state = STATE(ACTIVE);
	if (why != NULL)
		set_why(v, "syntax", why);
	v->version_in_force = in_force;
	v->workers_active = rollout_active(r, generation,
			item->plugin != NULL ? str_of(item->id) : STR_NONE, item->version);
	v->workers_total = rollout_total(r);
}

static void fill(Verdict *v, const struct plan_item *item, uint64_t generation,
		const struct rollout *r)
{
	sluice__stream__v1__resource_verdict__init(v);
	v->kind = item->kind;
	v->id = lend(item->id);
	v->version = item->version;
	if (item->state == PLAN_REMOVED) {
		v->state = STATE(REMOVED);
	} else if (item->state == PLAN_REJECTED) {
		set_why(v, item->code, item->why);
		v->version_in_force = item->in_force;
	} else {
		fill_accepted(v, item, generation, r);
	}
}

struct verdict_list {
	Verdict *all;
	Verdict **pointers;
	size_t n, cap;
};

static void list_done(struct verdict_list *l)
{
	free(l->all);
	free(l->pointers);
}

static int list_alloc(struct verdict_list *l, size_t n)
{
	l->all = calloc(n + 1, sizeof(*l->all));
	l->pointers = calloc(n + 1, sizeof(Verdict *));
	l->cap = n;
	if (l->all == NULL || l->pointers == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		l->pointers[i] = &l->all[i];
	return 0;
}

static int send_ack(struct stream_client *client, Sluice__Stream__V1__Ack *ack)
{
	Sluice__Stream__V1__NodeMessage m = SLUICE__STREAM__V1__NODE_MESSAGE__INIT;

	m.body_case = SLUICE__STREAM__V1__NODE_MESSAGE__BODY_ACK;
	m.ack = ack;
	return stream_client_send(client, &m);
}

/* In messages that fit; only the last is final. */
static int send_all(
		struct stream_client *client, Sluice__Stream__V1__Ack *ack, struct verdict_list *l)
{
	size_t sent = 0;
	int err;

	do {
		size_t left = l->n - sent;

		ack->n_verdicts = left < VERDICTS_AT_ONCE ? left : VERDICTS_AT_ONCE;
		ack->verdicts = l->pointers + sent;
		sent += ack->n_verdicts;
		ack->final = sent == l->n;
		err = send_ack(client, ack);
	} while (err == 0 && !ack->final);
	return err;
}

static bool is_worth_telling(const struct plan_item *item)
{
	return item->state == PLAN_REJECTED || item->plugin != NULL;
}

int verdicts_ack(struct stream_client *client, const struct plan *p, const struct rollout *r)
{
	Sluice__Stream__V1__Ack ack;
	__attribute__((cleanup(list_done))) struct verdict_list l = {.n = 0};
	int err = list_alloc(&l, p->n);

	if (err < 0)
		return err;
	sluice__stream__v1__ack__init(&ack);
	for (size_t i = 0; i < p->n; i++) {
		if (p->intake == NULL || is_worth_telling(&p->items[i]))
			fill(&l.all[l.n++], &p->items[i], p->update->generation, r);
	}
	ack.nonce = p->update->nonce;
	ack.generation = p->update->generation;
	ack.is_rest_active = p->intake != NULL;
	if (ack.is_rest_active) {
		ack.workers_active = rollout_active(r, ack.generation, STR_NONE, 0);
		ack.workers_total = rollout_total(r);
	}
	return send_all(client, &ack, &l);
}

int verdicts_refuse(struct stream_client *client, const Sluice__Stream__V1__Update *update,
		uint64_t generation, const char *refused_for, const struct why *why)
{
	Sluice__Stream__V1__Ack ack;

	sluice__stream__v1__ack__init(&ack);
	ack.nonce = update->nonce;
	ack.generation = generation;
	ack.refused_for = lend(refused_for);
	ack.error_text = lend(why->text);
	ack.final = true;
	return send_ack(client, &ack);
}

/* ---- NodeStatus ---- */

struct status_walk {
	const struct snap_view *held;
	const struct rollout *r;
	const struct breaker *breaker;
	struct verdict_list list;
	struct why *whys; /* one per verdict */
	char (*ids)[PLAN_ID_MAX + 1];
	char (*codes)[16];
};

static void copy_refusal(struct status_walk *w, Verdict *v, const struct snap_refusal *refusal)
{
	size_t i = w->list.n;

	snprintf(w->codes[i], sizeof(w->codes[i]), "%.*s", STR_ARG(str_head(refusal->code, 15)));
	why_set(&w->whys[i], NULL, (int)refusal->line, "%.*s", STR_ARG(refusal->text));
	snprintf(w->whys[i].file, sizeof(w->whys[i].file), "%.*s",
			STR_ARG(str_head(refusal->file, 63)));
	v->version_in_force = v->version;
	v->version = refusal->version;
	set_why(v, w->codes[i], &w->whys[i]);
}

static bool add_plugin(void *arg, struct str id, uint64_t version, struct str record)
{
	struct status_walk *w = arg;
	Verdict *v = &w->list.all[w->list.n];
	struct snap_refusal refusal;
	struct breaker_show breaker;
	const struct why *why;

	(void)record;
	if (w->list.n == w->list.cap || id.n > PLAN_ID_MAX)
		return w->list.n < w->list.cap;
	sluice__stream__v1__resource_verdict__init(v);
	memcpy(w->ids[w->list.n], id.p, id.n);
	v->id = w->ids[w->list.n];
	v->kind = SLUICE__RECORD__KIND__PLUGIN_CODE;
	v->version = version;
	v->version_in_force = version;
	v->state = STATE(ACTIVE);
	v->workers_total = rollout_total(w->r);
	v->workers_active = rollout_active(w->r, snap_view_generation(w->held), id, version);
	breaker_show(w->breaker, id, clock_mono_ms(), &breaker);
	v->breaker = lend(breaker_state_name(breaker.state));
	why = rollout_refusal(w->r, id, version, &v->version_in_force);
	if (why != NULL)
		set_why(v, "syntax", why);
	else if (snap_refusal(w->held, v->kind, id, &refusal))
		copy_refusal(w, v, &refusal);
	w->list.n++;
	return true;
}

static void walk_done(struct status_walk *w)
{
	list_done(&w->list);
	free(w->whys);
	free(w->ids);
	free(w->codes);
}

static int walk_alloc(struct status_walk *w, size_t n)
{
	w->whys = calloc(n + 1, sizeof(*w->whys));
	w->ids = calloc(n + 1, sizeof(*w->ids));
	w->codes = calloc(n + 1, sizeof(*w->codes));
	if (w->whys == NULL || w->ids == NULL || w->codes == NULL)
		return -ENOMEM;
	return list_alloc(&w->list, n);
}

int verdicts_status(struct stream_client *client, const struct snap_view *held,
		const struct rollout *r, const struct breaker *breaker)
{
	Sluice__Stream__V1__NodeMessage m = SLUICE__STREAM__V1__NODE_MESSAGE__INIT;
	Sluice__Stream__V1__NodeStatus status = SLUICE__STREAM__V1__NODE_STATUS__INIT;
	__attribute__((cleanup(walk_done))) struct status_walk w = {
			.held = held, .r = r, .breaker = breaker};
	int err = walk_alloc(&w, snap_count(held, SLUICE__RECORD__KIND__PLUGIN_CODE));

	if (err < 0)
		return err;
	snap_each(held, SLUICE__RECORD__KIND__PLUGIN_CODE, add_plugin, &w);
	status.generation = snap_view_generation(held);
	status.workers_total = rollout_total(r);
	status.n_plugins = w.list.n;
	status.plugins = w.list.pointers;
	m.body_case = SLUICE__STREAM__V1__NODE_MESSAGE__BODY_STATUS;
	m.status = &status;
	return stream_client_send(client, &m);
}

/* ---- history ---- */

static void remember_rejection(struct history_entry *e, const struct plan_item *item)
{
	struct history_rejection *x;

	e->n_rejected++;
	if (e->n_rejections == HISTORY_REJECTIONS)
		return;
	x = &e->rejections[e->n_rejections++];
	x->kind = item->kind;
	x->version = item->version;
	x->version_in_force = item->in_force;
	snprintf(x->id, sizeof(x->id), "%.39s", item->id);
	snprintf(x->code, sizeof(x->code), "%.15s", item->code);
	if (item->plugin != NULL)
		snprintf(x->name, sizeof(x->name), "%.63s", item->plugin->name);
	else if (item->instance != NULL)
		snprintf(x->name, sizeof(x->name), "%.63s", item->instance->name);
	if (item->why != NULL)
		x->why = *item->why;
}

void verdicts_remember(struct history *h, const struct plan *p, const struct rollout *r)
{
	struct history_entry *e = history_add(h);

	e->generation = p->update->generation;
	e->duration_ms = clock_mono_ms() - p->started_ms;
	e->is_full = p->is_full;
	e->n_resources = (uint32_t)p->n_resources;
	e->n_removed = (uint32_t)p->n_removed;
	e->workers_active = rollout_active(r, e->generation, STR_NONE, 0);
	e->workers_total = rollout_total(r);
	for (size_t i = 0; i < p->n; i++) {
		if (p->items[i].state == PLAN_REJECTED)
			remember_rejection(e, &p->items[i]);
	}
}

void verdicts_remember_refusal(struct history *h, const Sluice__Stream__V1__Update *update,
		const char *refused_for, const struct why *why)
{
	struct history_entry *e = history_add(h);

	e->generation = update->generation;
	e->is_full = update->base_generation == 0;
	e->n_resources = (uint32_t)update->n_resources;
	e->n_removed = (uint32_t)update->n_removed;
	snprintf(e->refused_for, sizeof(e->refused_for), "%s", refused_for);
	snprintf(e->text, sizeof(e->text), "%.255s", why->text);
}
