/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/control_case.h"

#include "control/declarative.h"

static void parse(struct declarative *d, const char *text)
{
	struct why why = WHY_NONE;

	assert_int_equal(declarative_parse(d, str_of(text), &why), 0);
}

static const char *text_of(const json_t *o, const char *field)
{
	const char *s = json_string_value(json_object_get(o, field));

	return s != NULL ? s : "";
}

static bool has_error(const struct declarative *d, int line, const char *path, const char *message)
{
	const json_t *error;
	size_t i;

	json_array_foreach (d->errors, i, error) {
		if (json_integer_value(json_object_get(error, "line")) == line &&
				strcmp(text_of(error, "path"), path) == 0 &&
				strstr(text_of(error, "message"), message) != NULL)
			return true;
	}
	return false;
}

static const struct declarative_entity *named(
		const struct declarative *d, enum entity_type type, const char *name)
{
	for (size_t i = 0; i < d->n; i++) {
		if (d->v[i].type == type && strcmp(text_of(d->v[i].input, "name"), name) == 0)
			return &d->v[i];
	}
	return NULL;
}

static void nested_and_flat_files_mean_the_same(void **state)
{
	struct declarative nested, flat;
	const struct declarative_entity *a, *b;

	(void)state;
	parse(&nested, "_format_version: \"3.0\"\n"
		       "services:\n- name: s\n  host: h\n  routes:\n  - name: r\n    paths: "
		       "[/r]\n");
	parse(&flat, "_format_version: '3.0'\n"
		     "routes:\n- {name: r, paths: [/r], service: s}\nservices:\n- name: s\n  host: "
		     "h\n");
	assert_int_equal(json_array_size(nested.errors) + json_array_size(flat.errors), 0);
	a = named(&nested, ENTITY_ROUTES, "r");
	b = named(&flat, ENTITY_ROUTES, "r");
	assert_true(a != NULL && b != NULL && json_equal(a->input, b->input));
	assert_string_equal(a->path, "services[0].routes[0]");
	declarative_done(&nested);
	declarative_done(&flat);
}

static void ids_are_the_same_every_time_and_are_version_5(void **state)
{
	char a[37], b[37];

	(void)state;
	declarative_id("services", "s", a);
	declarative_id("services", "s", b);
	assert_string_equal(a, b);
	assert_int_equal(a[14], '5');
	declarative_id("routes", "s", b);
	assert_string_not_equal(a, b);
}

static void every_error_is_told_with_its_line(void **state)
{
	struct declarative d;

	(void)state;
	parse(&d, "_format_version: \"9\"\n"
		  "nonsense: 1\n"
		  "services:\n"
		  "- name: s\n"
		  "- name: s\n"
		  "- 42\n"
		  "routes:\n"
		  "- name: r\n"
		  "  service: other\n");
	assert_true(has_error(&d, 1, "_format_version", "expected one of"));
	assert_true(has_error(&d, 2, "nonsense", "unknown field"));
	assert_true(has_error(&d, 5, "services[1].name",
			"uniqueness violation: 'services' entity with name set to 's' already "
			"declared"));
	assert_true(has_error(&d, 6, "services[2]", "expected a record"));
	assert_true(has_error(&d, 9, "routes[0].service",
			"invalid reference 'service: other' (no such entry in 'services')"));
	declarative_done(&d);
}

static void broken_text_is_one_error_with_a_line(void **state)
{
	static const char *const texts[] = {
			"a: [1", "a: 1\na: 2\n", "", "\"", "- &a [*a]", "{a: b: c}"};
	struct declarative d;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		parse(&d, texts[i]);
		assert_true(json_array_size(d.errors) != 0);
		declarative_done(&d);
	}
}

static void aliases_are_counted_as_what_they_expand_to(void **state)
{
	struct declarative d;

	(void)state;
	parse(&d, "a: &a [x,x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\n"
		  "c: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c]\n"
		  "e: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e,*e]\n"
		  "g: [*f,*f,*f,*f,*f,*f,*f,*f,*f,*f]\n");
	assert_int_equal(json_array_size(d.errors), 1);
	declarative_done(&d);
}

static unsigned members(const struct declarative *d, const char *group, const char *consumer)
{
	unsigned n = 0;

	for (size_t i = 0; i < d->n; i++) {
		const json_t *of = d->v[i].input;

		n += d->v[i].type == ENTITY_CONSUMER_GROUP_CONSUMERS &&
		     strcmp(text_of(json_object_get(of, "consumer_group"), "id"), group) == 0 &&
		     strcmp(text_of(json_object_get(of, "consumer"), "id"), consumer) == 0;
	}
	return n;
}

static void members_are_named_below_a_consumer_below_a_group_or_flat(void **state)
{
	static const char *const files[] = {
			"consumers:\n- username: c\n  groups: [{name: g}]\n"
			"consumer_groups:\n- name: g\n",
			"consumers:\n- username: c\n  groups: [g]\n"
			"consumer_groups:\n- name: g\n",
			"consumer_groups:\n- name: g\n  consumers:\n  - username: c\n"
			"consumers:\n- username: c\n",
			"consumer_groups: [{name: g}]\nconsumers: [{username: c}]\n"
			"consumer_group_consumers:\n- {consumer: c, consumer_group: g}\n",
	};
	char group[37], consumer[37], text[400];

	(void)state;
	declarative_id("consumer_groups", "g", group);
	declarative_id("consumers", "c", consumer);
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		struct declarative d;

		snprintf(text, sizeof(text), "_format_version: \"3.0\"\n%s", files[i]);
		parse(&d, text);
		assert_int_equal(json_array_size(d.errors), 0);
		assert_int_equal(members(&d, group, consumer), 1);
		assert_int_equal(d.n, 3);
		declarative_done(&d);
	}
}

static void memberships_that_cannot_be_are_told_with_their_line(void **state)
{
	struct declarative d;

	(void)state;
	parse(&d, "_format_version: '3.0'\nconsumer_groups:\n- name: g\nconsumers:\n"
		  "- username: c\n  groups:\n  - name: none\n  - 7\n"
		  "- username: e\n  groups: [{name: g}, {name: g}]\n");
	assert_int_equal(json_array_size(d.errors), 3);
	assert_true(has_error(&d, 7, "consumers[0].groups[0].consumer_group",
			"invalid reference 'consumer_group: none'"));
	assert_true(has_error(&d, 8, "consumers[0].groups[1]", "expected a record"));
	declarative_done(&d);
}

static void json_is_taken_as_well(void **state)
{
	struct declarative d;

	(void)state;
	parse(&d, "{\"_format_version\":\"3.0\",\"consumers\":[{\"username\":\"\\ud83d\\ude00\"}]"
		  "}");
	assert_int_equal(json_array_size(d.errors), 0);
	assert_int_equal(d.n, 1);
	declarative_done(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(nested_and_flat_files_mean_the_same),
			cmocka_unit_test(ids_are_the_same_every_time_and_are_version_5),
			cmocka_unit_test(every_error_is_told_with_its_line),
			cmocka_unit_test(broken_text_is_one_error_with_a_line),
			cmocka_unit_test(aliases_are_counted_as_what_they_expand_to),
			cmocka_unit_test(members_are_named_below_a_consumer_below_a_group_or_flat),
			cmocka_unit_test(memberships_that_cannot_be_are_told_with_their_line),
			cmocka_unit_test(json_is_taken_as_well),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
