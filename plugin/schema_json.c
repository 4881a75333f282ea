/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/schema_json.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <math.h>
#include <pcre2.h>
#include <stdio.h>
#include <string.h>

#include "plugin/schema_json_table.h"
#include "plugin/schema_part.h"

/* Schemas come from plugins' authors, values from others: their product is bounded. */
#define STEPS_MAX 200000U
#define REGEX_STEPS_MAX 100000U
/* What one match counts for among the steps. */
#define STEPS_PER_REGEX 100U

/* What is wrong and where: the first finding ends the check. */
struct json_check {
	struct buf path, text;
	unsigned int steps;
};

/* False: text filled, path at the place. */
typedef bool keyword_fn(
		struct json_check *c, const json_t *schema, const json_t *arg, const json_t *value);

static bool check(struct json_check *c, const json_t *schema, const json_t *value);

struct pcre2_real_code_8 *schema_json_regex(const json_t *pattern, size_t *ret_at)
{
	int error;

	*ret_at = 0;
	if (!json_is_string(pattern))
		return NULL;
	return pcre2_compile((PCRE2_SPTR)json_string_value(pattern), json_string_length(pattern),
			PCRE2_UTF | PCRE2_NEVER_BACKSLASH_C, &error, ret_at, NULL);
}

/* 1 = yes, 0 = no, -1 = not decided within its bounds. */
static int regex_matches(struct json_check *c, const json_t *pattern, const char *text, size_t n)
{
	size_t at;
	pcre2_code *code = schema_json_regex(pattern, &at);
	pcre2_match_data *data = code ? pcre2_match_data_create(1, NULL) : NULL;
	pcre2_match_context *context = data ? pcre2_match_context_create(NULL) : NULL;
	int r = PCRE2_ERROR_NOMEMORY;

	c->steps += STEPS_PER_REGEX;
	if (context != NULL) {
		pcre2_set_match_limit(context, REGEX_STEPS_MAX);
		pcre2_set_depth_limit(context, 1000);
		r = pcre2_match(code, (PCRE2_SPTR)text, n, 0, 0, data, context);
	}
	pcre2_match_context_free(context);
	pcre2_match_data_free(data);
	pcre2_code_free(code);
	if (r == PCRE2_ERROR_NOMATCH)
		return 0;
	return r >= 0 ? 1 : -1;
}

static bool is_type(const char *name, const json_t *value)
{
#define X(type, test) \
	if (strcmp(name, type) == 0) \
		return test;
	JSON_TYPE_TABLE(X)
#undef X
	return false;
}

static bool kw_type(
		struct json_check *c, const json_t *schema, const json_t *type, const json_t *value)
{
	json_t *name;
	size_t i;

	(void)schema;
	if (json_is_string(type) && is_type(json_string_value(type), value))
		return true;
	buf_printf(&c->text, "wrong type: expected %s",
			json_is_string(type) ? json_string_value(type) : "one of ");
	json_array_foreach (type, i, name) {
		if (is_type(json_string_value(name), value)) {
			c->text.n = 0;
			return true;
		}
		buf_printf(&c->text, "%s%s", i > 0 ? ", " : "", json_string_value(name));
	}
	return false;
}

static bool kw_enum(
		struct json_check *c, const json_t *schema, const json_t *list, const json_t *value)
{
	json_t *item;
	size_t i;

	(void)schema;
	json_array_foreach (list, i, item) {
		if (schema_is_equal(item, value))
			return true;
	}
	buf_printf(&c->text, "matches none of the enum values");
	return false;
}

static bool fail_bound(struct json_check *c, const char *name, const json_t *bound)
{
	buf_printf(&c->text, "breaks %s %.14g", name, json_number_value(bound));
	return false;
}

/* Draft 4 has a boolean beside the bound, later drafts the bound itself. */
static bool breaks_low(double number, double bound, bool is_exclusive)
{
	return is_exclusive ? number <= bound : number < bound;
}

static bool kw_minimum(struct json_check *c, const json_t *schema, const json_t *bound,
		const json_t *value)
{
	bool is_exclusive = json_is_true(json_object_get(schema, "exclusiveMinimum"));

	return !json_is_number(value) ||
	       !breaks_low(json_number_value(value), json_number_value(bound), is_exclusive) ||
	       fail_bound(c, is_exclusive ? "exclusiveMinimum" : "minimum", bound);
}

static bool kw_maximum(struct json_check *c, const json_t *schema, const json_t *bound,
		const json_t *value)
{
	bool is_exclusive = json_is_true(json_object_get(schema, "exclusiveMaximum"));

	return !json_is_number(value) ||
	       !breaks_low(-json_number_value(value), -json_number_value(bound), is_exclusive) ||
	       fail_bound(c, is_exclusive ? "exclusiveMaximum" : "maximum", bound);
}

static bool kw_exclusive_minimum(struct json_check *c, const json_t *schema, const json_t *bound,
		const json_t *value)
{
	(void)schema;
	return !json_is_number(bound) || !json_is_number(value) ||
	       json_number_value(value) > json_number_value(bound) ||
	       fail_bound(c, "exclusiveMinimum", bound);
}

static bool kw_exclusive_maximum(struct json_check *c, const json_t *schema, const json_t *bound,
		const json_t *value)
{
	(void)schema;
	return !json_is_number(bound) || !json_is_number(value) ||
	       json_number_value(value) < json_number_value(bound) ||
	       fail_bound(c, "exclusiveMaximum", bound);
}

static bool kw_multiple_of(
		struct json_check *c, const json_t *schema, const json_t *of, const json_t *value)
{
	double parts = json_number_value(value) / json_number_value(of);

	(void)schema;
	/* 0.3 is three times 0.1 to everyone but a double. */
	return !json_is_number(value) || fabs(parts - floor(parts + 0.5)) <= 1e-9 * fabs(parts) ||
	       fail_bound(c, "multipleOf", of);
}

/* Draft 4 counts characters. */
static size_t characters_of(const json_t *value)
{
	const char *p = json_string_value(value);
	size_t n = 0;

	for (size_t i = 0; i < json_string_length(value); i++)
		n += ((unsigned char)p[i] & 0xC0) != 0x80;
	return n;
}

static size_t bound_of(const json_t *bound)
{
	return (size_t)json_integer_value(bound);
}

#define KW_COUNT(id, keyword, test, count, op) \
	static bool kw_##id(struct json_check *c, const json_t *schema, const json_t *bound, \
			const json_t *value) \
	{ \
		(void)schema; \
		return !test(value) || count(value) op bound_of(bound) || \
		       fail_bound(c, keyword, bound); \
	}
KW_COUNT(min_length, "minLength", json_is_string, characters_of, >=)
KW_COUNT(max_length, "maxLength", json_is_string, characters_of, <=)
KW_COUNT(min_items, "minItems", json_is_array, json_array_size, >=)
KW_COUNT(max_items, "maxItems", json_is_array, json_array_size, <=)
KW_COUNT(min_properties, "minProperties", json_is_object, json_object_size, >=)
KW_COUNT(max_properties, "maxProperties", json_is_object, json_object_size, <=)

static bool kw_pattern(struct json_check *c, const json_t *schema, const json_t *pattern,
		const json_t *value)
{
	int r = json_is_string(value) ? regex_matches(c, pattern, json_string_value(value),
							json_string_length(value))
				      : 1;

	(void)schema;
	if (r == 1)
		return true;
	buf_printf(&c->text, r == 0 ? "does not match pattern %s" : "too costly for pattern %s",
			json_string_value(pattern));
	return false;
}

static bool kw_unique_items(struct json_check *c, const json_t *schema, const json_t *is_unique,
		const json_t *value)
{
	sl_auto_json *list = json_is_array(value) ? schema_dedup(value) : NULL;

	(void)schema;
	if (!json_is_true(is_unique) || json_array_size(list) == json_array_size(value))
		return true;
	buf_printf(&c->text, "has the same item twice");
	return false;
}

static bool check_member(
		struct json_check *c, const json_t *schema, const char *name, const json_t *value)
{
	size_t n = c->path.n;
	bool is_good;

	if (json_is_false(schema)) {
		buf_printf(&c->text, "additional property %s is forbidden", name);
		return false;
	}
	buf_printf(&c->path, "%s%s", n > 0 ? "." : "", name);
	is_good = check(c, schema, value);
	if (is_good)
		c->path.n = n;
	return is_good;
}

static bool kw_items(struct json_check *c, const json_t *schema, const json_t *items,
		const json_t *value)
{
	const json_t *rest = json_object_get(schema, "additionalItems");
	size_t n_tuple = json_array_size(items);
	json_t *member;
	size_t i;

	json_array_foreach (value, i, member) {
		char place[32];
		const json_t *inner = i < n_tuple ? json_array_get(items, i) : rest;

		snprintf(place, sizeof(place), "%zu", i + 1);
		if (!check_member(c, n_tuple > 0 ? inner : items, place, member))
			return false;
	}
	return true;
}

static bool kw_properties(struct json_check *c, const json_t *schema, const json_t *properties,
		const json_t *value)
{
	const char *name;
	json_t *member;

	(void)schema;
	json_object_foreach (schema_each(value), name, member) {
		const json_t *inner = json_object_get(properties, name);

		if (inner != NULL && !check_member(c, inner, name, member))
			return false;
	}
	return true;
}

/* Every pattern that matches the name; -1 = the value is wrong. */
static int check_patterns(struct json_check *c, const json_t *patterns, const char *name,
		const json_t *member)
{
	const char *pattern;
	json_t *inner;
	int n_matched = 0;

	json_object_foreach (schema_each(patterns), pattern, inner) {
		sl_auto_json *text = json_string(pattern);
		int r = regex_matches(c, text, name, strlen(name));

		if (r < 0) {
			buf_printf(&c->text, "property %s is too costly for pattern %s", name,
					pattern);
			return -1;
		}
		if (r == 1 && !check_member(c, inner, name, member))
			return -1;
		n_matched += r;
	}
	return n_matched;
}

static bool kw_pattern_properties(struct json_check *c, const json_t *schema,
		const json_t *patterns, const json_t *value)
{
	const char *name;
	json_t *member;

	(void)schema;
	json_object_foreach (schema_each(value), name, member) {
		if (check_patterns(c, patterns, name, member) < 0)
			return false;
	}
	return true;
}

/* What neither properties nor patternProperties speak of. */
static bool check_rest(struct json_check *c, const json_t *schema, const json_t *value)
{
	const json_t *rest = json_object_get(schema, "additionalProperties");
	const json_t *named = json_object_get(schema, "properties");
	const char *name, *pattern;
	json_t *member, *unused;

	json_object_foreach (schema_each(value), name, member) {
		bool is_covered = json_object_get(named, name) != NULL;

		json_object_foreach (
				json_object_get(schema, "patternProperties"), pattern, unused) {
			sl_auto_json *text = json_string(pattern);

			is_covered = is_covered || regex_matches(c, text, name, strlen(name)) == 1;
		}
		if (!is_covered && !check_member(c, rest, name, member))
			return false;
	}
	return true;
}

static bool kw_required(struct json_check *c, const json_t *schema, const json_t *names,
		const json_t *value)
{
	json_t *name;
	size_t i;

	(void)schema;
	json_array_foreach (names, i, name) {
		if (json_is_object(value) &&
				json_object_get(value, json_string_value(name)) == NULL) {
			buf_printf(&c->text, "property %s is required", json_string_value(name));
			return false;
		}
	}
	return true;
}

/* How many of the schemas take the value; what the others say is forgotten. */
static size_t count_good(struct json_check *c, const json_t *list, const json_t *value)
{
	size_t n_path = c->path.n, n_good = 0;
	json_t *schema;
	size_t i;

	json_array_foreach (list, i, schema) {
		n_good += check(c, schema, value) ? 1 : 0;
		c->path.n = n_path;
		c->text.n = 0;
	}
	return n_good;
}

static bool kw_all_of(
		struct json_check *c, const json_t *schema, const json_t *list, const json_t *value)
{
	json_t *one;
	size_t i;

	(void)schema;
	json_array_foreach (list, i, one) {
		if (!check(c, one, value))
			return false;
	}
	return true;
}

static bool kw_any_of(
		struct json_check *c, const json_t *schema, const json_t *list, const json_t *value)
{
	(void)schema;
	if (count_good(c, list, value) > 0)
		return true;
	buf_printf(&c->text, "matches none of the anyOf schemas");
	return false;
}

static bool kw_one_of(
		struct json_check *c, const json_t *schema, const json_t *list, const json_t *value)
{
	size_t n = count_good(c, list, value);

	(void)schema;
	if (n == 1)
		return true;
	buf_printf(&c->text, "matches %zu of the oneOf schemas, not one", n);
	return false;
}

static bool kw_not(struct json_check *c, const json_t *schema, const json_t *inner,
		const json_t *value)
{
	size_t n_path = c->path.n;
	bool is_match = check(c, inner, value);

	(void)schema;
	c->path.n = n_path;
	c->text.n = 0;
	if (!is_match)
		return true;
	buf_printf(&c->text, "matches the schema that it must not");
	return false;
}

static bool kw_none(
		struct json_check *c, const json_t *schema, const json_t *arg, const json_t *value)
{
	(void)c;
	(void)schema;
	(void)arg;
	(void)value;
	return true;
}

static const struct {
	const char *name;
	keyword_fn *fn;
} keywords[] = {
#define X(name, id, kind) {name, kw_##id},
		JSON_KEYWORD_TABLE(X)
#undef X
};

static bool check(struct json_check *c, const json_t *schema, const json_t *value)
{
	if (!json_is_object(schema))
		return true;
	if (++c->steps > STEPS_MAX) {
		buf_printf(&c->text, "the value is too large for its JSON schema");
		return false;
	}
	for (size_t i = 0; i < sizeof(keywords) / sizeof(keywords[0]); i++) {
		const json_t *arg = json_object_get(schema, keywords[i].name);

		if (arg != NULL && !keywords[i].fn(c, schema, arg, value))
			return false;
	}
	return json_object_get(schema, "additionalProperties") == NULL ||
	       check_rest(c, schema, value);
}

bool schema_json_check(const json_t *declaration, const json_t *value, json_t **ret_error)
{
	struct json_check c = {.steps = 0};
	bool is_good = check(&c, json_object_get(declaration, "inline"), value);

	/* A branch that ran out of steps was no answer, whatever became of it. */
	if (is_good && c.steps > STEPS_MAX) {
		buf_printf(&c.text, "the value is too large for its JSON schema");
		is_good = false;
	}
	if (!is_good)
		schema_fail(ret_error, "value failed JSON-schema validation: %s%s%s",
				c.path.n > 0 ? buf_z(&c.path) : "", c.path.n > 0 ? ": " : "",
				c.text.n > 0 ? buf_z(&c.text) : "");
	buf_done(&c.path);
	buf_done(&c.text);
	return is_good;
}
