/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/trial_ask.h"

#include <errno.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "plugin/check_client.h"
#include "shm/programs.h"
#include "tools/file_text.h"
#include "tools/trial_expect.h"

#define CPU_MS 200
#define MEMORY_MB 64

static json_t *question(const struct trial_plugin *p, bool with_schema)
{
	const json_t *level = json_object_get(p->file.tree.value, "untrusted_lua");
	json_t *q = json_pack("{s:s,s:o,s:s,s:{s:i,s:i}}", "name", p->name, "handler",
			json_stringn(p->handler.p, p->handler.n), "untrusted_lua",
			json_is_string(level) ? json_string_value(level) : "strict", "limits",
			"cpu_ms", CPU_MS, "memory_mb", MEMORY_MB);

	if (q != NULL && with_schema)
		json_object_set_new(q, "schema", json_stringn(p->schema_text.p, p->schema_text.n));
	return q;
}

static json_t *config_of(const json_t *one)
{
	json_t *config = json_object_get(one, "config");

	return json_is_object(config) ? json_incref(config) : json_object();
}

static int ask_verdict(struct trial_plugin *p, struct why *why)
{
	const struct check_client_conf conf = {.program = p->program};
	json_t *q = question(p, true);

	if (q == NULL) {
		why_set(why, NULL, 0, "%s: the sources are not UTF-8 text", p->directory);
		return -EINVAL;
	}
	p->verdict = check_run(&conf, q, why);
	json_decref(q);
	return p->verdict != NULL ? 0 : -EIO;
}

/* What the file says, or the directory's name. */
static int set_name(struct trial_plugin *p, struct why *why)
{
	const json_t *said = json_object_get(p->file.tree.value, "plugin");
	sl_auto_mem char *full = realpath(p->directory, NULL);

	if (full == NULL)
		return why_errno(why, errno, "%s", p->directory);
	p->name = strdup(json_is_string(said) ? json_string_value(said) : basename(full));
	return p->name != NULL ? 0 : why_errno(why, ENOMEM, "cannot read the plugin");
}

static int read_source(const char *directory, const char *name, struct buf *out, struct why *why)
{
	sl_auto_mem char *path = NULL;

	if (asprintf(&path, "%s/%s", directory, name) < 0)
		return why_errno(why, ENOMEM, "cannot read the plugin");
	return file_text_read(path, out, why);
}

int trial_plugin_load(struct trial_plugin *p, const char *directory, struct why *why)
{
	json_t *errors = NULL;
	int r;

	*p = (struct trial_plugin){.directory = directory};
	r = read_source(directory, "handler.lua", &p->handler, why);
	if (r == 0)
		r = read_source(directory, "schema.lua", &p->schema_text, why);
	if (r == 0)
		r = trial_file_load(&p->file, directory, why);
	if (r == 0)
		r = set_name(p, why);
	if (r == 0)
		r = program_find("sluice-check", &p->program, why);
	if (r == 0)
		r = ask_verdict(p, why);
	if (r == 0 && json_object_get(p->verdict, "schema") != NULL)
		(void)schema_new(&p->schema, json_object_get(p->verdict, "schema"), &errors);
	json_decref(errors);
	return r;
}

void trial_plugin_done(struct trial_plugin *p)
{
	schema_free(p->schema);
	json_decref(p->verdict);
	trial_file_done(&p->file);
	buf_done(&p->handler);
	buf_done(&p->schema_text);
	free(p->name);
	free(p->program);
	*p = (struct trial_plugin){.directory = NULL};
}

json_t *trial_plugin_errors(const struct trial_plugin *p)
{
	json_t *list = json_array(), *error;
	size_t i;

	json_array_foreach (json_object_get(p->verdict, "errors"), i, error)
		json_array_append_new(list,
				json_sprintf("%s/%s:%lld: %s", p->directory,
						json_string_value(json_object_get(error, "file")),
						(long long)json_integer_value(
								json_object_get(error, "line")),
						json_string_value(json_object_get(
								error, "message"))));
	return list;
}

static void add_config_error(void *arg, const char *path, const char *message)
{
	json_array_append_new(arg, json_sprintf("%s: %s", path, message));
}

/* The configuration with defaults filled in, as an instance would have it; NULL: errors were
 * added. */
static json_t *fill_config(const struct trial_plugin *p, const json_t *one, json_t *errors)
{
	json_t *config = config_of(one), *found = NULL, *input, *out;

	if (p->schema == NULL || schema_field(p->schema, "config") == NULL)
		return config;
	input = json_pack("{s:o}", "config", config);
	out = schema_process(p->schema, SCHEMA_INSERT, input, NULL, &found);
	json_decref(input);
	if (out == NULL) {
		schema_error_each(found, add_config_error, errors);
		json_decref(found);
		return NULL;
	}
	config = json_incref(json_object_get(out, "config"));
	json_decref(out);
	return config;
}

/* Takes over config. */
static json_t *run(const struct trial_plugin *p, const json_t *one, json_t *config, struct why *why)
{
	const struct check_client_conf conf = {.program = p->program};
	json_t *q = question(p, false), *reply;
	json_t *trial = json_pack("{s:O,s:O,s:O,s:o}", "priority",
			json_object_get(p->verdict, "priority"), "phases",
			json_object_get(p->verdict, "phases"), "schema",
			json_object_get(p->verdict, "schema"), "config", config);
	json_t *request = json_object_get(one, "request");

	json_object_set_new(trial, "request", request ? json_incref(request) : json_object());
	json_object_set(trial, "consumer", json_object_get(one, "consumer"));
	json_object_set(trial, "service", json_object_get(one, "response"));
	json_object_set_new(q, "trial", trial);
	reply = check_run(&conf, q, why);
	json_decref(q);
	return reply;
}

/* A configuration that is refused is what some cases are about. */
static json_t *judge_config(const json_t *expect, const json_t *errors)
{
	const char *wanted = json_string_value(json_object_get(expect, "error"));
	json_t *differences = json_array(), *error;
	size_t i;

	json_array_foreach (errors, i, error)
		if (wanted != NULL && strstr(json_string_value(error), wanted) != NULL)
			return differences;
	json_array_foreach (errors, i, error)
		json_array_append_new(differences, json_sprintf("the configuration is refused: %s",
								   json_string_value(error)));
	return differences;
}

static json_t *judge_reply(const json_t *expect, const json_t *reply, const struct why *why)
{
	const json_t *errors = json_object_get(reply, "errors");
	json_t *differences;

	if (reply != NULL && errors == NULL)
		return trial_expect(expect, reply);
	differences = json_array();
	json_array_append_new(differences,
			json_sprintf("it could not be run: %s",
					reply == NULL ? why->text
						      : json_string_value(json_object_get(
									json_array_get(errors, 0),
									"message"))));
	return differences;
}

json_t *trial_ask(const struct trial_plugin *p, size_t index)
{
	const json_t *one = json_array_get(trial_file_cases(&p->file), index);
	const json_t *expect = json_object_get(one, "expect");
	struct why why = WHY_NONE;
	json_t *errors = json_array(), *config = fill_config(p, one, errors);
	json_t *differences, *reply = NULL, *log;

	if (config == NULL) {
		differences = judge_config(expect, errors);
	} else {
		reply = run(p, one, config, &why);
		differences = judge_reply(expect, reply, &why);
	}
	json_decref(errors);
	log = trial_log(reply);
	return json_pack("{s:O,s:i,s:b,s:o,s:o,s:o}", "name", json_object_get(one, "name"), "line",
			trial_file_line(&p->file, index), "passed",
			json_array_size(differences) == 0, "differences", differences, "log", log,
			"reply", reply != NULL ? reply : json_null());
}
