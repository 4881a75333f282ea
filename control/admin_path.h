/* SPDX-License-Identifier: Apache-2.0
 *
 * Which handler a path of the Admin API has: a table of fixed paths, then the entities'
 * collections, items and nested ones.
 */
#pragma once

#include "control/admin.h"

/* Finds the handler and gives it the call. */
void admin_path_run(struct admin_call *call);
/* The path reads the body as it is (POST /config). */
bool admin_path_takes_raw(const struct admin_call *call);
/* Every path, for GET /endpoints: a new array. */
json_t *admin_path_list(void);

/* What an entity's path means. */
struct admin_target {
	const struct entity_def *def;
	bool is_item;
	struct str key; /* id or endpoint key of the item */
	/* /services/{parent}/routes: the reference that def has to the parent */
	const struct entity_foreign *of;
	/* /routes/{child}/service: the reference that leads from the child to def */
	const struct entity_foreign *through;
	/* /consumer_groups/{parent}/consumers: def is the membership, this its other end, of which
	 * key is */
	const struct entity_foreign *across;
	const struct entity_def *other; /* parent (of) or child (through) */
	struct str other_key;
};

/* ---- handlers, one group per file ---- */
typedef void admin_handler(struct admin_call *call);

void admin_crud_run(struct admin_call *call, const struct admin_target *target);
void admin_crud_refuse_read_only(struct admin_call *call, const struct entity_def *def);
void admin_member_run(struct admin_call *call, const struct admin_target *target);
void admin_list_run(struct admin_call *call, const struct admin_target *target);

admin_handler admin_info_root, admin_info_status, admin_info_endpoints, admin_info_enabled;
admin_handler admin_tags_all, admin_tags_one;
admin_handler admin_schema_entity, admin_schema_plugin, admin_schema_validate,
		admin_schema_validate_plugin;
admin_handler admin_cluster_nodes, admin_cluster_status, admin_cluster_plugin;
admin_handler admin_config_get, admin_config_post;
admin_handler admin_health_upstream, admin_health_set_healthy, admin_health_set_unhealthy;
admin_handler admin_metrics;
