/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "plugin/exchange.h"
#include "plugin/path.h"

struct rig {
	struct arena *arena;
	struct exchange x;
};

static int set_up(void **state)
{
	static struct rig rig;

	assert_int_equal(arena_new(&rig.arena, 0), 0);
	exchange_init(&rig.x, rig.arena, NULL, NULL);
	memcpy(rig.x.request.id, "0123456789abcdef0123456789abcdef", 33);
	*state = &rig;
	return 0;
}

static int tear_down(void **state)
{
	arena_free(((struct rig *)*state)->arena);
	return 0;
}

static void assert_str(struct str s, const char *expected)
{
	char copy[2048];

	assert_in_range(s.n, 0, sizeof(copy) - 1);
	if (s.n != 0)
		memcpy(copy, s.p, s.n);
	copy[s.n] = '\0';
	assert_string_equal(copy, expected);
}

static void paths_normalize_as_the_reference_has_it(void **state)
{
	static const struct {
		const char *raw, *normal;
	} rows[] = {
			{"/", "/"},
			{"", "/"},
			{"/a/b", "/a/b"},
			{"/a//b", "/a/b"},
			{"//", "/"},
			{"/a/./b", "/a/b"},
			{"/a/../b", "/b"},
			{"/a/b/..", "/a/"},
			{"/a/b/.", "/a/b/"},
			{"/../../etc", "/etc"},
			{"/a/..", "/"},
			{"/%7euser", "/~user"},
			{"/a%20b", "/a b"},
			{"/a%2fb", "/a%2Fb"},
			{"/%21%27%28%29%2a%3b%3a%40%26%3d%2b%24%2c%3f%25%23%5b%5d",
					"/%21%27%28%29%2A%3B%3A%40%26%3D%2B%24%2C%3F%25%23%5B%5D"},
			{"/%c3%a9%5c%22", "/\xc3\xa9\\\""},
			{"/%2541", "/%2541"},
			{"/a%0d%0ab%7f", "/a\r\nb\x7f"},
			{"/%2e%2e%2fx", "/..%2Fx"},
			{"/%2e%2E/x", "/x"},
			{"/a/%2e/b", "/a/b"},
			{"/.hidden/..x", "/.hidden/..x"},
			{"/a%2", "/a%2"},
			{"/a%zz", "/a%zz"},
			{"a/b", "/a/b"},
	};
	struct rig *rig = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_str(path_normalize(rig->arena, str_of(rows[i].raw)), rows[i].normal);
}

static void an_escaped_path_holds_nothing_that_ends_a_line(void **state)
{
	static const struct {
		const char *path, *escaped;
	} rows[] = {
			{"/", "/"},
			{"/a/b-._~!$&'()*+,;=:@[]", "/a/b-._~!$&'()*+,;=:@[]"},
			{"/a b", "/a%20b"},
			{"/a\r\nHost: x", "/a%0D%0AHost:%20x"},
			{"/\xc3\xa9\x7f\x01\t", "/%C3%A9%7F%01%09"},
			{"/a?b#c", "/a%3Fb%23c"},
			{"/a%2Fb%2f", "/a%2Fb%2f"},
			{"/100%/%4/%zz", "/100%25/%254/%25zz"},
			{"/\"<>\\^`{|}", "/%22%3C%3E%5C%5E%60%7B%7C%7D"},
	};
	struct rig *rig = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_str(path_escape(rig->arena, str_of(rows[i].path)), rows[i].escaped);
	assert_str(path_escape(rig->arena, (struct str){"/\0x", 3}), "/%00x");
}

static void what_was_normalized_and_escaped_is_the_same_path(void **state)
{
	struct rig *rig = *state;

	for (int c = 1; c < 256; c++) {
		char raw[8];
		struct str once, wire;

		snprintf(raw, sizeof(raw), "/%%%02x", (unsigned)c);
		once = path_normalize(rig->arena, str_of(raw));
		wire = path_escape(rig->arena, once);
		for (size_t i = 0; i < wire.n; i++)
			assert_in_range(wire.p[i], 0x21, 0x7e);
		assert_true(str_eq(path_normalize(rig->arena, wire), once));
	}
}

static void a_target_is_split_into_path_and_query(void **state)
{
	struct rig *rig = *state;
	struct exchange_request *q = &rig->x.request;

	assert_int_equal(exchange_set_target(&rig->x, STR("/a%20b/../c?x=1?y")), 0);
	assert_str(q->raw_path, "/a%20b/../c");
	assert_str(q->path, "/c");
	assert_str(q->raw_query, "x=1?y");
	assert_int_equal(exchange_set_target(&rig->x, STR("http://host:80/x?y")), 0);
	assert_str(q->raw_path, "/x");
	assert_int_equal(exchange_set_target(&rig->x, STR("HTTPS://host?y")), 0);
	assert_str(q->raw_path, "/");
	assert_str(q->raw_query, "y");
	assert_int_equal(exchange_set_target(&rig->x, STR("/x")), 0);
	assert_int_equal(q->raw_query.n, 0);
	assert_non_null(q->raw_query.p);
	q->method = STR("OPTIONS");
	assert_int_equal(exchange_set_target(&rig->x, STR("*")), 0);
	assert_str(q->path, "/");
}

static void a_target_that_is_none_is_refused(void **state)
{
	static const char *const bad[] = {"", "*", "x", "http://", "http:///x", "/a b", "/a\tb",
			"/a\rb", "/a#b", "/%", "/%0", "/%00", "/%gg", "ftp://h/", "host:443"};
	struct rig *rig = *state;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(exchange_set_target(&rig->x, str_of(bad[i])), -EINVAL);
}

static void error_with_accept(struct rig *rig, const char *accept, struct str message)
{
	headers_set_id(&rig->x.request.headers, HEADER_ACCEPT, str_of(accept));
	headers_init(&rig->x.answer.headers, rig->arena);
	rig->x.answer.is_set = false;
	exchange_answer_error(&rig->x, 404, message);
}

static void an_error_speaks_the_form_the_client_prefers(void **state)
{
	static const struct {
		const char *accept, *type;
	} rows[] = {
			{"", "application/json; charset=utf-8"},
			{"*/*", "application/json; charset=utf-8"},
			{"image/png", "application/json; charset=utf-8"},
			{"text/html,application/xml;q=0.9", "text/html; charset=utf-8"},
			{"text/html;q=0.2, text/xml;q=0.9", "application/xml; charset=utf-8"},
			{"text/html;q=0, text/plain;q=0.001", "text/plain; charset=utf-8"},
			{"TEXT/HTML", "text/html; charset=utf-8"},
			{",,;q=1,", "application/json; charset=utf-8"},
	};
	struct rig *rig = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		error_with_accept(rig, rows[i].accept, STR_NONE);
		assert_str(headers_get_id(&rig->x.answer.headers, HEADER_CONTENT_TYPE),
				rows[i].type);
	}
}

static void an_error_body_carries_message_and_request_id(void **state)
{
	struct rig *rig = *state;

	error_with_accept(rig, "", STR("no \"Route\""));
	assert_str(rig->x.answer.body, "{\n  \"message\":\"no \\\"Route\\\"\",\n"
				       "  \"request_id\":\"0123456789abcdef0123456789abcdef\"\n}");
	assert_int_equal(rig->x.response.source, RESPONSE_FROM_ERROR);
	error_with_accept(rig, "text/plain", STR_NONE);
	assert_str(rig->x.answer.body, "Not found\nrequest_id: 0123456789abcdef0123456789abcdef\n");
	error_with_accept(rig, "text/html", STR("<b>&"));
	assert_true(str_find(rig->x.answer.body, STR("<p>&lt;b&gt;&amp;.</p>")) > 0);
	error_with_accept(rig, "", STR("\xff"));
	assert_true(str_find(rig->x.answer.body, STR("\"message\":\"Not found\"")) > 0);
}

static void the_first_answer_stays(void **state)
{
	struct rig *rig = *state;

	exchange_answer_error(&rig->x, 404, STR_NONE);
	exchange_answer_error(&rig->x, 500, STR_NONE);
	assert_int_equal(rig->x.answer.status, 404);
}

static void statuses_have_words(void **state)
{
	(void)state;
	assert_string_equal(status_message(414), "URI too long");
	assert_string_equal(status_message(418), "I'm a teapot");
	assert_string_equal(status_message(599), "The upstream server responded with 599");
	assert_string_equal(status_reason(200), "OK");
	assert_string_equal(status_reason(299), "");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

/* RFC 9110 5.5, at every place of a value shorter and longer than a machine word. */
static void a_byte_that_ends_a_field_is_found_at_any_place(void **state)
{
	char value[20];

	(void)state;
	for (size_t n = 1; n < sizeof(value); n++)
		for (size_t at = 0; at < n; at++)
			for (unsigned c = 0; c < 256; c++) {
				memset(value, 0x80, sizeof(value));
				value[at] = (char)c;
				assert_int_equal(headers_value_is_valid((struct str){value, n}),
						(c >= 0x20 || c == '\t') && c != 0x7f);
			}
}

static void a_field_name_is_a_token(void **state)
{
	(void)state;
	for (unsigned c = 0; c < 256; c++) {
		const char name[] = {'x', (char)c};
		char lower = ascii_lower((char)c);
		bool is_alphanumeric = (c >= '0' && c <= '9') || (lower >= 'a' && lower <= 'z');
		bool is_mark = c != 0 && strchr("!#$%&'*+-.^_`|~", (int)c) != NULL;

		assert_int_equal(headers_name_is_valid((struct str){name, 2}),
				is_alphanumeric || is_mark);
	}
	assert_false(headers_name_is_valid(STR("")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
			TEST(paths_normalize_as_the_reference_has_it),
			TEST(an_escaped_path_holds_nothing_that_ends_a_line),
			TEST(what_was_normalized_and_escaped_is_the_same_path),
			TEST(a_target_is_split_into_path_and_query),
			TEST(a_target_that_is_none_is_refused),
			TEST(an_error_speaks_the_form_the_client_prefers),
			TEST(an_error_body_carries_message_and_request_id),
			TEST(the_first_answer_stays),
			TEST(statuses_have_words),
			TEST(a_byte_that_ends_a_field_is_found_at_any_place),
			TEST(a_field_name_is_a_token),
	};

	return cmocka_run_group_tests_name("exchange", tests, NULL, NULL);
}
