/* SPDX-License-Identifier: Apache-2.0
 * ngx.* as a whole: the order in which its parts are added. */
#include "plugin/ngx_table.h"

#include <lauxlib.h>

#include "plugin/module_part.h"

typedef void part_open_fn(lua_State *L, int env_index);

static part_open_fn *const parts[] = {
		ngx_const_open,
		ngx_encode_open,
		ngx_hash_open,
		ngx_time_open,
		ngx_socket_open,
		ngx_refused_open,
		ngx_thread_open,
		ngx_re_open,
		ngx_req_open,
		ngx_req_body_open,
		ngx_var_open,
		ngx_output_open,
		ngx_process_open,
		ngx_field_open, /* last: it gives `ngx` its metatable */
		module_cjson_open,
		module_open,
};

void ngx_open(lua_State *L, int env_index)
{
	for (size_t i = 0; i < PDK_COUNT(parts); i++)
		parts[i](L, env_index);
}

struct str ngx_check_text(lua_State *L, int arg, bool is_nil_empty)
{
	struct str s;

	if (is_nil_empty && (lua_isnoneornil(L, arg) || lua_isboolean(L, arg)))
		return lua_toboolean(L, arg) ? STR("true") : STR("");
	s.p = luaL_checklstring(L, arg, &s.n);
	return s;
}
