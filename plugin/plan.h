/* SPDX-License-Identifier: Apache-2.0
 *
 * The plugins of one (route, service): versions in running order, each with the instances
 * that can apply.  Made by the engine, immutable, ref-counted (plan_ref in engine.h).
 * Private to the engine and the chain.
 */
#pragma once

#include "plugin/engine.h"
#include "plugin/engine_instance.h"

#define PLAN_MAGIC SL_MAGIC('P', 'L', 'A', 'N')

struct plan_entry {
	struct engine_version *version;
	/* Scope precedence puts those of a consumer alone, and of a group alone, between these two.
	 */
	struct engine_instance *narrow; /* route + service */
	struct engine_instance *wide;   /* the first of route, service, global */
	bool has_consumer_scope;        /* some instance is scoped by a consumer */
	bool has_group_scope;           /* ... by a consumer group */
};

struct plan {
	uint32_t magic;
	unsigned refs;
	struct plan *next; /* in the engine's table */
	struct engine *engine;
	uint64_t generation; /* of the engine: counts its switches */
	char *route_id, *service_id;
	uint32_t phases;
	uint32_t n;
	struct plan_entry v[];
};

/* Room for n entries; the ids are copied.  NULL = out of memory. */
struct plan *plan_make(struct engine *e, struct str route_id, struct str service_id, uint32_t n);

/* Whom a request is of. */
struct plan_who {
	struct str consumer_id;          /* n == 0: nobody's */
	const struct group_list *groups; /* by name; looked at where has_group_scope; NULL = none */
};

/* Which instance of the entry applies to who, borrowed from the engine until its next
 * switch; NULL = none.  view: the generation the plan was made in. */
struct engine_instance *plan_resolve(const struct plan *p, const struct plan_entry *entry,
		struct snap_view *view, const struct plan_who *who);

/* What a condition asks about another plugin (name: with '_' for '-'): false, no instance of it
 * is configured; *ret_is_matched, one applies to the plan's route and service, whatever the
 * consumer. */
bool plan_find_plugin(
		const struct plan *p, struct str name, bool *ret_is_matched, int *ret_priority);
/* Of the engine: NULL when there is no view, or no memory. */
const struct engine_scopes *engine_scopes(struct engine *e);
struct engine_version *engine_version_named(const struct engine *e, struct str name);

/* Of the engine, for plan and chain: the instance by id, bound to v; borrowed.  NULL = none. */
struct engine_instance *engine_instance_get(
		struct engine *e, struct snap_view *view, struct engine_version *v, struct str id);
/* After a load of v was tried, or not needed: reports when that changed what was last said. */
void engine_note_load(struct engine *e, struct engine_version *v);
struct plan *engine_globals(struct engine *e);
/* The engine's view now; NULL before the first. */
struct snap_view *engine_view(struct engine *e);
const struct engine_conf *engine_conf_of(const struct engine *e);
