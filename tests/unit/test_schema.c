/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/schema.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "tests/unit/schema_case.h"

/* want: the processed value, or "schema violation (…)". */
struct row {
	const char *members, *input, *want;
};

static void run_rows(const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		char *have = outcome(rows[i].members, rows[i].input);

		if (have == NULL || strcmp(have, rows[i].want) != 0)
			print_error("  schema %s\n  input  %s\n", rows[i].members, rows[i].input);
		assert_non_null(have);
		assert_string_equal(have, rows[i].want);
		free(have);
	}
}

#define RUN(rows) run_rows((rows), sizeof(rows) / sizeof((rows)[0]))
#define ONE(def) "'fields':[{'a':" def "}]"
#define BAD(text) "schema violation (a: " text ")"

static void each_type_takes_its_own_values_and_names_what_it_expected(void **state)
{
	static const struct row rows[] = {
			{ONE("{'type':'string'}"), "{'a':'x'}", "{'a':'x'}"},
			{ONE("{'type':'string'}"), "{'a':1}", BAD("expected a string")},
			{ONE("{'type':'string'}"), "{'a':''}", BAD("length must be at least 1")},
			{ONE("{'type':'string','len_min':0}"), "{'a':''}", "{'a':''}"},
			{ONE("{'type':'number'}"), "{'a':1.5}", "{'a':1.5}"},
			{ONE("{'type':'number'}"), "{'a':'1'}", BAD("expected a number")},
			{ONE("{'type':'integer'}"), "{'a':2.0}", "{'a':2}"},
			{ONE("{'type':'integer'}"), "{'a':2.5}", BAD("expected an integer")},
			{ONE("{'type':'boolean'}"), "{'a':true}", "{'a':true}"},
			{ONE("{'type':'boolean'}"), "{'a':0}", BAD("expected a boolean")},
			{ONE("{'type':'array','elements':{'type':'string'}}"), "{'a':['x','x']}",
					"{'a':['x','x']}"},
			{ONE("{'type':'array','elements':{'type':'string'}}"), "{'a':{}}",
					"{'a':[]}"},
			{ONE("{'type':'array','elements':{'type':'string'}}"), "{'a':'x'}",
					BAD("expected an array")},
			{ONE("{'type':'set','elements':{'type':'integer'}}"), "{'a':[3,1,3,2,1]}",
					"{'a':[3,1,2]}"},
			{ONE("{'type':'set','elements':{'type':'string'}}"), "{'a':{'x':1}}",
					BAD("expected a set")},
			{ONE("{'type':'map','keys':{'type':'string'},'values':{'type':'integer'}}"),
					"{'a':{'k':1}}", "{'a':{'k':1}}"},
			{ONE("{'type':'map','keys':{'type':'string'},'values':{'type':'integer'}}"),
					"{'a':{'k':null}}", BAD("required field missing")},
			{ONE("{'type':'map','keys':{'type':'string'},'values':{'type':'integer'}}"),
					"{'a':[1]}", BAD("expected a map")},
			{ONE("{'type':'record','fields':[{'b':{'type':'string'}}]}"), "{'a':1}",
					BAD("expected a record")},
			{ONE("{'type':'foreign','reference':'routes'}"),
					"{'a':{'id':'00000000-0000-4000-8000-000000000000'}}",
					"{'a':{'id':'00000000-0000-4000-8000-000000000000'}}"},
			{ONE("{'type':'foreign','reference':'routes'}"), "{'a':{'id':'x'}}",
					"schema violation (a.id: expected a valid UUID)"},
			{ONE("{'type':'json','json_schema':{'inline':{'type':'object','properties':"
			     "{"
			     "'n':{'type':'integer'}},'required':['n']}}}"),
					"{'a':{'n':1}}", "{'a':{'n':1}}"},
			{ONE("{'type':'json','json_schema':{'inline':{'type':'object','properties':"
			     "{"
			     "'n':{'type':'integer'}},'required':['n']}}}"),
					"{'a':{'n':'x'}}",
					BAD("value failed JSON-schema validation: n: wrong type: "
					    "expected integer")},
	};

	(void)state;
	RUN(rows);
}

static void every_validator_speaks_as_the_reference_does(void **state)
{
	static const struct row rows[] = {
			{ONE("{'type':'string','eq':'x'}"), "{'a':'y'}", BAD("value must be x")},
			{ONE("{'type':'string','eq':null}"), "{'a':'y'}",
					BAD("value must be null")},
			{ONE("{'type':'string','eq':null}"), "{}", "{'a':null}"},
			{ONE("{'type':'string','ne':'x'}"), "{'a':'x'}",
					BAD("value must not be x")},
			{ONE("{'type':'string','not_one_of':['x','y']}"), "{'a':'x'}",
					BAD("must not be one of: x, y")},
			{ONE("{'type':'integer','one_of':[1,2]}"), "{'a':3}",
					BAD("expected one of: 1, 2")},
			{ONE("{'type':'integer','one_of':[1,2]}"), "{'a':2.0}", "{'a':2}"},
			{ONE("{'type':'number','gt':0.5}"), "{'a':0.5}",
					BAD("value must be greater than 0.5")},
			{ONE("{'type':'integer','timestamp':true}"), "{'a':0}",
					BAD("expected a valid timestamp")},
			{ONE("{'type':'string','uuid':true}"), "{'a':'x'}",
					BAD("expected a valid UUID")},
			{ONE("{'type':'string','is_regex':true}"), "{'a':'(x'}",
					BAD("not a valid regex: (x")},
			{ONE("{'type':'integer','between':[1,9]}"), "{'a':10}",
					BAD("value should be between 1 and 9")},
			{ONE("{'type':'string','len_eq':2}"), "{'a':'x'}", BAD("length must be 2")},
			{ONE("{'type':'array','elements':{'type':'string'},'len_min':1}"),
					"{'a':[]}", BAD("length must be at least 1")},
			{ONE("{'type':'string','len_max':2}"), "{'a':'xyz'}",
					BAD("length must be at most 2")},
			{ONE("{'type':'string','starts_with':'/'}"), "{'a':'x'}",
					BAD("should start with: /")},
			{ONE("{'type':'string','not_match':'%s'}"), "{'a':'a b'}",
					BAD("invalid value: a b")},
			{ONE("{'type':'string','match':'^%u+$'}"), "{'a':'GEt'}",
					BAD("invalid value: GEt")},
			{ONE("{'type':'string','match':'^%u+$'}"), "{'a':'GET'}", "{'a':'GET'}"},
			{ONE("{'type':'string','match_none':[{'pattern':'//','err':'empty "
			     "segment'}]}"),
					"{'a':'a//b'}", BAD("empty segment")},
			{ONE("{'type':'string','match_all':[{'pattern':'a','err':'no a'},"
			     "{'pattern':'b','err':'no b'}]}"),
					"{'a':'xa'}", BAD("no b")},
			{ONE("{'type':'string','match_any':{'patterns':['^a','^b'],'err':'neither'}"
			     "}"),
					"{'a':'c'}", BAD("neither")},
			{ONE("{'type':'array','elements':{'type':'string'},'contains':'x'}"),
					"{'a':['y']}", BAD("expected to contain: x")},
			{ONE("{'type':'set','elements':{'type':'string'},"
			     "'mutually_exclusive_subsets':[['a','b'],['c']]}"),
					"{'a':['a','c']}",
					BAD("these sets are mutually exclusive: ('a', 'b'), "
					    "('c')")},
			{ONE("{'type':'string','match':'^x','err':'begin with x'}"), "{'a':'y'}",
					BAD("begin with x")},
	};

	(void)state;
	RUN(rows);
}

static void validators_run_in_the_order_of_the_table(void **state)
{
	static const struct row rows[] = {
			{ONE("{'type':'string','match':'^x','len_max':1,'one_of':['q']}"),
					"{'a':'yy'}", BAD("expected one of: q")},
			{ONE("{'type':'string','match':'^x','len_max':1}"), "{'a':'yy'}",
					BAD("length must be at most 1")},
	};

	(void)state;
	RUN(rows);
}

static void missing_fields_get_defaults_nulls_or_an_error(void **state)
{
	static const struct row rows[] = {
			{ONE("{'type':'string','default':'d'}"), "{}", "{'a':'d'}"},
			{ONE("{'type':'string','default':'d'}"), "{'a':null}", "{'a':null}"},
			{ONE("{'type':'string'}"), "{}", "{'a':null}"},
			{ONE("{'type':'string','required':true}"), "{}",
					BAD("required field missing")},
			{ONE("{'type':'string','required':true}"), "{'a':null}",
					BAD("required field missing")},
			{ONE("{'type':'string','required':true,'default':'d'}"), "{'a':null}",
					BAD("required field missing")},
			{ONE("{'type':'record','fields':[{'b':{'type':'integer','default':7}}]}"),
					"{}", "{'a':{'b':7}}"},
			{ONE("{'type':'record','required':false,'fields':[{'b':{'type':'integer',"
			     "'default':7}}]}"),
					"{}", "{'a':null}"},
			{ONE("{'type':'record','fields':[{'b':{'type':'integer','default':7}},"
			     "{'c':{'type':'integer'}}],'default':{'c':1}}"),
					"{}", "{'a':{'b':7,'c':1}}"},
			{ONE("{'type':'array','elements':{'type':'record','fields':[{'b':{'type':"
			     "'integer','default':7}}]}}"),
					"{'a':[{}]}", "{'a':[{'b':7}]}"},
			{ONE("{'type':'string'}"), "{'b':1}",
					"schema violation (b: unknown field)"},
			{"'fields':[]", "{}", "{}"},
			{"'fields':{}", "[]", "{}"},
	};

	(void)state;
	RUN(rows);
}

#define AB(check) \
	"'fields':[{'a':{'type':'string'}},{'b':{'type':'string'}}],'entity_checks':[" check "]"
#define NOT(text) "schema violation (" text ")"

static void entity_checks_speak_as_the_reference_does(void **state)
{
	static const struct row rows[] = {
			{AB("{'at_least_one_of':['a','b']}"), "{}",
					NOT("at least one of these fields must be non-empty: 'a', "
					    "'b'")},
			{AB("{'only_one_of':['a','b']}"), "{'a':'1','b':'2'}",
					NOT("exactly one of these fields must be non-empty: 'a', "
					    "'b'")},
			{AB("{'only_one_of':['a','b']}"), "{'a':'1'}", "{'a':'1','b':null}"},
			{AB("{'distinct':['a','b']}"), "{'a':'1','b':'1'}",
					NOT("values of these fields must be distinct: 'a', 'b'")},
			{AB("{'distinct':['a','b']}"), "{}", "{'a':null,'b':null}"},
			{AB("{'mutually_required':['a','b']}"), "{'a':'1'}",
					NOT("all or none of these fields must be set: 'a', 'b'")},
			{AB("{'mutually_exclusive':['a','b']}"), "{'a':'1','b':'2'}",
					NOT("only one or none of these fields must be set: 'a', "
					    "'b'")},
			{AB("{'mutually_exclusive_sets':{'set1':['a'],'set2':['b']}}"),
					"{'a':'1','b':'2'}",
					NOT("these sets are mutually exclusive: ('a'), ('b')")},
			{AB("{'conditional':{'if_field':'a','if_match':{'eq':'x'},'then_field':'b',"
			    "'then_match':{'required':true}}}"),
					"{'a':'x'}",
					"2 schema violations (failed conditional validation given "
					"value of "
					"field 'a'; b: required field missing)"},
			{AB("{'conditional':{'if_field':'a','if_match':{'eq':'x'},'then_field':'b',"
			    "'then_match':{'one_of':['y']},'then_err':'given %s, b is y'}}"),
					"{'a':'x','b':'z'}",
					"2 schema violations (given a, b is y; b: expected one of: "
					"y)"},
			{AB("{'conditional':{'if_field':'a','if_match':{'eq':'x'},'then_field':'b',"
			    "'then_match':{'required':true}}}"),
					"{'a':'y'}", "{'a':'y','b':null}"},
			{AB("{'conditional_at_least_one_of':{'if_field':'a','if_match':{'eq':'x'},"
			    "'then_at_least_one_of':['b']}}"),
					"{'a':'x'}",
					NOT("at least one of these fields must be non-empty: 'b'")},
			{"'fields':[{'c':{'type':'record','fields':[{'a':{'type':'string'}}],"
			 "'entity_checks':[{'at_least_one_of':['a']}]}}]",
					"{}",
					NOT("c.@entity: {\"at least one of these fields must be "
					    "non-empty: 'a'\"}")},
			{"'fields':[{'c':{'type':'record','fields':[{'a':{'type':'string'}}]}}],"
			 "'entity_checks':[{'at_least_one_of':['c.a']}]",
					"{}",
					NOT("at least one of these fields must be non-empty: "
					    "'c.a'")},
	};

	(void)state;
	RUN(rows);
}

static void errors_are_shaped_and_worded_as_the_reference_does(void **state)
{
	static const struct row rows[] = {
			{"'fields':[{'config':{'type':'record','fields':[{'a':{'type':'string'}}]}}"
			 "]",
					"{'config':{'a':1,'b':2}}",
					"2 schema violations (config.a: expected a string; "
					"config.b: "
					"unknown field)"},
			{ONE("{'type':'array','elements':{'type':'string'}}"),
					"{'a':['x',1,'y',2]}",
					"2 schema violations (a.2: expected a string; a.4: "
					"expected a "
					"string)"},
			{"'fields':[{'c':{'type':'record','fields':[{'l':{'type':'array','elements'"
			 ":{"
			 "'type':'string'}}}]}}]",
					"{'c':{'l':['x',1]}}",
					"schema violation (c.l: {[2]=\"expected a string\"})"},
			{"'fields':[{'z':{'type':'string'}},{'y':{'type':'string'}}],"
			 "'entity_checks':[{'at_least_one_of':['q']}]",
					"{'z':1,'y':1}",
					"3 schema violations (at least one of these fields must be "
					"non-empty: 'q'; y: expected a string; z: expected a "
					"string)"},
	};

	(void)state;
	RUN(rows);
}

static void references_pass_validators_and_skip_entity_checks(void **state)
{
	static const struct row rows[] = {
			{ONE("{'type':'string','referenceable':true,'len_max':3}"),
					"{'a':'{vault://env/x}'}", "{'a':'{vault://env/x}'}"},
			{ONE("{'type':'string','len_max':3}"), "{'a':'{vault://env/x}'}",
					BAD("length must be at most 3")},
			{"'fields':[{'a':{'type':'string','referenceable':true}},"
			 "{'b':{'type':'string'}}],'entity_checks':[{'only_one_of':['a','b']}]",
					"{'a':'{vault://env/x}','b':'x'}",
					"{'a':'{vault://env/x}','b':'x'}"},
	};

	(void)state;
	RUN(rows);
}

static void shorthands_move_to_where_they_belong(void **state)
{
#define SHORT \
	"'fields':[{'new':{'type':'integer','default':9}}],'shorthand_fields':[{'old':{'type':" \
	"'integer','deprecation':{'replaced_with':[{'path':['new']}]}}}]"
#define BACK \
	"'fields':[{'r':{'type':'record','fields':[{'new':{'type':'integer'}}]}}]," \
	"'shorthand_fields':[{'old':{'type':'integer','translate_backwards':['r','new']}}]"
	static const struct row rows[] = {
			{SHORT, "{'old':1}", "{'new':1}"},
			{SHORT, "{'old':1,'new':1}", "{'new':1}"},
			{SHORT, "{'old':1,'new':2}",
					NOT("old: both deprecated and new field are used but their "
					    "values "
					    "mismatch: old = 1 vs new = 2")},
			{SHORT, "{'old':'x'}", NOT("old: expected an integer")},
			{SHORT, "{}", "{'new':9}"},
			{BACK, "{'old':1}", "{'r':{'new':1}}"},
			{BACK, "{'old':1,'r':{'new':2}}", "{'r':{'new':1}}"},
			{BACK, "{'old':'x'}", NOT("old: expected an integer")},
			{"'fields':[],'shorthand_fields':[{'old':{'type':'string'}}]", "{}",
					NOT("shorthand_fields.old: must say where its value goes: "
					    "deprecation = { replaced_with = { { path = { "
					    "\"field\" } } } }")},
			{"'fields':[],'shorthand_fields':[{'old':{'type':'string','func':1}}]",
					"{}",
					NOT("shorthand_fields.old: {func=\"functions are not "
					    "available in "
					    "streamed schemas: declare what you can, check the "
					    "rest in the "
					    "handler\"}")},
	};

	(void)state;
	RUN(rows);
}

static void definitions_with_mistakes_are_refused_with_their_place(void **state)
{
#define META(text) "schema violation (fields.a: " text ")"
	static const struct row rows[] = {
			{ONE("{}"), "{}", META("missing type declaration")},
			{ONE("1"), "{}", META("'a' must be a table")},
			{ONE("[]"), "{}", META("missing type declaration")},
			{ONE("{'type':'array','elements':'string'}"), "{}",
					META("{elements=\"'elements' must be a table\"}")},
			{ONE("{'type':'record','fields':1}"), "{}",
					META("{fields=\"'fields' must be a table\"}")},
			{"'fields':[['type']]", "{}",
					"schema violation (fields.1: each key in fields must be a "
					"string)"},
			{"'fields':1", "{}", "schema violation (fields: 'fields' must be a table)"},
			{"'fields':[],'entity_checks':1", "{}",
					"schema violation (entity_checks: expected an array)"},
			{ONE("{'type':'array'}"), "{}",
					META("field of type 'array' must declare 'elements'")},
			{ONE("{'type':'map','keys':{'type':'string'}}"), "{}",
					META("field of type 'map' must declare 'values'")},
			{ONE("{'type':'string','between':[1,2]}"), "{}",
					META("{between=\"field of type 'string' cannot have "
					     "attribute "
					     "'between'\"}")},
			{ONE("{'type':'string','wat':1}"), "{}", META("{wat=\"unknown field\"}")},
			{ONE("{'type':'string','match':'['}"), "{}",
					META("{match=\"not a Lua pattern: malformed pattern "
					     "(missing "
					     "']')\"}")},
			{ONE("{'type':'string','required':'yes'}"), "{}",
					META("{required=\"expected a boolean\"}")},
			{ONE("{'type':'string','description':'short'}"), "{}",
					META("{description=\"length must be at least 10\"}")},
			{ONE("{'type':'integer','default':'x'}"), "{}",
					META("{default=\"expected an integer\"}")},
			{ONE("{'type':'function'}"), "{}",
					META("functions are not available in streamed schemas: "
					     "declare "
					     "what you can, check the rest in the handler")},
			{ONE("{'type':'string','custom_validator':1}"), "{}",
					META("{custom_validator=\"functions are not available in "
					     "streamed "
					     "schemas: declare what you can, check the rest in the "
					     "handler\"}")},
			{ONE("{'typedef':'nope'}"), "{}",
					META("schema typedef error: definition nope does not "
					     "exist")},
			{"'fields':[{}]", "{}",
					"schema violation (fields.1: field entry table is empty)"},
			{"'fields':[1]", "{}",
					"schema violation (fields.1: each entry in fields must be "
					"a "
					"sub-table)"},
			{"'fields':[],'entity_checks':[{'nope':['a']}]", "{}",
					"schema violation (entity_checks.nope: unknown entity "
					"check)"},
			{"'fields':[],'entity_checks':[{'conditional':{'if_field':'a'}}]", "{}",
					"schema violation (entity_checks.conditional: if_match: "
					"required "
					"field missing)"},
			{"'fields':[],'check':1", "{}",
					"schema violation (check: functions are not available in "
					"streamed "
					"schemas: do this in the handler)"},
			{"'fields':[],'wat':1", "{}", "schema violation (wat: unknown field)"},
	};

	(void)state;
	RUN(rows);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(each_type_takes_its_own_values_and_names_what_it_expected),
			cmocka_unit_test(every_validator_speaks_as_the_reference_does),
			cmocka_unit_test(validators_run_in_the_order_of_the_table),
			cmocka_unit_test(missing_fields_get_defaults_nulls_or_an_error),
			cmocka_unit_test(entity_checks_speak_as_the_reference_does),
			cmocka_unit_test(errors_are_shaped_and_worded_as_the_reference_does),
			cmocka_unit_test(references_pass_validators_and_skip_entity_checks),
			cmocka_unit_test(shorthands_move_to_where_they_belong),
			cmocka_unit_test(definitions_with_mistakes_are_refused_with_their_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
