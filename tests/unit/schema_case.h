/* SPDX-License-Identifier: Apache-2.0
 *
 * Schemas and values as text with single quotes, for table-driven tests.
 */
#pragma once

#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "plugin/schema.h"

static inline json_t *quoted(const char *text)
{
	char *copy = strdup(text);
	json_t *value;

	for (char *p = copy; (p = strchr(p, '\'')) != NULL; p++)
		*p = '"';
	value = json_loads(copy, JSON_DECODE_ANY, NULL);
	if (value == NULL)
		fprintf(stderr, "not JSON: %s\n", copy);
	free(copy);
	return value;
}

/* A schema whose members are `members` ("'fields':[…]"); NULL with its error text printed. */
static inline struct schema *schema_of(const char *members, char **ret_text)
{
	char form[8192];
	struct schema *s = NULL;
	json_t *errors = NULL;
	json_t *json;

	snprintf(form, sizeof(form), "{'name':'x',%s}", members);
	json = quoted(form);
	*ret_text = NULL;
	if (schema_new(&s, json, &errors) != 0)
		*ret_text = schema_error_text(errors);
	json_decref(errors);
	json_decref(json);
	return s;
}

/* The processed value as compact sorted JSON, or the error text; malloc'd. */
static inline char *outcome(const char *members, const char *input)
{
	char *text = NULL;
	struct schema *s = schema_of(members, &text);
	json_t *errors = NULL;
	json_t *value, *out;

	if (s == NULL)
		return text;
	value = quoted(input);
	out = schema_process(s, SCHEMA_INSERT, value, NULL, &errors);
	text = out != NULL ? json_dumps(out, JSON_COMPACT | JSON_SORT_KEYS)
			   : schema_error_text(errors);
	for (char *p = text; out != NULL && (p = strchr(p, '"')) != NULL; p++)
		*p = '\'';
	json_decref(errors);
	json_decref(out);
	json_decref(value);
	schema_free(s);
	return text;
}
