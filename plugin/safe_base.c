/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/safe.h"

#include "plugin/vm_impl.h"

int safe_raw_getmetatable(lua_State *L)
{
	luaL_checkany(L, 1);
	if (!lua_getmetatable(L, 1))
		lua_pushnil(L);
	return 1;
}

/* nil for strings, so that their metatable is out of reach; __metatable holds. */
int safe_getmetatable(lua_State *L)
{
	luaL_checkany(L, 1);
	if (lua_type(L, 1) != LUA_TTABLE || !lua_getmetatable(L, 1)) {
		lua_pushnil(L);
		return 1;
	}
	lua_pushliteral(L, "__metatable");
	lua_rawget(L, -2);
	if (lua_isnil(L, -1))
		lua_pop(L, 1);
	return 1;
}

int safe_print(lua_State *L)
{
	(void)L;
	return 0;
}

/* The run's own coroutine stays unknown: a plugin that kept it could resume a parked request. */
int safe_running(lua_State *L)
{
	const struct vm *vm = vm_of(L);

	if (vm->run == NULL || vm->run->co == L || lua_pushthread(L)) {
		lua_pushnil(L);
		return 1;
	}
	return 1;
}

int safe_yield(lua_State *L)
{
	const struct vm *vm = vm_of(L);

	if (vm->run != NULL && vm->run->co == L)
		return luaL_error(L, "attempt to yield from outside a coroutine");
	return lua_yield(L, lua_gettop(L));
}

int safe_io_type(lua_State *L)
{
	luaL_checkany(L, 1);
	lua_pushnil(L);
	return 1;
}

int safe_check_string(lua_State *L)
{
	(void)luaL_checkstring(L, 1);
	lua_settop(L, 1);
	return 1;
}

int safe_took_host_yield(lua_State *L)
{
	lua_pushboolean(L, vm_took_host_yield(L));
	return 1;
}

int safe_yield_again(lua_State *L)
{
	return vm_yield(L);
}

const char *vm_push_text(lua_State *L, int index, size_t *ret_n)
{
	size_t n;
	const char *p;

	switch (lua_type(L, index)) {
	case LUA_TSTRING:
	case LUA_TNUMBER:
		lua_pushvalue(L, index);
		break;
	case LUA_TBOOLEAN:
		lua_pushstring(L, lua_toboolean(L, index) ? "true" : "false");
		break;
	case LUA_TNIL:
		lua_pushliteral(L, "nil");
		break;
	case LUA_TLIGHTUSERDATA:
		lua_pushstring(L, lua_touserdata(L, index) == NULL ? "userdata: NULL" : "userdata");
		break;
	default:
		lua_pushstring(L, lua_typename(L, lua_type(L, index)));
		break;
	}
	p = lua_tolstring(L, -1, &n);
	if (ret_n != NULL)
		*ret_n = n;
	return p;
}
