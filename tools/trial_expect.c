/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/trial_expect.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

__attribute__((format(printf, 2, 3))) static void differ(json_t *list, const char *fmt, ...)
{
	sl_auto_mem char *text = NULL;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) >= 0)
		json_array_append_new(list, json_string(text));
	va_end(ap);
}

static char *text_of(const json_t *value)
{
	if (json_is_string(value))
		return strdup(json_string_value(value));
	return json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY | JSON_SORT_KEYS);
}

/* 1 matches, 0 does not, -1 the pattern is not one. */
static int matches(const char *pattern, const char *text)
{
	pcre2_match_data *data;
	pcre2_code *code;
	PCRE2_SIZE at;
	int error, r;

	code = pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED, 0, &error, &at, NULL);
	if (code == NULL)
		return -1;
	data = pcre2_match_data_create_from_pattern(code, NULL);
	r = pcre2_match(code, (PCRE2_SPTR)text, strlen(text), 0, 0, data, NULL);
	pcre2_match_data_free(data);
	pcre2_code_free(code);
	return r >= 0;
}

static bool is_json_equal(const json_t *wanted, const char *text)
{
	json_t *got = json_loads(text, JSON_DECODE_ANY, NULL);
	bool is_equal = got != NULL && json_equal(wanted, got);

	json_decref(got);
	return is_equal;
}

/* One entry of {contains: …, matches: …, json: …, equals: …}. */
static void compare_how(json_t *list, const char *what, const char *how, const json_t *wanted,
		const char *got)
{
	sl_auto_mem char *text = text_of(wanted);
	int r = 0;

	if (strcmp(how, "equals") == 0)
		r = strcmp(text, got) == 0;
	else if (strcmp(how, "contains") == 0)
		r = strstr(got, text) != NULL;
	else if (strcmp(how, "matches") == 0)
		r = matches(text, got);
	else if (strcmp(how, "json") == 0)
		r = is_json_equal(wanted, got);
	else
		r = -2;
	if (r == -2)
		differ(list, "%s: \"%s\" is no way to compare: equals, contains, matches, json",
				what, how);
	else if (r == -1)
		differ(list, "%s: \"%s\" is not a regular expression", what, text);
	else if (r == 0)
		differ(list, "%s\n  expected: %s %s\n  got:      %s", what, how, text, got);
}

/* wanted: a text is the value itself, null or false its absence, true its presence, a mapping
 * tells how to compare.  got: NULL = there is none. */
static void compare(json_t *list, const char *what, const json_t *wanted, const char *got)
{
	const char *how;
	json_t *value;

	if (json_is_null(wanted) || json_is_false(wanted)) {
		if (got != NULL)
			differ(list, "%s\n  expected: none\n  got:      %s", what, got);
	} else if (got == NULL) {
		sl_auto_mem char *text = text_of(wanted);

		differ(list, "%s\n  expected: %s\n  got:      none", what, text);
	} else if (json_is_object(wanted)) {
		json_object_foreach ((json_t *)(uintptr_t)wanted, how, value)
			compare_how(list, what, how, value, got);
	} else if (!json_is_true(wanted)) {
		sl_auto_mem char *text = text_of(wanted);

		if (strcmp(text, got) != 0)
			differ(list, "%s\n  expected: %s\n  got:      %s", what, text, got);
	}
}

/* The values of a header joined by ", "; NULL = there is none.  malloc'd. */
static char *header_text(const json_t *headers, const char *name)
{
	sl_auto_mem char *lower = strdup(name);
	const json_t *values;
	char *joined = NULL;
	json_t *value;
	size_t i;

	for (char *p = lower; *p != '\0'; p++)
		*p = *p >= 'A' && *p <= 'Z' ? (char)(*p | 0x20) : *p;
	values = json_object_get(headers, lower);
	json_array_foreach (values, i, value) {
		sl_auto_mem char *before = joined;

		if (asprintf(&joined, "%s%s%s", i != 0 ? before : "", i != 0 ? ", " : "",
				    json_string_value(value)) < 0)
			joined = NULL;
	}
	return joined;
}

static void compare_headers(
		json_t *list, const char *whose, const json_t *wanted, const json_t *headers)
{
	const char *name;
	json_t *value;

	json_object_foreach ((json_t *)(uintptr_t)wanted, name, value) {
		sl_auto_mem char *got = header_text(headers, name);
		char what[300];

		snprintf(what, sizeof(what), "%s header %s", whose, name);
		compare(list, what, value, got);
	}
}

static void compare_service(json_t *list, const json_t *wanted, const json_t *got)
{
	const char *key;
	json_t *value;

	if (wanted == NULL)
		return;
	if (json_is_null(wanted) || json_is_false(wanted) ||
			(json_is_string(wanted) &&
					strcmp(json_string_value(wanted), "none") == 0)) {
		if (json_is_object(got))
			differ(list, "the service\n  expected: no request\n  got:      %s %s",
					json_string_value(json_object_get(got, "method")),
					json_string_value(json_object_get(got, "path")));
		return;
	}
	if (!json_is_object(got)) {
		differ(list, "the service\n  expected: a request\n  got:      none");
		return;
	}
	json_object_foreach ((json_t *)(uintptr_t)wanted, key, value) {
		const json_t *part = json_object_get(got, key);
		sl_auto_mem char *text = part != NULL ? text_of(part) : NULL;
		char what[100];

		snprintf(what, sizeof(what), "service request %.60s", key);
		if (part == NULL)
			differ(list,
					"%s: there is no such part: method, scheme, host, port, "
					"path, "
					"query, headers, body",
					what);
		else if (json_is_object(part))
			compare_headers(list, "service request", value, part);
		else
			compare(list, what, value, text);
	}
}

static bool log_has(const json_t *lines, const char *text, bool is_failure)
{
	json_t *line;
	size_t i;

	json_array_foreach (lines, i, line) {
		const char *z = json_string_value(line);
		bool is_told = strncmp(z, "err: plugin failed", 18) == 0 ||
			       strncmp(z, "err: plugin stopped", 19) == 0;

		if (strstr(z, text) != NULL && (is_told || !is_failure))
			return true;
	}
	return false;
}

static void compare_log(json_t *list, const json_t *wanted, const json_t *lines)
{
	json_t *one;
	size_t i;

	if (json_is_string(wanted) && !log_has(lines, json_string_value(wanted), false))
		differ(list, "log\n  expected: a line with %s\n  got:      none of %zu lines",
				json_string_value(wanted), json_array_size(lines));
	json_array_foreach (wanted, i, one)
		compare_log(list, one, lines);
}

/* Errors of the plugin: the one that is expected, and no other kind of surprise. */
static void compare_error(json_t *list, const json_t *wanted, const json_t *lines)
{
	const char *text = json_string_value(wanted);

	if (text != NULL && !log_has(lines, text, true))
		differ(list, "error\n  expected: %s\n  got:      none", text);
	if (text == NULL && log_has(lines, "", true))
		differ(list, "error\n  expected: none\n  got:      the plugin failed, see its log");
}

json_t *trial_log(const json_t *reply)
{
	const char *at = json_string_value(json_object_get(reply, "log"));
	json_t *lines = json_array();

	while (at != NULL && *at != '\0') {
		size_t n = strcspn(at, "\n");
		sl_auto_mem char *line = strndup(at, n);
		char *level = line != NULL ? strstr(line, "level=") : NULL;
		char *text = level != NULL ? strstr(level, "msg=\"") : NULL;

		if (text != NULL && strstr(text, " phase=") != NULL) {
			char *end = strstr(text, "\" plugin="), *id;

			if (end != NULL)
				memmove(end, end + 1, strlen(end));
			id = strstr(text, " request_id=0123456789abcdef");
			level[6 + strcspn(level + 6, " ")] = '\0';
			/* The request has always the same id. */
			if (id != NULL)
				memmove(id, id + 12 + 32, strlen(id + 12 + 32) + 1);
			json_array_append_new(lines, json_sprintf("%s: %s", level + 6, text + 5));
		}
		at += n + (at[n] == '\n');
	}
	return lines;
}

json_t *trial_expect(const json_t *expect, const json_t *reply)
{
	const json_t *response = json_object_get(reply, "response");
	const json_t *status = json_object_get(expect, "status");
	const json_t *body = json_object_get(expect, "body");
	json_t *lines = trial_log(reply);
	json_t *list = json_array();

	if (status != NULL && !json_equal(status, json_object_get(response, "status")))
		differ(list, "status\n  expected: %lld\n  got:      %lld",
				(long long)json_integer_value(status),
				(long long)json_integer_value(json_object_get(response, "status")));
	compare_headers(list, "response", json_object_get(expect, "headers"),
			json_object_get(response, "headers"));
	if (body != NULL)
		compare(list, "body", body, json_string_value(json_object_get(response, "body")));
	compare_service(list, json_object_get(expect, "service"),
			json_object_get(reply, "service_request"));
	compare_log(list, json_object_get(expect, "log"), lines);
	compare_error(list, json_object_get(expect, "error"), lines);
	json_decref(lines);
	return list;
}
