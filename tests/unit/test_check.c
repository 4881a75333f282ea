/* SPDX-License-Identifier: Apache-2.0
 *
 * Asks the real sluice-check, through the client that control and the master use.
 */
#include "plugin/check_client.h"

#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <event2/event.h>

#include <cmocka.h>

#define GOOD_SCHEMA \
	"return { name = \"my\", fields = { { config = { type = \"record\", fields = {\n" \
	"  { word = { type = \"string\", required = true } },\n" \
	"} } } } }\n"
#define CONFIG(fields) \
	"return { name = 'my', fields = { { config = { type = 'record', fields = { " fields \
	" } } } } }"
#define GOOD_HANDLER \
	"local H = { PRIORITY = 1000, VERSION = \"0.1\" }\n" \
	"function H:access(conf) end\n" \
	"function H:log(conf) end\n" \
	"return H\n"

static const struct check_client_conf conf = {.program = SLUICE_CHECK};

static json_t *question(const char *schema, const char *handler)
{
	return json_pack("{s:s,s:s?,s:s?,s:s,s:{s:i,s:i},s:[]}", "name", "my", "schema", schema,
			"handler", handler, "untrusted_lua", "strict", "limits", "cpu_ms", 50,
			"memory_mb", 64, "configs");
}

static json_t *ask(json_t *request)
{
	struct why why = WHY_NONE;
	json_t *verdict = check_run(&conf, request, &why);

	if (verdict == NULL)
		print_error("%s\n", why.text);
	assert_non_null(verdict);
	json_decref(request);
	return verdict;
}

static const char *text_at(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text != NULL ? text : "";
}

static json_t *first_error(json_t *verdict)
{
	json_t *error = json_array_get(json_object_get(verdict, "errors"), 0);

	assert_true(json_is_false(json_object_get(verdict, "ok")));
	assert_non_null(error);
	return error;
}

static void a_good_plugin_gets_its_facts(void **state)
{
	json_t *request = question(GOOD_SCHEMA, GOOD_HANDLER);
	json_t *verdict;

	(void)state;
	json_object_set_new(request, "want_bytecode", json_true());
	verdict = ask(request);
	assert_true(json_is_true(json_object_get(verdict, "ok")));
	assert_int_equal(json_integer_value(json_object_get(verdict, "priority")), 1000);
	assert_string_equal(text_at(verdict, "version"), "0.1");
	assert_int_equal(json_array_size(json_object_get(verdict, "phases")), 2);
	/* ESC L J in base64. */
	assert_memory_equal(text_at(verdict, "handler_bytecode"), "G0xK", 4);
	assert_string_equal(text_at(json_object_get(verdict, "schema"), "name"), "my");
	assert_true(strstr(text_at(verdict, "library"), "LuaJIT") != NULL);
	json_decref(verdict);
}

struct row {
	const char *schema, *handler, *field;
	int line;
	const char *part;
};

static void run_rows(const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		json_t *verdict = ask(question(rows[i].schema, rows[i].handler));
		json_t *error = first_error(verdict);

		if (strstr(text_at(error, "message"), rows[i].part) == NULL)
			print_error("row %zu: %s\n", i, text_at(error, "message"));
		assert_non_null(strstr(text_at(error, "message"), rows[i].part));
		assert_string_equal(text_at(error, "field"), rows[i].field);
		assert_int_equal(json_integer_value(json_object_get(error, "line")), rows[i].line);
		json_decref(verdict);
	}
}

#define RUN(rows) run_rows((rows), sizeof(rows) / sizeof((rows)[0]))

static void a_bad_handler_is_refused_with_its_line(void **state)
{
	static const struct row rows[] = {
			{GOOD_SCHEMA, "local x =\nreturn {", "handler", 2, "unexpected symbol"},
			{GOOD_SCHEMA, "local H = {}\nH.PRIORITY = \"x\"\nreturn H", "handler", 2,
					"PRIORITY field is not a valid integer number, got: \"x\""},
			{GOOD_SCHEMA, "return { VERSION = '1' }", "handler", 1, "got: \"nil\""},
			{GOOD_SCHEMA, "return { PRIORITY = 1.5 }", "handler", 1, "got: \"1.5\""},
			{GOOD_SCHEMA,
					"local H = {PRIORITY=1}\n\nfunction H:init_worker() "
					"end\nreturn H",
					"handler", 3, "init_worker"},
			{GOOD_SCHEMA, "local a\nlocal io = require \"io\"\nreturn {PRIORITY=1}",
					"handler", 2, "require 'io' not allowed within sandbox"},
			{GOOD_SCHEMA, "\x1bLJ\x02", "handler", 1, "bytecode"},
			{GOOD_SCHEMA, "while true do end", "handler", 1, "CPU time"},
			{GOOD_SCHEMA,
					"local n = 0\nlocal function f()\n  while true do n = n + "
					"1 "
					"end\nend\nf()",
					"handler", 3, "cpu_ms 50 and memory_mb 64; it held"},
			{GOOD_SCHEMA, "local a\n\nlocal b = a.x\nreturn {}", "handler", 3,
					"attempt to index"},
			{GOOD_SCHEMA, "return 5", "handler", 1, "must be a table"},
			{GOOD_SCHEMA, "", "handler", 1, "empty"},
			{GOOD_SCHEMA, "error({})", "handler", 1, "error object"},
			{GOOD_SCHEMA, "error('x\\xff')", "handler", 1, "x?"},
			{GOOD_SCHEMA, "kong.response.exit(200)", "handler", 1, ""},
			{GOOD_SCHEMA, "coroutine.yield()", "handler", 1, ""},
			{GOOD_SCHEMA,
					"local H = {PRIORITY=1}\nfunction H:response() end\n"
					"function H:body_filter() end\nreturn H",
					"handler", 2, "implements both `response`"},
	};

	(void)state;
	RUN(rows);
}

#define FIELD(def) \
	"return { name = \"my\", fields = { { config = { type = \"record\", fields = {\n{ a " \
	"= " def " } } } } } }"

static void a_bad_schema_is_refused_with_its_line(void **state)
{
	static const struct row rows[] = {
			{"return 5", GOOD_HANDLER, "schema", 1, "must be a table"},
			{"return\n}", GOOD_HANDLER, "schema", 2, "unexpected symbol"},
			{"return {\n name = \"other\", fields = {} }", GOOD_HANDLER, "name", 2,
					"named 'other', the plugin 'my'"},
			{FIELD("{ type = \"string\", custom_validator = function() end }"),
					GOOD_HANDLER, "schema", 2,
					"config.a.custom_validator is a function"},
			{FIELD("{ typ = \"string\" }"), GOOD_HANDLER, "schema", 2,
					"missing type declaration"},
			{FIELD("{ type = \"string\", betwen = {1, 2} }"), GOOD_HANDLER, "schema", 2,
					"unknown field"},
			{FIELD("{ type = \"string\", default = 0/0 }"), GOOD_HANDLER, "schema", 2,
					"nan"},
			{FIELD("{ type = \"string\", 5 }"), GOOD_HANDLER, "schema", 2, "mixes"},
			{"local t = {}\nt.fields = t\nreturn t", GOOD_HANDLER, "schema", 1,
					"holds itself"},
			{"return { name = 'my', fields = {}, check = function() end }",
					GOOD_HANDLER, "schema", 1, "check is a function"},
			{"local x = kong.log\nreturn {}", GOOD_HANDLER, "schema", 1,
					"index global 'kong'"},
			{"local x = require 'cjson'\nreturn {}", GOOD_HANDLER, "schema", 1,
					"not allowed within sandbox"},
			{"local t = require 'kong.db.schema.typedefs'\nlocal x = t.nope",
					GOOD_HANDLER, "schema", 2,
					"definition nope does not exist"},
			{"local t = {} while true do t[#t + 1] = {} end", GOOD_HANDLER, "schema", 1,
					"limit"},
			{CONFIG("{ a = { type = 'number', default = math.huge } }"), GOOD_HANDLER,
					"schema", 1,
					"config.a.default: an infinite number (math.huge) can only "
					"be a bound"},
			{"local a = {} for i = 1, 60 do a = {a, a} end return {fields = a}",
					GOOD_HANDLER, "schema", 1, "200000"},
	};

	(void)state;
	RUN(rows);
}

static void sources_that_are_no_text_or_too_long_are_refused(void **state)
{
	char *big = malloc((1U << 20) + 2);
	json_t *request = question(GOOD_SCHEMA, NULL);
	json_t *verdict;

	(void)state;
	memset(big, '-', (1U << 20) + 1);
	big[(1U << 20) + 1] = '\0';
	json_object_set_new(request, "handler", json_string(big));
	verdict = ask(request);
	assert_non_null(strstr(text_at(first_error(verdict), "message"), "the limit is 1048576"));
	json_decref(verdict);
	request = question(GOOD_SCHEMA, NULL);
	json_object_set_new(request, "handler", json_integer(5));
	verdict = ask(request);
	assert_non_null(strstr(text_at(first_error(verdict), "message"), "expected a string"));
	json_decref(verdict);
	request = question(GOOD_SCHEMA, NULL);
	json_object_set_new(request, "handler", json_stringn("return\n{} \0", 11));
	verdict = ask(request);
	assert_non_null(strstr(text_at(first_error(verdict), "message"), "NUL"));
	assert_int_equal(json_integer_value(json_object_get(first_error(verdict), "line")), 2);
	json_decref(verdict);
	free(big);
}

static void typedefs_and_redis_can_be_used_and_instances_are_checked(void **state)
{
	json_t *request =
			question("local t = require 'kong.db.schema.typedefs'\n"
				 "return { name = 'my', fields = { { consumer = t.no_consumer },\n"
				 "{ protocols = t.protocols_http },\n"
				 "{ config = { type = 'record', fields = {\n"
				 "  { port = t.port { default = 80 } },\n"
				 "  { host = t.host },\n"
				 "  { redis = require('kong.tools.redis.schema').config_schema },\n"
				 "} } } } }",
					GOOD_HANDLER);
	json_t *verdict, *error;

	(void)state;
	json_object_set_new(request, "configs",
			json_pack("[{s:s,s:{}},{s:s,s:{s:i,s:s}}]", "id", "good", "config", "id",
					"bad", "config", "port", 70000, "host", "a:1"));
	verdict = ask(request);
	assert_int_equal(json_array_size(json_object_get(verdict, "errors")), 2);
	error = first_error(verdict);
	assert_string_equal(text_at(error, "field"), "config");
	assert_string_equal(text_at(error, "config_id"), "bad");
	assert_string_equal(text_at(error, "message"),
			"config.port: value should be between 0 and 65535");
	assert_int_equal(json_integer_value(json_object_get(error, "line")), 5);
	json_decref(verdict);
}

static void a_bound_may_be_infinite(void **state)
{
	json_t *request = question(
			CONFIG("{ a = { type = 'number', between = { 1, math.huge } } }"), NULL);
	json_t *verdict;

	(void)state;
	json_object_set_new(request, "configs",
			json_pack("[{s:s,s:{s:f}},{s:s,s:{s:i}}]", "id", "good", "config", "a",
					1e300, "id", "bad", "config", "a", 0));
	verdict = ask(request);
	assert_string_equal(text_at(first_error(verdict), "message"),
			"config.a: value should be between 1 and inf");
	assert_int_equal(json_array_size(json_object_get(verdict, "errors")), 1);
	json_decref(verdict);
}

static void the_user_of_the_child_is_the_askers_choice(void **state)
{
	json_t *request = question(GOOD_SCHEMA, GOOD_HANDLER);
	struct why why = WHY_NONE;

	(void)state;
	if (getuid() != 0)
		skip();
	json_object_set_new(request, "user", json_string("no such user"));
	assert_null(check_run(&conf, request, &why));
	json_object_set_new(request, "user", json_string("daemon"));
	json_decref(ask(request));
}

static void a_memory_bomb_is_stopped(void **state)
{
	json_t *request = question(GOOD_SCHEMA,
			"local t = {} for i = 1, 1e9 do t[i] = ('x'):rep(100000) .. i end");
	json_t *verdict;

	(void)state;
	json_object_set_new(json_object_get(request, "limits"), "cpu_ms", json_integer(2000));
	verdict = ask(request);
	assert_non_null(strstr(text_at(first_error(verdict), "message"), "memory"));
	json_decref(verdict);
}

static int count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int n = 0;

	while (readdir(dir) != NULL)
		n++;
	closedir(dir);
	return n;
}

static void no_verdict_by(const char *program, uint32_t deadline_ms, const char *part)
{
	const struct check_client_conf other = {.program = program, .deadline_ms = deadline_ms};
	json_t *request = question(GOOD_SCHEMA, "while true do end");
	struct why why = WHY_NONE;

	json_object_set_new(json_object_get(request, "limits"), "cpu_ms", json_integer(2000));
	assert_null(check_run(&other, request, &why));
	if (strstr(why.text, part) == NULL)
		print_error("%s\n", why.text);
	assert_non_null(strstr(why.text, part));
	json_decref(request);
}

static void a_program_that_fails_leaves_a_reason_and_nothing_else(void **state)
{
	int n = count_fds();

	(void)state;
	no_verdict_by("/nowhere/sluice-check", 0, "cannot start /nowhere/sluice-check");
	no_verdict_by("/bin/false", 0, "exited with status 1");
	no_verdict_by("/bin/cat", 0, "gave no verdict");
	no_verdict_by("/usr/bin/yes", 0, "wrote more than");
	no_verdict_by(SLUICE_CHECK, 300, "deadline");
	assert_int_equal(count_fds(), n);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
}

static void count_done(void *arg, json_t *verdict, const struct why *why)
{
	(void)why;
	if (json_is_true(json_object_get(verdict, "ok")))
		++*(int *)arg;
}

static void several_questions_run_at_once_and_one_can_be_cancelled(void **state)
{
	struct event_base *base = event_base_new();
	json_t *request = question(GOOD_SCHEMA, GOOD_HANDLER);
	struct check_call *call = NULL;
	struct why why = WHY_NONE;
	int n = count_fds();
	int n_good = 0;

	(void)state;
	for (int i = 0; i < 5; i++)
		assert_int_equal(check_start(i == 4 ? &call : NULL, base, &conf, request,
						 count_done, &n_good, &why),
				0);
	check_cancel(call);
	event_base_dispatch(base);
	assert_int_equal(n_good, 4);
	assert_int_equal(count_fds(), n);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	json_decref(request);
	event_base_free(base);
}

static int lint(const char *args, char *out, size_t size)
{
	char command[1024];
	FILE *p;
	size_t n;

	snprintf(command, sizeof(command), "%s --lint %s 2>&1", SLUICE_CHECK, args);
	p = popen(command, "r");
	assert_non_null(p);
	n = fread(out, 1, size - 1, p);
	out[n] = '\0';
	return WEXITSTATUS(pclose(p));
}

static void write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void lint_names_file_and_line(void **state)
{
	char dir[] = "/tmp/test_check.XXXXXX";
	char handler[64], schema[64], args[160], out[4096], want[160];

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(handler, sizeof(handler), "%s/handler.lua", dir);
	snprintf(schema, sizeof(schema), "%s/schema.lua", dir);
	snprintf(args, sizeof(args), "%s %s", schema, handler);
	write_file(handler, GOOD_HANDLER);
	write_file(schema, GOOD_SCHEMA);
	assert_int_equal(lint(args, out, sizeof(out)), 0);
	assert_string_equal(out, "");
	write_file(handler, "local H = {PRIORITY=1, VERSION='1'}\nfunction H:init_worker() "
			    "end\nreturn H");
	assert_int_equal(lint(args, out, sizeof(out)), 1);
	snprintf(want, sizeof(want), "%s:2: error: streamed plugins cannot run in the init_worker",
			handler);
	assert_non_null(strstr(out, want));
	snprintf(args, sizeof(args), "--json %s", handler);
	assert_int_equal(lint(args, out, sizeof(out)), 1);
	assert_non_null(strstr(out, "\"line\": 2"));
	assert_int_equal(lint("/nowhere/handler.lua", out, sizeof(out)), 2);
	unlink(handler);
	unlink(schema);
	rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(a_good_plugin_gets_its_facts),
			cmocka_unit_test(a_bad_handler_is_refused_with_its_line),
			cmocka_unit_test(a_bad_schema_is_refused_with_its_line),
			cmocka_unit_test(sources_that_are_no_text_or_too_long_are_refused),
			cmocka_unit_test(typedefs_and_redis_can_be_used_and_instances_are_checked),
			cmocka_unit_test(a_bound_may_be_infinite),
			cmocka_unit_test(the_user_of_the_child_is_the_askers_choice),
			cmocka_unit_test(a_memory_bomb_is_stopped),
			cmocka_unit_test(a_program_that_fails_leaves_a_reason_and_nothing_else),
			cmocka_unit_test(several_questions_run_at_once_and_one_can_be_cancelled),
			cmocka_unit_test(lint_names_file_and_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
