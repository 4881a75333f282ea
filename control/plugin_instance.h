/* SPDX-License-Identifier: Apache-2.0
 *
 * `plugins`: an entry is validated by the entity schema specialised by the plugin it names.
 */
#pragma once

#include "control/plugin_code.h"

/* Runs the schema over input (given: NULL but for an update); new reference in *ret.
 * OP_E_REFUSED for an unknown plugin, a violation, a condition that does not compile. */
int plugin_instance_process(struct op *op, enum schema_mode mode, const json_t *input,
		const json_t *given, json_t **ret);
/* The same with a plugin schema that is not stored yet. */
int plugin_instance_process_with(struct op *op, const struct schema *schema, enum schema_mode mode,
		const json_t *input, const json_t *given, json_t **ret);
/* The entity as the API shows it: with its shorthands. */
void plugin_instance_show(struct op *op, json_t **entity);
/* Checks that need the store: protocols against routes. */
int plugin_instance_check(struct op *op, const json_t *entity);
/* "name:route:service:consumer", the combination that is unique.  malloc'd. */
char *plugin_instance_key(const json_t *entity);
/* The entity schema specialised by the plugin it names: borrowed; NULL when that is unknown. */
const struct schema *plugin_instance_schema(struct op *op, const json_t *entity);
