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
			{"1 < 'a'", -EINVAL},
			{"http.headers.absent < 'a'", -EINVAL},
			{"1 < 'a' || true", 1},
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

static void what_is_not_there_is_refused_by_name_and_place(void **state)
{
	static const struct bad_row rows[] = {
			{"", 1, "ends where a value"},
			{"http.path.matches('x')", 11,
					"'matches' at column 11 is not supported yet"},
			{"size(http.path) == 1", 1, "'size' at column 1 is not supported yet"},
			{"has(http.headers.x)", 1, "'has'"},
			{"default(http.path == 'x', true)", 1, "'default'"},
			{"net.src.port + 3", 14, "'+' at column 14 is not supported yet"},
			{"(net.src.port * 3)", 15, "'*'"},
			{"http.path + 'x' == 'y'", 11, "'+'"},
			{"http.path_segments[0] == 'x'", 1,
					"'http.path_segments' at column 1 is not "
					"supported yet"},
			{"kong.ctx.shared.x == 1", 1, "not supported yet"},
			{"consumer.tags != null", 1, "not supported yet"},
			{"plugins.key_auth.is_matched", 1, "not supported yet"},
			{"http.pth == 'x'", 1, "Undeclared reference to 'http.pth'"},
			{"http.headers == 'x'", 1, "Undeclared reference"},
			{"http.headers.a.b == 'x'", 1, "Undeclared reference"},
			{"foo('x')", 1, "Undeclared reference to 'foo'"},
			{"http.path", 1, "true or false"},
			{"'x'", 1, "true or false"},
			{"http.path && true", 1, "true or false"},
			{"!http.path", 2, "true or false"},
			{"http.method in http.path", 16, "'in' needs a list"},
			{"['a'] == ['a']", 7, "only stand behind 'in'"},
			{"http.method == 'x", 16, "does not end"},
			{"http.method = 'x'", 13, "unexpected '='"},
			{"http.method == 'x' extra", 20, "unexpected 'extra'"},
			{"(http.method == 'x'", 20, "the condition ends where ')'"},
			{"http.method == 99999999999999999999", 16, "too large"},
			{"http.method == 1.5", 16, "not a number"},
			{"http.method == '\\q'", 17, "unknown escape"},
			{"http.method == {}", 16, "'{}'"},
			{"true ? true : false", 6, "'?'"},
			{"http.\xc3\xa9 == 'x'", 6, "unexpected byte 0xc3"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct why why = WHY_NONE;

		assert_int_equal(result_of(rows[i].text, &why), -1000);
		if (why.line != rows[i].column || strstr(why.text, rows[i].part) == NULL)
			print_error("%s\n  column %d: %s\n", rows[i].text, why.line, why.text);
		assert_string_equal(why.file, "condition");
		assert_int_equal(why.line, rows[i].column);
		assert_non_null(strstr(why.text, rows[i].part));
	}
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

/* A slow and obvious model: an expression is made together with its value; 0, 1, or ERR. */
enum { ERR = 2 };

static uint32_t seed = 12345;

static uint32_t pick(uint32_t n)
{
	seed = seed * 1664525U + 1013904223U;
	return (seed >> 8) % n;
}

static int make(char *out, size_t size, int depth);

static int make_leaf(char *out, size_t size)
{
	static const struct {
		const char *text;
		int value;
	} leaves[] = {
			{"true", 1},
			{"false", 0},
			{"http.method == 'GET'", 1},
			{"http.method in ['A','B']", 0},
			{"http.path.startsWith('/a')", 1},
			{"http.headers.absent.endsWith('x')", ERR},
			{"net.src.port != 1", 1},
			{"net.src.port <= 1", 0},
			{"http.headers.absent >= 'x'", ERR},
			{"route.id == null", 0},
	};
	uint32_t i = pick(sizeof(leaves) / sizeof(leaves[0]));

	snprintf(out, size, "%s", leaves[i].text);
	return leaves[i].value;
}

static int make_logical(char *out, size_t size, int depth, bool is_or)
{
	char left[1024], right[1024];
	int a = make(left, sizeof(left), depth - 1);
	int b = make(right, sizeof(right), depth - 1);

	snprintf(out, size, "(%s) %s (%s)", left, is_or ? "||" : "&&", right);
	if (is_or)
		return a == 1 || b == 1 ? 1 : a == ERR || b == ERR ? ERR : 0;
	return a == 0 || b == 0 ? 0 : a == ERR || b == ERR ? ERR : 1;
}

static int make(char *out, size_t size, int depth)
{
	char inner[1024];
	int value;

	if (depth == 0 || pick(4) == 0)
		return make_leaf(out, size);
	if (pick(3) > 0)
		return make_logical(out, size, depth, pick(2) == 0);
	value = make(inner, sizeof(inner), depth - 1);
	if (pick(2) == 0) {
		snprintf(out, size, "!(%s)", inner);
		return value == ERR ? ERR : !value;
	}
	snprintf(out, size, "(%s) == false", inner);
	return value == ERR ? ERR : !value;
}

static void random_expressions_agree_with_a_slow_model(void **state)
{
	(void)state;
	for (int i = 0; i < 100000; i++) {
		char text[2200];
		struct why why = WHY_NONE;
		int want = make(text, sizeof(text), 4);
		int have;

		if (strlen(text) > CONDITION_TEXT_MAX)
			continue;
		have = result_of(text, &why);
		if ((want == ERR ? -EINVAL : want) != have)
			print_error("%s: want %d have %d\n", text, want, have);
		assert_int_equal(have, want == ERR ? -EINVAL : want);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(fields_compare_with_literals),
			cmocka_unit_test(decoded_query_values_are_compared),
			cmocka_unit_test(an_error_is_absorbed_when_the_other_side_decides),
			cmocka_unit_test(what_is_not_there_is_refused_by_name_and_place),
			cmocka_unit_test(length_and_nesting_are_bounded),
			cmocka_unit_test(random_expressions_agree_with_a_slow_model),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
