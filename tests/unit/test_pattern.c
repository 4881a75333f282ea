/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

#include "plugin/pattern.h"

#define N_RANDOM 60000
#define SUBJECT_MAX 24
#define TEXT_MAX 12

static const char PIECES[][6] = {"a", "b", "%a", "%d", "[ab]", "[^a]", "*", "+", "-", "?", "(", ")",
		"()", "^", "$", ".", "%b()", "%f[a]", "%1", "%2", "[a-c]", "%", "[", "]", "%w",
		"%S", "[%d]", "[]]", "\1", "%z", "%p", "[^%w]", "%0", "%b", "%f", "%x", "%g",
		"\xe9"};

static struct str random_subject(char *to)
{
	static const char chars[] = "aab()b1 c.\xe9";
	size_t n = (size_t)rand() % SUBJECT_MAX;

	for (size_t i = 0; i < n; i++)
		to[i] = chars[(size_t)rand() % (sizeof(chars) - 1)];
	return (struct str){to, n};
}

static struct str random_text(char *to)
{
	size_t n = 0;

	for (int pieces = rand() % TEXT_MAX; pieces >= 0; pieces--) {
		const char *piece = PIECES[(size_t)rand() % (sizeof(PIECES) / sizeof(*PIECES))];

		memcpy(to + n, piece, strlen(piece));
		n += strlen(piece);
	}
	return (struct str){to, n};
}

/* string.find(subject, text) of the library: its results stay on the stack from 1 on. */
static bool stock_find(lua_State *L, struct str subject, struct str text)
{
	lua_settop(L, 0);
	lua_getglobal(L, "string");
	lua_getfield(L, -1, "find");
	lua_remove(L, 1);
	lua_pushlstring(L, subject.p, subject.n);
	lua_pushlstring(L, text.p, text.n);
	return lua_pcall(L, 2, LUA_MULTRET, 0) == 0;
}

static void assert_same_captures(lua_State *L, const struct pattern *p)
{
	struct pattern_capture c;

	assert_int_equal(lua_gettop(L), 2 + (int)p->n_captures);
	assert_int_equal(lua_tointeger(L, 1), p->start + 1);
	assert_int_equal(lua_tointeger(L, 2), p->end);
	for (unsigned i = 0; i < p->n_captures; i++) {
		size_t n;
		const char *s;

		assert_true(pattern_get_capture(p, i, &c));
		assert_int_equal(c.is_position, lua_type(L, (int)i + 3) == LUA_TNUMBER);
		s = lua_tolstring(L, (int)i + 3, &n);
		if (c.is_position) {
			assert_int_equal(lua_tointeger(L, (int)i + 3), c.start + 1);
			continue;
		}
		assert_int_equal(n, c.n);
		assert_memory_equal(s, p->subject.p + c.start, n);
	}
}

static void it_agrees_with_the_librarys_string_find_on_random_patterns(void **state)
{
	lua_State *L = luaL_newstate();
	unsigned n_matches = 0, n_errors = 0;

	(void)state;
	srand(7);
	luaL_openlibs(L);
	for (int i = 0; i < N_RANDOM; i++) {
		char a[SUBJECT_MAX], b[TEXT_MAX * 6];
		struct str subject = random_subject(a), text = random_text(b);
		struct pattern p;
		enum pattern_result r;
		bool is_ok = stock_find(L, subject, text);

		if (pattern_is_plain(text)) /* the library searches bytes then */
			continue;

		pattern_begin(&p, subject, text, 0);
		r = pattern_search(&p, 0);
		if (!is_ok) {
			n_errors++;
			if (r != PATTERN_ERROR || strstr(lua_tostring(L, -1), p.error) == NULL)
				fail_msg("'%.*s' on '%.*s': %s, not %s", STR_ARG(text),
						STR_ARG(subject), lua_tostring(L, -1), p.error);
		} else if (lua_isnil(L, 1)) {
			if (r != PATTERN_NO_MATCH)
				fail_msg("'%.*s' matched '%.*s' (%s)", STR_ARG(text),
						STR_ARG(subject), p.error);
		} else {
			n_matches++;
			if (r != PATTERN_MATCH)
				fail_msg("'%.*s' did not match '%.*s' (%s)", STR_ARG(text),
						STR_ARG(subject), p.error);
			assert_same_captures(L, &p);
		}
	}
	assert_in_range(n_matches, N_RANDOM / 20, N_RANDOM);
	assert_in_range(n_errors, N_RANDOM / 20, N_RANDOM);
	lua_close(L);
}

static void a_catastrophic_pattern_ends_at_the_step_limit(void **state)
{
	char text[] = "a*a*a*a*a*a*a*a*a*a*a*a*b";
	char subject[64];
	struct pattern p;

	(void)state;
	memset(subject, 'a', sizeof(subject));
	pattern_begin(&p, (struct str){subject, sizeof(subject)}, str_of(text), 0);
	assert_int_equal(pattern_search(&p, 0), PATTERN_TOO_COMPLEX);
	assert_string_equal(p.error, "pattern too complex");
}

static void nested_captures_end_at_the_depth_limit(void **state)
{
	char text[1000];
	struct pattern p;

	(void)state;
	for (size_t i = 0; i < sizeof(text); i += 2)
		memcpy(text + i, "a?", 2);
	pattern_begin(&p,
			STR("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
			    "aa"
			    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
			    "aa"
			    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
			    "aa"),
			(struct str){text, sizeof(text)}, 0);
	assert_int_equal(pattern_search(&p, 0), PATTERN_TOO_COMPLEX);
}

static void a_stop_request_ends_it(void **state)
{
	volatile sig_atomic_t stop = 1;
	static char subject[100000];
	struct pattern p;

	(void)state;
	memset(subject, 'a', sizeof(subject));
	pattern_begin(&p, (struct str){subject, sizeof(subject)}, STR("a-b"), 0);
	p.stop = &stop;
	assert_int_equal(pattern_search(&p, 0), PATTERN_STOPPED);
}

static void the_form_of_a_pattern_is_checked_without_a_subject(void **state)
{
	(void)state;
	assert_null(pattern_check(STR("^%a[%w_-]*(%d+)%1()$")));
	assert_string_equal(pattern_check(STR("[a")), "malformed pattern (missing ']')");
	assert_string_equal(pattern_check(STR("a%")), "malformed pattern (ends with '%')");
	assert_string_equal(pattern_check(STR("(a")), "unfinished capture");
	assert_string_equal(pattern_check(STR("a)")), "invalid pattern capture");
	assert_string_equal(pattern_check(STR("%2")), "invalid capture index");
	assert_string_equal(pattern_check(STR("%f")), "missing '[' after '%f' in pattern");
	assert_string_equal(pattern_check(STR("%b(")), "unbalanced pattern");
}

static void a_schema_can_ask_for_yes_or_no(void **state)
{
	const char *error;

	(void)state;
	assert_true(pattern_matches(STR("abc-12"), STR("^%a+%-%d+$"), &error));
	assert_null(error);
	assert_false(pattern_matches(STR("abc"), STR("^%d"), NULL));
	assert_false(pattern_matches(STR("abc"), STR("(("), &error));
	assert_string_equal(error, "unfinished capture");
	assert_true(pattern_is_plain(STR("a]b")));
	assert_false(pattern_is_plain(STR("a.b")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(
					it_agrees_with_the_librarys_string_find_on_random_patterns),
			cmocka_unit_test(a_catastrophic_pattern_ends_at_the_step_limit),
			cmocka_unit_test(nested_captures_end_at_the_depth_limit),
			cmocka_unit_test(a_stop_request_ends_it),
			cmocka_unit_test(the_form_of_a_pattern_is_checked_without_a_subject),
			cmocka_unit_test(a_schema_can_ask_for_yes_or_no),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
