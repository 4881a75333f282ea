/* SPDX-License-Identifier: Apache-2.0
 *
 * One value against one definition: null, type, members, validators, in that order.
 */
#include "plugin/schema_part.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/hex.h"
#include "plugin/schema_json.h"
#include "plugin/schema_table.h"

struct type_row {
	const char *name;
	enum schema_type type;
	const char *message;
};

static const struct type_row types[] = {
#define X(name, type, needs, message) {name, type, message},
		SCHEMA_TYPE_TABLE(X)
#undef X
};

enum { N_TYPES = sizeof(types) / sizeof(types[0]) };

enum schema_type schema_type_of(const char *name)
{
	for (size_t i = 0; i < N_TYPES; i++) {
		if (strcmp(types[i].name, name) == 0)
			return types[i].type;
	}
	return (enum schema_type)0;
}

enum schema_type schema_def_type(const json_t *def)
{
	const char *name = json_string_value(json_object_get(def, "type"));

	return name != NULL ? schema_type_of(name) : SCHEMA_ANY;
}

static json_t *message_of(const char *fmt, va_list ap) __attribute__((format(printf, 1, 0)));

static json_t *message_of(const char *fmt, va_list ap)
{
	sl_auto_mem char *text = NULL;
	int n = vasprintf(&text, fmt, ap);

	if (n < 0) {
		text = NULL;
		return NULL;
	}
	return json_stringn(text, (size_t)n);
}

json_t *schema_message(const char *fmt, ...)
{
	json_t *message;
	va_list ap;

	va_start(ap, fmt);
	message = message_of(fmt, ap);
	va_end(ap);
	return message;
}

bool schema_fail(json_t **ret_error, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	*ret_error = message_of(fmt, ap);
	va_end(ap);
	return false;
}

static bool fail_type(const json_t *def, json_t **ret_error)
{
	enum schema_type type = schema_def_type(def);

	for (size_t i = 0; i < N_TYPES; i++) {
		if (types[i].type == type)
			return schema_fail(ret_error, "%s", types[i].message);
	}
	return schema_fail(ret_error, "unexpected value");
}

/* The field's own `err` replaces what a validator says. */
static bool fail_validator(const json_t *def, const char *text, json_t **ret_error)
{
	const char *own = json_string_value(json_object_get(def, "err"));

	return schema_fail(ret_error, "%s", own != NULL ? own : text);
}

bool schema_is_reference(const json_t *def, const json_t *value)
{
	const char *text = json_string_value(value);
	size_t n = text != NULL ? json_string_length(value) : 0;

	return json_is_true(json_object_get(def, "referenceable")) && n > 9 &&
	       memcmp(text, "{vault://", 9) == 0 && text[n - 1] == '}';
}

bool schema_has_reference(const json_t *def, const json_t *value)
{
	const json_t *inner = json_object_get(def, "elements");
	json_t *member;
	const char *key;
	size_t i;

	if (schema_is_reference(def, value))
		return true;
	json_array_foreach (value, i, member) {
		if (inner != NULL && schema_has_reference(inner, member))
			return true;
	}
	if (!json_is_object(value))
		return false;
	inner = json_object_get(def, "values");
	json_object_foreach (schema_each(value), key, member) {
		const json_t *fields = json_object_get(def, "@fields");
		const json_t *member_def = fields != NULL ? json_object_get(fields, key) : inner;

		if (member_def != NULL && schema_has_reference(member_def, member))
			return true;
	}
	return false;
}

static bool check_elements(const json_t *def, const json_t *list, json_t **ret_error)
{
	const json_t *elements = json_object_get(def, "elements");
	sl_auto_json *errors = json_array();
	bool is_good = true;
	json_t *element;
	size_t i;

	json_array_foreach (list, i, element) {
		json_t *error = NULL;

		if (schema_check_field(elements, element, &error))
			continue;
		is_good = false;
		while (json_array_size(errors) < i) {
			if (json_array_append_new(errors, json_null()) != 0)
				return false;
		}
		json_array_append_new(errors, error);
	}
	if (!is_good)
		*ret_error = json_incref(errors);
	return is_good;
}

static bool check_map(const json_t *def, const json_t *map, json_t **ret_error)
{
	const json_t *keys = json_object_get(def, "keys");
	const json_t *values = json_object_get(def, "values");
	const char *key;
	json_t *value;
	size_t n;

	json_object_keylen_foreach(schema_each(map), key, n, value)
	{
		sl_auto_json *name = json_stringn(key, n);

		if (!schema_check_field(keys, name, ret_error))
			return false;
		if (!schema_check_field(values, value, ret_error))
			return false;
	}
	return true;
}

static bool check_foreign(const json_t *value, json_t **ret_error)
{
	const json_t *id = json_object_get(value, "id");
	struct str text = {json_string_value(id), json_string_length(id)};

	if (!json_is_object(value))
		return schema_fail(ret_error, "expected a record");
	if (id == NULL)
		*ret_error = json_pack("{s:s}", "id", "missing primary key");
	else if (json_is_null(id))
		*ret_error = json_pack("{s:s}", "id", "required field missing");
	else if (!json_is_string(id))
		*ret_error = json_pack("{s:s}", "id", "expected a string");
	else if (!uuid_is_valid(text))
		*ret_error = json_pack("{s:s}", "id", "expected a valid UUID");
	return json_is_string(id) && uuid_is_valid(text);
}

static bool is_integer(const json_t *value)
{
	double real = json_real_value(value);

	return json_is_integer(value) ||
	       (json_is_real(value) && isfinite(real) && floor(real) == real);
}

/* Scalars: the type alone.  Containers: their members too. */
static bool check_type(const json_t *def, const json_t *value, json_t **ret_error)
{
	enum schema_type type = schema_def_type(def);

	if (type == SCHEMA_STRING)
		return json_is_string(value) || fail_type(def, ret_error);
	if (type == SCHEMA_NUMBER)
		return json_is_number(value) || fail_type(def, ret_error);
	if (type == SCHEMA_INTEGER)
		return is_integer(value) || fail_type(def, ret_error);
	if (type == SCHEMA_BOOLEAN)
		return json_is_boolean(value) || fail_type(def, ret_error);
	if (type == SCHEMA_ARRAY || type == SCHEMA_SET)
		return json_is_array(value) ? check_elements(def, value, ret_error)
					    : fail_type(def, ret_error);
	if (type == SCHEMA_MAP)
		return json_is_object(value) ? check_map(def, value, ret_error)
					     : fail_type(def, ret_error);
	if (type == SCHEMA_RECORD)
		return json_is_object(value) ? schema_check_record(def, value, NULL, ret_error)
					     : fail_type(def, ret_error);
	if (type == SCHEMA_FOREIGN)
		return check_foreign(value, ret_error);
	if (type == SCHEMA_JSON)
		return schema_json_check(json_object_get(def, "json_schema"), value, ret_error);
	return true;
}

static bool check_null(const json_t *def, json_t **ret_error)
{
	const json_t *eq = json_object_get(def, "eq");
	sl_auto_buf text = {0};

	if (json_is_null(json_object_get(def, "ne")))
		return fail_validator(def, "value must not be null", ret_error);
	if (eq != NULL && !json_is_null(eq)) {
		buf_printf(&text, "value must be ");
		schema_print_value(&text, eq);
		return fail_validator(def, buf_z(&text), ret_error);
	}
	if (json_is_true(json_object_get(def, "required")))
		return schema_fail(ret_error, "required field missing");
	return true;
}

bool schema_check_field(const json_t *def, const json_t *value, json_t **ret_error)
{
	sl_auto_buf text = {0};

	*ret_error = NULL;
	if (value == NULL || json_is_null(value))
		return check_null(def, ret_error);
	if (json_is_null(json_object_get(def, "eq")))
		return fail_validator(def, "value must be null", ret_error);
	if (json_is_true(json_object_get(def, "abstract")))
		return schema_fail(ret_error,
				"error in schema definition: abstract field was not specialized");
	if (schema_is_reference(def, value))
		return true;
	if (!check_type(def, value, ret_error))
		return false;
	if (schema_run_validators(def, value, &text))
		return true;
	return text.is_failed ? false : fail_validator(def, buf_z(&text), ret_error);
}

static void check_member(const json_t *def, const json_t *record, const char *name,
		const json_t *value, json_t *errors)
{
	const json_t *field = json_object_get(json_object_get(def, "@fields"), name);
	json_t *error = NULL;

	/* These two are the gateway's own, whatever their definition says. */
	if (field != NULL && (strcmp(name, "ttl") == 0 || strcmp(name, "updated_at") == 0))
		return;
	if (field == NULL) {
		if (schema_check_shorthand(def, record, name, &error) == 0)
			error = schema_message("unknown field");
		json_object_set_new(errors, name, error);
	} else if (!schema_check_field(field, value, &error)) {
		json_object_set_new(errors, name, error);
	}
}

/* An update speaks of the fields it names; of all when one of its names is a shorthand, which
 * stands for others. */
static bool speaks_of_all(const json_t *def, const json_t *given)
{
	const json_t *fields = json_object_get(def, "@fields");
	const char *name;
	json_t *value;

	json_object_foreach (schema_each(given), name, value) {
		if (json_object_get(fields, name) == NULL)
			return true;
	}
	return given == NULL;
}

/* Stored values that an update leaves alone were good when they came. */
static bool is_left_alone(const json_t *def, const json_t *given, const char *name)
{
	return json_object_get(given, name) == NULL &&
	       json_object_get(json_object_get(def, "@fields"), name) != NULL;
}

bool schema_check_record(
		const json_t *def, const json_t *record, const json_t *given, json_t **ret_errors)
{
	sl_auto_json *errors = json_object();
	bool is_whole = speaks_of_all(def, given);
	const char *name;
	json_t *value;

	json_object_foreach (schema_each(record), name, value) {
		if (is_whole || !is_left_alone(def, given, name))
			check_member(def, record, name, value, errors);
	}
	json_object_foreach (json_object_get(def, "@fields"), name, value) {
		if (json_is_true(json_object_get(value, "required")) &&
				json_object_get(record, name) == NULL)
			json_object_set_new(errors, name, schema_message("required field missing"));
	}
	schema_run_entity_checks(def, record, given, errors);
	if (json_object_size(errors) == 0)
		return errors != NULL;
	*ret_errors = json_incref(errors);
	return false;
}

json_t *schema_get_path(const json_t *record, const char *path)
{
	const char *dot;
	json_t *at = json_object_get(record, path);

	while (at == NULL && (dot = strchr(path, '.')) != NULL) {
		record = json_object_getn(record, path, (size_t)(dot - path));
		path = dot + 1;
		at = json_object_get(record, path);
	}
	return at;
}

const json_t *schema_def_path(const json_t *record_def, const char *path)
{
	const char *dot;
	const json_t *fields = json_object_get(record_def, "@fields");
	const json_t *at = json_object_get(fields, path);

	while (at == NULL && (dot = strchr(path, '.')) != NULL) {
		record_def = json_object_getn(fields, path, (size_t)(dot - path));
		path = dot + 1;
		fields = json_object_get(record_def, "@fields");
		at = json_object_get(fields, path);
	}
	return at;
}
