/* SPDX-License-Identifier: Apache-2.0
 *
 * Random schemas, and values that mostly fit them; the same in every run.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include <jansson.h>

static uint64_t random_state = 20261124;

static inline unsigned int below(unsigned int n)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (unsigned int)((random_state >> 20) % n);
}

static const char *const names[] = {"a", "b", "c", "d"};
static const char *const types[] = {
		"string", "number", "integer", "boolean", "array", "set", "map", "record"};

static inline json_t *random_scalar(void)
{
	static const char *const texts[] = {"", "a", "b", "ab", "abc"};

	switch (below(4)) {
	case 0:
		return json_integer((int)below(5) - 1);
	case 1:
		return json_real(((int)below(9) - 2) / 2.0);
	case 2:
		return json_boolean(below(2));
	default:
		return json_string(texts[below(5)]);
	}
}

static inline json_t *random_list(unsigned int n)
{
	json_t *out = json_array();

	while (json_array_size(out) < n)
		json_array_append_new(out, random_scalar());
	return out;
}

static inline json_t *random_fields(unsigned int depth);

static inline json_t *random_checks(void)
{
	static const char *const checks[] = {"at_least_one_of", "only_one_of", "mutually_required",
			"mutually_exclusive", "distinct"};
	json_t *out = json_array();

	for (unsigned int n = below(3); n > 0; n--)
		json_array_append_new(out, json_pack("{s:[s,s]}", checks[below(5)], names[below(2)],
							   names[2 + below(2)]));
	return out;
}

static inline void add_validators(json_t *def, const char *type)
{
	bool is_text = strcmp(type, "string") == 0;
	bool is_number = strcmp(type, "number") == 0 || strcmp(type, "integer") == 0;
	bool is_long = !is_number && strcmp(type, "boolean") != 0 && strcmp(type, "record") != 0;

	if (is_number && below(4) == 0)
		json_object_set_new(def, "between", json_pack("[i,i]", 0, (int)below(3)));
	if (is_number && below(6) == 0)
		json_object_set_new(def, "gt", json_integer(below(2)));
	if ((is_number || is_text) && below(5) == 0)
		json_object_set_new(def, "one_of", random_list(3));
	if (below(8) == 0)
		json_object_set_new(def, "not_one_of", random_list(2));
	if (below(12) == 0)
		json_object_set_new(def, "eq", random_scalar());
	if (below(8) == 0)
		json_object_set_new(def, "ne", random_scalar());
	if (is_text && below(6) == 0)
		json_object_set_new(def, "starts_with", json_string("a"));
	if (is_long && below(6) == 0)
		json_object_set_new(def, "len_eq", json_integer(below(3)));
	if (is_long && below(5) == 0)
		json_object_set_new(def, "len_min", json_integer(below(3)));
	if (is_long && below(5) == 0)
		json_object_set_new(def, "len_max", json_integer(below(3)));
}

static inline json_t *random_def(unsigned int depth)
{
	const char *type = types[below(depth < 2 ? 8 : 4)];
	json_t *def = json_pack("{s:s}", "type", type);

	if (below(3) == 0)
		json_object_set_new(def, "required", json_boolean(below(2)));
	if (strcmp(type, "array") == 0 || strcmp(type, "set") == 0)
		json_object_set_new(def, "elements", random_def(depth + 1));
	if (strcmp(type, "map") == 0) {
		json_object_set_new(def, "keys", json_pack("{s:s}", "type", "string"));
		json_object_set_new(def, "values", random_def(depth + 1));
	}
	if (strcmp(type, "record") == 0) {
		json_object_set_new(def, "fields", random_fields(depth + 1));
		json_object_set_new(def, "entity_checks", random_checks());
	}
	if (strcmp(type, "boolean") == 0 && below(3) == 0)
		json_object_set_new(def, "default", json_boolean(below(2)));
	else
		add_validators(def, type);
	return def;
}

static inline json_t *random_fields(unsigned int depth)
{
	json_t *out = json_array();

	for (size_t i = 0; i < 4; i++)
		json_array_append_new(out, json_pack("{s:o}", names[i], random_def(depth)));
	return out;
}

static inline json_t *random_value(const json_t *def);

static inline json_t *random_members(const json_t *fields)
{
	json_t *out = json_object();
	json_t *entry, *def;
	const char *name;
	size_t i;

	json_array_foreach (fields, i, entry) {
		json_object_foreach (entry, name, def) {
			if (below(4) != 0)
				json_object_set_new(out, name, random_value(def));
		}
	}
	if (below(12) == 0)
		json_object_set_new(out, "unknown", random_scalar());
	return out;
}

static inline json_t *random_value(const json_t *def)
{
	const json_t *elements = json_object_get(def, "elements");
	const json_t *values = json_object_get(def, "values");
	json_t *out;

	if (below(10) == 0)
		return json_null();
	if (below(12) == 0)
		return below(2) ? json_object() : json_array();
	if (below(10) == 0)
		return random_scalar();
	if (elements != NULL) {
		out = json_array();
		for (unsigned int n = below(4); n > 0; n--)
			json_array_append_new(out, random_value(elements));
		return out;
	}
	if (values != NULL) {
		out = json_object();
		for (unsigned int n = below(2); n > 0; n--)
			json_object_set_new(out, names[below(4)], random_value(values));
		return out;
	}
	if (json_object_get(def, "fields") != NULL)
		return random_members(json_object_get(def, "fields"));
	for (;;) {
		const char *type = json_string_value(json_object_get(def, "type"));

		out = random_scalar();
		if ((json_is_string(out) && type[0] == 's') ||
				(json_is_number(out) && (type[0] == 'n' || type[0] == 'i')) ||
				(json_is_boolean(out) && type[0] == 'b'))
			return out;
		json_decref(out);
	}
}
