/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/pdk_read.h"

#include <errno.h>

#include "plugin/value_lua.h"

struct value pdk_read(lua_State *L, int arg, const char *what)
{
	const char *text;
	struct value v;
	int r;

	value_check_stack(L);
	vm_host_enter(L);
	r = value_from_lua(L, arg, pdk_exchange(L)->arena, &v, &text);
	vm_host_leave(L);
	if (r == -EINVAL)
		luaL_error(L, "%s cannot hold %s", what, text);
	pdk_check_room(L, r);
	return v;
}

struct str pdk_read_json(lua_State *L, int arg, const char *what, const char **ret_text)
{
	struct value v = pdk_read(L, arg, what);
	struct str text;

	vm_host_enter(L);
	text = value_to_json_text(pdk_exchange(L)->arena, &v, ret_text);
	vm_host_leave(L);
	return text;
}
