/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/plan.h"

#include <stdlib.h>

#include "base/check.h"
#include "plugin/engine_scope.h"
#include "shm/snapshot.h"

static char *dup_str(struct str s)
{
	return strndup(s.n != 0 ? s.p : "", s.n);
}

struct plan *plan_make(struct engine *e, struct str route_id, struct str service_id, uint32_t n)
{
	struct plan *p = calloc(1, sizeof(*p) + n * sizeof(p->v[0]));

	if (p == NULL)
		return NULL;
	p->magic = PLAN_MAGIC;
	p->refs = 1;
	p->engine = e;
	p->route_id = dup_str(route_id);
	p->service_id = dup_str(service_id);
	if (p->route_id != NULL && p->service_id != NULL)
		return p;
	plan_unref(p);
	return NULL;
}

struct plan *plan_ref(struct plan *p)
{
	sl_check(p, PLAN_MAGIC);
	p->refs++;
	return p;
}

void plan_unref(struct plan *p)
{
	if (p == NULL || --p->refs != 0)
		return;
	sl_check(p, PLAN_MAGIC);
	for (uint32_t i = 0; i < p->n; i++) {
		engine_instance_unref(p->v[i].narrow);
		engine_instance_unref(p->v[i].wide);
		engine_version_unref(p->v[i].version);
	}
	free(p->route_id);
	free(p->service_id);
	p->magic = 0;
	free(p);
}

uint32_t plan_phases(const struct plan *p)
{
	return p->phases;
}

/* A place in the precedence of scopes. */
struct level {
	bool is_group, by_route, by_service;
};

static const struct level above_narrow[] = {
		{false, true, true},
		{true, true, true},
		{false, true, false},
		{false, false, true},
		{true, true, false},
		{true, false, true},
};
static const struct level above_wide[] = {{false, false, false}, {true, false, false}};

struct look_up {
	const struct plan *plan;
	const struct plan_entry *entry;
	struct snap_view *view;
	const struct plan_who *who;
	struct str route_id, service_id; /* n == 0: there is none, or the plugin ignores it */
};

/* The instance of the first group, by name, that has one of that scope. */
static struct str find_of_group(const struct look_up *u, struct str route_id, struct str service_id)
{
	struct str name = str_of(u->entry->version->name), id = STR_NONE;
	const struct group_list *groups = u->who->groups;

	if (!u->entry->has_group_scope || groups == NULL)
		return id;
	for (uint32_t i = 0; i < groups->n && id.n == 0; i++)
		if (groups->v[i].id.n != 0)
			id = snap_group_instance(
					u->view, name, route_id, service_id, groups->v[i].id);
	return id;
}

static struct str find_of_consumer(
		const struct look_up *u, struct str route_id, struct str service_id)
{
	if (!u->entry->has_consumer_scope || u->who->consumer_id.n == 0)
		return STR_NONE;
	return snap_instance(u->view, str_of(u->entry->version->name), route_id, service_id,
			u->who->consumer_id);
}

static struct engine_instance *at_level(const struct look_up *u, const struct level *level)
{
	struct str r = level->by_route ? u->route_id : STR_NONE;
	struct str s = level->by_service ? u->service_id : STR_NONE;
	struct str id;

	if ((level->by_route && r.n == 0) || (level->by_service && s.n == 0))
		return NULL;
	id = level->is_group ? find_of_group(u, r, s) : find_of_consumer(u, r, s);
	return id.n != 0 ? engine_instance_get(u->plan->engine, u->view, u->entry->version, id)
			 : NULL;
}

static struct engine_instance *first_of(
		const struct look_up *u, const struct level *levels, size_t n)
{
	struct engine_instance *i = NULL;

	for (size_t at = 0; at < n && i == NULL; at++)
		i = at_level(u, &levels[at]);
	return i;
}

struct engine_instance *plan_resolve(const struct plan *p, const struct plan_entry *entry,
		struct snap_view *view, const struct plan_who *who)
{
	const struct engine_version *v = entry->version;
	struct look_up u = {.plan = p, .entry = entry, .view = view, .who = who};
	bool is_anybodys = (!entry->has_consumer_scope || who->consumer_id.n == 0) &&
			   (!entry->has_group_scope || who->groups == NULL || who->groups->n == 0);
	struct engine_instance *i;

	if (is_anybodys || view == NULL)
		return entry->narrow != NULL ? entry->narrow : entry->wide;
	u.route_id = v->ignores_route ? STR_NONE : str_of(p->route_id);
	u.service_id = v->ignores_service ? STR_NONE : str_of(p->service_id);
	i = first_of(&u, above_narrow, sizeof(above_narrow) / sizeof(above_narrow[0]));
	if (i == NULL)
		i = entry->narrow;
	if (i == NULL)
		i = first_of(&u, above_wide, sizeof(above_wide) / sizeof(above_wide[0]));
	return i != NULL ? i : entry->wide;
}

bool plan_find_plugin(
		const struct plan *p, struct str name, bool *ret_is_matched, int *ret_priority)
{
	const struct engine_scopes *scopes = engine_scopes(p->engine);
	const struct engine_version *v = engine_version_named(p->engine, name);

	if (scopes == NULL || v == NULL || !engine_scopes_has(scopes, name))
		return false;
	*ret_priority = v->priority;
	*ret_is_matched = engine_scopes_match(
			scopes, name, str_of(p->route_id), str_of(p->service_id));
	for (uint32_t i = 0; i < p->n && !*ret_is_matched; i++) {
		const struct plan_entry *entry = &p->v[i];

		*ret_is_matched = (entry->narrow != NULL || entry->wide != NULL) &&
				  engine_scope_is_named(entry->version->name, name);
	}
	return true;
}
