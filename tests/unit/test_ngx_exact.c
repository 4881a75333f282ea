/* SPDX-License-Identifier: Apache-2.0
 *
 * ngx.* where plugins written elsewhere would notice a difference: conversions of arguments,
 * limits, texts of errors, and every variable of ngx.var.
 */
#include "tests/unit/pdk_rows.h"

static void add(struct bench *b, const char *name, const char *value)
{
	headers_add(&b->x.request.headers, str_of(name), str_of(value));
}

static void prepare(struct bench *b)
{
	struct exchange_request *q = &b->x.request;

	add(b, "Host", "example.com:8000");
	add(b, "Content-Type", "application/x-www-form-urlencoded");
	add(b, "Content-Length", "9");
	add(b, "Cookie", "a=1; session=xyz");
	add(b, "X-Two-Words", "v");
	q->request_line = STR("GET /a%20b/../c?x=1&y&x=2&z=%41+b HTTP/1.1");
	q->body = (struct body){.state = BODY_COMPLETE, .bytes = STR("a=1&b=2&c")};
	q->bytes = 300;
	b->x.upstream.host_header = STR("up.example");
	b->x.route.json = STR("{\"id\":\"r\",\"name\":\"route\"}");
}

static void arguments_are_converted_as_strings(void **state)
{
	static const struct pdk_row rows[] = {
			{"ngx.escape_uri(nil)", ""},
			{"ngx.escape_uri(12)", "12"},
			{"ngx.escape_uri(true)", "true"},
			{"ngx.unescape_uri(nil)", ""},
			{"ngx.unescape_uri(1.5)", "1.5"},
			{"ngx.escape_uri('a/b:c?d e+f', 0)", "a/b:c%3Fd%20e+f"},
			{"ngx.escape_uri(\"a/b:c?d e+f'()*!\", 2)",
					"a%2Fb%3Ac%3Fd%20e%2Bf%27%28%29%2A%21"},
			{"ngx.escape_uri('\\0\\127\\255')", "%00%7F%FF"},
			{"ngx.escape_uri('a', 7)", "! \"type\" 7 is not 0 or 2"},
			{"ngx.unescape_uri('%E4%bd%A0+%2B%')", "\xe4\xbd\xa0 +%"},
			{"ngx.encode_base64(nil)", ""},
			{"ngx.encode_base64(true)", "dHJ1ZQ=="},
			{"ngx.encode_base64(12)", "MTI="},
			{"ngx.encode_base64('\\0\\1\\2')", "AAEC"},
			{"ngx.decode_base64(1)", "! string argument only"},
			{"ngx.decode_base64('')", ""},
			{"ngx.decode_base64('YQ')", "a"},
			{"ngx.decode_base64('YQ==YQ==')", "nil"},
			{"ngx.decode_base64('Y Q=')", "nil"},
			{"ngx.md5(nil)", "d41d8cd98f00b204e9800998ecf8427e"},
			{"ngx.md5(12)", "c20ad4d76fe97759aa27a0c99bff6710"},
			{"#ngx.sha1_bin(nil), #ngx.md5_bin(true)", "20, 16"},
			{"ngx.crc32_short(nil), ngx.crc32_long(12)", "0, 1330857165"},
			{"ngx.quote_sql_str(12)", "'12'"},
	};

	pdk_rows_prepare = NULL;
	PDK_ROWS_CHECK(*state, "access", "", rows);
}

static void query_strings_have_their_limits(void **state)
{
	static const struct pdk_row rows[] = {
			{"ngx.encode_args({})", ""},
			{"ngx.encode_args({a = ''})", "a="},
			{"ngx.encode_args({['a b'] = 'c&d'})", "a%20b=c%26d"},
			{"ngx.encode_args({a = {}})", ""},
			{"ngx.encode_args({a = 1.5})", "a=1.5"},
			{"ngx.encode_args({a = false})", ""},
			{"ngx.encode_args('x')",
					"! bad argument #1 to 'encode_args' (table expected, got "
					"string)"},
			{"next(ngx.decode_args(''))", "nil"},
			{"ngx.decode_args('a=').a", ""},
			{"ngx.decode_args('=a')[''], next(ngx.decode_args('=a'))", "nil, nil"},
			{"ngx.decode_args('a&a=1').a[1], ngx.decode_args('a&a=1').a[2]", "true, 1"},
			{"select('#', ngx.decode_args(('a=1&'):rep(100)))", "1"},
			{"select(2, ngx.decode_args(('a=1&'):rep(101)))", "truncated"},
			{"#ngx.decode_args(('a=1&'):rep(101)).a", "100"},
			{"#ngx.decode_args(('a=1&'):rep(300), 0).a", "300"},
			{"select(2, ngx.decode_args('a=1&b=2', 1))", "truncated"},
			{"select('#', ngx.req.get_uri_args())", "1"},
			{"select(2, ngx.req.get_uri_args(2))", "truncated"},
			{"ngx.req.get_uri_args(2).y, ngx.req.get_uri_args(2).z", "true, nil"},
			{"#ngx.req.get_uri_args(0).x", "2"},
			{"ngx.req.get_post_args().c", "true"},
			{"select(2, ngx.req.get_post_args(1))", "truncated"},
			{"select(2, ngx.req.get_headers(2))", "truncated"},
			{"ngx.req.get_headers()['x_two_words']", "v"},
			{"ngx.req.get_headers().X_Two_Words", "v"},
			{"ngx.req.get_headers(0, true)['X-Two-Words']", "v"},
			{"ngx.req.get_headers(0, true)['x-two-words']", "nil"},
			{"ngx.req.get_headers(0, true).x_two_words", "nil"},
	};

	pdk_rows_prepare = prepare;
	PDK_ROWS_CHECK(*state, "access", "", rows);
}

static void dates_are_those_of_http(void **state)
{
	static const struct pdk_row rows[] = {
			{"ngx.http_time(0)", "Thu, 01 Jan 1970 00:00:00 GMT"},
			{"ngx.http_time(1547047469.9)", "Wed, 09 Jan 2019 15:24:29 GMT"},
			{"ngx.cookie_time(2147483647)", "Tue, 19-Jan-38 03:14:07 GMT"},
			{"ngx.parse_http_time('Wed, 09 Jan 2019 15:24:29 GMT')", "1547047469"},
			{"ngx.parse_http_time('Sunday, 06-Nov-94 08:49:37 GMT')", "784111777"},
			{"ngx.parse_http_time('Sun Nov  6 08:49:37 1994')", "784111777"},
			{"ngx.parse_http_time('Wed, 09 Jan 2019 15:24:29')", "nil"},
			{"ngx.parse_http_time('')", "nil"},
			{"ngx.parse_http_time('Wed, 31 Feb 2019 15:24:29 GMT')", "nil"},
	};

	pdk_rows_prepare = NULL;
	PDK_ROWS_CHECK(*state, "access", "", rows);
}

static void every_option_of_a_regex_does_what_it_says(void **state)
{
	static const struct pdk_row rows[] = {
			{"ngx.re.match('abc', 'b')[0]", "b"},
			{"ngx.re.match('abc', 'b', 'a')", "nil"},
			{"ngx.re.match('abc', 'a', 'a')[0]", "a"},
			{"ngx.re.match('ABC', 'b', 'i')[0]", "B"},
			{"ngx.re.find('a\\nb', '^b')", "nil"},
			{"ngx.re.find('a\\nb', '^b', 'm')", "3, 3"},
			{"ngx.re.match('a\\nb', 'a.b')", "nil"},
			{"#ngx.re.match('a\\nb', 'a.b', 's')[0]", "3"},
			{"ngx.re.match('ab', 'a b # x', 'x')[0]", "ab"},
			{"ngx.re.find('\\195\\164x', 'x')", "3, 3"},
			{"#ngx.re.match('\\195\\164x', '.', 'u')[0]", "2"},
			{"#ngx.re.match('\\195\\164x', '.', 'U')[0]", "2"},
			{"#ngx.re.match('\\195\\164x', '.')[0]", "1"},
			{"ngx.re.match('xaax', 'a+', 'd')[0]", "aa"},
			{"ngx.re.match('ab', '(?<n>a)|(?<n>b)', 'D').n[1]", "a"},
			{"ngx.re.match('ab', '(?<n>a)(?<m>x)?').m", "false"},
			{"ngx.re.match('ab', 'b', 'joimsx')[0]", "b"},
			{"ngx.re.match('ab', '[]', 'J')", "nil"},
			{"ngx.re.match('x', 'x', 'jq')", "! unknown flag \"q\" (flags \"jq\")"},
			{"ngx.re.match('x', '(x')",
					"nil, pcre_compile() failed: missing closing parenthesis "
					"in \"(x\""},
			{"ngx.re.match('x', '(x', 'jo')",
					"nil, pcre_compile() failed: missing closing parenthesis "
					"in \"(x\""},
			{"ngx.re.match('x', 'x**[z')",
					"nil, pcre_compile() failed: quantifier does not follow a "
					"repeatable item in \"x**[z\" at \"*[z\""},
			{"ngx.re.match('x', 'a)b')",
					"nil, pcre_compile() failed: unmatched closing parenthesis "
					"in \"a)b\" at \")b\""},
			{"select(3, ngx.re.find('x', '(x'))",
					"pcre_compile() failed: missing closing parenthesis in "
					"\"(x\""},
			{"ngx.re.find('x', 'y')", "nil"},
			{"ngx.re.find('abc', '(b)(x)?', '', nil, 2)", "nil"},
			{"ngx.re.find('abc', 'b', '', nil, 1)", "nil, nil, nth out of bound"},
			{"ngx.re.find('abcabc', 'b', '', {pos = 3})", "5, 5"},
			{"ngx.re.find('abc', 'b', '', {pos = 9})", "nil"},
			{"ngx.re.find('abc', '', '', {pos = 4})", "4, 3"},
			{"ngx.re.find(123, 2)", "2, 2"},
			{"ngx.re.sub('abc', 'b', '[$0]')", "a[b]c, 1"},
			{"ngx.re.sub('abc', '(b)(x)?', '[$1$2]')", "a[b]c, 1"},
			{"ngx.re.sub('abc', 'x', 'y')", "abc, 0"},
			{"ngx.re.sub('abc', 'b', '$$')", "a$c, 1"},
			{"ngx.re.sub('abc', '(b)', '${1}1')", "ab1c, 1"},
			{"ngx.re.sub('abc', 'b', 12)", "a12c, 1"},
			{"ngx.re.gsub('a.b.c', '[.]', '-')", "a-b-c, 2"},
			{"ngx.re.gsub('abc', '', '-')", "-a-b-c-, 4"},
			{"ngx.re.gsub('abc', '(.)', function(m) return m[1] .. m[0] end)",
					"aabbcc, 3"},
			{"ngx.re.gsub('abc', 'b', function(m) return 7 end)", "a7c, 1"},
			{"ngx.re.gsub('abc', 'b', function(m) return '$0' end)", "a$0c, 1"},
			{"ngx.re.gsub('abc', 'b', function(m) return nil end)",
					"! string or number expected to be returned by the replace "
					"function, got nil"},
			{"ngx.re.gsub('abc', '(b', 'x')",
					"nil, nil, pcre_compile() failed: missing closing "
					"parenthesis in \"(b\""},
			{"(function() local it = ngx.re.gmatch('a1b2', '[0-9]') return it()[0], "
			 "it()[0], it() end)()",
					"1, 2, nil"},
			{"select(2, ngx.re.gmatch('a', '(a'))",
					"pcre_compile() failed: missing closing parenthesis in "
					"\"(a\""},
	};

	pdk_rows_prepare = NULL;
	PDK_ROWS_CHECK(*state, "access", "", rows);
}

static void every_variable_is_there(void **state)
{
	static const struct pdk_row rows[] = {
			{"ngx.var.args, ngx.var.query_string",
					"x=1&y&x=2&z=%41+b, x=1&y&x=2&z=%41+b"},
			{"ngx.var.arg_x, ngx.var.arg_z, ngx.var.arg_none", "1, %41+b, nil"},
			{"ngx.var.body_bytes_sent, ngx.var.bytes_sent", "0, 0"},
			{"ngx.var.content_length", "9"},
			{"ngx.var.content_type", "application/x-www-form-urlencoded"},
			{"ngx.var.cookie_session, ngx.var.cookie_none", "xyz, nil"},
			{"ngx.var.host, ngx.var.http_host", "example.com, example.com:8000"},
			{"ngx.var.http_x_two_words, ngx.var.http_none", "v, nil"},
			{"ngx.var.https == '', ngx.var.http2 == ''", "true, true"},
			{"ngx.var.is_args", "?"},
			{"ngx.var.remote_addr, ngx.var.remote_port", "198.51.100.1, 4712"},
			{"ngx.var.realip_remote_addr, ngx.var.realip_remote_port",
					"192.0.2.7, 4711"},
			{"#ngx.var.binary_remote_addr", "4"},
			{"ngx.var.request", "GET /a%20b/../c?x=1&y&x=2&z=%41+b HTTP/1.1"},
			{"ngx.var.request_id, #ngx.var.kong_request_id",
					"0123456789abcdef0123456789abcdef, 32"},
			{"ngx.var.request_length, ngx.var.request_method", "300, GET"},
			{"ngx.var.request_time:match('^%d+%.%d%d%d$') ~= nil", "true"},
			{"ngx.var.request_uri", "/a%20b/../c?x=1&y&x=2&z=%41+b"},
			{"ngx.var.request_body", "a=1&b=2&c"},
			{"ngx.var.scheme, ngx.var.server_addr, ngx.var.server_port",
					"http, 127.0.0.1, 8000"},
			{"ngx.var.server_name, ngx.var.server_protocol", "kong, HTTP/1.1"},
			{"ngx.var.ssl_cipher, ngx.var.ssl_protocol, ngx.var.ssl_server_name",
					"nil, nil, nil"},
			{"ngx.var.ssl_client_verify, ngx.var.ssl_client_cert, "
			 "ngx.var.ssl_client_raw_cert, ngx.var.ssl_client_s_dn, "
			 "ngx.var.ssl_client_i_dn, ngx.var.ssl_client_serial, "
			 "ngx.var.ssl_client_fingerprint",
					"nil, nil, nil, nil, nil, nil, nil"},
			{"ngx.var.status", "000"},
			{"ngx.var.time_iso8601:match('^%d+%-%d%d%-%d%dT%d%d:%d%d:%d%d%+00:00$') ~= "
			 "nil",
					"true"},
			{"ngx.var.time_local:match('^%d%d/%u%l%l/%d+:%d%d:%d%d:%d%d %+0000$') ~= "
			 "nil",
					"true"},
			{"ngx.var.msec:match('^%d+%.%d%d%d$') ~= nil, tonumber(ngx.var.pid) > 1",
					"true, true"},
			{"ngx.var.hostname", "node.example"},
			{"ngx.var.uri, ngx.var.document_uri", "/c, /c"},
			{"ngx.var.upstream_uri", "/c?x=1&y&x=2&z=%41+b"},
			{"ngx.var.upstream_host, ngx.var.upstream_scheme", "up.example, http"},
			{"ngx.var.upstream_addr, ngx.var.upstream_status, "
			 "ngx.var.upstream_response_time, ngx.var.upstream_connect_time, "
			 "ngx.var.upstream_header_time",
					"nil, nil, nil, nil, nil"},
			{"ngx.var.upstream_http_x, ngx.var.sent_http_x", "nil, nil"},
			{"ngx.var[1]", "nil"},
	};

	pdk_rows_prepare = prepare;
	PDK_ROWS_CHECK(*state, "access", "", rows);
}

static void tried_twice(struct bench *b)
{
	prepare(b);
	b->x.n_tries = 2;
	b->x.tries[0] = (struct exchange_try){.peer = {STR("10.0.0.1"), 80}, .state_code = 504};
	b->x.tries[1] = (struct exchange_try){.peer = {STR("fd00::2"), 81}};
	b->x.response.service_status = 202;
}

static void upstream_variables_name_every_try(void **state)
{
	static const struct pdk_row rows[] = {
			{"ngx.var.upstream_addr", "10.0.0.1:80, [fd00::2]:81"},
			{"ngx.var.upstream_status", "504, 202"},
			{"kong.service.response.get_status()", "202"},
	};

	pdk_rows_prepare = tried_twice;
	PDK_ROWS_CHECK(*state, "log", "", rows);
}

static void four_variables_can_be_written(void **state)
{
	static const struct pdk_row rows[] = {
			{"(function() ngx.var.args = 'q=1' return ngx.var.args, "
			 "kong.request.get_raw_query(), ngx.var.is_args end)()",
					"q=1, q=1, ?"},
			{"(function() ngx.var.args = nil return ngx.var.args, ngx.var.is_args == "
			 "'' "
			 "end)()",
					"nil, true"},
			{"(function() ngx.var.upstream_uri = '/u?v=2' return ngx.var.upstream_uri, "
			 "ngx.var.args end)()",
					"/u?v=2, v=2"},
			{"(function() ngx.var.upstream_host = 'h' ngx.var.upstream_scheme = "
			 "'https' "
			 "return ngx.var.upstream_host, ngx.var.upstream_scheme end)()",
					"h, https"},
			{"(function() ngx.var.upstream_scheme = 'ftp' end)()",
					"! invalid scheme: ftp"},
			{"(function() ngx.var.uri = '/x' end)()",
					"! variable \"uri\" not changeable"},
			{"(function() ngx.var.none = 'x' end)()",
					"! variable \"none\" not found for writing; maybe it is a "
					"built-in "
					"variable that is not changeable or you forgot to use "
					"\"set $none "
					"'';\""},
	};

	pdk_rows_prepare = prepare;
	PDK_ROWS_CHECK(*state, "access", "", rows);
}

static void a_request_can_be_rewritten(void **state)
{
	static const struct pdk_row rows[] = {
			{"ngx.req.set_header('X-A', {'1', '2'}), #ngx.req.get_headers()['x-a']",
					"nil, 2"},
			{"ngx.req.set_header('X-A', 5), ngx.req.get_headers()['x-a']", "nil, 5"},
			{"ngx.req.set_header('X-A', nil), ngx.req.get_headers()['x-a']",
					"nil, nil"},
			{"ngx.req.set_header('X-A', {}), ngx.req.get_headers()['x-a']", "nil, nil"},
			{"ngx.req.set_method(3)", "! unsupported HTTP method: 3"},
			{"ngx.req.set_method(ngx.HTTP_PATCH), ngx.req.get_method()", "nil, PATCH"},
			{"ngx.req.set_uri_args('a=%20'), ngx.var.args", "nil, a=%20"},
			{"ngx.req.set_uri_args({a = {1, 2}}), ngx.var.args", "nil, a=1&a=2"},
			{"ngx.req.set_uri('')", "! attempt to use zero-length uri"},
			{"ngx.req.set_uri('/x', true)", "! jump is not available: routes are "
							"matched before plugins run"},
			{"ngx.req.set_body_data('')", ""},
			{"ngx.req.get_body_data()", "nil"},
			{"ngx.req.set_body_data('xyz'), ngx.req.get_body_data()", "nil, xyz"},
			{"ngx.req.get_headers()['content-length']", "3"},
			{"ngx.req.discard_body(), ngx.req.get_body_data()", "nil, nil"},
			{"ngx.redirect('/x', 200)",
					"! only ngx.HTTP_MOVED_TEMPORARILY, "
					"ngx.HTTP_MOVED_PERMANENTLY, "
					"ngx.HTTP_PERMANENT_REDIRECT, ngx.HTTP_SEE_OTHER, and "
					"ngx.HTTP_TEMPORARY_REDIRECT are allowed"},
			{"ngx.redirect('/x\\r\\ny')", "! unsafe byte in redirect uri"},
			{"ngx.sleep(-1)", "! invalid sleep duration \"-1\""},
			{"ngx.log('x')",
					"! bad argument #1 to 'log' (number expected, got string)"},
			{"ngx.log(9, 'x')", "! bad log level: 9"},
			{"ngx.log(ngx.ERR, 'a', nil, true, 1)", ""},
			{"ngx.get_phase(), ngx.is_subrequest, ngx.headers_sent",
					"access, false, false"},
			{"ngx.status", "0"},
			{"ngx.worker.id(), ngx.worker.count(), ngx.worker.exiting()",
					"0, 1, false"},
	};

	pdk_rows_prepare = prepare;
	PDK_ROWS_CHECK(*state, "access", "", rows);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
			BENCH_TEST(arguments_are_converted_as_strings),
			BENCH_TEST(query_strings_have_their_limits),
			BENCH_TEST(dates_are_those_of_http),
			BENCH_TEST(every_option_of_a_regex_does_what_it_says),
			BENCH_TEST(every_variable_is_there),
			BENCH_TEST(upstream_variables_name_every_try),
			BENCH_TEST(four_variables_can_be_written),
			BENCH_TEST(a_request_can_be_rewritten),
	};

	return cmocka_run_group_tests_name("ngx_exact", tests, bench_process, NULL);
}
