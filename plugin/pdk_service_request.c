/* SPDX-License-Identifier: Apache-2.0
 * kong.service.request */
#include "plugin/path.h"
#include "plugin/pdk_args.h"
#include "plugin/pdk_body.h"
#include "plugin/pdk_headers.h"
#include "plugin/pdk_part.h"
#include "plugin/pdk_query.h"

static int enable_buffering(lua_State *L)
{
	pdk_exchange(L)->wants_buffered_response = true;
	return 0;
}

static int set_scheme(lua_State *L)
{
	struct str s = pdk_check_str(L, 1, "scheme must be a string");

	if (str_eq(s, STR("http")))
		pdk_exchange(L)->upstream.scheme = STR("http");
	else if (str_eq(s, STR("https")))
		pdk_exchange(L)->upstream.scheme = STR("https");
	else
		return luaL_error(L, "invalid scheme: %s", s.p);
	return 0;
}

static int set_path(lua_State *L)
{
	struct str s = pdk_check_str(L, 1, "path must be a string");
	struct exchange *x = pdk_exchange(L);

	if (s.n == 0 || s.p[0] != '/')
		return luaL_error(L, "path must start with /");
	s = pdk_keep_output(L, s);
	vm_host_enter(L);
	s = path_escape(x->arena, s);
	if (s.p != NULL)
		x->upstream.path = s;
	vm_host_leave(L);
	pdk_check_room(L, s.p != NULL ? 0 : -1);
	return 0;
}

static void change_query(lua_State *L, struct str query)
{
	struct exchange_request *q = &pdk_exchange(L)->request;

	q->raw_query = query;
	q->is_query_changed = true;
}

static int set_raw_query(lua_State *L)
{
	struct str s = pdk_check_str(L, 1, "query must be a string");
	struct str kept;

	pdk_charge(L, s.n);
	vm_host_enter(L);
	/* As in a path, but '?' and the separators are its own. */
	kept = arena_str(pdk_exchange(L)->arena, s);
	for (size_t i = 0; kept.p != NULL && i < kept.n; i++)
		if ((unsigned char)kept.p[i] <= 0x20 || kept.p[i] == 0x7f || kept.p[i] == '#') {
			kept = STR_NONE;
			break;
		}
	vm_host_leave(L);
	if (kept.p == NULL)
		return luaL_error(L, "query must not hold spaces, '#' or control characters: "
				     "escape them");
	change_query(L, kept);
	return 0;
}

static int set_query(lua_State *L)
{
	if (lua_type(L, 1) != LUA_TTABLE)
		return luaL_error(L, "args must be a table");
	if (!pdk_push_encoded_args(L, 1, true))
		return luaL_error(L, "%s", lua_tostring(L, -1));
	change_query(L, pdk_keep_output(L, pdk_check_str(L, lua_gettop(L), "")));
	return 0;
}

/* The items but those of that name, in their order; '+' written as %20. */
static struct str without_arg(struct arena *a, struct str query, struct str name)
{
	char *p = arena_alloc(a, query.n * 3 + 1);
	struct query_item item;
	size_t n = 0;

	if (p == NULL)
		return STR_NONE;
	while (query_next(&query, &item)) {
		struct str whole = {item.name.p,
				item.value.p != NULL ? (size_t)(item.value.p - item.name.p) +
								       item.value.n
						     : item.name.n};

		if (query_name_is(item.name, name))
			continue;
		if (n != 0)
			p[n++] = '&';
		for (size_t i = 0; i < whole.n; i++) {
			if (whole.p[i] != '+') {
				p[n++] = whole.p[i];
				continue;
			}
			memcpy(p + n, "%20", 3);
			n += 3;
		}
	}
	return (struct str){p, n};
}

static int clear_query_arg(lua_State *L)
{
	struct str name = pdk_check_str(L, 1, "query argument name must be a string");
	struct exchange *x = pdk_exchange(L);
	struct str query;

	vm_host_enter(L);
	query = without_arg(x->arena, x->request.raw_query, name);
	vm_host_leave(L);
	pdk_check_room(L, query.p != NULL ? 0 : -1);
	change_query(L, query);
	return 0;
}

static int set_method(lua_State *L)
{
	static const char *const methods[] = {"GET", "HEAD", "PUT", "POST", "DELETE", "OPTIONS",
			"MKCOL", "COPY", "MOVE", "PROPFIND", "PROPPATCH", "LOCK", "UNLOCK", "PATCH",
			"TRACE"};
	struct str s = pdk_check_str(L, 1, "method must be a string");

	for (size_t i = 0; i < PDK_COUNT(methods); i++)
		if (str_eq(s, str_of(methods[i]))) {
			pdk_exchange(L)->upstream.method = str_of(methods[i]);
			return 0;
		}
	return luaL_error(L, "invalid method: %s", s.p);
}

static void change_host(lua_State *L, struct str host)
{
	struct exchange_upstream *up = &pdk_exchange(L)->upstream;

	up->host_header = host;
	up->is_host_header_set = true;
}

enum special { SPECIAL_NONE, SPECIAL_HOST, SPECIAL_AUTHORITY, SPECIAL_FRAMING };

/* Names that are not simply fields of the request. */
static enum special special_of(lua_State *L)
{
	struct str name;

	if (lua_type(L, 1) != LUA_TSTRING)
		return SPECIAL_NONE;
	name.p = lua_tolstring(L, 1, &name.n);
	if (str_ieq(name, STR("host")))
		return SPECIAL_HOST;
	if (str_ieq(name, STR(":authority")))
		return SPECIAL_AUTHORITY;
	return str_ieq(name, STR("transfer-encoding")) || str_ieq(name, STR("content-length"))
			       ? SPECIAL_FRAMING
			       : SPECIAL_NONE;
}

static int change_header(lua_State *L, enum pdk_header_change how)
{
	switch (special_of(L)) {
	case SPECIAL_HOST:
		change_host(L, pdk_header_text(L, STR("host"), 2));
		return 0;
	case SPECIAL_AUTHORITY:
		return pdk_fail(L, "cannot set :authority pseudo-header on non-grpc requests");
	case SPECIAL_FRAMING:
		/* The message's framing follows from its body. */
		return 0;
	case SPECIAL_NONE:
		break;
	}
	pdk_change_header(L, &pdk_exchange(L)->request.headers, 1, 2, how);
	return 0;
}

static int set_header(lua_State *L)
{
	return change_header(L, PDK_HEADER_SET);
}

static int add_header(lua_State *L)
{
	return change_header(L, PDK_HEADER_ADD);
}

static int clear_header(lua_State *L)
{
	struct str name = pdk_check_str(L, 1, "header must be a string");

	if (special_of(L) == SPECIAL_FRAMING)
		return 0;
	vm_host_enter(L);
	headers_remove(&pdk_exchange(L)->request.headers, name);
	vm_host_leave(L);
	return 0;
}

static int set_headers(lua_State *L)
{
	struct exchange *x = pdk_exchange(L);
	struct str host = STR_NONE, length;

	pdk_check_room(L, 0);
	length = headers_get_id(&x->request.headers, HEADER_CONTENT_LENGTH);
	pdk_set_headers(L, &x->request.headers, 1, STR("host"), &host);
	vm_host_enter(L);
	headers_remove_id(&x->request.headers, HEADER_TRANSFER_ENCODING);
	if (length.p != NULL)
		headers_set_id(&x->request.headers, HEADER_CONTENT_LENGTH, length);
	else
		headers_remove_id(&x->request.headers, HEADER_CONTENT_LENGTH);
	vm_host_leave(L);
	if (host.p != NULL)
		change_host(L, host);
	return 0;
}

static int set_raw_body(lua_State *L)
{
	pdk_replace_body(L, pdk_keep_output(L, pdk_check_str(L, 1, "body must be a string")));
	return 0;
}

static int set_body(lua_State *L)
{
	struct exchange *x = pdk_exchange(L);
	struct str mime = headers_get_id(&x->request.headers, HEADER_CONTENT_TYPE), type, body;
	int r;

	if (lua_type(L, 1) != LUA_TTABLE)
		return luaL_error(L, "args must be a table");
	if (!lua_isnoneornil(L, 2))
		mime = pdk_check_str(L, 2, "mime must be a string");
	if (mime.n == 0)
		return pdk_fail(L, "content type was neither explicitly given as an argument or "
				   "received as a header");
	if (!pdk_encode_body(L, 1, pdk_keep(L, mime), &body, &type))
		return 2;
	pdk_charge(L, body.n);
	pdk_replace_body(L, body);
	vm_host_enter(L);
	r = headers_set_id(&x->request.headers, HEADER_CONTENT_TYPE, type);
	vm_host_leave(L);
	pdk_check_room(L, r);
	lua_pushboolean(L, 1);
	return 1;
}

/* clang-format off */
#define SERVICE_REQUEST_FUNCTIONS(X) \
	X("enable_buffering", enable_buffering, PDK_RAB, VM_STRICT, "holds the service's response whole before it is sent") \
	X("set_scheme", set_scheme, PDK_RAB, VM_STRICT, "\"http\" or \"https\" to the service") \
	X("set_path", set_path, PDK_RAB, VM_STRICT, "path sent to the service, without query") \
	X("set_raw_query", set_raw_query, PDK_RA, VM_STRICT, "query string sent to the service") \
	X("set_query", set_query, PDK_RA, VM_STRICT, "query sent to the service, from a table") \
	X("clear_query_arg", clear_query_arg, PDK_RA, VM_STRICT, "removes an argument from the query") \
	X("set_method", set_method, PDK_RA, VM_STRICT, "method sent to the service") \
	X("set_header", set_header, PDK_RAB, VM_STRICT, "replaces a request header") \
	X("add_header", add_header, PDK_RA, VM_STRICT, "adds a request header beside those of its name") \
	X("clear_header", clear_header, PDK_RA, VM_STRICT, "removes every request header of that name") \
	X("set_headers", set_headers, PDK_RA, VM_STRICT, "replaces each request header of a table") \
	X("set_raw_body", set_raw_body, PDK_RAB, VM_STRICT, "replaces the request body") \
	X("set_body", set_body, PDK_RA, VM_STRICT, "replaces the request body by a table: form, JSON, multipart")
/* clang-format on */

void pdk_open_service_request(lua_State *L, int env_index)
{
	static const struct pdk_function functions[] = {SERVICE_REQUEST_FUNCTIONS(PDK_ROW)};

	pdk_register(L, env_index, "kong.service.request", functions, PDK_COUNT(functions));
}
