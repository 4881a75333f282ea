/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/pdk_subtable.h"

#include <lauxlib.h>
#include <stdio.h>

#include "plugin/vm.h"

#define FULL_NAME_MAX 64
#define STACK_SLOTS 24

/* Pushes an environment that has nothing but an empty root; the globals are behind it. */
static int push_scratch(lua_State *L, const char *root)
{
	lua_createtable(L, 0, 1);
	lua_createtable(L, 0, 1);
	lua_setfield(L, -2, root);
	lua_createtable(L, 0, 1);
	vm_push_environment(L);
	lua_setfield(L, -2, "__index");
	lua_setmetatable(L, -2);
	return lua_gettop(L);
}

static const struct pdk_subtable *find(const struct pdk_subtable *rows, size_t n, struct str name)
{
	for (size_t i = 0; i < n; i++)
		if (str_eq(name, str_of(rows[i].name)))
			return &rows[i];
	return NULL;
}

/* In a table of its own first: a kill that comes half-way leaves nothing half-made behind. */
bool pdk_push_subtable(lua_State *L, const char *root, const struct pdk_subtable *rows, size_t n,
		struct str name)
{
	const struct pdk_subtable *row = find(rows, n, name);
	char full_name[FULL_NAME_MAX];
	int scratch;

	if (row == NULL)
		return false;
	luaL_checkstack(L, STACK_SLOTS, row->name);
	scratch = push_scratch(L, root);
	for (size_t i = 0; i < PDK_SUBTABLE_PARTS && row->parts[i] != NULL; i++)
		row->parts[i](L, scratch);
	lua_getfield(L, scratch, root);
	lua_getfield(L, -1, row->name);
	if (lua_isnil(L, -1)) {
		lua_settop(L, scratch - 1);
		return false;
	}
	(void)snprintf(full_name, sizeof(full_name), "%s.%s", root, row->name);
	vm_seal(L, full_name);
	lua_replace(L, scratch);
	lua_settop(L, scratch);
	return true;
}
