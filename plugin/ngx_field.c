/* SPDX-License-Identifier: Apache-2.0
 * The fields of ngx that are read and written like values: ngx.ctx, ngx.status, ngx.header,
 * ngx.arg …  `ngx` becomes a proxy, so that nothing else of it can be replaced. */
#include "plugin/ngx_table.h"

#include <lauxlib.h>

#include "plugin/pdk_headers.h"

static struct exchange *check_exchange(lua_State *L)
{
	struct exchange *x = pdk_exchange(L);

	if (x == NULL)
		luaL_error(L, "no request found");
	return x;
}

static void get_status(lua_State *L)
{
	const struct exchange *x = check_exchange(L);

	lua_pushinteger(L, x->answer.is_set && x->response.status == 0 ? x->answer.status
								       : x->response.status);
}

static void get_headers_sent(lua_State *L)
{
	lua_pushboolean(L, check_exchange(L)->response.is_sent);
}

static void get_is_subrequest(lua_State *L)
{
	lua_pushboolean(L, 0);
}

static void get_ctx(lua_State *L)
{
	pdk_push_request_table(L, PDK_NGX_CTX);
}

static void set_status(lua_State *L)
{
	struct exchange *x = check_exchange(L);
	lua_Integer status = luaL_checkinteger(L, 3);

	if (x->response.is_sent)
		luaL_error(L, "attempt to set ngx.status after sending out response headers");
	if (status < 100 || status > 599)
		luaL_error(L, "ngx.status must be a number between 100 and 599");
	x->response.status = (int)status;
}

/* ngx.ctx = {…} starts the request's table anew with these fields. */
static void set_ctx(lua_State *L)
{
	luaL_checktype(L, 3, LUA_TTABLE);
	check_exchange(L)->ngx_ctx = NULL;
	pdk_push_request_table(L, PDK_NGX_CTX);
	lua_pushnil(L);
	while (lua_next(L, 3) != 0) {
		lua_pushvalue(L, -2);
		lua_insert(L, -2);
		lua_settable(L, -4); /* the proxy's own __newindex: ours */
	}
}

static const struct field {
	struct str name;
	void (*get)(lua_State *L);
	void (*set)(lua_State *L); /* NULL: read-only */
} fields[] = {
		{{"status", 6}, get_status, set_status},
		{{"headers_sent", 12}, get_headers_sent, NULL},
		{{"is_subrequest", 13}, get_is_subrequest, NULL},
		{{"ctx", 3}, get_ctx, set_ctx},
};

static const struct field *find_field(lua_State *L)
{
	struct str name;

	if (lua_type(L, 2) != LUA_TSTRING)
		return NULL;
	name.p = lua_tolstring(L, 2, &name.n);
	for (size_t i = 0; i < PDK_COUNT(fields); i++)
		if (str_eq(fields[i].name, name))
			return &fields[i];
	return NULL;
}

/* What nobody asked for yet; kept from here on. */
static int make_value(lua_State *L, struct str name)
{
	if (!pdk_push_registered(L, "ngx", name) && !ngx_push_constant(L, name) &&
			!ngx_push_subtable(L, name))
		return 0;
	lua_pushvalue(L, 2);
	lua_pushvalue(L, -2);
	lua_rawset(L, lua_upvalueindex(1));
	return 1;
}

/* upvalue 1: the real table */
static int ngx_index(lua_State *L)
{
	const struct field *f;
	struct str name;

	lua_settop(L, 2);
	lua_pushvalue(L, 2);
	lua_rawget(L, lua_upvalueindex(1));
	if (!lua_isnil(L, -1))
		return 1;
	lua_pop(L, 1);
	f = find_field(L);
	if (f != NULL)
		return f->get(L), 1;
	if (lua_type(L, 2) != LUA_TSTRING)
		return 0;
	name.p = lua_tolstring(L, 2, &name.n);
	return make_value(L, name);
}

static int ngx_newindex(lua_State *L)
{
	const struct field *f = find_field(L);

	if (f == NULL || f->set == NULL)
		return luaL_error(L, "Cannot modify ngx.%s. Protected by the sandbox.",
				lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : "?");
	f->set(L);
	return 0;
}

/* ngx.arg: the chunk of body_filter. */
static int arg_index(lua_State *L)
{
	const struct exchange *x = check_exchange(L);

	pdk_check_phase(L, PDK_BODY_FILTER);
	if (lua_tointeger(L, 2) == 1)
		lua_pushlstring(L, x->chunk.p != NULL ? x->chunk.p : "", x->chunk.n);
	else if (lua_tointeger(L, 2) == 2)
		lua_pushboolean(L, x->chunk_is_last);
	else
		lua_pushnil(L);
	return 1;
}

static int arg_newindex(lua_State *L)
{
	struct exchange *x = check_exchange(L);

	pdk_check_phase(L, PDK_BODY_FILTER);
	if (lua_tointeger(L, 2) == 1)
		x->chunk = lua_isnil(L, 3) ? STR("")
					   : pdk_keep_output(L, ngx_check_text(L, 3, false));
	else if (lua_tointeger(L, 2) == 2)
		x->chunk_is_last = lua_toboolean(L, 3);
	else
		return luaL_error(L, "bad index of ngx.arg: 1 is the chunk, 2 its end");
	return 0;
}

/* ngx.header.content_type is Content-Type. */
static struct str header_name(lua_State *L)
{
	pdk_dash_name(L, 2);
	return ngx_check_text(L, 2, false);
}

static int header_index(lua_State *L)
{
	const struct headers *h = &check_exchange(L)->response.headers;
	const struct header *f = headers_find(h, header_name(L));
	int n = 0;

	if (f == NULL)
		return lua_pushnil(L), 1;
	if (headers_next(h, f) == NULL)
		return pdk_push_str(L, f->value), 1;
	lua_newtable(L);
	for (; f != NULL; f = headers_next(h, f)) {
		pdk_push_str(L, f->value);
		lua_rawseti(L, -2, ++n);
	}
	return 1;
}

static int header_newindex(lua_State *L)
{
	struct exchange *x = check_exchange(L);
	struct str name = header_name(L);

	pdk_check_phase(L, PDK_RAH);
	if (x->response.is_sent)
		return luaL_error(L,
				"attempt to set ngx.header.%s after sending out response "
				"headers",
				name.p);
	if (lua_isnil(L, 3))
		headers_remove(&x->response.headers, name);
	else
		pdk_change_header(L, &x->response.headers, 2, 3, PDK_HEADER_SET);
	return 0;
}

/* The empty table at the top gets the two functions, each with n_up copies of what is below. */
static void make_proxy(lua_State *L, lua_CFunction index, lua_CFunction newindex, int upvalue)
{
	lua_createtable(L, 0, 3);
	for (int i = 0; i < 2; i++) {
		if (upvalue != 0)
			lua_pushvalue(L, upvalue);
		lua_pushcclosure(L, i == 0 ? index : newindex, upvalue != 0 ? 1 : 0);
		lua_setfield(L, -2, i == 0 ? "__index" : "__newindex");
	}
	lua_pushboolean(L, 0);
	lua_setfield(L, -2, "__metatable");
	lua_setmetatable(L, -2);
}

void ngx_arg_open(lua_State *L, int env_index)
{
	pdk_push_table(L, env_index, "ngx.arg");
	make_proxy(L, arg_index, arg_newindex, 0);
	lua_pop(L, 1);
}

void ngx_header_open(lua_State *L, int env_index)
{
	pdk_push_table(L, env_index, "ngx.header");
	make_proxy(L, header_index, header_newindex, 0);
	lua_pop(L, 1);
}

void ngx_field_open(lua_State *L, int env_index)
{
	int ngx;

	pdk_push_table(L, env_index, "ngx");
	ngx = lua_gettop(L);
	lua_newtable(L);
	make_proxy(L, ngx_index, ngx_newindex, ngx);
	lua_setfield(L, env_index, "ngx");
	lua_pop(L, 1);
}
