/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/pdk_rows.h"

static void add_header(struct bench *b, const char *name, const char *value)
{
	assert_int_equal(headers_add(&b->x.request.headers, str_of(name), str_of(value)), 0);
}

static void plain_request(struct bench *b)
{
	add_header(b, "host", "example.com:8000");
	add_header(b, "X-Two", "one");
	add_header(b, "x-two", "two");
	add_header(b, "X-Forwarded-Proto", "https");
	add_header(b, "X-Forwarded-Host", "user@Other.example:8443, second");
	add_header(b, "X-Forwarded-Path", "/outside");
	b->x.matched_prefix = STR("/prefix");
	b->x.uri_captures_json = STR("{\"unnamed\":[\"/c\",\"c\"],\"named\":{\"k\":\"v\"}}");
}

static void trusted_request(struct bench *b)
{
	plain_request(b);
	b->x.request.client_is_trusted = true;
}

static void body_request(struct bench *b)
{
	add_header(b, "content-type", "application/json");
	b->x.request.body = (struct body){
			.state = BODY_COMPLETE, .bytes = STR("{\"a\":[],\"n\":null,\"s\":\"x\"}")};
}

static void form_request(struct bench *b)
{
	add_header(b, "content-type", "application/x-www-form-urlencoded; charset=utf-8");
	b->x.request.body = (struct body){
			.state = BODY_COMPLETE, .bytes = STR("a=1&b=x%20y&a=2&c&&=no")};
}

static void multipart_request(struct bench *b)
{
	add_header(b, "content-type", "multipart/form-data; boundary=\"XX\"");
	b->x.request.body = (struct body){.state = BODY_COMPLETE,
			.bytes = STR("preamble\r\n--XX\r\nContent-Disposition: form-data; "
				     "name=\"a\"\r\n\r\nfirst\r\nline\r\n--XX\r\n"
				     "content-disposition: form-data; name=\"b\"; "
				     "filename=\"f\"\r\n\r\n\r\n--XX--\r\n")};
}

static void what_the_client_sent_is_told(void **state)
{
	static const struct pdk_row rows[] = {
			{"kong.request.get_scheme()", "http"},
			{"kong.request.get_host()", "example.com"},
			{"kong.request.get_port()", "8000"},
			{"kong.request.get_http_version()", "1.1"},
			{"kong.request.get_method()", "GET"},
			{"kong.request.get_path()", "/c"},
			{"kong.request.get_raw_path()", "/a%20b/../c"},
			{"kong.request.get_path_with_query()", "/a%20b/../c?x=1&y&x=2&z=%41+b"},
			{"kong.request.get_raw_query()", "x=1&y&x=2&z=%41+b"},
			{"kong.request.get_query_arg('x')", "1"},
			{"kong.request.get_query_arg('y')", "true"},
			{"kong.request.get_query_arg('z')", "A b"},
			{"kong.request.get_query_arg('none')", "nil"},
			{"kong.request.get_query().x[2], kong.request.get_query().y", "2, true"},
			{"select(2, kong.request.get_query(2))", "truncated"},
			{"kong.request.get_header('x_two')", "one"},
			{"kong.request.get_header('none')", "nil"},
			{"kong.request.get_headers()['x-two'][2]", "two"},
			{"kong.request.get_headers()['X_Two'][1]", "one"},
			{"kong.request.get_headers().Host", "example.com:8000"},
			{"kong.request.get_start_time()", "1700000000123"},
			{"kong.request.get_uri_captures().unnamed[0]", "/c"},
			{"kong.request.get_uri_captures().unnamed[1]", "c"},
			{"kong.request.get_uri_captures().named.k", "v"},
			{"kong.request.get_id()", "0123456789abcdef0123456789abcdef"},
			{"kong.request.get_raw_body()", ""},
	};

	pdk_rows_prepare = plain_request;
	PDK_ROWS_CHECK(*state, "access", "", rows);
}

static void forwarding_headers_count_only_from_trusted_peers(void **state)
{
	static const struct pdk_row plain[] = {
			{"kong.request.get_forwarded_scheme()", "http"},
			{"kong.request.get_forwarded_host()", "example.com"},
			{"kong.request.get_forwarded_port()", "8000"},
			{"kong.request.get_forwarded_path()", "/c"},
			{"kong.request.get_raw_forwarded_path()", "/a%20b/../c"},
			{"kong.request.get_forwarded_prefix()", "/prefix"},
	};
	static const struct pdk_row trusted[] = {
			{"kong.request.get_forwarded_scheme()", "https"},
			{"kong.request.get_forwarded_host()", "other.example"},
			{"kong.request.get_forwarded_port()", "8443"},
			{"kong.request.get_forwarded_path()", "/outside"},
			{"kong.request.get_raw_forwarded_path()", "/outside"},
			{"kong.request.get_forwarded_prefix()", "/prefix"},
	};

	pdk_rows_prepare = plain_request;
	PDK_ROWS_CHECK(*state, "access", "", plain);
	pdk_rows_prepare = trusted_request;
	PDK_ROWS_CHECK(*state, "access", "", trusted);
}

static void ports_told(struct bench *b)
{
	trusted_request(b);
	add_header(b, "X-Forwarded-Port", "9000");
	add_header(b, "X-Forwarded-Prefix", "/told");
}

static void what_is_told_of_the_outside_goes_before_what_is_seen(void **state)
{
	static const struct pdk_row told[] = {
			{"kong.request.get_forwarded_port()", "9000"},
			{"kong.request.get_forwarded_prefix()", "/told"},
			{"kong.request.get_port(), kong.request.get_scheme()", "8000, http"},
			{"kong.client.get_protocol()", "http"},
			{"kong.client.get_protocol(true)", "https"},
			{"kong.client.get_protocol(false)", "http"},
	};
	static const struct pdk_row plain[] = {
			{"kong.client.get_protocol(true)", "http"},
			{"kong.request.get_forwarded_prefix()", "/prefix"},
	};

	pdk_rows_prepare = ports_told;
	PDK_ROWS_CHECK(*state, "access", "", told);
	pdk_rows_prepare = plain_request;
	PDK_ROWS_CHECK(*state, "access", "", plain);
}

static void odd_host_and_ports(struct bench *b)
{
	add_header(b, "host", "example.com:8000");
	b->x.request.client_is_trusted = true;
	add_header(b, "X-Forwarded-Proto", "HTTPS");
	add_header(b, "X-Forwarded-Proto", "http");
	add_header(b, "X-Forwarded-Host", "user@Other.Example:8443");
	add_header(b, "X-Forwarded-Port", "65536");
	add_header(b, "X-Forwarded-Port", "1");
	add_header(b, "X-Forwarded-Path", "/first?a=b#c");
	add_header(b, "X-Forwarded-Path", "/second");
}

static void no_ports(struct bench *b)
{
	add_header(b, "host", "example.com:8000");
	b->x.request.client_is_trusted = true;
	add_header(b, "X-Forwarded-Host", "[::1]:0");
	add_header(b, "X-Forwarded-Port", "x");
}

static void odd_words_of_trusted_peers_are_read_as_kong_reads_them(void **state)
{
	static const struct pdk_row odd[] = {
			{"kong.request.get_forwarded_scheme()", "https"},
			{"kong.request.get_forwarded_host()", "other.example"},
			{"kong.request.get_forwarded_port()", "8443"},
			{"kong.request.get_forwarded_path()", "/first?a=b#c"},
			{"kong.client.get_protocol(true)",
					"nil, Only one X-Forwarded-Proto header allowed"},
	};
	static const struct pdk_row none[] = {
			{"kong.request.get_forwarded_port()", "8000"},
			{"kong.request.get_forwarded_path()", "/c"},
	};

	pdk_rows_prepare = odd_host_and_ports;
	PDK_ROWS_CHECK(*state, "access", "", odd);
	pdk_rows_prepare = no_ports;
	PDK_ROWS_CHECK(*state, "access", "", none);
}

static void wrong_arguments_raise_at_the_plugins_line(void **state)
{
	static const struct pdk_row rows[] = {
			{"kong.request.get_query_arg()", "! query argument name must be a string"},
			{"kong.request.get_query_arg(1)", "! query argument name must be a string"},
			{"kong.request.get_query('x')", "! max_args must be a number"},
			{"kong.request.get_query(0)", "! max_args must be >= 1"},
			{"kong.request.get_query(1001)", "! max_args must be <= 1000"},
			{"kong.request.get_header({})", "! header name must be a string"},
			{"kong.request.get_headers({})", "! max_headers must be a number"},
			{"kong.request.get_headers(0/0)", "! max_headers must be >= 1"},
			{"kong.request.get_body(1)", "! mimetype must be a string"},
			{"kong.request.get_body()", "nil, missing content type"},
	};

	pdk_rows_prepare = NULL;
	PDK_ROWS_CHECK(*state, "access", "", rows);
}

static void bodies_are_decoded_by_their_type(void **state)
{
	static const struct pdk_row json[] = {
			{"kong.request.get_body()", "table, nil, application/json"},
			{"kong.request.get_body().s", "x"},
			{"tostring(kong.request.get_body().n) ~= 'nil'", "true"},
			{"kong.request.get_raw_body(3)", "nil, request body file too big: 25 > 3"},
			{"kong.request.get_body('text/plain')",
					"nil, unsupported content type 'text/plain', text/plain"},
			{"kong.request.get_body('multipart/form-data')",
					"nil, unable to decode multipart body, "
					"multipart/form-data"},
	};
	static const struct pdk_row form[] = {
			{"kong.request.get_body()",
					"table, nil, application/x-www-form-urlencoded"},
			{"kong.request.get_body().a[2]", "2"},
			{"kong.request.get_body().b", "x y"},
			{"kong.request.get_body().c", "true"},
			{"kong.request.get_body('application/json')",
					"nil, invalid json body, application/json"},
	};
	static const struct pdk_row multipart[] = {
			{"kong.request.get_body()", "table, nil, multipart/form-data"},
			{"kong.request.get_body().a", "first\r\nline"},
			{"kong.request.get_body().b", ""},
	};

	pdk_rows_prepare = body_request;
	PDK_ROWS_CHECK(*state, "access", "", json);
	pdk_rows_prepare = form_request;
	PDK_ROWS_CHECK(*state, "access", "", form);
	pdk_rows_prepare = multipart_request;
	PDK_ROWS_CHECK(*state, "access", "", multipart);
}

static void what_a_phase_does_not_offer_raises_with_the_phases_that_do(void **state)
{
	static const struct pdk_row rows[] = {
			{"kong.request.get_raw_body()",
					"! function cannot be called in log phase (only in: "
					"rewrite, access, response, error, admin_api)"},
			{"kong.request.get_path()", "/c"},
			{"kong.service.request.set_header('a', 'b')",
					"! function cannot be called in log phase (only in: "
					"rewrite, access, balancer)"},
			{"kong.response.exit(200)",
					"! function cannot be called in log phase (only in: "
					"rewrite, access, balancer, response, header_filter, "
					"error, admin_api)"},
			{"kong.client.authenticate({})",
					"! function cannot be called in log phase (only in: "
					"access)"},
	};

	pdk_rows_prepare = NULL;
	PDK_ROWS_CHECK(*state, "log", "", rows);
}

static void outside_a_request_there_is_no_phase(void **state)
{
	struct bench *b = *state;

	bench_plugin(b, "p", 1,
			"local ok, err = pcall(function() return kong.request.get_path() end) "
			"function P:access() kong.response.exit(200, err) end");
	bench_instance(b, "p", "i1", (struct bench_scope){.config = "{}"});
	bench_commit(b);
	bench_run(b, "/");
	assert_non_null(strstr(bench_text(b->x.answer.body),
			"no phase in ngx.ctx.KONG_PHASE, (need one of rewrite, access, "));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
			BENCH_TEST(what_the_client_sent_is_told),
			BENCH_TEST(forwarding_headers_count_only_from_trusted_peers),
			BENCH_TEST(what_is_told_of_the_outside_goes_before_what_is_seen),
			BENCH_TEST(odd_words_of_trusted_peers_are_read_as_kong_reads_them),
			BENCH_TEST(wrong_arguments_raise_at_the_plugins_line),
			BENCH_TEST(bodies_are_decoded_by_their_type),
			BENCH_TEST(what_a_phase_does_not_offer_raises_with_the_phases_that_do),
			BENCH_TEST(outside_a_request_there_is_no_phase),
	};

	return cmocka_run_group_tests_name("pdk_request", tests, bench_process, NULL);
}
