/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/pdk_part.h"
#include "plugin/pdk_subtable.h"

/* clang-format off */
static const struct pdk_subtable subtables[] = {
		{"cache",         {pdk_open_cache}},
		{"client",        {pdk_open_client, pdk_open_client_auth, pdk_open_client_tls}},
		{"cluster",       {pdk_open_node}},
		{"configuration", {pdk_open_node}},
		{"ctx",           {pdk_open_ctx}},
		{"db",            {pdk_open_db}},
		{"dns",           {pdk_open_dns}},
		{"ip",            {pdk_open_client}},
		{"jwe",           {pdk_open_jwe}},
		{"log",           {pdk_open_log}},
		{"nginx",         {pdk_open_node}},
		{"node",          {pdk_open_node}},
		{"plugin",        {pdk_open_node}},
		{"request",       {pdk_open_request}},
		{"response",      {pdk_open_response}},
		{"router",        {pdk_open_client}},
		{"service",       {pdk_open_service, pdk_open_service_request,
					  pdk_open_service_response, pdk_open_service_tls,
					  pdk_open_client_auth}},
		{"table",         {pdk_open_table}},
		{"telemetry",     {pdk_open_telemetry}},
		{"tracing",       {pdk_open_tracing}},
		{"vault",         {pdk_open_vault}},
};
/* clang-format on */

/* __index(kong, name) */
static int index_kong(lua_State *L)
{
	struct str name;

	if (lua_type(L, 2) != LUA_TSTRING)
		return 0;
	name.p = lua_tolstring(L, 2, &name.n);
	if (!pdk_push_subtable(L, "kong", subtables, PDK_COUNT(subtables), name))
		return 0;
	lua_pushvalue(L, 2);
	lua_pushvalue(L, -2);
	lua_rawset(L, 1);
	return 1;
}

/* __fill(kong): what nobody asked for yet; for pairs(). */
static int fill_kong(lua_State *L)
{
	for (size_t i = 0; i < PDK_COUNT(subtables); i++) {
		lua_getfield(L, 1, subtables[i].name);
		lua_pop(L, 1);
	}
	return 0;
}

static void make_kong_later(lua_State *L, int env_index)
{
	pdk_push_table(L, env_index, "kong");
	lua_createtable(L, 0, 2);
	lua_pushcfunction(L, index_kong);
	lua_setfield(L, -2, "__index");
	lua_pushcfunction(L, fill_kong);
	lua_setfield(L, -2, "__fill");
	lua_setmetatable(L, -2);
	lua_pop(L, 1);
}

static void open_env(lua_State *L, int env_index)
{
	pdk_open_sluice(L, env_index);
	make_kong_later(L, env_index);
	pdk_open_constants(L, env_index);
	pdk_provide_lock(L);
	ngx_open(L, env_index);
}

/* Everything at once, into a table that is thrown away. */
static void tell_observer(lua_State *L)
{
	int scratch = lua_gettop(L) + 1;

	lua_newtable(L);
#define X(part) pdk_open_##part(L, scratch);
	PDK_PART_TABLE(X)
#undef X
	ngx_open_all(L, scratch);
	lua_settop(L, scratch - 1);
}

void pdk_open(lua_State *L, int env_index)
{
	pdk_observe_fn *observer = pdk_observer;

	if (observer != NULL)
		tell_observer(L);
	pdk_observer = NULL;
	open_env(L, env_index);
	pdk_observer = observer;
}
