/* SPDX-License-Identifier: Apache-2.0
 *
 * 100,000 random values under random schemas: the validator against a model that is slow and
 * says nothing twice.  The model speaks the exact messages and gives the exact filled value.
 */
#include "plugin/schema.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/schema_random.h"

#define N_SCHEMAS 10000
#define N_VALUES 10

/* ---- the model ---- */

static bool is(const json_t *def, const char *type)
{
	return strcmp(json_string_value(json_object_get(def, "type")), type) == 0;
}

static bool is_required(const json_t *def, bool is_element)
{
	const json_t *said = json_object_get(def, "required");

	return is_element || (said == NULL ? is(def, "record") : json_is_true(said));
}

static bool same(const json_t *a, const json_t *b)
{
	if (json_is_number(a) && json_is_number(b))
		return fabs(json_number_value(a) - json_number_value(b)) < 1e-9;
	return json_equal(a, b);
}

static bool is_in(const json_t *list, const json_t *value)
{
	json_t *item;
	size_t i;

	json_array_foreach (list, i, item) {
		if (same(item, value))
			return true;
	}
	return false;
}

static json_t *model_fill_record(const json_t *def, const json_t *value);

static json_t *model_fill(const json_t *def, const json_t *value, bool is_element)
{
	bool is_empty = (json_is_object(value) && json_object_size(value) == 0) ||
			(json_is_array(value) && json_array_size(value) == 0);
	json_t *out, *item, *filled;
	const char *key;
	size_t i;

	if (value == NULL)
		value = json_object_get(def, "default");
	if (value == NULL && is(def, "record") && is_required(def, is_element))
		return model_fill_record(def, NULL);
	if (value == NULL)
		return is_required(def, is_element) ? NULL : json_null();
	if (is(def, "integer") && json_is_real(value) &&
			fabs(fmod(json_real_value(value), 1)) < 1e-9)
		return json_integer((json_int_t)json_real_value(value));
	if (is(def, "record") && (is_empty || json_is_object(value)))
		return model_fill_record(def, value);
	if (is(def, "map") && (is_empty || json_is_object(value))) {
		out = json_object();
		json_object_foreach ((json_t *)(uintptr_t)value, key, item)
			json_object_set_new(out, key,
					model_fill(json_object_get(def, "values"), item, true));
		return out;
	}
	if ((is(def, "array") || is(def, "set")) && (is_empty || json_is_array(value))) {
		out = json_array();
		json_array_foreach (value, i, item) {
			filled = model_fill(json_object_get(def, "elements"), item, true);
			if (is(def, "array") || !is_in(out, filled))
				json_array_append(out, filled);
			json_decref(filled);
		}
		return out;
	}
	return json_deep_copy(value);
}

static json_t *model_fill_record(const json_t *def, const json_t *value)
{
	json_t *out = json_is_object(value) ? json_deep_copy(value) : json_object();
	json_t *entry, *field, *filled;
	const char *name;
	size_t i;

	json_array_foreach (json_object_get(def, "fields"), i, entry) {
		json_object_foreach (entry, name, field) {
			filled = model_fill(field, json_object_get(value, name), false);
			if (filled == NULL)
				json_object_del(out, name);
			else
				json_object_set_new(out, name, filled);
		}
	}
	return out;
}

static void print(char *out, const json_t *value)
{
	json_t *item;
	size_t i;

	if (json_is_string(value))
		strcat(out, json_string_value(value));
	else if (json_is_integer(value))
		sprintf(out + strlen(out), "%d", (int)json_integer_value(value));
	else if (json_is_real(value))
		sprintf(out + strlen(out), "%.14g", json_real_value(value));
	else if (json_is_boolean(value))
		strcat(out, json_is_true(value) ? "true" : "false");
	else if (json_is_object(value))
		strcat(out, "{…}");
	json_array_foreach (value, i, item) {
		strcat(out, i > 0 ? ", " : "");
		print(out, item);
	}
}

static json_t *say(const char *text, const json_t *value)
{
	char out[1024];

	snprintf(out, sizeof(out), "%s", text);
	print(out, value);
	return json_string(out);
}

static const json_t *attribute(const json_t *def, const char *name)
{
	return json_object_get(def, name);
}

static json_t *model_length(const json_t *def, const json_t *value)
{
	int n = (int)(json_is_string(value)    ? json_string_length(value)
			: json_is_array(value) ? json_array_size(value)
					       : json_object_size(value));
	const json_t *eq = attribute(def, "len_eq"), *min = attribute(def, "len_min"),
		     *max = attribute(def, "len_max");

	if (eq != NULL && n != json_integer_value(eq))
		return say("length must be ", eq);
	if (min == NULL && eq == NULL && is(def, "string") && n < 1)
		return json_string("length must be at least 1");
	if (min != NULL && n < json_integer_value(min))
		return say("length must be at least ", min);
	if (max != NULL && n > json_integer_value(max))
		return say("length must be at most ", max);
	return NULL;
}

static json_t *model_validate(const json_t *def, const json_t *value)
{
	double number = json_number_value(value);
	const json_t *between = attribute(def, "between");
	json_t *error;
	char text[64];

	if (attribute(def, "eq") != NULL && !same(attribute(def, "eq"), value))
		return say("value must be ", attribute(def, "eq"));
	if (attribute(def, "ne") != NULL && same(attribute(def, "ne"), value))
		return say("value must not be ", value);
	if (is_in(attribute(def, "not_one_of"), value))
		return say("must not be one of: ", attribute(def, "not_one_of"));
	if (attribute(def, "one_of") != NULL && !is_in(attribute(def, "one_of"), value))
		return say("expected one of: ", attribute(def, "one_of"));
	if (attribute(def, "gt") != NULL && !(number > json_number_value(attribute(def, "gt"))))
		return say("value must be greater than ", attribute(def, "gt"));
	if (between != NULL &&
			(number < 0 || number > json_number_value(json_array_get(between, 1)))) {
		sprintf(text, "value should be between 0 and %d",
				(int)json_integer_value(json_array_get(between, 1)));
		return json_string(text);
	}
	error = model_length(def, value);
	if (error == NULL && attribute(def, "starts_with") != NULL &&
			json_string_value(value)[0] != 'a')
		error = json_string("should start with: a");
	return error;
}

static json_t *model_check_record(const json_t *def, const json_t *value);

static json_t *model_check(const json_t *def, const json_t *value, bool is_element);

static json_t *model_check_list(const json_t *def, const json_t *value)
{
	json_t *errors = json_array(), *item;
	size_t i, n_bad = 0;

	json_array_foreach (value, i, item) {
		json_t *error = model_check(json_object_get(def, "elements"), item, true);

		n_bad = error != NULL ? i + 1 : n_bad;
		json_array_append_new(errors, error != NULL ? error : json_null());
	}
	while (json_array_size(errors) > n_bad)
		json_array_remove(errors, json_array_size(errors) - 1);
	if (n_bad > 0)
		return errors;
	json_decref(errors);
	return NULL;
}

static json_t *model_check_type(const json_t *def, const json_t *value)
{
	double number = json_number_value(value);
	const char *key;
	json_t *item, *error;

	if (is(def, "string"))
		return json_is_string(value) ? NULL : json_string("expected a string");
	if (is(def, "number"))
		return json_is_number(value) ? NULL : json_string("expected a number");
	if (is(def, "integer"))
		return json_is_number(value) && fabs(fmod(number, 1)) < 1e-9
				       ? NULL
				       : json_string("expected an integer");
	if (is(def, "boolean"))
		return json_is_boolean(value) ? NULL : json_string("expected a boolean");
	if (is(def, "array") || is(def, "set")) {
		if (json_is_array(value))
			return model_check_list(def, value);
		return json_string(is(def, "set") ? "expected a set" : "expected an array");
	}
	if (!json_is_object(value))
		return json_string(is(def, "map") ? "expected a map" : "expected a record");
	if (is(def, "record"))
		return model_check_record(def, value);
	json_object_foreach ((json_t *)(uintptr_t)value, key, item) {
		error = model_check(json_object_get(def, "values"), item, true);
		if (error != NULL)
			return error;
	}
	return NULL;
}

static json_t *model_check(const json_t *def, const json_t *value, bool is_element)
{
	json_t *error;

	if (json_is_null(value) && attribute(def, "eq") != NULL)
		return say("value must be ", attribute(def, "eq"));
	if (json_is_null(value))
		return is_required(def, is_element) ? json_string("required field missing") : NULL;
	error = model_check_type(def, value);
	return error != NULL ? error : model_validate(def, value);
}

static bool is_set(const json_t *value)
{
	return value != NULL && !json_is_null(value) &&
	       !(json_is_string(value) && json_string_length(value) == 0) &&
	       !(json_is_array(value) && json_array_size(value) == 0) &&
	       !(json_is_object(value) && json_object_size(value) == 0);
}

static bool is_scalar(const json_t *value)
{
	return !json_is_array(value) && !json_is_object(value);
}

/* NULL = passes. */
static const char *verdict_of(const char *check, const json_t *a, const json_t *b)
{
	int n = is_set(a) + is_set(b);

	if (strcmp(check, "at_least_one_of") == 0)
		return n > 0 ? NULL : "at least one of these fields must be non-empty";
	if (strcmp(check, "only_one_of") == 0)
		return n == 1 ? NULL : "exactly one of these fields must be non-empty";
	if (strcmp(check, "mutually_required") == 0)
		return n != 1 ? NULL : "all or none of these fields must be set";
	if (strcmp(check, "mutually_exclusive") == 0)
		return n < 2 ? NULL : "only one or none of these fields must be set";
	return n == 2 && is_scalar(a) && is_scalar(b) && same(a, b)
			       ? "values of these fields must be distinct"
			       : NULL;
}

static void model_entity_check(
		const char *check, const json_t *list, const json_t *value, json_t *errors)
{
	const char *a = json_string_value(json_array_get(list, 0));
	const char *b = json_string_value(json_array_get(list, 1));
	bool is_mutual = check[0] == 'm', needs_all = check[0] == 'o' || check[0] == 'd';
	const json_t *va = json_object_get(value, a), *vb = json_object_get(value, b);
	const char *verdict;
	char text[128];
	json_t *found;

	if (is_mutual && (json_object_get(errors, a) != NULL || json_object_get(errors, b) != NULL))
		return;
	if (needs_all && va == NULL)
		json_object_set_new(errors, a, json_string("field required for entity check"));
	if (needs_all && vb == NULL)
		json_object_set_new(errors, b, json_string("field required for entity check"));
	if (needs_all && (va == NULL || vb == NULL))
		return;
	verdict = verdict_of(check, va, vb);
	if (verdict == NULL)
		return;
	snprintf(text, sizeof(text), "%s: '%s', '%s'", verdict, a, b);
	found = json_object_get(errors, "@entity");
	if (found == NULL) {
		found = json_array();
		json_object_set_new(errors, "@entity", found);
	}
	json_array_append_new(found, json_string(text));
}

static json_t *model_check_record(const json_t *def, const json_t *value)
{
	json_t *errors = json_object(), *known = json_object(), *entry, *field, *error;
	const char *name;
	size_t i;

	json_array_foreach (json_object_get(def, "fields"), i, entry) {
		json_object_foreach (entry, name, field) {
			const json_t *v = json_object_get(value, name);

			json_object_set_new(known, name, json_true());
			error = v != NULL ? model_check(field, v, false)
					  : json_string("required field missing");
			if (error != NULL)
				json_object_set_new(errors, name, error);
		}
	}
	json_object_foreach ((json_t *)(uintptr_t)value, name, entry) {
		if (json_object_get(known, name) == NULL)
			json_object_set_new(errors, name, json_string("unknown field"));
	}
	json_array_foreach (json_object_get(def, "entity_checks"), i, entry) {
		json_object_foreach (entry, name, field)
			model_entity_check(name, field, value, errors);
	}
	json_decref(known);
	if (json_object_size(errors) > 0)
		return errors;
	json_decref(errors);
	return NULL;
}

/* ---- both ---- */

static void show(const char *what, const json_t *value)
{
	char *text = value != NULL ? json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;

	print_error("%s %s\n", what, text != NULL ? text : "none");
	free(text);
}

static bool compare(const struct schema *s, const json_t *form, const json_t *value)
{
	json_t *errors = NULL;
	json_t *have = schema_process(s, SCHEMA_INSERT, value, NULL, &errors);
	json_t *filled = model_fill_record(form, value);
	json_t *wrong = model_check_record(form, filled);
	bool is_same = (wrong == NULL) == (have != NULL) &&
		       (wrong == NULL ? json_equal(have, filled) : json_equal(errors, wrong));

	if (!is_same) {
		show("form", form);
		show("value", value);
		show("have", have != NULL ? have : errors);
		show("want", wrong != NULL ? wrong : filled);
	}
	json_decref(errors);
	json_decref(have);
	json_decref(filled);
	json_decref(wrong);
	return is_same;
}

static void the_validator_and_the_model_agree(void **state)
{
	unsigned int n_good = 0;

	(void)state;
	for (unsigned int i = 0; i < N_SCHEMAS; i++) {
		json_t *form = json_pack("{s:s,s:o,s:o}", "name", "x", "fields", random_fields(0),
				"entity_checks", random_checks());
		struct schema *s = NULL;
		json_t *errors = NULL;

		assert_int_equal(schema_new(&s, form, &errors), 0);
		for (unsigned int k = 0; k < N_VALUES; k++) {
			json_t *value = random_members(json_object_get(form, "fields"));

			assert_true(compare(s, form, value));
			errors = NULL;
			json_decref(schema_process(s, SCHEMA_INSERT, value, NULL, &errors));
			n_good += errors == NULL;
			json_decref(errors);
			json_decref(value);
		}
		schema_free(s);
		json_decref(form);
	}
	/* The two had something to agree on. */
	assert_in_range(n_good, N_SCHEMAS / 10, N_SCHEMAS * N_VALUES / 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(the_validator_and_the_model_agree),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
