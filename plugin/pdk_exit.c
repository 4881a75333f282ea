/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/pdk_exit.h"

#include "base/log.h"
#include "plugin/pdk_grpc.h"
#include "plugin/pdk_headers.h"
#include "plugin/pdk_read.h"

/* to's fields and then those of `from` whose name it lacks. */
static int add_missing(struct headers *to, const struct headers *from)
{
	uint32_t n = to->n;
	int r = 0;

	for (uint32_t i = 0; i < from->n && r == 0; i++) {
		struct headers had = *to;

		had.n = n;
		if (headers_find(&had, from->v[i].name) == NULL)
			r = headers_add(to, from->v[i].name, from->v[i].value);
	}
	return r;
}

/* In header_filter the response under way takes the answer's headers. */
static int merge_response(struct exchange *x)
{
	struct answer *answer = &x->answer;
	int r = add_missing(&answer->headers, &x->response.headers);

	if (x->phase != PHASE_HEADER_FILTER || r != 0)
		return r;
	headers_share(&x->response.headers, &answer->headers);
	x->response.status = answer->status;
	return 0;
}

void pdk_answer_with(lua_State *L, int status, struct str body)
{
	struct exchange *x = pdk_exchange(L);
	struct answer *answer = &x->answer;
	int r;

	vm_host_enter(L);
	answer->status = status;
	answer->body = body;
	r = headers_set_id(&answer->headers, HEADER_CONTENT_LENGTH,
			arena_printf(x->arena, "%zu", body.n));
	headers_remove_id(&answer->headers, HEADER_TRANSFER_ENCODING);
	if (r == 0)
		r = merge_response(x);
	answer->is_set = r == 0;
	x->response.source = RESPONSE_FROM_EXIT;
	vm_host_leave(L);
	pdk_check_room(L, r);
}

int pdk_end_with(lua_State *L, int status, struct str body)
{
	if (!pdk_exchange(L)->answer.is_set)
		pdk_answer_with(L, status, body);
	return vm_end(L);
}

int pdk_end_with_error(lua_State *L, int status, struct str message)
{
	struct exchange *x = pdk_exchange(L);
	struct headers given = x->answer.headers;
	struct str type = headers_get_id(&given, HEADER_CONTENT_TYPE);

	if (x->answer.is_set)
		return vm_end(L);
	vm_host_enter(L);
	headers_init(&x->answer.headers, x->arena);
	exchange_answer_error_as(x, status, message, type);
	headers_remove_id(&given, HEADER_CONTENT_LENGTH);
	add_missing(&x->answer.headers, &given);
	x->answer.is_set = false;
	vm_host_leave(L);
	return pdk_end_with(L, status, x->answer.body);
}

static int check_status(lua_State *L, int min)
{
	double status = pdk_check_number(L, 1, "code must be a number");

	if (!(status >= min && status <= 599))
		luaL_error(L, "code must be a number between %d and 599", min);
	return (int)status;
}

/* A fresh list for the answer, filled from the headers argument. */
static void take_headers(lua_State *L, struct exchange *x)
{
	if (!lua_isnoneornil(L, 3) && !lua_istable(L, 3))
		luaL_error(L, "headers must be a nil or table");
	if (x->response.is_sent)
		luaL_error(L, "headers have already been sent");
	headers_init(&x->answer.headers, x->arena);
	if (lua_istable(L, 3))
		pdk_set_response_headers(L, &x->answer.headers, 3);
}

static void default_type(lua_State *L, struct exchange *x, struct str type)
{
	int r = 0;

	vm_host_enter(L);
	if (headers_find_id(&x->answer.headers, HEADER_CONTENT_TYPE) == NULL)
		r = headers_set_id(&x->answer.headers, HEADER_CONTENT_TYPE, type);
	vm_host_leave(L);
	pdk_check_room(L, r);
}

static void finish_grpc(lua_State *L, enum pdk_grpc kind, int status, struct str message)
{
	int r;

	vm_host_enter(L);
	r = pdk_grpc_finish(pdk_exchange(L), kind, status, message);
	vm_host_leave(L);
	pdk_check_room(L, r);
}

/* The text of a table's message field, for a gRPC call; STR_NONE: there is none. */
static struct str grpc_message(lua_State *L)
{
	lua_pushliteral(L, "message");
	lua_rawget(L, 2);
	if (lua_type(L, -1) == LUA_TSTRING)
		return pdk_header_text(L, STR("grpc-message"), lua_gettop(L));
	log_warn("body was removed because table body encoding with gRPC is not supported",
			"plugin=%s", pdk_host(L)->plugin_name);
	return STR_NONE;
}

/* exit() on a gRPC call: the body is the message. */
static int exit_call(lua_State *L, int status)
{
	struct str message = STR_NONE;

	if (lua_type(L, 2) == LUA_TSTRING)
		message = pdk_header_text(L, STR("grpc-message"), 2);
	else if (lua_istable(L, 2))
		message = grpc_message(L);
	finish_grpc(L, PDK_GRPC_CALL, status, message);
	return pdk_end_with(L, status, STR(""));
}

int pdk_exit(lua_State *L)
{
	struct exchange *x = pdk_exchange(L);
	int status = check_status(L, 100), type = lua_type(L, 2);
	struct str body = STR("");
	const char *text = "";
	enum pdk_grpc grpc;

	if (type != LUA_TNONE && type != LUA_TNIL && type != LUA_TSTRING && type != LUA_TTABLE)
		return luaL_error(L, "body must be a nil, string or table");
	if (x->answer.is_set)
		return vm_end(L);
	take_headers(L, x);
	grpc = pdk_grpc_of(x);
	if (grpc == PDK_GRPC_CALL)
		return exit_call(L, status);
	if (grpc == PDK_GRPC_OUTPUT && type == LUA_TTABLE)
		return luaL_error(L, "table body encoding with gRPC is not supported");
	finish_grpc(L, grpc, status, STR_NONE);
	if (type == LUA_TSTRING) {
		body = pdk_keep_output(L, pdk_check_str(L, 2, ""));
	} else if (type == LUA_TTABLE) {
		body = pdk_read_json(L, 2, &text);
		if (body.p == NULL)
			return luaL_error(L, "body encoding failed while flushing response: %s",
					text);
		pdk_charge(L, body.n);
		default_type(L, x, STR("application/json; charset=utf-8"));
	}
	return pdk_end_with(L, status, body);
}

/* The message argument in words; p == NULL: the status's own. */
static struct str message_of(lua_State *L)
{
	const char *text = "";
	struct str message;

	switch (lua_type(L, 2)) {
	case LUA_TNONE:
	case LUA_TNIL:
		return STR_NONE;
	case LUA_TSTRING:
		return pdk_keep_output(L, pdk_check_str(L, 2, ""));
	case LUA_TTABLE:
		message = pdk_read_json(L, 2, &text);
		if (message.p == NULL)
			luaL_error(L, "could not JSON encode the error message: %s", text);
		pdk_charge(L, message.n);
		return message;
	default:
		luaL_error(L, "message must be a nil, a string or a table");
		return STR_NONE;
	}
}

int pdk_error(lua_State *L)
{
	struct exchange *x = pdk_exchange(L);
	int status = check_status(L, 400);
	struct str message = message_of(L);

	if (x->answer.is_set)
		return vm_end(L);
	take_headers(L, x);
	switch (pdk_grpc_of(x)) {
	case PDK_GRPC_CALL:
		return exit_call(L, status);
	case PDK_GRPC_OUTPUT:
		finish_grpc(L, PDK_GRPC_OUTPUT, status, STR_NONE);
		return pdk_end_with(L, status, STR(""));
	case PDK_GRPC_NO:
		break;
	}
	return pdk_end_with_error(L, status, message);
}
