/* SPDX-License-Identifier: Apache-2.0
 *
 * What a log plugin is told by kong.log.serialize(), and what set_serialize_value() does to it;
 * what kong.log.inspect() and kong.log.deprecation() print.
 */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "tests/unit/pdk_rows.h"

#define MS 1000000ULL

/* A request that was served at the second try. */
static void served(struct bench *b)
{
	struct exchange *x = &b->x;

	x->route.json = STR("{\"id\":\"r\",\"name\":\"route\"}");
	x->service.json = STR("{\"id\":\"s\",\"name\":\"service\"}");
	x->request.bytes = 321;
	x->request.tls_version = STR("TLSv1.3");
	x->request.tls_cipher = STR("TLS_AES_256_GCM_SHA384");
	headers_add(&x->request.headers, STR("Authorization"), STR("secret"));
	headers_add(&x->request.headers, STR("Proxy-Authorization"), STR("secret"));
	headers_add(&x->request.headers, STR("X-Two"), STR("1"));
	headers_add(&x->request.headers, STR("X-Two"), STR("2"));
	x->response.status = 201;
	x->response.source = RESPONSE_FROM_SERVICE;
	x->response.service_status = 202;
	x->response.bytes_sent = 654;
	headers_add(&x->response.headers, STR("X-Reply"), STR("yes"));
	x->request.start_mono_ns = 1000 * MS;
	x->upstream_start_ns = 1010 * MS;
	x->upstream_headers_ns = 1030 * MS;
	x->response_end_ns = 1060 * MS;
	x->n_tries = 2;
	x->tries[0] = (struct exchange_try){.peer = {STR("10.0.0.1"), 80},
			.start_real_ns = 1700000000010 * MS,
			.connect_ns = 3 * MS,
			.state_code = 502};
	x->tries[1] = (struct exchange_try){.peer = {STR("10.0.0.2"), 81},
			.start_real_ns = 1700000000013 * MS,
			.is_reused = true};
}

static const char authenticate[] =
		"function P:access() kong.client.authenticate({id = 'c', username = 'u'}, "
		"{id = 'k', consumer_id = 'c2'}) end ";

static void the_whole_object_is_there(void **state)
{
	static const struct pdk_row rows[] = {
			{"s.request.id", "0123456789abcdef0123456789abcdef"},
			{"s.request.uri", "/a%20b/../c?x=1&y&x=2&z=%41+b"},
			{"s.request.url", "http://example.com:8000/a%20b/../c?x=1&y&x=2&z=%41+b"},
			{"s.request.querystring.x[2], s.request.querystring.y", "2, true"},
			{"s.request.method, s.request.size", "GET, 321"},
			{"s.request.headers.authorization", "REDACTED"},
			{"s.request.headers['proxy-authorization']", "REDACTED"},
			{"s.request.headers['x-two'][2]", "2"},
			{"s.request.tls.version, s.request.tls.cipher, s.request.tls.client_verify",
					"TLSv1.3, TLS_AES_256_GCM_SHA384, NONE"},
			{"s.upstream_uri", "/c?x=1&y&x=2&z=%41+b"},
			{"s.upstream_status, type(s.upstream_status)", "502, 202, string"},
			{"s.response.status, s.response.size", "201, 654"},
			{"s.response.headers['x-reply']", "yes"},
			{"s.latencies.request, s.latencies.proxy, s.latencies.receive, "
			 "s.latencies.kong",
					"60, 20, 30, 10"},
			{"#s.tries, s.tries[1].ip, s.tries[1].port", "2, 10.0.0.1, 80"},
			{"s.tries[1].balancer_start, s.tries[1].balancer_latency",
					"1700000000010, 3"},
			{"s.tries[1].balancer_latency_ns, s.tries[1].balancer_start_ns > 1.7e18",
					"3000000, true"},
			{"s.tries[1].state, s.tries[1].code, s.tries[1].keepalive",
					"failed, 502, false"},
			{"s.tries[2].state, s.tries[2].code, s.tries[2].keepalive",
					"nil, nil, true"},
			{"s.route.name, s.service.name", "route, service"},
			{"s.consumer, s.authenticated_entity", "nil, nil"},
			{"s.client_ip, s.started_at", "198.51.100.1, 1700000000123"},
			{"s.source, s.workspace_name, #s.workspace", "upstream, default, 36"},
			{"(function() local n = {} for k in pairs(s) do n[#n + 1] = k end "
			 "table.sort(n) return table.concat(n, ' ') end)()",
					"client_ip latencies request response route service source "
					"started_at tries upstream_status upstream_uri workspace "
					"workspace_name"},
	};

	pdk_rows_prepare = served;
	PDK_ROWS_CHECK(*state, "log", "local s = kong.log.serialize()", rows);
}

static void rejected(struct bench *b)
{
	b->x.upstream.path = STR_NONE;
	b->x.response.status = 403;
	b->x.response.source = RESPONSE_FROM_EXIT;
	b->x.request.start_mono_ns = 1000 * MS;
	b->x.response_end_ns = 1007 * MS;
}

static void what_was_not_proxied_says_so(void **state)
{
	static const struct pdk_row rows[] = {
			{"s.source, s.upstream_uri == '', s.upstream_status == ''",
					"kong, true, true"},
			{"s.latencies.proxy, s.latencies.kong, s.latencies.request, "
			 "s.latencies.receive",
					"-1, 7, 7, 0"},
			{"#s.tries, s.request.tls, s.route", "0, nil, nil"},
	};

	pdk_rows_prepare = rejected;
	PDK_ROWS_CHECK(*state, "log", "local s = kong.log.serialize()", rows);
}

static void who_was_authenticated_is_told(void **state)
{
	struct bench *b = *state;
	char methods[1024];

	snprintf(methods, sizeof(methods),
			"%s function P:log() local s = kong.log.serialize() "
			"kong.ctx.shared.r = s.consumer.username .. s.authenticated_entity.id .. "
			"s.authenticated_entity.consumer_id end",
			authenticate);
	bench_plugin(b, "p", 1, methods);
	bench_instance(b, "p", "i-p", (struct bench_scope){.config = "{}"});
	bench_commit(b);
	bench_run(b, "/");
	chain_log(b->chain);
	assert_string_equal(bench_shared(b, "r"), "ukc2");
}

#define WRONG \
	"! value must be nil, a number, string, boolean or a non-self-referencial table " \
	"containing numbers, string and booleans"
#define SET "kong.log.set_serialize_value"
#define GET "kong.log.serialize()"

static void values_are_set_added_and_replaced(void **state)
{
	static const struct pdk_row rows[] = {
			{SET "('a', 1), " GET ".a", "nil, 1"},
			{SET "('a', 2), " GET ".a", "nil, 2"},
			{SET "('a', 3, {mode = 'add'}), " GET ".a", "nil, 2"},
			{SET "('b', 3, {mode = 'add'}), " GET ".b", "nil, 3"},
			{SET "('a', 4, {mode = 'replace'}), " GET ".a", "nil, 4"},
			{SET "('c', 4, {mode = 'replace'}), " GET ".c", "nil, nil"},
			{SET "('c.d', 4, {mode = 'replace'}), " GET ".c", "nil, nil"},
			{SET "('c.d', 4, {mode = 'add'}), " GET ".c.d", "nil, 4"},
			{SET "('t', {1, {x = true}}), " GET ".t[2].x", "nil, true"},
			{SET "('t', nil), " GET ".t", "nil, nil"},
			{SET "('x\\\\.y.z', 5), " GET "['x.y'].z", "nil, 5"},
			{SET "(('k'):rep(1000), 6), " GET "[('k'):rep(1000)]", "nil, 6"},
			{SET "('request.headers.authorization', 'mine'), " GET
			     ".request.headers.authorization",
					"nil, mine"},
			{SET "('response', nil), " GET ".response", "nil, nil"},
			{SET "()", "! key must be a string"},
			{SET "({}, 1)", "! key must be a string"},
			{SET "('a', 1, {mode = 'SET'})",
					"! mode must be 'set', 'add' or 'replace'"},
			{SET "('a', 1, {mode = 1})", "! mode must be 'set', 'add' or 'replace'"},
			{SET "('a.b.c', 1)", ""},
			{GET, "! The key 'a.b.c' could not be used as a serialize value. "
			      "Subkey 'a' is not a table. It's 4"},
	};

	pdk_rows_prepare = served;
	PDK_ROWS_CHECK(*state, "log", "", rows);
}

/* It is found out late, as in the reference: a request is not failed for its log. */
static void a_value_that_cannot_be_told_is_refused_by_serialize(void **state)
{
	static const struct pdk_row rows[] = {
			{SET "('f', print)", ""},
			{GET, WRONG},
	};
	static const struct pdk_row more[] = {
			{"(function() local t = {} t.t = t " SET "('t', t) end)()", ""},
			{GET, WRONG},
	};

	pdk_rows_prepare = served;
	PDK_ROWS_CHECK(*state, "log", "", rows);
	PDK_ROWS_CHECK(*state, "log", "", more);
}

/* ---- what is printed ---- */

static char printed[65536];

/* The log writes quotes and backslashes with one before. */
static void unescape(char *text)
{
	char *to = text;

	for (; *text != '\0'; text++) {
		if (*text == '\\')
			text++;
		*to++ = *text;
	}
	*to = '\0';
}

/* Runs the code in access with the log in a file; its messages, a line each, in `printed`. */
static void print(struct bench *b, const char *code)
{
	char path[] = "/tmp/test_pdk_log.XXXXXX", line[8192];
	int fd = mkstemp(path), stderr_fd = dup(STDERR_FILENO);
	FILE *f;

	assert_true(fd >= 0 && stderr_fd >= 0);
	assert_int_equal(dup2(fd, STDERR_FILENO), STDERR_FILENO);
	bench_eval(b, code);
	dup2(stderr_fd, STDERR_FILENO);
	close(stderr_fd);
	close(fd);
	f = fopen(path, "r");
	unlink(path);
	assert_non_null(f);
	printed[0] = '\0';
	while (fgets(line, sizeof(line), f) != NULL) {
		char *from = strstr(line, "msg=\""), *to = strstr(line, "\" plugin=p");

		if (from == NULL || to == NULL)
			continue;
		*to = '\0';
		unescape(from + 5);
		strcat(strcat(printed, from + 5), "\n");
	}
	fclose(f);
}

/* The rows of a frame without its borders and the blanks up to it. */
static void prints_in_a_frame(struct bench *b, const char *arguments, const char *want)
{
	char code[1024], got[8192] = "", *rest = printed;
	const char *line;
	char dashes[121];

	memset(dashes, '-', sizeof(dashes));
	dashes[120] = '\0';
	snprintf(code, sizeof(code), "kong.log.inspect(%s)", arguments);
	print(b, code);
	line = strsep(&rest, "\n");
	line = line != NULL ? line : "";
	assert_int_equal(strlen(line), 122);
	assert_int_equal(strncmp(line, "[kong] handler.lua:", 19), 0);
	assert_non_null(strstr(line, ":1 [p]-----"));
	assert_int_equal(line[121], '+');
	while ((line = strsep(&rest, "\n")) != NULL && line[0] == '|') {
		size_t n = 120;

		assert_int_equal(strlen(line), 122);
		assert_int_equal(line[121], '|');
		while (n > 0 && line[n] == ' ')
			n--;
		strncat(got, line + 1, n);
		strcat(got, "\n");
	}
	assert_true(line != NULL && line[0] == '+');
	assert_string_equal(got, want);
}

static void inspect_spells_values_out_in_a_frame(void **state)
{
	struct bench *b = *state;

	prints_in_a_frame(b, "'hi', 5, true, nil", "\"hi\" 5 true nil\n");
	prints_in_a_frame(b, "{}, {1, 2, 3}", "{} { 1, 2, 3 }\n");
	prints_in_a_frame(b, "{a = 1, b = {c = 'x'}}",
			"{\n  a = 1,\n  b = {\n    c = \"x\"\n  }\n}\n");
	prints_in_a_frame(b, "{1, 'y', k = {2}, ['a b'] = false, [10] = 0.5}",
			"{ 1, \"y\",\n  [10] = 0.5,\n  [\"a b\"] = false,\n  k = { 2 "
			"}\n}\n");
	prints_in_a_frame(b, "'say \"x\"', 1/0, print, print, error, ngx.null",
			"'say \"x\"' math.huge <function 1> <function 1> <function 2> "
			"<userdata 1>\n");
	prints_in_a_frame(b, "(function() local t = {} t.t = t return t end)()",
			"<1>{\n  t = <table 1>\n}\n");
	prints_in_a_frame(b, "('x'):rep(130)",
			"\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
			"xx"
			"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\nxxxxxxxxxxx\"\n");
}

static void prints(struct bench *b, const char *code, const char *want)
{
	print(b, code);
	assert_string_equal(printed, want);
}

static void a_logger_has_a_format_and_an_inspect_of_its_own(void **state)
{
	struct bench *b = *state;

	prints(b, "local l = kong.log.new('ns') l('a', 1) l.err('b')", "[ns] a1\n[ns] b\n");
	prints(b, "kong.log(ngx.null, ' ', nil, ' ', false, ' ', 1.5, ' ', tostring(ngx.null))",
			"userdata: NULL nil false 1.5 userdata: NULL\n");
	prints(b, "local l = kong.log.new('ns', '%message | %message') l('a', 1)", "a1 | a1\n");
	prints(b, "local l = kong.log.new('ns') l.set_format('useless') l('a')", "useless\n");
	prints(b,
			"local l = kong.log.new('ns') "
			"l.set_format('%%namespace %%file_src %%func_name %%message %message') "
			"l('a', 'b')",
			"%%namespace %%file_src %%func_name %%message ab\n");
	prints(b,
			"local l = kong.log.new('ns') "
			"l.set_format('%func_name %line_src %file_src {%namespace} 100% %x') "
			"local function f() l() end f()",
			"f 1 handler.lua {ns} 100% %x\n");
	prints(b,
			"local a, b = kong.log.new('n'), kong.log.new('n') "
			"a.inspect.off() a.inspect('hidden') kong.log(type(b.inspect)) "
			"kong.log(pcall(b.inspect.off)) b.inspect('hidden') a.inspect.on()",
			"table\ntrue\n");
	print(b, "local a, b = kong.log.new('n'), kong.log.new('n') a.inspect.off() "
		 "b.inspect('shown') kong.log.inspect('too')");
	assert_non_null(strstr(printed, "|\"shown\" "));
	assert_non_null(strstr(printed, "|\"too\" "));
	prints(b,
			"local l = kong.log.new('ns') "
			"kong.log(l.serialize == kong.log.serialize, "
			"l.set_serialize_value == kong.log.set_serialize_value, l.new('x') ~= nil)",
			"truetruetrue\n");
}

static void inspect_is_bounded_whatever_it_is_given(void **state)
{
	struct bench *b = *state;

	print(b, "kong.log.inspect((function() local t = {} for i = 1, 40 do t = {t} end return t "
		 "end)())");
	assert_non_null(strstr(printed, "{...}"));
	print(b, "local t = {} for i = 1, 3000 do t['k' .. i] = {('v'):rep(50), i} end "
		 "kong.log.inspect(t, t, t)");
	assert_int_equal(strncmp(printed, "[kong] ", 7), 0);
	print(b, "kong.log.inspect.off() kong.log.inspect(1)");
	assert_string_equal(printed, "");
	print(b, "kong.log.inspect.on() kong.log.inspect()");
	assert_non_null(strstr(printed, "[kong] handler.lua:"));
}

static void a_deprecation_says_since_when_and_until_when(void **state)
{
	struct bench *b = *state;

	print(b, "kong.log.deprecation('old ', 1)"
		 " kong.log.deprecation('old', {after = '2.5.0'})"
		 " kong.log.deprecation('old', {removal = '3.0.0'})"
		 " kong.log.deprecation('old', {after = '2.5.0', removal = '3.0.0'})"
		 " kong.log.deprecation.write('old ', {})");
	assert_string_equal(printed,
			"old 1\nold (deprecated after 2.5.0)\nold (scheduled for removal in "
			"3.0.0)\n"
			"old (deprecated after 2.5.0, scheduled for removal in 3.0.0)\nold \n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
			BENCH_TEST(the_whole_object_is_there),
			BENCH_TEST(what_was_not_proxied_says_so),
			BENCH_TEST(who_was_authenticated_is_told),
			BENCH_TEST(values_are_set_added_and_replaced),
			BENCH_TEST(a_value_that_cannot_be_told_is_refused_by_serialize),
			BENCH_TEST(inspect_spells_values_out_in_a_frame),
			BENCH_TEST(a_logger_has_a_format_and_an_inspect_of_its_own),
			BENCH_TEST(inspect_is_bounded_whatever_it_is_given),
			BENCH_TEST(a_deprecation_says_since_when_and_until_when),
	};

	return cmocka_run_group_tests_name("pdk_log", tests, bench_process, NULL);
}
