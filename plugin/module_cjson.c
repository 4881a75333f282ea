/* SPDX-License-Identifier: Apache-2.0
 * require "cjson" and "cjson.safe", on jansson: objects and arrays as OpenResty's cjson
 * gives them (null, array_mt, empty_array_mt, empty_array). */
#include "plugin/ngx_table.h"

#include <errno.h>

#include <lauxlib.h>

#include "plugin/value_lua.h"

/* One for the process: cleared at each use, never held over a call into Lua. */
static struct arena *scratch;

static struct arena *scratch_take(lua_State *L)
{
	vm_host_enter(L);
	if (scratch == NULL)
		arena_new(&scratch, 64U << 20);
	else
		arena_clear(scratch);
	vm_host_leave(L);
	if (scratch == NULL)
		luaL_error(L, "out of memory");
	return scratch;
}

/* Pushes the JSON text; false: pushes the error. */
static bool push_encoded(lua_State *L)
{
	struct arena *a = scratch_take(L);
	const char *problem = NULL;
	struct str text = STR_NONE;
	struct value v;
	int r;

	value_check_stack(L);
	vm_host_enter(L);
	r = value_from_lua(L, 1, a, &v, &problem);
	if (r == 0)
		text = value_to_json_text(a, &v, &problem);
	vm_host_leave(L);
	if (text.p != NULL) {
		lua_pushlstring(L, text.p, text.n);
		return true;
	}
	if (r == -ENOMEM)
		problem = "Cannot serialise value: too much data";
	lua_pushstring(L, problem != NULL ? value_json_problem(problem) : "out of memory");
	return false;
}

/* Raises the text at the top with the caller's place before it. */
static int raise_here(lua_State *L)
{
	luaL_where(L, 1);
	lua_insert(L, -2);
	lua_concat(L, 2);
	return lua_error(L);
}

static int cjson_encode(lua_State *L)
{
	luaL_checkany(L, 1);
	return push_encoded(L) ? 1 : raise_here(L);
}

static int cjson_safe_encode(lua_State *L)
{
	luaL_checkany(L, 1);
	if (push_encoded(L))
		return 1;
	lua_pushnil(L);
	lua_insert(L, -2);
	return 2;
}

/* Pushes the value; false: pushes the error. */
static bool push_decoded(lua_State *L)
{
	struct str text = ngx_check_text(L, 1, false);
	json_error_t error = {.position = 0};
	bool is_fine = false;
	json_t *json;

	value_check_stack(L);
	vm_host_enter(L);
	json = json_loadb(text.p, text.n, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
	if (json != NULL) {
		is_fine = value_push_json(L, json);
		json_decref(json);
		error = (json_error_t){.text = "found too many nested data structures"};
	}
	vm_host_leave(L);
	if (!is_fine)
		lua_pushfstring(L, "Expected value but found invalid token at character %d: %s",
				error.position, error.text);
	return is_fine;
}

static int cjson_decode(lua_State *L)
{
	return push_decoded(L) ? 1 : raise_here(L);
}

static int cjson_safe_decode(lua_State *L)
{
	if (push_decoded(L))
		return 1;
	lua_pushnil(L);
	lua_insert(L, -2);
	return 2;
}

/* The settings of cjson are fixed here: a setter answers what is in force. */
static int cjson_array_setting(lua_State *L)
{
	lua_pushboolean(L, 1);
	return 1;
}

static int cjson_off_setting(lua_State *L)
{
	lua_pushboolean(L, 0);
	return 1;
}

static int cjson_depth_setting(lua_State *L)
{
	lua_pushinteger(L, VALUE_DEPTH_MAX);
	return 1;
}

static int cjson_precision_setting(lua_State *L)
{
	lua_pushinteger(L, 14);
	return 1;
}

static void push_constants(lua_State *L)
{
	lua_pushlightuserdata(L, NULL);
	lua_setfield(L, -2, "null");
	value_push_array_mt(L);
	lua_setfield(L, -2, "array_mt");
	value_push_array_mt(L);
	lua_setfield(L, -2, "empty_array_mt");
	value_push_empty_array(L);
	lua_setfield(L, -2, "empty_array");
	lua_pushliteral(L, "cjson");
	lua_setfield(L, -2, "_NAME");
	lua_pushliteral(L, "2.1.0");
	lua_setfield(L, -2, "_VERSION");
}

static const luaL_Reg settings[] = {
		{"decode_array_with_array_mt", cjson_array_setting},
		{"encode_empty_table_as_object", cjson_array_setting},
		{"encode_sparse_array", cjson_off_setting},
		{"encode_invalid_numbers", cjson_off_setting},
		{"decode_invalid_numbers", cjson_off_setting},
		{"encode_escape_forward_slash", cjson_off_setting},
		{"encode_max_depth", cjson_depth_setting},
		{"decode_max_depth", cjson_depth_setting},
		{"encode_number_precision", cjson_precision_setting},
		{NULL, NULL},
};

static int push_module(lua_State *L, lua_CFunction encode, lua_CFunction decode)
{
	lua_newtable(L);
	for (const luaL_Reg *s = settings; s->name != NULL; s++) {
		lua_pushcfunction(L, s->func);
		lua_setfield(L, -2, s->name);
	}
	lua_pushcfunction(L, encode);
	lua_setfield(L, -2, "encode");
	lua_pushcfunction(L, decode);
	lua_setfield(L, -2, "decode");
	push_constants(L);
	return 1;
}

static int open_cjson(lua_State *L)
{
	return push_module(L, cjson_encode, cjson_decode);
}

static int open_cjson_safe(lua_State *L)
{
	return push_module(L, cjson_safe_encode, cjson_safe_decode);
}

void module_cjson_open(lua_State *L, int env_index)
{
	(void)env_index;
	vm_provide_module(L, "cjson", open_cjson);
	vm_provide_module(L, "cjson.safe", open_cjson_safe);
}
