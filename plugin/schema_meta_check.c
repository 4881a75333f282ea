/* SPDX-License-Identifier: Apache-2.0
 *
 * The structure of entity checks and shorthand fields.
 */
#include "plugin/schema_part.h"

#include <string.h>

/* X(check, members of its argument: "names" = the argument is a list of names, '?' = optional,
 *   ':' + list | field | match | text = what the member is) */
/* clang-format off */
#define ENTITY_CHECK_TABLE(X) \
	X("at_least_one_of",             "") \
	X("only_one_of",                 "") \
	X("distinct",                    "") \
	X("mutually_required",           "") \
	X("mutually_exclusive",          "") \
	X("mutually_exclusive_sets",     "set1:list set2:list") \
	X("conditional",                 "if_field:text if_match:match then_field:text " \
	                                 "then_match:match then_err?:text") \
	X("conditional_at_least_one_of", "if_field:text if_match:match then_at_least_one_of:list " \
	                                 "then_err?:text else_match?:match " \
	                                 "else_then_at_least_one_of?:list else_then_err?:text")
/* clang-format on */

static const struct {
	const char *name, *members;
} known_checks[] = {
#define X(name, members) {name, members},
		ENTITY_CHECK_TABLE(X)
#undef X
};

static bool is_name_list(const json_t *list)
{
	json_t *name;
	size_t i;

	json_array_foreach (list, i, name) {
		if (!json_is_string(name))
			return false;
	}
	return json_array_size(list) > 0;
}

static bool is_member_good(const json_t *value, const char *kind, size_t n)
{
	if (n == 4 && strncmp(kind, "list", n) == 0)
		return is_name_list(value);
	if (n == 4 && strncmp(kind, "text", n) == 0)
		return json_is_string(value);
	return json_is_object(value) || (json_is_array(value) && json_array_size(value) == 0);
}

/* One "name?:kind" of a row. */
static json_t *check_member(const json_t *arg, const char *spec, size_t n)
{
	size_t n_name = strcspn(spec, "?: ");
	bool is_optional = spec[n_name] == '?';
	const char *kind = spec + n_name + (is_optional ? 2 : 1);
	const json_t *value = json_object_getn(arg, spec, n_name);

	if (value == NULL)
		return is_optional ? NULL
				   : schema_message("%.*s: required field missing", (int)n_name,
						     spec);
	if (is_member_good(value, kind, n - (size_t)(kind - spec)))
		return NULL;
	return schema_message("%.*s: expected %s", (int)n_name, spec,
			kind[0] == 'l'   ? "an array of field names"
			: kind[0] == 't' ? "a string"
					 : "a table of validators");
}

static json_t *check_members(const json_t *arg, const char *members)
{
	if (!json_is_object(arg))
		return schema_message("expected a record");
	while (*members != '\0') {
		size_t n = strcspn(members, " ");
		json_t *error = check_member(arg, members, n);

		if (error != NULL)
			return error;
		members += n + (members[n] == ' ' ? 1 : 0);
	}
	return NULL;
}

static json_t *check_one(const char *name, const json_t *arg)
{
	if (strcmp(name, "custom_entity_check") == 0)
		return schema_message("functions are not available in streamed schemas: "
				      "check this in the handler");
	for (size_t i = 0; i < sizeof(known_checks) / sizeof(known_checks[0]); i++) {
		if (strcmp(known_checks[i].name, name) != 0)
			continue;
		if (known_checks[i].members[0] != '\0')
			return check_members(arg, known_checks[i].members);
		return is_name_list(arg) ? NULL
					 : schema_message("expected an array of field names");
	}
	return schema_message("unknown entity check");
}

json_t *schema_meta_entity_checks(const json_t *checks, unsigned int depth)
{
	sl_auto_json *errors = json_object();
	json_t *entry;
	size_t i;

	(void)depth;
	if (!json_is_array(checks) && (!json_is_object(checks) || json_object_size(checks) > 0))
		return schema_message("expected an array");
	json_array_foreach (checks, i, entry) {
		const char *name = json_object_iter_key(json_object_iter(entry));
		json_t *error;

		if (name == NULL || json_object_size(entry) != 1)
			return schema_message("each entry must be a table with one check");
		error = check_one(name, json_object_get(entry, name));
		if (error != NULL)
			json_object_set_new(errors, name, error);
	}
	return json_object_size(errors) > 0 ? json_incref(errors) : NULL;
}

static bool is_replacement_good(const json_t *def)
{
	const json_t *list = json_object_get(json_object_get(def, "deprecation"), "replaced_with");
	json_t *target;
	size_t i;

	if (list == NULL)
		return is_name_list(json_object_get(def, "translate_backwards"));
	json_array_foreach (list, i, target) {
		if (!is_name_list(json_object_get(target, "path")))
			return false;
	}
	return json_array_size(list) > 0;
}

static json_t *check_shorthand(const json_t *def, unsigned int depth)
{
	const char *type = json_string_value(json_object_get(def, "type"));

	if (json_object_get(def, "func") == NULL && !is_replacement_good(def))
		return schema_message(
				"must say where its value goes: deprecation = { replaced_with "
				"= { { path = { \"field\" } } } }");
	if (type != NULL && (strcmp(type, "record") == 0 || strcmp(type, "foreign") == 0))
		return schema_message("a shorthand cannot be of type '%s'", type);
	return schema_meta_field(def, depth + 1);
}

json_t *schema_meta_shorthands(const json_t *list, unsigned int depth)
{
	sl_auto_json *errors = json_object();
	json_t *entry;
	size_t i;

	json_array_foreach (list, i, entry) {
		const char *name = json_object_iter_key(json_object_iter(entry));
		json_t *error;

		if (name == NULL || json_object_size(entry) != 1)
			return schema_message("each entry must be a table with one field");
		error = check_shorthand(json_object_get(entry, name), depth);
		if (error != NULL)
			json_object_set_new(errors, name, error);
	}
	return json_object_size(errors) > 0 ? json_incref(errors) : NULL;
}
