/* SPDX-License-Identifier: Apache-2.0 */
#include "control/plugin_source.h"

#include <errno.h>
#include <string.h>

#include "control/spec.h"
#include "plugin/limits.h"
#include "shm/record.pb-c.h"

/* ---- before any child is started ---- */

static int line_of(struct str source, size_t at)
{
	int line = 1;

	for (size_t i = 0; i < at; i++)
		line += source.p[i] == '\n';
	return line;
}

static json_t *check_bytes(const struct op *op, const char *file, struct str source)
{
	size_t limit = (size_t)op->model->conf->plugin_limits_source_kb * 1024;
	ptrdiff_t nul;

	if (source.n > limit)
		return json_sprintf("%s: the source has %zu bytes, plugin_limits_source_kb allows "
				    "%zu KB",
				file, source.n, limit / 1024);
	if (source.n != 0 && source.p[0] == '\x1b')
		return json_sprintf("%s:1: this is precompiled bytecode, which is refused; send "
				    "the Lua source",
				file);
	nul = str_find_char(source, '\0');
	if (nul >= 0)
		return json_sprintf("%s:%d: the source holds a NUL byte; send plain Lua text", file,
				line_of(source, (size_t)nul));
	return NULL;
}

static void check_source(
		const struct op *op, const json_t *entity, const char *field, json_t *errors)
{
	const json_t *v = json_object_get(entity, field);
	char file[32];
	json_t *error;

	snprintf(file, sizeof(file), "%s.lua", field);
	error = check_bytes(op, file, (struct str){json_string_value(v), json_string_length(v)});
	if (error != NULL)
		json_object_set_new(errors, field, error);
}

/* ---- what sluice-check says ---- */

static json_t *make_request(const struct op *op, const json_t *entity)
{
	const struct conf *c = op->model->conf;
	Sluice__Record__Limits own;
	struct limits_policy policy;
	struct vm_limits limits;

	limits_policy_of(c, &policy);
	(void)limits_resolve(&policy, spec_limits(&own, entity), NULL, &limits);
	return json_pack("{s:O, s:s, s:O, s:O, s:s, s:{s:I, s:I, s:I}, s:[], s:b}", "name",
			json_object_get(entity, "name"), "user", c->worker_user, "schema",
			json_object_get(entity, "schema"), "handler",
			json_object_get(entity, "handler"), "untrusted_lua", c->untrusted_lua,
			"limits", "cpu_ms", (json_int_t)limits.cpu_ms, "memory_mb",
			(json_int_t)limits.memory_mb, "source_kb",
			(json_int_t)c->plugin_limits_source_kb, "configs", "want_bytecode", 0);
}

static json_t *error_text(const json_t *error)
{
	const char *file = json_string_value(json_object_get(error, "file"));
	const char *message = json_string_value(json_object_get(error, "message"));
	json_int_t line = json_integer_value(json_object_get(error, "line"));

	if (message == NULL)
		message = "refused";
	if (file == NULL || file[0] == '\0')
		return json_string(message);
	return line > 0 ? json_sprintf("%s:%lld: %s", file, (long long)line, message)
			: json_sprintf("%s: %s", file, message);
}

static json_t *errors_of(const json_t *verdict)
{
	json_t *fields = json_object(), *error;
	size_t i;

	json_array_foreach (json_object_get(verdict, "errors"), i, error) {
		const char *field = json_string_value(json_object_get(error, "field"));
		json_t *text = error_text(error), *before;

		/* a schema with another name than the plugin's is found in the schema */
		field = field != NULL && (strcmp(field, "schema") == 0 ||
							 strcmp(field, "name") == 0)
					? "schema"
					: "handler";
		before = json_object_get(fields, field);
		if (before != NULL) {
			json_t *both = json_sprintf("%s; %s", json_string_value(before),
					json_string_value(text));

			json_decref(text);
			text = both;
		}
		json_object_set_new(fields, field, text);
	}
	if (json_object_size(fields) == 0)
		json_object_set_new(fields, "handler", json_string("refused by sluice-check"));
	return fields;
}

static int read_verdict(struct op *op, const json_t *entity, const json_t *verdict)
{
	const json_t *unavailable = json_object_get(verdict, "unavailable");
	const json_t *form = json_object_get(verdict, "schema");
	const json_t *name = json_object_get(form, "name");

	if (unavailable != NULL) {
		fault_plain(&op->fault, 503, "the plugin could not be checked: %s",
				json_string_value(unavailable));
		return OP_E_REFUSED;
	}
	if (!json_is_true(json_object_get(verdict, "ok"))) {
		fault_schema(&op->fault, errors_of(verdict));
		return OP_E_REFUSED;
	}
	if (!json_is_object(form)) {
		fault_field(&op->fault, "schema", "schema.lua: the chunk must return a table");
		return OP_E_REFUSED;
	}
	if (!json_equal(name, json_object_get(entity, "name"))) {
		fault_field(&op->fault, "schema",
				"schema.lua: the schema is named '%s', the plugin '%s'; both must "
				"be the same",
				json_is_string(name) ? json_string_value(name) : "",
				json_string_value(json_object_get(entity, "name")));
		return OP_E_REFUSED;
	}
	return 0;
}

int plugin_source_check(struct op *op, const json_t *entity, const json_t **ret_verdict)
{
	json_t *errors = json_object(), *request;

	check_source(op, entity, "handler", errors);
	check_source(op, entity, "schema", errors);
	if (strcmp(op->model->conf->untrusted_lua, "off") == 0)
		json_object_set_new(errors, "handler",
				json_string("loading of untrusted Lua code disabled because "
					    "'untrusted_lua' config option is set to 'off'"));
	if (json_object_size(errors) != 0) {
		fault_schema(&op->fault, errors);
		return OP_E_REFUSED;
	}
	json_decref(errors);
	request = make_request(op, entity);
	*ret_verdict = request != NULL ? verdicts_get(op->verdicts, request) : NULL;
	json_decref(request);
	if (*ret_verdict == NULL)
		return OP_E_WAIT;
	return read_verdict(op, entity, *ret_verdict);
}
