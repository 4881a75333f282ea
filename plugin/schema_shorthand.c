/* SPDX-License-Identifier: Apache-2.0
 *
 * Shorthand fields: names that are accepted on input and stored under others.  In a JSON
 * form a shorthand has no function; it says where its value goes:
 *	{"<name>":{"type":…,"deprecation":{"replaced_with":[{"path":["a","b"]}]}}}
 * or, without a deprecation, "translate_backwards":["a","b"].  A deprecated shorthand loses to the
 * field that replaces it, and must not contradict it; one that is not deprecated wins.
 */
#include "plugin/schema.h"
#include "plugin/schema_part.h"

#include <string.h>

static const json_t *shorthand_of(const json_t *record_def, const char *name)
{
	json_t *entry;
	size_t i;

	json_array_foreach (json_object_get(record_def, "shorthand_fields"), i, entry) {
		const json_t *def = json_object_get(entry, name);

		if (def != NULL)
			return def;
	}
	return NULL;
}

static size_t n_targets(const json_t *def)
{
	const json_t *list = json_object_get(json_object_get(def, "deprecation"), "replaced_with");

	if (list == NULL)
		return json_object_get(def, "translate_backwards") != NULL;
	return json_array_size(list);
}

static const json_t *target_path(const json_t *def, size_t i)
{
	const json_t *list = json_object_get(json_object_get(def, "deprecation"), "replaced_with");

	if (list == NULL)
		return json_object_get(def, "translate_backwards");
	return json_object_get(json_array_get(list, i), "path");
}

static bool is_deprecated(const json_t *def)
{
	return json_object_get(def, "deprecation") != NULL;
}

static json_t *value_at(const json_t *record, const json_t *path)
{
	const json_t *at = record;
	json_t *name;
	size_t i;

	json_array_foreach (path, i, name)
		at = json_object_get(at, json_string_value(name));
	return schema_each(at);
}

/* Makes records on the way; a value that is no record is left for the check to name. */
static void set_at(json_t *record, const json_t *path, const json_t *value)
{
	json_t *at = record;
	size_t n = json_array_size(path);

	for (size_t i = 0; i + 1 < n; i++) {
		const char *name = json_string_value(json_array_get(path, i));
		json_t *inner = json_object_get(at, name);

		/* A copy: the caller's input is not to change below the top. */
		inner = json_is_object(inner) ? json_copy(inner) : json_object();
		json_object_set_new(at, name, inner);
		at = inner;
	}
	json_object_set_new(
			at, json_string_value(json_array_get(path, n - 1)), json_deep_copy(value));
}

/* The first replacing field that says something else, its path in *ret_path; or NULL. */
static const json_t *contradiction(const json_t *def, const json_t *record, const json_t *value,
		const json_t **ret_path)
{
	for (size_t i = 0; is_deprecated(def) && i < n_targets(def); i++) {
		const json_t *path = target_path(def, i);
		const json_t *there = value_at(record, path);

		if (there != NULL && !json_is_null(there) && !json_equal(there, value)) {
			*ret_path = path;
			return there;
		}
	}
	return NULL;
}

static bool is_good(const json_t *def, const json_t *record, const json_t *value)
{
	const json_t *path;
	sl_auto_json *error = NULL;

	return schema_check_field(def, value, &error) &&
	       (json_is_null(value) || contradiction(def, record, value, &path) == NULL);
}

void schema_expand_shorthands(const json_t *record_def, json_t *record)
{
	json_t *entry;
	size_t i;

	json_array_foreach (json_object_get(record_def, "shorthand_fields"), i, entry) {
		const char *name = json_object_iter_key(json_object_iter(entry));
		const json_t *def = json_object_get(entry, name);
		sl_auto_json *value = json_incref(json_object_get(record, name));

		if (value == NULL || !is_good(def, record, value))
			continue;
		json_object_del(record, name);
		for (size_t k = 0; k < n_targets(def); k++) {
			const json_t *path = target_path(def, k);

			if (!is_deprecated(def) || value_at(record, path) == NULL)
				set_at(record, path, value);
		}
	}
}

void schema_show_shorthands(const json_t *record_form, json_t *record)
{
	json_t *entry;
	size_t i;

	json_array_foreach (json_object_get(record_form, "fields"), i, entry) {
		const char *name = json_object_iter_key(json_object_iter(entry));
		json_t *inner = name != NULL ? json_object_get(record, name) : NULL;

		if (json_is_object(inner))
			schema_show_shorthands(json_object_get(entry, name), inner);
	}
	json_array_foreach (json_object_get(record_form, "shorthand_fields"), i, entry) {
		const char *name = json_object_iter_key(json_object_iter(entry));
		const json_t *def = name != NULL ? json_object_get(entry, name) : NULL;
		const json_t *path = json_object_get(def, "translate_backwards");
		const json_t *value;

		if (path == NULL && n_targets(def) > 0)
			path = target_path(def, 0);
		value = path != NULL ? value_at(record, path) : NULL;
		if (value != NULL && json_object_get(record, name) == NULL)
			json_object_set_new(record, name, json_deep_copy(value));
	}
}

static void print_path(struct buf *out, const json_t *path)
{
	json_t *name;
	size_t i;

	json_array_foreach (path, i, name)
		buf_printf(out, "%s%s", i > 0 ? "." : "", json_string_value(name));
}

int schema_check_shorthand(const json_t *record_def, const json_t *record, const char *name,
		json_t **ret_error)
{
	const json_t *def = shorthand_of(record_def, name);
	const json_t *value = json_object_get(record, name);
	const json_t *path = NULL;
	const json_t *there;
	sl_auto_buf text = {0};

	if (def == NULL)
		return 0;
	if (!schema_check_field(def, value, ret_error))
		return 1;
	there = contradiction(def, record, value, &path);
	buf_printf(&text, "both deprecated and new field are used but their values mismatch: %s = ",
			name);
	schema_print_value(&text, value);
	buf_printf(&text, " vs ");
	print_path(&text, path);
	buf_printf(&text, " = ");
	schema_print_value(&text, there);
	*ret_error = json_stringn(text.p, text.n);
	return 1;
}
