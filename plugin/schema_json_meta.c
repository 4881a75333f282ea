/* SPDX-License-Identifier: Apache-2.0
 *
 * The structure of a json_schema attribute: a keyword is honoured or refused, never skipped.
 */
#include "plugin/schema_json.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <math.h>
#include <pcre2.h>
#include <stdio.h>
#include <string.h>

#include "plugin/schema_json_table.h"
#include "plugin/schema_part.h"

/* The first finding ends the check: path then says where. */
struct json_meta {
	struct buf path, text;
	unsigned int depth;
};

static bool meta_schema(struct json_meta *m, const json_t *schema);

static bool fail(struct json_meta *m, const char *text)
{
	buf_printf(&m->text, "%s", text);
	return false;
}

/* {} of Lua is a list as well as a table. */
static bool is_nothing(const json_t *arg)
{
	return (json_is_array(arg) && json_array_size(arg) == 0) ||
	       (json_is_object(arg) && json_object_size(arg) == 0);
}

static bool meta_member(struct json_meta *m, const char *name, const json_t *schema)
{
	size_t n = m->path.n;

	buf_printf(&m->path, ".%s", name);
	if (!meta_schema(m, schema))
		return false;
	m->path.n = n;
	return true;
}

static bool is_type_name(const json_t *name)
{
	static const char *const names[] = {
#define X(name, test) name,
			JSON_TYPE_TABLE(X)
#undef X
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (json_is_string(name) && strcmp(names[i], json_string_value(name)) == 0)
			return true;
	}
	return false;
}

static bool kind_TYPES(struct json_meta *m, const json_t *arg)
{
	json_t *name;
	size_t i;

	if (is_type_name(arg))
		return true;
	json_array_foreach (arg, i, name) {
		if (!is_type_name(name))
			return fail(m, "no such JSON type");
	}
	return json_array_size(arg) > 0 || fail(m, "expected the name of a JSON type, or a list");
}

static bool kind_VALUES(struct json_meta *m, const json_t *arg)
{
	return json_array_size(arg) > 0 || fail(m, "expected a list of at least one value");
}

static bool kind_NAMES(struct json_meta *m, const json_t *arg)
{
	json_t *name;
	size_t i;

	json_array_foreach (arg, i, name) {
		if (!json_is_string(name))
			return fail(m, "expected a list of names");
	}
	return json_is_array(arg) || is_nothing(arg) || fail(m, "expected a list of names");
}

static bool kind_NUMBER(struct json_meta *m, const json_t *arg)
{
	return json_is_number(arg) || fail(m, "expected a number");
}

static bool kind_POSITIVE(struct json_meta *m, const json_t *arg)
{
	return (json_is_number(arg) && json_number_value(arg) > 0) ||
	       fail(m, "expected a number above 0");
}

static bool kind_EXCLUSIVE(struct json_meta *m, const json_t *arg)
{
	return json_is_boolean(arg) || json_is_number(arg) ||
	       fail(m, "expected a boolean (draft 4) or a number");
}

static bool kind_COUNT(struct json_meta *m, const json_t *arg)
{
	return (json_is_integer(arg) && json_integer_value(arg) >= 0) ||
	       fail(m, "expected a whole number from 0");
}

static bool kind_BOOLEAN(struct json_meta *m, const json_t *arg)
{
	return json_is_boolean(arg) || fail(m, "expected a boolean");
}

static bool kind_REGEX(struct json_meta *m, const json_t *arg)
{
	size_t at = 0;
	struct pcre2_real_code_8 *code = schema_json_regex(arg, &at);

	if (!json_is_string(arg))
		return fail(m, "expected a string");
	if (code == NULL) {
		buf_printf(&m->text, "not a valid regex at byte %zu", at + 1);
		return false;
	}
	pcre2_code_free(code);
	return true;
}

static bool kind_ANNOTATION(struct json_meta *m, const json_t *arg)
{
	(void)m;
	(void)arg;
	return true;
}

static bool kind_SCHEMA(struct json_meta *m, const json_t *arg)
{
	return meta_schema(m, arg);
}

static bool kind_SCHEMA_OR_BOOLEAN(struct json_meta *m, const json_t *arg)
{
	return json_is_boolean(arg) || meta_schema(m, arg);
}

static bool kind_SCHEMA_LIST(struct json_meta *m, const json_t *arg)
{
	json_t *schema;
	size_t i;

	json_array_foreach (arg, i, schema) {
		char place[32];

		snprintf(place, sizeof(place), "%zu", i + 1);
		if (!meta_member(m, place, schema))
			return false;
	}
	return json_array_size(arg) > 0 || fail(m, "expected a list of at least one schema");
}

static bool kind_SCHEMA_OR_LIST(struct json_meta *m, const json_t *arg)
{
	return json_array_size(arg) > 0 ? kind_SCHEMA_LIST(m, arg) : meta_schema(m, arg);
}

static bool kind_SCHEMA_MAP(struct json_meta *m, const json_t *arg)
{
	const char *name;
	json_t *schema;

	json_object_foreach (schema_each(arg), name, schema) {
		if (!meta_member(m, name, schema))
			return false;
	}
	return json_is_object(arg) || is_nothing(arg) || fail(m, "expected a table of schemas");
}

static bool kind_REGEX_MAP(struct json_meta *m, const json_t *arg)
{
	const char *name;
	json_t *schema;

	json_object_foreach (schema_each(arg), name, schema) {
		sl_auto_json *pattern = json_string(name);

		if (!kind_REGEX(m, pattern))
			return false;
	}
	return kind_SCHEMA_MAP(m, arg);
}

static const struct {
	const char *name;
	bool (*kind)(struct json_meta *m, const json_t *arg);
} keywords[] = {
#define X(name, id, kind) {name, kind_##kind},
		JSON_KEYWORD_TABLE(X)
#undef X
};

enum { N_KEYWORDS = sizeof(keywords) / sizeof(keywords[0]) };

static bool meta_keyword(struct json_meta *m, const char *name, const json_t *arg)
{
	for (size_t i = 0; i < N_KEYWORDS; i++) {
		if (strcmp(keywords[i].name, name) == 0)
			return keywords[i].kind(m, arg);
	}
	buf_printf(&m->text, "unsupported JSON-schema keyword; there are ");
	for (size_t i = 0; i < N_KEYWORDS; i++)
		buf_printf(&m->text, "%s%s", i > 0 ? ", " : "", keywords[i].name);
	return false;
}

/* Draft 4: true says that the bound itself is outside, so there must be one. */
static bool meta_exclusive(
		struct json_meta *m, const json_t *schema, const char *name, const char *bound)
{
	if (!json_is_boolean(json_object_get(schema, name)) ||
			json_object_get(schema, bound) != NULL)
		return true;
	buf_printf(&m->text, "%s needs %s", name, bound);
	return false;
}

static bool meta_schema(struct json_meta *m, const json_t *schema)
{
	const char *name;
	json_t *arg;

	if (is_nothing(schema))
		return true;
	if (!json_is_object(schema))
		return fail(m, "expected a JSON schema (a table)");
	if (m->depth >= SCHEMA_DEPTH_MAX)
		return fail(m, "more than 24 levels of JSON schemas");
	m->depth++;
	json_object_foreach (schema_each(schema), name, arg) {
		size_t n = m->path.n;

		buf_printf(&m->path, ".%s", name);
		if (!meta_keyword(m, name, arg))
			return false;
		m->path.n = n;
	}
	m->depth--;
	return meta_exclusive(m, schema, "exclusiveMinimum", "minimum") &&
	       meta_exclusive(m, schema, "exclusiveMaximum", "maximum");
}

json_t *schema_json_meta(const json_t *declaration)
{
	const json_t *schema = json_object_get(declaration, "inline");
	struct json_meta m = {.depth = 0};
	json_t *error = NULL;

	if (!json_is_object(declaration))
		return schema_message("expected a record");
	if (schema == NULL || json_object_size(declaration) != 1)
		return schema_message("only { inline = {…} } is available: there is no registry "
				      "of JSON schemas here");
	buf_printf(&m.path, "inline");
	if (!meta_schema(&m, schema))
		error = schema_message("%s: %s", buf_z(&m.path), buf_z(&m.text));
	buf_done(&m.path);
	buf_done(&m.text);
	return error;
}
