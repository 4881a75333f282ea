/* SPDX-License-Identifier: Apache-2.0
 * ngx.* as a whole: the order in which its parts are added. */
#include "plugin/ngx_table.h"

#include <lauxlib.h>

#include "plugin/module_part.h"
#include "plugin/pdk_subtable.h"

/* What has functions of `ngx` itself, made later by pdk.h. */
static pdk_open_fn *const parts[] = {
		ngx_encode_open,
		ngx_hash_open,
		ngx_time_open,
		ngx_output_open,
		ngx_process_open,
};

static const struct pdk_subtable subtables[] = {
		{"arg", {ngx_arg_open}},
		{"config", {ngx_config_open}},
		{"header", {ngx_header_open}},
		{"location", {ngx_refused_open}},
		{"re", {ngx_re_open}},
		{"req", {ngx_refused_open, ngx_req_open, ngx_req_body_open}},
		{"resp", {ngx_req_open}},
		{"socket", {ngx_socket_open}},
		{"thread", {ngx_thread_open}},
		{"var", {ngx_var_open}},
		{"worker", {ngx_worker_open}},
};

bool ngx_push_subtable(lua_State *L, struct str name)
{
	return pdk_push_subtable(L, "ngx", subtables, PDK_COUNT(subtables), name);
}

void ngx_open(lua_State *L, int env_index)
{
	for (size_t i = 0; i < PDK_COUNT(parts); i++)
		parts[i](L, env_index);
	ngx_field_open(L, env_index);
	module_cjson_open(L, env_index);
	module_open(L, env_index);
}

void ngx_open_all(lua_State *L, int env_index)
{
	static pdk_open_fn *const all[] = {
			ngx_encode_open,
			ngx_hash_open,
			ngx_time_open,
			ngx_socket_open,
			ngx_refused_open,
			ngx_thread_open,
			ngx_re_open,
			ngx_req_open,
			ngx_req_body_open,
			ngx_output_open,
			ngx_process_open,
			ngx_worker_open,
	};

	for (size_t i = 0; i < PDK_COUNT(all); i++)
		all[i](L, env_index);
}

struct str ngx_check_text(lua_State *L, int arg, bool is_nil_empty)
{
	struct str s;

	if (is_nil_empty && (lua_isnoneornil(L, arg) || lua_isboolean(L, arg)))
		return lua_toboolean(L, arg) ? STR("true") : STR("");
	s.p = luaL_checklstring(L, arg, &s.n);
	return s;
}
