/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "plugin/check_client.h"
#include "shm/programs.h"
#include "tools/verbs.h"

#define PLUGINS_MAX 64
#define SOURCE_MAX (64u * 1024 * 1024)

/* The sources of one directory. */
struct sources {
	char *directory;
	char *handler, *schema; /* paths; NULL: not given */
};

struct lint {
	const struct ctl *ctl;
	struct sources all[PLUGINS_MAX];
	size_t n;
	json_t *findings; /* --json */
	enum ctl_exit verdict;
};

static void lint_done(struct lint *l)
{
	for (size_t i = 0; i < l->n; i++) {
		free(l->all[i].directory);
		free(l->all[i].handler);
		free(l->all[i].schema);
	}
	json_decref(l->findings);
}

static enum ctl_exit usage_error(const char *path, const char *text)
{
	fprintf(stderr, "sluicectl: %s: %s\n", path, text);
	return CTL_USAGE;
}

static struct sources *find_directory(struct lint *l, const char *directory)
{
	for (size_t i = 0; i < l->n; i++) {
		if (strcmp(l->all[i].directory, directory) == 0)
			return &l->all[i];
	}
	if (l->n == PLUGINS_MAX)
		return NULL;
	l->all[l->n].directory = strdup(directory);
	return l->all[l->n].directory != NULL ? &l->all[l->n++] : NULL;
}

static char *join(const char *directory, const char *name)
{
	char *path = NULL;

	return asprintf(&path, "%s/%s", directory, name) < 0 ? NULL : path;
}

static enum ctl_exit add_directory(struct lint *l, const char *path)
{
	struct sources *s = find_directory(l, path);

	if (s == NULL)
		return usage_error(path, "too many plugins at once");
	s->handler = join(path, "handler.lua");
	s->schema = join(path, "schema.lua");
	return s->handler != NULL && s->schema != NULL ? CTL_OK : CTL_USAGE;
}

static enum ctl_exit add_file(struct lint *l, const char *path)
{
	sl_auto_mem char *copy = strdup(path);
	struct sources *s = copy != NULL ? find_directory(l, dirname(copy)) : NULL;
	char **field;

	if (s == NULL)
		return usage_error(path, "too many plugins at once");
	field = str_ends(str_of(path), STR("schema.lua")) ? &s->schema : &s->handler;
	if (*field != NULL)
		return usage_error(path, "a second handler (or schema) in the same directory");
	*field = strdup(path);
	return CTL_OK;
}

static enum ctl_exit add_argument(struct lint *l, const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return usage_error(path, strerror(errno));
	return S_ISDIR(st.st_mode) ? add_directory(l, path) : add_file(l, path);
}

static int read_source(const char *path, struct buf *ret, struct why *why)
{
	sl_auto_file FILE *f = fopen(path, "re");
	char chunk[65536];
	size_t n;

	if (f == NULL)
		return why_errno(why, errno, "%s", path);
	while ((n = fread(chunk, 1, sizeof(chunk), f)) > 0 && ret->n <= SOURCE_MAX)
		buf_add(ret, chunk, n);
	if (ferror(f) || ret->is_failed || ret->n > SOURCE_MAX)
		return why_errno(why, ferror(f) ? errno : EFBIG, "%s", path);
	return 0;
}

static void add_finding(struct lint *l, const char *file, int line, const char *message)
{
	l->verdict = CTL_NEGATIVE;
	if (l->ctl->is_json)
		json_array_append_new(
				l->findings, json_pack("{s:s, s:i, s:s}", "file", file, "line",
							     line, "message", message));
	else if (line > 0)
		printf("%s:%d: %s\n", file, line, message);
	else
		printf("%s: %s\n", file, message);
}

/* "schema.lua" or "handler.lua", as the verdict names them, is the user's path. */
static const char *path_of(const struct sources *s, const json_t *error)
{
	const char *field = json_string_value(json_object_get(error, "field"));

	if (s->schema != NULL && field != NULL &&
			(strcmp(field, "handler") != 0 || s->handler == NULL))
		return s->schema;
	return s->handler != NULL ? s->handler : s->directory;
}

static void report(struct lint *l, const struct sources *s, const json_t *verdict)
{
	const json_t *errors = json_object_get(verdict, "errors"), *error;
	size_t i;

	json_array_foreach (errors, i, error) {
		const char *message = json_string_value(json_object_get(error, "message"));

		add_finding(l, path_of(s, error),
				(int)json_integer_value(json_object_get(error, "line")),
				message != NULL ? message : "refused");
	}
	if (json_array_size(errors) == 0 && !json_is_true(json_object_get(verdict, "ok")))
		add_finding(l, s->directory, 0, "refused");
	else if (json_array_size(errors) == 0 && !l->ctl->is_json)
		printf("%s: ok\n", s->handler != NULL ? s->handler : s->schema);
}

/* A source as JSON; null when the file was not given. */
static json_t *source_json(struct lint *l, const char *path)
{
	sl_auto_buf text = {.p = NULL};
	struct why why = WHY_NONE;
	json_t *source;

	if (path == NULL)
		return json_null();
	if (read_source(path, &text, &why) < 0) {
		fprintf(stderr, "sluicectl: %s\n", why.text);
		l->verdict = CTL_USAGE;
		return NULL;
	}
	source = json_stringn(text.n != 0 ? text.p : "", text.n);
	if (source == NULL)
		add_finding(l, path, 0, "not valid UTF-8: plugins are Lua source text");
	return source;
}

static json_t *make_request(struct lint *l, const struct sources *s)
{
	const struct conf *c = l->ctl->conf;
	json_t *schema = source_json(l, s->schema);
	json_t *handler = source_json(l, s->handler);

	if (schema == NULL || handler == NULL) {
		json_decref(schema);
		json_decref(handler);
		return NULL;
	}
	/* without a name the schema's own is taken */
	return json_pack("{s:n, s:o, s:o, s:s, s:{s:i, s:i, s:i}, s:[], s:b}", "name", "schema",
			schema, "handler", handler, "untrusted_lua", c->untrusted_lua, "limits",
			"cpu_ms", (int)c->plugin_limits_cpu_ms, "memory_mb",
			(int)c->plugin_limits_memory_mb, "source_kb",
			(int)c->plugin_limits_source_kb, "configs", "want_bytecode", 0);
}

static void lint_one(struct lint *l, const struct sources *s, const char *program)
{
	const struct check_client_conf conf = {program, l->ctl->conf->plugin_check_deadline_ms};
	struct why why = WHY_NONE;
	json_t *request = make_request(l, s), *verdict;

	if (request == NULL)
		return;
	verdict = check_run(&conf, request, &why);
	if (verdict != NULL)
		report(l, s, verdict);
	else
		add_finding(l, s->handler != NULL ? s->handler : s->schema, 0, why.text);
	json_decref(verdict);
	json_decref(request);
}

enum ctl_exit verb_plugin_lint(const struct ctl *ctl)
{
	__attribute__((cleanup(lint_done))) struct lint l = {.ctl = ctl, .findings = json_array()};
	sl_auto_mem char *program = NULL;
	struct why why = WHY_NONE;
	char text[1200];

	for (int i = 0; i < ctl->n_args; i++) {
		if (add_argument(&l, ctl->args[i]) != CTL_OK)
			return CTL_USAGE;
	}
	if (program_find("sluice-check", &program, &why) < 0) {
		fprintf(stderr, "sluicectl: %s\n", why_text(&why, text, sizeof(text)));
		return CTL_UNREACHABLE;
	}
	for (size_t i = 0; i < l.n; i++)
		lint_one(&l, &l.all[i], program);
	if (ctl->is_json) {
		json_dumpf(l.findings, stdout, JSON_INDENT(2));
		putchar('\n');
	}
	return l.verdict;
}
