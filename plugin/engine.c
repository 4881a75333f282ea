/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/engine.h"

#include <errno.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "plugin/engine_configure.h"
#include "plugin/engine_scope.h"
#include "plugin/plan.h"
#include "plugin/vault.h"
#include "shm/record.pb-c.h"
#include "shm/snapshot.h"

#define ENGINE_MAGIC SL_MAGIC('E', 'N', 'G', 'N')
#define BUCKETS 1024
/* Plans are made again in microseconds; past this many all are dropped. */
#define PLANS_MAX 8192
/* Loading takes part in a switch for so long. */
#define WARM_MS 250

struct engine {
	uint32_t magic;
	struct engine_conf conf;
	struct snap_view *view;
	uint64_t generation, vault_stamp;
	struct engine_version **versions; /* in running order */
	uint32_t n_versions;
	bool has_instances;
	struct engine_scopes *scopes; /* of the view; NULL: nobody asked */
	struct plan *globals;
	struct plan *plans[BUCKETS];
	uint32_t n_plans;
	struct engine_instance *instances[BUCKETS];
	engine_report_fn *report; /* of the last switch; may be NULL */
	void *report_arg;
};

struct plan *engine_globals(struct engine *e)
{
	return e->globals;
}

uint32_t engine_global_phases(const struct engine *e)
{
	return plan_phases(e->globals);
}

struct snap_view *engine_view(struct engine *e)
{
	return e->view;
}

const struct engine_conf *engine_conf_of(const struct engine *e)
{
	return &e->conf;
}

const struct engine_scopes *engine_scopes(struct engine *e)
{
	if (e->scopes == NULL && e->view != NULL)
		e->scopes = engine_scopes_make(e->view);
	return e->scopes;
}

struct engine_version *engine_version_named(const struct engine *e, struct str name)
{
	for (uint32_t i = 0; i < e->n_versions; i++)
		if (engine_scope_is_named(e->versions[i]->name, name))
			return e->versions[i];
	return NULL;
}

/* FNV-1a. */
static uint32_t bucket_of(struct str a, struct str b)
{
	uint32_t h = 2166136261U;

	for (size_t i = 0; i < a.n; i++)
		h = (h ^ (uint8_t)a.p[i]) * 16777619U;
	for (size_t i = 0; i < b.n; i++)
		h = (h ^ (uint8_t)b.p[i]) * 16777619U;
	return (h ^ h >> 16) & (BUCKETS - 1);
}

int engine_new(struct engine **ret, const struct engine_conf *conf, struct why *why)
{
	struct engine *e = calloc(1, sizeof(*e));

	if (e == NULL)
		return why_errno(why, ENOMEM, "cannot make the plugin engine");
	e->magic = ENGINE_MAGIC;
	e->conf = *conf;
	e->globals = plan_make(e, STR_NONE, STR_NONE, 0);
	if (e->globals == NULL) {
		free(e);
		return why_errno(why, ENOMEM, "cannot make the plugin engine");
	}
	*ret = e;
	return 0;
}

static void drop_plans(struct engine *e)
{
	for (unsigned b = 0; b < BUCKETS && e->n_plans != 0; b++)
		while (e->plans[b] != NULL) {
			struct plan *p = e->plans[b];

			e->plans[b] = p->next;
			e->n_plans--;
			plan_unref(p);
		}
}

/* Drops the instances that the view has not, or has in another version, or whose code was
 * replaced: they would keep the VM of the old code.  Secrets are looked up again where the vaults
 * changed. */
static void drop_stale_instances(struct engine *e, struct snap_view *view)
{
	uint64_t stamp = view != NULL ? vault_stamp(view) : 0;
	bool has_other_vaults = stamp != e->vault_stamp;

	e->vault_stamp = stamp;
	for (unsigned b = 0; b < BUCKETS; b++)
		for (struct engine_instance **at = &e->instances[b]; *at != NULL;) {
			struct engine_instance *i = *at;

			if (view != NULL && i->version->is_current &&
					!(has_other_vaults && engine_instance_has_secrets(i)) &&
					snap_version(view, SLUICE__RECORD__KIND__PLUGIN_INSTANCE,
							str_of(i->id)) == i->resource_version) {
				at = &i->next;
				continue;
			}
			*at = i->next;
			engine_instance_unref(i);
		}
}

static void set_current(struct engine *e, bool is_current)
{
	for (uint32_t i = 0; i < e->n_versions; i++)
		e->versions[i]->is_current = is_current;
}

static void watch(struct engine *e)
{
	for (uint32_t i = 0; i < e->n_versions; i++)
		engine_version_watch(e->versions[i]);
}

static void drop_versions(struct engine_version **v, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		engine_version_unref(v[i]);
	free(v);
}

void engine_free(struct engine *e)
{
	if (e == NULL)
		return;
	sl_check(e, ENGINE_MAGIC);
	drop_plans(e);
	plan_unref(e->globals);
	drop_stale_instances(e, NULL);
	drop_versions(e->versions, e->n_versions);
	engine_scopes_free(e->scopes);
	snap_view_unref(e->view);
	e->magic = 0;
	free(e);
}

struct engine_instance *engine_instance_get(
		struct engine *e, struct snap_view *view, struct engine_version *v, struct str id)
{
	const uint32_t kind = SLUICE__RECORD__KIND__PLUGIN_INSTANCE;
	uint64_t resource_version = snap_version(view, kind, id);
	struct engine_instance **at = &e->instances[bucket_of(id, STR_NONE)], *i;
	struct str record;

	for (i = *at; i != NULL; i = i->next)
		if (i->resource_version == resource_version && i->version == v &&
				str_eq(str_of(i->id), id))
			return i;
	record = snap_get(view, kind, id);
	if (record.p == NULL)
		return NULL;
	i = engine_instance_new(v, record, resource_version);
	if (i != NULL) {
		i->next = *at;
		*at = i;
	}
	return i;
}

/* What of version v applies to (route, service); false when nothing does. */
static bool entry_fill(struct engine *e, struct plan_entry *entry, struct engine_version *v,
		struct str route_id, struct str service_id)
{
	struct str name = str_of(v->name), none = STR_NONE, id = STR_NONE;
	struct str r = v->ignores_route ? none : route_id;
	struct str s = v->ignores_service ? none : service_id;

	*entry = (struct plan_entry){.version = v};
	entry->has_consumer_scope = !v->ignores_consumer && snap_has_consumer_scope(e->view, name);
	entry->has_group_scope = !v->ignores_group && snap_has_group_scope(e->view, name);
	if (r.n != 0 && s.n != 0)
		id = snap_instance(e->view, name, r, s, none);
	if (id.n != 0)
		entry->narrow = engine_instance_get(e, e->view, v, id);
	id = r.n != 0 ? snap_instance(e->view, name, r, none, none) : none;
	if (id.n == 0 && s.n != 0)
		id = snap_instance(e->view, name, none, s, none);
	if (id.n == 0)
		id = snap_instance(e->view, name, none, none, none);
	if (id.n != 0)
		entry->wide = engine_instance_get(e, e->view, v, id);
	return entry->narrow != NULL || entry->wide != NULL || entry->has_consumer_scope ||
	       entry->has_group_scope;
}

static struct plan *plan_build(struct engine *e, struct str route_id, struct str service_id)
{
	struct plan *p = plan_make(e, route_id, service_id, e->has_instances ? e->n_versions : 0);

	if (p == NULL)
		return NULL;
	p->generation = e->generation;
	for (uint32_t i = 0; e->has_instances && i < e->n_versions; i++) {
		struct plan_entry *entry = &p->v[p->n];

		if (!entry_fill(e, entry, e->versions[i], route_id, service_id))
			continue;
		engine_version_ref(entry->version);
		if (entry->narrow != NULL)
			engine_instance_ref(entry->narrow);
		if (entry->wide != NULL)
			engine_instance_ref(entry->wide);
		p->phases |= entry->version->phases;
		p->n++;
	}
	return p;
}

struct plan *engine_plan(struct engine *e, struct str route_id, struct str service_id)
{
	struct plan **at = &e->plans[bucket_of(route_id, service_id)], *p;

	sl_check(e, ENGINE_MAGIC);
	if (!e->has_instances)
		return plan_ref(e->globals);
	for (p = *at; p != NULL; p = p->next)
		if (str_eq(str_of(p->route_id), route_id) &&
				str_eq(str_of(p->service_id), service_id))
			return plan_ref(p);
	if (e->n_plans >= PLANS_MAX)
		drop_plans(e);
	p = plan_build(e, route_id, service_id);
	if (p == NULL)
		return NULL;
	p->next = *at;
	*at = p;
	e->n_plans++;
	return plan_ref(p);
}

struct gathering {
	struct engine *engine;
	struct engine_version **v;
	uint32_t n, cap;
	struct snap_view *view;
	uint64_t warm_until_ms;
};

static struct engine_version *current_of(struct engine *e, struct str id)
{
	for (uint32_t i = 0; i < e->n_versions; i++)
		if (str_eq(str_of(e->versions[i]->id), id))
			return e->versions[i];
	return NULL;
}

static void tell(struct engine *e, struct str id, uint64_t asked,
		const struct engine_version *in_force, const struct why *why)
{
	struct engine_report report = {.plugin = in_force != NULL ? str_of(in_force->name) : id,
			.id = id,
			.version = asked,
			.is_active = why == NULL,
			.version_in_force = 0};

	if (in_force != NULL && !in_force->is_reported_bad)
		report.version_in_force = in_force->resource_version;

	if (why != NULL)
		report.why = *why;
	if (e->report != NULL)
		e->report(e->report_arg, &report);
}

void engine_note_load(struct engine *e, struct engine_version *v)
{
	bool is_bad = v->box == NULL;

	if (is_bad == v->is_reported_bad || !v->is_current)
		return;
	v->is_reported_bad = is_bad;
	tell(e, str_of(v->id), v->resource_version, v, is_bad ? &v->why : NULL);
}

/* Whether a new version is loaded here, off the request path, so that to be active is to be
 * loaded: it is bound, or the one before was in use.  Past a while the rest loads on first
 * use: a worker with a thousand plugins must not stand still. */
static bool must_warm(const struct gathering *g, const struct engine_version *v,
		const struct engine_version *old)
{
	if (old != NULL && old->box != NULL)
		return true;
	return clock_mono_ms() < g->warm_until_ms && snap_has_instance(g->view, str_of(v->name));
}

/* The version to serve from now on, as a new reference; NULL when there is none. */
static struct engine_version *choose(
		struct gathering *g, struct str id, uint64_t resource_version, struct str record)
{
	struct engine_version *old = current_of(g->engine, id), *v;
	struct why why = WHY_NONE;

	if (old != NULL && old->resource_version == resource_version) {
		/* Bound since then? */
		if (old->box == NULL && old->failed_ms == 0 && must_warm(g, old, NULL)) {
			engine_version_box(old, g->view);
			engine_note_load(g->engine, old);
		}
		return engine_version_ref(old);
	}
	v = engine_version_new(&g->engine->conf, record, resource_version, &why);
	if (v != NULL && old != NULL && engine_version_same(v, old)) {
		engine_version_unref(v);
		old->resource_version = resource_version;
		tell(g->engine, id, resource_version, old, NULL);
		return engine_version_ref(old);
	}
	if (v != NULL && must_warm(g, v, old) && engine_version_box(v, g->view) == NULL) {
		why = v->why;
		/* With no code before it, its requests fail: to pass them by would open what it
		 * guards. */
		if (old == NULL) {
			v->is_reported_bad = true;
			tell(g->engine, id, resource_version, v, &why);
			return v;
		}
		engine_version_unref(v);
		v = NULL;
	}
	if (v != NULL) {
		tell(g->engine, id, resource_version, v, NULL);
		return v;
	}
	tell(g->engine, id, resource_version, old, &why);
	return old != NULL ? engine_version_ref(old) : NULL;
}

static bool gather(void *arg, struct str id, uint64_t resource_version, struct str record)
{
	struct gathering *g = arg;
	struct engine_version *v;

	if (g->n == g->cap) {
		uint32_t cap = g->cap != 0 ? g->cap * 2 : 16;
		void *grown = realloc(g->v, cap * sizeof(struct engine_version *));

		if (grown == NULL)
			return false;
		g->v = grown;
		g->cap = cap;
	}
	v = choose(g, id, resource_version, record);
	if (v != NULL)
		g->v[g->n++] = v;
	return true;
}

void engine_set_view(struct engine *e, struct snap_view *view, engine_report_fn *report, void *arg)
{
	struct gathering g = {
			.engine = e, .view = view, .warm_until_ms = clock_mono_ms() + WARM_MS};
	struct snap_view *old_view = e->view;
	struct engine_version **old = e->versions;
	uint32_t n_old = e->n_versions;
	struct plan *globals;

	sl_check(e, ENGINE_MAGIC);
	e->report = report;
	e->report_arg = arg;
	if (!e->conf.is_off)
		snap_each(view, SLUICE__RECORD__KIND__PLUGIN_CODE, gather, &g);
	if (g.n > 1)
		qsort(g.v, g.n, sizeof(struct engine_version *), engine_version_order);
	set_current(e, false);
	e->versions = g.v;
	e->n_versions = g.n;
	set_current(e, true);
	watch(e);
	e->view = snap_view_ref(view);
	engine_scopes_free(e->scopes);
	e->scopes = NULL;
	e->generation++;
	e->has_instances = g.n != 0 && snap_count(view, SLUICE__RECORD__KIND__PLUGIN_INSTANCE) != 0;
	drop_plans(e);
	drop_stale_instances(e, view);
	globals = plan_build(e, STR_NONE, STR_NONE);
	if (globals != NULL) {
		plan_unref(e->globals);
		e->globals = globals;
	}
	drop_versions(old, n_old);
	snap_view_unref(old_view);
	for (uint32_t i = 0; i < e->n_versions; i++) {
		engine_version_find_rows(e->versions[i]);
		engine_configure(e, e->versions[i]);
	}
}

void engine_idle(struct engine *e)
{
	for (uint32_t i = 0; i < e->n_versions; i++) {
		struct engine_version *v = e->versions[i];

		if (v->box != NULL && (v->box->is_dead || vm_is_spoiled(v->box->vm)) &&
				engine_version_box(v, e->view) == NULL)
			log_err("plugin cannot be loaded again", "plugin=%s", v->name);
		if (v->box != NULL || v->failed_ms != 0)
			engine_note_load(e, v);
	}
	(void)vm_reap();
}

void engine_stats(struct engine *e, engine_stat_fn *fn, void *arg)
{
	watch(e);
	for (uint32_t i = 0; i < e->n_versions; i++) {
		engine_version_count(e->versions[i]);
		fn(arg, &e->versions[i]->totals);
	}
}
