/* SPDX-License-Identifier: Apache-2.0
 *
 * The words of schemas, row by row beside test_schema: what each mistake is called and where the
 * error stands.
 */
#include "plugin/schema.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "tests/unit/schema_case.h"

struct row {
	const char *members, *input, *want;
};

static void run_rows(const struct row *rows, size_t n)
{
	unsigned n_wrong = 0;

	for (size_t i = 0; i < n; i++) {
		char *have = outcome(rows[i].members, rows[i].input);

		if (have == NULL || strcmp(have, rows[i].want) != 0) {
			print_error("schema   %s\n  input    %s\n  gives    %s\n  expected %s\n",
					rows[i].members, rows[i].input, have, rows[i].want);
			n_wrong++;
		}
		free(have);
	}
	assert_int_equal(n_wrong, 0);
}

#define RUN(rows) run_rows((rows), sizeof(rows) / sizeof((rows)[0]))
#define ONE(def) "'fields':[{'a':" def "}]"
#define BAD(text) "schema violation (a: " text ")"
#define NOT(text) "schema violation (" text ")"
#define STRINGS "'elements':{'type':'string'}"
#define ID "'00000000-0000-4000-8000-000000000000'"

static void what_is_of_another_type(void **state)
{
	static const struct row rows[] = {
			{ONE("{'type':'string'}"), "{'a':['x']}", BAD("expected a string")},
			{ONE("{'type':'string'}"), "{'a':true}", BAD("expected a string")},
			{ONE("{'type':'number'}"), "{'a':true}", BAD("expected a number")},
			{ONE("{'type':'integer'}"), "{'a':'1'}", BAD("expected an integer")},
			{ONE("{'type':'integer'}"), "{'a':1e300}", "{'a':1.0000000000000001e300}"},
			{ONE("{'type':'boolean'}"), "{'a':'true'}", BAD("expected a boolean")},
			{ONE("{'type':'array'," STRINGS "}"), "{'a':{'x':1}}",
					BAD("expected an array")},
			{ONE("{'type':'array'," STRINGS "}"), "{'a':[null]}",
					NOT("a.1: required field missing")},
			{ONE("{'type':'array'," STRINGS "}"), "{'a':['']}",
					NOT("a.1: length must be at least 1")},
			{ONE("{'type':'set'," STRINGS "}"), "{'a':'x'}", BAD("expected a set")},
			{ONE("{'type':'set'," STRINGS "}"), "{'a':[]}", "{'a':[]}"},
			{ONE("{'type':'map','keys':{'type':'string'},'values':{'type':'string'}}"),
					"{'a':'x'}", BAD("expected a map")},
			{ONE("{'type':'map','keys':{'type':'string'},'values':{'type':'string'}}"),
					"{'a':{'k':1}}", BAD("expected a string")},
			{ONE("{'type':'map','keys':{'type':'string','match':'^%d+$'},"
			     "'values':{'type':'string'}}"),
					"{'a':{'k':'v'}}", BAD("invalid value: k")},
			{ONE("{'type':'map','keys':{'type':'string'},'values':{'type':'string'}}"),
					"{'a':{}}", "{'a':{}}"},
			{ONE("{'type':'record','fields':[]}"), "{'a':'x'}",
					BAD("expected a record")},
			{ONE("{'type':'record','fields':[]}"), "{'a':{'b':1}}",
					NOT("a.b: unknown field")},
			{ONE("{'type':'foreign','reference':'routes'}"), "{'a':'x'}",
					BAD("expected a record")},
			{ONE("{'type':'foreign','reference':'routes'}"), "{'a':{}}",
					NOT("a.id: missing primary key")},
			{ONE("{'type':'foreign','reference':'routes'}"), "{'a':{'id':null}}",
					NOT("a.id: required field missing")},
			{ONE("{'type':'foreign','reference':'routes'}"), "{'a':{'id':1}}",
					NOT("a.id: expected a string")},
			{ONE("{'type':'foreign','reference':'routes','required':true}"),
					"{'a':null}", BAD("required field missing")},
			{ONE("{'type':'foreign','reference':'routes','eq':null}"),
					"{'a':{'id':" ID "}}", BAD("value must be null")},
			{ONE("{'type':'string','abstract':true}"), "{'a':'x'}",
					BAD("error in schema definition: abstract field was not "
					    "specialized")},
	};

	(void)state;
	RUN(rows);
}

static void what_a_validator_says(void **state)
{
	static const struct row rows[] = {
			{ONE("{'type':'string','ne':null}"), "{}", BAD("value must not be null")},
			{ONE("{'type':'string','eq':'x'}"), "{'a':null}", BAD("value must be x")},
			{ONE("{'type':'boolean','eq':true}"), "{'a':false}",
					BAD("value must be true")},
			{ONE("{'type':'number','eq':1.5}"), "{'a':2}", BAD("value must be 1.5")},
			{ONE("{'type':'number','ne':0}"), "{'a':0}", BAD("value must not be 0")},
			{ONE("{'type':'number','not_one_of':[1,2]}"), "{'a':2}",
					BAD("must not be one of: 1, 2")},
			{ONE("{'type':'string','one_of':['a','b','c']}"), "{'a':'d'}",
					BAD("expected one of: a, b, c")},
			{ONE("{'type':'integer','gt':0}"), "{'a':0}",
					BAD("value must be greater than 0")},
			{ONE("{'type':'number','between':[0.5,1.5]}"), "{'a':2}",
					BAD("value should be between 0 and 1")},
			{ONE("{'type':'number','between':[0.5,1.5]}"), "{'a':1.5}", "{'a':1.5}"},
			{ONE("{'type':'set'," STRINGS ",'len_eq':2}"), "{'a':['x','x','y']}",
					"{'a':['x','y']}"},
			{ONE("{'type':'set'," STRINGS ",'len_eq':2}"), "{'a':['x','x']}",
					BAD("length must be 2")},
			{ONE("{'type':'array'," STRINGS ",'len_max':1}"), "{'a':['x','x']}",
					BAD("length must be at most 1")},
			{ONE("{'type':'map','keys':{'type':'string'},'values':{'type':'string'},"
			     "'len_min':2}"),
					"{'a':{'k':'v'}}", BAD("length must be at least 2")},
			{ONE("{'type':'string','len_max':2}"), "{'a':'\u00e4\u00e4'}",
					BAD("length must be at most 2")},
			{ONE("{'type':'string','uuid':true}"),
					"{'a':'CBB297C0-A956-486D-AD1D-F9B42DF9465A'}",
					"{'a':'CBB297C0-A956-486D-AD1D-F9B42DF9465A'}"},
			{ONE("{'type':'string','uuid':true}"),
					"{'a':'cbb297c0a956486dad1df9b42df9465a'}",
					BAD("expected a valid UUID")},
			{ONE("{'type':'number','timestamp':true}"), "{'a':-0.5}",
					BAD("expected a valid timestamp")},
			{ONE("{'type':'string','match_all':[{'pattern':'^a'}]}"), "{'a':'b'}",
					BAD("invalid value: b")},
			{ONE("{'type':'string','match_none':[{'pattern':'b'}]}"), "{'a':'b'}",
					BAD("invalid value: b")},
			{ONE("{'type':'string','match_any':{'patterns':['^x','^y']}}"), "{'a':'b'}",
					BAD("invalid value: b")},
			{ONE("{'type':'set'," STRINGS ",'contains':'x'}"), "{'a':[]}",
					BAD("expected to contain: x")},
			{ONE("{'type':'string','is_regex':true}"), "{'a':'[a'}",
					BAD("not a valid regex: [a")},
			{ONE("{'type':'string','starts_with':'/','err':'a path, please'}"),
					"{'a':'x'}", BAD("a path, please")},
			{ONE("{'type':'string','err':'mine'}"), "{'a':1}",
					BAD("expected a string")},
			{ONE("{'type':'string','required':true,'err':'mine'}"), "{}",
					BAD("required field missing")},
	};

	(void)state;
	RUN(rows);
}

#define CHECKS(fields, checks) "'fields':[" fields "],'entity_checks':[" checks "]"
#define A "{'a':{'type':'string'}}"
#define B "{'b':{'type':'string'}}"
#define C "{'c':{'type':'array'," STRINGS "}}"
#define IN_RECORD(check) \
	"'fields':[{'r':{'type':'record','fields':[" A "," B "],'entity_checks':[" check "]}}]"
#define AT_LEAST "at least one of these fields must be non-empty: "

static void what_checks_across_fields_say(void **state)
{
	static const struct row rows[] = {
			{CHECKS(A "," C, "{'at_least_one_of':['a','c']}"), "{'c':[]}",
					NOT(AT_LEAST "'a', 'c'")},
			{CHECKS(A "," C, "{'at_least_one_of':['a','c']}"), "{'a':1}",
					"schema violation (a: expected a string)"},
			{CHECKS(A "," B, "{'only_one_of':['a','b']}"), "{}",
					NOT("exactly one of these fields must be non-empty: 'a', "
					    "'b'")},
			{CHECKS(A "," B, "{'mutually_required':['a','b']}"), "{'b':'x'}",
					NOT("all or none of these fields must be set: 'a', 'b'")},
			{CHECKS(A "," B, "{'mutually_required':['a','b']}"), "{'a':1,'b':'x'}",
					NOT("a: expected a string")},
			{CHECKS(A "," B, "{'mutually_exclusive':['a','b']}"), "{'a':'x'}",
					"{'a':'x','b':null}"},
			{CHECKS(A "," B "," C, "{'mutually_exclusive_sets':{'set1':['a','b'],'set2'"
					       ":['c']}"
					       "}"),
					"{'b':'x','c':['y']}",
					NOT("these sets are mutually exclusive: ('b'), ('c')")},
			{CHECKS(A "," B "," C, "{'distinct':['a','b','c']}"), "{'a':'x','b':'x'}",
					NOT("values of these fields must be distinct: 'a', 'b', "
					    "'c'")},
			{CHECKS(A "," B, "{'conditional':{'if_field':'a','if_match':{'one_of':['x',"
					 "'y']},'then_field':'b','then_match':{'len_min':3}}}"),
					"{'a':'y','b':'z'}",
					"2 schema violations (failed conditional validation given "
					"value of field 'a'; b: length must be at least 3)"},
			{CHECKS(A "," B, "{'conditional':{'if_field':'a','if_match':{'ne':null},"
					 "'then_field':'b','then_match':{'eq':null}}}"),
					"{'a':'y','b':'z'}",
					"2 schema violations (failed conditional validation given "
					"value of field 'a'; b: value must be null)"},
			{CHECKS(A "," B, "{'conditional_at_least_one_of':{'if_field':'a','if_match'"
					 ":{"
					 "'eq':'x'},'then_at_least_one_of':['b'],'then_err':'needs "
					 "%s'}}"),
					"{'a':'x'}", NOT("needs 'b'")},
			{CHECKS(A "," B "," C, "{'conditional_at_least_one_of':{'if_field':'a','if_"
					       "match':{"
					       "'eq':'x'},'then_at_least_one_of':['b'],'else_match'"
					       ":{'eq':"
					       "'y'},'else_then_at_least_one_of':['c','b']}}"),
					"{'a':'y'}", NOT(AT_LEAST "'c', 'b'")},
			{CHECKS(A "," B "," C,
					 "{'conditional_at_least_one_of':{'if_field':'a','if_match'"
					 ":{"
					 "'eq':'x'},'then_at_least_one_of':['b'],'else_match':{'eq'"
					 ":"
					 "'y'},'else_then_at_least_one_of':['c'],'else_then_err':"
					 "'else %s'}}"),
					"{'a':'y'}", NOT("else 'c'")},
			{IN_RECORD("{'only_one_of':['a','b']}"), "{'r':{'a':'x','b':'y'}}",
					NOT("r.@entity: {\"exactly one of these fields must be "
					    "non-empty: 'a', 'b'\"}")},
			{IN_RECORD("{'conditional':{'if_field':'a','if_match':{'eq':'x'},"
				   "'then_field':'b','then_match':{'required':true}}}"),
					"{'r':{'a':'x'}}",
					"2 schema violations (r.@entity: {\"failed conditional "
					"validation given value of field 'a'\"}; r.b: required "
					"field "
					"missing)"},
	};

	(void)state;
	RUN(rows);
}

#define META(text) "schema violation (fields.a: " text ")"
#define SHORT(def) "'fields':[{'n':{'type':'integer'}}],'shorthand_fields':[{'s':" def "}]"
#define NO_FUNCTIONS \
	"functions are not available in streamed schemas: declare what you can, check the " \
	"rest in the handler"

static void what_is_no_definition(void **state)
{
	static const struct row rows[] = {
			{ONE("{'required':true}"), "{}", META("missing type declaration")},
			{ONE("{'type':'set'}"), "{}",
					META("field of type 'set' must declare 'elements'")},
			{ONE("{'type':'record'}"), "{}",
					META("field of type 'record' must declare 'fields'")},
			{ONE("{'type':'foreign'}"), "{}",
					META("field of type 'foreign' must declare 'reference'")},
			{ONE("{'type':'map','values':{'type':'string'}}"), "{}",
					META("field of type 'map' must declare 'keys'")},
			{ONE("{'type':'boolean','match':'x'}"), "{}",
					META("{match=\"field of type 'boolean' cannot have "
					     "attribute "
					     "'match'\"}")},
			{ONE("{'type':'string','contains':'x'}"), "{}",
					META("{contains=\"field of type 'string' cannot have "
					     "attribute 'contains'\"}")},
			{ONE("{'type':'string','timestamp':true}"), "{}",
					META("{timestamp=\"field of type 'string' cannot have "
					     "attribute 'timestamp'\"}")},
			{ONE("{'type':'number','is_regex':true}"), "{}",
					META("{is_regex=\"field of type 'number' cannot have "
					     "attribute 'is_regex'\"}")},
			{ONE("{'type':'boolean','unique':true}"), "{}",
					META("{unique=\"field of type 'boolean' cannot have "
					     "attribute 'unique'\"}")},
			{ONE("{'type':'boolean','abstract':true}"), "{}",
					META("{abstract=\"field of type 'boolean' cannot have "
					     "attribute 'abstract'\"}")},
			{ONE("{'type':'record','fields':[],'transient':true}"), "{}",
					META("{transient=\"field of type 'record' cannot have "
					     "attribute 'transient'\"}")},
			{ONE("{'type':'number','len_eq':1}"), "{}",
					META("{len_eq=\"field of type 'number' cannot have "
					     "attribute "
					     "'len_eq'\"}")},
			{ONE("{'type':'number','uuid':true}"), "{}",
					META("{uuid=\"field of type 'number' cannot have attribute "
					     "'uuid'\"}")},
			{ONE("{'type':'string','json_schema':{}}"), "{}",
					META("{json_schema=\"field of type 'string' cannot have "
					     "attribute 'json_schema'\"}")},
			{ONE("{'type':'string','one_of':'x'}"), "{}",
					META("{one_of=\"expected an array\"}")},
			{ONE("{'type':'string','len_min':'x'}"), "{}",
					META("{len_min=\"expected an integer\"}")},
			{ONE("{'type':'string','unique_across_ws':true}"), "{}",
					META("{unique=\"required field missing\"}")},
			{ONE("{'type':'string','on_delete':'x'}"), "{}",
					META("{on_delete=\"expected one of: restrict, cascade, "
					     "null\"}")},
			{"'fields':[],'transformations':[]", "{}", "{}"},
			{"'fields':[],'transformations':[{'input':['a'],'on_write':1}]", "{}",
					NOT("transformations: functions are not available in "
					    "streamed schemas: do this in the handler")},
			{SHORT("{'type':'record','fields':[],'translate_backwards':['n']}"), "{}",
					NOT("shorthand_fields.s: a shorthand cannot be of type "
					    "'record'")},
			{SHORT("{'type':'integer','func':1,'translate_backwards':['n']}"), "{}",
					NOT("shorthand_fields.s: {func=\"" NO_FUNCTIONS "\"}")},
			{"'fields':[],'entity_checks':[{'custom_entity_check':{'field_sources':["
			 "'a']}}]",
					"{}",
					NOT("entity_checks.custom_entity_check: functions are not "
					    "available in streamed schemas: check this in the "
					    "handler")},
	};

	(void)state;
	RUN(rows);
}

/* Old names: what is told to the operator is beside what is stored. */
static void what_shorthands_do(void **state)
{
#define DEPRECATED(more) \
	"'fields':[{'x':{'type':'integer'}},{'y':{'type':'integer'}}],'shorthand_fields':[{'s':{" \
	"'type':'integer','deprecation':{'message':'old','removal_in_version':'4.0'," \
	"'replaced_with':[{'path':['x']},{'path':['y']}]" more "}}}]"
	static const struct row rows[] = {
			{DEPRECATED(""), "{'s':5}", "{'x':5,'y':5}"},
			{DEPRECATED(""), "{'s':5,'x':5}", "{'x':5,'y':5}"},
			{DEPRECATED(""), "{'s':5,'y':6}",
					NOT("s: both deprecated and new field are used but their "
					    "values mismatch: s = 5 vs y = 6")},
			{DEPRECATED(""), "{'s':null,'x':1}", "{'x':1,'y':null}"},
			{DEPRECATED(",'old_default':5"), "{}", "{'x':null,'y':null}"},
			{DEPRECATED(""), "{'s':true}", NOT("s: expected an integer")},
	};

	(void)state;
	RUN(rows);
}

static void conditions_go_on_with_else_and_have_words_of_their_own(void **state)
{
#define FIELDS \
	"'fields':[{'a':{'type':'number'}},{'b':{'type':'string'}},{'c':{'type':'string'}},{'d':{" \
	"'type':'string'}}]"
#define IF_SOME \
	"{'conditional_at_least_one_of':{'if_field':'a','if_match':{'gt':0}," \
	"'then_at_least_one_of':['b','c']"
#define ELSE ",'else_match':{'ne':0},'else_then_at_least_one_of':['c','d']"
#define SOME(rest, input, want) \
	{ \
		FIELDS ",'entity_checks':[" IF_SOME rest "}}]", input, want \
	}
#define NOTHING "'b':null,'c':null,'d':null}"
	static const struct row rows[] = {
			SOME("", "{'a':1}",
					NOT("at least one of these fields must be non-empty: 'b', "
					    "'c'")),
			SOME("", "{'a':1,'b':'x'}", "{'a':1,'b':'x','c':null,'d':null}"),
			SOME("", "{'a':0}", "{'a':0," NOTHING),
			SOME("", /* null matches what has no value to compare */
					"{'d':'x'}",
					NOT("at least one of these fields must be non-empty: 'b', "
					    "'c'")),
			SOME(ELSE, "{'a':-1}",
					NOT("at least one of these fields must be non-empty: 'c', "
					    "'d'")),
			SOME(ELSE, "{'a':-1,'d':'x'}", "{'a':-1,'b':null,'c':null,'d':'x'}"),
			SOME(ELSE, "{'a':0}", "{'a':0," NOTHING),
			SOME(ELSE ",'then_err':'one of %s if like this','else_then_err':'one of %s "
				  "if like that'",
					"{'a':1}", NOT("one of 'b', 'c' if like this")),
			SOME(ELSE ",'then_err':'one of %s if like this','else_then_err':'one of %s "
				  "if like that'",
					"{'a':-1}", NOT("one of 'c', 'd' if like that")),
			{"'fields':[{'a':{'type':'number'}},{'b':{'type':'number'}}],'entity_"
			 "checks':[{'conditional':{"
			 "'if_field':'a','if_match':{'gt':0},'then_field':'b','then_match':{'gt':0}"
			 ",'then_err':'b > 0 if %s is so'}}]",
					"{'a':1,'b':0}",
					"2 schema violations (b > 0 if a is so; b: value must be "
					"greater than 0)"},
			{"'fields':[{'h':{'type':'string'}},{'s':{'type':'set','elements':{'type':'"
			 "string','one_of':['foo','bar']}}}],"
			 "'entity_checks':[{'conditional':{'if_field':'s','if_match':{'elements':{'"
			 "type':'string','one_of':['foo']}},"
			 "'then_field':'h','then_match':{'eq':'host_foo'}}}]",
					"{'s':['foo'],'h':'host_bar'}",
					"2 schema violations (failed conditional validation given "
					"value of field 's'; h: value must be host_foo)"},
			{"'fields':[{'h':{'type':'string'}},{'s':{'type':'set','elements':{'type':'"
			 "string','one_of':['foo','bar']}}}],"
			 "'entity_checks':[{'conditional':{'if_field':'s','if_match':{'elements':{'"
			 "type':'string','one_of':['foo']}},"
			 "'then_field':'h','then_match':{'eq':'host_foo'}}}]",
					"{'s':['bar'],'h':'any'}", "{'h':'any','s':['bar']}"},
	};

	(void)state;
	RUN(rows);
}

static void sets_and_defaults_are_as_kongs_own_cases_have_them(void **state)
{
	static const struct row rows[] = {
			{ONE("{'type':'set','elements':{'type':'string'},'default':{}}"), "{}",
					"{'a':[]}"},
			{ONE("{'type':'array','elements':{'type':'string'},'default':{}}"), "{}",
					"{'a':[]}"},
			{ONE("{'type':'set','elements':{'type':'string'}}"),
					"{'a':['bar','foo','foo']}", "{'a':['bar','foo']}"},
			{ONE("{'type':'set','elements':{'type':'number'},'len_eq':3}"),
					"{'a':[4,5,6,4]}", "{'a':[4,5,6]}"},
			{ONE("{'type':'set','elements':{'type':'number'},'len_eq':3}"),
					"{'a':[4,4,4]}", BAD("length must be 3")},
			{ONE("{'type':'record','required':true,'fields':[{'r':{'type':'record','"
			     "required':true,'fields':[{'x':{'type':'string','default':'nr'}},{'y':"
			     "{'type':'number','default':123}}]}}]}"),
					"{}", "{'a':{'r':{'x':'nr','y':123}}}"},
			{ONE("{'type':'record','required':true,'fields':[{'r':{'type':'record','"
			     "required':true,'fields':[{'x':{'type':'string','default':'nr'}}]}}]"
			     "}"),
					"{'a':null}", BAD("required field missing")},
			{ONE("{'type':'record','default':{'r':{'x':'nr'}},'fields':[{'r':{'type':'"
			     "record','fields':[{'x':{'type':'string'}}]}}]}"),
					"{}", "{'a':{'r':{'x':'nr'}}}"},
			{ONE("{'type':'string','uuid':true}"),
					"{'a':'cbb297c0-a956-486d-dd1d-f9b42df9465a'}",
					"{'a':'cbb297c0-a956-486d-dd1d-f9b42df9465a'}"},
			{ONE("{'type':'string','uuid':true}"),
					"{'a':'cbb297c0a956486dad1df9b42df9465a'}",
					BAD("expected a valid UUID")},
			{ONE("{'type':'integer'}"), "{'a':-0.5}", BAD("expected an integer")},
			{ONE("{'type':'number','timestamp':true}"), "{'a':0}",
					BAD("expected a valid timestamp")},
			{ONE("{'type':'array','elements':{'type':'string'},'contains':'arrr'}"),
					"{'a':[]}", BAD("expected to contain: arrr")},
	};

	(void)state;
	RUN(rows);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(conditions_go_on_with_else_and_have_words_of_their_own),
			cmocka_unit_test(sets_and_defaults_are_as_kongs_own_cases_have_them),
			cmocka_unit_test(what_is_of_another_type),
			cmocka_unit_test(what_a_validator_says),
			cmocka_unit_test(what_checks_across_fields_say),
			cmocka_unit_test(what_is_no_definition),
			cmocka_unit_test(what_shorthands_do),
	};

	return cmocka_run_group_tests_name("schema_words", tests, NULL, NULL);
}
