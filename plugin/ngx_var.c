/* SPDX-License-Identifier: Apache-2.0
 * ngx.var: one table of names, each with what reads it and, for a few, what writes it. */
#include "plugin/ngx_table.h"

#include <arpa/inet.h>
#include <time.h>
#include <unistd.h>

#include <lauxlib.h>

#include "base/clock.h"
#include "plugin/engine.h"
#include "plugin/path.h"
#include "plugin/pdk_query.h"

typedef void var_get_fn(lua_State *L, const struct exchange *x);
typedef void var_set_fn(struct exchange *x, struct str value);

static void push_text(lua_State *L, struct str s)
{
	pdk_push_str(L, s.n != 0 ? s : STR_NONE);
}

static void push_decimal(lua_State *L, uint64_t n)
{
	lua_pushnumber(L, (double)n);
	lua_tostring(L, -1);
}

#define TEXT_VAR(name, expression) \
	static void get_##name(lua_State *L, const struct exchange *x) \
	{ \
		push_text(L, (expression)); \
	}

TEXT_VAR(args, x->request.raw_query)
TEXT_VAR(content_length, headers_get_id(&x->request.headers, HEADER_CONTENT_LENGTH))
TEXT_VAR(content_type, headers_get_id(&x->request.headers, HEADER_CONTENT_TYPE))
TEXT_VAR(host, x->request.host)
TEXT_VAR(remote_addr, x->request.real_client.ip)
TEXT_VAR(realip_remote_addr, x->request.client.ip)
TEXT_VAR(request, x->request.request_line)
TEXT_VAR(request_id, str_of(x->request.id))
TEXT_VAR(request_method, x->request.method)
TEXT_VAR(request_uri, x->request.target)
TEXT_VAR(request_body, x->request.body.state == BODY_COMPLETE ? x->request.body.bytes : STR_NONE)
TEXT_VAR(scheme, x->request.scheme)
TEXT_VAR(server_addr, x->request.server.ip)
TEXT_VAR(ssl_cipher, x->request.tls_cipher)
TEXT_VAR(ssl_protocol, x->request.tls_version)
TEXT_VAR(ssl_server_name, x->request.tls_sni)
TEXT_VAR(uri, x->request.path)
TEXT_VAR(upstream_host, x->upstream.host_header)
TEXT_VAR(upstream_scheme, x->upstream.scheme)
TEXT_VAR(route_id, x->route.id)
TEXT_VAR(route_name, x->route.name)
TEXT_VAR(service_id, x->service.id)
TEXT_VAR(service_name, x->service.name)

static void get_https(lua_State *L, const struct exchange *x)
{
	lua_pushstring(L, x->request.tls_version.n != 0 ? "on" : "");
}

static void get_http2(lua_State *L, const struct exchange *x)
{
	lua_pushstring(L, x->request.http_major == 2 ? "h2" : "");
}

static void get_server_name(lua_State *L, const struct exchange *x)
{
	(void)x;
	lua_pushliteral(L, "kong");
}

static void get_is_args(lua_State *L, const struct exchange *x)
{
	lua_pushstring(L, x->request.raw_query.n != 0 ? "?" : "");
}

#define NUMBER_VAR(name, expression) \
	static void get_##name(lua_State *L, const struct exchange *x) \
	{ \
		(void)x; \
		push_decimal(L, (uint64_t)(expression)); \
	}

NUMBER_VAR(body_bytes_sent, x->response.body_bytes_sent)
NUMBER_VAR(bytes_sent, x->response.bytes_sent)
NUMBER_VAR(remote_port, x->request.real_client.port)
NUMBER_VAR(realip_remote_port, x->request.client.port)
NUMBER_VAR(request_length, x->request.bytes)
NUMBER_VAR(server_port, x->request.server.port)
NUMBER_VAR(pid, getpid())

static void get_binary_remote_addr(lua_State *L, const struct exchange *x)
{
	char text[64], bytes[16];
	bool is_v6 = str_find_char(x->request.real_client.ip, ':') >= 0;

	snprintf(text, sizeof(text), "%.*s", STR_ARG(x->request.real_client.ip));
	if (inet_pton(is_v6 ? AF_INET6 : AF_INET, text, bytes) == 1)
		lua_pushlstring(L, bytes, is_v6 ? 16 : 4);
	else
		lua_pushnil(L);
}

static void push_seconds(lua_State *L, uint64_t ms)
{
	char text[32];

	lua_pushlstring(L, text,
			(size_t)snprintf(text, sizeof(text), "%u.%03u", (unsigned)(ms / 1000),
					(unsigned)(ms % 1000)));
}

static void get_request_time(lua_State *L, const struct exchange *x)
{
	push_seconds(L, (clock_mono_ns() - x->request.start_mono_ns) / 1000000U);
}

static void get_msec(lua_State *L, const struct exchange *x)
{
	(void)x;
	push_seconds(L, clock_real_ns() / 1000000U);
}

static void get_status(lua_State *L, const struct exchange *x)
{
	if (x->response.status == 0)
		lua_pushliteral(L, "000");
	else
		push_decimal(L, (uint64_t)x->response.status);
}

static void get_upstream_status(lua_State *L, const struct exchange *x)
{
	pdk_push_upstream_status(L, x);
	if (lua_objlen(L, -1) != 0)
		return;
	lua_pop(L, 1);
	lua_pushnil(L);
}

/* Of each try, as "10.0.0.1:80, [::1]:80". */
static void get_upstream_addr(lua_State *L, const struct exchange *x)
{
	luaL_Buffer b;
	char port[16];

	if (x->n_tries == 0) {
		lua_pushnil(L);
		return;
	}
	luaL_buffinit(L, &b);
	for (uint32_t i = 0; i < x->n_tries; i++) {
		const struct endpoint *peer = &x->tries[i].peer;
		bool is_v6 = str_find_char(peer->ip, ':') >= 0;

		luaL_addstring(&b, i != 0 ? ", " : "");
		luaL_addstring(&b, is_v6 ? "[" : "");
		luaL_addlstring(&b, peer->ip.p, peer->ip.n);
		snprintf(port, sizeof(port), "%s:%u", is_v6 ? "]" : "", (unsigned)peer->port);
		luaL_addstring(&b, port);
	}
	luaL_pushresult(&b);
}

static void push_span(lua_State *L, uint64_t from_ns, uint64_t to_ns)
{
	if (from_ns == 0 || to_ns < from_ns)
		lua_pushnil(L);
	else
		push_seconds(L, (to_ns - from_ns) / 1000000U);
}

static void get_upstream_connect_time(lua_State *L, const struct exchange *x)
{
	push_span(L, x->upstream_start_ns, x->upstream_connected_ns);
}

static void get_upstream_header_time(lua_State *L, const struct exchange *x)
{
	push_span(L, x->upstream_start_ns, x->upstream_headers_ns);
}

static void get_upstream_response_time(lua_State *L, const struct exchange *x)
{
	push_span(L, x->upstream_start_ns, x->response_end_ns);
}

static void get_server_protocol(lua_State *L, const struct exchange *x)
{
	lua_pushfstring(L, "HTTP/%d.%d", x->request.http_major, x->request.http_minor);
}

static void get_time_iso8601(lua_State *L, const struct exchange *x)
{
	time_t now = time(NULL);
	char text[64];
	struct tm tm;

	(void)x;
	gmtime_r(&now, &tm);
	lua_pushlstring(L, text, strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S+00:00", &tm));
}

static void get_time_local(lua_State *L, const struct exchange *x)
{
	time_t now = time(NULL);
	char text[64];
	struct tm tm;

	(void)x;
	gmtime_r(&now, &tm);
	lua_pushlstring(L, text, strftime(text, sizeof(text), "%d/%b/%Y:%H:%M:%S +0000", &tm));
}

static void get_hostname(lua_State *L, const struct exchange *x)
{
	(void)x;
	lua_pushstring(L, pdk_host(L)->conf->hostname);
}

static void get_upstream_uri(lua_State *L, const struct exchange *x)
{
	struct str path = x->upstream.path;

	if (path.n == 0) {
		vm_host_enter(L);
		path = path_escape(x->arena, x->request.path);
		vm_host_leave(L);
		pdk_check_room(L, path.p != NULL ? 0 : -1);
	}
	lua_pushlstring(L, path.p, path.n);
	if (x->request.raw_query.n == 0)
		return;
	lua_pushliteral(L, "?");
	lua_pushlstring(L, x->request.raw_query.p, x->request.raw_query.n);
	lua_concat(L, 3);
}

static void set_args(struct exchange *x, struct str value)
{
	x->request.raw_query = value;
	x->request.is_query_changed = true;
}

static void set_upstream_uri(struct exchange *x, struct str value)
{
	ptrdiff_t q = str_find_char(value, '?');

	x->upstream.path = q < 0 ? value : str_head(value, (size_t)q);
	if (q >= 0)
		set_args(x, str_from(value, (size_t)q + 1));
}

static void set_upstream_host(struct exchange *x, struct str value)
{
	x->upstream.host_header = value;
	x->upstream.is_host_header_set = true;
}

static void set_upstream_scheme(struct exchange *x, struct str value)
{
	x->upstream.scheme = value;
}

/* clang-format off */
#define VARS(X) \
	X(args, get_args, set_args) X(query_string, get_args, NULL) X(is_args, get_is_args, NULL) \
	X(binary_remote_addr, get_binary_remote_addr, NULL) \
	X(body_bytes_sent, get_body_bytes_sent, NULL) X(bytes_sent, get_bytes_sent, NULL) \
	X(content_length, get_content_length, NULL) X(content_type, get_content_type, NULL) \
	X(document_uri, get_uri, NULL) X(host, get_host, NULL) X(hostname, get_hostname, NULL) \
	X(https, get_https, NULL) X(http2, get_http2, NULL) X(msec, get_msec, NULL) X(pid, get_pid, NULL) \
	X(realip_remote_addr, get_realip_remote_addr, NULL) \
	X(realip_remote_port, get_realip_remote_port, NULL) \
	X(remote_addr, get_remote_addr, NULL) X(remote_port, get_remote_port, NULL) \
	X(request, get_request, NULL) X(request_body, get_request_body, NULL) \
	X(request_id, get_request_id, NULL) X(kong_request_id, get_request_id, NULL) \
	X(request_length, get_request_length, NULL) X(request_method, get_request_method, NULL) \
	X(request_time, get_request_time, NULL) X(request_uri, get_request_uri, NULL) \
	X(scheme, get_scheme, NULL) X(server_addr, get_server_addr, NULL) \
	X(server_name, get_server_name, NULL) X(server_port, get_server_port, NULL) \
	X(server_protocol, get_server_protocol, NULL) X(ssl_cipher, get_ssl_cipher, NULL) \
	X(ssl_protocol, get_ssl_protocol, NULL) X(ssl_server_name, get_ssl_server_name, NULL) \
	X(status, get_status, NULL) X(time_iso8601, get_time_iso8601, NULL) \
	X(time_local, get_time_local, NULL) X(uri, get_uri, NULL) \
	X(upstream_addr, get_upstream_addr, NULL) \
	X(upstream_connect_time, get_upstream_connect_time, NULL) \
	X(upstream_header_time, get_upstream_header_time, NULL) \
	X(upstream_host, get_upstream_host, set_upstream_host) \
	X(upstream_response_time, get_upstream_response_time, NULL) \
	X(upstream_scheme, get_upstream_scheme, set_upstream_scheme) \
	X(upstream_status, get_upstream_status, NULL) \
	X(upstream_uri, get_upstream_uri, set_upstream_uri) \
	X(kong_route_id, get_route_id, NULL) X(kong_route_name, get_route_name, NULL) \
	X(kong_service_id, get_service_id, NULL) X(kong_service_name, get_service_name, NULL)
/* clang-format on */

static const struct var {
	struct str name;
	var_get_fn *get;
	var_set_fn *set; /* NULL: read-only */
} vars[] = {
#define X(name, get, set) {{#name, sizeof(#name) - 1}, (get), (set)},
		VARS(X)
#undef X
};

static const struct var *find_var(struct str name)
{
	for (size_t i = 0; i < PDK_COUNT(vars); i++)
		if (str_eq(vars[i].name, name))
			return &vars[i];
	return NULL;
}

static void push_cookie(lua_State *L, const struct exchange *x, struct str name)
{
	const struct header *f = headers_find_id(&x->request.headers, HEADER_COOKIE);

	for (; f != NULL; f = headers_next(&x->request.headers, f)) {
		struct str rest = f->value;

		while (rest.n != 0) {
			ptrdiff_t semicolon = str_find_char(rest, ';');
			struct str pair = str_trim(
					semicolon < 0 ? rest : str_head(rest, (size_t)semicolon));
			ptrdiff_t eq = str_find_char(pair, '=');

			if (eq >= 0 && str_ieq(str_head(pair, (size_t)eq), name)) {
				pdk_push_str(L, str_from(pair, (size_t)eq + 1));
				return;
			}
			rest = semicolon < 0 ? STR_NONE : str_from(rest, (size_t)semicolon + 1);
		}
	}
	lua_pushnil(L);
}

/* As it was written: nginx decodes nothing here.  Without '=' it is no argument of this kind. */
static void push_arg(lua_State *L, const struct exchange *x, struct str name)
{
	struct str rest = x->request.raw_query;
	struct query_item item;

	while (query_next(&rest, &item))
		if (item.value.p != NULL && str_ieq(item.name, name)) {
			pdk_push_str(L, item.value);
			return;
		}
	lua_pushnil(L);
}

static void push_request_header(lua_State *L, const struct exchange *x, struct str name)
{
	const struct header *f = headers_find_loose(&x->request.headers, name);

	pdk_push_str(L, f != NULL ? f->value : STR_NONE);
}

static void push_response_header(lua_State *L, const struct exchange *x, struct str name)
{
	const struct header *f = headers_find_loose(&x->response.headers, name);

	pdk_push_str(L, f != NULL ? f->value : STR_NONE);
}

static void push_service_header(lua_State *L, const struct exchange *x, struct str name)
{
	const struct header *f = headers_find_loose(&x->response.service_headers, name);

	pdk_push_str(L, f != NULL ? f->value : STR_NONE);
}

static const struct {
	struct str prefix;
	void (*push)(lua_State *L, const struct exchange *x, struct str rest);
} families[] = {
		{{"arg_", 4}, push_arg},
		{{"cookie_", 7}, push_cookie},
		{{"http_", 5}, push_request_header},
		{{"sent_http_", 10}, push_response_header},
		{{"upstream_http_", 14}, push_service_header},
};

/* ssl_client_*; false: no such variable. */
static bool push_client_cert(lua_State *L, struct str name)
{
	static const char *const names[CLIENT_CERT_COUNT] = {
#define X(id, variable, what) [CLIENT_CERT_##id] = (variable),
			EXCHANGE_CLIENT_CERT_TABLE(X)
#undef X
	};
	struct str text;

	if (!str_starts(name, STR("ssl_client_")))
		return false;
	for (unsigned i = 0; i < CLIENT_CERT_COUNT; i++) {
		if (!str_eq(name, str_of(names[i])))
			continue;
		vm_host_enter(L);
		text = exchange_client_cert(pdk_exchange(L), (enum exchange_client_cert)i);
		vm_host_leave(L);
		push_text(L, text);
		return true;
	}
	return false;
}

static struct exchange *check_exchange(lua_State *L)
{
	struct exchange *x = pdk_exchange(L);

	if (x == NULL)
		luaL_error(L, "API disabled in the current context: ngx.var needs a request");
	return x;
}

static int var_index(lua_State *L)
{
	const struct exchange *x = check_exchange(L);
	struct str name = ngx_check_text(L, 2, false);
	const struct var *v = find_var(name);

	if (v != NULL) {
		v->get(L, x);
		return 1;
	}
	if (push_client_cert(L, name))
		return 1;
	for (size_t i = 0; i < PDK_COUNT(families); i++) {
		if (str_starts(name, families[i].prefix)) {
			families[i].push(L, x, str_from(name, families[i].prefix.n));
			return 1;
		}
	}
	lua_pushnil(L);
	return 1;
}

static int var_newindex(lua_State *L)
{
	struct exchange *x = check_exchange(L);
	struct str name = ngx_check_text(L, 2, false), value;
	const struct var *v = find_var(name);

	if (v == NULL)
		return luaL_error(L,
				"variable \"%s\" not found for writing; maybe it is a built-in "
				"variable that is not changeable or you forgot to use \"set $%s "
				"'';\"",
				name.p, name.p);
	if (v->set == NULL)
		return luaL_error(L, "variable \"%s\" not changeable", name.p);
	value = ngx_check_text(L, 3, true);
	for (size_t i = 0; i < value.n; i++)
		if ((unsigned char)value.p[i] < 0x21 || value.p[i] == 0x7f)
			return luaL_error(L, "unsafe byte in the value of \"%s\"", name.p);
	if (v->set == set_upstream_scheme && !str_eq(value, STR("http")) &&
			!str_eq(value, STR("https")))
		return luaL_error(L, "invalid scheme: %s", value.p);
	v->set(x, pdk_keep(L, value));
	return 0;
}

void ngx_var_open(lua_State *L, int env_index)
{
	pdk_push_table(L, env_index, "ngx");
	lua_newtable(L);
	lua_createtable(L, 0, 3);
	lua_pushcfunction(L, var_index);
	lua_setfield(L, -2, "__index");
	lua_pushcfunction(L, var_newindex);
	lua_setfield(L, -2, "__newindex");
	lua_pushboolean(L, 0);
	lua_setfield(L, -2, "__metatable");
	lua_setmetatable(L, -2);
	lua_setfield(L, -2, "var");
	lua_pop(L, 1);
}
