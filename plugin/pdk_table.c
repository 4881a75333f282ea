/* SPDX-License-Identifier: Apache-2.0
 * kong.table */
#include "plugin/pdk_part.h"

/* Room asked for beyond this is a hint that is not taken. */
#define ROOM_MAX 65536

static int room(lua_State *L, int arg, const char *text)
{
	double n = lua_isnoneornil(L, arg) ? 0 : pdk_check_number(L, arg, text);

	if (!(n >= 0))
		n = 0;
	return n > ROOM_MAX ? ROOM_MAX : (int)n;
}

static int table_new(lua_State *L)
{
	int n_array = room(L, 1, "narr must be a number");

	lua_createtable(L, n_array, room(L, 2, "nrec must be a number"));
	return 1;
}

static void check_table(lua_State *L, int arg, const char *text)
{
	if (!lua_istable(L, arg))
		luaL_error(L, "%s", text);
}

static int table_clear(lua_State *L)
{
	check_table(L, 1, "table must be a table");
	lua_settop(L, 1);
	lua_pushnil(L);
	while (lua_next(L, 1) && !vm_is_killed(L)) {
		lua_pop(L, 1);
		lua_pushvalue(L, -1);
		lua_pushnil(L);
		lua_rawset(L, 1);
	}
	return 0;
}

/* Fields of the table at `from` into the one at `to`. */
static void copy(lua_State *L, int from, int to)
{
	if (lua_isnoneornil(L, from))
		return;
	lua_pushnil(L);
	while (lua_next(L, from)) {
		lua_pushvalue(L, -2);
		lua_insert(L, -2);
		lua_rawset(L, to);
		if (vm_is_killed(L)) {
			lua_pop(L, 1);
			return;
		}
	}
}

static int table_merge(lua_State *L)
{
	if (!lua_isnoneornil(L, 1))
		check_table(L, 1, "t1 must be a table");
	if (!lua_isnoneornil(L, 2))
		check_table(L, 2, "t2 must be a table");
	lua_settop(L, 2);
	lua_createtable(L, 0, 8);
	copy(L, 1, 3);
	copy(L, 2, 3);
	return 1;
}

/* clang-format off */
#define TABLE_FUNCTIONS(X) \
	X("new", table_new, PDK_ANY, VM_STRICT, "a table with room for narr and nrec entries") \
	X("clear", table_clear, PDK_ANY, VM_STRICT, "empties a table") \
	X("merge", table_merge, PDK_ANY, VM_STRICT, "a new table of both; fields of the second win")
/* clang-format on */

void pdk_open_table(lua_State *L, int env_index)
{
	static const struct pdk_function functions[] = {TABLE_FUNCTIONS(PDK_ROW)};

	pdk_register(L, env_index, "kong.table", functions, PDK_COUNT(functions));
}
