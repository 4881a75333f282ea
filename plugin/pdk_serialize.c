/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/pdk_serialize.h"

#include <errno.h>
#include <stdio.h>

#include "base/hex.h"
#include "plugin/engine_instance.h"
#include "plugin/pdk_args.h"
#include "plugin/pdk_headers.h"
#include "plugin/pdk_read.h"
#include "plugin/trace.h"
#include "plugin/value_lua.h"

#define HEADERS_MAX 1000
#define VALUE_TEXT \
	"value must be nil, a number, string, boolean or a non-self-referencial table " \
	"containing numbers, string and booleans"

static void set_str(lua_State *L, const char *key, struct str s)
{
	if (s.p == NULL)
		return;
	lua_pushlstring(L, s.p, s.n);
	lua_setfield(L, -2, key);
}

static void set_number(lua_State *L, const char *key, double d)
{
	lua_pushnumber(L, d);
	lua_setfield(L, -2, key);
}

static void set_json(lua_State *L, const char *key, struct str json)
{
	if (json.n != 0 && value_push_json_text(L, json))
		lua_setfield(L, -2, key);
}

static void redact(lua_State *L, const char *name)
{
	lua_pushstring(L, name);
	lua_rawget(L, -2);
	if (!lua_isnil(L, -1)) {
		lua_pushliteral(L, "REDACTED");
		lua_setfield(L, -3, name);
	}
	lua_pop(L, 1);
}

/* path?query as received, at the top of L. */
static void push_uri(lua_State *L, struct str path, struct str query)
{
	lua_pushlstring(L, path.p != NULL ? path.p : "", path.n);
	if (query.n == 0)
		return;
	lua_pushliteral(L, "?");
	lua_pushlstring(L, query.p, query.n);
	lua_concat(L, 3);
}

static void set_tls(lua_State *L, struct exchange *x)
{
	const struct exchange_request *q = &x->request;
	struct str verify = x->client_verify;

	if (q->tls_version.n == 0)
		return;
	if (verify.n == 0) {
		vm_host_enter(L);
		verify = exchange_client_cert(x, CLIENT_CERT_VERIFY);
		vm_host_leave(L);
	}
	lua_createtable(L, 0, 3);
	set_str(L, "version", q->tls_version);
	set_str(L, "cipher", q->tls_cipher);
	set_str(L, "client_verify", verify.n != 0 ? verify : STR("NONE"));
	lua_setfield(L, -2, "tls");
}

static void set_request(lua_State *L, struct exchange *x)
{
	const struct exchange_request *q = &x->request;
	char port[16];

	lua_createtable(L, 0, 8);
	set_str(L, "id", str_of(q->id));
	push_uri(L, q->raw_path, q->raw_query);
	lua_setfield(L, -2, "uri");
	snprintf(port, sizeof(port), ":%u", q->server.port);
	lua_pushlstring(L, q->scheme.p != NULL ? q->scheme.p : "", q->scheme.n);
	lua_pushliteral(L, "://");
	lua_pushlstring(L, q->host.p != NULL ? q->host.p : "", q->host.n);
	lua_pushstring(L, port);
	push_uri(L, q->raw_path, q->raw_query);
	lua_concat(L, 5);
	lua_setfield(L, -2, "url");
	pdk_push_args(L, q->raw_query, HEADERS_MAX);
	lua_setfield(L, -2, "querystring");
	set_str(L, "method", q->method);
	pdk_push_headers(L, &q->headers, HEADERS_MAX);
	redact(L, "authorization");
	redact(L, "proxy-authorization");
	lua_setfield(L, -2, "headers");
	set_number(L, "size", (double)q->bytes);
	set_tls(L, x);
	lua_setfield(L, -2, "request");
}

static void set_response(lua_State *L, const struct exchange_response *p)
{
	lua_createtable(L, 0, 3);
	set_number(L, "status", p->status);
	pdk_push_headers(L, &p->headers, HEADERS_MAX);
	lua_setfield(L, -2, "headers");
	set_number(L, "size", (double)p->bytes_sent);
	lua_setfield(L, -2, "response");
}

static double span_ms(uint64_t from_ns, uint64_t to_ns)
{
	return from_ns != 0 && to_ns >= from_ns ? (double)((to_ns - from_ns) / 1000000U) : 0;
}

static void set_latencies(lua_State *L, const struct exchange *x)
{
	double request = span_ms(x->request.start_mono_ns, x->response_end_ns);
	double proxy = x->upstream_headers_ns != 0
				       ? span_ms(x->upstream_start_ns, x->upstream_headers_ns)
				       : -1;
	double receive = span_ms(x->upstream_headers_ns, x->response_end_ns);
	double kong = request - (proxy > 0 ? proxy : 0) - receive;

	lua_createtable(L, 0, 4);
	set_number(L, "request", request);
	set_number(L, "proxy", proxy);
	set_number(L, "receive", receive);
	set_number(L, "kong", kong > 0 ? kong : 0);
	lua_setfield(L, -2, "latencies");
}

static void set_tries(lua_State *L, const struct exchange *x)
{
	lua_createtable(L, (int)x->n_tries, 0);
	for (uint32_t i = 0; i < x->n_tries; i++) {
		const struct exchange_try *t = &x->tries[i];

		lua_createtable(L, 0, 8);
		set_str(L, "ip", t->peer.ip);
		set_number(L, "port", t->peer.port);
		set_number(L, "balancer_start", (double)(t->start_real_ns / 1000000U));
		set_number(L, "balancer_start_ns", (double)t->start_real_ns);
		set_number(L, "balancer_latency", (double)(t->connect_ns / 1000000U));
		set_number(L, "balancer_latency_ns", (double)t->connect_ns);
		lua_pushboolean(L, t->is_reused);
		lua_setfield(L, -2, "keepalive");
		if (t->state_code != 0) {
			set_str(L, "state", STR("failed"));
			set_number(L, "code", t->state_code);
		}
		lua_rawseti(L, -2, (int)i + 1);
	}
	lua_setfield(L, -2, "tries");
}

static void set_upstream(lua_State *L, const struct exchange *x)
{
	if (x->upstream.path.n != 0)
		push_uri(L, x->upstream.path, x->request.raw_query);
	else
		lua_pushliteral(L, "");
	lua_setfield(L, -2, "upstream_uri");
	pdk_push_upstream_status(L, x);
	lua_setfield(L, -2, "upstream_status");
}

static void set_entities(lua_State *L, const struct exchange *x)
{
	set_json(L, "route", x->route.json);
	set_json(L, "service", x->service.json);
	set_json(L, "consumer", x->consumer.json);
	if (x->credential_json.n == 0 || !value_push_json_text(L, x->credential_json))
		return;
	lua_createtable(L, 0, 2);
	lua_getfield(L, -2, "id");
	lua_setfield(L, -2, "id");
	if (x->consumer.id.n != 0)
		set_str(L, "consumer_id", x->consumer.id);
	lua_getfield(L, -2, "consumer_id");
	if (!lua_isnil(L, -1))
		lua_setfield(L, -2, "consumer_id");
	else
		lua_pop(L, 1);
	lua_setfield(L, -3, "authenticated_entity");
	lua_pop(L, 1);
}

/* WRONG: the value is none that can be told; serialize() says so, as in the reference. */
enum { MODE_SET, MODE_ADD, MODE_REPLACE, MODE_WRONG };

/* The next piece of a dotted key in place: "a\.b.c" → "a.b".  *key moves behind it. */
static struct str next_piece(char **key)
{
	char *from = *key, *to = *key;
	struct str piece = {*key, 0};

	while (*from != '\0' && *from != '.') {
		if (from[0] == '\\' && from[1] == '.')
			from++;
		*to++ = *from++;
	}
	piece.n = (size_t)(to - piece.p);
	*key = *from == '.' ? from + 1 : NULL;
	return piece;
}

static int raise_in_the_way(lua_State *L, struct str key, struct str piece)
{
	const char *value = vm_push_text(L, -1, NULL);

	lua_pushlstring(L, piece.p, piece.n);
	return luaL_error(L,
			"The key '%s' could not be used as a serialize value. Subkey '%s' is not a "
			"table. It's %s",
			key.p, lua_tostring(L, -1), value);
}

/* Goes down from the table at the top of L, which the piece's replaces; tables are made where
 * there are none.  False: there is none, and none is to be made. */
static bool descend(lua_State *L, struct str piece, struct str key, int mode)
{
	lua_pushlstring(L, piece.p, piece.n);
	lua_rawget(L, -2);
	if (lua_isnil(L, -1) && mode == MODE_REPLACE) {
		lua_pop(L, 1);
		return false;
	}
	if (lua_isnil(L, -1)) {
		lua_pop(L, 1);
		lua_createtable(L, 0, 2);
		lua_pushlstring(L, piece.p, piece.n);
		lua_pushvalue(L, -2);
		lua_rawset(L, -4);
	}
	if (!lua_istable(L, -1))
		raise_in_the_way(L, key, piece);
	lua_remove(L, -2);
	return true;
}

/* One remembered value into the table at the top of L. */
static void apply(lua_State *L, struct str key, int mode, const struct value *v)
{
	char *rest = lua_newuserdata(L, key.n + 1);
	struct str piece;
	bool is_there;

	memcpy(rest, key.p, key.n + 1);
	piece = next_piece(&rest);
	lua_pushvalue(L, -2);
	for (; rest != NULL; piece = next_piece(&rest))
		if (!descend(L, piece, key, mode)) {
			lua_pop(L, 2);
			return;
		}
	lua_pushlstring(L, piece.p, piece.n);
	lua_rawget(L, -2);
	is_there = !lua_isnil(L, -1);
	lua_pop(L, 1);
	if (mode == MODE_SET || (mode == MODE_ADD) == !is_there) {
		lua_pushlstring(L, piece.p, piece.n);
		value_push(L, v);
		lua_rawset(L, -3);
	}
	lua_pop(L, 2);
}

static void apply_values(lua_State *L, const struct exchange *x)
{
	const struct value_table *t = x->log_values != NULL ? x->log_values->table : NULL;

	/* Rows of three: key, mode, value. */
	for (uint32_t i = 0; t != NULL && i + 2 < t->n; i += 3) {
		int mode = (int)t->v[i + 1].value.number;

		if (mode == MODE_WRONG)
			luaL_error(L, VALUE_TEXT);
		apply(L, t->v[i].value.string, mode, &t->v[i + 2].value);
	}
}

static void set_trace(lua_State *L, const struct trace *t)
{
	char id[2 * TRACE_ID_BYTES + 1];

	if (t == NULL)
		return;
	hex_encode(t->id, TRACE_ID_BYTES, id);
	lua_createtable(L, 0, 1);
	set_str(L, "w3c", str_of(id));
	lua_setfield(L, -2, "trace_id");
}

int pdk_serialize(lua_State *L)
{
	struct exchange *x = pdk_exchange(L);
	bool is_service = x->response.source == RESPONSE_FROM_SERVICE;

	value_check_stack(L);
	lua_createtable(L, 0, 16);
	set_request(L, x);
	set_upstream(L, x);
	set_response(L, &x->response);
	set_latencies(L, x);
	set_tries(L, x);
	set_entities(L, x);
	set_str(L, "client_ip",
			x->request.real_client.ip.n != 0 ? x->request.real_client.ip
							 : x->request.client.ip);
	set_number(L, "started_at", (double)(x->request.start_real_ns / 1000000U));
	set_str(L, "source", is_service ? STR("upstream") : STR("kong"));
	set_str(L, "workspace", STR(ENGINE_WORKSPACE));
	set_str(L, "workspace_name", STR("default"));
	set_trace(L, x->trace);
	apply_values(L, x);
	return 1;
}

static int check_mode(lua_State *L)
{
	static const char *const modes[] = {
			[MODE_SET] = "set", [MODE_ADD] = "add", [MODE_REPLACE] = "replace"};

	if (!lua_istable(L, 3))
		return MODE_SET;
	lua_pushliteral(L, "mode");
	lua_rawget(L, 3);
	if (lua_isnil(L, -1))
		return MODE_SET;
	for (size_t i = 0; lua_type(L, -1) == LUA_TSTRING && i < PDK_COUNT(modes); i++)
		if (strcmp(lua_tostring(L, -1), modes[i]) == 0)
			return (int)i;
	return luaL_error(L, "mode must be 'set', 'add' or 'replace'");
}

static struct value index_value(const struct value_table *t)
{
	return (struct value){.type = VALUE_NUMBER, .number = t->n + 1};
}

static int remember(struct exchange *x, struct str key, int mode, struct value v)
{
	struct value_table *t;
	struct value words[3] = {value_of_str(key), {.type = VALUE_NUMBER, .number = mode}, v};

	if (x->log_values == NULL) {
		x->log_values = arena_calloc(x->arena, sizeof(*x->log_values));
		if (x->log_values == NULL)
			return -ENOMEM;
		*x->log_values = value_table_make(x->arena);
	}
	t = x->log_values->table;
	if (t == NULL || t->n >= VALUE_FIELDS_MAX)
		return -ENOMEM;
	for (int i = 0; i < 3; i++)
		if (value_append(x->arena, t, index_value(t), words[i]) != 0)
			return -ENOMEM;
	return 0;
}

int pdk_set_serialize_value(lua_State *L)
{
	struct exchange *x = pdk_exchange(L);
	struct str key = pdk_check_str(L, 1, "key must be a string");
	int mode = check_mode(L), r;
	const char *text = "";
	struct value v;

	key = pdk_keep(L, key);
	value_check_stack(L);
	vm_host_enter(L);
	r = value_from_lua(L, 2, x->arena, &v, &text);
	if (r == -EINVAL)
		r = remember(x, key, MODE_WRONG, (struct value){.type = VALUE_NIL});
	else if (r == 0)
		r = remember(x, key, mode, v);
	vm_host_leave(L);
	pdk_check_room(L, r);
	return 0;
}
