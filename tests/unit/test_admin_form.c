/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/control_case.h"

#include "base/buf.h"
#include "control/admin_form.h"

static void form_is(const char *body, const char *json)
{
	struct why why = WHY_NONE;
	json_t *got = NULL;
	char *text;

	assert_int_equal(admin_form_parse(str_of(body), &got, &why), 0);
	text = json_dumps(got, JSON_COMPACT | JSON_SORT_KEYS);
	assert_string_equal(text, json);
	free(text);
	json_decref(got);
}

static void form_is_refused(const char *body)
{
	struct why why = WHY_NONE;
	json_t *got = NULL;

	assert_int_equal(admin_form_parse(str_of(body), &got, &why), -EINVAL);
	assert_true(why.text[0] != '\0');
}

static void a_form_nests_by_dots_and_lists_by_brackets(void **state)
{
	(void)state;
	form_is("name=a&config.x.y=1", "{\"config\":{\"x\":{\"y\":\"1\"}},\"name\":\"a\"}");
	form_is("p[]=a&p[]=b", "{\"p\":[\"a\",\"b\"]}");
	form_is("p[2]=b&p[1]=a", "{\"p\":[\"a\",\"b\"]}");
	form_is("p[1].ip=1&p[1].port=2", "{\"p\":[{\"ip\":\"1\",\"port\":\"2\"}]}");
	form_is("p=a&p=b", "{\"p\":[\"a\",\"b\"]}");
	form_is("h[x-y]=1", "{\"h\":{\"x-y\":\"1\"}}");
}

static void values_are_decoded_and_empty_ones_are_null(void **state)
{
	(void)state;
	form_is("a=%41+b%2Bc&b=", "{\"a\":\"A b+c\",\"b\":null}");
	form_is("a=%4", "{\"a\":\"%4\"}");
	form_is("a=%zz&", "{\"a\":\"%zz\"}");
	form_is("a=%41", "{\"a\":\"A\"}");
	form_is("", "{}");
	form_is("&&a=1&&", "{\"a\":\"1\"}");
}

static void contradictions_and_excess_are_refused(void **state)
{
	sl_auto_buf deep = {0};

	(void)state;
	form_is_refused("a=1&a.b=2");
	form_is_refused("a.b=1&a[]=2");
	form_is_refused("a[0]=1");
	form_is_refused("a[999999]=1");
	form_is_refused("a[=1");
	form_is_refused("a=%ff");
	for (int i = 0; i < 40; i++)
		buf_add_str(&deep, STR("a."));
	buf_add_str(&deep, STR("b=1"));
	form_is_refused(buf_z(&deep));
	buf_clear(&deep);
	for (int i = 0; i < ADMIN_FORM_FIELDS_MAX + 1; i++)
		buf_add_str(&deep, STR("a&"));
	form_is_refused(buf_z(&deep));
}

#define PART(name, value) \
	"--b\r\nContent-Disposition: form-data; name=\"" name "\"\r\n\r\n" value "\r\n"

static void multipart_keeps_texts_as_they_are(void **state)
{
	struct why why = WHY_NONE;
	json_t *got = NULL;

	(void)state;
	assert_int_equal(admin_multipart_parse(STR(PART("handler", "a = '1&2'\nreturn {}") PART(
							       "c.d", "1") "--b--\r\n"),
					 STR("b"), &got, &why),
			0);
	assert_string_equal(
			json_string_value(json_object_get(got, "handler")), "a = '1&2'\nreturn {}");
	assert_string_equal(
			json_string_value(json_object_get(json_object_get(got, "c"), "d")), "1");
	json_decref(got);
}

static void a_cut_multipart_is_refused(void **state)
{
	static const char whole[] = PART("handler", "x") "--b--";
	struct why why = WHY_NONE;
	json_t *got = NULL;

	(void)state;
	for (size_t n = 0; n < sizeof(whole) - 1; n++)
		assert_int_equal(
				admin_multipart_parse((struct str){whole, n}, STR("b"), &got, &why),
				-EINVAL);
	assert_int_equal(admin_multipart_parse(str_of(whole), STR(""), &got, &why), -EINVAL);
}

static void types_of_bodies_are_told_apart(void **state)
{
	struct str boundary;

	(void)state;
	assert_int_equal(admin_body_type(STR("Application/JSON; charset=utf-8"), &boundary),
			ADMIN_BODY_JSON);
	assert_int_equal(admin_body_type(STR("multipart/form-data; x=1; boundary=\"q r\""),
					 &boundary),
			ADMIN_BODY_MULTIPART);
	assert_true(str_eq(boundary, STR("q r")));
	assert_int_equal(admin_body_type(STR("image/png"), &boundary), ADMIN_BODY_UNKNOWN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(a_form_nests_by_dots_and_lists_by_brackets),
			cmocka_unit_test(values_are_decoded_and_empty_ones_are_null),
			cmocka_unit_test(contradictions_and_excess_are_refused),
			cmocka_unit_test(multipart_keeps_texts_as_they_are),
			cmocka_unit_test(a_cut_multipart_is_refused),
			cmocka_unit_test(types_of_bodies_are_told_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
