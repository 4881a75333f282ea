/* SPDX-License-Identifier: Apache-2.0
 * Answering a request by ngx.say, ngx.exit and their kind.  Output is collected in the
 * exchange's answer and sent when the phase is over. */
#include "plugin/ngx_table.h"

#include <lauxlib.h>

#include "plugin/pdk_exit.h"

static int status_of(const struct exchange *x)
{
	return x->response.status != 0 ? x->response.status : 200;
}

#define NESTING_MAX 16

static void push_piece(lua_State *L, int idx, int depth);

/* An array of pieces, nested ones too. */
static void push_pieces(lua_State *L, int idx, int depth)
{
	luaL_Buffer b;

	if (depth > NESTING_MAX)
		luaL_error(L, "tables nest too deep");
	luaL_checkstack(L, 8, "pieces nest too deep");
	luaL_buffinit(L, &b);
	for (size_t i = 1; i <= lua_objlen(L, idx); i++) {
		lua_rawgeti(L, idx, (int)i);
		push_piece(L, lua_gettop(L), depth);
		lua_remove(L, -2);
		luaL_addvalue(&b);
	}
	luaL_pushresult(&b);
}

static void push_piece(lua_State *L, int idx, int depth)
{
	switch (lua_type(L, idx)) {
	case LUA_TNIL:
		lua_pushliteral(L, "nil");
		break;
	case LUA_TBOOLEAN:
		lua_pushstring(L, lua_toboolean(L, idx) ? "true" : "false");
		break;
	case LUA_TNUMBER:
	case LUA_TSTRING:
		lua_pushvalue(L, idx);
		lua_tostring(L, -1);
		break;
	case LUA_TTABLE:
		push_pieces(L, idx, depth + 1);
		break;
	case LUA_TLIGHTUSERDATA:
		lua_pushliteral(L, "null");
		break;
	default:
		lua_pushfstring(L,
				"string, number, boolean, nil, ngx.null, or array table expected, "
				"but got %s",
				luaL_typename(L, idx));
		if (depth == 0)
			luaL_argerror(L, idx, lua_tostring(L, -1));
		luaL_error(L, "%s", lua_tostring(L, -1));
	}
}

/* The body so far, the arguments, and `end`. */
static int output(lua_State *L, const char *end)
{
	struct exchange *x = pdk_exchange(L);
	int n = lua_gettop(L);
	size_t before;
	struct str text;

	if (x->response.is_sent)
		return pdk_fail(L, "header already sent");
	luaL_checkstack(L, n + 4, "too many arguments");
	before = x->answer.is_set ? x->answer.body.n : 0;
	lua_pushlstring(L, x->answer.body.p, before);
	for (int i = 1; i <= n; i++)
		push_piece(L, i, 0);
	lua_pushstring(L, end);
	lua_concat(L, n + 2);
	text.p = lua_tolstring(L, -1, &text.n);
	pdk_charge(L, text.n - before);
	pdk_answer_with(L, status_of(x), pdk_keep(L, text));
	lua_pushinteger(L, 1);
	return 1;
}

static int output_say(lua_State *L)
{
	return output(L, "\n");
}

static int output_print(lua_State *L)
{
	return output(L, "");
}

static int output_exit(lua_State *L)
{
	struct exchange *x = pdk_exchange(L);
	lua_Integer status = luaL_checkinteger(L, 1);

	if (status < 100 && status != 0 && status != -1)
		return luaL_error(L, "bad argument to 'exit': %d is not a status", (int)status);
	if (x->response.is_sent || status == 0) /* ngx.OK: only this phase of this plugin ends */
		return vm_end(L);
	if (status == -1) /* ngx.ERROR */
		status = 500;
	if (status >= 400)
		return pdk_end_with_error(L, (int)status, STR_NONE);
	return pdk_end_with(L, (int)status, STR(""));
}

static int output_redirect(lua_State *L)
{
	struct exchange *x = pdk_exchange(L);
	struct str to = ngx_check_text(L, 1, false);
	int status = (int)luaL_optinteger(L, 2, 302);

	if (status != 301 && status != 302 && status != 303 && status != 307 && status != 308)
		return luaL_error(L, "only ngx.HTTP_MOVED_TEMPORARILY, "
				     "ngx.HTTP_MOVED_PERMANENTLY, ngx.HTTP_PERMANENT_REDIRECT, "
				     "ngx.HTTP_SEE_OTHER, and ngx.HTTP_TEMPORARY_REDIRECT are "
				     "allowed");
	if (!headers_value_is_valid(to))
		return luaL_error(L, "unsafe byte in redirect uri");
	to = pdk_keep(L, to);
	if (!x->answer.is_set)
		pdk_check_room(L, headers_set_id(&x->answer.headers, HEADER_LOCATION, to));
	return pdk_end_with(L, status, STR(""));
}

static int output_eof(lua_State *L)
{
	struct exchange *x = pdk_exchange(L);

	if (!x->answer.is_set)
		pdk_answer_with(L, status_of(x), STR(""));
	lua_pushinteger(L, 1);
	return 1;
}

/* Nothing leaves before the phase is over: there is nothing to flush. */
static int output_flush(lua_State *L)
{
	lua_pushinteger(L, 1);
	return 1;
}

/* clang-format off */
#define OUTPUT_FUNCTIONS(X) \
	X("say", output_say, PDK_PRE, VM_STRICT, "Adds its arguments and a newline to the answer.") \
	X("print", output_print, PDK_PRE, VM_STRICT, "Adds its arguments to the answer.") \
	X("exit", output_exit, PDK_RAH, VM_STRICT, "Ends the phase; with a status, answers the request.") \
	X("redirect", output_redirect, PDK_PRE, VM_STRICT, "Answers with a redirect: 301, 302 (default), 303, 307, 308.") \
	X("eof", output_eof, PDK_PRE, VM_STRICT, "The answer is complete.") \
	X("flush", output_flush, PDK_PRE, VM_STRICT, "Answers are sent whole: returns 1.") \
	X("send_headers", output_flush, PDK_PRE, VM_STRICT, "Answers are sent whole: returns 1.")
/* clang-format on */

static const struct pdk_function functions[] = {OUTPUT_FUNCTIONS(PDK_ROW)};

void ngx_output_open(lua_State *L, int env_index)
{
	pdk_register(L, env_index, "ngx", functions, PDK_COUNT(functions));
}
