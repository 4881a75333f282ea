/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/chain.h"

#include <stdio.h>

#include "base/check.h"
#include "base/log.h"
#include "plugin/chain_run.h"
#include "plugin/engine_scope.h"
#include "plugin/groups.h"
#include "shm/snapshot.h"

#define CHAIN_MAGIC SL_MAGIC('C', 'H', 'N', '1')
#define LATER \
	(PHASE_BIT(PHASE_RESPONSE) | PHASE_BIT(PHASE_HEADER_FILTER) | \
			PHASE_BIT(PHASE_BODY_FILTER) | PHASE_BIT(PHASE_LOG))

/* exchange_plugin_fn */
static bool find_plugin(const struct exchange *x, struct str name, struct exchange_plugin *ret)
{
	const struct chain *c = x->plugins;

	sl_check(c, CHAIN_MAGIC);
	*ret = (struct exchange_plugin){.is_matched = false};
	if (!plan_find_plugin(c->plan, name, &ret->is_matched, &ret->priority))
		return false;
	for (uint32_t i = 0; i < c->n; i++)
		if (engine_scope_is_named(c->v[i].version->name, name))
			ret->access_has_executed = c->v[i].has_run_access;
	return true;
}

struct chain *chain_new(struct engine *e, struct exchange *x)
{
	struct chain *c = arena_calloc(x->arena, sizeof(*c));
	struct snap_view *view = engine_view(e);

	if (c == NULL)
		return NULL;
	c->magic = CHAIN_MAGIC;
	c->engine = e;
	c->x = x;
	c->plan = plan_ref(engine_globals(e));
	c->view = view != NULL ? snap_view_ref(view) : NULL;
	x->find_plugin = find_plugin;
	x->plugins = c;
	return c;
}

static void drop_view(struct chain *c)
{
	snap_view_unref(c->view);
	c->view = NULL;
}

void chain_free(struct chain *c)
{
	if (c == NULL)
		return;
	sl_check(c, CHAIN_MAGIC);
	chain_run_drop(c);
	for (uint32_t i = 0; i < c->n; i++)
		chain_slot_done(&c->v[i]);
	plan_unref(c->plan);
	drop_view(c);
	c->x->find_plugin = NULL;
	c->magic = 0;
}

void chain_set_plan(struct chain *c, struct plan *p)
{
	struct snap_view *view = engine_view(c->engine);

	sl_check(c, CHAIN_MAGIC);
	plan_ref(p);
	plan_unref(c->plan);
	c->plan = p;
	if (view == c->view)
		return;
	drop_view(c);
	c->view = snap_view_ref(view);
}

/* The slot of that plugin in this request, made where absent; -1 = out of memory.  One per
 * plugin name, so that its phases share kong.ctx.plugin. */
static int slot_of(struct chain *c, struct engine_version *v, struct engine_instance *i)
{
	struct chain_slot *s;

	for (uint32_t at = 0; at < c->n; at++)
		if (c->v[at].version == v) {
			engine_instance_ref(i);
			engine_instance_unref(c->v[at].instance);
			c->v[at].instance = i;
			return (int)at;
		}
	if (c->n == c->cap) {
		/* Nobody keeps a pointer to a slot: a run sets its host's anew. */
		uint32_t cap = c->n + c->plan->n + 8;
		struct chain_slot *grown = arena_alloc(c->x->arena, cap * sizeof(*grown));

		if (grown == NULL)
			return -1;
		if (c->n != 0)
			memcpy(grown, c->v, c->n * sizeof(*grown));
		c->v = grown;
		c->cap = cap;
	}
	s = &c->v[c->n];
	*s = (struct chain_slot){.pdk.ctx_ref = LUA_NOREF,
			.pdk.retry_ref = LUA_NOREF,
			.version = engine_version_ref(v),
			.instance = engine_instance_ref(i)};
	return (int)c->n++;
}

static bool protocol_fits(const struct chain *c, const struct engine_instance *i)
{
	bool is_tls = str_eq(c->x->request.scheme, STR("https"));

	return (i->protocols & (is_tls ? PROTOCOL_HTTPS : PROTOCOL_HTTP)) != 0;
}

/* Puts the slot at the end of the order.  False = out of memory. */
static bool order_add(struct chain *c, uint32_t slot)
{
	/* Grown once: a plan entry adds at most one. */
	if (c->order == NULL)
		c->order = arena_alloc(c->x->arena, c->plan->n * sizeof(*c->order));
	if (c->order == NULL)
		return false;
	c->order[c->n_order++] = slot;
	return true;
}

/* 1 run it, 0 skip it, -1 it failed (logged). */
static int condition_decide(struct chain *c, const struct engine_instance *i)
{
	struct why why = i->why;
	char text[1200];
	int r = -1;

	if (!i->is_condition_bad)
		r = condition_eval(i->condition, c->x, &why);
	if (r >= 0 && !log_wants(LOG_DEBUG))
		return r;
	if (r >= 0) {
		snprintf(text, sizeof(text),
				"plugin condition %smatched for plugin '%s' (ID: %s)%s",
				r == 0 ? "not " : "", i->version->name, i->id,
				r == 0 ? ": skipped" : "");
		log_debug(text, "request_id=%s", c->x->request.id);
		return r;
	}
	snprintf(text, sizeof(text),
			"error evaluating plugin condition for plugin '%s' (ID: %s): %s",
			i->version->name, i->id, why.text);
	log_err(text, "plugin=%s request_id=%s", i->version->name, c->x->request.id);
	return -1;
}

/* Most instances have none: no reason is made room for. */
static int condition_holds(struct chain *c, const struct engine_instance *i)
{
	return i->condition == NULL && !i->is_condition_bad ? 1 : condition_decide(c, i);
}

/* The instance that applies to who the request is of now; the groups are asked for where some
 * instance has one.  False: no memory to tell. */
static bool resolve(struct chain *c, const struct plan_entry *entry, struct engine_instance **ret)
{
	struct plan_who who = {.consumer_id = c->x->consumer.id};

	*ret = NULL;
	if (entry->has_group_scope) {
		who.groups = groups_of(c->x);
		if (who.groups == NULL)
			return false;
	}
	*ret = plan_resolve(c->plan, entry, c->view, &who);
	return true;
}

/* The slot of a plan entry that applies to this request and takes part in it; -1 = it does
 * not, or the answer is set. */
static int collect(struct chain *c, const struct plan_entry *entry)
{
	struct engine_instance *i;
	int holds, slot;

	if (!resolve(c, entry, &i))
		exchange_answer_error(c->x, 500, STR_NONE);
	if (i == NULL || !protocol_fits(c, i))
		return -1;
	holds = condition_holds(c, i);
	if (holds < 0 && !i->is_open)
		exchange_answer_error(c->x, 500, STR_NONE);
	if (holds <= 0)
		return -1;
	slot = slot_of(c, i->version, i);
	if (slot < 0 || !order_add(c, (uint32_t)slot)) {
		exchange_answer_error(c->x, 500, STR_NONE);
		return -1;
	}
	c->phases |= i->version->phases;
	return slot;
}

static enum chain_verdict phase_over(const struct chain *c)
{
	return c->x->answer.is_set ? CHAIN_ANSWER : CHAIN_GO_ON;
}

/* certificate and rewrite: the instances for all requests. */
static enum chain_verdict globals_on(struct chain *c, enum phase phase)
{
	while (c->at < c->plan->n && !c->x->answer.is_set) {
		const struct plan_entry *entry = &c->plan->v[c->at++];
		int slot;

		if ((entry->version->phases & PHASE_BIT(phase)) == 0 || entry->wide == NULL ||
				!protocol_fits(c, entry->wide))
			continue;
		slot = slot_of(c, entry->version, entry->wide);
		if (slot < 0)
			exchange_answer_error(c->x, 500, STR_NONE);
		else if (chain_run(c, (uint32_t)slot, phase) == CHAIN_RUN_WAITS)
			return CHAIN_WAIT;
	}
	return phase_over(c);
}

static enum chain_verdict globals_run(struct chain *c, enum phase phase)
{
	sl_check(c, CHAIN_MAGIC);
	c->x->phase = c->phase = phase;
	c->clock_ns = 0;
	c->at = 0;
	if ((c->plan->phases & PHASE_BIT(phase)) == 0)
		return CHAIN_GO_ON;
	return globals_on(c, phase);
}

enum chain_verdict chain_certificate(struct chain *c)
{
	return globals_run(c, PHASE_CERTIFICATE);
}

enum chain_verdict chain_rewrite(struct chain *c)
{
	return globals_run(c, PHASE_REWRITE);
}

/* One entry of access: true = it waits.  Once there is an answer the later plugins are still
 * collected, so that their header_filter, body_filter and log run on it. */
static bool access_step(struct chain *c, const struct plan_entry *entry)
{
	bool is_answered = c->x->answer.is_set;
	int slot = collect(c, entry);

	if (slot < 0)
		return false;
	if ((entry->version->phases & PHASE_BIT(PHASE_ACCESS)) != 0 && !is_answered) {
		c->v[slot].has_run_access = true;
		return chain_run(c, (uint32_t)slot, PHASE_ACCESS) == CHAIN_RUN_WAITS;
	}
	if ((entry->version->phases & LATER) != 0 && !chain_run_prepare(c, (uint32_t)slot) &&
			!is_answered)
		chain_run_fail(c, (uint32_t)slot, c->v[slot].version->why.text);
	return false;
}

static enum chain_verdict access_on(struct chain *c)
{
	while (c->at < c->plan->n)
		if (access_step(c, &c->plan->v[c->at++]))
			return CHAIN_WAIT;
	c->is_collected = true;
	if (c->phases & PHASE_BIT(PHASE_RESPONSE))
		c->x->wants_buffered_response = true;
	drop_view(c);
	return phase_over(c);
}

enum chain_verdict chain_access(struct chain *c)
{
	sl_check(c, CHAIN_MAGIC);
	c->x->phase = c->phase = PHASE_ACCESS;
	c->clock_ns = 0;
	c->at = 0;
	c->is_access_begun = true;
	return access_on(c);
}

static enum chain_verdict response_on(struct chain *c)
{
	while (c->at < c->n_order && !c->x->answer.is_set)
		if (chain_run(c, c->order[c->at++], PHASE_RESPONSE) == CHAIN_RUN_WAITS)
			return CHAIN_WAIT;
	return phase_over(c);
}

enum chain_verdict chain_response(struct chain *c)
{
	sl_check(c, CHAIN_MAGIC);
	c->x->phase = c->phase = PHASE_RESPONSE;
	c->clock_ns = 0;
	c->at = 0;
	if ((c->phases & PHASE_BIT(PHASE_RESPONSE)) == 0)
		return CHAIN_GO_ON;
	return response_on(c);
}

enum chain_verdict chain_resume(struct chain *c)
{
	sl_check(c, CHAIN_MAGIC);
	sl_assert(c->threads.first != NULL);
	if (chain_run_on(c) == CHAIN_RUN_WAITS)
		return CHAIN_WAIT;
	if (c->phase == PHASE_CERTIFICATE || c->phase == PHASE_REWRITE)
		return globals_on(c, c->phase);
	return c->phase == PHASE_ACCESS ? access_on(c) : response_on(c);
}

bool chain_wants_response(const struct chain *c)
{
	return (c->phases & PHASE_BIT(PHASE_RESPONSE)) != 0 || c->x->wants_buffered_response;
}

bool chain_wants_body_filter(const struct chain *c)
{
	return (c->phases & PHASE_BIT(PHASE_BODY_FILTER)) != 0;
}

/* A request that ended before access has the globals in its later phases. */
static void collect_globals(struct chain *c)
{
	struct answer kept = c->x->answer;

	if (c->is_collected || c->is_access_begun)
		return;
	c->is_collected = true;
	for (uint32_t at = 0; at < c->plan->n; at++)
		if ((c->plan->v[at].version->phases & LATER) != 0)
			collect(c, &c->plan->v[at]);
	c->x->answer = kept;
	drop_view(c);
}

/* True when some collected plugin has the phase. */
static bool phase_begin(struct chain *c, enum phase phase)
{
	sl_check(c, CHAIN_MAGIC);
	collect_globals(c);
	c->x->phase = c->phase = phase;
	c->clock_ns = 0;
	return (c->phases & PHASE_BIT(phase)) != 0;
}

enum chain_verdict chain_header_filter(struct chain *c)
{
	struct answer before = c->x->answer;

	if (!phase_begin(c, PHASE_HEADER_FILTER))
		return CHAIN_GO_ON;
	c->x->answer = (struct answer){.is_set = false};
	headers_init(&c->x->answer.headers, c->x->arena);
	for (uint32_t i = 0; i < c->n_order && !c->x->answer.is_set; i++)
		chain_run(c, c->order[i], PHASE_HEADER_FILTER);
	if (c->x->answer.is_set)
		return CHAIN_ANSWER;
	c->x->answer = before;
	return CHAIN_GO_ON;
}

void chain_body_filter(struct chain *c)
{
	if (!phase_begin(c, PHASE_BODY_FILTER))
		return;
	for (uint32_t i = 0; i < c->n_order; i++) {
		/* What a plugin replaced the body by has gone out: the rest is not wanted. */
		if (c->v[c->order[i]].pdk.has_replaced_body)
			c->x->chunk = STR("");
		else
			chain_run(c, c->order[i], PHASE_BODY_FILTER);
	}
}

bool chain_retry(struct chain *c)
{
	const struct chain_slot *last = NULL;
	enum phase phase = c->phase;
	bool is_changed;

	sl_check(c, CHAIN_MAGIC);
	if (c->x->upstream.n_retry_callbacks == 0)
		return false;
	for (uint32_t i = 0; i < c->n; i++)
		if (c->v[i].pdk.retry_ref != LUA_NOREF &&
				(last == NULL || c->v[i].pdk.retry_order > last->pdk.retry_order))
			last = &c->v[i];
	is_changed = last != NULL && chain_run_retry(c, (uint32_t)(last - c->v));
	c->x->phase = c->phase = phase;
	c->clock_ns = 0;
	return is_changed;
}

void chain_log(struct chain *c)
{
	if (!phase_begin(c, PHASE_LOG))
		return;
	for (uint32_t i = 0; i < c->n_order; i++)
		chain_run(c, c->order[i], PHASE_LOG);
}
