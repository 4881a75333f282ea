/* SPDX-License-Identifier: Apache-2.0
 *
 * `custom_plugins`: sources, the verdict of sluice-check, versions; and the schema that
 * instances of a streamed plugin are validated by.
 */
#pragma once

#include "control/op.h"

struct plugin_code {
	struct plugin_code *next;
	char id[UUID_TEXT_BYTES]; /* of the custom_plugins entity */
	char *name;
	uint8_t schema_sha256[STORE_SHA_BYTES];
	json_t *form;          /* the plugin's own schema, JSON form */
	struct schema *schema; /* of entity `plugins` specialised by it */
};

/* The plugin called `name`, borrowed until the next change; OP_E_NONE when there is none. */
int plugin_code_find(struct op *op, struct str name, const struct plugin_code **ret);
/* Checks the sources of a processed entity and makes its spec (malloc'd in ret_spec, owned).
 * When old is given, every instance is brought to the new schema first. */
int plugin_code_write(struct op *op, const json_t *old, const json_t *entity, struct str *ret_spec);
/* Before the entity is removed: refused while instances use it. */
int plugin_code_remove(struct op *op, const json_t *entity);
/* Drops every cached schema. */
void plugin_code_forget(struct model *m);

/* Field number of the index "instances of a custom plugin". */
#define PLUGIN_CODE_REF_FIELD 15
