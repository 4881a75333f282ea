/* SPDX-License-Identifier: Apache-2.0
 * kong.ctx.shared and ngx.ctx: tables whose fields live in the request, on the C side. */
#include "plugin/pdk.h"

#include <errno.h>

#include "plugin/value_lua.h"

static const char *const names[] = {
		[PDK_CTX_SHARED] = "kong.ctx.shared",
		[PDK_NGX_CTX] = "ngx.ctx",
};

static enum pdk_request_table which_of(lua_State *L)
{
	return (enum pdk_request_table)lua_tointeger(L, lua_upvalueindex(1));
}

static struct value **place_of(lua_State *L, enum pdk_request_table which)
{
	struct exchange *x = pdk_exchange(L);

	if (x == NULL)
		luaL_error(L, "%s can only be used in a request", names[which]);
	return which == PDK_CTX_SHARED ? &x->ctx_shared : &x->ngx_ctx;
}

static bool read_key(lua_State *L, int idx, struct value *ret)
{
	switch (lua_type(L, idx)) {
	case LUA_TSTRING:
		ret->type = VALUE_STRING;
		ret->string.p = lua_tolstring(L, idx, &ret->string.n);
		return true;
	case LUA_TNUMBER:
		*ret = (struct value){.type = VALUE_NUMBER, .number = lua_tonumber(L, idx)};
		return true;
	case LUA_TBOOLEAN:
		*ret = (struct value){.type = VALUE_BOOL, .boolean = lua_toboolean(L, idx)};
		return true;
	default:
		return false;
	}
}

static int table_index(lua_State *L)
{
	struct value **place = place_of(L, which_of(L)), key;
	const struct value *v = NULL;

	value_check_stack(L);
	if (*place != NULL && read_key(L, 2, &key))
		v = value_get((*place)->table, key);
	if (v != NULL)
		value_push(L, v);
	else
		lua_pushnil(L);
	return 1;
}

/* 0, -ENOMEM, -E2BIG, -EINVAL with *ret_text. */
static int store(lua_State *L, struct value **place, struct value key, const char **ret_text)
{
	struct arena *a = pdk_exchange(L)->arena;
	struct value v;
	int r;

	if (*place == NULL) {
		struct value *made = arena_alloc(a, sizeof(*made));

		if (made == NULL)
			return -ENOMEM;
		*made = value_table_make(a);
		if (made->table == NULL)
			return -ENOMEM;
		*place = made;
	}
	r = value_from_lua(L, 3, a, &v, ret_text);
	if (r != 0)
		return r;
	if (key.type == VALUE_STRING && value_get((*place)->table, key) == NULL) {
		key.string = arena_str(a, key.string);
		if (key.string.p == NULL)
			return -ENOMEM;
	}
	return value_set(a, (*place)->table, key, v);
}

static int table_newindex(lua_State *L)
{
	enum pdk_request_table which = which_of(L);
	struct value **place = place_of(L, which), key;
	const char *text = "";
	int r;

	if (!read_key(L, 2, &key))
		return luaL_error(L, "%s: a key is a string, a number or a boolean", names[which]);
	value_check_stack(L);
	vm_host_enter(L);
	r = store(L, place, key, &text);
	vm_host_leave(L);
	if (r == -EINVAL)
		return luaL_error(L,
				"%s holds booleans, numbers, strings and plain tables of these, "
				"copied in and out: it cannot hold %s",
				names[which], text);
	if (r == -E2BIG)
		return luaL_error(
				L, "%s is full: at most %d fields", names[which], VALUE_FIELDS_MAX);
	pdk_check_room(L, r);
	return 0;
}

static void push_method(
		lua_State *L, enum pdk_request_table which, lua_CFunction f, const char *name)
{
	lua_pushinteger(L, which);
	lua_pushcclosure(L, f, 1);
	lua_setfield(L, -2, name);
}

void pdk_push_request_table(lua_State *L, enum pdk_request_table which)
{
	lua_getfield(L, LUA_REGISTRYINDEX, names[which]);
	if (!lua_isnil(L, -1))
		return;
	lua_pop(L, 1);
	lua_createtable(L, 0, 0);
	lua_createtable(L, 0, 3);
	push_method(L, which, table_index, "__index");
	push_method(L, which, table_newindex, "__newindex");
	lua_pushboolean(L, 0);
	lua_setfield(L, -2, "__metatable");
	lua_setmetatable(L, -2);
	lua_pushvalue(L, -1);
	lua_setfield(L, LUA_REGISTRYINDEX, names[which]);
}
