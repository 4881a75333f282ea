/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "plugin/safe.h"
#include "plugin/sandbox.h"
#include "plugin/vm_impl.h"

/* Registry keys. */
#define LOADED "sluice.loaded"   /* {name = value} */
#define OPENERS "sluice.openers" /* {name = function} */
#define SEALED "sluice.sealed"   /* {view = table} */
#define VIEWS "sluice.views"     /* {table = view} */
#define FINDER "sluice.finder"   /* function(name), or nil */

#define SEAL_DEPTH_MAX 16
#define NAME_MAX_BYTES 128

void sandbox_require_open(lua_State *L)
{
	static const char *const keys[] = {LOADED, OPENERS, SEALED, VIEWS};

	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
		lua_newtable(L);
		lua_setfield(L, LUA_REGISTRYINDEX, keys[i]);
	}
}

/* registry[table_key][name] = the value at the top; popped. */
static void set_in(lua_State *L, const char *table_key, const char *name)
{
	lua_getfield(L, LUA_REGISTRYINDEX, table_key);
	lua_insert(L, -2);
	lua_setfield(L, -2, name);
	lua_pop(L, 1);
}

void sandbox_require_set(lua_State *L, const char *name)
{
	set_in(L, LOADED, name);
}

void sandbox_require_set_opener(lua_State *L, const char *name)
{
	set_in(L, OPENERS, name);
}

void sandbox_push_sealed(lua_State *L)
{
	lua_getfield(L, LUA_REGISTRYINDEX, SEALED);
}

void vm_provide_module(lua_State *L, const char *name, int (*open)(lua_State *))
{
	lua_pushcfunction(L, open);
	sandbox_require_set_opener(L, name);
}

void vm_provide_finder(lua_State *L, int (*find)(lua_State *))
{
	lua_pushcfunction(L, find);
	lua_setfield(L, LUA_REGISTRYINDEX, FINDER);
}

void vm_push_environment(lua_State *L)
{
	lua_rawgeti(L, LUA_REGISTRYINDEX, vm_of(L)->env_ref);
}

/* Upvalue: the table's name. */
static int refuse_write(lua_State *L)
{
	const char *key = vm_push_text(L, 2, NULL);

	return luaL_error(L, "Cannot modify %s.%s. Protected by the sandbox.",
			lua_tostring(L, lua_upvalueindex(1)), key);
}

/* The value at index `table` of the registry table: pushed, false and nothing when nil. */
static bool look_up(lua_State *L, const char *registry_key, int index)
{
	lua_getfield(L, LUA_REGISTRYINDEX, registry_key);
	lua_pushvalue(L, index);
	lua_rawget(L, -2);
	lua_remove(L, -2);
	if (!lua_isnil(L, -1))
		return true;
	lua_pop(L, 1);
	return false;
}

static void remember(lua_State *L, const char *registry_key, int key, int value)
{
	lua_getfield(L, LUA_REGISTRYINDEX, registry_key);
	lua_pushvalue(L, key);
	lua_pushvalue(L, value);
	lua_rawset(L, -3);
	lua_pop(L, 1);
}

/* Does it guard itself?  Else its metamethods are copied into the table at `copy`. */
static bool copy_metamethods(lua_State *L, int table, int copy)
{
	if (!lua_getmetatable(L, table))
		return false;
	lua_pushliteral(L, "__newindex");
	lua_rawget(L, -2);
	if (!lua_isnil(L, -1)) {
		lua_pop(L, 2);
		return true;
	}
	for (; lua_next(L, -2); lua_pop(L, 1)) {
		lua_pushvalue(L, -2);
		lua_pushvalue(L, -2);
		lua_rawset(L, copy);
	}
	lua_pop(L, 1);
	return false;
}

static void seal(lua_State *L, const char *name, int depth);

static void seal_fields(lua_State *L, int table, const char *name, int depth)
{
	char field[NAME_MAX_BYTES];
	bool is_root = strcmp(name, "_G") == 0;

	lua_pushnil(L);
	while (lua_next(L, table)) {
		if (lua_type(L, -1) != LUA_TTABLE) {
			lua_pop(L, 1);
			continue;
		}
		lua_pushvalue(L, -2); /* key, for rawset; the original must stay unconverted */
		(void)vm_push_text(L, -1, NULL);
		(void)snprintf(field, sizeof(field), "%s%s%s", is_root ? "" : name,
				is_root ? "" : ".", lua_tostring(L, -1));
		lua_pop(L, 1);
		lua_insert(L, -2);
		seal(L, field, depth + 1);
		lua_rawset(L, table);
	}
}

static void seal(lua_State *L, const char *name, int depth)
{
	int table = lua_gettop(L);

	luaL_checkstack(L, 16, "read-only table");
	if (lua_type(L, table) != LUA_TTABLE || depth > SEAL_DEPTH_MAX)
		return;
	if (look_up(L, VIEWS, table)) {
		lua_replace(L, table);
		return;
	}
	if (look_up(L, SEALED, table)) {
		lua_pop(L, 1);
		return;
	}
	lua_newtable(L); /* view */
	lua_newtable(L); /* its metatable */
	if (copy_metamethods(L, table, table + 2)) {
		lua_settop(L, table);
		return;
	}
	lua_pushvalue(L, table);
	lua_setfield(L, table + 2, "__index");
	lua_pushstring(L, name);
	lua_pushcclosure(L, refuse_write, 1);
	lua_setfield(L, table + 2, "__newindex");
	lua_pushboolean(L, false);
	lua_setfield(L, table + 2, "__metatable");
	(void)lua_setmetatable(L, table + 1);
	remember(L, VIEWS, table, table + 1);
	remember(L, SEALED, table + 1, table);
	seal_fields(L, table, name, depth);
	lua_replace(L, table);
}

void vm_seal(lua_State *L, const char *name)
{
	seal(L, name, 0);
}

/* Pushes what the finder has for the name at index 1; false and nothing when it has none. */
static bool find(lua_State *L)
{
	lua_getfield(L, LUA_REGISTRYINDEX, FINDER);
	if (lua_isnil(L, -1)) {
		lua_pop(L, 1);
		return false;
	}
	lua_pushvalue(L, 1);
	lua_call(L, 1, 1);
	if (!lua_isnil(L, -1))
		return true;
	lua_pop(L, 1);
	return false;
}

int safe_require(lua_State *L)
{
	const char *name = luaL_checkstring(L, 1);

	lua_settop(L, 1);
	if (look_up(L, LOADED, 1))
		return 1;
	if (look_up(L, OPENERS, 1))
		lua_call(L, 0, 1);
	else if (!find(L))
		return luaL_error(L, "require '%s' not allowed within sandbox", name);
	vm_seal(L, name);
	remember(L, LOADED, 1, 2);
	return 1;
}
