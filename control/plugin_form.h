/* SPDX-License-Identifier: Apache-2.0
 *
 * The entity schema `plugins` specialised by a plugin's own schema, both in JSON form.
 */
#pragma once

#include <jansson.h>

#include "plugin/schema.h"

/* 0, or -EINVAL with errors (new reference): the form adds a field that the entity has not,
 * changes a type, or is no schema. */
int plugin_form_compile(const json_t *form, struct schema **ret, json_t **ret_errors);

struct plugin_form_change {
	json_t *form;     /* borrowed */
	json_t *old_form; /* NULL = none */
	struct schema *schema;
};
/* Removes from an instance's config the fields that the new form does not have, where they
 * are null or still the old form's default: nobody set them. */
void plugin_form_drop_gone(const struct plugin_form_change *change, json_t *instance);
