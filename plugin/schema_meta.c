/* SPDX-License-Identifier: Apache-2.0
 *
 * The structure of definitions: which attributes there are, on which types, with which kind
 * of argument.  Errors name the field by its path of names.
 */
#include "plugin/schema_part.h"

#include <stdio.h>
#include <string.h>

#include "plugin/pattern.h"
#include "plugin/schema_json.h"
#include "plugin/schema_table.h"
#include "plugin/typedefs.h"

/* What a kind of argument asks for: NULL = good, else what is wrong (new reference). */
typedef json_t *kind_fn(const json_t *arg, unsigned int depth);

static const char no_functions[] = "functions are not available in streamed schemas: "
				   "declare what you can, check the rest in the handler";

static bool is_list(const json_t *arg)
{
	return json_is_array(arg) || (json_is_object(arg) && json_object_size(arg) == 0);
}

static json_t *kind_ANY(const json_t *arg, unsigned int depth)
{
	(void)arg;
	(void)depth;
	return NULL;
}

static json_t *kind_STRING(const json_t *arg, unsigned int depth)
{
	(void)depth;
	return json_is_string(arg) ? NULL : schema_message("expected a string");
}

static json_t *kind_ON_DELETE(const json_t *arg, unsigned int depth)
{
	const char *text = json_string_value(arg);

	if (text == NULL)
		return kind_STRING(arg, depth);
	if (strcmp(text, "restrict") == 0 || strcmp(text, "cascade") == 0 ||
			strcmp(text, "null") == 0)
		return NULL;
	return schema_message("expected one of: restrict, cascade, null");
}

static json_t *kind_BOOLEAN(const json_t *arg, unsigned int depth)
{
	(void)depth;
	return json_is_boolean(arg) ? NULL : schema_message("expected a boolean");
}

static json_t *kind_NUMBER(const json_t *arg, unsigned int depth)
{
	(void)depth;
	return json_is_number(arg) ? NULL : schema_message("expected a number");
}

static json_t *kind_COUNT(const json_t *arg, unsigned int depth)
{
	(void)depth;
	return json_is_integer(arg) && json_integer_value(arg) >= 0
			       ? NULL
			       : schema_message("expected an integer");
}

static json_t *kind_ARRAY(const json_t *arg, unsigned int depth)
{
	(void)depth;
	return is_list(arg) ? NULL : schema_message("expected an array");
}

static json_t *kind_OBJECT(const json_t *arg, unsigned int depth)
{
	(void)depth;
	return json_is_object(arg) ? NULL : schema_message("expected a record");
}

static json_t *kind_PAIR(const json_t *arg, unsigned int depth)
{
	(void)depth;
	if (json_array_size(arg) != 2 || !json_is_number(json_array_get(arg, 0)) ||
			!json_is_number(json_array_get(arg, 1)))
		return schema_message("expected an array of two numbers");
	return NULL;
}

static json_t *kind_DESCRIPTION(const json_t *arg, unsigned int depth)
{
	(void)depth;
	if (!json_is_string(arg))
		return schema_message("expected a string");
	if (json_string_length(arg) < 10)
		return schema_message("length must be at least 10");
	return json_string_length(arg) <= 500 ? NULL : schema_message("length must be at most 500");
}

static json_t *kind_PATTERN(const json_t *arg, unsigned int depth)
{
	const char *error;

	(void)depth;
	if (!json_is_string(arg))
		return schema_message("expected a string");
	error = pattern_check((struct str){json_string_value(arg), json_string_length(arg)});
	return error != NULL ? schema_message("not a Lua pattern: %s", error) : NULL;
}

static json_t *check_err(const json_t *entry)
{
	const json_t *err = json_object_get(entry, "err");

	return err == NULL || json_is_string(err) ? NULL : schema_message("err: expected a string");
}

static json_t *kind_PATTERNS(const json_t *arg, unsigned int depth)
{
	json_t *entry, *error;
	size_t i;

	if (!is_list(arg))
		return schema_message("expected an array of {pattern, err}");
	json_array_foreach (arg, i, entry) {
		error = kind_PATTERN(json_object_get(entry, "pattern"), depth);
		if (error == NULL)
			error = check_err(entry);
		if (error != NULL)
			return error;
	}
	return NULL;
}

static json_t *kind_PATTERN_GROUP(const json_t *arg, unsigned int depth)
{
	const json_t *patterns = json_object_get(arg, "patterns");
	json_t *pattern, *error;
	size_t i;

	if (!is_list(patterns))
		return schema_message("expected {patterns = {…}, err}");
	json_array_foreach (patterns, i, pattern) {
		error = kind_PATTERN(pattern, depth);
		if (error != NULL)
			return error;
	}
	return check_err(arg);
}

static json_t *kind_SUBSETS(const json_t *arg, unsigned int depth)
{
	json_t *subset;
	size_t i;

	(void)depth;
	json_array_foreach (arg, i, subset) {
		if (!is_list(subset))
			return schema_message("expected an array of arrays");
	}
	return is_list(arg) ? NULL : schema_message("expected an array of arrays");
}

static json_t *kind_TYPEDEF(const json_t *arg, unsigned int depth)
{
	const char *name = json_string_value(arg);
	json_t *def = name != NULL ? typedef_definition(name) : NULL;

	(void)depth;
	if (name == NULL)
		return schema_message("expected a string");
	if (def == NULL && typedef_has_check(name))
		return NULL;
	if (def == NULL)
		return schema_message("schema typedef error: definition %s %s", name,
				typedef_missing(name));
	json_decref(def);
	return NULL;
}

static json_t *kind_JSON_SCHEMA(const json_t *arg, unsigned int depth)
{
	(void)depth;
	return schema_json_meta(arg);
}

static json_t *kind_FIELD(const json_t *arg, unsigned int depth)
{
	return schema_meta_field(arg, depth);
}

static json_t *kind_FIELDS(const json_t *arg, unsigned int depth)
{
	return schema_meta_fields(arg, depth);
}

static json_t *kind_CHECKS(const json_t *arg, unsigned int depth)
{
	return schema_meta_entity_checks(arg, depth);
}

static json_t *kind_SHORTHANDS(const json_t *arg, unsigned int depth)
{
	return schema_meta_shorthands(arg, depth);
}

static const struct attribute {
	const char *name;
	kind_fn *kind;
	unsigned int types;
} attributes[] = {
#define X(name, kind, types) {#name, kind_##kind, (unsigned int)(types)},
		SCHEMA_ATTRIBUTE_TABLE(X) SCHEMA_VALIDATOR_TABLE(X)
#undef X
};

/* Attributes of the reference whose value can only be a function. */
static const char *const function_attributes[] = {
		"custom_validator", "check", "func", "fn", "validator", "translate_backwards_func"};

static const struct {
	enum schema_type type;
	const char *name, *needs;
} type_needs[] = {
#define X(name, type, needs, message) {type, name, needs},
		SCHEMA_TYPE_TABLE(X)
#undef X
};

static const struct attribute *attribute_of(const char *name)
{
	for (size_t i = 0; i < sizeof(attributes) / sizeof(attributes[0]); i++) {
		if (strcmp(attributes[i].name, name) == 0)
			return &attributes[i];
	}
	return NULL;
}

static json_t *unknown_attribute(const char *name)
{
	for (size_t i = 0; i < sizeof(function_attributes) / sizeof(function_attributes[0]); i++) {
		if (strcmp(function_attributes[i], name) == 0)
			return schema_message("%s", no_functions);
	}
	return schema_message("unknown field");
}

static bool is_table_wanted(const struct attribute *attribute)
{
	return attribute->kind == kind_FIELD || attribute->kind == kind_FIELDS ||
	       attribute->kind == kind_CHECKS || attribute->kind == kind_SHORTHANDS;
}

static json_t *check_attribute(
		const char *type, const char *name, const json_t *arg, unsigned int depth)
{
	const struct attribute *attribute = attribute_of(name);

	if (attribute == NULL)
		return unknown_attribute(name);
	if ((attribute->types & (unsigned int)schema_type_of(type)) == 0)
		return schema_message("field of type '%s' cannot have attribute '%s'", type, name);
	if (is_table_wanted(attribute) && !json_is_object(arg) && !json_is_array(arg))
		return schema_message("'%s' must be a table", name);
	return attribute->kind(arg, depth);
}

/* "elements", "keys values": each must be there, unless a subschema is to declare it. */
static json_t *check_needs(const json_t *def, const char *type)
{
	const char *needs = "";

	for (size_t i = 0; i < sizeof(type_needs) / sizeof(type_needs[0]); i++) {
		if (strcmp(type_needs[i].name, type) == 0)
			needs = type_needs[i].needs;
	}
	if (json_is_true(json_object_get(def, "abstract")))
		return NULL;
	while (*needs != '\0') {
		size_t n = strcspn(needs, " ");

		if (json_object_getn(def, needs, n) == NULL)
			return schema_message("field of type '%s' must declare '%.*s'", type,
					(int)n, needs);
		needs += n + (needs[n] == ' ' ? 1 : 0);
	}
	return NULL;
}

static json_t *fail_type(void)
{
	sl_auto_buf text = {0};

	buf_printf(&text, "expected one of: ");
	for (size_t i = 0; i < sizeof(type_needs) / sizeof(type_needs[0]); i++)
		buf_printf(&text, "%s%s", i > 0 ? ", " : "", type_needs[i].name);
	return json_pack("{s:s}", "type", buf_z(&text));
}

/* The type a definition has, through its typedef if it says none itself: a new reference. */
static json_t *effective_type(const json_t *def)
{
	json_t *type = json_object_get(def, "type");
	const char *name = json_string_value(json_object_get(def, "typedef"));
	sl_auto_json *from = NULL;

	if (type != NULL || name == NULL)
		return json_incref(type);
	from = typedef_definition(name);
	return json_incref(json_object_get(from, "type"));
}

static json_t *check_attributes(const json_t *def, const char *type, unsigned int depth)
{
	json_t *errors = json_object();
	const char *name;
	json_t *arg;

	json_object_foreach (schema_each(def), name, arg) {
		json_t *error = check_attribute(type, name, arg, depth + 1);

		if (error != NULL)
			json_object_set_new(errors, name, error);
	}
	if (json_is_true(json_object_get(def, "unique_across_ws")) &&
			!json_is_true(json_object_get(def, "unique")))
		json_object_set_new(errors, "unique",
				schema_message(json_object_get(def, "unique") == NULL
								? "required field missing"
								: "value must be true"));
	if (json_object_size(errors) > 0)
		return errors;
	json_decref(errors);
	return NULL;
}

json_t *schema_meta_field(const json_t *def, unsigned int depth)
{
	sl_auto_json *type = effective_type(def);
	const char *name = json_string_value(type);
	json_t *error;

	if (!json_is_object(def))
		return schema_message("field definition must be a table");
	if (depth > SCHEMA_DEPTH_MAX)
		return schema_message("more than %d levels of fields", SCHEMA_DEPTH_MAX);
	if (type == NULL && json_object_get(def, "typedef") != NULL)
		return kind_TYPEDEF(json_object_get(def, "typedef"), depth);
	if (type == NULL)
		return schema_message("missing type declaration");
	if (name != NULL && strcmp(name, "function") == 0)
		return schema_message("%s", no_functions);
	if (name == NULL || (unsigned int)schema_type_of(name) == 0)
		return fail_type();
	if (json_object_get(def, "type") != NULL) {
		error = check_needs(def, name);
		if (error != NULL)
			return error;
	}
	return check_attributes(def, name, depth);
}

static json_t *meta_named(const char *name, const json_t *def, unsigned int depth)
{
	if (json_is_array(def) && json_array_size(def) == 0)
		return schema_message("missing type declaration");
	if (!json_is_object(def))
		return schema_message("'%s' must be a table", name);
	return schema_meta_field(def, depth);
}

static json_t *check_entry(const json_t *entry, json_t *seen)
{
	const char *name = json_object_iter_key(json_object_iter(schema_each(entry)));

	if (!json_is_object(entry) && !json_is_array(entry))
		return schema_message("each entry in fields must be a sub-table");
	if (json_array_size(entry) > 0)
		return schema_message("each key in fields must be a string");
	if (name == NULL)
		return schema_message("field entry table is empty");
	if (json_object_size(entry) > 1)
		return schema_message("each entry in fields must declare exactly one field");
	if (name[0] == '@' || name[0] == '\0')
		return schema_message("invalid field name: '%s'", name);
	if (json_object_get(seen, name) != NULL)
		return schema_message("field '%s' is declared twice", name);
	json_object_set_new(seen, name, json_true());
	return NULL;
}

json_t *schema_meta_fields(const json_t *fields, unsigned int depth)
{
	sl_auto_json *errors = json_object();
	sl_auto_json *seen = json_object();
	json_t *entry;
	size_t i;

	if (!json_is_array(fields))
		return is_list(fields) ? NULL : schema_message("'fields' must be a table");
	json_array_foreach (fields, i, entry) {
		char place[32];
		const char *name = json_object_iter_key(json_object_iter(entry));
		json_t *error = check_entry(entry, seen);

		snprintf(place, sizeof(place), "%zu", i + 1);
		if (error == NULL)
			error = meta_named(name, json_object_get(entry, name), depth + 1);
		else
			name = place;
		if (error != NULL)
			json_object_set_new(errors, name, error);
	}
	return json_object_size(errors) > 0 ? json_incref(errors) : NULL;
}
