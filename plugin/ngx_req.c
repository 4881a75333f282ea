/* SPDX-License-Identifier: Apache-2.0
 * ngx.req.* but for the body, and ngx.resp.*. */
#include "plugin/ngx_table.h"

#include <lauxlib.h>

#include "plugin/path.h"
#include "plugin/pdk_args.h"
#include "plugin/pdk_headers.h"
#include "plugin/pdk_query.h"

#define HEADERS_DEFAULT 100
#define HEADERS_MAX 1000

static const struct {
	const char *name;
	lua_Integer number;
} methods[] = {{"GET", 2}, {"HEAD", 4}, {"POST", 8}, {"PUT", 16}, {"DELETE", 32}, {"MKCOL", 64},
		{"COPY", 128}, {"MOVE", 256}, {"OPTIONS", 512}, {"PROPFIND", 1024},
		{"PROPPATCH", 2048}, {"LOCK", 4096}, {"UNLOCK", 8192}, {"PATCH", 16384},
		{"TRACE", 32768}};

const char *ngx_method_name(lua_Integer number)
{
	for (size_t i = 0; i < PDK_COUNT(methods); i++)
		if (methods[i].number == number)
			return methods[i].name;
	return NULL;
}

/* Names as they came, in a plain table. */
static void push_raw_headers(lua_State *L, const struct headers *h, long max)
{
	lua_createtable(L, 0, (int)h->n);
	for (uint32_t i = 0; i < h->n && i < (uint32_t)max; i++) {
		pdk_push_str(L, h->v[i].value);
		pdk_add_field(L, h->v[i].name);
	}
}

static int push_header_table(lua_State *L, const struct headers *h)
{
	long max = (long)luaL_optinteger(L, 1, HEADERS_DEFAULT);

	max = max <= 0 || max > HEADERS_MAX ? HEADERS_MAX : max;
	if (!lua_toboolean(L, 2))
		return pdk_return_headers(L, h, max);
	push_raw_headers(L, h, max);
	if (h->n <= (uint32_t)max)
		return 1;
	lua_pushliteral(L, "truncated");
	return 2;
}

static int req_get_headers(lua_State *L)
{
	return push_header_table(L, &pdk_exchange(L)->request.headers);
}

static int resp_get_headers(lua_State *L)
{
	return push_header_table(L, &pdk_exchange(L)->response.headers);
}

static int req_set_header(lua_State *L)
{
	struct headers *h = &pdk_exchange(L)->request.headers;

	if (lua_isnoneornil(L, 2))
		headers_remove(h, ngx_check_text(L, 1, false));
	else
		pdk_change_header(L, h, 1, 2, PDK_HEADER_SET);
	return 0;
}

static int req_clear_header(lua_State *L)
{
	headers_remove(&pdk_exchange(L)->request.headers, ngx_check_text(L, 1, false));
	return 0;
}

static int req_get_method(lua_State *L)
{
	const struct exchange *x = pdk_exchange(L);

	pdk_push_str(L, x->upstream.method.n != 0 ? x->upstream.method : x->request.method);
	return 1;
}

static int req_set_method(lua_State *L)
{
	const char *name = ngx_method_name(luaL_checkinteger(L, 1));

	if (name == NULL)
		return luaL_error(L, "unsupported HTTP method: %d", (int)lua_tointeger(L, 1));
	pdk_exchange(L)->upstream.method = str_of(name);
	return 0;
}

static int req_get_uri_args(lua_State *L)
{
	long max = (long)luaL_optinteger(L, 1, 100);

	if (!pdk_push_args(L, pdk_exchange(L)->request.raw_query, max < 0 ? 100 : max))
		return 1;
	lua_pushliteral(L, "truncated");
	return 2;
}

static int req_set_uri_args(lua_State *L)
{
	struct exchange *x = pdk_exchange(L);
	struct str query;

	if (!lua_istable(L, 1) && !lua_isstring(L, 1))
		return luaL_argerror(L, 1,
				lua_pushfstring(L, "string, number, or table expected, but got %s",
						luaL_typename(L, 1)));
	if (lua_istable(L, 1) && !pdk_push_encoded_args(L, 1, false))
		return luaL_error(L, "%s", lua_tostring(L, -1));
	query = ngx_check_text(L, lua_istable(L, 1) ? -1 : 1, false);
	x->request.raw_query = pdk_keep_output(L, query);
	x->request.is_query_changed = true;
	return 0;
}

static int req_set_uri(lua_State *L)
{
	struct exchange *x = pdk_exchange(L);
	struct str uri = ngx_check_text(L, 1, false);

	if (uri.n == 0)
		return luaL_error(L, "attempt to use zero-length uri");
	if (uri.p[0] != '/')
		return luaL_error(L, "attempt to use a uri that does not start with \"/\"");
	if (lua_toboolean(L, 2))
		return luaL_error(
				L, "jump is not available: routes are matched before plugins run");
	for (size_t i = 0; i < uri.n; i++)
		if ((unsigned char)uri.p[i] <= 0x20 || uri.p[i] == 0x7f || uri.p[i] == '?' ||
				uri.p[i] == '#')
			return luaL_error(L, "unsafe byte in uri \"%s\"", uri.p);
	x->request.path = pdk_keep_output(L, uri);
	vm_host_enter(L);
	uri = path_escape(x->arena, x->request.path);
	if (uri.p != NULL)
		x->upstream.path = uri;
	vm_host_leave(L);
	pdk_check_room(L, uri.p != NULL ? 0 : -1);
	return 0;
}

static int req_http_version(lua_State *L)
{
	const struct exchange_request *r = &pdk_exchange(L)->request;

	lua_pushnumber(L, r->http_major + r->http_minor / 10.0);
	return 1;
}

static int req_is_internal(lua_State *L)
{
	lua_pushboolean(L, 0);
	return 1;
}

static int req_start_time(lua_State *L)
{
	uint64_t ms = pdk_exchange(L)->request.start_real_ns / 1000000U;

	lua_pushnumber(L, (double)ms / 1000.0);
	return 1;
}

static int req_raw_header(lua_State *L)
{
	const struct exchange_request *r = &pdk_exchange(L)->request;
	luaL_Buffer b;

	luaL_buffinit(L, &b);
	if (!lua_toboolean(L, 1)) {
		luaL_addlstring(&b, r->request_line.p, r->request_line.n);
		luaL_addlstring(&b, "\r\n", 2);
	}
	for (uint32_t i = 0; i < r->headers.n; i++) {
		luaL_addlstring(&b, r->headers.v[i].name.p, r->headers.v[i].name.n);
		luaL_addlstring(&b, ": ", 2);
		luaL_addlstring(&b, r->headers.v[i].value.p, r->headers.v[i].value.n);
		luaL_addlstring(&b, "\r\n", 2);
	}
	luaL_addlstring(&b, "\r\n", 2);
	luaL_pushresult(&b);
	return 1;
}

/* clang-format off */
#define REQ_FUNCTIONS(X) \
	X("get_headers", req_get_headers, PDK_IN_REQUEST, VM_STRICT, "The request's headers as a table; at most max (100); a second true: names as they came.") \
	X("set_header", req_set_header, PDK_RA, VM_STRICT, "Replaces a request header; nil removes it.") \
	X("clear_header", req_clear_header, PDK_RA, VM_STRICT, "Removes a request header.") \
	X("get_method", req_get_method, PDK_IN_REQUEST, VM_STRICT, "The method.") \
	X("set_method", req_set_method, PDK_RA, VM_STRICT, "The method sent to the service: ngx.HTTP_….") \
	X("get_uri_args", req_get_uri_args, PDK_IN_REQUEST, VM_STRICT, "The query arguments as a table; at most max (100).") \
	X("set_uri_args", req_set_uri_args, PDK_RA, VM_STRICT, "Replaces the query by a string or table.") \
	X("set_uri", req_set_uri, PDK_RA, VM_STRICT, "Replaces the path sent to the service.") \
	X("http_version", req_http_version, PDK_IN_REQUEST, VM_STRICT, "1.0, 1.1 or 2.") \
	X("is_internal", req_is_internal, PDK_IN_REQUEST, VM_STRICT, "false: there are no internal requests.") \
	X("start_time", req_start_time, PDK_IN_REQUEST, VM_STRICT, "Seconds since the epoch, with milliseconds.") \
	X("raw_header", req_raw_header, PDK_IN_REQUEST, VM_STRICT, "The header section as text; without the request line if true.")

#define RESP_FUNCTIONS(X) \
	X("get_headers", resp_get_headers, PDK_IN_REQUEST, VM_STRICT, "The response's headers as a table; at most max (100).")
/* clang-format on */

static const struct pdk_function functions[] = {REQ_FUNCTIONS(PDK_ROW)};
static const struct pdk_function resp_functions[] = {RESP_FUNCTIONS(PDK_ROW)};

void ngx_req_open(lua_State *L, int env_index)
{
	pdk_register(L, env_index, "ngx.req", functions, PDK_COUNT(functions));
	pdk_register(L, env_index, "ngx.resp", resp_functions, PDK_COUNT(resp_functions));
}
