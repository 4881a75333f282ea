/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "plugin/value.h"

static struct value number(double d)
{
	return (struct value){.type = VALUE_NUMBER, .number = d};
}

static void assert_json(struct arena *a, struct value v, const char *expected)
{
	const char *text = "";
	struct str json = value_to_json_text(a, &v, &text);

	assert_string_equal(json.p != NULL ? json.p : text, expected);
}

static void fields_are_set_replaced_and_removed(void **state)
{
	sl_auto(arena) a = NULL;
	struct value t;

	(void)state;
	assert_int_equal(arena_new(&a, 0), 0);
	t = value_table_make(a);
	assert_int_equal(value_set(a, t.table, value_of_str(STR("k")), number(1)), 0);
	assert_int_equal(value_set(a, t.table, value_of_str(STR("k")), number(2)), 0);
	assert_true(value_get(t.table, value_of_str(STR("k")))->number == 2);
	assert_int_equal(value_set(a, t.table, value_of_str(STR("k")),
					 (struct value){.type = VALUE_NIL}),
			0);
	assert_null(value_get(t.table, value_of_str(STR("k"))));
	for (int i = 0; i < VALUE_FIELDS_MAX; i++)
		assert_int_equal(value_set(a, t.table, number(i), number(i)), 0);
	assert_int_equal(value_set(a, t.table, number(-1), number(0)), -E2BIG);
}

static void json_is_what_cjson_would_write(void **state)
{
	sl_auto(arena) a = NULL;
	struct value t, mixed, sparse, empty;

	(void)state;
	assert_int_equal(arena_new(&a, 0), 0);
	assert_json(a, number(3), "3");
	assert_json(a, number(0.5), "0.5");
	assert_json(a, (struct value){.type = VALUE_NULL}, "null");
	assert_json(a, value_of_str(STR("a\"b")), "\"a\\\"b\"");
	empty = value_table_make(a);
	assert_json(a, empty, "{}");
	empty.table->is_array = true;
	assert_json(a, empty, "[]");
	t = value_table_make(a);
	value_set(a, t.table, number(2), number(20));
	value_set(a, t.table, number(1), number(10));
	assert_json(a, t, "[10,20]");
	mixed = value_table_make(a);
	value_set(a, mixed.table, number(1), number(10));
	value_set(a, mixed.table, value_of_str(STR("k")), t);
	assert_json(a, mixed, "{\"1\":10,\"k\":[10,20]}");
	sparse = value_table_make(a);
	value_set(a, sparse.table, number(3), number(1));
	assert_json(a, sparse, "[null,null,1]");
}

static void what_json_cannot_hold_is_refused_in_words(void **state)
{
	sl_auto(arena) a = NULL;
	struct value sparse, deep, outer;

	(void)state;
	assert_int_equal(arena_new(&a, 0), 0);
	assert_json(a, number((double)NAN), "Cannot serialise number: must not be NaN or Infinity");
	assert_json(a, number((double)INFINITY),
			"Cannot serialise number: must not be NaN or Infinity");
	assert_json(a, value_of_str(STR("\xff")), "Cannot serialise string: it is not UTF-8");
	sparse = value_table_make(a);
	value_set(a, sparse.table, number(1e8), number(1));
	assert_json(a, sparse, "Cannot serialise table: excessively sparse array");
	deep = value_table_make(a);
	for (int i = 0; i < VALUE_DEPTH_MAX + 2; i++) {
		outer = value_table_make(a);
		value_set(a, outer.table, number(1), deep);
		deep = outer;
	}
	assert_json(a, deep, VALUE_TOO_DEEP_TEXT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(fields_are_set_replaced_and_removed),
			cmocka_unit_test(json_is_what_cjson_would_write),
			cmocka_unit_test(what_json_cannot_hold_is_refused_in_words),
	};

	return cmocka_run_group_tests_name("value", tests, NULL, NULL);
}
