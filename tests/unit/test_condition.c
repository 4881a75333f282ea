/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/condition.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "plugin/exchange.h"

static struct exchange x;
static struct arena *arena;

static int set_up(void **state)
{
	(void)state;
	if (arena_new(&arena, 0) < 0)
		return -1;
	exchange_init(&x, arena, NULL, NULL);
	x.request.method = STR("GET");
	x.request.scheme = STR("https");
	x.request.host = STR("example.com");
	x.request.path = STR("/anything/skip");
	x.request.raw_query = STR("a=1&b%20b=x%2fy+z&empty&a=2");
	x.request.client = (struct endpoint){STR("10.0.0.1"), 1234};
	x.route.id = STR("r-id");
	x.route.name = STR("r-name");
	headers_add(&x.request.headers, STR("X-Test-One"), STR("one"));
	headers_add(&x.request.headers, STR("X-Test-One"), STR("two"));
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	arena_free(arena);
	return 0;
}

/* condition_eval's result, or -1000 when the text does not compile. */
static int result_of(const char *text, struct why *why)
{
	struct condition *c = NULL;
	int r;

	if (condition_new(&c, str_of(text), why) < 0)
		return -1000;
	r = condition_eval(c, &x, why);
	condition_free(c);
	return r;
}

struct row {
	const char *text;
	int want;
};

static void run_rows(const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct why why = WHY_NONE;
		int have = result_of(rows[i].text, &why);

		if (have != rows[i].want)
			print_error("%s: %s\n", rows[i].text, why.text);
		assert_int_equal(have, rows[i].want);
	}
}

#define RUN(rows) run_rows((rows), sizeof(rows) / sizeof((rows)[0]))

static void fields_compare_with_literals(void **state)
{
	static const struct row rows[] = {
			{"http.method == \"GET\"", 1},
			{"http.method != 'GET'", 0},
			{"http.path == '''/anything/skip'''", 1},
			{"http.path.contains(\"skip\")", 1},
			{"!http.path.contains(\"skip\")", 0},
			{"http.path.startsWith('/any')", 1},
			{"http.path.endsWith(\"/skip\")", 1},
			{"http.path.contains('')", 1},
			{"http.host in [\"a\", \"example.com\"]", 1},
			{"http.host in []", 0},
			{"net.src.port == 1234", 1},
			{"net.src.port == 0x4d2", 1},
			{"net.src.port == -1", 0},
			{"net.src.port > 1233", 1},
			{"net.src.port > 1234", 0},
			{"net.src.port >= 1234", 1},
			{"net.src.port < 1234", 0},
			{"net.src.port <= 1234", 1},
			{"'a' < 'b' && 'a' < 'aa' && 'b' > 'aa' && 'a' <= 'a' && !('' > 'a')", 1},
			{"'z' < '\\u00e9'", 1},
			{"false < true", 1},
			{"http.headers.absent < 'a'", -EINVAL},
			{"http.headers.absent < 'a' || true", 1},
			{"net.src.ip == '10.0.0.1' && net.protocol == 'https'", 1},
			{"http.headers.x_test_one == 'one'", 1},
			{"http.headers.absent == null", 1},
			{"http.headers.absent != null", 0},
			{"http.queries.a == '1'", 1},
			{"http.queries.empty == ''", 1},
			{"http.queries.absent == null", 1},
			{"route.name == 'r-name' && service.id == null && consumer.username == "
			 "null",
					1},
			{"'a' == 1", 0},
			{"'a' != 1", 1},
			{"null == null", 1},
			{"r'\\n' == '\\\\n'", 1},
			{"'\\x41\\u00e9\\t' == 'A\xc3\xa9\t'", 1},
			{"true", 1},
			{"!!true", 1},
			{"(true == false) == false", 1},
			{"true == false == false", 1},
			{"'abc'.startsWith('ab')", 1},
			{"http.method == 'POST' || http.method == 'GET' && http.host == 'no'", 0},
	};

	(void)state;
	RUN(rows);
}

static void decoded_query_values_are_compared(void **state)
{
	static const struct row rows[] = {{"http.queries.b_b == null", 1}};
	struct why why = WHY_NONE;

	(void)state;
	RUN(rows);
	x.request.raw_query = STR("b=x%2Fy+z&c=%4");
	assert_int_equal(result_of("http.queries.b == 'x/y z'", &why), 1);
	assert_int_equal(result_of("http.queries.c == '%4'", &why), 1);
	x.request.raw_query = STR("a=1&b%20b=x%2fy+z&empty&a=2");
}

static void an_error_is_absorbed_when_the_other_side_decides(void **state)
{
	static const struct row rows[] = {
			{"http.headers.absent.contains('x')", -EINVAL},
			{"http.headers.absent.contains('x') && false", 0},
			{"false && http.headers.absent.contains('x')", 0},
			{"http.headers.absent.contains('x') || true", 1},
			{"true || http.headers.absent.contains('x')", 1},
			{"http.headers.absent.contains('x') || false", -EINVAL},
			{"http.headers.absent.contains('x') && true", -EINVAL},
			{"http.headers.absent in [1] || http.headers.absent < 'x'", -EINVAL},
			{"!http.headers.absent.contains('x')", -EINVAL},
			{"http.headers.absent.contains('x') == true", -EINVAL},
			{"http.headers.absent.contains('x') in [true]", -EINVAL},
			{"http.headers.absent != null && http.headers.absent.contains('x')", 0},
	};

	(void)state;
	RUN(rows);
}

struct bad_row {
	const char *text;
	int column;
	const char *part;
};

static void refuse_rows(const struct bad_row *rows, size_t n)
{
	int n_wrong = 0;

	for (size_t i = 0; i < n; i++) {
		struct why why = WHY_NONE;

		int have = result_of(rows[i].text, &why);

		if (have == -1000 && why.line == rows[i].column &&
				strcmp(why.file, "condition") == 0 &&
				strstr(why.text, rows[i].part) != NULL)
			continue;
		n_wrong++;
		print_error("%s\n  %d, column %d: %s\n", rows[i].text, have, why.line, why.text);
	}
	assert_int_equal(n_wrong, 0);
}

static void what_is_not_there_is_refused_by_name_and_place(void **state)
{
	static const struct bad_row rows[] = {
			{"", 1, "ends where a value"},
			{"net.src.port + 3", 1, "'+' needs two strings"},
			{"(net.src.port * 3)", 15, "'*' at column 15 is not an operator"},
			{"net.src.port + 'a' == 'x'", 1, "'+' needs two strings"},
			{"1 < 'a'", 3, "have no order"},
			{"http.path < 3", 11, "have no order"},
			{"http.path_segments < 3", 20, "have no order"},
			{"http.path[0] == 'h'", 1, "[] needs a list or a map"},
			{"http.path_segments['a'] == 'h'", 20, "a list's [] needs a number"},
			{"http.path_segments.contains('a')", 1, "needs a string before it"},
			{"http.path.contains(1)", 20, "a string as its argument"},
			{"net.src.port.size() == 1", 1, "size() needs"},
			{"has('x')", 5, "has() needs a field"},
			{"http.path.all(x, true)", 1, "a list or a map before it"},
			{"[1].all(x, x)", 12, "true or false"},
			{"[1].all(x, y == 1)", 12, "Undeclared reference to 'y'"},
			{"[1].all(x, true) && x == 1", 21, "Undeclared reference to 'x'"},
			{"[1].all(1, true)", 9, "the name of its variable"},
			{"[1].all(in, true)", 9, "cannot be the name"},
			{"[1].all(true, true)", 9, "cannot be the name"},
			{"[1].exists_one(x, true)", 5, "Undeclared reference to 'exists_one'"},
			{"{'a': 1, 'a': 2} == {}", 10, "is twice in the map"},
			{"{null: 1} == {}", 2, "a key is a string"},
			{"{'a'} == {}", 5, "expected ':'"},
			{"default(true, 1)", 15, "is true or false"},
			{"default(true)", 13, "expected ','"},
			{"default(true, true) && true", 21, "hold the whole condition"},
			{"true && default(true, true)", 9, "must hold the whole condition"},
			{"default('a', true)", 9, "true or false"},
	};

	(void)state;
	refuse_rows(rows, sizeof(rows) / sizeof(rows[0]));
}

static void bad_patterns_names_and_tokens_are_refused_by_place(void **state)
{
	static const struct bad_row rows[] = {
			{"http.path.matches('(')", 19, "not a pattern"},
			{"http.path.matches(http.host)", 19, "must be a string literal"},
			{"http.path.matches('(a)\\\\1')", 19, "this escape is not part"},
			{"http.path.matches('a(?=b)')", 19,
					"'(?=' at its byte 2: look-ahead is not part"},
			{"http.path.matches('a(?<!b)')", 19, "negative look-behind"},
			{"http.path.matches('(?R)')", 19, "recursion"},
			{"http.path.matches('(?1)')", 19, "recursion"},
			{"http.path.matches('(*UCP)a')", 19, "a verb"},
			{"http.path.matches('a++')", 19, "possessive"},
			{"http.path.matches('a{1000}{1000}{9}')", 19, "not a pattern"},
			{"http.headers.X_Foo == 'x'", 1, "written in lower case"},
			{"http.headers['x-foo'] == 'x'", 1, "written in lower case"},
			{"http.headers[1] == 'x'", 14, "expected a string"},
			{"plugins.key_auth.prio == 1", 1, "Undeclared reference"},
			{"plugins.key_auth.priority", 1, "true or false"},
			{"kong.ctx.plugin.x == 1", 1, "Undeclared reference to 'kong.ctx.plugin'"},
			{"'\\u00' == ''", 4, "expected 4 hexadecimal digits"},
			{"'\\ud800' == ''", 4, "not a Unicode character"},
			{"9223372036854775808 == 1", 1, "too large"},
			{"- http.path == 1", 1, "can only stand before a number"},
			{"http.path ==", 13, "ends where a value"},
			{"http.pth == 'x'", 1, "Undeclared reference to 'http.pth'"},
			{"http.headers == 'x'", 1, "Undeclared reference"},
			{"http.headers.a.b == 'x'", 16, "Undeclared reference"},
			{"foo('x')", 1, "Undeclared reference to 'foo'"},
			{"http.path", 1, "true or false"},
			{"'x'", 1, "true or false"},
			{"http.path && true", 1, "true or false"},
			{"!http.path", 2, "true or false"},
			{"http.method in http.path", 16, "needs a list or a map behind it"},
			{"http.method == 'x", 16, "does not end"},
			{"http.method = 'x'", 13, "unexpected '='"},
			{"http.method == 'x' extra", 20, "unexpected 'extra'"},
			{"(http.method == 'x'", 20, "the condition ends where ')'"},
			{"http.method == 99999999999999999999", 16, "too large"},
			{"http.method == 1.5", 16, "not a number"},
			{"http.method == '\\q'", 17, "unknown escape"},
			{"true ? true : false", 6, "'?'"},
			{"http.\xc3\xa9 == 'x'", 6, "unexpected byte 0xc3"},
	};

	(void)state;
	refuse_rows(rows, sizeof(rows) / sizeof(rows[0]));
}

static void length_and_nesting_are_bounded(void **state)
{
	struct why why = WHY_NONE;
	char text[2048];

	(void)state;
	memset(text, ' ', sizeof(text));
	memcpy(text, "true", 4);
	text[CONDITION_TEXT_MAX] = '\0';
	assert_int_equal(result_of(text, &why), 1);
	text[CONDITION_TEXT_MAX] = ' ';
	text[CONDITION_TEXT_MAX + 1] = '\0';
	assert_int_equal(result_of(text, &why), -1000);
	memset(text, '(', 1000);
	text[1000] = '\0';
	assert_int_equal(result_of(text, &why), -1000);
	assert_non_null(strstr(why.text, "levels of nesting"));
	memset(text, '!', 1000);
	assert_int_equal(result_of(text, &why), -1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(fields_compare_with_literals),
			cmocka_unit_test(decoded_query_values_are_compared),
			cmocka_unit_test(an_error_is_absorbed_when_the_other_side_decides),
			cmocka_unit_test(what_is_not_there_is_refused_by_name_and_place),
			cmocka_unit_test(bad_patterns_names_and_tokens_are_refused_by_place),
			cmocka_unit_test(length_and_nesting_are_bounded),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
