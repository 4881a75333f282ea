/* SPDX-License-Identifier: Apache-2.0
 * kong.request */
#include <stdio.h>

#include "plugin/pdk_args.h"
#include "plugin/pdk_body.h"
#include "plugin/pdk_headers.h"
#include "plugin/pdk_part.h"
#include "plugin/pdk_query.h"
#include "plugin/value_lua.h"

#define COUNT_DEFAULT 100
#define COUNT_MAX 1000
#define BODY_MAX_TEXT "max_allowed_file_size"

static const struct exchange_request *request_of(lua_State *L)
{
	return &pdk_exchange(L)->request;
}

static int push(lua_State *L, struct str s)
{
	pdk_push_str(L, s);
	return 1;
}

static int push_lower(lua_State *L, struct str s)
{
	char buf[256];

	if (s.n > sizeof(buf))
		s.n = sizeof(buf);
	for (size_t i = 0; i < s.n; i++)
		buf[i] = ascii_lower(s.p[i]);
	lua_pushlstring(L, buf, s.n);
	return 1;
}

/* A forwarding header, only when the peer is trusted to send one; p == NULL = none. */
static struct str forwarded(const struct exchange_request *q, enum header_id id)
{
	return q->client_is_trusted ? headers_get_id(&q->headers, id) : STR_NONE;
}

/* Before the first comma. */
static struct str first_of_list(struct str s)
{
	ptrdiff_t at = str_find_char(s, ',');

	return str_trim(at < 0 ? s : str_head(s, (size_t)at));
}

static int get_scheme(lua_State *L)
{
	return push(L, request_of(L)->scheme);
}

static int get_host(lua_State *L)
{
	return push(L, request_of(L)->host);
}

static int get_port(lua_State *L)
{
	lua_pushnumber(L, request_of(L)->server.port);
	return 1;
}

static int get_forwarded_scheme(lua_State *L)
{
	const struct exchange_request *q = request_of(L);
	struct str s = forwarded(q, HEADER_X_FORWARDED_PROTO);

	return push_lower(L, s.n != 0 ? first_of_list(s) : q->scheme);
}

/* "user@host:port" → host and port (n == 0 = none); "[::1]:80" too. */
static struct str split_host(struct str s, struct str *ret_port)
{
	ptrdiff_t at = str_find_char(s, '@');
	size_t colon;

	if (at >= 0)
		s = str_from(s, (size_t)at + 1);
	colon = s.n;
	while (colon > 0 && s.p[colon - 1] != ':' && s.p[colon - 1] != ']')
		colon--;
	if (colon == 0 || s.p[colon - 1] == ']') {
		*ret_port = STR_NONE;
		return s;
	}
	*ret_port = str_from(s, colon);
	return str_head(s, colon - 1);
}

static int get_forwarded_host(lua_State *L)
{
	const struct exchange_request *q = request_of(L);
	struct str s = forwarded(q, HEADER_X_FORWARDED_HOST), port;

	return push_lower(L, s.n != 0 ? split_host(first_of_list(s), &port) : q->host);
}

static bool port_of(struct str text, uint64_t *ret)
{
	return text.n != 0 && str_to_u64(first_of_list(text), ret) && *ret >= 1 && *ret <= 65535;
}

static int get_forwarded_port(lua_State *L)
{
	const struct exchange_request *q = request_of(L);
	struct str host = forwarded(q, HEADER_X_FORWARDED_HOST), told = STR_NONE;
	uint64_t n;

	if (host.n != 0)
		split_host(first_of_list(host), &told);
	if (!port_of(forwarded(q, HEADER_X_FORWARDED_PORT), &n) && !port_of(told, &n))
		n = q->server.port;
	lua_pushnumber(L, (double)n);
	return 1;
}

static int get_forwarded_path(lua_State *L)
{
	const struct exchange_request *q = request_of(L);
	struct str s = forwarded(q, HEADER_X_FORWARDED_PATH);

	return push(L, s.n != 0 ? s : q->path);
}

static int get_raw_forwarded_path(lua_State *L)
{
	const struct exchange_request *q = request_of(L);
	struct str s = forwarded(q, HEADER_X_FORWARDED_PATH);

	return push(L, s.n != 0 ? s : q->raw_path);
}

static int get_forwarded_prefix(lua_State *L)
{
	const struct exchange *x = pdk_exchange(L);
	struct str s = forwarded(&x->request, HEADER_X_FORWARDED_PREFIX);

	if (s.n == 0)
		s = x->matched_prefix;
	return push(L, s.n != 0 ? s : STR_NONE);
}

static int get_http_version(lua_State *L)
{
	const struct exchange_request *q = request_of(L);

	lua_pushnumber(L, q->http_major + q->http_minor / 10.0);
	return 1;
}

static int get_method(lua_State *L)
{
	return push(L, request_of(L)->method);
}

static int get_path(lua_State *L)
{
	return push(L, request_of(L)->path);
}

static int get_raw_path(lua_State *L)
{
	return push(L, request_of(L)->raw_path);
}

static int get_path_with_query(lua_State *L)
{
	const struct exchange_request *q = request_of(L);

	lua_pushlstring(L, q->raw_path.p, q->raw_path.n);
	if (q->raw_query.n == 0)
		return 1;
	lua_pushliteral(L, "?");
	lua_pushlstring(L, q->raw_query.p, q->raw_query.n);
	lua_concat(L, 3);
	return 1;
}

static int get_raw_query(lua_State *L)
{
	struct str s = request_of(L)->raw_query;

	return push(L, s.p != NULL ? s : STR(""));
}

static int get_query_arg(lua_State *L)
{
	struct str name = pdk_check_str(L, 1, "query argument name must be a string");
	struct exchange *x = pdk_exchange(L);
	struct str rest = x->request.raw_query;
	struct query_item item;

	for (int n = 0; n < COUNT_DEFAULT && query_next(&rest, &item); n++)
		if (query_name_is(item.name, name)) {
			if (item.value.p == NULL)
				lua_pushboolean(L, 1);
			else
				pdk_push_str(L, query_unescape(x->arena, item.value));
			return 1;
		}
	lua_pushnil(L);
	return 1;
}

static int get_query(lua_State *L)
{
	long max = pdk_opt_count(L, 1, "max_args", COUNT_DEFAULT, 1, COUNT_MAX);
	struct exchange *x = pdk_exchange(L);

	if (!pdk_push_args(L, x->request.raw_query, max))
		return 1;
	lua_pushliteral(L, "truncated");
	return 2;
}

static int get_header(lua_State *L)
{
	return pdk_push_header(L, &request_of(L)->headers, 1, "header name must be a string");
}

static int get_headers(lua_State *L)
{
	long max = pdk_opt_count(L, 1, "max_headers", COUNT_DEFAULT, 1, COUNT_MAX);

	return pdk_return_headers(L, &request_of(L)->headers, max);
}

/* What the body's state means to who asked for it: pushes bytes, or nil and a text. */
static int push_raw_body(lua_State *L, const struct body *b, double max)
{
	switch (b->state) {
	case BODY_NONE:
		lua_pushliteral(L, "");
		return 1;
	case BODY_COMPLETE:
		if (max > 0 && (double)b->bytes.n > max)
			return pdk_fail(L, "request body file too big: %zu > %.0f", b->bytes.n,
					max);
		lua_pushlstring(L, b->bytes.p != NULL ? b->bytes.p : "", b->bytes.n);
		return 1;
	case BODY_TOO_BIG:
		return pdk_fail(L, "request body did not fit into client body buffer, consider "
				   "raising 'client_body_buffer_size'");
	case BODY_FAILED:
		return pdk_fail(L, "the client closed the connection before the body was complete");
	case BODY_UNREAD:
	case BODY_READING:
		break;
	}
	return pdk_fail(L, "the request body is not available in this phase");
}

static int finish_raw_body(lua_State *L, struct exchange *x, const struct pdk_pending *pending)
{
	return push_raw_body(L, &x->request.body, pending->number[0]);
}

/* Asks the host for the body when nobody has yet.  True: the run must wait for it, even when
 * the host knows the end of it already: it goes on by chain_resume() in any case. */
static bool must_wait_for_body(lua_State *L)
{
	struct exchange *x = pdk_exchange(L);

	if (x->request.body.state != BODY_UNREAD || !pdk_may_wait(L))
		return false;
	vm_host_enter(L);
	x->ops->want_body(x, 0);
	vm_host_leave(L);
	return true;
}

static double opt_size(lua_State *L, int arg)
{
	if (lua_isnoneornil(L, arg))
		return 0;
	return pdk_check_number(L, arg, BODY_MAX_TEXT " must be a number");
}

static int get_raw_body(lua_State *L)
{
	double max = opt_size(L, 1);

	if (must_wait_for_body(L))
		return pdk_wait(L, &(struct pdk_pending){.finish = finish_raw_body,
						   .is_done = pdk_body_is_in,
						   .number = {max}});
	return push_raw_body(L, &request_of(L)->body, max);
}

static int push_decoded_body(
		lua_State *L, struct exchange *x, struct str mime, double max_args, double max)
{
	const struct body *b = &x->request.body;
	int n;

	if (b->state == BODY_NONE)
		return pdk_push_body(L, x->arena, STR(""), mime, (long)max_args);
	if (b->state == BODY_COMPLETE && (max <= 0 || (double)b->bytes.n <= max))
		return pdk_push_body(L, x->arena, b->bytes, mime, (long)max_args);
	n = push_raw_body(L, b, max);
	pdk_push_str(L, pdk_body_type(x->arena, mime));
	return n + 1;
}

static int finish_body(lua_State *L, struct exchange *x, const struct pdk_pending *pending)
{
	return push_decoded_body(L, x, pending->text, pending->number[0], pending->number[1]);
}

static int get_body(lua_State *L)
{
	struct exchange *x = pdk_exchange(L);
	struct str mime = lua_isnoneornil(L, 1)
					  ? headers_get_id(&x->request.headers, HEADER_CONTENT_TYPE)
					  : pdk_check_str(L, 1, "mimetype must be a string");
	long max_args = pdk_opt_count(L, 2, "max_args", COUNT_DEFAULT, 1, COUNT_MAX);
	double max = opt_size(L, 3);

	if (mime.n == 0)
		return pdk_fail(L, "missing content type");
	value_check_stack(L);
	mime = pdk_keep(L, mime);
	if (must_wait_for_body(L))
		return pdk_wait(L, &(struct pdk_pending){.finish = finish_body,
						   .is_done = pdk_body_is_in,
						   .number = {(double)max_args, max},
						   .text = mime});
	return push_decoded_body(L, x, mime, (double)max_args, max);
}

static int get_start_time(lua_State *L)
{
	lua_pushnumber(L, (double)(request_of(L)->start_real_ns / 1000000U));
	return 1;
}

/* {"unnamed":[whole, first, …], "named":{…}}; whole is at index 0, as in the reference. */
static int get_uri_captures(lua_State *L)
{
	struct str json = pdk_exchange(L)->uri_captures_json;
	int n;

	value_check_stack(L);
	if (json.n == 0 || !value_push_json_text(L, json)) {
		lua_createtable(L, 0, 2);
		lua_createtable(L, 0, 0);
		lua_setfield(L, -2, "unnamed");
		lua_createtable(L, 0, 0);
		lua_setfield(L, -2, "named");
		return 1;
	}
	lua_getfield(L, -1, "unnamed");
	n = lua_istable(L, -1) ? (int)lua_objlen(L, -1) : 0;
	for (int i = 1; i <= n + 1 && n != 0; i++) {
		lua_rawgeti(L, -1, i);
		lua_rawseti(L, -2, i - 1);
	}
	lua_pop(L, 1);
	return 1;
}

static int get_raw_headers(lua_State *L)
{
	const struct headers *h = &request_of(L)->headers;
	luaL_Buffer b;

	luaL_buffinit(L, &b);
	for (uint32_t i = 0; i < h->n; i++) {
		luaL_addlstring(&b, h->v[i].name.p, h->v[i].name.n);
		luaL_addlstring(&b, ": ", 2);
		luaL_addlstring(&b, h->v[i].value.p, h->v[i].value.n);
		luaL_addlstring(&b, "\r\n", 2);
	}
	luaL_pushresult(&b);
	return 1;
}

static int get_id(lua_State *L)
{
	return push(L, str_of(request_of(L)->id));
}

/* clang-format off */
#define REQUEST_FUNCTIONS(X) \
	X("get_scheme", get_scheme, PDK_REQ, VM_STRICT, "scheme of the connection: \"http\" or \"https\"") \
	X("get_host", get_host, PDK_REQ, VM_STRICT, "Host without port, in lower case") \
	X("get_port", get_port, PDK_IN_REQUEST, VM_STRICT, "port of the listener") \
	X("get_forwarded_scheme", get_forwarded_scheme, PDK_REQ, VM_STRICT, "scheme, X-Forwarded-Proto from trusted peers first") \
	X("get_forwarded_host", get_forwarded_host, PDK_REQ, VM_STRICT, "host, X-Forwarded-Host from trusted peers first") \
	X("get_forwarded_port", get_forwarded_port, PDK_REQ, VM_STRICT, "port, X-Forwarded-Port from trusted peers first") \
	X("get_forwarded_path", get_forwarded_path, PDK_REQ, VM_STRICT, "path, X-Forwarded-Path from trusted peers first") \
	X("get_raw_forwarded_path", get_raw_forwarded_path, PDK_REQ, VM_STRICT, "the same, not normalized") \
	X("get_forwarded_prefix", get_forwarded_prefix, PDK_REQ, VM_STRICT, "path prefix that was stripped, or nil") \
	X("get_http_version", get_http_version, PDK_REQ, VM_STRICT, "1.0, 1.1 or 2") \
	X("get_method", get_method, PDK_REQ, VM_STRICT, "request method") \
	X("get_path", get_path, PDK_REQ, VM_STRICT, "normalized path without query") \
	X("get_raw_path", get_raw_path, PDK_REQ, VM_STRICT, "path as received, without query") \
	X("get_path_with_query", get_path_with_query, PDK_REQ, VM_STRICT, "path and query as received") \
	X("get_raw_query", get_raw_query, PDK_REQ, VM_STRICT, "query string without '?', \"\" when there is none") \
	X("get_query_arg", get_query_arg, PDK_REQ, VM_STRICT, "first value of a query argument; true without '='") \
	X("get_query", get_query, PDK_REQ, VM_STRICT, "query arguments as a table") \
	X("get_header", get_header, PDK_REQ, VM_STRICT, "first value of a request header, or nil") \
	X("get_headers", get_headers, PDK_REQ, VM_STRICT, "request headers as a table") \
	X("get_raw_headers", get_raw_headers, PDK_REQ, VM_LAX, "request headers as text, a line each") \
	X("get_raw_body", get_raw_body, PDK_PRE, VM_STRICT, "request body; waits until it is in") \
	X("get_body", get_body, PDK_PRE, VM_STRICT, "request body decoded: form, JSON, multipart") \
	X("get_start_time", get_start_time, PDK_REQ, VM_STRICT, "when the request arrived, in ms") \
	X("get_uri_captures", get_uri_captures, PDK_REQ, VM_STRICT, "captures of the route's regex path") \
	X("get_id", get_id, PDK_REQ, VM_STRICT, "id of the request: X-Kong-Request-Id")
/* clang-format on */

void pdk_open_request(lua_State *L, int env_index)
{
	static const struct pdk_function functions[] = {REQUEST_FUNCTIONS(PDK_ROW)};

	pdk_register(L, env_index, "kong.request", functions, PDK_COUNT(functions));
}
