/* SPDX-License-Identifier: Apache-2.0
 *
 * Tables below kong and ngx that are made when they are asked for: whichever comes first, all of
 * it is there.  What a process once made it knows, so each question is asked in a new one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <lauxlib.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "plugin/engine.h"
#include "plugin/pdk.h"
#include "plugin/vm.h"

#define PATHS_MAX 128
/* Of a VM that has loaded nothing yet. */
#define BYTES_MAX (64 << 10)

static struct path {
	char path[64];
	const struct pdk_function *rows;
	size_t n;
} paths[PATHS_MAX];
static size_t n_paths;

static const struct engine_conf conf[] = {
		[VM_STRICT] = {.level = VM_STRICT, .node_id = "", .hostname = "", .version = ""},
		[VM_LAX] = {.level = VM_LAX, .node_id = "", .hostname = "", .version = ""},
};

static struct vm *make(enum vm_level level)
{
	static const struct vm_limits limits = {.memory_mb = 64};
	static struct pdk_host host;
	struct vm *vm = NULL;

	host = (struct pdk_host){.conf = &conf[level],
			.level = level,
			.plugin_name = "t",
			.phase = PHASE_COUNT};
	return vm_new(&vm, "t", level, &limits, pdk_open, &host) == 0 ? vm : NULL;
}

static void note(const char *path, const struct pdk_function *rows, size_t n)
{
	if (n_paths == PATHS_MAX || strncmp(path, "sluice.", 7) == 0 ||
			strncmp(path, "kong.db.", 8) == 0)
		return; /* methods */
	snprintf(paths[n_paths].path, sizeof(paths[0].path), "%s", path);
	paths[n_paths].rows = rows;
	paths[n_paths++].n = n;
}

/* The list, from a process of its own: the tables are static, their addresses hold here too. */
static void list_paths(void)
{
	int fds[2];
	pid_t pid;

	assert_int_equal(pipe(fds), 0);
	pid = fork();
	if (pid == 0) {
		pdk_observer = note;
		vm_free(make(VM_LAX));
		_exit(write(fds[1], paths, n_paths * sizeof(*paths)) > 0 ? 0 : 1);
	}
	close(fds[1]);
	for (ssize_t n = 1; n > 0; n_paths += (size_t)n / sizeof(*paths))
		n = read(fds[0], &paths[n_paths], sizeof(*paths));
	close(fds[0]);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_in_range(n_paths, 30, PATHS_MAX - 1);
}

static bool is_called(lua_State *L)
{
	bool is;

	if (!lua_istable(L, -1) || !luaL_getmetafield(L, -1, "__call"))
		return lua_isfunction(L, -1);
	is = lua_isfunction(L, -1);
	lua_pop(L, 1);
	return is;
}

/* Whether the VM has the row where its path says. */
static bool has_row(lua_State *L, const char *path, const char *name)
{
	int top = lua_gettop(L);
	bool is;

	vm_push_environment(L);
	while (*path != '\0' && lua_istable(L, -1)) {
		size_t n = strcspn(path, ".");

		lua_pushlstring(L, path, n);
		lua_gettable(L, -2);
		path += n + (path[n] == '.');
	}
	if (name[0] != '\0' && lua_istable(L, -1))
		lua_getfield(L, -1, name);
	is = is_called(L);
	lua_settop(L, top);
	return is;
}

static int lacking(const struct path *p)
{
	struct vm *vm = make(VM_LAX);
	int n = 0;

	for (size_t i = 0; i < p->n; i++) {
		if (!has_row(vm_main(vm), p->path, p->rows[i].name)) {
			print_error("no %s.%s\n", p->path, p->rows[i].name);
			n++;
		}
	}
	return n;
}

static void each_function_is_there_when_its_table_is_the_first_asked_for(void **state)
{
	int n_lacking = 0;

	(void)state;
	list_paths();
	for (size_t i = 0; i < n_paths; i++) {
		int status = -1;
		pid_t pid = fork();

		if (pid == 0)
			_exit(lacking(&paths[i]) == 0 ? 0 : 1);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		n_lacking += status != 0;
	}
	assert_int_equal(n_lacking, 0);
}

static const char *run(enum vm_level level, const char *source)
{
	static char result[4096];
	struct vm *vm = make(level);
	lua_State *L = vm_main(vm);

	assert_int_equal(luaL_loadstring(L, source), 0);
	vm_push_environment(L);
	lua_setfenv(L, -2);
	if (lua_pcall(L, 0, 1, 0) != 0)
		print_error("%s\n", lua_tostring(L, -1));
	snprintf(result, sizeof(result), "%s", lua_tostring(L, -1));
	vm_free(vm);
	return result;
}

static void pairs_sees_what_nobody_asked_for(void **state)
{
	(void)state;
	assert_string_equal(run(VM_STRICT, "local t = {} for k in pairs(kong) do t[#t + 1] = k end "
					   "table.sort(t) return table.concat(t, ' ')"),
			"cache client cluster configuration ctx default_workspace ip jwe log nginx "
			"node plugin request response router service table telemetry tracing "
			"version version_num");
	assert_string_equal(run(VM_LAX, "local n = 0 for k, v in pairs(kong.client.tls) do "
					"n = n + (type(v) == 'function' and 1 or 0) end "
					"return tostring(n)"),
			"4");
}

static void a_table_is_the_same_each_time_and_cannot_be_written(void **state)
{
	(void)state;
	assert_string_equal(
			run(VM_STRICT, "return tostring(kong.request == kong.request and "
				       "ngx.req == ngx.req and ngx.var == ngx.var and "
				       "kong.nothing == nil and ngx.nothing == nil and "
				       "kong.vault == nil and ngx.socket == nil and "
				       "kong[1] == nil and ngx[1] == nil and next(kong) == nil)"),
			"true");
	assert_string_equal(run(VM_STRICT, "local _, a = pcall(function() kong.request.x = 1 end) "
					   "local _, b = pcall(function() ngx.req.x = 1 end) "
					   "local _, c = pcall(function() kong.request = 1 end) "
					   "return (a .. b .. c):gsub('%[.-%]:1: ', '')"),
			"Cannot modify kong.request.x. Protected by the sandbox."
			"Cannot modify ngx.req.x. Protected by the sandbox."
			"Cannot modify kong.request. Protected by the sandbox.");
}

static void a_vm_without_a_handler_is_small(void **state)
{
	(void)state;
	for (enum vm_level level = VM_STRICT; level <= VM_LAX; level++) {
		struct vm *vm = make(level);

		(void)lua_gc(vm_main(vm), LUA_GCCOLLECT, 0);
		assert_in_range(vm_memory_bytes(vm), 1, BYTES_MAX);
		vm_free(vm);
	}
}

static int prepare(void **state)
{
	struct why why = WHY_NONE;

	(void)state;
	return vm_process_init(&why);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
			/* first: the others make tables in this process */
			cmocka_unit_test(
					each_function_is_there_when_its_table_is_the_first_asked_for),
			cmocka_unit_test(pairs_sees_what_nobody_asked_for),
			cmocka_unit_test(a_table_is_the_same_each_time_and_cannot_be_written),
			cmocka_unit_test(a_vm_without_a_handler_is_small),
	};

	return cmocka_run_group_tests(tests, prepare, NULL);
}
