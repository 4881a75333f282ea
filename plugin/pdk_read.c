/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/pdk_read.h"

#include <errno.h>

#include "plugin/value_lua.h"

static int take(lua_State *L, int arg, struct value *ret, const char **ret_text)
{
	int r;

	value_check_stack(L);
	vm_host_enter(L);
	r = value_from_lua(L, arg, pdk_exchange(L)->arena, ret, ret_text);
	vm_host_leave(L);
	return r;
}

struct value pdk_read(lua_State *L, int arg, const char *what)
{
	const char *text;
	struct value v;
	int r = take(L, arg, &v, &text);

	if (r == -EINVAL)
		luaL_error(L, "%s cannot hold %s", what, text);
	pdk_check_room(L, r);
	return v;
}

struct str pdk_read_json(lua_State *L, int arg, const char **ret_text)
{
	const char *wrong;
	struct value v;
	struct str text;
	int r = take(L, arg, &v, &wrong);

	if (r == -EINVAL) {
		*ret_text = value_json_problem(wrong);
		return STR_NONE;
	}
	pdk_check_room(L, r);
	vm_host_enter(L);
	text = value_to_json_text(pdk_exchange(L)->arena, &v, ret_text);
	vm_host_leave(L);
	return text;
}
