/* SPDX-License-Identifier: Apache-2.0
 *
 * References in a plugin's config.
 */
#include <string.h>

#include "base/cleanup.h"
#include "plugin/schema_part.h"
#include "plugin/vault.h"

#define REFERENCES "$refs"
#define ARENA_MAX (4U << 20)

struct resolver {
	struct arena *arena;
	const struct snap_view *view;
	vault_report_fn *report;
	void *arg;
	const char *field;
};

/* New reference to the value's text. */
static json_t *resolved(struct resolver *r, const json_t *reference)
{
	struct str text = {json_string_value(reference), json_string_length(reference)}, value;
	struct why why = WHY_NONE;
	json_t *json = NULL;

	if (vault_get(r->arena, r->view, text, &value, &why) == 0) {
		json = json_stringn(value.p, value.n);
		if (json == NULL)
			why_set(&why, NULL, 0, "the secret is not UTF-8 text");
	}
	if (json != NULL)
		return json;
	r->report(r->arg, r->field, text.p, why.text);
	return json_string("");
}

static void resolve_record(struct resolver *r, json_t *record, const json_t *fields);

static json_t *resolve_elements(struct resolver *r, json_t *array, const json_t *def)
{
	json_t *references = NULL, *item;
	size_t i;

	json_array_foreach (array, i, item) {
		if (json_is_object(item))
			resolve_record(r, item, json_object_get(def, "fields"));
		if (!schema_is_reference(def, item))
			continue;
		if (references == NULL)
			references = json_array();
		while (json_array_size(references) < i)
			json_array_append_new(references, json_string(""));
		json_array_append(references, item);
		json_array_set_new(array, i, resolved(r, item));
	}
	return references;
}

static json_t *resolve_values(struct resolver *r, json_t *map, const json_t *def)
{
	json_t *references = NULL, *item;
	const char *key;

	json_object_foreach (map, key, item) {
		if (!schema_is_reference(def, item))
			continue;
		if (references == NULL)
			references = json_object();
		json_object_set(references, key, item);
		json_object_set_new(map, key, resolved(r, item));
	}
	return references;
}

/* What is to be kept of the field's references: a new one, or NULL. */
static json_t *resolve_field(struct resolver *r, json_t *record, const char *name, json_t *def)
{
	json_t *item = json_object_get(record, name), *kept;

	r->field = name;
	if (schema_is_reference(def, item)) {
		kept = json_incref(item);
		json_object_set_new(record, name, resolved(r, kept));
		return kept;
	}
	if (json_is_array(item))
		return resolve_elements(r, item, json_object_get(def, "elements"));
	if (!json_is_object(item))
		return NULL;
	if (json_object_get(def, "fields") == NULL)
		return resolve_values(r, item, json_object_get(def, "values"));
	resolve_record(r, item, json_object_get(def, "fields"));
	return NULL;
}

static void resolve_record(struct resolver *r, json_t *record, const json_t *fields)
{
	json_t *references = NULL, *row, *def, *kept;
	const char *name;
	size_t i;

	json_array_foreach (fields, i, row) {
		json_object_foreach (row, name, def) {
			kept = resolve_field(r, record, name, def);
			if (kept == NULL)
				continue;
			if (references == NULL)
				references = json_object();
			json_object_set_new(references, name, kept);
		}
	}
	if (references != NULL)
		json_object_set_new(record, REFERENCES, references);
}

void vault_resolve_config(const struct snap_view *view, json_t *config, json_t *schema,
		vault_report_fn *report, void *arg)
{
	sl_auto(arena) arena = NULL;
	struct resolver r = {.view = view, .report = report, .arg = arg};
	json_t *row, *field;
	size_t i;

	if (!json_is_object(config) || arena_new(&arena, ARENA_MAX) != 0)
		return;
	r.arena = arena;
	json_array_foreach (json_object_get(schema, "fields"), i, row) {
		field = json_object_get(row, "config");
		if (field != NULL)
			resolve_record(&r, config, json_object_get(field, "fields"));
	}
}

static void resolve_named(struct resolver *r, json_t *record, const char *name)
{
	json_t *item = json_object_get(record, name), *references;

	if (!json_is_string(item) || !vault_is_reference((struct str){json_string_value(item),
						     json_string_length(item)}))
		return;
	references = json_object_get(record, REFERENCES);
	if (references == NULL)
		json_object_set_new(record, REFERENCES, references = json_object());
	json_object_set(references, name, item);
	r->field = name;
	json_object_set_new(record, name, resolved(r, json_object_get(references, name)));
}

void vault_resolve_fields(const struct snap_view *view, json_t *entity, const char *const *fields,
		vault_report_fn *report, void *arg)
{
	sl_auto(arena) arena = NULL;
	struct resolver r = {.view = view, .report = report, .arg = arg};

	if (arena_new(&arena, ARENA_MAX) != 0)
		return;
	r.arena = arena;
	for (; *fields != NULL; fields++) {
		const char *dot = strchr(*fields, '.');

		if (dot == NULL)
			resolve_named(&r, entity, *fields);
		else
			resolve_named(&r,
					json_object_getn(entity, *fields, (size_t)(dot - *fields)),
					dot + 1);
	}
}
