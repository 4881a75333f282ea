/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/pdk_rows.h"

#include <stdio.h>

static void prepare(struct bench *b)
{
	headers_add(&b->x.request.headers, STR("content-type"), STR("application/json"));
	headers_add(&b->x.request.headers, STR("Content-Length"), STR("7"));
	b->x.response.status = 201;
	b->x.response.source = RESPONSE_FROM_SERVICE;
	b->x.response.service_status = 202;
	headers_add(&b->x.response.service_headers, STR("Content-Type"), STR("application/json"));
	headers_add(&b->x.response.headers, STR("X-Both"), STR("1"));
}

static void the_request_to_the_service_is_rewritten(void **state)
{
	static const struct pdk_row rows[] = {
			{"kong.service.request.set_scheme('https')", ""},
			{"kong.service.request.set_scheme('ftp')", "! invalid scheme: ftp"},
			{"kong.service.request.set_path('/x y?z')", ""},
			{"kong.service.request.set_path('x')", "! path must start with /"},
			{"kong.service.request.set_path(1)", "! path must be a string"},
			{"kong.service.request.set_method('PUT')", ""},
			{"kong.service.request.set_method('BREW')", "! invalid method: BREW"},
			{"kong.service.request.set_raw_query(1)", "! query must be a string"},
			{"kong.service.request.set_query({b = {'1', true}, a = 'x y', c = false, "
			 "d = 2})",
					""},
			{"kong.request.get_raw_query()", "a=x%20y&b=1&b&d=2"},
			{"kong.service.request.set_query(1)", "! args must be a table"},
			{"kong.service.request.set_query({1})", "! arg keys must be strings"},
			{"kong.service.request.clear_query_arg('b')", ""},
			{"kong.request.get_raw_query()", "a=x%20y&d=2"},
			{"kong.service.request.set_raw_query('p=a+b&q')", ""},
			{"kong.service.request.clear_query_arg('q')", ""},
			{"kong.request.get_raw_query()", "p=a%20b"},
			{"kong.service.set_target('backend.example', 8080)", ""},
			{"kong.service.set_target('x', 1.5)", "! port must be an integer"},
			{"kong.service.set_target('x', 70000)", "! port must be an integer between "
								"0 and 65535: given 70000"},
			{"kong.service.set_target('a b', 1)",
					"! host must be a host name or an address"},
			{"kong.service.set_timeouts(1, 2, 3)", ""},
			{"kong.service.set_timeouts(0, 2, 3)",
					"! connect_timeout must be an integer between 1 and "
					"2147483646: given 0"},
			{"kong.service.set_timeouts(1, 2, 'x')",
					"! read_timeout must be an integer"},
			{"kong.service.set_retries(3)", ""},
			{"kong.service.set_retries(40000)",
					"! retries must be an integer between 0 and 32767: given "
					"40000"},
			{"kong.service.set_target_retry_callback(1)",
					"! retry_callback must be a function"},
			{"kong.service.set_upstream('u')",
					"nil, could not find an Upstream named 'u'"},
	};
	struct bench *b = *state;

	pdk_rows_prepare = prepare;
	PDK_ROWS_CHECK(b, "access", "", rows);
	assert_string_equal(bench_text(b->x.upstream.scheme), "https");
	assert_string_equal(bench_text(b->x.upstream.path), "/x%20y%3Fz");
	assert_string_equal(bench_text(b->x.upstream.method), "PUT");
	assert_string_equal(bench_text(b->x.upstream.host), "backend.example");
	assert_int_equal(b->x.upstream.port, 8080);
	assert_string_equal(bench_text(b->x.upstream.host_header), "backend.example:8080");
	assert_int_equal(b->x.upstream.write_timeout_ms, 2);
	assert_int_equal(b->x.upstream.retries, 3);
	assert_true(b->x.request.is_query_changed);
}

static void request_headers_are_set_added_and_removed(void **state)
{
	static const struct pdk_row rows[] = {
			{"kong.service.request.set_header('X-A', 1)", ""},
			{"kong.service.request.add_header('x-a', true)", ""},
			{"table.concat(kong.request.get_headers()['x-a'], ' ')", "1 true"},
			{"kong.service.request.set_header('X-A', {'p', 'q'})", ""},
			{"table.concat(kong.request.get_headers()['x-a'], ' ')", "p q"},
			{"kong.service.request.clear_header('X-A')", ""},
			{"kong.request.get_header('x-a')", "nil"},
			{"kong.service.request.set_header('X-E', '')", ""},
			{"kong.request.get_header('x-e') == ' '", "true"},
			{"kong.service.request.set_header('X-I', 'a\\r\\nEvil: 1')", ""},
			{"kong.request.get_header('x-i')", "a%0D%0AEvil: 1"},
			{"kong.service.request.set_headers({['X-M'] = 'm', host = 'h.example'})",
					""},
			{"kong.request.get_header('x-m')", "m"},
			{"kong.service.request.set_header('Content-Length', '0')", ""},
			{"kong.service.request.set_headers({['transfer-encoding'] = 'chunked', "
			 "['content-length'] = '1'})",
					""},
			{"kong.request.get_header('content-length')", "7"},
			{"kong.request.get_header('transfer-encoding')", "nil"},
			{"kong.service.request.set_header(1, 'x')",
					"! invalid header name \"1\": got number, expected "
					"string"},
			{"kong.service.request.set_header('a b', 'x')",
					"! invalid header name \"a b\": not a token of RFC 9110"},
			{"kong.service.request.set_header('a', print)",
					"! invalid header value for \"a\": got function, expected "
					"array of string, string, number or boolean"},
			{"kong.service.request.set_header('a')",
					"! invalid header value for \"a\": got nil, expected array "
					"of string, string, number or boolean"},
			{"kong.service.request.set_headers(1)", "! headers must be a table"},
			{"kong.service.request.set_header(':authority', 'x')",
					"nil, cannot set :authority pseudo-header on non-grpc "
					"requests"},
			{"kong.service.request.clear_header(1)", "! header must be a string"},
	};
	struct bench *b = *state;

	pdk_rows_prepare = prepare;
	PDK_ROWS_CHECK(b, "access", "", rows);
	assert_string_equal(bench_text(b->x.upstream.host_header), "h.example");
	assert_true(b->x.upstream.is_host_header_set);
}

static void request_bodies_are_replaced_and_encoded(void **state)
{
	static const struct pdk_row rows[] = {
			{"kong.service.request.set_raw_body('new')", ""},
			{"kong.request.get_raw_body()", "new"},
			{"kong.request.get_header('content-length')", "3"},
			{"kong.service.request.set_raw_body(1)", "! body must be a string"},
			{"kong.service.request.set_body({a = 1, b = {}})", "true"},
			{"#kong.request.get_raw_body() > 10", "true"},
			{"kong.service.request.set_body({b = 'x', a = 1}, "
			 "'application/x-www-form-urlencoded')",
					"true"},
			{"kong.request.get_raw_body()", "a=1&b=x"},
			{"kong.request.get_header('content-type')",
					"application/x-www-form-urlencoded"},
			{"kong.service.request.set_body({a = 'x'}, "
			 "'multipart/form-data; boundary=B')",
					"true"},
			{"kong.request.get_body().a", "x"},
			{"kong.service.request.set_body({a = 'x'}, 'multipart/form-data')", "true"},
			{"kong.request.get_body().a", "x"},
			{"kong.service.request.set_body({a = 'x'}, 'text/plain')",
					"! unsupported content type text/plain"},
			{"kong.service.request.set_body(1)", "! args must be a table"},
			{"kong.service.request.set_body({a = print}, 'application/json')",
					"! Cannot serialise function: type not supported"},
	};

	pdk_rows_prepare = prepare;
	PDK_ROWS_CHECK(*state, "access", "", rows);
}

static void the_service_response_is_told(void **state)
{
	static const struct pdk_row rows[] = {
			{"kong.service.response.get_status()", "202"},
			{"kong.service.response.get_header('content_type')", "application/json"},
			{"kong.service.response.get_headers()['Content-Type']", "application/json"},
			{"kong.service.response.get_header(1)", "! name must be a string"},
			{"kong.service.response.get_raw_body()",
					"! service body is only available with buffered proxying "
					"(see: kong.service.request.enable_buffering function)"},
			{"kong.response.get_status()", "201"},
			{"kong.response.get_source()", "service"},
			{"kong.response.get_header('x-both')", "1"},
			{"kong.response.set_status(99)",
					"! code must be a number between 100 and 599"},
			{"kong.response.set_status('x')", "! code must be a number"},
			{"kong.response.set_status(204)", ""},
			{"kong.response.get_status()", "204"},
			{"kong.response.add_header('X-Both', 2)", ""},
			{"kong.response.get_headers()['x-both'][2]", "2"},
			{"kong.response.clear_header('x-both')", ""},
			{"kong.response.get_header('x-both')", "nil"},
			{"kong.response.set_headers({a = 'b', ['Transfer-Encoding'] = 'x'})", ""},
			{"kong.response.get_header('transfer-encoding')", "nil"},
			{"kong.response.exit(99)", "! code must be a number between 100 and 599"},
			{"kong.response.exit(200, 1)", "! body must be a nil, string or table"},
			{"kong.response.exit(200, 'x', 1)", "! headers must be a nil or table"},
			{"kong.response.error(200)", "! code must be a number between 400 and 599"},
	};

	pdk_rows_prepare = prepare;
	PDK_ROWS_CHECK(*state, "header_filter", "", rows);
}

/* openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=t */
#define CERT_PEM \
	"-----BEGIN CERTIFICATE-----\n" \
	"MIIBbzCCARWgAwIBAgIUV/mcPtaicKtJmbBwgQYC8YGhxkcwCgYIKoZIzj0EAwIw\n" \
	"DDEKMAgGA1UEAwwBdDAgFw0yNjExMjQwNDA5NDdaGA8yMTI2MTAzMTA0MDk0N1ow\n" \
	"DDEKMAgGA1UEAwwBdDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABCcytufeeXuN\n" \
	"PrlMH1SQeoigfGlNyHmCY4S3g5gtz+AN8TrYkzVtlZax+c795hS9sz311i/yuW4B\n" \
	"kQUCWpQ/D7OjUzBRMB0GA1UdDgQWBBS0W/5zyPO+owYMRse5FibeUif1UTAfBgNV\n" \
	"HSMEGDAWgBS0W/5zyPO+owYMRse5FibeUif1UTAPBgNVHRMBAf8EBTADAQH/MAoG\n" \
	"CCqGSM49BAMCA0gAMEUCIQCrWypmNwSpMxkfkngdB8W309mJBPseWjbI1D1/omjJ\n" \
	"hgIgDg3Rw+CV3bk+xTCY67s3NgOWGyWbEpodmexyVdFF9Gg=\n" \
	"-----END CERTIFICATE-----\n"
#define KEY_PEM \
	"-----BEGIN PRIVATE KEY-----\n" \
	"MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgtapoGnBfvqLK47Pa\n" \
	"qR77a5KlSQi/Z31gETB4rfsLgAOhRANCAAQnMrbn3nl7jT65TB9UkHqIoHxpTch5\n" \
	"gmOEt4OYLc/gDfE62JM1bZWWsfnO/eYUvbM99dYv8rluAZEFAlqUPw+z\n" \
	"-----END PRIVATE KEY-----\n"

static void tls_to_the_service_is_chosen(void **state)
{
	static const struct pdk_row rows[] = {
			{"kong.service.set_tls_verify(true)", "true"},
			{"kong.service.set_tls_verify(1)", "! argument must be a boolean"},
			{"kong.service.set_tls_verify_depth(3)", "true"},
			{"kong.service.set_tls_verify_depth('3')", "! argument must be a number"},
			{"kong.service.set_tls_verify_depth(0.5)",
					"! argument must be an integer between 0 and 100"},
			{"kong.service.set_tls_verify_store(CERT)", "true"},
			{"kong.service.set_tls_verify_store('x')",
					"nil, argument holds no certificate in PEM form"},
			{"kong.service.set_tls_verify_store({})",
					"! argument must be certificates in PEM form"},
			{"kong.service.set_tls_cert_key(CERT, KEY)", "true"},
			{"kong.service.set_tls_cert_key('x', KEY)",
					"nil, chain is not a certificate in PEM form"},
			{"kong.service.set_tls_cert_key(CERT, 'x')",
					"nil, key is not a private key in PEM form"},
			{"kong.service.set_tls_cert_key(CERT)",
					"! key must be a string in PEM form"},
			{"kong.service.request.disable_tls()",
					"! function cannot be called in access phase (only in: "
					"balancer, preread)"},
	};
	struct bench *b = *state;

	pdk_rows_prepare = prepare;
	PDK_ROWS_CHECK(b, "access", "local CERT, KEY = [[" CERT_PEM "]], [[" KEY_PEM "]]", rows);
	assert_int_equal(b->x.upstream.tls.verify, EXCHANGE_TLS_VERIFY);
	assert_int_equal(b->x.upstream.tls.verify_depth, 3);
	assert_string_equal(bench_text(b->x.upstream.tls.cert_pem), CERT_PEM);
	assert_string_equal(bench_text(b->x.upstream.tls.key_pem), KEY_PEM);
	assert_string_equal(bench_text(b->x.upstream.tls.ca_pem), CERT_PEM);
}

static void prepare_call(struct bench *b)
{
	b->x.request.http_major = 2;
	headers_set_id(&b->x.request.headers, HEADER_CONTENT_TYPE, STR("application/grpc+proto"));
}

static const char *answer_header(struct bench *b, const char *name)
{
	return bench_text(headers_get(&b->x.answer.headers, str_of(name)));
}

static void eval_call(struct bench *b, const char *code)
{
	char text[256];

	snprintf(text, sizeof(text), "function P:access(conf) %s end", code);
	bench_plugin(b, "g", 1, text);
	bench_instance(b, "g", "i-g", (struct bench_scope){.config = "{}"});
	bench_commit(b);
	bench_request(b, "/");
	prepare_call(b);
	bench_route(b, "r", "s");
	assert_int_equal(chain_access(b->chain), CHAIN_ANSWER);
}

static void an_exit_from_a_grpc_call_travels_in_headers(void **state)
{
	static const struct {
		const char *code;
		int status;
		const char *number, *message, *body;
	} rows[] = {
			{"kong.response.exit(403, 'no')", 403, "7", "no", ""},
			{"kong.response.exit(403)", 403, "7", "PermissionDenied", ""},
			{"kong.response.exit(418, {message = 'tea'})", 418, "3", "tea", ""},
			{"kong.response.exit(502, {other = 1})", 502, "13", "Internal", ""},
			{"kong.response.exit(302)", 302, "2", "Unknown", ""},
			{"kong.response.exit(200, '', {['grpc-status'] = '9'})", 200, "9", " ", ""},
			{"kong.response.exit(200, 'raw', {['content-type'] = 'application/grpc'})",
					200, "0", "OK", "raw"},
			{"kong.response.error(404, 'gone')", 404, "5", "gone", ""},
			{"kong.response.exit(200, 'x', {['content-type'] = 'text/plain'})", 200, "",
					"", "x"},
	};
	struct bench *b = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		eval_call(b, rows[i].code);
		assert_int_equal(b->x.answer.status, rows[i].status);
		assert_string_equal(answer_header(b, "grpc-status"), rows[i].number);
		assert_string_equal(answer_header(b, "grpc-message"), rows[i].message);
		assert_string_equal(bench_text(b->x.answer.body), rows[i].body);
		bench_end(b);
	}
}

static void authentication_is_told_to_the_service(void **state)
{
	static const struct pdk_row rows[] = {
			{"kong.service.request.set_header('X-Consumer-ID', 'forged')", ""},
			{"kong.service.request.set_authentication_headers({id = 'i', username = "
			 "'u'}, 'cred', {'g1', {name = 'g2'}})",
					""},
			{"kong.request.get_header('x-consumer-id')", "i"},
			{"kong.request.get_header('x-consumer-username')", "u"},
			{"kong.request.get_header('x-consumer-custom-id')", "nil"},
			{"kong.request.get_header('x-credential-identifier')", "cred"},
			{"kong.request.get_header('x-authenticated-groups')", "g1, g2"},
			{"kong.request.get_header('x-anonymous-consumer')", "nil"},
			{"kong.service.request.set_authentication_headers()", ""},
			{"kong.request.get_header('x-consumer-id')", "nil"},
			{"kong.request.get_header('x-anonymous-consumer')", "true"},
			{"kong.service.request.set_authentication_headers(1)",
					"! consumer must be a table or nil"},
			{"kong.service.request.set_authentication_headers(nil, {})",
					"! credential_identifier must be a string or nil"},
			{"kong.service.request.set_authentication_headers(nil, nil, 1)",
					"! groups must be a table or nil"},
			{"kong.client.get_consumer_group()", "nil"},
			{"kong.client.set_authenticated_consumer_group({name = 'a'})", ""},
			{"kong.client.get_consumer_group().name", "a"},
			{"#kong.client.get_consumer_groups()", "1"},
			{"kong.client.set_authenticated_consumer_groups({{name = 'a'}, {name = "
			 "'b'}})",
					""},
			{"kong.client.get_consumer_groups()[2].name", "b"},
			{"kong.client.set_authenticated_consumer_groups(1)",
					"! groups must be a table or nil"},
			{"kong.client.authenticate_consumer_group_by_consumer_id('x')",
					"! cannot load a consumer with an id that is not a uuid"},
			{"kong.client.authenticate_consumer_group_by_consumer_id("
			 "'2b8a2ea2-32f4-4c4b-8f4e-3f5a4b7c8d9e')",
					""},
			{"kong.client.get_consumer_groups()", "nil"},
			{"kong.client.get_token()", "nil"},
			{"kong.client.get_jwt_token_payload()", "nil"},
			{"kong.client.set_token('eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhIn0.x')", ""},
			{"kong.client.get_token()", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhIn0.x"},
			{"kong.client.get_jwt_token_header().alg", "HS256"},
			{"kong.client.get_jwt_token_payload().sub", "a"},
			{"kong.client.set_token('a.b')", ""},
			{"kong.client.get_jwt_token_header()", "nil"},
			{"kong.client.get_jwt_token_payload()", "nil"},
			{"kong.client.set_token(1)", "! token must be a string or nil"},
			{"kong.client.set_identity_realm_source('cp')", ""},
			{"kong.client.get_identity_realm_source()", "cp"},
			{"kong.client.set_identity_realm_source(nil)", ""},
			{"kong.client.get_identity_realm_source()", "nil"},
			{"kong.request.get_raw_headers():find('content-type: application/json', 1, "
			 "true) ~= nil",
					"true"},
	};

	pdk_rows_prepare = prepare;
	PDK_ROWS_CHECK(*state, "access", "", rows);
}

static void prepare_gzip(struct bench *b)
{
	prepare(b);
	headers_add(&b->x.response.service_headers, STR("Content-Encoding"), STR("gzip"));
}

static void the_service_body_is_decompressed_when_asked(void **state)
{
	static const struct pdk_row rows[] = {
			/* {"a":1} */
			{"kong.service.response.set_body('"
			 "\\x1f\\x8b\\x08\\x00\\x00\\x00\\x00\\x00\\x02\\x03\\xab\\x56\\x4a\\x54\\x"
			 "b2\\x32\\xac\\x05\\x00\\xaf\\xac\\x1b\\x56\\x07\\x00\\x00\\x00')",
					""},
			{"kong.service.response.get_body(nil, nil, true).a", "1"},
			{"kong.service.response.get_body()",
					"nil, invalid json body, application/json"},
			{"kong.service.response.set_body('{}')", ""},
			{"kong.service.response.get_body(nil, nil, true)",
					"nil, the body cannot be decompressed"},
	};

	pdk_rows_prepare = prepare_gzip;
	PDK_ROWS_CHECK(*state, "response", "", rows);
}

static void the_service_body_is_replaced_in_response(void **state)
{
	static const struct pdk_row rows[] = {
			{"kong.service.response.set_body(1)", "! body must be a string"},
			{"kong.service.response.set_body('new')", ""},
			{"kong.service.response.get_raw_body()", "new"},
	};
	struct bench *b = *state;

	pdk_rows_prepare = prepare;
	PDK_ROWS_CHECK(b, "response", "", rows);
	assert_string_equal(bench_text(b->x.response.service_body.bytes), "new");
	assert_true(b->x.response.service_body.is_replaced);
}

static void an_exit_with_a_table_is_json_and_an_error_is_negotiated(void **state)
{
	struct bench *b = *state;

	assert_string_equal(
			bench_eval(b, "kong.response.exit(201, {a = {1, 2}})"), "{\"a\":[1,2]}");
	assert_string_equal(bench_text(headers_get_id(&b->x.answer.headers, HEADER_CONTENT_TYPE)),
			"application/json; charset=utf-8");
	assert_string_equal(bench_eval(b, "kong.response.error(404, nil, {['X-E'] = 'e'})"),
			"{\n  \"message\":\"Not found\",\n"
			"  \"request_id\":\"0123456789abcdef0123456789abcdef\"\n}");
	assert_string_equal(bench_text(headers_get(&b->x.answer.headers, STR("x-e"))), "e");
	assert_int_equal(b->x.response.source, RESPONSE_FROM_EXIT);
	assert_string_equal(bench_eval(b, "kong.response.set_header('X-Set', 's') "
					  "kong.response.exit(204)"),
			"");
	assert_string_equal(bench_text(headers_get(&b->x.answer.headers, STR("x-set"))), "s");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
			BENCH_TEST(the_request_to_the_service_is_rewritten),
			BENCH_TEST(request_headers_are_set_added_and_removed),
			BENCH_TEST(request_bodies_are_replaced_and_encoded),
			BENCH_TEST(the_service_response_is_told),
			BENCH_TEST(tls_to_the_service_is_chosen),
			BENCH_TEST(an_exit_from_a_grpc_call_travels_in_headers),
			BENCH_TEST(authentication_is_told_to_the_service),
			BENCH_TEST(the_service_body_is_decompressed_when_asked),
			BENCH_TEST(the_service_body_is_replaced_in_response),
			BENCH_TEST(an_exit_with_a_table_is_json_and_an_error_is_negotiated),
	};

	return cmocka_run_group_tests_name("pdk_service", tests, bench_process, NULL);
}
