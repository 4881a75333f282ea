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

#include "tests/unit/condition_bed.h"

static struct condition_bed bed;

static int set_up(void **state)
{
	(void)state;
	return bed_make(&bed);
}

static int tear_down(void **state)
{
	(void)state;
	arena_free(bed.arena);
	return 0;
}

struct row {
	const char *text;
	int want;
	const char *error; /* in why.text */
};

static void run_rows(const struct row *rows, size_t n)
{
	int n_wrong = 0;

	for (size_t i = 0; i < n; i++) {
		struct why why = WHY_NONE;
		int have = bed_result(&bed, rows[i].text, &why);

		if (have == rows[i].want &&
				(rows[i].error == NULL || strcmp(why.text, rows[i].error) == 0))
			continue;
		print_error("%s: %d, %s\n", rows[i].text, have, why.text);
		n_wrong++;
	}
	assert_int_equal(n_wrong, 0);
}

#define RUN(rows) run_rows((rows), sizeof(rows) / sizeof((rows)[0]))
#define FAILS(message) -EINVAL, message

static void every_field_is_read(void **state)
{
	static const struct row rows[] = {
			{"http.method == 'GET' && http.host == 'example.com'", 1, NULL},
			{"http.path_segments == ['api', 'v1', 'users', '7']", 1, NULL},
			{"http.path_segments[1] == 'v1' && size(http.path_segments) == 4", 1, NULL},
			{"http.headers.x_tag == 'one' && http.headers['x_tag'] == 'one'", 1, NULL},
			{"http.headers_list.x_tag == ['one', 'two']", 1, NULL},
			{"http.headers_list.absent == null", 1, NULL},
			{"http.queries.a == '1' && http.queries.b == ''", 1, NULL},
			{"http.queries_list.a == ['1', 'x/y z', '']", 1, NULL},
			{"http.queries_list['a'][1] == 'x/y z'", 1, NULL},
			{"http.queries_list.absent == null && http.queries.absent == null", 1,
					NULL},
			{"net.protocol == 'https' && net.tls.sni == 'sni.example.com'", 1, NULL},
			{"net.src.ip == '10.0.0.1' && net.src.port == 1234", 1, NULL},
			{"net.dst.ip == '10.0.0.9' && net.dst.port == 8443", 1, NULL},
			{"route.id == 'r-id' && route.name == 'r-name'", 1, NULL},
			{"route.tags == ['t1', 't2'] && service.tags == null", 1, NULL},
			{"service.id == 's-id' && service.name == 's-name'", 1, NULL},
			{"consumer.id == 'c-id' && consumer.username == 'alice'", 1, NULL},
			{"consumer.custom_id == '77' && 'vip' in consumer.tags", 1, NULL},
			{"consumer_group.names == ['admins'] && 'g-id' in consumer_group.ids", 1,
					NULL},
			{"principal.id == null && principal.display_name == null", 1, NULL},
			{"principal.metadata == null && !has(principal.metadata.x)", 1, NULL},
			{"principal.metadata.team == 'x'", FAILS("No such key: team")},
			{"kong.ctx.shared.tier == 'gold' && kong.ctx.shared['count'] == 3", 1,
					NULL},
			{"kong.ctx.shared.map.inner.x == 1", 1, NULL},
			{"kong.ctx.shared.foo == 'x'", FAILS("No such key: foo")},
			{"plugins.key_auth.is_matched", 1, NULL},
			{"plugins.key_auth.priority == 1003", 1, NULL},
			{"!plugins.key_auth.access_has_executed", 1, NULL},
			{"plugins.other.is_matched == null && plugins.other.priority == null", 1,
					NULL},
			{"plugins.other.is_matched",
					FAILS("No such overload: the condition is neither true "
					      "nor false")},
	};

	(void)state;
	RUN(rows);
}

static void lists_maps_and_macros_compute(void **state)
{
	static const struct row rows[] = {
			{"'b' in kong.ctx.shared.list && !('z' in kong.ctx.shared.list)", 1, NULL},
			{"'tier' in kong.ctx.shared && !('x' in kong.ctx.shared)", 1, NULL},
			{"1 in [1, 2] && [1] in [[1], [2]] && !('1' in [1])", 1, NULL},
			{"'a' in {'a': 1} && {'a': 1}.a == 1 && {'a': 1}['a'] == 1", 1, NULL},
			{"{1: 'x', true: 'y'}[1] == 'x' && {true: 'y'}[true] == 'y'", 1, NULL},
			{"{'a': [1, {'b': 2}]}.a[1].b == 2", 1, NULL},
			{"{'a': 1, 'b': 2} == {'b': 2, 'a': 1} && {'a': 1} != {'a': 2}", 1, NULL},
			{"{http.method: http.host}.GET == 'example.com'", 1, NULL},
			{"[http.method, 'x'][0] == 'GET'", 1, NULL},
			{"{http.method: 1, 'GET': 2} == {}", FAILS("a key is twice in a map")},
			{"kong.ctx.shared.list == ['a', 'b', 'c']", 1, NULL},
			{"kong.ctx.shared.empty == {} && size(kong.ctx.shared.empty) == 0", 1,
					NULL},
			{"http.path_segments.exists(x, x == 'users')", 1, NULL},
			{"http.path_segments.all(x, x.size() < 6)", 1, NULL},
			{"[].all(x, false) && ![].exists(x, true)", 1, NULL},
			{"http.path_segments.filter(x, x.startsWith('u')) == ['users']", 1, NULL},
			{"[1, 2, 3].map(x, x > 1) == [false, true, true]", 1, NULL},
			{"http.headers_list.x_tag.map(x, x + '!') == ['one!', 'two!']", 1, NULL},
			{"[1, 2].all(x, [1, 2, 3].exists(y, y > x))", 1, NULL},
			{"[1].all(x, ['a'].all(x, x == 'a') && x == 1)", 1, NULL},
			{"kong.ctx.shared.map.all(k, k == 'inner')", 1, NULL},
			{"[[1, 2], [3]].map(l, l.filter(i, i != 2)) == [[1], [3]]", 1, NULL},
			{"[0, 1].exists(x, kong.ctx.shared.list[x] == 'b')", 1, NULL},
			{"[9, 1].exists(x, kong.ctx.shared.list[x] == 'b')", 1, NULL},
			{"[9, 0].exists(x, kong.ctx.shared.list[x] == 'b')",
					FAILS("Index out of bounds: 9")},
			{"[9, 0].all(x, kong.ctx.shared.list[x] == 'b')", 0, NULL},
			{"[0].all(x, kong.ctx.shared.tier)",
					FAILS("No such overload: the macro's expression must be "
					      "true or false")},
			{"has(kong.ctx.shared.tier) && !has(kong.ctx.shared.tire)", 1, NULL},
			{"has(http.headers.x_tag) && !has(http.headers.absent)", 1, NULL},
			{"has(kong.ctx.shared.map.x) || has(kong.ctx.shared.map.inner)", 1, NULL},
			{"has(kong.ctx.shared.foo.bar)", FAILS("No such key: foo")},
			{"size('h\xc3\xa9llo') == 5 && 'abc'.size() == 3 && size({}) == 0", 1,
					NULL},
			{"http.host + ':' + 'x' == 'example.com:x'", 1, NULL},
			{"kong.ctx.shared.count + 'x' == ''",
					FAILS("No such overload: + joins two strings")},
			{"kong.ctx.shared.rate == 1.5 || kong.ctx.shared.rate > 1", -1000, NULL},
			{"kong.ctx.shared.rate > 1 && kong.ctx.shared.rate < 2", 1, NULL},
			{"kong.ctx.shared.none == null && has(kong.ctx.shared.none)", 1, NULL},
			{"kong.ctx.shared.on", 1, NULL},
			{"kong.ctx.shared.tier",
					FAILS("No such overload: the condition is neither true "
					      "nor false")},
			{"!kong.ctx.shared.tier", FAILS("No such overload: ! needs true or false")},
			{"kong.ctx.shared.tier || true", 1, NULL},
			{"true || kong.ctx.shared.nope.nope", 1, NULL},
			{"kong.ctx.shared.nope == 1 || kong.ctx.shared.gone == 1",
					FAILS("No such key: nope")},
			{"'x' in http.headers_list.absent",
					FAILS("No such overload: 'in' needs a list or a map")},
			{"http.path_segments[-1] == 'x'", FAILS("Index out of bounds: -1")},
			{"kong.ctx.shared[1] == 2", FAILS("No such key: 1")},
	};

	(void)state;
	RUN(rows);
}

static void default_decides_over_every_error(void **state)
{
	static const struct row rows[] = {
			{"default(kong.ctx.shared.foo == 'x', true)", 1, NULL},
			{"default(kong.ctx.shared.foo == 'x', false)", 0, NULL},
			{"default(kong.ctx.shared.tier == 'gold', false)", 1, NULL},
			{"default(kong.ctx.shared.tier, true)", 1, NULL},
			{"default ( http.path.matches('^/api') , false )", 1, NULL},
	};

	(void)state;
	RUN(rows);
}

static void patterns_match_as_in_re2(void **state)
{
	static const struct row rows[] = {
			{"http.path.matches('v[0-9]+')", 1, NULL},
			{"http.path.matches('^/api/v\\\\d/')", 1, NULL},
			{"http.path.matches(r'^/api/v\\d/.*7$')", 1, NULL},
			{"http.path.matches('^v1')", 0, NULL},
			{"http.path.matches('(?i)USERS')", 1, NULL},
			{"http.headers.user_agent.matches(r'(curl|wget)\\b')", 1, NULL},
			{"http.headers.absent.matches('x')",
					FAILS("No such overload: matches() needs a string")},
			{"'a\\nb'.matches('a.b')", 0, NULL},
			{"'a\\n'.matches('a$')", 0, NULL},
			{"'a\\nb'.matches('(?s)a.b') && 'a\\nb'.matches('(?m)^b')", 1, NULL},
			{"'\\u00e9'.matches('^.$') && '\\u00e9'.matches(r'^\\w$')", 1, NULL},
			{"'\\u00e9'.matches(r'^\\x{e9}$')", 1, NULL},
			{"'a]b'.matches(r'[]]') && 'a1'.matches(r'[[:digit:]]')", 1, NULL},
			{"'a+'.matches(r'\\++') && 'xyz'.matches('')", 1, NULL},
			{"'ab'.matches('(?P<n>a)(?:b)')", 1, NULL},
			{"'(?='.matches(r'[(][?]=')", 1, NULL},
			{"['/a', '/b'].exists(p, p.matches('^/b'))", 1, NULL},
	};

	(void)state;
	RUN(rows);
}

static void strings_are_written_in_every_form(void **state)
{
	static const struct row rows[] = {
			{"\"a\" == 'a' && '''a''' == \"\"\"a\"\"\" && '' == \"\"", 1, NULL},
			{"'''it's \"so\"''' == 'it\\'s \"so\"'", 1, NULL},
			{"\"\"\"a\nb\"\"\" == 'a\\nb'", 1, NULL},
			{"r\"\"\"\\d\"\"\" == '\\\\d' && R'\\' == '\\\\'", 1, NULL},
			{"'\\x41\\101\\u0041\\U00000041' == 'AAAA'", 1, NULL},
			{"'\\U0001F600' == '\xf0\x9f\x98\x80' && size('\\U0001F600') == 1", 1,
					NULL},
			{"'\\a\\b\\f\\n\\r\\t\\v\\?\\`\\'\\\"\\\\'.size() == 12", 1, NULL},
			{"0x1F == 31 && -0x10 == -16 && 0XaB == 171", 1, NULL},
			{"-9223372036854775808 < 9223372036854775807", 1, NULL},
			{"'a\\x00b'.size() == 3", 1, NULL},
	};

	(void)state;
	RUN(rows);
}

/* Whatever is sent, an evaluation ends soon, and the end is an error that nothing absorbs. */
static void steps_and_memory_are_bounded(void **state)
{
	static const struct row rows[] = {
			{"http.path_segments.all(x, http.path_segments.all(y, true)) || true",
					FAILS("the condition takes more than 100000 steps on this "
					      "request")},
			{"true && http.path_segments.exists(x, http.path.contains('zz')) || true",
					FAILS("the condition takes more than 100000 steps on this "
					      "request")},
			{"http.path_segments.map(x, http.path_segments) == []",
					FAILS("the condition makes more than 64 KiB of values on "
					      "this request")},
			{"['a', 'b', 'c', 'd', 'e'].all(x, (http.path + http.path) != x) || true",
					FAILS("the condition makes more than 64 KiB of values on "
					      "this request")},
			{"default(http.path_segments.all(x, http.path_segments.all(y, true)), "
			 "true)",
					1, NULL},
			{"http.headers.x_long.matches('^(a+)+$') || true",
					FAILS("matches() takes too many steps on this text")},
			{"http.headers.x_long.matches('(x+x+)+y') || true", 1, NULL},
	};
	static char path[16001], text[8001];
	struct str before = bed.x.request.path;

	(void)state;
	for (size_t i = 0; i < sizeof(path) - 1; i++)
		path[i] = i % 2 == 0 ? '/' : 'a';
	memset(text, 'a', sizeof(text) - 2);
	text[sizeof(text) - 2] = 'b';
	bed.x.request.path = (struct str){path, sizeof(path) - 1};
	headers_add(&bed.x.request.headers, STR("X-Long"), (struct str){text, 60});
	((char *)text)[59] = 'b';
	RUN(rows);
	bed.x.request.path = before;
}

/* Names, methods, lists and comparisons work on the request in place. */
static void common_conditions_allocate_nothing(void **state)
{
	static const char *const texts[] = {
			"http.path.startsWith('/api') && http.method in ['GET', 'HEAD']",
			"'two' in http.headers_list.x_tag && http.path_segments[2] == 'users'",
			"kong.ctx.shared.map.inner.x == 1 && http.path.matches('v[0-9]')",
			"http.path_segments.exists(x, x == 'users') && size(http.path_segments) == "
			"4",
			"has(consumer.id) && plugins.key_auth.priority > 1000",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct condition *c = NULL;
		struct why why = WHY_NONE;
		char *before, *after;

		assert_int_equal(condition_new(&c, str_of(texts[i]), &why), 0);
		before = arena_alloc(bed.arena, 16);
		assert_int_equal(condition_eval(c, &bed.x, &why), 1);
		after = arena_alloc(bed.arena, 16);
		assert_ptr_equal(after, before + 16);
		condition_free(c);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(every_field_is_read),
			cmocka_unit_test(lists_maps_and_macros_compute),
			cmocka_unit_test(default_decides_over_every_error),
			cmocka_unit_test(patterns_match_as_in_re2),
			cmocka_unit_test(strings_are_written_in_every_form),
			cmocka_unit_test(steps_and_memory_are_bounded),
			cmocka_unit_test(common_conditions_allocate_nothing),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
