/* SPDX-License-Identifier: Apache-2.0 */
#include "control/plugin_form.h"

#include <errno.h>
#include <string.h>

#include "control/entity.h"
#include "plugin/typedefs.h"

static json_t *field_of(const json_t *form, const char *name)
{
	json_t *entry, *def;
	size_t i;

	json_array_foreach (json_object_get(form, "fields"), i, entry) {
		def = json_object_get(entry, name);
		if (def != NULL)
			return def;
	}
	return NULL;
}

static void replace_field(json_t *form, const char *name, json_t *def)
{
	json_t *entry;
	size_t i;

	json_array_foreach (json_object_get(form, "fields"), i, entry) {
		if (json_object_get(entry, name) != NULL)
			json_object_set(entry, name, def);
	}
}

/* A field may be declared by a typedef alone: its type is the typedef's.  New reference. */
static json_t *expanded(json_t *def)
{
	const char *name = json_string_value(json_object_get(def, "typedef"));
	json_t *base = name != NULL && json_object_get(def, "type") == NULL
				       ? typedef_definition(name)
				       : NULL;

	if (base == NULL)
		return json_incref(def);
	json_object_update(base, def);
	if (!typedef_has_check(name))
		json_object_del(base, "typedef");
	return base;
}

/* A scope that does not exist here may be declared as what it always is: null. */
static bool is_always_null(const json_t *def)
{
	return json_is_null(json_object_get(def, "eq"));
}

/* NULL, or what is wrong with this one. */
static const char *specialize(json_t *merged, const char *name, json_t *def)
{
	json_t *before = field_of(merged, name);
	json_t *whole = expanded(def);
	const char *wrong = NULL;

	if (before == NULL)
		wrong = is_always_null(whole) ? NULL : "cannot create a new field";
	else if (!json_equal(json_object_get(before, "type"), json_object_get(whole, "type")))
		wrong = "cannot change type in a specialized field";
	else
		replace_field(merged, name, whole);
	json_decref(whole);
	return wrong;
}

static json_t *specialize_all(json_t *merged, const json_t *form)
{
	json_t *entry, *def, *errors = NULL;
	const char *name, *wrong;
	size_t i;

	json_array_foreach (json_object_get(form, "fields"), i, entry) {
		json_object_foreach (entry, name, def) {
			wrong = specialize(merged, name, def);
			if (wrong == NULL)
				continue;
			if (errors == NULL)
				errors = json_object();
			json_object_set_new(errors, name, json_string(wrong));
		}
	}
	return errors;
}

/* A plugin without settings may leave config out: then it is an empty record. */
static void settle_config(json_t *merged)
{
	json_t *config = json_copy(field_of(merged, "config"));

	json_object_del(config, "abstract");
	if (json_object_get(config, "fields") == NULL)
		json_object_set_new(config, "fields", json_array());
	if (json_object_get(config, "required") == NULL)
		json_object_set_new(config, "required", json_true());
	replace_field(merged, "config", config);
	json_decref(config);
}

int plugin_form_compile(const json_t *form, struct schema **ret, json_t **ret_errors)
{
	json_t *merged = entity_form(entity_def(ENTITY_PLUGINS));
	static const char *const more[] = {"entity_checks", "shorthand_fields"};
	int r = -EINVAL;

	*ret_errors = specialize_all(merged, form);
	if (*ret_errors == NULL) {
		settle_config(merged);
		for (size_t i = 0; i < sizeof(more) / sizeof(more[0]); i++) {
			json_t *v = json_object_get(form, more[i]);

			if (v != NULL)
				json_object_set(merged, more[i], v);
		}
		r = schema_new(ret, merged, ret_errors);
	}
	json_decref(merged);
	return r;
}

/* ---- fields that a new schema no longer has ---- */

static bool is_untouched(const json_t *old_def, const json_t *value)
{
	const json_t *standard = json_object_get(old_def, "default");

	return json_is_null(value) || (standard != NULL && json_equal(standard, value));
}

static void drop_gone(const json_t *form, const json_t *old_form, json_t *object)
{
	json_t *value;
	const char *name;
	void *next;

	json_object_foreach_safe(object, next, name, value)
	{
		json_t *def = field_of(form, name), *old_def = field_of(old_form, name);

		if (def == NULL && is_untouched(old_def, value))
			json_object_del(object, name);
		else if (def != NULL && json_is_object(value) &&
				json_object_get(def, "fields") != NULL)
			drop_gone(def, old_def, value);
	}
}

void plugin_form_drop_gone(const struct plugin_form_change *change, json_t *instance)
{
	json_t *config = json_object_get(instance, "config");

	if (json_is_object(config))
		drop_gone(field_of(change->form, "config"), field_of(change->old_form, "config"),
				config);
}
