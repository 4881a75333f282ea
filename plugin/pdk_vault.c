/* SPDX-License-Identifier: Apache-2.0
 * kong.vault.  Lax only: a strict plugin gets what its configuration refers to, nothing else. */
#include "plugin/module_part.h"
#include "plugin/pdk_args.h"
#include "plugin/pdk_part.h"
#include "plugin/vault.h"

#define ARENA_MAX (1U << 20)
#define METHODS_KEY "pdk_vault"

/* One of the process, empty between two calls: a call may be left anywhere. */
static struct arena *scratch(lua_State *L)
{
	static struct arena *arena;

	vm_host_enter(L);
	if (arena == NULL && arena_new(&arena, ARENA_MAX) != 0)
		arena = NULL;
	if (arena != NULL)
		arena_clear(arena);
	vm_host_leave(L);
	if (arena == NULL)
		luaL_error(L, "out of memory");
	return arena;
}

static struct str text_at(lua_State *L, int arg)
{
	struct str s = STR_NONE;

	if (lua_type(L, arg) == LUA_TSTRING)
		s.p = lua_tolstring(L, arg, &s.n);
	return s;
}

static int is_reference(lua_State *L)
{
	lua_pushboolean(L, vault_is_reference(text_at(L, 1)));
	return 1;
}

/* nil, "not a reference [what it is]" */
static int refuse_value(lua_State *L)
{
	if (lua_isnoneornil(L, 1)) {
		lua_settop(L, 1);
		lua_pushliteral(L, "nil");
	} else {
		(void)vm_push_text(L, 1, NULL);
	}
	lua_pushnil(L);
	lua_pushfstring(L, "not a reference [%s]", lua_tostring(L, -2));
	return 2;
}

static int parse_reference(lua_State *L)
{
	struct str text = text_at(L, 1);
	struct arena *a = scratch(L);
	struct vault_reference ref;
	struct why why = WHY_NONE;
	int r;

	if (text.p == NULL)
		return refuse_value(L);
	vm_host_enter(L);
	r = vault_parse(a, text, &ref, &why);
	vm_host_leave(L);
	if (r != 0)
		return pdk_fail(L, "%s", why.text);
	lua_createtable(L, 0, 5);
	pdk_push_str(L, ref.name);
	lua_setfield(L, -2, "name");
	pdk_push_str(L, ref.resource);
	lua_setfield(L, -2, "resource");
	pdk_push_str(L, ref.key.n != 0 ? ref.key : STR_NONE);
	lua_setfield(L, -2, "key");
	if (ref.query.n != 0) {
		(void)pdk_push_args(L, ref.query, 100);
		lua_setfield(L, -2, "config");
	}
	if (ref.has_version) {
		lua_pushnumber(L, ref.version);
		lua_setfield(L, -2, "version");
	}
	return 1;
}

static int get(lua_State *L)
{
	struct str text = text_at(L, 1), value;
	struct arena *a = scratch(L);
	struct why why = WHY_NONE;
	int r;

	if (text.p == NULL)
		return refuse_value(L);
	vm_host_enter(L);
	r = vault_get(a, pdk_host(L)->view, text, &value, &why);
	vm_host_leave(L);
	if (r != 0)
		return pdk_fail(L, "%s", why.text);
	pdk_push_str(L, value);
	return 1;
}

static const luaL_Reg functions[] = {
		{"get", get},
		{"is_reference", is_reference},
		{"parse_reference", parse_reference},
		{NULL, NULL},
};

/* update and try are Lua: they call the plugin's, or walk its tables. */
static int index_vault(lua_State *L)
{
	lua_getfield(L, LUA_REGISTRYINDEX, METHODS_KEY);
	if (lua_isnil(L, -1)) {
		lua_pop(L, 1);
		module_run(L, "_vault", functions);
		lua_pushvalue(L, -1);
		lua_setfield(L, LUA_REGISTRYINDEX, METHODS_KEY);
	}
	lua_pushvalue(L, 2);
	lua_rawget(L, -2);
	return 1;
}

/* clang-format off */
#define VAULT_FUNCTIONS(X) \
	X("is_reference", is_reference, PDK_ANY, VM_LAX, "(text): whether it is {vault://…}") \
	X("parse_reference", parse_reference, PDK_ANY, VM_LAX, "(text): {name, resource, key, config, version}, or nil and why") \
	X("get", get, PDK_ANY, VM_LAX, "(reference): the secret, or nil and why; the vault is env, or the prefix of a configured one")
#define VAULT_LUA_FUNCTIONS(X) \
	X("update", NULL, PDK_ANY, VM_LAX, "(table): looks the references of its $refs up again; the table") \
	X("try", NULL, PDK_ANY, VM_LAX, "(callback, options): callback(options); if that fails, once more with the references of options looked up again")
/* clang-format on */

void pdk_open_vault(lua_State *L, int env_index)
{
	static const struct pdk_function rows[] = {VAULT_FUNCTIONS(PDK_ROW)};
	static const struct pdk_function lua_rows[] = {VAULT_LUA_FUNCTIONS(PDK_ROW)};

	if (pdk_host(L)->level != VM_LAX)
		return;
	pdk_announce("kong.vault", rows, PDK_COUNT(rows));
	pdk_announce("kong.vault", lua_rows, PDK_COUNT(lua_rows));
	pdk_push_table(L, env_index, "kong.vault");
	lua_createtable(L, 0, 2);
	lua_pushcfunction(L, index_vault);
	lua_setfield(L, -2, "__index");
	lua_pushboolean(L, 0);
	lua_setfield(L, -2, "__metatable");
	lua_setmetatable(L, -2);
	lua_pop(L, 1);
}
