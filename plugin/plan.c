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

/* The instance scoped exactly so, if there is one. */
static struct engine_instance *scoped(const struct plan *p, const struct plan_entry *entry,
		struct snap_view *view, struct str route_id, struct str service_id,
		struct str consumer_id)
{
	struct str id = snap_instance(
			view, str_of(entry->version->name), route_id, service_id, consumer_id);

	return id.n != 0 ? engine_instance_get(p->engine, view, entry->version, id) : NULL;
}

struct engine_instance *plan_resolve(const struct plan *p, const struct plan_entry *entry,
		struct snap_view *view, struct str consumer_id)
{
	struct str r = entry->version->ignores_route ? STR_NONE : str_of(p->route_id);
	struct str s = entry->version->ignores_service ? STR_NONE : str_of(p->service_id);
	struct engine_instance *i = NULL;

	if (!entry->has_consumer_scope || consumer_id.n == 0 || view == NULL)
		return entry->narrow != NULL ? entry->narrow : entry->wide;
	if (r.n != 0 && s.n != 0)
		i = scoped(p, entry, view, r, s, consumer_id);
	if (i == NULL && r.n != 0)
		i = scoped(p, entry, view, r, STR_NONE, consumer_id);
	if (i == NULL && s.n != 0)
		i = scoped(p, entry, view, STR_NONE, s, consumer_id);
	if (i == NULL)
		i = entry->narrow;
	if (i == NULL)
		i = scoped(p, entry, view, STR_NONE, STR_NONE, consumer_id);
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
