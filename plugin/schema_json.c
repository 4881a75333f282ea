/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/schema_json.h"

#include <math.h>
#include <string.h>

#include "plugin/schema_part.h"

/* What is wrong and where: the first finding ends the check. */
struct json_check {
	struct buf path, text;
	unsigned int depth;
};

static bool check(struct json_check *c, const json_t *schema, const json_t *value);

static bool is_type(const char *name, const json_t *value)
{
	if (strcmp(name, "object") == 0)
		return json_is_object(value);
	if (strcmp(name, "array") == 0)
		return json_is_array(value);
	if (strcmp(name, "string") == 0)
		return json_is_string(value);
	if (strcmp(name, "boolean") == 0)
		return json_is_boolean(value);
	if (strcmp(name, "null") == 0)
		return json_is_null(value);
	if (strcmp(name, "number") == 0)
		return json_is_number(value);
	return strcmp(name, "integer") == 0 && json_is_number(value) &&
	       floor(json_number_value(value)) >= json_number_value(value);
}

static bool check_type(struct json_check *c, const json_t *type, const json_t *value)
{
	json_t *name;
	size_t i;

	if (json_is_string(type)) {
		if (is_type(json_string_value(type), value))
			return true;
		buf_printf(&c->text, "wrong type: expected %s", json_string_value(type));
		return false;
	}
	json_array_foreach (type, i, name) {
		if (json_is_string(name) && is_type(json_string_value(name), value))
			return true;
	}
	buf_printf(&c->text, "wrong type");
	return !json_is_array(type);
}

static bool check_enum(struct json_check *c, const json_t *list, const json_t *value)
{
	json_t *item;
	size_t i;

	json_array_foreach (list, i, item) {
		if (json_equal(item, value))
			return true;
	}
	buf_printf(&c->text, "matches none of the enum values");
	return false;
}

static bool check_bound(struct json_check *c, const json_t *schema, const char *name, double have,
		bool is_low)
{
	const json_t *bound = json_object_get(schema, name);

	if (!json_is_number(bound))
		return true;
	if (is_low ? have >= json_number_value(bound) : have <= json_number_value(bound))
		return true;
	buf_printf(&c->text, "breaks %s %.14g", name, json_number_value(bound));
	return false;
}

static bool check_bounds(struct json_check *c, const json_t *schema, const json_t *value)
{
	double n = json_is_string(value)   ? (double)json_string_length(value)
		   : json_is_array(value)  ? (double)json_array_size(value)
		   : json_is_object(value) ? (double)json_object_size(value)
					   : json_number_value(value);
	const char *low = json_is_string(value)   ? "minLength"
			  : json_is_array(value)  ? "minItems"
			  : json_is_object(value) ? "minProperties"
						  : "minimum";
	const char *high = json_is_string(value)   ? "maxLength"
			   : json_is_array(value)  ? "maxItems"
			   : json_is_object(value) ? "maxProperties"
						   : "maximum";

	if (json_is_null(value) || json_is_boolean(value))
		return true;
	return check_bound(c, schema, low, n, true) && check_bound(c, schema, high, n, false);
}

static bool check_member(
		struct json_check *c, const json_t *schema, const char *name, const json_t *value)
{
	size_t n = c->path.n;
	bool is_good;

	buf_printf(&c->path, "%s%s", n > 0 ? "." : "", name);
	is_good = check(c, schema, value);
	if (is_good)
		c->path.n = n;
	return is_good;
}

static bool check_required(struct json_check *c, const json_t *schema, const json_t *value)
{
	json_t *name;
	size_t i;

	json_array_foreach (json_object_get(schema, "required"), i, name) {
		if (json_is_string(name) &&
				json_object_get(value, json_string_value(name)) == NULL) {
			buf_printf(&c->text, "property %s is required", json_string_value(name));
			return false;
		}
	}
	return true;
}

static bool check_object(struct json_check *c, const json_t *schema, const json_t *value)
{
	const json_t *properties = json_object_get(schema, "properties");
	const json_t *rest = json_object_get(schema, "additionalProperties");
	const char *name;
	json_t *member;

	json_object_foreach (schema_each(value), name, member) {
		const json_t *inner = json_object_get(properties, name);

		if (inner == NULL && json_is_false(rest)) {
			buf_printf(&c->text, "additional property %s is forbidden", name);
			return false;
		}
		if (!check_member(c, inner != NULL ? inner : rest, name, member))
			return false;
	}
	return check_required(c, schema, value);
}

static bool check_items(struct json_check *c, const json_t *schema, const json_t *value)
{
	const json_t *items = json_object_get(schema, "items");
	json_t *member;
	size_t i;

	json_array_foreach (value, i, member) {
		char place[32];
		const json_t *inner = json_is_array(items) ? json_array_get(items, i) : items;

		snprintf(place, sizeof(place), "%zu", i + 1);
		if (!check_member(c, inner, place, member))
			return false;
	}
	return true;
}

static bool check(struct json_check *c, const json_t *schema, const json_t *value)
{
	const json_t *type = json_object_get(schema, "type");
	const json_t *list = json_object_get(schema, "enum");
	bool is_good;

	if (!json_is_object(schema))
		return true;
	if (++c->depth > SCHEMA_DEPTH_MAX) {
		buf_printf(&c->text, "more than %d levels", SCHEMA_DEPTH_MAX);
		return false;
	}
	is_good = (type == NULL || check_type(c, type, value)) &&
		  (list == NULL || check_enum(c, list, value)) && check_bounds(c, schema, value);
	if (is_good && json_is_object(value))
		is_good = check_object(c, schema, value);
	if (is_good && json_is_array(value))
		is_good = check_items(c, schema, value);
	c->depth--;
	return is_good;
}

bool schema_json_check(const json_t *declaration, const json_t *value, json_t **ret_error)
{
	struct json_check c = {.depth = 0};
	bool is_good = check(&c, json_object_get(declaration, "inline"), value);

	if (!is_good)
		schema_fail(ret_error, "value failed JSON-schema validation: %s%s%s",
				c.path.n > 0 ? buf_z(&c.path) : "", c.path.n > 0 ? ": " : "",
				c.text.n > 0 ? buf_z(&c.text) : "");
	buf_done(&c.path);
	buf_done(&c.text);
	return is_good;
}
