/* SPDX-License-Identifier: Apache-2.0
 *
 * What a value becomes before it is checked: defaults, generated values, expanded records,
 * sets without duplicates.  Bad values pass unchanged: the check names them.
 */
#include "plugin/schema_part.h"

#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "base/hex.h"
#include "plugin/schema.h"

/* Beyond it a double no longer holds every integer. */
#define INTEGER_MAX_IN_REAL 9007199254740992.0

static json_t *fill_integer(const json_t *value)
{
	double real = json_real_value(value);

	if (json_is_real(value) && floor(real) == real && fabs(real) <= INTEGER_MAX_IN_REAL)
		return json_integer((json_int_t)real);
	return json_deep_copy(value);
}

/* Equal members have equal texts: 2.0 is 2. */
static char *text_of_member(const json_t *member)
{
	sl_auto_json *number = json_is_real(member) ? fill_integer(member) : NULL;

	return json_dumps(number != NULL ? number : member,
			JSON_COMPACT | JSON_ENCODE_ANY | JSON_SORT_KEYS);
}

/* Keeps the first of equal members; order stays. */
json_t *schema_dedup(const json_t *list)
{
	sl_auto_json *seen = json_object();
	json_t *out = json_array();
	json_t *member;
	size_t i;

	json_array_foreach (list, i, member) {
		sl_auto_mem char *key = text_of_member(member);

		if (key == NULL || json_object_get(seen, key) != NULL)
			continue;
		json_object_set_new(seen, key, json_true());
		json_array_append(out, member);
	}
	return out;
}

static json_t *fill_list(const json_t *def, const json_t *list)
{
	const json_t *elements = json_object_get(def, "elements");
	sl_auto_json *out = json_array();
	json_t *member;
	size_t i;

	json_array_foreach (list, i, member)
		json_array_append_new(out, schema_fill_field(elements, member));
	return schema_def_type(def) == SCHEMA_SET ? schema_dedup(out) : json_incref(out);
}

static json_t *fill_map(const json_t *def, const json_t *map)
{
	const json_t *values = json_object_get(def, "values");
	json_t *out = json_object();
	const char *key;
	json_t *value;

	json_object_foreach (schema_each(map), key, value)
		json_object_set_new(out, key, schema_fill_field(values, value));
	return out;
}

/* {} and [] are one thing in Lua, so they are one here. */
static bool is_empty_table(const json_t *value)
{
	return (json_is_array(value) && json_array_size(value) == 0) ||
	       (json_is_object(value) && json_object_size(value) == 0);
}

static json_t *fill_present(const json_t *def, const json_t *value)
{
	enum schema_type type = schema_def_type(def);

	if (type == SCHEMA_INTEGER)
		return fill_integer(value);
	if (type == SCHEMA_ARRAY || type == SCHEMA_SET) {
		if (json_is_array(value))
			return fill_list(def, value);
		return is_empty_table(value) ? json_array() : json_deep_copy(value);
	}
	if (type == SCHEMA_MAP && json_is_object(value))
		return fill_map(def, value);
	if (type == SCHEMA_RECORD && json_is_object(value))
		return schema_fill_record(def, value);
	if ((type == SCHEMA_MAP || type == SCHEMA_RECORD) && is_empty_table(value))
		return type == SCHEMA_MAP ? json_object() : schema_fill_record(def, NULL);
	return json_deep_copy(value);
}

json_t *schema_fill_field(const json_t *def, const json_t *value)
{
	bool is_required = json_is_true(json_object_get(def, "required"));

	if (json_is_true(json_object_get(def, "abstract")))
		return json_deep_copy(value);
	if (value == NULL)
		value = json_object_get(def, "default");
	if (value != NULL)
		return json_is_null(value) ? json_null() : fill_present(def, value);
	if (is_required && schema_def_type(def) == SCHEMA_RECORD)
		return schema_fill_record(def, NULL);
	return is_required ? NULL : json_null();
}

/* 32 letters and digits, as keys and tokens are made. */
static json_t *random_string(void)
{
	unsigned char bytes[24];
	char text[49];

	random_bytes(bytes, sizeof(bytes));
	hex_encode(bytes, sizeof(bytes), text);
	return json_stringn(text, 32);
}

static json_t *make_now(const json_t *def)
{
	uint64_t ms = clock_real_ns() / 1000000U;

	if (schema_def_type(def) == SCHEMA_INTEGER)
		return json_integer((json_int_t)(ms / 1000U));
	return json_real((double)ms / 1000.0);
}

/* NULL = this field is not generated here and now. */
static json_t *make_auto(const char *name, const json_t *def, const json_t *value)
{
	bool is_absent = value == NULL || json_is_null(value);
	char uuid[UUID_TEXT_BYTES];

	if (!json_is_true(json_object_get(def, "auto")))
		return NULL;
	if (strcmp(name, "updated_at") == 0)
		return make_now(def);
	if (!is_absent)
		return NULL;
	if (strcmp(name, "created_at") == 0)
		return make_now(def);
	if (value != NULL || schema_def_type(def) != SCHEMA_STRING)
		return NULL;
	if (!json_is_true(json_object_get(def, "uuid")))
		return random_string();
	uuid_make(uuid);
	return json_string(uuid);
}

json_t *schema_fill_record(const json_t *def, const json_t *input)
{
	const json_t *fields = json_object_get(def, "@fields");
	sl_auto_json *given = input != NULL ? json_copy(schema_each(input)) : json_object();
	json_t *out = json_object();
	const char *name;
	json_t *field, *value;

	schema_expand_shorthands(def, given);
	json_object_foreach (schema_each(fields), name, field) {
		const json_t *had = json_object_get(given, name);

		value = make_auto(name, field, had);
		if (value == NULL)
			value = schema_fill_field(field, had);
		if (value != NULL)
			json_object_set_new(out, name, value);
	}
	json_object_foreach (given, name, value) {
		if (json_object_get(fields, name) == NULL)
			json_object_set_new(out, name, json_deep_copy(value));
	}
	return out;
}
