/* SPDX-License-Identifier: Apache-2.0
 * ngx.* and cjson in a real VM, on an exchange made here: each row is a program and the text
 * it must return. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/clock.h"
#include "plugin/engine.h"
#include "plugin/pdk.h"

struct row {
	enum phase phase;
	const char *code, *want;
};

#define IN(phase, code, want) \
	{ \
		(phase), (code), (want) \
	}
#define A(code, want) IN(PHASE_ACCESS, code, want)

static void no_body(struct exchange *x, size_t max_bytes)
{
	(void)max_bytes;
	x->request.body.state = BODY_COMPLETE;
	x->request.body.bytes = STR("a=1&b=x%20y&b=2");
}

static void no_sleep(struct exchange *x, uint32_t ms)
{
	(void)x;
	(void)ms;
}

static const struct exchange_ops ops = {.want_body = no_body, .sleep = no_sleep};
static const struct engine_conf conf = {
		.node_id = "n", .hostname = "h", .workers_total = 4, .worker_index = 2};

static void fill(struct exchange *x, struct arena *a)
{
	exchange_init(x, a, &ops, NULL);
	assert_int_equal(exchange_set_target(x, STR("/a%20b/c?x=1&y=%41&x=2&flag")), 0);
	x->request.method = STR("POST");
	x->request.scheme = STR("http");
	x->request.http_major = x->request.http_minor = 1;
	x->request.host = STR("example.org");
	x->request.request_line = STR("POST /a%20b/c?x=1&y=%41&x=2&flag HTTP/1.1");
	x->request.client = (struct endpoint){STR("10.0.0.1"), 4000};
	x->request.real_client = (struct endpoint){STR("192.0.2.7"), 5000};
	x->request.server = (struct endpoint){STR("10.0.0.9"), 8000};
	x->request.body.state = BODY_UNREAD;
	x->request.start_real_ns = 1500000000123000000U;
	x->request.start_mono_ns = clock_mono_ns();
	headers_add(&x->request.headers, STR("Content-Type"), STR("text/plain"));
	headers_add(&x->request.headers, STR("Cookie"), STR("a=1; Session=s-1"));
	headers_add(&x->request.headers, STR("X-Many"), STR("one"));
	headers_add(&x->request.headers, STR("X-Many"), STR("two"));
	headers_add(&x->response.headers, STR("X-Reply"), STR("yes"));
	x->chunk = STR("chunk");
}

static void run_in(const struct row *row, char *answer, size_t size)
{
	struct pdk_slot slot = {.ctx_ref = LUA_NOREF};
	struct pdk_host host = {.conf = &conf, .plugin_name = "t", .slot = &slot};
	struct vm_limits limits = {.cpu_ms = 1000, .memory_mb = 64};
	sl_auto(arena) a = NULL;
	struct why why = WHY_NONE;
	struct exchange x;
	struct vm *vm = NULL;
	struct vm_run *r;
	enum vm_status status;
	lua_State *L;

	assert_int_equal(arena_new(&a, 0), 0);
	fill(&x, a);
	host.exchange = &x;
	host.phase = row->phase;
	x.phase = host.phase;
	assert_int_equal(vm_new(&vm, "t", VM_STRICT, &limits, ngx_open, &host), 0);
	if (vm_load(vm, str_of(row->code), "test.lua", false, &why) != 0)
		fail_msg("%s: %s", row->code, why.text);
	r = vm_run_new(vm);
	L = vm_run_state(r);
	lua_xmove(vm_main(vm), L, 1);
	status = vm_start(r, 0, &why);
	if (status != VM_OK && strcmp(why.text, row->want) != 0 &&
			strstr(why.text, row->want) == NULL)
		fail_msg("%s: %s: %s (wanted %s)", row->code, vm_status_name(status), why.text,
				row->want);
	if (status == VM_OK && answer == NULL) {
		const char *got = lua_tostring(L, 1);

		if (got == NULL || strcmp(got, row->want) != 0)
			fail_msg("%s: got %s, wanted %s", row->code,
					got != NULL ? got : "(nothing)", row->want);
	}
	if (answer != NULL) {
		struct str a_header = headers_get(&x.answer.headers, STR("x-a"));

		assert_int_equal(status, VM_OK);
		assert_true(x.answer.is_set);
		snprintf(answer, size, "%d %.*s %.*s %.*s", x.answer.status,
				STR_ARG(a_header.p != NULL ? a_header : STR("-")),
				STR_ARG(headers_get_id(&x.answer.headers, HEADER_CONTENT_LENGTH)),
				STR_ARG(x.answer.body));
	}
	vm_run_free(r);
	vm_free(vm);
}

static void run(const struct row *row)
{
	run_in(row, NULL, 0);
}

static void run_and_answer(const struct row *row, char *answer, size_t size)
{
	run_in(row, answer, size);
}

static void run_all(const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++)
		run(&rows[i]);
}

#define RUN(...) \
	do { \
		static const struct row rows[] = {__VA_ARGS__}; \
		(void)state; \
		run_all(rows, sizeof(rows) / sizeof(rows[0])); \
	} while (0)

static void encodings_are_as_openresty_gives_them(void **state)
{
	RUN(A("return ngx.escape_uri('a b&c/d~e')", "a%20b%26c%2Fd~e"),
			A("return ngx.escape_uri('/a b?c#d', 0)", "/a%20b%3Fc%23d"),
			A("return ngx.unescape_uri('a%20b+c%zz%4')", "a b c%zz%4"),
			A("return ngx.encode_args({ a = 'x y' })", "a=x%20y"),
			A("return ngx.encode_args({ a = { 1, 'two', true } })", "a=1&a=two&a"),
			A("return ngx.encode_args({ a = true, b = false })", "a"),
			A("return ngx.encode_args({ 'x' })", "arg keys must be strings"),
			A("local t = ngx.decode_args('a=1&b&a=2&c=%41+B') return t.a[2] .. "
			  "tostring(t.b) .. t.c",
					"2trueA B"),
			A("local t, e = ngx.decode_args('a=1&b=2&c=3', 2) return e .. "
			  "tostring(t.c)",
					"truncatednil"),
			A("return ngx.encode_base64('hello!!')", "aGVsbG8hIQ=="),
			A("return ngx.encode_base64('hello!!', true)", "aGVsbG8hIQ"),
			A("return ngx.decode_base64('aGVsbG8hIQ==')", "hello!!"),
			A("return ngx.decode_base64('aGVsbG8hIQ')", "hello!!"),
			A("return tostring(ngx.decode_base64('a$'))", "nil"),
			A("return tostring(ngx.decode_base64('aaaaa'))", "nil"),
			A("return ngx.quote_sql_str([[a'b\\c]])", "'a\\'b\\\\c'"));
}

static void digests_match_their_published_vectors(void **state)
{
	RUN(A("return ngx.md5('abc')", "900150983cd24fb0d6963f7d28e17f72"),
			A("return #ngx.md5_bin('abc') .. ngx.md5(nil)",
					"16d41d8cd98f00b204e9800998ecf8427e"),
			A("return ngx.encode_base64(ngx.sha1_bin('abc'))",
					"qZk+NkcGgWq6PiVxeFDCbJzQ2J0="),
			A("return ngx.encode_base64(ngx.hmac_sha1('key', 'The quick brown fox "
			  "jumps "
			  "over the lazy dog'))",
					"3nybhbi3iqa8ino29wqQcBydtNk="),
			A("return tostring(ngx.crc32_long('123456789'))", "3421780262"),
			A("return tostring(ngx.crc32_short(''))", "0"));
}

static void times_are_printed_and_parsed(void **state)
{
	RUN(A("return ngx.http_time(1547047469)", "Wed, 09 Jan 2019 15:24:29 GMT"),
			A("return ngx.cookie_time(1547047469)", "Wed, 09-Jan-19 15:24:29 GMT"),
			A("return tostring(ngx.parse_http_time('Wed, 09 Jan 2019 15:24:29 GMT'))",
					"1547047469"),
			A("return tostring(ngx.parse_http_time('yesterday'))", "nil"),
			A("return tostring(math.abs(ngx.now() - ngx.time()) <= 1)", "true"),
			A("return tostring(ngx.today():match('^%d%d%d%d%-%d%d%-%d%d$') ~= nil)",
					"true"),
			A("return ngx.http_time(-1)", "not a time"),
			A("return ngx.http_time(0/0)", "not a time"),
			IN(PHASE_LOG, "ngx.sleep(1)", "function cannot be called in log phase"));
}

static void regular_expressions_match_replace_and_are_bounded(void **state)
{
	RUN(A("local m = ngx.re.match('hello 42', [[([a-z]+) (?<n>\\d+)]]) return m[0] .. m[1] .. "
	      "m.n",
			    "hello 42hello42"),
			A("local m = ngx.re.match('ab', '(a)|(b)') return tostring(m[2])", "false"),
			A("return tostring(ngx.re.match('x', 'y'))", "nil"),
			A("local m, e = ngx.re.match('x', '(') return e",
					"pcre_compile() failed: missing closing parenthesis in "
					"\"(\""),
			A("local m, e = ngx.re.match('x', 'x', 'k') return e",
					"unknown flag \"k\" (flags \"k\")"),
			A("local f, t = ngx.re.find('hello 42', [[\\d+]], 'jo') return f .. t",
					"78"),
			A("local f, t = ngx.re.find('hello 42', '(h)(e)', 'jo', nil, 2) return f "
			  ".. "
			  "t",
					"22"),
			A("local c = { pos = 3 } local f = ngx.re.find('1 2 3', [[\\d]], '', c) "
			  "return f .. c.pos",
					"34"),
			A("return (ngx.re.sub('hello', 'l', 'L'))", "heLlo"),
			A("local s, n = ngx.re.gsub('hello', 'l', '[$0]') return s .. n",
					"he[l][l]o2"),
			A("local s, n = ngx.re.gsub('a-b', '(.)-(.)', '${2}$1$$') return s", "ba$"),
			A("local s, n = ngx.re.gsub('abc', '', '-') return s .. n", "-a-b-c-4"),
			A("return (ngx.re.gsub('abc', '[a-z]', function(m) return m[0]:upper() "
			  "end))",
					"ABC"),
			A("ngx.re.gsub('abc', '[a-z]', function(m) return {} end)",
					"string or number expected"),
			A("local s, n, e = ngx.re.gsub('x', '(', 'y') return tostring(s) .. "
			  "e:sub(1, 14)",
					"nilpcre_compile()"),
			A("local t = {} for m in ngx.re.gmatch('a1b22', [[\\d+]]) do t[#t + 1] = "
			  "m[0] end return table.concat(t, ',')",
					"1,22"),
			A("local t = 0 for m in ngx.re.gmatch('abc', '') do t = t + 1 end return "
			  "tostring(t)",
					"4"),
			A("local m, e = ngx.re.match(('a'):rep(40) .. 'X', '^(a+)+$') return "
			  "tostring(m) "
			  ".. (e and e:sub(1, 11) or '-')",
					"nilpcre_exec()"),
			A("local m = ngx.re.match('b', '(?<n>a)?(?<n>b)', 'D') return #m.n .. "
			  "m.n[1]",
					"1b"),
			A("local s, n, e = ngx.re.sub('x', 'y', '$name') return tostring(s) .. "
			  "tostring(n) .. e",
					"nilnilfailed to compile the replacement template"),
			A("return (ngx.re.gsub('\u00e9a', '', '-', 'u'))", "-\u00e9-a-"),
			A("local c = { pos = 2 } local m = ngx.re.match('aab', 'a', '', c) return "
			  "c.pos .. m[0] .. tostring(ngx.re.match('aab', 'a', '', { pos = 9 }))",
					"3anil"),
			A("local t = {} local m = ngx.re.match('ab', '(a)(z)?b', 'jo', nil, t) "
			  "return tostring(m == t) .. tostring(t[2])",
					"truefalse"),
			A("return table.concat({ ngx.re.find('xaby', '(a)(b)', 'jo', nil, 2) }, "
			  "',')",
					"3,3"),
			A("return (ngx.re.gsub('A\\nB', '^.', '<$0>', 'mi'))", "<A>\n<B>"),
			A("ngx.re.gsub('aaa', 'a', function() while true do end end)", "CPU time"));
}

static void the_request_is_read_and_changed(void **state)
{
	RUN(A("return ngx.req.get_headers()['content_type']", "text/plain"),
			A("return table.concat(ngx.req.get_headers()['x-many'], ',')", "one,two"),
			A("ngx.req.set_header('X-New', 'v') return ngx.req.get_headers().x_new",
					"v"),
			A("ngx.req.set_header('X-Many', nil) return "
			  "tostring(ngx.req.get_headers().x_many)",
					"nil"),
			A("ngx.req.clear_header('x-many') return "
			  "tostring(ngx.req.get_headers().x_many)",
					"nil"),
			IN(PHASE_LOG, "ngx.req.set_header('X', 'v')",
					"function cannot be called in log phase (only in: rewrite, "
					"access)"),
			A("local a = ngx.req.get_uri_args() return a.x[2] .. a.y .. "
			  "tostring(a.flag)",
					"2Atrue"),
			A("ngx.req.set_uri_args({ k = 'v w' }) return ngx.var.args", "k=v%20w"),
			A("ngx.req.set_uri_args('p=1') return ngx.var.upstream_uri",
					"/a%20b/c?p=1"),
			A("ngx.req.set_uri('/new') return ngx.var.upstream_uri .. ngx.var.uri",
					"/new?x=1&y=%41&x=2&flag/new"),
			A("ngx.req.set_uri('bad')", "does not start with"),
			A("ngx.req.set_uri('/a\\r\\nb')", "unsafe byte"),
			A("ngx.req.set_method(ngx.HTTP_PUT) return ngx.req.get_method()", "PUT"),
			A("ngx.req.set_method(3)", "unsupported HTTP method"),
			A("ngx.req.read_body() return ngx.req.get_body_data()", "a=1&b=x%20y&b=2"),
			A("ngx.req.read_body() return ngx.req.get_post_args().b[1]", "x y"),
			A("ngx.req.get_post_args()", "read_body"),
			A("ngx.req.set_body_data('new') return ngx.req.get_body_data()", "new"),
			A("ngx.req.init_body() ngx.req.append_body('a') ngx.req.append_body('b') "
			  "ngx.req.finish_body() return ngx.req.get_body_data()",
					"ab"),
			A("return tostring(ngx.req.http_version())", "1.1"),
			A("return tostring(ngx.req.start_time())", "1500000000.123"),
			A("return ngx.req.raw_header():sub(1, 15)", "POST /a%20b/c?x"),
			A("return ngx.resp.get_headers().x_reply", "yes"));
}

static void variables_are_read_and_few_are_written(void **state)
{
	RUN(A("return ngx.var.remote_addr .. ngx.var.realip_remote_addr", "192.0.2.710.0.0.1"),
			A("return #ngx.var.binary_remote_addr .. ngx.var.server_port", "48000"),
			A("return ngx.var.http_content_type .. ngx.var.cookie_session",
					"text/plains-1"),
			A("return ngx.var.arg_y .. tostring(ngx.var.arg_none)", "%41nil"),
			A("return ngx.var.request_uri", "/a%20b/c?x=1&y=%41&x=2&flag"),
			A("return ngx.var.server_protocol .. ngx.var.is_args .. ngx.var.status",
					"HTTP/1.1?000"),
			A("return tostring(ngx.var.no_such_thing)", "nil"),
			A("ngx.var.upstream_host = 'other' return ngx.var.upstream_host", "other"),
			A("ngx.var.request_method = 'X'", "not changeable"),
			A("ngx.var.made_up = 'X'", "not found for writing"),
			A("ngx.var.upstream_uri = '/a\\r\\nX: 1'", "unsafe byte"));
}

static void fields_of_ngx_are_values_and_the_rest_is_protected(void **state)
{
	RUN(A("ngx.status = 404 return tostring(ngx.status)", "404"),
			A("ngx.status = 99", "between 100 and 599"),
			A("ngx.ctx.a = 1 ngx.ctx = { b = 2 } return tostring(ngx.ctx.a) .. "
			  "ngx.ctx.b",
					"nil2"),
			A("ngx.header.content_type = 'x/y' return ngx.header['Content-Type']",
					"x/y"),
			A("ngx.header['X-A'] = { 'p', 'q' } return table.concat(ngx.header.x_a, "
			  "'+')",
					"p+q"),
			A("ngx.header.x_reply = nil return tostring(ngx.header.x_reply)", "nil"),
			IN(PHASE_BODY_FILTER,
					"ngx.arg[1] = ngx.arg[1] .. '!' return ngx.arg[1] .. "
					"tostring(ngx.arg[2])",
					"chunk!false"),
			A("return ngx.arg[1]", "function cannot be called in access phase"),
			A("return tostring(ngx.headers_sent) .. tostring(ngx.is_subrequest)",
					"falsefalse"),
			A("ngx.say = 1", "Cannot modify ngx.say. Protected by the sandbox."),
			A("ngx.fresh = 1", "Cannot modify ngx.fresh"),
			A("ngx.re.find = 1", "Cannot modify ngx.re.find"),
			A("return ngx.get_phase() .. ngx.worker.id() .. ngx.worker.count()",
					"access24"),
			A("return tostring(ngx.timer) .. tostring(ngx.shared) .. "
			  "tostring(ngx.socket)",
					"nilnilnil"),
			A("return ngx.ERR .. ngx.HTTP_GET .. ngx.HTTP_NOT_FOUND .. ngx.DECLINED",
					"42404-5"),
			A("return ngx.config.subsystem", "http"));
}

static void json_round_trips(void **state)
{
	RUN(A("local c = require 'cjson' return c.encode({ a = { 1, 2.5, 'x', true } })",
			    "{\"a\":[1,2.5,\"x\",true]}"),
			A("local c = require 'cjson' return "
			  "c.encode(c.decode('{\"a\":[],\"b\":{}}').a)",
					"[]"),
			A("local c = require 'cjson' return c.encode({}) .. "
			  "c.encode(c.empty_array)",
					"{}[]"),
			A("local c = require 'cjson' return c.encode(setmetatable({}, c.array_mt))",
					"[]"),
			A("local c = require 'cjson' return c.encode(c.null) .. "
			  "tostring(c.decode('null') == ngx.null)",
					"nulltrue"),
			A("local c = require 'cjson' return c.encode(0.1) .. c.encode(1e15) .. "
			  "c.encode('\\1/')",
					"0.11000000000000000\"\\u0001/\""),
			A("local c = require 'cjson' c.decode('{')",
					"Expected value but found invalid token"),
			A("local c = require 'cjson.safe' local v, e = c.decode('{') return "
			  "tostring(v) .. e:sub(1, 14)",
					"nilExpected value"),
			A("local c = require 'cjson.safe' local v, e = c.encode({ f = print }) "
			  "return tostring(v) .. e:sub(1, 16)",
					"nilCannot serialise"),
			A("local c = require 'cjson' c.encode(function() end)", "Cannot serialise"),
			A("local c = require 'cjson' local t = {} t.t = t c.encode(t)",
					"Cannot serialise"),
			A("local c = require 'cjson' return tostring(c.decode('[' .. "
			  "('['):rep(200) "
			  ".. (']'):rep(201)))",
					"too many nested"));
}

/* The status, a header and the body of the answer that the program gave. */
static void answers_are_collected_and_end_the_phase(void **state)
{
	static const struct {
		const char *code, *want;
	} rows[] = {
			{"ngx.status = 201 ngx.header['X-A'] = 'b' ngx.say('a', 1, nil, true, { "
			 "'x', { 2 } }) "
			 "ngx.print('.')",
					"201 b 13 a1niltruex2\n."},
			{"ngx.exit(204) error('not reached')", "204 - 0 "},
			{"ngx.redirect('/to') error('not reached')", "302 - 0 "},
			{"ngx.eof()", "200 - 0 "},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct row row = A(rows[i].code, "");
		char got[128];

		run_and_answer(&row, got, sizeof(got));
		assert_string_equal(got, rows[i].want);
	}
}

static int start(void **state)
{
	struct why why = WHY_NONE;

	(void)state;
	return vm_process_init(&why);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(encodings_are_as_openresty_gives_them),
			cmocka_unit_test(digests_match_their_published_vectors),
			cmocka_unit_test(times_are_printed_and_parsed),
			cmocka_unit_test(regular_expressions_match_replace_and_are_bounded),
			cmocka_unit_test(the_request_is_read_and_changed),
			cmocka_unit_test(variables_are_read_and_few_are_written),
			cmocka_unit_test(fields_of_ngx_are_values_and_the_rest_is_protected),
			cmocka_unit_test(json_round_trips),
			cmocka_unit_test(answers_are_collected_and_end_the_phase),
	};

	return cmocka_run_group_tests_name("ngx", tests, start, NULL);
}
