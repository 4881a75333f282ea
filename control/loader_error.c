/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "control/fault.h"
#include "control/loader_apply.h"

static const char *text_of(const json_t *o, const char *field)
{
	const char *s = json_string_value(json_object_get(o, field));

	return s != NULL ? s : "";
}

char *loader_error_line(const json_t *error, const char *name)
{
	int line = (int)json_integer_value(json_object_get(error, "line"));
	const char *path = text_of(error, "path");
	sl_auto_buf text = {0};

	buf_printf(&text, "%s", name);
	if (line > 0)
		buf_printf(&text, ":%d", line);
	if (path[0] != '\0')
		buf_printf(&text, ": %s", path);
	buf_printf(&text, ": %s", text_of(error, "message"));
	return strdup(text.is_failed ? "out of memory" : buf_z(&text));
}

/* ---- flattened: one object per entity ---- */

static void add_flat_error(json_t *entry, const json_t *error)
{
	const char *field = json_string_value(json_object_get(error, "field"));
	json_t *one;

	if (field != NULL && field[0] != '\0')
		one = json_pack("{s:s, s:s, s:O}", "type", "field", "field", field, "message",
				json_object_get(error, "message"));
	else
		one = json_pack("{s:s, s:O}", "type", "entity", "message",
				json_object_get(error, "message"));
	json_array_append_new(json_object_get(entry, "errors"), one);
}

static json_t *flat_entry(const struct declarative_entity *e)
{
	json_t *entry = json_pack("{s:s, s:O, s:[]}", "entity_type", entity_def(e->type)->singular,
			"entity", e->input, "errors");
	const json_t *name = json_object_get(e->input, entity_def(e->type)->endpoint_key);
	json_t *tags = json_object_get(e->input, "tags");

	json_object_set(entry, "entity_id", json_object_get(e->input, "id"));
	if (json_is_string(name))
		json_object_set_new(entry, "entity_name", json_string(json_string_value(name)));
	if (tags != NULL)
		json_object_set(entry, "entity_tags", tags);
	return entry;
}

static json_t *flattened(const struct declarative *d)
{
	json_t *list = json_array(), *by_entity = json_object(), *error;
	size_t i;

	json_array_foreach (d->errors, i, error) {
		const json_t *at = json_object_get(error, "entity");
		json_t *entry;
		char key[24];

		if (at == NULL)
			continue;
		snprintf(key, sizeof(key), "%lld", (long long)json_integer_value(at));
		entry = json_object_get(by_entity, key);
		if (entry == NULL) {
			entry = flat_entry(&d->v[json_integer_value(at)]);
			json_object_set_new(by_entity, key, entry);
			json_array_append(list, entry);
		}
		add_flat_error(entry, error);
	}
	json_decref(by_entity);
	return list;
}

/* ---- nested: the shape of the file ---- */

static void add_nested_error(json_t *fields, const json_t *error)
{
	const char *path = text_of(error, "path");
	json_t *list = json_object_get(fields, path[0] != '\0' ? path : "@entity");

	if (list != NULL)
		json_array_append(list, json_object_get(error, "message"));
	else
		json_object_set_new(fields, path[0] != '\0' ? path : "@entity",
				json_pack("[O]", json_object_get(error, "message")));
}

json_t *loader_error_body(const struct declarative *d, const char *name, bool is_flatten)
{
	struct fault fault = {0};
	json_t *fields = json_object(), *places = json_array(), *error, *body;
	sl_auto_buf text = {0};
	size_t i;

	json_array_foreach (d->errors, i, error) {
		sl_auto_mem char *line = loader_error_line(error, name);

		buf_printf(&text, "%s%s", i != 0 ? "; " : "", line);
		json_array_append_new(
				places, json_pack("{s:s, s:O, s:O, s:O}", "file", name, "line",
							json_object_get(error, "line"), "path",
							json_object_get(error, "path"), "message",
							json_object_get(error, "message")));
		if (!is_flatten || json_object_get(error, "entity") == NULL)
			add_nested_error(fields, error);
	}
	fault_set(&fault, FAULT_DECLARATIVE_CONFIG, fields, "declarative config is invalid: %s",
			text.n != 0 ? buf_z(&text) : "");
	body = json_incref(fault.body);
	fault_done(&fault);
	json_object_set_new(body, "errors", places);
	if (is_flatten)
		json_object_set_new(body, "flattened_errors", flattened(d));
	return body;
}
