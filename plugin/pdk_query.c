/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/pdk_query.h"

void pdk_add_field(lua_State *L, struct str name)
{
	lua_pushlstring(L, name.p, name.n);
	lua_pushvalue(L, -1);
	lua_rawget(L, -4);
	if (lua_isnil(L, -1)) {
		lua_pop(L, 1);
		lua_insert(L, -2);
		lua_rawset(L, -3);
		return;
	}
	if (!lua_istable(L, -1)) {
		lua_createtable(L, 2, 0);
		lua_insert(L, -2);
		lua_rawseti(L, -2, 1);
		lua_pushvalue(L, -2);
		lua_pushvalue(L, -2);
		lua_rawset(L, -6);
	}
	lua_pushvalue(L, -3);
	lua_rawseti(L, -2, (int)lua_objlen(L, -2) + 1);
	lua_pop(L, 3);
}
