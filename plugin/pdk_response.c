/* SPDX-License-Identifier: Apache-2.0
 * kong.response, but for exit() and error() (pdk_exit.c) */
#include "base/log.h"
#include "plugin/pdk_exit.h"
#include "plugin/pdk_headers.h"
#include "plugin/pdk_part.h"

#define COUNT_DEFAULT 100
#define COUNT_MAX 1000
/* Chunks held back by get_raw_body() at most. */
#define HELD_MAX_BYTES (16U << 20)

static struct exchange_response *response_of(lua_State *L)
{
	return &pdk_exchange(L)->response;
}

static void check_not_sent(lua_State *L)
{
	if (response_of(L)->is_sent)
		luaL_error(L, "headers have already been sent");
}

static int get_status(lua_State *L)
{
	lua_pushnumber(L, response_of(L)->status);
	return 1;
}

static int get_header(lua_State *L)
{
	return pdk_push_header(L, &response_of(L)->headers, 1, "header name must be a string");
}

static int get_headers(lua_State *L)
{
	long max = pdk_opt_count(L, 1, "max_headers", COUNT_DEFAULT, 1, COUNT_MAX);

	return pdk_return_headers(L, &response_of(L)->headers, max);
}

static int get_source(lua_State *L)
{
	static const char *const names[] = {
			[RESPONSE_NOT_YET] = "error",
			[RESPONSE_FROM_SERVICE] = "service",
			[RESPONSE_FROM_EXIT] = "exit",
			[RESPONSE_FROM_ERROR] = "error",
	};

	lua_pushstring(L, names[response_of(L)->source]);
	return 1;
}

static int set_status(lua_State *L)
{
	double status = pdk_check_number(L, 1, "code must be a number");

	if (!(status >= 100 && status <= 599))
		return luaL_error(L, "code must be a number between 100 and 599");
	check_not_sent(L);
	response_of(L)->status = (int)status;
	return 0;
}

/* The message's framing is ours alone. */
static bool is_framing(lua_State *L)
{
	struct str name;

	if (lua_type(L, 1) != LUA_TSTRING)
		return false;
	name.p = lua_tolstring(L, 1, &name.n);
	if (!str_ieq(name, STR("transfer-encoding")))
		return false;
	log_warn(PDK_FRAMING_TEXT, "plugin=%s", pdk_host(L)->plugin_name);
	return true;
}

static int change(lua_State *L, enum pdk_header_change how)
{
	check_not_sent(L);
	pdk_dash_name(L, 1);
	if (!is_framing(L))
		pdk_change_header(L, &response_of(L)->headers, 1, 2, how);
	return 0;
}

static int set_header(lua_State *L)
{
	return change(L, PDK_HEADER_SET);
}

static int add_header(lua_State *L)
{
	return change(L, PDK_HEADER_ADD);
}

static int clear_header(lua_State *L)
{
	struct str name;

	pdk_dash_name(L, 1);
	name = pdk_check_str(L, 1, "header name must be a string");
	check_not_sent(L);
	vm_host_enter(L);
	headers_remove(&response_of(L)->headers, name);
	vm_host_leave(L);
	return 0;
}

static int set_headers(lua_State *L)
{
	check_not_sent(L);
	pdk_set_response_headers(L, &response_of(L)->headers, 1);
	return 0;
}

static bool hold_chunk(struct exchange *x, struct pdk_slot *slot)
{
	size_t n = slot->held_body.n + x->chunk.n;

	if (n > HELD_MAX_BYTES)
		return false;
	if (n > slot->held_cap) {
		size_t cap = n * 2;
		char *grown = arena_grow(x->arena, (char *)(uintptr_t)slot->held_body.p,
				slot->held_cap, cap);

		if (grown == NULL)
			return false;
		slot->held_body.p = grown;
		slot->held_cap = cap;
	}
	if (x->chunk.n != 0)
		memcpy((char *)(uintptr_t)slot->held_body.p + slot->held_body.n, x->chunk.p,
				x->chunk.n);
	slot->held_body.n = n;
	return true;
}

/* Holds chunks back; the last call has them all, as the one chunk that is left. */
static int get_raw_body(lua_State *L)
{
	struct exchange *x = pdk_exchange(L);
	struct pdk_slot *slot = pdk_host(L)->slot;
	bool is_held;

	if (x->chunk_is_last && slot->held_body.n == 0) {
		lua_pushlstring(L, x->chunk.p != NULL ? x->chunk.p : "", x->chunk.n);
		return 1;
	}
	vm_host_enter(L);
	is_held = hold_chunk(x, slot);
	if (is_held)
		x->chunk = x->chunk_is_last ? slot->held_body : STR("");
	vm_host_leave(L);
	if (!is_held)
		return luaL_error(L, "the response body is too large to be held");
	if (!x->chunk_is_last) {
		lua_pushnil(L);
		return 1;
	}
	lua_pushlstring(L, x->chunk.p, x->chunk.n);
	return 1;
}

static int set_raw_body(lua_State *L)
{
	struct str body = pdk_check_str(L, 1, "body must be a string");
	struct exchange *x = pdk_exchange(L);

	x->chunk = body.n != 0 ? pdk_keep_output(L, body) : STR("\n");
	x->chunk_is_last = true;
	pdk_host(L)->slot->has_replaced_body = true;
	return 0;
}

/* clang-format off */
#define RESPONSE_FUNCTIONS(X) \
	X("get_status", get_status, PDK_HBL, VM_STRICT, "status of the response to the client") \
	X("get_header", get_header, PDK_HBL, VM_STRICT, "first value of a response header, or nil") \
	X("get_headers", get_headers, PDK_HBL, VM_STRICT, "response headers as a table") \
	X("get_source", get_source, PDK_HBL, VM_STRICT, "who made the response: \"service\", \"exit\" or \"error\"") \
	X("set_status", set_status, PDK_RAH, VM_STRICT, "sets the status") \
	X("set_header", set_header, PDK_RAH, VM_STRICT, "replaces a header") \
	X("add_header", add_header, PDK_RAH, VM_STRICT, "adds a header beside those of its name") \
	X("clear_header", clear_header, PDK_RAH, VM_STRICT, "removes every header of that name") \
	X("set_headers", set_headers, PDK_RAH, VM_STRICT, "replaces each header of a table") \
	X("get_raw_body", get_raw_body, PDK_BODY_FILTER, VM_STRICT, "the whole body once the last chunk is in, nil before") \
	X("set_raw_body", set_raw_body, PDK_BODY_FILTER, VM_STRICT, "replaces the body and ends it") \
	X("exit", pdk_exit, PDK_RAH, VM_STRICT, "answers the client and ends the phase") \
	X("error", pdk_error, PDK_RAH, VM_STRICT, "answers with an error in the form the client accepts")
/* clang-format on */

void pdk_open_response(lua_State *L, int env_index)
{
	static const struct pdk_function functions[] = {RESPONSE_FUNCTIONS(PDK_ROW)};

	pdk_register(L, env_index, "kong.response", functions, PDK_COUNT(functions));
}
