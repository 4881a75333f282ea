/* SPDX-License-Identifier: Apache-2.0
 * ngx.get_phase, ngx.log, ngx.worker.*. */
#include "plugin/ngx_table.h"

#include <unistd.h>

#include <lauxlib.h>

#include "plugin/engine.h"
#include "plugin/pdk_log.h"

/* OpenResty's names: a response phase runs where content is made. */
static int process_get_phase(lua_State *L)
{
	static const char *const names[] = {[PHASE_CONFIGURE] = "init_worker",
			[PHASE_CERTIFICATE] = "ssl_cert",
			[PHASE_REWRITE] = "rewrite",
			[PHASE_ACCESS] = "access",
			[PHASE_RESPONSE] = "content",
			[PHASE_HEADER_FILTER] = "header_filter",
			[PHASE_BODY_FILTER] = "body_filter",
			[PHASE_LOG] = "log",
			[PHASE_COUNT] = "init",
			[PHASE_BALANCER] = "balancer"};

	lua_pushstring(L, names[pdk_host(L)->phase]);
	return 1;
}

/* ngx.log(level, …): nginx levels 0 (stderr) … 8 (debug). */
static int process_log(lua_State *L)
{
	static const enum log_level levels[] = {LOG_EMERG, LOG_EMERG, LOG_ALERT, LOG_CRIT, LOG_ERR,
			LOG_WARN, LOG_NOTICE, LOG_INFO, LOG_DEBUG};
	lua_Integer level = luaL_checkinteger(L, 1);

	if (level < 0 || level >= (lua_Integer)PDK_COUNT(levels))
		return luaL_error(L, "bad log level: %d", (int)level);
	lua_remove(L, 1);
	pdk_log_arguments(L, levels[level]);
	return 0;
}

static int worker_id(lua_State *L)
{
	lua_pushinteger(L, pdk_host(L)->conf->worker_index);
	return 1;
}

static int worker_count(lua_State *L)
{
	lua_pushinteger(L, pdk_host(L)->conf->workers_total);
	return 1;
}

static int worker_pid(lua_State *L)
{
	lua_pushinteger(L, getpid());
	return 1;
}

/* Only its own is known to a worker. */
static int worker_pids(lua_State *L)
{
	lua_createtable(L, 1, 0);
	lua_pushinteger(L, getpid());
	lua_rawseti(L, -2, 1);
	return 1;
}

/* A worker that leaves runs no new requests. */
static int worker_exiting(lua_State *L)
{
	lua_pushboolean(L, 0);
	return 1;
}

/* clang-format off */
#define PROCESS_FUNCTIONS(X) \
	X("get_phase", process_get_phase, PDK_ANY, VM_STRICT, "The name of the running phase, as OpenResty names it.") \
	X("get_raw_phase", process_get_phase, PDK_ANY, VM_STRICT, "The same.") \
	X("log", process_log, PDK_ANY, VM_STRICT, "Writes its arguments to the log at an nginx level.")

#define WORKER_FUNCTIONS(X) \
	X("id", worker_id, PDK_ANY, VM_STRICT, "This worker's slot, from 0.") \
	X("count", worker_count, PDK_ANY, VM_STRICT, "How many workers the node runs.") \
	X("pid", worker_pid, PDK_ANY, VM_STRICT, "This worker's process id.") \
	X("pids", worker_pids, PDK_ANY, VM_STRICT, "An array of this worker's process id.") \
	X("exiting", worker_exiting, PDK_ANY, VM_STRICT, "false while requests are served.")
/* clang-format on */

static const struct pdk_function functions[] = {PROCESS_FUNCTIONS(PDK_ROW)};
static const struct pdk_function worker_functions[] = {WORKER_FUNCTIONS(PDK_ROW)};

void ngx_process_open(lua_State *L, int env_index)
{
	pdk_register(L, env_index, "ngx", functions, PDK_COUNT(functions));
}

void ngx_worker_open(lua_State *L, int env_index)
{
	pdk_register(L, env_index, "ngx.worker", worker_functions, PDK_COUNT(worker_functions));
}
