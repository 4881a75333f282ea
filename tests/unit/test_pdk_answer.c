/* SPDX-License-Identifier: Apache-2.0
 *
 * What kong.response.exit() and error() answer: in which form, by which words, and what they
 * refuse.
 */
#include <stdio.h>

#include "base/buf.h"
#include "tests/unit/pdk_rows.h"

#define ID "0123456789abcdef0123456789abcdef"
#define JSON(text) "{\n  \"message\":\"" text "\",\n  \"request_id\":\"" ID "\"\n}"
#define PLAIN(text) text "\nrequest_id: " ID "\n"
#define HTML(text) \
	"<!doctype html>\n<html>\n  <head>\n    <meta charset=\"utf-8\">\n" \
	"    <title>Error</title>\n  </head>\n  <body>\n    <h1>Error</h1>\n" \
	"    <p>" text ".</p>\n    <p>request_id: " ID "</p>\n  </body>\n</html>\n"
#define XML(text) \
	"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<error>\n  <message>" text \
	"</message>\n  <requestid>" ID "</requestid>\n</error>\n"
#define IS_JSON "application/json; charset=utf-8"
#define IS_PLAIN "text/plain; charset=utf-8"
#define IS_HTML "text/html; charset=utf-8"
#define IS_XML "application/xml; charset=utf-8"

static const char *answer_header(struct bench *b, const char *name)
{
	return bench_text(headers_get(&b->x.answer.headers, str_of(name)));
}

/* A plugin that runs the code which the request asks for by number. */
static void make_plugin(struct bench *b, const char *const *codes, size_t n)
{
	sl_auto_buf text = {.p = NULL};

	buf_printf(&text, "local f = {} ");
	for (size_t i = 0; i < n; i++)
		buf_printf(&text, "f[%zu] = function() %s end\n", i + 1, codes[i]);
	buf_printf(&text, "function P:access() f[tonumber(ngx.var.http_x_row)]() end");
	bench_plugin(b, "p", 1, buf_z(&text));
	bench_instance(b, "p", "i-p", (struct bench_scope){.config = "{}"});
	bench_commit(b);
}

/* accept: lines of that header, separated by '|'. */
static void ask(struct bench *b, size_t row, const char *accept)
{
	struct headers *h;
	struct str rest = str_of(accept);
	char number[16];

	bench_request(b, "/");
	h = &b->x.request.headers;
	snprintf(number, sizeof(number), "%zu", row + 1);
	headers_add(h, STR("X-Row"), arena_str(b->arena, str_of(number)));
	while (rest.n != 0) {
		ptrdiff_t bar = str_find_char(rest, '|');

		headers_add(h, STR("Accept"), bar < 0 ? rest : str_head(rest, (size_t)bar));
		rest = bar < 0 ? STR_NONE : str_from(rest, (size_t)bar + 1);
	}
	bench_route(b, "r", "s");
	assert_int_equal(bench_serve(b, chain_access(b->chain)), CHAIN_ANSWER);
}

static void an_error_is_worded_in_the_form_the_client_prefers(void **state)
{
	static const struct {
		const char *accept, *type, *body;
	} rows[] = {
			{"", IS_JSON, JSON("no")},
			{"*/*", IS_JSON, JSON("no")},
			{"application/*", IS_JSON, JSON("no")},
			{"application/json", IS_JSON, JSON("no")},
			{"image/png", IS_JSON, JSON("no")},
			{"text/*", IS_PLAIN, PLAIN("no")},
			{"text/plain", IS_PLAIN, PLAIN("no")},
			{"text/html", IS_HTML, HTML("no")},
			{"application/xml", IS_XML, XML("no")},
			{"text/html;q=0.3, application/xml;q=0.7, text/plain;q=0.5", IS_XML,
					XML("no")},
			{"text/plain ; q=0.2 , text/html ; q=0.9", IS_HTML, HTML("no")},
			{"text/html, application/xml", IS_HTML, HTML("no")},
			{"text/html;q=0, text/plain;q=0.1", IS_PLAIN, PLAIN("no")},
			{"text/html;q=0", IS_JSON, JSON("no")},
			{"text/html;level=1;q=0.4, text/plain;q=0.5", IS_PLAIN, PLAIN("no")},
			/* several lines are one list (RFC 9110 5.3) */
			{"image/png|text/html", IS_HTML, HTML("no")},
			{"text/html;q=0.1|application/xml;q=0.2", IS_XML, XML("no")},
			{"application/grpc", IS_JSON, JSON("no")},
	};
	static const char *const code[] = {"kong.response.error(403, 'no')"};
	struct bench *b = *state;

	make_plugin(b, code, 1);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		ask(b, 0, rows[i].accept);
		assert_int_equal(b->x.answer.status, 403);
		assert_string_equal(answer_header(b, "content-type"), rows[i].type);
		assert_string_equal(bench_text(b->x.answer.body), rows[i].body);
	}
}

/* As the reference: what the plugin says of the type comes before what the client accepts. */
static void the_type_a_plugin_names_is_the_form(void **state)
{
	static const struct {
		const char *code, *type, *body;
	} rows[] = {
			{"kong.response.error(403, 'no', {['Content-Type'] = 'text/plain'})",
					"text/plain", PLAIN("no")},
			{"kong.response.error(403, 'no', {['content-type'] = 'application/xml'})",
					"application/xml", XML("no")},
			{"kong.response.error(403, 'no', {['Content-Type'] = 'text/html; "
			 "charset=utf-8'})",
					"text/html; charset=utf-8", HTML("no")},
			{"kong.response.error(403, 'no', {['Content-Type'] = "
			 "'application/problem+json'})",
					"application/problem+json", JSON("no")},
			{"kong.response.error(403, 'no', {['Content-Type'] = {'text/plain'}})",
					"text/plain", PLAIN("no")},
			{"kong.response.error(403, {a = 1}, {['Content-Type'] = 'text/plain'})",
					"text/plain", PLAIN("{\"a\":1}")},
			{"kong.response.error(403, {a = 1})", IS_HTML, HTML("{&quot;a&quot;:1}")},
	};
	const char *codes[sizeof(rows) / sizeof(rows[0])];
	struct bench *b = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		codes[i] = rows[i].code;
	make_plugin(b, codes, sizeof(rows) / sizeof(rows[0]));
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		ask(b, i, "text/html");
		assert_string_equal(answer_header(b, "content-type"), rows[i].type);
		assert_string_equal(bench_text(b->x.answer.body), rows[i].body);
	}
}

/* clang-format off */
#define WORDS(X) \
	X(400, "Bad request") X(401, "Unauthorized") X(402, "Payment required") \
	X(403, "Forbidden") X(404, "Not found") X(405, "Method not allowed") \
	X(406, "Not acceptable") X(407, "Proxy authentication required") \
	X(408, "Request timeout") X(409, "Conflict") X(410, "Gone") X(411, "Length required") \
	X(412, "Precondition failed") X(413, "Payload too large") X(414, "URI too long") \
	X(415, "Unsupported media type") X(416, "Range not satisfiable") \
	X(417, "Expectation failed") X(418, "I'm a teapot") X(421, "Misdirected request") \
	X(422, "Unprocessable entity") X(423, "Locked") X(424, "Failed dependency") \
	X(425, "Too early") X(426, "Upgrade required") X(428, "Precondition required") \
	X(429, "Too many requests") X(431, "Request header fields too large") \
	X(451, "Unavailable for legal reasons") X(494, "Request header or cookie too large") \
	X(500, "An unexpected error occurred") X(501, "Not implemented") \
	X(502, "An invalid response was received from the upstream server") \
	X(503, "The upstream server is currently unavailable") \
	X(504, "The upstream server is timing out") X(505, "HTTP version not supported") \
	X(506, "Variant also negotiates") X(507, "Insufficient storage") X(508, "Loop detected") \
	X(510, "Not extended") X(511, "Network authentication required") \
	X(444, "The upstream server responded with 444") \
	X(599, "The upstream server responded with 599")
/* clang-format on */

static void every_status_has_its_words(void **state)
{
	static const struct {
		const char *code;
		int status;
		const char *body;
	} rows[] = {
#define X(status, words) {"kong.response.error(" #status ")", status, JSON(words)},
			WORDS(X)
#undef X
	};
	const char *codes[sizeof(rows) / sizeof(rows[0])];
	struct bench *b = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		codes[i] = rows[i].code;
	make_plugin(b, codes, sizeof(rows) / sizeof(rows[0]));
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		ask(b, i, "");
		assert_int_equal(b->x.answer.status, rows[i].status);
		assert_string_equal(bench_text(b->x.answer.body), rows[i].body);
	}
}

static void what_cannot_be_answered_raises(void **state)
{
	static const struct pdk_row rows[] = {
			{"kong.response.exit()", "! code must be a number"},
			{"kong.response.exit('200')", "! code must be a number"},
			{"kong.response.exit(0/0)", "! code must be a number between 100 and 599"},
			{"kong.response.exit(600)", "! code must be a number between 100 and 599"},
			{"kong.response.exit(200, true)", "! body must be a nil, string or table"},
			{"kong.response.exit(200, 'x', 'y')", "! headers must be a nil or table"},
			{"kong.response.exit(200, 'x', {1})",
					"! invalid header name \"1\": got number, expected string"},
			{"kong.response.exit(200, 'x', {a = print})",
					"! invalid header value for \"a\": got function, expected "
					"string, number, boolean or array of strings"},
			{"kong.response.exit(200, 'x', {a = {1}})",
					"! invalid header value in array \"a\": got number, "
					"expected string"},
			{"kong.response.exit(200, {f = print})",
					"! body encoding failed while flushing response: "
					"Cannot serialise function: type not supported"},
			{"kong.response.error()", "! code must be a number"},
			{"kong.response.error(399)", "! code must be a number between 400 and 599"},
			{"kong.response.error(600)", "! code must be a number between 400 and 599"},
			{"kong.response.error(500, true)",
					"! message must be a nil, a string or a table"},
			{"kong.response.error(500, 'x', 1)", "! headers must be a nil or table"},
			{"kong.response.error(500, {f = print})",
					"! could not JSON encode the error message: "
					"Cannot serialise function: type not supported"},
	};

	pdk_rows_prepare = NULL;
	PDK_ROWS_CHECK(*state, "access", "", rows);
}

static void with_headers(struct bench *b)
{
	headers_add(&b->x.response.headers, STR("Transfer-Encoding"), STR("chunked"));
	for (int i = 0; i < 120; i++)
		headers_add(&b->x.response.service_headers,
				arena_printf(b->arena, "X-Of-Service-%d", i), STR("v"));
}

static void response_headers_have_dashes_and_no_framing(void **state)
{
	static const struct pdk_row rows[] = {
			{"kong.response.set_header('x_under_score', 1)", ""},
			{"kong.response.get_headers()['x-under-score']", "1"},
			{"rawlen == nil and next(kong.response.get_headers()) ~= 'x_under_score'",
					"true"},
			{"kong.response.add_header('X-Under_Score', 2)", ""},
			{"table.concat(kong.response.get_headers()['X-Under-Score'], ' ')", "1 2"},
			{"kong.response.clear_header('X_UNDER_SCORE')", ""},
			{"kong.response.get_header('x-under-score')", "nil"},
			{"kong.response.set_headers({a_b = {'1', '2'}})", ""},
			{"#kong.response.get_headers()['a-b']", "2"},
			{"kong.response.set_headers({['Transfer-Encoding'] = {'a', 'b'}, "
			 "transfer_encoding = 'c'})",
					""},
			{"kong.response.set_header('transfer_encoding', 'd')", ""},
			{"kong.response.get_header('transfer-encoding')", "chunked"},
			{"#(kong.response.get_headers()['transfer-encoding'])", "7"},
			{"(function() for i = 1, 200 do kong.response.add_header('X-N' .. i, 'v') "
			 "end "
			 "return select(2, kong.response.get_headers()), "
			 "select(2, kong.response.get_headers(1000)) end)()",
					"truncated"},
			{"select('#', kong.response.get_headers(1000))", "1"},
			{"select(2, kong.response.get_headers(5))", "truncated"},
			{"select(2, kong.service.response.get_headers())", "truncated"},
			{"select('#', kong.service.response.get_headers(1000))", "1"},
			{"select(2, kong.request.get_headers(1))", ""},
			{"kong.service.response.get_headers(0)", "! max_headers must be >= 1"},
			{"kong.response.get_headers(1001)", "! max_headers must be <= 1000"},
	};

	pdk_rows_prepare = with_headers;
	PDK_ROWS_CHECK(*state, "header_filter", "", rows);
}

static void headers_are_away(struct bench *b)
{
	b->x.response.is_sent = true;
}

#define AWAY "! headers have already been sent"

static void nothing_changes_once_the_head_is_away(void **state)
{
	static const struct pdk_row rows[] = {
			{"kong.response.set_status(200)", AWAY},
			{"kong.response.set_header('a', 'b')", AWAY},
			{"kong.response.add_header('a', 'b')", AWAY},
			{"kong.response.clear_header('a')", AWAY},
			{"kong.response.set_headers({a = 'b'})", AWAY},
			{"kong.response.exit(200)", AWAY},
			{"kong.response.error(500)", AWAY},
			{"(function() ngx.status = 200 end)()", "! attempt to set ngx.status after "
								"sending out response headers"},
			{"(function() ngx.header.x_y = 'a' end)()",
					"! attempt to set ngx.header.x-y after sending out "
					"response "
					"headers"},
			{"ngx.headers_sent", "true"},
	};

	pdk_rows_prepare = headers_are_away;
	PDK_ROWS_CHECK(*state, "header_filter", "", rows);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
			BENCH_TEST(an_error_is_worded_in_the_form_the_client_prefers),
			BENCH_TEST(the_type_a_plugin_names_is_the_form),
			BENCH_TEST(every_status_has_its_words),
			BENCH_TEST(what_cannot_be_answered_raises),
			BENCH_TEST(response_headers_have_dashes_and_no_framing),
			BENCH_TEST(nothing_changes_once_the_head_is_away),
	};

	return cmocka_run_group_tests_name("pdk_answer", tests, bench_process, NULL);
}
