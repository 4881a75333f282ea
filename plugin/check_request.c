/* SPDX-License-Identifier: Apache-2.0
 *
 * The question, and the steps of the answer.
 */
#include <stdlib.h>
#include <string.h>

#include "plugin/check_part.h"

#define SOURCE_KB_DEFAULT 1024U
#define CPU_MS_DEFAULT 10U
#define MEMORY_MB_DEFAULT 64U
/* The largest that a request may ask for; beyond them the process's own limits would end it. */
#define CPU_MS_MAX 2000U
#define MEMORY_MB_MAX 1024U

static const struct check_source name_source = {.field = "name", .file = "schema.lua"};

void check_init(struct check *c)
{
	*c = (struct check){.user = "nobody",
			.limits = {.cpu_ms = CPU_MS_DEFAULT, .memory_mb = MEMORY_MB_DEFAULT},
			.source_max = (size_t)SOURCE_KB_DEFAULT << 10,
			.handler = {.field = "handler", .file = "handler.lua"},
			.schema = {.field = "schema", .file = "schema.lua"},
			.errors = json_array(),
			.warnings = json_array(),
			.phases = json_array()};
}

void check_done(struct check *c)
{
	json_decref(c->errors);
	json_decref(c->warnings);
	json_decref(c->phases);
	json_decref(c->form);
	schema_free(c->compiled);
	free(c->handler.bytecode);
	free(c->schema.bytecode);
}

static void read_source(struct check *c, struct check_source *source, const json_t *value)
{
	if (value == NULL || json_is_null(value))
		return;
	if (!json_is_string(value)) {
		check_add_error(c, source, 1, "expected a string: the source text of %s",
				source->file);
		return;
	}
	source->is_given = true;
	source->text = (struct str){json_string_value(value), json_string_length(value)};
}

/* A limit of the request, 0 or absent = value as it is. */
static uint32_t limit_of(const json_t *limits, const char *name, uint32_t value, uint32_t max)
{
	json_int_t wanted = json_integer_value(json_object_get(limits, name));

	if (wanted <= 0)
		return value;
	return wanted > max ? max : (uint32_t)wanted;
}

bool check_read_request(struct check *c, const json_t *request)
{
	const json_t *limits = json_object_get(request, "limits");
	const char *level = json_string_value(json_object_get(request, "untrusted_lua"));

	if (!json_is_object(request)) {
		check_add_error(c, &name_source, 1, "the request is not a JSON object");
		return false;
	}
	c->name = json_string_value(json_object_get(request, "name"));
	if (c->name == NULL)
		check_add_error(c, &name_source, 1, "expected a string: the name of the plugin");
	if (json_is_string(json_object_get(request, "user")))
		c->user = json_string_value(json_object_get(request, "user"));
	c->level = level != NULL && strcmp(level, "lax") == 0 ? VM_LAX : VM_STRICT;
	c->limits.cpu_ms = limit_of(limits, "cpu_ms", c->limits.cpu_ms, CPU_MS_MAX);
	c->limits.memory_mb = limit_of(limits, "memory_mb", c->limits.memory_mb, MEMORY_MB_MAX);
	c->source_max = (size_t)limit_of(limits, "source_kb", SOURCE_KB_DEFAULT, UINT32_MAX >> 10)
			<< 10;
	c->wants_bytecode = json_is_true(json_object_get(request, "want_bytecode"));
	c->configs = json_object_get(request, "configs");
	read_source(c, &c->schema, json_object_get(request, "schema"));
	read_source(c, &c->handler, json_object_get(request, "handler"));
	return json_array_size(c->errors) == 0;
}

static int line_of_byte(struct str text, const char *at)
{
	int line = 1;

	for (const char *p = text.p; p < at; p++)
		line += *p == '\n';
	return line;
}

/* Text, not too much of it, and it compiles. */
static void look_at_source(struct check *c, struct check_source *source)
{
	struct why why = WHY_NONE;
	const char *nul;

	if (!source->is_given)
		return;
	if (source->text.n > c->source_max) {
		check_add_error(c, source, 1,
				"the source is %zu bytes, the limit is %zu "
				"(plugin_limits.source_kb)",
				source->text.n, c->source_max);
		return;
	}
	if (source->text.n == 0) {
		check_add_error(c, source, 1, "the source is empty: it must return a table");
		return;
	}
	nul = source->text.p[0] != 27 ? memchr(source->text.p, '\0', source->text.n) : NULL;
	if (nul != NULL) {
		check_add_error(c, source, line_of_byte(source->text, nul),
				"the source holds a NUL byte: send Lua source text");
		return;
	}
	if (vm_compile(source->text, source->file, &source->bytecode, &source->bytecode_n, &why) <
			0)
		check_add_why(c, source, &why);
	else
		source->is_good = true;
}

void check_run_all(struct check *c)
{
	/* Both before either runs: nothing a plugin does can reach what is compiled. */
	look_at_source(c, &c->schema);
	look_at_source(c, &c->handler);
	if (c->schema.is_good)
		check_schema_run(c);
	if (c->handler.is_good)
		check_handler_run(c);
	if (c->compiled != NULL)
		check_configs_run(c);
}
