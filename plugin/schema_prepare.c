/* SPDX-License-Identifier: Apache-2.0
 *
 * From a JSON form to definitions that can be run: see schema_part.h.
 */
#include "plugin/schema_part.h"

#include <string.h>

#include "plugin/typedefs.h"

static json_t *prepare_field(const json_t *def, bool is_element);

/* What the form may have beside fields; those of core entities are control's to read. */
static const char *const form_members[] = {"name", "fields", "entity_checks", "shorthand_fields",
		"primary_key", "endpoint_key", "cache_key", "workspaceable", "admin_api_name",
		"generate_admin_api", "ttl", "table_name", "db_export", "supports_partials"};

static const char *const form_functions[] = {"check", "transformations", "api", "triggers", "dao"};

static bool is_among(const char *const *names, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++) {
		if (strcmp(names[i], name) == 0)
			return true;
	}
	return false;
}

static json_t *expand_typedef(const json_t *def)
{
	const char *name = json_string_value(json_object_get(def, "typedef"));
	json_t *base;
	const char *key;
	json_t *value;

	if (name == NULL || json_object_get(def, "type") != NULL)
		return json_copy(schema_each(def));
	base = typedef_definition(name);
	json_object_foreach (schema_each(def), key, value) {
		if (strcmp(key, "typedef") != 0)
			json_object_set(base, key, value);
	}
	return base;
}

static void prepare_record(json_t *def)
{
	json_t *index = json_object();
	json_t *entry;
	size_t i;

	json_array_foreach (json_object_get(def, "fields"), i, entry) {
		const char *name = json_object_iter_key(json_object_iter(entry));

		json_object_set_new(
				index, name, prepare_field(json_object_get(entry, name), false));
	}
	json_object_set_new(def, "@fields", index);
}

static void prepare_shorthands(json_t *def)
{
	sl_auto_json *list = json_incref(json_object_get(def, "shorthand_fields"));
	json_t *out = json_array();
	json_t *entry;
	size_t i;

	json_array_foreach (list, i, entry) {
		const char *name = json_object_iter_key(json_object_iter(entry));
		json_t *one = json_object();

		json_object_set_new(one, name, prepare_field(json_object_get(entry, name), false));
		json_array_append_new(out, one);
	}
	json_object_set_new(def, "shorthand_fields", out);
}

static void prepare_inner(json_t *def, const char *name)
{
	const json_t *inner = json_object_get(def, name);

	if (inner != NULL)
		json_object_set_new(def, name, prepare_field(inner, true));
}

static void set_default(json_t *def, const char *name, json_t *value)
{
	if (json_object_get(def, name) == NULL)
		json_object_set_new(def, name, value);
	else
		json_decref(value);
}

/* A checked definition, shallow-copied on the way: new reference. */
static json_t *prepare_field(const json_t *def, bool is_element)
{
	json_t *out = expand_typedef(def);
	enum schema_type type = schema_def_type(out);

	if (type == SCHEMA_RECORD) {
		set_default(out, "required", json_true());
		prepare_record(out);
		prepare_shorthands(out);
	}
	/* The empty string is a mistake more often than a value. */
	if (type == SCHEMA_STRING && json_object_get(out, "len_eq") == NULL)
		set_default(out, "len_min", json_integer(1));
	prepare_inner(out, "elements");
	prepare_inner(out, "keys");
	prepare_inner(out, "values");
	if (is_element)
		json_object_set_new(out, "required", json_true());
	return out;
}

/* A default must be a value that the field takes. */
static json_t *check_default(const json_t *def)
{
	const json_t *value = json_object_get(def, "default");
	sl_auto_json *filled = NULL;
	json_t *error = NULL;

	if (value == NULL || json_is_null(value))
		return NULL;
	filled = schema_fill_field(def, value);
	return schema_check_field(def, filled, &error) ? NULL
						       : json_pack("{s:o}", "default", error);
}

static json_t *check_defaults(const json_t *record_def)
{
	sl_auto_json *errors = json_object();
	const char *name;
	json_t *def;

	json_object_foreach (json_object_get(record_def, "@fields"), name, def) {
		json_t *error = check_default(def);

		if (error == NULL && schema_def_type(def) == SCHEMA_RECORD) {
			error = check_defaults(def);
			if (error != NULL)
				error = json_pack("{s:o}", "fields", error);
		}
		if (error != NULL)
			json_object_set_new(errors, name, error);
	}
	return json_object_size(errors) > 0 ? json_incref(errors) : NULL;
}

static void check_form_members(const json_t *form, json_t *errors)
{
	const char *name;
	json_t *value;

	json_object_foreach (schema_each(form), name, value) {
		/* an empty list of transformations holds no function */
		if (json_array_size(value) == 0 && json_object_size(value) == 0 &&
				strcmp(name, "transformations") == 0)
			continue;
		if (is_among(form_functions, sizeof(form_functions) / sizeof(*form_functions),
				    name))
			json_object_set_new(errors, name,
					schema_message("functions are not available in streamed "
						       "schemas: do this in the handler"));
		else if (!is_among(form_members, sizeof(form_members) / sizeof(*form_members),
					 name))
			json_object_set_new(errors, name, schema_message("unknown field"));
	}
}

static void set_error(json_t *errors, const char *name, json_t *error)
{
	if (error != NULL)
		json_object_set_new(errors, name, error);
}

static void check_form(const json_t *form, json_t *errors)
{
	const json_t *fields = json_object_get(form, "fields");
	const json_t *name = json_object_get(form, "name");

	check_form_members(form, errors);
	if (name == NULL)
		set_error(errors, "name", schema_message("required field missing"));
	else if (!json_is_string(name))
		set_error(errors, "name", schema_message("expected a string"));
	set_error(errors, "fields",
			fields == NULL ? schema_message("required field missing")
				       : schema_meta_fields(fields, 0));
	if (json_object_get(form, "entity_checks") != NULL)
		set_error(errors, "entity_checks",
				schema_meta_entity_checks(
						json_object_get(form, "entity_checks"), 0));
	if (json_object_get(form, "shorthand_fields") != NULL)
		set_error(errors, "shorthand_fields",
				schema_meta_shorthands(
						json_object_get(form, "shorthand_fields"), 0));
}

json_t *schema_prepare(const json_t *form, json_t **ret_errors)
{
	sl_auto_json *errors = json_object();
	sl_auto_json *root = NULL;

	*ret_errors = NULL;
	if (json_is_object(form))
		check_form(form, errors);
	else
		set_error(errors, "schema", schema_message("must be a table"));
	if (json_object_size(errors) == 0) {
		root = json_copy(schema_each(form));
		prepare_record(root);
		prepare_shorthands(root);
		set_error(errors, "fields", check_defaults(root));
	}
	if (json_object_size(errors) == 0)
		return json_incref(root);
	*ret_errors = json_incref(errors);
	return NULL;
}
