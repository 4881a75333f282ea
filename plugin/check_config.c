/* SPDX-License-Identifier: Apache-2.0
 *
 * The instances that exist, against the schema that is to be.
 */
#include <string.h>

#include "plugin/check_part.h"
#include "plugin/schema_part.h"

static const struct check_source config_source = {.field = "config", .file = "schema.lua"};

struct one_config {
	struct check *c;
	const char *id;
};

static void add_config_error(void *arg, const char *path, const char *message)
{
	const struct one_config *one = arg;
	struct check *c = one->c;
	json_t *last;

	check_add_error(c, &config_source,
			check_find_line(c->schema.text,
					strrchr(path, '.') != NULL ? strrchr(path, '.') + 1 : path),
			"%s%s%s", path, *path != '\0' ? ": " : "", message);
	if (one->id == NULL)
		return;
	last = json_array_get(c->errors, json_array_size(c->errors) - 1);
	json_object_set_new(last, "config_id", json_string(one->id));
}

/* A plugin that declares no config takes none. */
static bool is_nothing(const json_t *config)
{
	return config == NULL || json_is_null(config) ||
	       (json_is_object(config) && json_object_size(config) == 0);
}

static void check_config(struct check *c, const json_t *entry)
{
	struct one_config one = {c, json_string_value(json_object_get(entry, "id"))};
	json_t *config = json_object_get(entry, "config");
	sl_auto_json *input = json_object();
	sl_auto_json *out = NULL;
	sl_auto_json *errors = NULL;

	if (schema_field(c->compiled, "config") == NULL && is_nothing(config))
		return;
	if (config != NULL)
		json_object_set(input, "config", config);
	out = schema_process(c->compiled, SCHEMA_INSERT, input, NULL, &errors);
	if (out == NULL)
		schema_error_each(errors, add_config_error, &one);
}

void check_configs_run(struct check *c)
{
	json_t *entry;
	size_t i;

	json_array_foreach (c->configs, i, entry)
		check_config(c, entry);
}
