/* SPDX-License-Identifier: Apache-2.0
 *
 * Fields of type "json".
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "tests/unit/schema_case.h"

#define JSON(schema) "'fields':[{'a':{'type':'json','json_schema':{'inline':" schema "}}}]"

/* want: NULL = taken, else what is said behind the common words. */
struct row {
	const char *schema, *value, *want;
};

static void run_rows(const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		char input[2048], want[2048];
		char *have;

		snprintf(input, sizeof(input), "{'a':%s}", rows[i].value);
		snprintf(want, sizeof(want),
				"schema violation (a: value failed JSON-schema validation: %s)",
				rows[i].want != NULL ? rows[i].want : "");
		have = outcome(rows[i].schema, input);
		if (rows[i].want == NULL && strncmp(have, "{", 1) != 0)
			fail_msg("%s on %s: %s", rows[i].schema, input, have);
		if (rows[i].want != NULL)
			assert_string_equal(have, want);
		free(have);
	}
}

static void every_keyword_is_honoured(void **state)
{
	static const struct row rows[] = {
			{JSON("{'type':['string','null']}"), "'x'", NULL},
			{JSON("{'type':['string','integer']}"), "1.5",
					"wrong type: expected one of string, integer"},
			{JSON("{'type':'integer'}"), "2.0", NULL},
			{JSON("{'enum':[1,'b']}"), "1.0", NULL},
			{JSON("{'enum':[1,'b']}"), "'c'", "matches none of the enum values"},
			{JSON("{'minimum':2}"), "2", NULL},
			{JSON("{'minimum':2}"), "1", "breaks minimum 2"},
			{JSON("{'minimum':2}"), "'x'", NULL},
			{JSON("{'minimum':2,'exclusiveMinimum':true}"), "2",
					"breaks exclusiveMinimum 2"},
			{JSON("{'exclusiveMinimum':2}"), "2", "breaks exclusiveMinimum 2"},
			{JSON("{'maximum':2}"), "3", "breaks maximum 2"},
			{JSON("{'maximum':2,'exclusiveMaximum':true}"), "2",
					"breaks exclusiveMaximum 2"},
			{JSON("{'exclusiveMaximum':2}"), "2", "breaks exclusiveMaximum 2"},
			{JSON("{'multipleOf':0.1}"), "0.3", NULL},
			{JSON("{'multipleOf':2}"), "3", "breaks multipleOf 2"},
			{JSON("{'minLength':2}"), "'\u00e4'", "breaks minLength 2"},
			{JSON("{'maxLength':1}"), "'\u00e4'", NULL},
			{JSON("{'maxLength':1}"), "'xy'", "breaks maxLength 1"},
			{JSON("{'pattern':'^a+$'}"), "'aaa'", NULL},
			{JSON("{'pattern':'b'}"), "'aaa'", "does not match pattern b"},
			{JSON("{'minItems':1}"), "[]", "breaks minItems 1"},
			{JSON("{'maxItems':1}"), "[1,2]", "breaks maxItems 1"},
			{JSON("{'uniqueItems':true}"), "[1,'1']", NULL},
			{JSON("{'uniqueItems':true}"), "[1,2,1]", "has the same item twice"},
			{JSON("{'items':{'type':'string'}}"), "['x',1]",
					"2: wrong type: expected string"},
			{JSON("{'items':[{'type':'string'}],'additionalItems':false}"), "['x',1]",
					"additional property 2 is forbidden"},
			{JSON("{'items':[{'type':'string'}],'additionalItems':{'type':'null'}}"),
					"['x',1]", "2: wrong type: expected null"},
			{JSON("{'minProperties':1}"), "{}", "breaks minProperties 1"},
			{JSON("{'maxProperties':0}"), "{'x':1}", "breaks maxProperties 0"},
			{JSON("{'properties':{'x':{'type':'null'}}}"), "{'x':1}",
					"x: wrong type: expected null"},
			{JSON("{'patternProperties':{'^x':{'type':'null'}}}"), "{'xy':1}",
					"xy: wrong type: expected null"},
			{JSON("{'properties':{'x':{}},'patternProperties':{'^y':{}},"
			      "'additionalProperties':false}"),
					"{'x':1,'y1':1}", NULL},
			{JSON("{'properties':{'x':{}},'additionalProperties':false}"),
					"{'x':1,'y':1}", "additional property y is forbidden"},
			{JSON("{'additionalProperties':{'type':'string'}}"), "{'y':1}",
					"y: wrong type: expected string"},
			{JSON("{'required':['x']}"), "{}", "property x is required"},
			{JSON("{'required':['x']}"), "[]", NULL},
			{JSON("{'allOf':[{'minimum':1},{'maximum':2}]}"), "3", "breaks maximum 2"},
			{JSON("{'anyOf':[{'type':'null'},{'minimum':2}]}"), "3", NULL},
			{JSON("{'anyOf':[{'type':'null'},{'minimum':2}]}"), "1",
					"matches none of the anyOf schemas"},
			{JSON("{'oneOf':[{'minimum':1},{'minimum':2}]}"), "1", NULL},
			{JSON("{'oneOf':[{'minimum':1},{'minimum':2}]}"), "3",
					"matches 2 of the oneOf schemas, not one"},
			{JSON("{'not':{'type':'string'}}"), "1", NULL},
			{JSON("{'not':{'type':'string'}}"), "'x'",
					"matches the schema that it must not"},
			{JSON("{'title':'t','description':'d','default':1,'examples':[1],"
			      "'$schema':'http://json-schema.org/draft-04/schema#'}"),
					"'x'", NULL},
			{JSON("{'properties':{'l':{'items':{'properties':{'n':{'type':"
			      "'integer'}}}}}}"),
					"{'l':[{'n':1},{'n':'x'}]}",
					"l.2.n: wrong type: expected integer"},
	};

	(void)state;
	run_rows(rows, sizeof(rows) / sizeof(rows[0]));
}

static void what_is_not_honoured_is_refused_by_name(void **state)
{
	static const struct {
		const char *schema, *want;
	} rows[] = {
			{JSON("{'$ref':'#/x'}"), "inline.$ref: unsupported JSON-schema keyword"},
			{JSON("{'format':'ipv4'}"),
					"inline.format: unsupported JSON-schema keyword"},
			{JSON("{'properties':{'x':{'wat':1}}}"),
					"inline.properties.x.wat: unsupported JSON-schema keyword"},
			{JSON("{'type':'strnig'}"),
					"inline.type: expected the name of a JSON type"},
			{JSON("{'type':['string','x']}"), "inline.type: no such JSON type"},
			{JSON("{'pattern':'('}"), "inline.pattern: not a valid regex at byte 2"},
			{JSON("{'minLength':-1}"),
					"inline.minLength: expected a whole number from 0"},
			{JSON("{'exclusiveMinimum':true}"),
					"inline: exclusiveMinimum needs minimum"},
			{JSON("{'anyOf':[]}"),
					"inline.anyOf: expected a list of at least one schema"},
			{JSON("{'anyOf':[{},{'items':1}]}"),
					"inline.anyOf.2.items: expected a JSON schema"},
			{JSON("{'required':['x',1]}"), "inline.required: expected a list of names"},
			{"'fields':[{'a':{'type':'json','json_schema':{'namespace':'x'}}}]",
					"only { inline = {…} } is available"},
			{"'fields':[{'a':{'type':'json','json_schema':{'inline':{},'optional':true}"
			 "}}]",
					"only { inline = {…} } is available"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *have = outcome(rows[i].schema, "{'a':1}");

		if (strstr(have, rows[i].want) == NULL)
			fail_msg("%s: %s", rows[i].schema, have);
		free(have);
	}
}

static void a_schema_has_so_many_levels(void **state)
{
	char members[4096] = "'fields':[{'a':{'type':'json','json_schema':{'inline':";
	char *have;

	(void)state;
	for (int i = 0; i < 60; i++)
		strcat(members, "{'items':");
	strcat(members, "{}");
	for (int i = 0; i < 60; i++)
		strcat(members, "}");
	strcat(members, "}}}]");
	have = outcome(members, "{'a':1}");
	assert_non_null(strstr(have, "more than 24 levels of JSON schemas"));
	free(have);
}

static void a_value_that_costs_too_much_is_refused(void **state)
{
	char *have = outcome(JSON("{'pattern':'^(a+)+$'}"),
			"{'a':'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab'}");
	char *input = malloc(40000);

	(void)state;
	assert_non_null(strstr(have, "too costly for pattern"));
	free(have);
	/* Each item is one match: under a negation as well, running out is no answer. */
	strcpy(input, "{'a':['x'");
	for (int i = 0; i < 5000; i++)
		strcat(input, ",'x'");
	strcat(input, "]}");
	have = outcome(JSON("{'not':{'items':{'pattern':'x'}}}"), input);
	assert_non_null(strstr(have, "too large for its JSON schema"));
	free(have);
	free(input);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(every_keyword_is_honoured),
			cmocka_unit_test(what_is_not_honoured_is_refused_by_name),
			cmocka_unit_test(a_schema_has_so_many_levels),
			cmocka_unit_test(a_value_that_costs_too_much_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
