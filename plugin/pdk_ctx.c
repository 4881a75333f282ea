/* SPDX-License-Identifier: Apache-2.0
 * kong.ctx */
#include "plugin/pdk_part.h"
#include "plugin/value_lua.h"

/* kong.ctx.plugin: a table of this plugin in this request, in its own VM.  It begins with what the
 * plugin left in the certificate phase of the connection. */
static void push_plugin(lua_State *L, const struct pdk_host *host)
{
	struct pdk_slot *slot = host->slot;
	const struct value *all = host->exchange->ctx_plugins, *own = NULL;

	if (slot->ctx_ref != LUA_NOREF) {
		lua_rawgeti(L, LUA_REGISTRYINDEX, slot->ctx_ref);
		return;
	}
	if (all != NULL && all->table != NULL)
		own = value_get(all->table, value_of_str(str_of(host->plugin_name)));
	if (own != NULL) {
		value_check_stack(L);
		value_push(L, own);
	} else {
		lua_createtable(L, 0, 4);
	}
	lua_pushvalue(L, -1);
	slot->ctx_ref = luaL_ref(L, LUA_REGISTRYINDEX);
}

static int ctx_index(lua_State *L)
{
	struct pdk_host *host = pdk_host(L);
	struct str key = STR_NONE;

	if (lua_type(L, 2) == LUA_TSTRING)
		key.p = lua_tolstring(L, 2, &key.n);

	if (host->exchange == NULL || host->slot == NULL)
		lua_pushnil(L);
	else if (str_eq(key, STR("shared")))
		pdk_push_request_table(L, PDK_CTX_SHARED);
	else if (str_eq(key, STR("plugin")))
		push_plugin(L, host);
	else
		lua_pushnil(L);
	return 1;
}

static int ctx_newindex(lua_State *L)
{
	return luaL_error(L, "kong.ctx has the fields shared and plugin: use those");
}

void pdk_open_ctx(lua_State *L, int env_index)
{
	pdk_push_table(L, env_index, "kong.ctx");
	lua_createtable(L, 0, 3);
	lua_pushcfunction(L, ctx_index);
	lua_setfield(L, -2, "__index");
	lua_pushcfunction(L, ctx_newindex);
	lua_setfield(L, -2, "__newindex");
	lua_pushboolean(L, 0);
	lua_setfield(L, -2, "__metatable");
	lua_setmetatable(L, -2);
	lua_pop(L, 1);
}
