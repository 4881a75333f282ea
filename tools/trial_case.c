/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/trial_case.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "tools/file_text.h"
#include "tools/trial_http.h"

/* A place in the file: a value and the lines of its parts. */
struct place {
	const struct trial_file *file;
	json_t *value;
	const json_t *lines;
	struct why *why;
};

enum kind { ANYTHING, OBJECT, TEXT, NUMBER, HEADERS, BODY, EXPECT, SERVICE, SENT };

struct key {
	const char *name;
	enum kind kind;
};

static const struct key file_keys[] = {
		{"plugin", TEXT}, {"untrusted_lua", TEXT}, {"cases", ANYTHING}, {NULL, ANYTHING}};
static const struct key case_keys[] = {{"name", TEXT}, {"config", OBJECT}, {"request", SENT},
		{"consumer", OBJECT}, {"response", SERVICE}, {"expect", EXPECT}, {NULL, ANYTHING}};
static const struct key request_keys[] = {{"method", TEXT}, {"path", TEXT}, {"scheme", TEXT},
		{"host", TEXT}, {"client_ip", TEXT}, {"headers", HEADERS}, {"body", BODY},
		{NULL, ANYTHING}};
static const struct key response_keys[] = {
		{"status", NUMBER}, {"headers", HEADERS}, {"body", BODY}, {NULL, ANYTHING}};
static const struct key expect_keys[] = {{"status", NUMBER}, {"headers", OBJECT},
		{"body", ANYTHING}, {"service", ANYTHING}, {"log", ANYTHING}, {"error", ANYTHING},
		{NULL, ANYTHING}};

static int refuse(const struct place *p, const char *key, const char *what)
{
	const json_t *lines = key != NULL ? yaml_json_member(p->lines, key) : p->lines;

	why_set(p->why, NULL, 0, "%s:%d: %s%s%s", p->file->path, yaml_json_line(lines),
			key != NULL ? key : "", key != NULL ? ": " : "", what);
	return -EINVAL;
}

static int refuse_key(const struct place *p, const char *key, const struct key *keys)
{
	char text[400];
	int n = snprintf(text, sizeof(text), "there is no such key here; there are");

	for (const struct key *k = keys; k->name != NULL && n > 0 && (size_t)n < sizeof(text); k++)
		n += snprintf(text + n, sizeof(text) - (size_t)n, "%s %s", k == keys ? "" : ",",
				k->name);
	return refuse(p, key, text);
}

static struct place member(const struct place *p, const char *key)
{
	return (struct place){p->file, json_object_get(p->value, key),
			yaml_json_member(p->lines, key), p->why};
}

/* A number or truth value written without quotes is meant as text. */
static json_t *as_text(const json_t *value)
{
	if (json_is_string(value))
		return json_deep_copy(value);
	if (json_is_object(value) || json_is_array(value) || json_is_number(value) ||
			json_is_boolean(value)) {
		sl_auto_mem char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);

		return json_string(text);
	}
	return json_string("");
}

static int check_headers(const struct place *p)
{
	const char *name;
	json_t *value, *one;
	void *next;
	size_t i;

	if (!json_is_object(p->value))
		return refuse(p, NULL, "headers are a mapping of names to values");
	json_object_foreach_safe(p->value, next, name, value)
	{
		if (!json_is_array(value)) {
			json_object_set_new(p->value, name, as_text(value));
			continue;
		}
		json_array_foreach (value, i, one)
			json_array_set_new(value, i, as_text(one));
	}
	return 0;
}

static int check_object(const struct place *p, const struct key *keys);

/* A name of a file beside test.yaml, which holds the message: replaced by what is in it. */
static int read_message(const struct place *p, const char *key, bool is_response)
{
	const char *name = json_string_value(json_object_get(p->value, key));
	const char *slash = strrchr(p->file->path, '/');
	sl_auto_mem char *path = NULL;
	sl_auto_buf text = {0};
	struct why found = WHY_NONE;
	json_t *message;
	char said[600];

	if (asprintf(&path, "%.*s/%s", (int)(slash - p->file->path), p->file->path, name) < 0)
		return -ENOMEM;
	if (file_text_read(path, &text, &found) < 0)
		return refuse(p, key, found.text);
	message = trial_http_parse(buf_str(&text), is_response, &found);
	if (message != NULL)
		return json_object_set_new(p->value, key, message);
	snprintf(said, sizeof(said), "%s:%d: %.400s", name, found.line, found.text);
	return refuse(p, key, said);
}

static int check_message(const struct place *p, const char *key, bool is_response)
{
	struct place at = member(p, key);

	if (json_is_string(at.value))
		return read_message(p, key, is_response);
	return check_object(&at, is_response ? response_keys : request_keys);
}

static int check_kind(const struct place *p, const char *key, enum kind kind)
{
	struct place at = member(p, key);

	switch (kind) {
	case OBJECT:
		return json_is_object(at.value) || json_is_null(at.value)
				       ? 0
				       : refuse(p, key, "expected a mapping");
	case TEXT:
		return json_is_string(at.value) ? 0 : refuse(p, key, "expected a text");
	case NUMBER:
		return json_is_integer(at.value) ? 0 : refuse(p, key, "expected a number");
	case HEADERS:
		return check_headers(&at);
	case BODY:
		return json_object_set_new(p->value, key, as_text(at.value)) == 0 ? 0 : -ENOMEM;
	case EXPECT:
		return check_object(&at, expect_keys);
	case SERVICE:
		return check_message(p, key, true);
	case SENT:
		return check_message(p, key, false);
	case ANYTHING:
		return 0;
	}
	return 0;
}

static int check_object(const struct place *p, const struct key *keys)
{
	const char *name;
	json_t *value;
	void *next;
	int r = 0;

	if (!json_is_object(p->value))
		return refuse(p, NULL, "expected a mapping");
	json_object_foreach_safe(p->value, next, name, value)
	{
		const struct key *k = keys;

		while (k->name != NULL && strcmp(k->name, name) != 0)
			k++;
		if (k->name == NULL)
			return refuse_key(p, name, keys);
		r = check_kind(p, k->name, k->kind);
		if (r < 0)
			return r;
	}
	return 0;
}

static int check_case(const struct place *p, json_t *seen)
{
	const char *name;
	int r = check_object(p, case_keys);

	if (r < 0)
		return r;
	name = json_string_value(json_object_get(p->value, "name"));
	if (name == NULL)
		return refuse(p, NULL, "a case needs a name");
	if (json_object_get(p->value, "expect") == NULL)
		return refuse(p, NULL, "a case needs an expect: it would pass whatever happens");
	if (json_object_get(seen, name) != NULL)
		return refuse(p, "name", "two cases have the same name");
	return json_object_set_new(seen, name, json_true()) == 0 ? 0 : -ENOMEM;
}

static int check_file(struct trial_file *f, struct why *why)
{
	struct place top = {f, f->tree.value, f->tree.lines, why};
	struct place cases = member(&top, "cases");
	json_t *seen, *one;
	size_t i;
	int r = check_object(&top, file_keys);

	if (r < 0)
		return r;
	if (json_array_size(cases.value) == 0)
		return refuse(&top, NULL, "cases: expected a list of cases, and one at least");
	seen = json_object();
	json_array_foreach (cases.value, i, one) {
		struct place p = {f, one, yaml_json_element(cases.lines, i), why};

		r = check_case(&p, seen);
		if (r < 0)
			break;
	}
	json_decref(seen);
	return r;
}

int trial_file_load(struct trial_file *f, const char *directory, struct why *why)
{
	struct why found = WHY_NONE;
	sl_auto_buf text = {0};
	int r;

	*f = (struct trial_file){.path = NULL};
	if (asprintf(&f->path, "%s/test.yaml", directory) < 0)
		return why_errno(why, ENOMEM, "cannot read the cases");
	r = file_text_read(f->path, &text, why);
	if (r < 0)
		return r;
	r = yaml_json_parse(&f->tree, buf_str(&text), &found);
	if (r < 0) {
		why_set(why, NULL, 0, "%s:%d: %s", f->path, found.line, found.text);
		return r;
	}
	return check_file(f, why);
}

void trial_file_done(struct trial_file *f)
{
	yaml_json_done(&f->tree);
	free(f->path);
	f->path = NULL;
}

const json_t *trial_file_cases(const struct trial_file *f)
{
	return json_object_get(f->tree.value, "cases");
}

int trial_file_line(const struct trial_file *f, size_t index)
{
	return yaml_json_line(yaml_json_element(yaml_json_member(f->tree.lines, "cases"), index));
}
