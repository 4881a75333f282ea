/* SPDX-License-Identifier: Apache-2.0
 *
 * What `sluice-check --lint` says of handlers, and above all of what it says nothing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static char directory[] = "/tmp/test_lint.XXXXXX", path[64];

static int make_directory(void **state)
{
	(void)state;
	if (mkdtemp(directory) == NULL)
		return -1;
	snprintf(path, sizeof(path), "%s/handler.lua", directory);
	return 0;
}

static int remove_directory(void **state)
{
	(void)state;
	unlink(path);
	return rmdir(directory);
}

/* The exit status; the output without the path before each line. */
static int lint(const char *options, const char *source, char *out, size_t size)
{
	char command[256], line[2048];
	FILE *f = fopen(path, "w");
	size_t n = 0;

	assert_non_null(f);
	fputs(source, f);
	fclose(f);
	snprintf(command, sizeof(command), "%s --lint %s %s 2>&1", SLUICE_CHECK, options, path);
	f = popen(command, "r");
	assert_non_null(f);
	out[0] = '\0';
	while (fgets(line, sizeof(line), f) != NULL && n < size)
		n += (size_t)snprintf(out + n, size - n, "%s",
				strncmp(line, path, strlen(path)) == 0 ? line + strlen(path) + 1
								       : line);
	return WEXITSTATUS(pclose(f));
}

#define HANDLER(body) "local H = { PRIORITY = 1, VERSION = '1.0.0' }\n" body "\nreturn H\n"
#define ACCESS(body) HANDLER("function H:access(conf)\n" body "\nend")

static void says(const char *source, int status, const char *expected)
{
	char out[8192];
	int got = lint("", source, out, sizeof(out));

	if (got != status || strcmp(out, expected) != 0)
		fail_msg("of\n%s\nit ends %d and says\n%sinstead of %d and\n%s", source, got, out,
				status, expected);
}

static void is_silent(const char *source)
{
	says(source, 0, "");
}

static void names_that_are_not_there_are_errors_where_they_raise(void **state)
{
	(void)state;
	says(ACCESS("local h = kong.request.get_hedaer('x')"), 1,
			"3:24: error: there is no kong.request.get_hedaer; did you mean "
			"kong.request.get_header?\n");
	says(ACCESS("local req = kong.request\nlocal h = req.get_hedaer('x')"), 1,
			"4:15: error: there is no kong.request.get_hedaer; did you mean "
			"kong.request.get_header?\n");
	says(ACCESS("kong.reqest.get_path()"), 1,
			"3:13: error: there is no kong.reqest.get_path; did you mean "
			"kong.request.get_path?\n");
	says(ACCESS("kong.request.set_header('a', 'b')"), 1,
			"3:14: error: there is no kong.request.set_header; did you mean "
			"kong.response.set_header?\n");
	says(ACCESS("ngx.timer.at(0, print)"), 1,
			"3:11: error: there is no ngx.timer.at: streamed plugins have no timers\n");
	says(ACCESS("string.trim(' ')"), 1,
			"3:8: error: there is no string.trim; did you mean "
			"string.rep?\n");
}

static void what_only_reads_nil_is_a_warning(void **state)
{
	(void)state;
	says(ACCESS("local a = kong.request.get_nothing_like_it"), 0,
			"3:24: warning: there is no kong.request.get_nothing_like_it\n");
	says(ACCESS("print(undefined)"), 0, "3:7: warning: undefined global undefined\n");
	says(ACCESS("undefined()"), 1, "3:1: error: undefined global undefined\n");
	says(ACCESS("return undefined.field"), 1, "3:18: error: undefined global undefined\n");
	says(ACCESS("rawset({}, 1, 2)"), 1,
			"3:1: error: undefined global rawset: it is not in the sandbox\n");
}

static void what_is_asked_for_before_use_is_no_finding(void **state)
{
	(void)state;
	is_silent(ACCESS("if kong.request.get_new then kong.request.get_new() end"));
	is_silent(ACCESS("local f = kong.request.get_new or kong.request.get_path\nf()"));
	is_silent(ACCESS("return kong.request.get_new and kong.request.get_new()"));
	is_silent(ACCESS("if kong.service.set_target then kong.service.set_target('a', 1) end"));
	is_silent(ACCESS("if jit and not foo and foo ~= nil then print(jit.version) end"));
}

static void globals_are_not_written(void **state)
{
	(void)state;
	says(ACCESS("counter = counter + 1\nreturn counter"), 1,
			"3:1: error: assignment to global counter: globals are read-only; make it "
			"local\n");
	says(ACCESS("kong.mine = 1"), 1,
			"3:6: error: kong.mine cannot be assigned: it is read-only\n");
	says(ACCESS("function string.trim() end"), 1,
			"3:17: error: string.trim cannot be assigned: it is read-only\n");
	is_silent(ACCESS("kong.ctx.shared.x, kong.ctx.plugin.y, ngx.ctx.z = 1, 2, 3\n"
			 "ngx.var.upstream_uri = '/x'\nngx.status = 201\n"
			 "ngx.header['X-A'] = 'b'\nngx.header.x = { 'a' }"));
	is_silent(HANDLER("function H:body_filter() ngx.arg[1], ngx.arg[2] = nil, true end"));
}

static void lax_names_are_named_in_strict(void **state)
{
	char out[1024];

	(void)state;
	says(ACCESS("kong.service.set_target('a', 1)"), 1,
			"3:14: error: kong.service.set_target is there with untrusted_lua: lax "
			"only\n");
	assert_int_equal(lint("--lax", ACCESS("kong.service.set_target('a', 1)"), out, sizeof(out)),
			0);
	assert_string_equal(out, "");
}

static void modules_are_looked_up(void **state)
{
	(void)state;
	says(ACCESS("local lfs = require 'lfs'"), 1,
			"3:13: error: require 'lfs': there is no such module (docs/modules.md)\n");
	is_silent(HANDLER("local cjson = require('cjson.safe')\nlocal new = require 'table.new'\n"
			  "function H:access() local name = 'x' .. 'y'\n"
			  "local ok, m = pcall(require, name) end"));
}

#define EXIT_PHASES \
	"(only in: rewrite, access, balancer, response, header_filter, error, admin_api)"

static void calls_of_a_wrong_phase_are_found(void **state)
{
	(void)state;
	says(HANDLER("function H:log() kong.response.exit(200) end"), 1,
			"2:32: error: kong.response.exit cannot be called in the log "
			"phase " EXIT_PHASES "\n");
	says(HANDLER("H.log = function() local r = kong.response r.exit(200) end"), 1,
			"2:46: error: kong.response.exit cannot be called in the log "
			"phase " EXIT_PHASES "\n");
	says("return { PRIORITY = 1, VERSION = '1.0.0', log = function() ngx.sleep(1) end }", 1,
			"1:64: error: ngx.sleep cannot be called in the log phase (only in: "
			"certificate, rewrite, access, response, error, admin_api)\n");
	says("local H = setmetatable({ PRIORITY = 1, VERSION = '1' }, {})\n"
	     "function H:body_filter() kong.response.set_status(1) end return H",
			1,
			"2:40: error: kong.response.set_status cannot be called in the body_filter "
			"phase " EXIT_PHASES "\n");
}

static void calls_through_functions_are_warned_of(void **state)
{
	(void)state;
	says(HANDLER("local function deny(s) return kong.response.exit(s) end\n"
		     "local function check(x) if x then return deny(x) end end\n"
		     "function H:access() check(1) end\n"
		     "function H:log() check(2) end"),
			0,
			"2:45: warning: kong.response.exit cannot be called in the log phase, from "
			"where line 5 leads here " EXIT_PHASES "\n");
	says(HANDLER("function H:log() self:deny() end\nfunction H.deny() kong.response.exit(1) "
		     "end"),
			0,
			"3:33: warning: kong.response.exit cannot be called in the log phase, from "
			"where line 2 leads here " EXIT_PHASES "\n");
	says(HANDLER("function H:log() pcall(kong.response.exit, 1) end"), 0,
			"2:38: warning: kong.response.exit cannot be called in the log phase, from "
			"where line 2 leads here " EXIT_PHASES "\n");
	says(HANDLER("function H:log() pcall(function() kong.response.exit(1) end) end"), 0,
			"2:49: warning: kong.response.exit cannot be called in the log phase, from "
			"where line 2 leads here " EXIT_PHASES "\n");
}

static void what_is_not_known_is_not_complained_about(void **state)
{
	(void)state;
	/* shadowed names */
	is_silent(ACCESS("local kong = { request = { none = print } }\nkong.request.none()"));
	is_silent(HANDLER("function H:log() local kong = self.kong kong.response.exit(1) end"));
	is_silent(HANDLER("local function f(kong, ngx) kong.a.b() ngx.c() end\n"
			  "function H:log() f({}, {}) end"));
	is_silent(HANDLER("function H:log() for _, kong in ipairs({}) do kong.foo() end end"));
	/* one of several things */
	is_silent(HANDLER("local out = kong.response.exit\n"
			  "function H:access(conf) if conf.x then out = print end end\n"
			  "function H:log() out('x') end"));
	/* it asks which phase it is in */
	is_silent(HANDLER("local function stop() if ngx.get_phase() == 'access' then\n"
			  "kong.response.exit(403) end end\n"
			  "function H:access() stop() end function H:log() stop() end"));
	/* a function that is only handed on */
	is_silent(HANDLER("local function later() kong.response.exit(1) end\n"
			  "function H:log() kong.ctx.plugin.x = tostring(later) end"));
	/* fields and methods of values */
	is_silent(ACCESS("local s = ('x'):rep(3):upper() local t = {} t.kong = 1 t.kong = nil\n"
			 "local h = kong.request.get_headers()['x'] return s, h, #t"));
	is_silent(ACCESS("local x = ngx.var['arg_' .. 'y'] .. ngx.var.arg_z .. "
			 "kong.configuration.anything"));
}

static void whole_lua_is_read(void **state)
{
	(void)state;
	is_silent(ACCESS(
			"--[==[ ]] kong.none() ]==] local s = [[\nkong.none()]] -- kong.none()\n"
			"for i = 1, 10, 2 do if i == 3 then goto done end end ::done::\n"
			"repeat local x = 0x1F + 1e-3 + .5 until x ~= 1\n"
			"local t = { [1] = 'a'; b = function(...) return ... end, 'c', }\n"
			"while false do break end do local function f(...) return #{...} end f() "
			"end\n"
			"local a, b, c = (function() return 1, 2 end)() print(a, b, c, -a, not b)\n"
			"t.x = 1 t['y'] = \"\\\"]]\" t[#t + 1] = 5 t.b{}.z = 1 t.b'x'"));
}

/* The reference's list of what no sandbox has, each called as plugins elsewhere call it. */
static void every_name_that_is_never_there_is_found(void **state)
{
	static const char *const calls[] = {"ngx.timer.at(0, print)", "ngx.timer.every(1, print)",
			"ngx.shared.DICT:get('x')", "ngx.ssl.server_name()", "ngx.process.type()",
			"rawget({}, 1)", "rawset({}, 1, 2)", "rawequal(1, 2)", "load('x')",
			"loadstring('x')", "loadfile('x')", "dofile('x')", "debug.getinfo(1)",
			"collectgarbage()", "newproxy()", "module('x')", "package.loaded.x = 1",
			"getfenv(1)", "setfenv(1, {})", "string.dump(print)", "os.execute('ls')",
			"os.getenv('HOME')", "os.remove('x')", "os.rename('x', 'y')", "os.exit(1)",
			"os.tmpname()", "os.setlocale('C')", "io.open('x')", "io.popen('ls')",
			"io.read()", "io.write('x')", "io.lines('x')", "jit.on()", "jit.off()",
			"jit.flush()", "jit.opt.start(1)", "jit.util.funcinfo(print)",
			"math.randomseed(1)", "kong.worker_events.post('a', 'b')",
			"kong.websocket.client.get_frame()",
			"kong.enterprise_edition.jwe.decode('x')",
			"kong.cluster_events:broadcast('a', 'b')", "kong.db.connector:query('x')"};
	char body[256], out[4096];

	(void)state;
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		snprintf(body, sizeof(body), ACCESS("%s"), calls[i]);
		if (lint("--json", body, out, sizeof(out)) != 1 ||
				strstr(out, "\"severity\": \"error\"") == NULL ||
				strstr(out, "\"line\": 3") == NULL)
			fail_msg("%s\n%s", calls[i], out);
		assert_int_equal(lint("--json --lax", body, out, sizeof(out)), 1);
	}
	snprintf(body, sizeof(body), ACCESS("kong.dns.toip('x')"));
	assert_int_equal(lint("--json", body, out, sizeof(out)), 1);
	assert_int_equal(lint("--json --lax", body, out, sizeof(out)), 0);
}

/* As a source, a text that a program reads: one finding for each rule there is. */
static void each_rule_has_its_name_in_json(void **state)
{
	static const struct {
		const char *source, *rule, *severity;
		int line, column, status;
	} rows[] = {
			{HANDLER("function H:log() kong.response.exit(200) end"), "phase", "error",
					2, 32, 1},
			{HANDLER("local function f() kong.response.exit(200) end\n"
				 "function H:log() f() end"),
					"phase", "warning", 2, 34, 0},
			{ACCESS("kong.request.nope()"), "unknown-name", "error", 3, 14, 1},
			{ACCESS("return kong.request.nope"), "unknown-name", "warning", 3, 21, 0},
			{ACCESS("kong.vault.get('x')"), "lax-only", "error", 3, 12, 1},
			{ACCESS("kong.dns.toip('x')"), "lax-only", "error", 3, 10, 1},
			{ACCESS("local h = require 'resty.http'"), "lax-only", "error", 3, 11, 1},
			{ACCESS("nope()"), "undefined-global", "error", 3, 1, 1},
			{ACCESS("nope = 1"), "global-write", "error", 3, 1, 1},
			{ACCESS("kong.version = 1"), "protected-write", "error", 3, 6, 1},
			{ACCESS("ngx.say = print"), "protected-write", "error", 3, 5, 1},
			{ACCESS("kong.ctx.mine = 1"), "protected-write", "error", 3, 10, 1},
			{ACCESS("nope.x = 1"), "undefined-global", "error", 3, 6, 1},
			{ACCESS("local x = require 'nope'"), "unknown-module", "error", 3, 11, 1},
			{ACCESS("kong.response:exit(200)"), "method-call", "warning", 3, 15, 0},
	};
	char out[4096], want[64];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int status = lint("--json", rows[i].source, out, sizeof(out));

		if (status != rows[i].status)
			fail_msg("%s\n%d %s", rows[i].source, status, out);
		snprintf(want, sizeof(want), "\"rule\": \"%s\"", rows[i].rule);
		if (strstr(out, want) == NULL)
			fail_msg("%s\n%s", rows[i].source, out);
		snprintf(want, sizeof(want), "\"severity\": \"%s\"", rows[i].severity);
		assert_non_null(strstr(out, want));
		snprintf(want, sizeof(want), "\"line\": %d", rows[i].line);
		assert_non_null(strstr(out, want));
		snprintf(want, sizeof(want), "\"column\": %d", rows[i].column);
		if (strstr(out, want) == NULL)
			fail_msg("%s\n%s", rows[i].source, out);
	}
}

/* What the handler is, by running its main chunk. */
static void tells(const char *source, int status, const char *part)
{
	char out[8192];

	if (lint("", source, out, sizeof(out)) != status || strstr(out, part) == NULL)
		fail_msg("of\n%s\nit says\n%s", source, out);
}

/* What the handler is, by running its main chunk. */
static void a_handler_that_cannot_be_loaded_is_told_with_its_place(void **state)
{
	(void)state;
	tells("return { VERSION = '1' }", 1,
			"1: error: Plugin \"plugin\" cannot be loaded because its PRIORITY field "
			"is "
			"not a valid integer number, got: \"nil\"");
	tells("local H = { PRIORITY = 1.5, VERSION = '1' } function H:log() end return H", 1,
			"1: error: Plugin \"plugin\" cannot be loaded because its PRIORITY field "
			"is "
			"not a valid integer number, got: \"1.5\"");
	tells("local H = { PRIORITY = 1 / 0, VERSION = '1' } return H", 1, "got: \"inf\"");
	tells("local H = { PRIORITY = 1 } function H:log() end return H", 0,
			"1: warning: VERSION is missing: write VERSION = \"0.1.0\"\n");
	tells("return { PRIORITY = 1, VERSION = '1' }", 0, "1: warning: implements no phase");
	tells(HANDLER("function H:response() end function H:header_filter() end"), 1,
			"2: error: Plugin \"plugin\" can't be loaded because it implements both "
			"`response` and `header_filter` or `body_filter` methods\n");
	tells(HANDLER("function H:init_worker() end"), 1,
			"2: error: streamed plugins cannot run in the init_worker phase: use "
			"configure, or make what you need on first use\n");
	tells(HANDLER("function H:ws_close() end function H:log() end"), 0,
			"2: warning: ws_close: websocket phases never run here\n");
	tells("local x = \nreturn {", 1, "2: error: unexpected symbol near 'return'\n");
}

static void json_has_column_rule_and_severity(void **state)
{
	char out[4096];

	(void)state;
	assert_int_equal(lint("--json", ACCESS("counter = 1"), out, sizeof(out)), 1);
	assert_non_null(strstr(out, "\"column\": 1"));
	assert_non_null(strstr(out, "\"line\": 3"));
	assert_non_null(strstr(out, "\"rule\": \"global-write\""));
	assert_non_null(strstr(out, "\"severity\": \"error\""));
}

static void a_colon_where_a_dot_belongs_is_a_warning(void **state)
{
	(void)state;
	says(ACCESS("return kong.response:exit(200)"), 0,
			"3:22: warning: kong.response.exit is a function: write "
			"kong.response.exit(…), not kong.response:exit(…)\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(names_that_are_not_there_are_errors_where_they_raise),
			cmocka_unit_test(what_only_reads_nil_is_a_warning),
			cmocka_unit_test(what_is_asked_for_before_use_is_no_finding),
			cmocka_unit_test(globals_are_not_written),
			cmocka_unit_test(lax_names_are_named_in_strict),
			cmocka_unit_test(modules_are_looked_up),
			cmocka_unit_test(calls_of_a_wrong_phase_are_found),
			cmocka_unit_test(calls_through_functions_are_warned_of),
			cmocka_unit_test(what_is_not_known_is_not_complained_about),
			cmocka_unit_test(whole_lua_is_read),
			cmocka_unit_test(every_name_that_is_never_there_is_found),
			cmocka_unit_test(each_rule_has_its_name_in_json),
			cmocka_unit_test(a_handler_that_cannot_be_loaded_is_told_with_its_place),
			cmocka_unit_test(json_has_column_rule_and_severity),
			cmocka_unit_test(a_colon_where_a_dot_belongs_is_a_warning),
	};

	return cmocka_run_group_tests_name("lint", tests, make_directory, remove_directory);
}
