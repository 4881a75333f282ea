/* SPDX-License-Identifier: Apache-2.0
 *
 * The two modules that only schemas may require: kong.db.schema.typedefs and
 * kong.tools.redis.schema.
 */
#include <lauxlib.h>
#include <lua.h>

#include "plugin/check_part.h"
#include "plugin/schema_part.h"
#include "plugin/typedefs.h"

/* kong.tools.redis.schema's config_schema;
 * what it offers beyond plain fields there is written in functions. */
static const char redis_config[] =
		"{\"type\":\"record\",\"description\":\"Redis configuration\",\"fields\":["
		"{\"host\":{\"typedef\":\"redis_host\"}},"
		"{\"port\":{\"typedef\":\"port\",\"default\":6379}},"
		"{\"timeout\":{\"typedef\":\"timeout\",\"default\":2000}},"
		"{\"username\":{\"type\":\"string\",\"referenceable\":true}},"
		"{\"password\":{\"type\":\"string\",\"encrypted\":true,\"referenceable\":true,"
		"\"len_min\":0}},"
		"{\"database\":{\"type\":\"integer\",\"default\":0}},"
		"{\"ssl\":{\"type\":\"boolean\",\"default\":false}},"
		"{\"ssl_verify\":{\"type\":\"boolean\",\"default\":false}},"
		"{\"server_name\":{\"typedef\":\"redis_server_name\"}}]}";

static void push_json(lua_State *L, const json_t *value);

static void push_members(lua_State *L, const json_t *value)
{
	const char *key;
	json_t *member;
	size_t i;

	lua_newtable(L);
	json_array_foreach (value, i, member) {
		push_json(L, member);
		lua_rawseti(L, -2, (int)i + 1);
	}
	json_object_foreach (schema_each(value), key, member) {
		push_json(L, member);
		lua_setfield(L, -2, key);
	}
}

static void push_json(lua_State *L, const json_t *value)
{
	luaL_checkstack(L, 4, "typedefs");
	if (json_is_string(value))
		lua_pushlstring(L, json_string_value(value), json_string_length(value));
	else if (json_is_number(value))
		lua_pushnumber(L, json_number_value(value));
	else if (json_is_boolean(value))
		lua_pushboolean(L, json_is_true(value));
	else if (json_is_null(value))
		lua_pushlightuserdata(L, NULL);
	else
		push_members(L, value);
}

/* typedefs.port{ default = 80 }: a copy with the given attributes on top. */
static int call_typedef(lua_State *L)
{
	luaL_checktype(L, 1, LUA_TTABLE);
	lua_settop(L, 2);
	lua_newtable(L);
	for (int from = 1; from <= 2; from++) {
		if (lua_type(L, from) != LUA_TTABLE)
			continue;
		lua_pushnil(L);
		while (lua_next(L, from) != 0) {
			lua_pushvalue(L, -2);
			lua_insert(L, -2);
			lua_rawset(L, 3);
		}
	}
	return 1;
}

static int unknown_typedef(lua_State *L)
{
	const char *name = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : "?";

	return luaL_error(L, "schema typedef error: definition %s %s", name, typedef_missing(name));
}

static int refuse_write(lua_State *L)
{
	const char *name = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : "?";

	return luaL_error(L, "Cannot modify %s.%s. Protected by the sandbox.",
			lua_tostring(L, lua_upvalueindex(1)), name);
}

/* Guards the table at the top, so that the sandbox leaves it readable as it is. */
static void guard(lua_State *L, const char *name, lua_CFunction index)
{
	lua_createtable(L, 0, 3);
	lua_pushstring(L, name);
	lua_pushcclosure(L, refuse_write, 1);
	lua_setfield(L, -2, "__newindex");
	lua_pushboolean(L, 0);
	lua_setfield(L, -2, "__metatable");
	if (index != NULL) {
		lua_pushcfunction(L, index);
		lua_setfield(L, -2, "__index");
	}
	lua_setmetatable(L, -2);
}

static void make_callable(lua_State *L)
{
	lua_createtable(L, 0, 2);
	lua_pushcfunction(L, call_typedef);
	lua_setfield(L, -2, "__call");
	lua_pushboolean(L, 0);
	lua_setfield(L, -2, "__metatable");
	lua_setmetatable(L, -2);
}

/* The host's definitions are small and its own: memory they cannot get ends the process by
 * its limit, as any other allocation here would. */
static int open_typedefs(lua_State *L)
{
	lua_newtable(L);
	for (size_t i = 0; typedef_name(i) != NULL; i++) {
		json_t *def = typedef_definition(typedef_name(i));

		push_json(L, def);
		json_decref(def);
		make_callable(L);
		lua_setfield(L, -2, typedef_name(i));
	}
	guard(L, "typedefs", unknown_typedef);
	return 1;
}

static int open_redis_schema(lua_State *L)
{
	json_t *def = json_loads(redis_config, 0, NULL);

	lua_newtable(L);
	push_json(L, def);
	json_decref(def);
	make_callable(L);
	lua_setfield(L, -2, "config_schema");
	guard(L, "redis.schema", NULL);
	return 1;
}

void check_open_schema(lua_State *L, int env_index)
{
	(void)env_index;
	vm_provide_module(L, "kong.db.schema.typedefs", open_typedefs);
	vm_provide_module(L, "kong.tools.redis.schema", open_redis_schema);
}
