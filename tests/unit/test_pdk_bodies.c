/* SPDX-License-Identifier: Apache-2.0
 *
 * Bodies and queries as plugins read and write them: byte for byte, and every way to be wrong.
 */
#include "tests/unit/pdk_rows.h"

#define FORM "application/x-www-form-urlencoded"

static void set_request(struct bench *b, const char *type, struct str body)
{
	if (type != NULL)
		headers_add(&b->x.request.headers, STR("Content-Type"), str_of(type));
	b->x.request.body = (struct body){.state = BODY_COMPLETE, .bytes = body};
}

static void json_body(struct bench *b)
{
	set_request(b, "Application/JSON; charset=utf-8", STR("{\"a\":[],\"n\":null,\"t\":[1]}"));
}

static void no_type(struct bench *b)
{
	set_request(b, NULL, STR("{}"));
}

static void parts(struct bench *b)
{
	set_request(b, "multipart/form-data; boundary=XX",
			STR("--XX\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n"
			    "--XX\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n2\r\n"
			    "--XX\r\nContent-Disposition: form-data; name=\"f\"; "
			    "filename=\"x.txt\"\r\nContent-Type: text/plain\r\n\r\nfile\r\n"
			    "--XX--\r\n"));
}

static void too_big(struct bench *b)
{
	set_request(b, "application/json", STR_NONE);
	b->x.request.body.state = BODY_TOO_BIG;
}

static void a_body_is_read_by_its_type(void **state)
{
	static const struct pdk_row json[] = {
			{"kong.request.get_body()", "table, nil, application/json"},
			{"require('cjson').encode(kong.request.get_body().a)", "[]"},
			{"kong.request.get_body().n == ngx.null", "true"},
			{"kong.request.get_body().t[1]", "1"},
			{"kong.request.get_body('application/json-patch+json')",
					"table, nil, application/json"},
			{"kong.request.get_body('APPLICATION/XML; a=b')",
					"nil, unsupported content type 'APPLICATION/XML; a=b', "
					"application/xml"},
			{"kong.request.get_body('')", "nil, missing content type"},
			{"kong.request.get_body(1)", "! mimetype must be a string"},
			{"kong.request.get_body('" FORM "', 0)", "! max_args must be >= 1"},
			{"kong.request.get_body('" FORM "', 1001)", "! max_args must be <= 1000"},
			{"kong.request.get_body('" FORM "', {})", "! max_args must be a number"},
			{"kong.request.get_body('" FORM "', 1)",
					"table, nil, application/x-www-form-urlencoded"},
			{"kong.request.get_body(nil, nil, 'x')",
					"! max_allowed_file_size must be a number"},
			{"kong.request.get_body(nil, nil, 3)",
					"nil, request body file too big: 25 > 3, application/json"},
			{"kong.request.get_raw_body('x')",
					"! max_allowed_file_size must be a number"},
			{"#kong.request.get_raw_body(0), #kong.request.get_raw_body(25)", "25, 25"},
	};
	static const struct pdk_row none[] = {
			{"kong.request.get_body()", "nil, missing content type"},
			{"kong.request.get_body('application/json')",
					"table, nil, application/json"},
	};
	static const struct pdk_row big[] = {
			{"kong.request.get_body()",
					"nil, request body did not fit into client body buffer, "
					"consider raising 'client_body_buffer_size', "
					"application/json"},
			{"kong.request.get_raw_body()",
					"nil, request body did not fit into client body buffer, "
					"consider raising 'client_body_buffer_size'"},
	};
	static const struct pdk_row multipart[] = {
			{"kong.request.get_body()", "table, nil, multipart/form-data"},
			{"kong.request.get_body().a[1], kong.request.get_body().a[2]", "1, 2"},
			{"kong.request.get_body().f", "file"},
	};

	pdk_rows_prepare = json_body;
	PDK_ROWS_CHECK(*state, "access", "", json);
	pdk_rows_prepare = no_type;
	PDK_ROWS_CHECK(*state, "access", "", none);
	pdk_rows_prepare = too_big;
	PDK_ROWS_CHECK(*state, "access", "", big);
	pdk_rows_prepare = parts;
	PDK_ROWS_CHECK(*state, "access", "", multipart);
}

#define SET "kong.service.request.set_body"
#define RAW "kong.request.get_raw_body()"
#define TYPE "kong.request.get_header('content-type')"
#define PART(name, value) \
	"--B\r\nContent-Disposition: form-data; name=\"" name "\"\r\n\r\n" value "\r\n"

static void a_body_is_written_byte_for_byte(void **state)
{
	static const struct pdk_row rows[] = {
			{SET "({b = '2', a = 1, c = true}, 'multipart/form-data; boundary=B'), " RAW
			     ", " TYPE,
					"true, " PART("a", "1") PART("b", "2") PART("c",
							"true") "--"
								"B--\r\n, multipart/form-data; "
								"boundary=B"},
			{SET "({a = ''}, 'multipart/form-data; boundary=\"B\"'), " RAW ", " TYPE,
					"true, " PART("a", "") "--B--\r\n, multipart/form-data; "
							       "boundary=B"},
			{SET "({}, 'multipart/form-data; boundary=B'), " RAW, "true, --B--\r\n"},
			{"(function() " SET "({a = '1'}, 'multipart/form-data') local b = " TYPE
			 ":match('^multipart/form%-data; boundary=(%S+)$') "
			 "return " RAW ":sub(1, #b + 2) == '--' .. b end)()",
					"true"},
			{SET "({1}, 'multipart/form-data; boundary=B')",
					"! invalid key \"1\": got number, expected string"},
			{SET "({a = {}}, 'multipart/form-data; boundary=B')",
					"! invalid value \"a\": got table, expected string, number "
					"or boolean"},
			{SET "({a = print}, 'multipart/form-data; boundary=B')",
					"! invalid value \"a\": got function, expected string, "
					"number "
					"or boolean"},
			{SET "({z = 'x y', a = {1, 'b', true}, m = true, n = false, e = ''}, '" FORM
			     "'), " RAW ", " TYPE,
					"true, a=1&a=b&a&e=&m&z=x%20y, " FORM},
			{SET "({1}, '" FORM "')", "! arg keys must be strings"},
			{SET "({a = {{}}}, '" FORM "')",
					"! attempt to use table as query arg value"},
			{SET "({a = {1}, b = require('cjson').empty_array}, 'application/json; "
			     "x=y'), "
			     "#" RAW " > 10, " TYPE,
					"true, true, application/json; x=y"},
			{SET "({n = {9007199254740992, 0.5}}, 'application/json'), " RAW,
					"true, {\"n\":[9007199254740992,0.5]}"},
			{SET "({1, 2}, 'application/json'), " RAW, "true, [1,2]"},
			{SET "({[true] = 1}, 'application/json')",
					"! Cannot serialise boolean: table key must be a number or "
					"string"},
			{SET "({a = {[1] = 1, [1000] = 1}}, 'application/json')",
					"! Cannot serialise table: excessively sparse array"},
			{"require('cjson.safe').encode({[1] = 1, [1000] = 1})",
					"nil, Cannot serialise table: excessively sparse array"},
			{"require('cjson').encode({a = {coroutine.create(print)}})",
					"! Cannot serialise thread: type not supported"},
			{"require('cjson.safe').encode({[{}] = 1})",
					"nil, Cannot serialise table: table key must be a number "
					"or string"},
			{SET "({a = print}, 'application/json')",
					"! Cannot serialise function: type not supported"},
			{SET "('x')", "! args must be a table"},
			{SET "({}, 1)", "! mime must be a string"},
			{SET "({}, 'text/plain; x=y')",
					"! unsupported content type text/plain; x=y"},
			{"kong.request.get_header('content-length')", "5"},
	};
	static const struct pdk_row none[] = {
			{SET "({a = 1})", "nil, content type was neither explicitly given as an "
					  "argument or received as a header"},
	};

	pdk_rows_prepare = json_body;
	PDK_ROWS_CHECK(*state, "access", "", rows);
	pdk_rows_prepare = no_type;
	PDK_ROWS_CHECK(*state, "access", "", none);
}

#define QUERY "kong.request.get_raw_query()"

static void queries_and_paths_are_written_byte_for_byte(void **state)
{
	static const struct pdk_row rows[] = {
			{"kong.service.request.set_query({['a b'] = 'c&d', z = {'x', true, "
			 "2}}), " QUERY,
					"nil, a%20b=c%26d&z=x&z&z=2"},
			{"kong.service.request.set_query({}), " QUERY " == ''", "nil, true"},
			{"kong.service.request.set_query({a = {b = 1}}), " QUERY, "nil, "},
			{"kong.service.request.set_query({a = print})",
					"! attempt to use function as query arg value"},
			{"kong.service.request.set_raw_query('a=b&c'), " QUERY, "nil, a=b&c"},
			{"kong.service.request.set_raw_query('zzz&bar=baz+1&bar=bla&bar&blo=&foo=x'"
			 "), "
			 "kong.service.request.clear_query_arg('bar'), " QUERY,
					"nil, nil, zzz&blo=&foo=x"},
			{"kong.service.request.clear_query_arg('none'), " QUERY,
					"nil, zzz&blo=&foo=x"},
			{"kong.service.request.set_path('/a b/\xc3\xa9?'), ngx.var.upstream_uri",
					"nil, /a%20b/%C3%A9%3F?zzz&blo=&foo=x"},
			{"kong.service.request.set_path('')", "! path must start with /"},
			{"kong.service.request.set_scheme(1)", "! scheme must be a string"},
			{"kong.service.request.set_method(1)", "! method must be a string"},
			{"kong.service.request.set_method('get')", "! invalid method: get"},
			{"kong.service.request.clear_header(1)", "! header must be a string"},
			{"kong.service.request.set_header('host', {'a'})",
					"! invalid header value for \"host\": got table, expected "
					"array of string, string, number or boolean"},
			{"kong.service.request.set_headers({Host = {'a'}})",
					"! invalid header value for \"host\": got table, expected "
					"array of string, string, number or boolean"},
			{"kong.service.request.set_headers({['X-Foo'] = {'hello', 'world', foo = "
			 "'bar', [7] = 'x'}}), table.concat(kong.request.get_headers()['x-foo'], "
			 "',')",
					"nil, hello,world"},
			{"kong.service.request.set_headers({['X-Foo'] = {}}), "
			 "kong.request.get_header('x-foo')",
					"nil, nil"},
			{"kong.service.request.set_headers({['X-Foo'] = {[3] = 'c', [1] = 'a', [2] "
			 "= 'b'}}), table.concat(kong.request.get_headers()['x-foo'], ',')",
					"nil, a,b,c"},
			{"kong.service.request.set_header('X-Foo', {'a', {}})",
					"! invalid header value in array \"X-Foo\": got table, "
					"expected string"},
			{"kong.service.request.set_headers({['X-Foo'] = print})",
					"! invalid header value for \"X-Foo\": got function, "
					"expected string, number, boolean or array of strings"},
			{"kong.service.request.set_path('/fo%6F/f\xc3\xb3'), "
			 "ngx.var.upstream_uri:match('^[^?]*')",
					"nil, /fo%6F/f%C3%B3"},
			{"kong.service.request.set_raw_query('a=0&c+d=1+2&a=2&c%20d=3%20&a=4&b+d=5&"
			 "%20a+=6+%20+&+%20+d=+%20+7%20++&a=8'), "
			 "kong.service.request.clear_query_arg('a'), " QUERY,
					"nil, nil, "
					"c%20d=1%202&c%20d=3%20&b%20d=5&%20a%20=6%20%20%20&%20%20%"
					"20d=%20%20%207%20%20%20"},
			{"kong.service.set_target(1, 80)", "! host must be a string"},
			{"kong.service.set_target('h')", "! port must be an integer"},
			{"kong.service.set_target('h', -1)",
					"! port must be an integer between 0 and 65535: given -1"},
			{"kong.service.set_retries('3')", "! retries must be an integer"},
			{"kong.service.set_retries(-1)", "! retries must be an integer between 0 "
							 "and 32767: given -1"},
			{"kong.service.set_timeouts(1, 2)", "! read_timeout must be an integer"},
			{"kong.service.set_timeouts(1, 2147483647, 1)",
					"! write_timeout must be an integer between 1 and "
					"2147483646: given 2147483647"},
			{"kong.service.set_timeouts(1.5, 2, 3)",
					"! connect_timeout must be an integer"},
			{"kong.service.set_upstream()", "! host must be a string"},
	};

	pdk_rows_prepare = json_body;
	PDK_ROWS_CHECK(*state, "access", "", rows);
}

static void service_json(struct bench *b)
{
	struct exchange_response *r = &b->x.response;

	r->source = RESPONSE_FROM_SERVICE;
	r->service_status = 200;
	headers_add(&r->service_headers, STR("Content-Type"), STR("application/json"));
	r->service_body = (struct body){.state = BODY_COMPLETE, .bytes = STR("{\"a\":[]}")};
	b->x.wants_buffered_response = true;
}

static void the_services_body_is_read_by_the_same_rules(void **state)
{
	static const struct pdk_row rows[] = {
			{"kong.service.response.get_raw_body()", "{\"a\":[]}"},
			{"kong.service.response.get_body()", "table, nil, application/json"},
			{"require('cjson').encode(kong.service.response.get_body().a)", "[]"},
			{"kong.service.response.get_body('text/plain')",
					"nil, unsupported content type 'text/plain', text/plain"},
			{"kong.service.response.get_body('" FORM "', 0)",
					"! max_args must be >= 1"},
			{"kong.service.response.get_body(1)", "! mimetype must be a string"},
			{"kong.service.response.get_status()", "200"},
			{"kong.service.response.get_header('none')", "nil"},
	};

	pdk_rows_prepare = service_json;
	PDK_ROWS_CHECK(*state, "response", "", rows);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
			BENCH_TEST(a_body_is_read_by_its_type),
			BENCH_TEST(a_body_is_written_byte_for_byte),
			BENCH_TEST(queries_and_paths_are_written_byte_for_byte),
			BENCH_TEST(the_services_body_is_read_by_the_same_rules),
	};

	return cmocka_run_group_tests_name("pdk_bodies", tests, bench_process, NULL);
}
