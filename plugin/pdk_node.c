/* SPDX-License-Identifier: Apache-2.0
 * kong.node, kong.plugin, kong.nginx, kong.cluster, kong.configuration and what kong itself says */
#include "plugin/engine.h"
#include "plugin/engine_instance.h"
#include "plugin/pdk_part.h"

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

static int cluster_get_id(lua_State *L)
{
	const char *id = pdk_host(L)->cluster_id;

	if (id[0] == '\0')
		return pdk_fail(L, "this node has no configuration from a control plane yet");
	lua_pushstring(L, id);
	return 1;
}

/* There is nobody to send it to: the arguments are checked, the rest is a refusal. */
static int telemetry_log(lua_State *L)
{
	static const struct {
		int type;
		bool is_optional;
		const char *text;
	} rows[] = {
			{LUA_TSTRING, false, "plugin_name must be a string"},
			{LUA_TTABLE, false, "plugin_config must be a table"},
			{LUA_TSTRING, false, "message_type must be a string"},
			{LUA_TSTRING, true, "message must be a string"},
			{LUA_TTABLE, true, "attributes must be a table"},
	};

	for (int i = 0; i < (int)PDK_COUNT(rows); i++)
		if (lua_type(L, i + 1) != rows[i].type &&
				!(rows[i].is_optional && lua_isnoneornil(L, i + 1)))
			return pdk_fail(L, "%s", rows[i].text);
	return pdk_fail(L, "Telemetry logging is disabled: this node exports none");
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

static void open_constants(lua_State *L, int env_index)
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
	X("get_hostname", get_hostname, PDK_ANY, VM_STRICT, "host name of this node")

#define PLUGIN_FUNCTIONS(X) \
	X("get_id", plugin_get_id, PDK_ANY, VM_STRICT, "id of the plugin instance that runs")

#define NGINX_FUNCTIONS(X) \
	X("get_subsystem", get_subsystem, PDK_ANY, VM_STRICT, "\"http\"")

#define CLUSTER_FUNCTIONS(X) \
	X("get_id", cluster_get_id, PDK_ANY, VM_STRICT, "uuid of the configuration's origin, the same on every node")

#define TELEMETRY_FUNCTIONS(X) \
	X("log", telemetry_log, PDK_ANY, VM_STRICT, "a log record for telemetry; refused, as none is exported")
/* clang-format on */

void pdk_open_node(lua_State *L, int env_index)
{
	static const struct pdk_function node[] = {NODE_FUNCTIONS(PDK_ROW)};
	static const struct pdk_function plugin[] = {PLUGIN_FUNCTIONS(PDK_ROW)};
	static const struct pdk_function nginx[] = {NGINX_FUNCTIONS(PDK_ROW)};
	static const struct pdk_function cluster[] = {CLUSTER_FUNCTIONS(PDK_ROW)};
	static const struct pdk_function telemetry[] = {TELEMETRY_FUNCTIONS(PDK_ROW)};

	pdk_register(L, env_index, "kong.telemetry", telemetry, PDK_COUNT(telemetry));
	pdk_register(L, env_index, "kong.node", node, PDK_COUNT(node));
	pdk_register(L, env_index, "kong.plugin", plugin, PDK_COUNT(plugin));
	pdk_register(L, env_index, "kong.nginx", nginx, PDK_COUNT(nginx));
	pdk_register(L, env_index, "kong.cluster", cluster, PDK_COUNT(cluster));
	open_configuration(L, env_index);
	open_constants(L, env_index);
}
