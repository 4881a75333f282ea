/* SPDX-License-Identifier: Apache-2.0
 *
 * Form bodies hold strings only: the schema says what they were meant to be.  What cannot
 * be read as its type stays a string, so that validation names it.
 */
#include "plugin/schema_part.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static json_t *coerce_field(const json_t *def, const json_t *value);

/* Decimal or hexadecimal, whole text; NULL = no number. */
static json_t *to_number(const char *text, bool is_integer)
{
	char *end;
	double real;
	long long integer;

	if (*text == '\0')
		return NULL;
	errno = 0;
	integer = strtoll(text, &end, 10);
	if (*end == '\0' && errno == 0)
		return json_integer(integer);
	real = strtod(text, &end);
	if (*end != '\0' || !isfinite(real))
		return NULL;
	if (is_integer && floor(real) == real && fabs(real) < 9007199254740992.0)
		return json_integer((json_int_t)real);
	return json_real(real);
}

static json_t *to_boolean(const char *text)
{
	if (strcmp(text, "true") == 0)
		return json_true();
	return strcmp(text, "false") == 0 ? json_false() : NULL;
}

/* "a,b,c" → its trimmed parts. */
static json_t *to_list(const json_t *def, const char *text)
{
	json_t *out = json_array();
	struct str rest = str_of(text);

	for (;;) {
		ptrdiff_t comma = str_find_char(rest, ',');
		struct str part = str_trim(comma < 0 ? rest : str_head(rest, (size_t)comma));
		sl_auto_json *item = json_stringn(part.p, part.n);

		json_array_append_new(out, coerce_field(json_object_get(def, "elements"), item));
		if (comma < 0)
			return out;
		rest = str_from(rest, (size_t)comma + 1);
	}
}

static json_t *coerce_list(const json_t *def, const json_t *list)
{
	json_t *out = json_array();
	json_t *member;
	size_t i;

	json_array_foreach (list, i, member)
		json_array_append_new(out, coerce_field(json_object_get(def, "elements"), member));
	return out;
}

static json_t *coerce_map(const json_t *def, const json_t *map)
{
	json_t *out = json_object();
	const char *key;
	json_t *value;

	json_object_foreach (schema_each(map), key, value)
		json_object_set_new(out, key, coerce_field(json_object_get(def, "values"), value));
	return out;
}

static json_t *coerce_text(const json_t *def, const json_t *value)
{
	enum schema_type type = schema_def_type(def);
	const char *text = json_string_value(value);
	json_t *out = NULL;

	if (*text == '\0')
		return json_null();
	if (type == SCHEMA_NUMBER || type == SCHEMA_INTEGER)
		out = to_number(text, type == SCHEMA_INTEGER);
	else if (type == SCHEMA_BOOLEAN)
		out = to_boolean(text);
	else if (type == SCHEMA_ARRAY || type == SCHEMA_SET)
		out = to_list(def, text);
	return out != NULL ? out : json_incref(schema_each(value));
}

static json_t *coerce_field(const json_t *def, const json_t *value)
{
	enum schema_type type = schema_def_type(def);

	if (json_is_string(value))
		return coerce_text(def, value);
	if ((type == SCHEMA_ARRAY || type == SCHEMA_SET) && json_is_array(value))
		return coerce_list(def, value);
	if (type == SCHEMA_MAP && json_is_object(value))
		return coerce_map(def, value);
	if (type == SCHEMA_RECORD && json_is_object(value))
		return schema_coerce_record(def, value);
	return json_deep_copy(value);
}

static const json_t *shorthand_def(const json_t *record_def, const char *name)
{
	json_t *entry;
	size_t i;

	json_array_foreach (json_object_get(record_def, "shorthand_fields"), i, entry) {
		if (json_object_get(entry, name) != NULL)
			return json_object_get(entry, name);
	}
	return NULL;
}

json_t *schema_coerce_record(const json_t *def, const json_t *input)
{
	const json_t *fields = json_object_get(def, "@fields");
	json_t *out = json_object();
	const char *name;
	json_t *value;

	if (!json_is_object(input)) {
		json_decref(out);
		return json_deep_copy(input);
	}
	json_object_foreach (schema_each(input), name, value) {
		const json_t *field = json_object_get(fields, name);

		if (field == NULL)
			field = shorthand_def(def, name);
		json_object_set_new(out, name,
				field != NULL ? coerce_field(field, value) : json_deep_copy(value));
	}
	return out;
}
