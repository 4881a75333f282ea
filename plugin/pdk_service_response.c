/* SPDX-License-Identifier: Apache-2.0
 * kong.service.response */
#include <errno.h>

#include "plugin/inflate.h"
#include "plugin/pdk_body.h"
#include "plugin/pdk_headers.h"
#include "plugin/pdk_part.h"
#include "plugin/value_lua.h"

#define COUNT_DEFAULT 100
#define COUNT_MAX 1000
/* A body grows to that when it is decompressed. */
#define INFLATED_MAX_BYTES (4U << 20)

static struct exchange_response *response_of(lua_State *L)
{
	return &pdk_exchange(L)->response;
}

static int get_status(lua_State *L)
{
	int status = response_of(L)->service_status;

	if (status == 0)
		lua_pushnil(L);
	else
		lua_pushnumber(L, status);
	return 1;
}

static int get_header(lua_State *L)
{
	return pdk_push_header(L, &response_of(L)->service_headers, 1, "name must be a string");
}

static int get_headers(lua_State *L)
{
	long max = pdk_opt_count(L, 1, "max_headers", COUNT_DEFAULT, 1, COUNT_MAX);

	return pdk_return_headers(L, &response_of(L)->service_headers, max);
}

static struct str check_body(lua_State *L)
{
	const struct exchange *x = pdk_exchange(L);
	const struct body *b = &x->response.service_body;

	if (!x->wants_buffered_response)
		luaL_error(L, "service body is only available with buffered proxying "
			      "(see: kong.service.request.enable_buffering function)");
	return b->state == BODY_COMPLETE && b->bytes.p != NULL ? b->bytes : STR("");
}

static int get_raw_body(lua_State *L)
{
	pdk_push_str(L, check_body(L));
	return 1;
}

static bool is_killed(void *L)
{
	return vm_is_killed(L);
}

/* The body in *body without its Content-Encoding; NULL, or what is wrong. */
static const char *decompress(lua_State *L, struct str *body)
{
	struct exchange *x = pdk_exchange(L);
	struct str coding = headers_get(&x->response.service_headers, STR("Content-Encoding"));
	int r;

	if (coding.n == 0 || body->n == 0 || str_ieq(coding, STR("identity")))
		return NULL;
	if (!str_ieq(coding, STR("gzip")) && !str_ieq(coding, STR("x-gzip")) &&
			!str_ieq(coding, STR("deflate")))
		return "the body's Content-Encoding is not gzip or deflate";
	vm_host_enter(L);
	r = inflate_body(x->arena, *body, INFLATED_MAX_BYTES, is_killed, L, body);
	vm_host_leave(L);
	pdk_check_room(L, r == -ENOMEM ? r : 0);
	if (r == -EFBIG)
		return "the body is too large when it is decompressed";
	return r != 0 ? "the body cannot be decompressed" : NULL;
}

static int get_body(lua_State *L)
{
	struct exchange *x = pdk_exchange(L);
	struct str body = check_body(L);
	struct str mime = lua_isnoneornil(L, 1) ? headers_get_id(&x->response.service_headers,
								  HEADER_CONTENT_TYPE)
						: pdk_check_str(L, 1, "mimetype must be a string");
	long max_args = pdk_opt_count(L, 2, "max_args", COUNT_DEFAULT, 1, COUNT_MAX);
	const char *problem;

	if (mime.n == 0)
		return pdk_fail(L, "missing content type");
	problem = lua_toboolean(L, 3) ? decompress(L, &body) : NULL;
	if (problem != NULL)
		return pdk_fail(L, "%s", problem);
	value_check_stack(L);
	return pdk_push_body(L, x->arena, body, mime, max_args);
}

/* What the client gets instead; its length and the rest of its framing follow from it. */
static int set_body(lua_State *L)
{
	struct str body = pdk_check_str(L, 1, "body must be a string");
	struct body *b = &response_of(L)->service_body;

	if (response_of(L)->is_sent)
		return luaL_error(L, "headers have already been sent");
	body = pdk_keep_output(L, body);
	*b = (struct body){.state = BODY_COMPLETE, .bytes = body, .is_replaced = true};
	return 0;
}

/* clang-format off */
#define SERVICE_RESPONSE_FUNCTIONS(X) \
	X("get_status", get_status, PDK_UHBL, VM_STRICT, "status the service sent, nil when it sent none") \
	X("get_header", get_header, PDK_UHBL, VM_STRICT, "first value of a header the service sent, or nil") \
	X("get_headers", get_headers, PDK_UHBL, VM_STRICT, "headers the service sent as a table") \
	X("get_raw_body", get_raw_body, PDK_UHBL, VM_STRICT, "body the service sent, when it is held whole") \
	X("get_body", get_body, PDK_UHBL, VM_STRICT, "the same decoded: form, JSON, multipart; the third argument true: decompressed before") \
	X("set_body", set_body, PDK_RESPONSE, VM_LAX, "replaces the body the service sent")
/* clang-format on */

void pdk_open_service_response(lua_State *L, int env_index)
{
	static const struct pdk_function functions[] = {SERVICE_RESPONSE_FUNCTIONS(PDK_ROW)};

	pdk_register(L, env_index, "kong.service.response", functions, PDK_COUNT(functions));
}
