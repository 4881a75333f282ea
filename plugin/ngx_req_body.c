/* SPDX-License-Identifier: Apache-2.0
 * The request body by ngx.req.*. */
#include "plugin/ngx_table.h"

#include <lauxlib.h>

#include "plugin/pdk_args.h"

static int finish_read(lua_State *L, struct exchange *x, const struct pdk_pending *pending)
{
	(void)L;
	(void)x;
	(void)pending;
	return 0;
}

static int body_read(lua_State *L)
{
	struct exchange *x = pdk_exchange(L);
	struct pdk_pending pending = {.finish = finish_read, .is_done = pdk_body_is_in};

	if (x->request.body.state != BODY_UNREAD && x->request.body.state != BODY_READING)
		return 0;
	if (!pdk_may_wait(L))
		return luaL_error(L, "API disabled in the current phase");
	vm_host_enter(L);
	if (x->request.body.state == BODY_UNREAD)
		x->ops->want_body(x, 0);
	vm_host_leave(L);
	return x->request.body.state == BODY_READING ? pdk_wait(L, &pending) : 0;
}

static int body_get_data(lua_State *L)
{
	const struct body *b = &pdk_exchange(L)->request.body;

	pdk_push_str(L, b->state == BODY_COMPLETE && b->bytes.n != 0 ? b->bytes : STR_NONE);
	return 1;
}

static int body_set_data(lua_State *L)
{
	struct str bytes = ngx_check_text(L, 1, false);

	pdk_replace_body(L, pdk_keep_output(L, bytes));
	return 0;
}

static int body_init(lua_State *L)
{
	pdk_replace_body(L, STR(""));
	return 0;
}

static int body_append(lua_State *L)
{
	const struct body *b = &pdk_exchange(L)->request.body;
	struct str more = ngx_check_text(L, 1, false);

	pdk_charge(L, more.n);
	lua_pushlstring(L, b->bytes.p, b->state == BODY_COMPLETE ? b->bytes.n : 0);
	lua_pushlstring(L, more.p, more.n);
	lua_concat(L, 2);
	pdk_replace_body(L, pdk_keep(L, ngx_check_text(L, -1, false)));
	return 0;
}

static int body_finish(lua_State *L)
{
	(void)L;
	return 0;
}

static int body_discard(lua_State *L)
{
	pdk_replace_body(L, STR(""));
	return 0;
}

static int body_get_post_args(lua_State *L)
{
	const struct body *b = &pdk_exchange(L)->request.body;
	long max = (long)luaL_optinteger(L, 1, 100);

	if (b->state == BODY_UNREAD || b->state == BODY_READING)
		return luaL_error(L, "no request body found; call ngx.req.read_body() first");
	if (!pdk_push_args(L, b->state == BODY_COMPLETE ? b->bytes : STR_NONE, max < 0 ? 100 : max))
		return 1;
	lua_pushliteral(L, "truncated");
	return 2;
}

/* clang-format off */
#define BODY_FUNCTIONS(X) \
	X("read_body", body_read, PDK_PRE, VM_STRICT, "Waits until the body is in; at most client_body_buffer_size.") \
	X("get_body_data", body_get_data, PDK_IN_REQUEST, VM_STRICT, "The body that was read, or nil.") \
	X("get_post_args", body_get_post_args, PDK_PRE, VM_STRICT, "The form in the body as a table.") \
	X("set_body_data", body_set_data, PDK_RA, VM_STRICT, "Replaces the body sent to the service.") \
	X("init_body", body_init, PDK_RA, VM_STRICT, "Starts a new, empty body.") \
	X("append_body", body_append, PDK_RA, VM_STRICT, "Adds to the body begun by init_body.") \
	X("finish_body", body_finish, PDK_RA, VM_STRICT, "Ends the body begun by init_body.") \
	X("discard_body", body_discard, PDK_RA, VM_STRICT, "Sends no body to the service.")
/* clang-format on */

static const struct pdk_function functions[] = {BODY_FUNCTIONS(PDK_ROW)};

void ngx_req_body_open(lua_State *L, int env_index)
{
	pdk_register(L, env_index, "ngx.req", functions, PDK_COUNT(functions));
}
