/* SPDX-License-Identifier: Apache-2.0
 *
 * What schemas do beyond one value: generated fields, updates, form bodies, bounds.
 */
#include "plugin/schema.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "tests/unit/schema_case.h"

static void generated_fields_appear_on_insert_and_only_updated_at_changes_later(void **state)
{
	char *text = NULL;
	struct schema *s = schema_of("'fields':[{'id':{'typedef':'uuid'}},"
				     "{'created_at':{'typedef':'auto_timestamp_s'}},"
				     "{'updated_at':{'typedef':'auto_timestamp_s'}},"
				     "{'token':{'type':'string','auto':true}},"
				     "{'n':{'type':'integer','immutable':true}}]",
			&text);
	json_t *errors = NULL;
	json_t *none = json_object();
	json_t *first, *merged, *second, *given;

	(void)state;
	assert_non_null(s);
	first = schema_process(s, SCHEMA_INSERT, none, NULL, &errors);
	assert_non_null(first);
	assert_int_equal(json_string_length(json_object_get(first, "id")), 36);
	assert_int_equal(json_string_length(json_object_get(first, "token")), 32);
	assert_true(json_integer_value(json_object_get(first, "created_at")) > 1600000000);
	json_object_set_new(first, "updated_at", json_integer(1));
	json_object_set_new(first, "created_at", json_integer(2));
	merged = schema_merge(s, first, none, &errors);
	second = schema_process(s, SCHEMA_UPDATE, merged, none, &errors);
	assert_non_null(second);
	assert_true(json_equal(json_object_get(first, "id"), json_object_get(second, "id")));
	assert_int_equal(json_integer_value(json_object_get(second, "created_at")), 2);
	assert_true(json_integer_value(json_object_get(second, "updated_at")) > 1600000000);
	given = quoted("{'n':5}");
	assert_null(schema_merge(s, second, given, &errors));
	assert_string_equal(json_string_value(json_object_get(errors, "n")),
			"immutable field cannot be updated");
	json_decref(given);
	json_decref(errors);
	json_decref(second);
	json_decref(merged);
	json_decref(first);
	json_decref(none);
	schema_free(s);
}

static void check_update(
		const struct schema *s, const char *old, const char *given, const char *want)
{
	json_t *errors = NULL, *before = quoted(old), *sent = quoted(given), *wanted = quoted(want);
	json_t *merged = schema_merge(s, before, sent, &errors);
	json_t *out = schema_process(s, SCHEMA_UPDATE, merged, sent, &errors);

	if (out == NULL)
		fail_msg("%s: %s", given, schema_error_text(errors));
	assert_true(json_equal(out, wanted));
	json_decref(before);
	json_decref(sent);
	json_decref(wanted);
	json_decref(merged);
	json_decref(out);
}

/* What was stored is no contradiction to what is sent now. */
static void a_shorthand_in_an_update_replaces_what_was_stored(void **state)
{
	char *text = NULL;
	struct schema *s = schema_of(
			"'fields':[{'c':{'type':'record','fields':[{'r':{'type':'record',"
			"'fields':[{'host':{'type':'string'}},{'port':{'type':'integer'}}]}}],"
			"'shorthand_fields':[{'h':{'type':'string','translate_backwards':['r',"
			"'host'],'deprecation':{'message':'old','removal_in_version':'4.0',"
			"'replaced_with':[{'path':['r','host']}]}}},"
			"{'p':{'type':'integer','translate_backwards':['r','port']}}]}}]",
			&text);
	json_t *shown;
	char *printed;

	(void)state;
	assert_non_null(s);
	check_update(s, "{'c':{'r':{'host':'a','port':1}}}", "{'c':{'h':'b'}}",
			"{'c':{'r':{'host':'b','port':1}}}");
	check_update(s, "{'c':{'r':{'host':'a','port':1}}}", "{'c':{'p':2}}",
			"{'c':{'r':{'host':'a','port':2}}}");
	check_update(s, "{'c':{'r':{'host':'a','port':1}}}", "{'c':{'r':{'host':'c'}}}",
			"{'c':{'r':{'host':'c','port':1}}}");
	shown = quoted("{'c':{'r':{'host':'a','port':1}}}");
	schema_show_shorthands(schema_form(s), shown);
	printed = json_dumps(shown, JSON_COMPACT | JSON_SORT_KEYS);
	assert_string_equal(
			printed, "{\"c\":{\"h\":\"a\",\"p\":1,\"r\":{\"host\":\"a\",\"port\":1}}}");
	free(printed);
	json_decref(shown);
	schema_free(s);
}

static void an_update_merges_records_and_checks_what_was_sent(void **state)
{
	char *text = NULL;
	struct schema *s = schema_of(
			"'fields':[{'c':{'type':'record','fields':[{'a':{'type':"
			"'string'}},{'b':{'type':'array','elements':{'type':'string'}}}]}},"
			"{'o':{'type':'string'}}],"
			"'entity_checks':[{'at_least_one_of':['o']}]",
			&text);
	json_t *errors = NULL;
	json_t *old = quoted("{'c':{'a':'x','b':['1','2']},'o':null}");
	json_t *given = quoted("{'c':{'b':['3']}}");
	json_t *bad = quoted("{'o':null}");
	json_t *merged = schema_merge(s, old, given, &errors);
	json_t *out = schema_process(s, SCHEMA_UPDATE, merged, given, &errors);
	json_t *want = quoted("{'c':{'a':'x','b':['3']},'o':null}");

	(void)state;
	assert_non_null(out);
	assert_true(json_equal(out, want));
	assert_null(schema_process(s, SCHEMA_UPDATE, merged, bad, &errors));
	text = schema_error_text(errors);
	assert_string_equal(text,
			"schema violation (when updating, at least one of these fields must "
			"be non-empty: 'o')");
	free(text);
	json_decref(errors);
	json_decref(want);
	json_decref(out);
	json_decref(merged);
	json_decref(bad);
	json_decref(given);
	json_decref(old);
	schema_free(s);
}

/* want: NULL = taken, else the error. */
static void an_update_is(const char *members, const char *old, const char *given, const char *want)
{
	char *text = NULL;
	struct schema *s = schema_of(members, &text);
	json_t *before = quoted(old), *sent = quoted(given), *errors = NULL;
	json_t *merged, *out;

	assert_non_null(s);
	merged = schema_merge(s, before, sent, &errors);
	assert_non_null(merged);
	out = schema_process(s, SCHEMA_UPDATE, merged, sent, &errors);
	text = out != NULL ? NULL : schema_error_text(errors);
	if (want == NULL)
		assert_null(text);
	else
		assert_string_equal(text, want);
	free(text);
	json_decref(out);
	json_decref(merged);
	json_decref(errors);
	json_decref(sent);
	json_decref(before);
	schema_free(s);
}

#define AB "{'a':{'type':'string','len_max':2}},{'b':{'type':'string','required':true}}"
#define ABC "'fields':[" AB ",{'c':{'type':'string'}}]"

static void an_update_is_judged_by_the_fields_it_names(void **state)
{
	(void)state;
	an_update_is(ABC, "{'a':'long','b':'x'}", "{'b':'y'}", NULL);
	an_update_is(ABC, "{'a':'long','b':'x'}", "{'a':'long'}",
			"schema violation (a: length must be at most 2)");
	an_update_is(ABC, "{'a':'l','b':'x'}", "{'b':null}",
			"schema violation (b: required field missing)");
	an_update_is(ABC, "{'a':'l','b':'x'}", "{'d':1}", "schema violation (d: unknown field)");
	an_update_is(ABC ",'entity_checks':[{'only_one_of':['a','c']}]", "{'a':'x','b':'x'}",
			"{'c':'y'}",
			"schema violation (exactly one of these fields must be non-empty: 'a', "
			"'c')");
	an_update_is(ABC ",'entity_checks':[{'only_one_of':['a','c']}]",
			"{'a':'x','c':'y','b':'x'}", "{'b':'y'}", NULL);
	an_update_is(ABC ",'entity_checks':[{'conditional_at_least_one_of':{'if_field':'a',"
			 "'if_match':{'eq':'x'},'then_at_least_one_of':['c']}}]",
			"{'b':'x'}", "{'a':'x'}",
			"schema violation (when updating, at least one of these fields must be "
			"non-empty: 'c')");
}

static void a_check_names_the_required_field_that_it_lacks(void **state)
{
	char *have = outcome(ABC ",'entity_checks':[{'distinct':['b','c']}]", "{'c':'x'}");

	(void)state;
	assert_string_equal(have, "schema violation (b: field required for entity check)");
	free(have);
	an_update_is(ABC ",'entity_checks':[{'distinct':['b','c']}]", "{}", "{'c':'x'}",
			"schema violation (b: field required for entity check when updating)");
	have = outcome(ABC ",'entity_checks':[{'conditional':{'if_field':'c','if_match':{'eq':'x'},"
			   "'then_field':'b','then_match':{'eq':'y'}}}]",
			"{'c':'x'}");
	assert_string_equal(have, "2 schema violations (failed conditional validation given value "
				  "of field 'c'; b: required field missing)");
	free(have);
}

static void form_strings_become_what_the_schema_says(void **state)
{
	char *text = NULL;
	struct schema *s =
			schema_of("'fields':[{'n':{'type':'integer'}},{'b':{'type':'boolean'}},"
				  "{'s':{'type':'string'}},{'l':{'type':'array','elements':{'type':"
				  "'number'}}},{'r':{'type':'record','fields':[{'n':{'type':"
				  "'integer'}}]}},{'e':{'type':'string'}}]",
					&text);
	json_t *in = quoted(
			"{'n':'12','b':'true','s':'12','l':'1, 2.5','r':{'n':'x'},'e':'','u':'1'}");
	json_t *want = quoted(
			"{'n':12,'b':true,'s':'12','l':[1,2.5],'r':{'n':'x'},'e':null,'u':'1'}");
	json_t *out = schema_coerce(s, in);

	(void)state;
	assert_true(json_equal(out, want));
	json_decref(out);
	json_decref(want);
	json_decref(in);
	schema_free(s);
}

static void depth_is_bounded(void **state)
{
	char form[4096] = "'fields':[{'a':";
	char *have;

	(void)state;
	for (int i = 0; i < 40; i++)
		strcat(form, "{'type':'array','elements':");
	strcat(form, "{'type':'string'}");
	for (int i = 0; i < 40; i++)
		strcat(form, "}");
	strcat(form, "}]");
	have = outcome(form, "{}");
	assert_non_null(strstr(have, "levels of fields"));
	free(have);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(
					generated_fields_appear_on_insert_and_only_updated_at_changes_later),
			cmocka_unit_test(a_shorthand_in_an_update_replaces_what_was_stored),
			cmocka_unit_test(an_update_merges_records_and_checks_what_was_sent),
			cmocka_unit_test(an_update_is_judged_by_the_fields_it_names),
			cmocka_unit_test(a_check_names_the_required_field_that_it_lacks),
			cmocka_unit_test(form_strings_become_what_the_schema_says),
			cmocka_unit_test(depth_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
