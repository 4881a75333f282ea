/* SPDX-License-Identifier: Apache-2.0
 * kong.node, kong.plugin, kong.nginx, kong.cluster, kong.configuration and what kong itself says */
#include <stdio.h>
#include <unistd.h>

#include "plugin/engine.h"
#include "plugin/engine_instance.h"
#include "plugin/pdk_part.h"
#include "shm/stat.h"

/* The contract that plugins are written against, not our own version. */
#define CONTRACT_VERSION "3.15.0"
#define CONTRACT_VERSION_NUM 3015000

static int get_id(lua_State *L)
{
	lua_pushstring(L, pdk_host(L)->conf->node_id);
	return 1;
}

static int get_hostname(lua_State *L)
{
	lua_pushstring(L, pdk_host(L)->conf->hostname);
	return 1;
}

static int plugin_get_id(lua_State *L)
{
	struct str id = pdk_host(L)->instance_id;

	pdk_push_str(L, id.n != 0 ? id : STR_NONE);
	return 1;
}

static int get_subsystem(lua_State *L)
{
	lua_pushliteral(L, "http");
	return 1;
}

static void set_number(lua_State *L, const char *key, uint64_t n)
{
	lua_pushnumber(L, (double)n);
	lua_setfield(L, -2, key);
}

static uint64_t counted(const _Atomic uint64_t *counter)
{
	return atomic_load_explicit(counter, memory_order_relaxed);
}

/* Of this worker. */
static int get_statistics(lua_State *L)
{
	static const struct stat_worker nothing;
	const struct stat_worker *w = pdk_host(L)->conf->stat;
	uint64_t active, waiting, writing;

	if (w == NULL)
		w = &nothing;
	active = counted(&w->connections_active);
	waiting = counted(&w->connections_waiting);
	writing = counted(&w->requests_active);
	lua_createtable(L, 0, 7);
	set_number(L, "connections_active", active);
	set_number(L, "connections_waiting", waiting);
	set_number(L, "connections_writing", writing);
	set_number(L, "connections_reading",
			active > waiting + writing ? active - waiting - writing : 0);
	set_number(L, "connections_accepted", counted(&w->connections_accepted));
	set_number(L, "connections_handled", counted(&w->connections_accepted));
	set_number(L, "total_requests", counted(&w->requests_total));
	return 1;
}

/* b: a number; k, m, g: "1.50 KiB". */
static void push_bytes(lua_State *L, uint64_t n, char unit, int scale)
{
	static const char letters[] = "bkmg";
	const char *at = strchr(letters, unit);
	char text[96];

	if (at == letters) {
		lua_pushnumber(L, (double)n);
		return;
	}
	snprintf(text, sizeof(text), "%.*f %ciB", scale,
			(double)n / (double)(1ULL << (10 * (at - letters))), unit - 'a' + 'A');
	lua_pushstring(L, text);
}

static char check_unit(lua_State *L)
{
	struct str unit;
	char letter;

	if (lua_isnoneornil(L, 1))
		return 'b';
	unit = pdk_check_str(L, 1, "unit must be a string");
	letter = unit.n != 0 ? (char)(unit.p[0] | 0x20) : '\0';
	if (letter == '\0' || strchr("bkmg", letter) == NULL ||
			(unit.n != 1 && (letter == 'b' || !str_ieq(str_from(unit, 1), STR("ib")))))
		luaL_error(L, "invalid unit '%s' (expected 'b/B', 'k/K', 'm/M', or 'g/G')", unit.p);
	return letter;
}

/* Of this worker: all plugin VMs together.  There are no shared dictionaries. */
static int get_memory_stats(lua_State *L)
{
	const struct stat_worker *w = pdk_host(L)->conf->stat;
	uint64_t own = vm_memory_bytes(vm_of(L)),
		 all = w != NULL ? counted(&w->memory_vm_bytes) : 0;
	char unit = check_unit(L);
	double scale = lua_isnoneornil(L, 2) ? 2 : pdk_check_number(L, 2, "scale must be a number");

	if (!(scale >= 0 && scale <= 20))
		return luaL_error(L, "scale must be equal or greater than 0");
	lua_createtable(L, 0, 2);
	lua_createtable(L, 1, 0);
	lua_createtable(L, 0, 2);
	set_number(L, "pid", (uint64_t)getpid());
	/* The sum is a second old at most: this VM may be younger. */
	push_bytes(L, all > own ? all : own, unit, (int)scale);
	lua_setfield(L, -2, "http_allocated_gc");
	lua_rawseti(L, -2, 1);
	lua_setfield(L, -2, "workers_lua_vms");
	lua_newtable(L);
	lua_setfield(L, -2, "lua_shared_dicts");
	return 1;
}

static int cluster_get_id(lua_State *L)
{
	const char *id = pdk_host(L)->cluster_id;

	if (id[0] == '\0')
		return pdk_fail(L, "this node has no configuration from a control plane yet");
	lua_pushstring(L, id);
	return 1;
}

static int configuration_newindex(lua_State *L)
{
	return luaL_error(L, "cannot write to configuration");
}

static void set_text(lua_State *L, const char *key, const char *text)
{
	lua_pushstring(L, text != NULL ? text : "");
	lua_setfield(L, -2, key);
}

/* What is no secret, behind a table that cannot be written. */
static void open_configuration(lua_State *L, int env_index)
{
	const struct engine_conf *conf = pdk_host(L)->conf;

	pdk_push_table(L, env_index, "kong.configuration");
	lua_createtable(L, 0, 3);
	lua_createtable(L, 0, 8);
	set_text(L, "untrusted_lua", conf->level == VM_LAX ? "lax" : "strict");
	lua_pushlstring(L, conf->trusted_ips.n != 0 ? conf->trusted_ips.p : "",
			conf->trusted_ips.n);
	lua_setfield(L, -2, "trusted_ips");
	lua_pushnumber(L, conf->workers_total);
	lua_setfield(L, -2, "nginx_worker_processes");
	lua_pushboolean(L, 1);
	lua_setfield(L, -2, "custom_plugin_streaming_enabled");
	lua_setfield(L, -2, "__index");
	lua_pushcfunction(L, configuration_newindex);
	lua_setfield(L, -2, "__newindex");
	lua_pushboolean(L, 0);
	lua_setfield(L, -2, "__metatable");
	lua_setmetatable(L, -2);
	lua_pop(L, 1);
}

void pdk_open_constants(lua_State *L, int env_index)
{
	pdk_push_table(L, env_index, "kong");
	set_text(L, "version", CONTRACT_VERSION);
	lua_pushnumber(L, CONTRACT_VERSION_NUM);
	lua_setfield(L, -2, "version_num");
	set_text(L, "default_workspace", ENGINE_WORKSPACE);
	lua_pop(L, 1);
}

/* clang-format off */
#define NODE_FUNCTIONS(X) \
	X("get_id", get_id, PDK_ANY, VM_STRICT, "uuid of this node") \
	X("get_hostname", get_hostname, PDK_ANY, VM_STRICT, "host name of this node") \
	X("get_memory_stats", get_memory_stats, PDK_ANY, VM_STRICT, "memory of this worker's plugin VMs, in a unit (b, k, m, g)")

#define PLUGIN_FUNCTIONS(X) \
	X("get_id", plugin_get_id, PDK_ANY, VM_STRICT, "id of the plugin instance that runs")

#define NGINX_FUNCTIONS(X) \
	X("get_subsystem", get_subsystem, PDK_ANY, VM_STRICT, "\"http\"") \
	X("get_statistics", get_statistics, PDK_ANY, VM_STRICT, "connections and requests of this worker")

#define CLUSTER_FUNCTIONS(X) \
	X("get_id", cluster_get_id, PDK_ANY, VM_STRICT, "uuid of the configuration's origin, the same on every node")
/* clang-format on */

void pdk_open_node(lua_State *L, int env_index)
{
	static const struct pdk_function node[] = {NODE_FUNCTIONS(PDK_ROW)};
	static const struct pdk_function plugin[] = {PLUGIN_FUNCTIONS(PDK_ROW)};
	static const struct pdk_function nginx[] = {NGINX_FUNCTIONS(PDK_ROW)};
	static const struct pdk_function cluster[] = {CLUSTER_FUNCTIONS(PDK_ROW)};

	pdk_register(L, env_index, "kong.node", node, PDK_COUNT(node));
	pdk_register(L, env_index, "kong.plugin", plugin, PDK_COUNT(plugin));
	pdk_register(L, env_index, "kong.nginx", nginx, PDK_COUNT(nginx));
	pdk_register(L, env_index, "kong.cluster", cluster, PDK_COUNT(cluster));
	open_configuration(L, env_index);
}
