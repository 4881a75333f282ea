/* SPDX-License-Identifier: Apache-2.0
 *
 * The validators of schema_table.h.  Each one sees a value of the right type (or of any type
 * where the table says ON_ALL), and says what is wrong in the words of the reference.
 */
#include "plugin/schema_part.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <float.h>
#include <math.h>
#include <pcre2.h>
#include <string.h>

#include "base/hex.h"
#include "plugin/pattern.h"
#include "plugin/schema_table.h"
#include "plugin/typedefs.h"

/* arg: the attribute's value.  False: msg filled. */
typedef bool validator_fn(const json_t *arg, const json_t *value, struct buf *msg);

static struct str text_of(const json_t *value)
{
	return (struct str){json_string_value(value), json_string_length(value)};
}

static void print_list(struct buf *out, const json_t *list)
{
	json_t *item;
	size_t i;

	json_array_foreach (list, i, item) {
		if (i > 0)
			buf_printf(out, ", ");
		schema_print_value(out, item);
	}
}

/* The largest number stands for math.huge, which JSON has not. */
static void print_real(struct buf *out, double number, bool is_whole)
{
	if (fabs(number) >= DBL_MAX)
		buf_printf(out, number > 0 ? "inf" : "-inf");
	else if (is_whole)
		buf_printf(out, "%.0f", trunc(number));
	else
		buf_printf(out, "%.14g", number);
}

void schema_print_value(struct buf *out, const json_t *value)
{
	if (json_is_string(value))
		buf_add_str(out, text_of(value));
	else if (json_is_integer(value))
		buf_printf(out, "%lld", (long long)json_integer_value(value));
	else if (json_is_real(value))
		print_real(out, json_real_value(value), false);
	else if (json_is_array(value))
		print_list(out, value);
	else if (json_is_object(value))
		buf_printf(out, "{…}");
	else
		buf_printf(out, "%s",
				json_is_true(value)    ? "true"
				: json_is_false(value) ? "false"
						       : "null");
}

static bool fail_with(struct buf *msg, const char *text, const json_t *value)
{
	buf_printf(msg, "%s", text);
	schema_print_value(msg, value);
	return false;
}

static bool are_members_equal(const json_t *a, const json_t *b)
{
	const char *name;
	json_t *member;
	size_t i;

	json_array_foreach (a, i, member) {
		if (!schema_is_equal(member, json_array_get(b, i)))
			return false;
	}
	json_object_foreach (schema_each(a), name, member) {
		if (!schema_is_equal(member, json_object_get(b, name)))
			return false;
	}
	return true;
}

bool schema_is_equal(const json_t *a, const json_t *b)
{
	if (a == NULL || b == NULL)
		return a == b;
	if (json_is_integer(a) && json_is_integer(b))
		return json_integer_value(a) == json_integer_value(b);
	if (json_is_number(a) && json_is_number(b))
		return json_number_value(a) >= json_number_value(b) &&
		       json_number_value(a) <= json_number_value(b);
	if (json_typeof(a) != json_typeof(b) || json_array_size(a) != json_array_size(b) ||
			json_object_size(a) != json_object_size(b))
		return false;
	if (json_is_array(a) || json_is_object(a))
		return are_members_equal(a, b);
	return json_equal(a, b) != 0;
}

static bool is_in(const json_t *list, const json_t *value)
{
	json_t *item;
	size_t i;

	json_array_foreach (list, i, item) {
		if (schema_is_equal(item, value))
			return true;
	}
	return false;
}

/* Bytes of a string, members of a list or map; 0 for anything without a length. */
static size_t length_of(const json_t *value)
{
	if (json_is_string(value))
		return json_string_length(value);
	return json_is_array(value) ? json_array_size(value) : json_object_size(value);
}

/* A pattern that is too costly for the value decides nothing: then `on_error` does, so that
 * no check is passed by exhausting it. */
static bool matches(const json_t *pattern, const json_t *value, bool on_error)
{
	const char *error = NULL;
	bool is_match = json_is_string(value) &&
			pattern_matches(text_of(value), text_of(pattern), &error);

	return error != NULL ? on_error : is_match;
}

static bool validate_eq(const json_t *arg, const json_t *value, struct buf *msg)
{
	return schema_is_equal(arg, value) || fail_with(msg, "value must be ", arg);
}

static bool validate_ne(const json_t *arg, const json_t *value, struct buf *msg)
{
	return !schema_is_equal(arg, value) || fail_with(msg, "value must not be ", value);
}

static bool validate_not_one_of(const json_t *arg, const json_t *value, struct buf *msg)
{
	return !is_in(arg, value) || fail_with(msg, "must not be one of: ", arg);
}

static bool validate_one_of(const json_t *arg, const json_t *value, struct buf *msg)
{
	return is_in(arg, value) || fail_with(msg, "expected one of: ", arg);
}

static bool validate_gt(const json_t *arg, const json_t *value, struct buf *msg)
{
	return (json_is_number(value) && json_number_value(value) > json_number_value(arg)) ||
	       fail_with(msg, "value must be greater than ", arg);
}

static bool validate_timestamp(const json_t *arg, const json_t *value, struct buf *msg)
{
	if (json_is_false(arg) || (json_is_number(value) && json_number_value(value) > 0))
		return true;
	buf_printf(msg, "expected a valid timestamp");
	return false;
}

static bool validate_uuid(const json_t *arg, const json_t *value, struct buf *msg)
{
	if (json_is_false(arg) || uuid_is_valid(text_of(value)))
		return true;
	buf_printf(msg, "expected a valid UUID");
	return false;
}

static bool validate_is_regex(const json_t *arg, const json_t *value, struct buf *msg)
{
	struct str text = text_of(value);
	PCRE2_SIZE at;
	pcre2_code *code;
	int err;

	if (json_is_false(arg))
		return true;
	code = pcre2_compile((PCRE2_SPTR)text.p, text.n, 0, &err, &at, NULL);
	if (code == NULL)
		return fail_with(msg, "not a valid regex: ", value);
	pcre2_code_free(code);
	return true;
}

static bool validate_between(const json_t *arg, const json_t *value, struct buf *msg)
{
	double low = json_number_value(json_array_get(arg, 0));
	double high = json_number_value(json_array_get(arg, 1));
	double number = json_number_value(value);

	if (number >= low && number <= high)
		return true;
	/* The reference prints them by %d, which cuts. */
	buf_printf(msg, "value should be between ");
	print_real(msg, low, true);
	buf_printf(msg, " and ");
	print_real(msg, high, true);
	return false;
}

static bool validate_len_eq(const json_t *arg, const json_t *value, struct buf *msg)
{
	return length_of(value) == (size_t)json_integer_value(arg) ||
	       fail_with(msg, "length must be ", arg);
}

static bool validate_len_min(const json_t *arg, const json_t *value, struct buf *msg)
{
	return length_of(value) >= (size_t)json_integer_value(arg) ||
	       fail_with(msg, "length must be at least ", arg);
}

static bool validate_len_max(const json_t *arg, const json_t *value, struct buf *msg)
{
	return length_of(value) <= (size_t)json_integer_value(arg) ||
	       fail_with(msg, "length must be at most ", arg);
}

static bool validate_starts_with(const json_t *arg, const json_t *value, struct buf *msg)
{
	return (json_is_string(value) && str_starts(text_of(value), text_of(arg))) ||
	       fail_with(msg, "should start with: ", arg);
}

static bool validate_not_match(const json_t *arg, const json_t *value, struct buf *msg)
{
	return !matches(arg, value, true) || fail_with(msg, "invalid value: ", value);
}

static bool validate_match(const json_t *arg, const json_t *value, struct buf *msg)
{
	return matches(arg, value, false) || fail_with(msg, "invalid value: ", value);
}

static bool fail_pattern(const json_t *entry, const json_t *value, struct buf *msg)
{
	const json_t *err = json_object_get(entry, "err");

	return err != NULL ? fail_with(msg, "", err) : fail_with(msg, "invalid value: ", value);
}

static bool validate_match_none(const json_t *arg, const json_t *value, struct buf *msg)
{
	json_t *entry;
	size_t i;

	json_array_foreach (arg, i, entry) {
		if (matches(json_object_get(entry, "pattern"), value, true))
			return fail_pattern(entry, value, msg);
	}
	return true;
}

static bool validate_match_all(const json_t *arg, const json_t *value, struct buf *msg)
{
	json_t *entry;
	size_t i;

	json_array_foreach (arg, i, entry) {
		if (!matches(json_object_get(entry, "pattern"), value, false))
			return fail_pattern(entry, value, msg);
	}
	return true;
}

static bool validate_match_any(const json_t *arg, const json_t *value, struct buf *msg)
{
	json_t *pattern;
	size_t i;

	json_array_foreach (json_object_get(arg, "patterns"), i, pattern) {
		if (matches(pattern, value, false))
			return true;
	}
	return fail_pattern(arg, value, msg);
}

static bool validate_contains(const json_t *arg, const json_t *value, struct buf *msg)
{
	return is_in(value, arg) || fail_with(msg, "expected to contain: ", arg);
}

static bool validate_typedef(const json_t *arg, const json_t *value, struct buf *msg)
{
	return typedef_check(json_string_value(arg), value, msg);
}

static void print_subsets(struct buf *msg, const json_t *subsets)
{
	json_t *subset, *item;
	size_t i, k;

	json_array_foreach (subsets, i, subset) {
		buf_printf(msg, i > 0 ? ", (" : "(");
		json_array_foreach (subset, k, item) {
			buf_printf(msg, k > 0 ? ", '" : "'");
			schema_print_value(msg, item);
			buf_printf(msg, "'");
		}
		buf_printf(msg, ")");
	}
}

static bool has_any(const json_t *subset, const json_t *value)
{
	json_t *item;
	size_t i;

	json_array_foreach (value, i, item) {
		if (is_in(subset, item))
			return true;
	}
	return false;
}

static bool validate_mutually_exclusive_subsets(
		const json_t *arg, const json_t *value, struct buf *msg)
{
	sl_auto_json *touched = json_array();
	json_t *subset;
	size_t i;

	json_array_foreach (arg, i, subset) {
		if (has_any(subset, value))
			json_array_append(touched, subset);
	}
	if (json_array_size(touched) < 2)
		return true;
	buf_printf(msg, "these sets are mutually exclusive: ");
	print_subsets(msg, touched);
	return false;
}

static const struct {
	const char *name;
	validator_fn *fn;
} validators[] = {
#define X(name, kind, types) {#name, validate_##name},
		SCHEMA_VALIDATOR_TABLE(X)
#undef X
};

bool schema_run_validators(const json_t *def, const json_t *value, struct buf *msg)
{
	for (size_t i = 0; i < sizeof(validators) / sizeof(validators[0]); i++) {
		const json_t *arg = json_object_get(def, validators[i].name);

		/* eq = null and ne = null have been looked at with the null values. */
		if (arg != NULL && !json_is_null(arg) && !validators[i].fn(arg, value, msg))
			return false;
	}
	return true;
}
