/* SPDX-License-Identifier: Apache-2.0
 * kong.client, kong.ip, kong.router */
#include <arpa/inet.h>

#include "base/hex.h"
#include "plugin/engine.h"
#include "plugin/groups.h"
#include "plugin/pdk_part.h"
#include "plugin/pdk_read.h"
#include "plugin/value_lua.h"

#define ENTITIES_KEY "pdk_entities"
/* Tables kept in a VM; then they are made anew. */
#define ENTITIES_MAX 256

static int push_endpoint_ip(lua_State *L, const struct endpoint *e)
{
	pdk_push_str(L, e->ip);
	return 1;
}

static int get_ip(lua_State *L)
{
	return push_endpoint_ip(L, &pdk_exchange(L)->request.client);
}

static int get_port(lua_State *L)
{
	lua_pushnumber(L, pdk_exchange(L)->request.client.port);
	return 1;
}

/* Before the real address is known it is the peer's. */
static const struct endpoint *real_client(lua_State *L)
{
	const struct exchange_request *q = &pdk_exchange(L)->request;

	return q->real_client.ip.n != 0 ? &q->real_client : &q->client;
}

static int get_forwarded_ip(lua_State *L)
{
	return push_endpoint_ip(L, real_client(L));
}

static int get_forwarded_port(lua_State *L)
{
	lua_pushnumber(L, real_client(L)->port);
	return 1;
}

static int push_json_or_nil(lua_State *L, struct str json)
{
	value_check_stack(L);
	if (json.n == 0 || !value_push_json_text(L, json))
		lua_pushnil(L);
	return 1;
}

/* The value at the top under the key below it, in this VM's table of entities at `entities`, or
 * in another when that is full; [1] counts them. */
static void keep_entity(lua_State *L, int entities)
{
	lua_Integer n;

	lua_rawgeti(L, entities, 1);
	n = lua_tointeger(L, -1);
	lua_pop(L, 1);
	if (n >= ENTITIES_MAX) {
		lua_newtable(L);
		lua_pushvalue(L, -1);
		lua_setfield(L, LUA_REGISTRYINDEX, ENTITIES_KEY);
		lua_replace(L, entities);
		n = 0;
	}
	lua_pushinteger(L, n + 1);
	lua_rawseti(L, entities, 1);
	lua_pushvalue(L, -2);
	lua_pushvalue(L, -2);
	lua_rawset(L, entities);
}

/* The entity as one table for as long as its text is the same: by text, so that a change of the
 * entity, or another of the same id, is another table. */
static int push_entity(lua_State *L, struct str json)
{
	int entities;

	value_check_stack(L);
	if (luaL_findtable(L, LUA_REGISTRYINDEX, ENTITIES_KEY, 0) != NULL || json.n == 0) {
		lua_pushnil(L);
		return 1;
	}
	entities = lua_gettop(L);
	lua_pushlstring(L, json.p, json.n);
	lua_pushvalue(L, -1);
	lua_rawget(L, entities);
	if (lua_istable(L, -1))
		return 1;
	lua_pop(L, 1);
	if (value_push_json_text(L, json))
		keep_entity(L, entities);
	else
		lua_pushnil(L);
	return 1;
}

static int get_consumer(lua_State *L)
{
	return push_entity(L, pdk_exchange(L)->consumer.json);
}

static int get_credential(lua_State *L)
{
	return push_json_or_nil(L, pdk_exchange(L)->credential_json);
}

static int load_consumer(lua_State *L)
{
	struct exchange *x = pdk_exchange(L);
	struct str key = pdk_check_str(L, 1, "consumer_id must be a string");
	bool by_username = lua_toboolean(L, 2), is_id = uuid_is_valid(key), is_found = false;
	struct entity_ref ref = {.id = STR_NONE};

	if (!by_username && !is_id)
		return luaL_error(L, "cannot load a consumer with an id that is not a uuid");
	vm_host_enter(L);
	if (x->ops != NULL && x->ops->find_consumer != NULL)
		is_found = (is_id && x->ops->find_consumer(x, key, false, &ref)) ||
			   (by_username && x->ops->find_consumer(x, key, true, &ref));
	vm_host_leave(L);
	return push_entity(L, is_found ? ref.json : STR_NONE);
}

static struct str raw_field(lua_State *L, int table, const char *key)
{
	struct str s = STR_NONE;

	lua_pushstring(L, key);
	lua_rawget(L, table);
	if (lua_type(L, -1) == LUA_TSTRING) {
		s.p = lua_tolstring(L, -1, &s.n);
		s = pdk_keep(L, s);
	}
	lua_pop(L, 1);
	return s;
}

/* The table as JSON, or none for nil; raises for anything else. */
static struct str entity_json(lua_State *L, int arg, const char *text)
{
	const char *why = "";
	struct str json;

	if (lua_isnoneornil(L, arg))
		return STR_NONE;
	if (!lua_istable(L, arg))
		luaL_error(L, "%s", text);
	json = pdk_read_json(L, arg, &why);
	if (json.p == NULL)
		luaL_error(L, "%s", why);
	return json;
}

static int authenticate(lua_State *L)
{
	struct exchange *x = pdk_exchange(L);
	struct str consumer = entity_json(L, 1, "consumer must be a table or nil");
	struct str credential = entity_json(L, 2, "credential must be a table or nil");
	struct entity_ref ref = {.json = consumer};

	if (consumer.p == NULL && credential.p == NULL)
		return luaL_error(L, "either credential or consumer must be provided");
	if (consumer.p != NULL) {
		ref.id = raw_field(L, 1, "id");
		ref.name = raw_field(L, 1, "username");
	}
	x->consumer = ref;
	x->credential_json = credential;
	groups_forget(x);
	return 0;
}

static int get_protocol(lua_State *L)
{
	const struct exchange *x = pdk_exchange(L);
	const struct exchange_request *q = &x->request;
	const struct header *proto;

	if (x->route.id.n == 0)
		return pdk_fail(L, "No active route found");
	if (x->route_protocols.n != 0 && str_find_char(x->route_protocols, ',') < 0) {
		pdk_push_str(L, x->route_protocols);
		return 1;
	}
	proto = lua_toboolean(L, 1) && q->client_is_trusted && !str_eq(q->scheme, STR("https"))
				? headers_find_id(&q->headers, HEADER_X_FORWARDED_PROTO)
				: NULL;
	if (proto != NULL && headers_next(&q->headers, proto) != NULL)
		return pdk_fail(L, "Only one X-Forwarded-Proto header allowed");
	pdk_push_str(L, proto != NULL && str_ieq(proto->value, STR("https")) ? STR("https")
									     : q->scheme);
	return 1;
}

struct address {
	uint8_t bytes[16];
	int bits; /* 32, 128; 0 = not an address */
};

static struct address address_parse(struct str s)
{
	struct address a = {.bits = 0};
	char text[64];

	if (s.n >= sizeof(text))
		return a;
	memcpy(text, s.p, s.n);
	text[s.n] = '\0';
	if (inet_pton(AF_INET, text, a.bytes) == 1)
		a.bits = 32;
	else if (inet_pton(AF_INET6, text, a.bytes) == 1)
		a.bits = 128;
	return a;
}

/* address or address/prefix */
static bool range_has(struct str range, const struct address *a)
{
	ptrdiff_t slash = str_find_char(range, '/');
	struct address net = address_parse(slash < 0 ? range : str_head(range, (size_t)slash));
	uint64_t prefix = (uint64_t)net.bits;

	if (net.bits == 0 || net.bits != a->bits)
		return false;
	if (slash >= 0 && (!str_to_u64(str_from(range, (size_t)slash + 1), &prefix) ||
					  prefix > (uint64_t)net.bits))
		return false;
	for (unsigned bit = 0; bit < prefix; bit++)
		if ((net.bytes[bit / 8] ^ a->bytes[bit / 8]) & (0x80U >> bit % 8))
			return false;
	return true;
}

static int is_trusted(lua_State *L)
{
	struct str text = pdk_check_str(L, 1, "ip must be a string");
	struct str rest = pdk_host(L)->conf->trusted_ips;
	struct address a = address_parse(text);
	bool is_in = false;

	while (rest.n != 0 && !is_in && a.bits != 0) {
		ptrdiff_t comma = str_find_char(rest, ',');

		is_in = range_has(str_trim(comma < 0 ? rest : str_head(rest, (size_t)comma)), &a);
		rest = comma < 0 ? STR_NONE : str_from(rest, (size_t)comma + 1);
	}
	lua_pushboolean(L, is_in);
	return 1;
}

static int get_route(lua_State *L)
{
	return push_entity(L, pdk_exchange(L)->route.json);
}

static int get_service(lua_State *L)
{
	return push_entity(L, pdk_exchange(L)->service.json);
}

/* clang-format off */
#define CLIENT_FUNCTIONS(X) \
	X("get_ip", get_ip, PDK_IN_REQUEST, VM_STRICT, "address of the TCP peer") \
	X("get_port", get_port, PDK_IN_REQUEST, VM_STRICT, "port of the TCP peer") \
	X("get_forwarded_ip", get_forwarded_ip, PDK_IN_REQUEST, VM_STRICT, "address of the client behind trusted proxies") \
	X("get_forwarded_port", get_forwarded_port, PDK_IN_REQUEST, VM_STRICT, "port of the client behind trusted proxies") \
	X("get_consumer", get_consumer, PDK_AUTH, VM_STRICT, "consumer that was authenticated, or nil; one table for every call, not to be changed") \
	X("get_credential", get_credential, PDK_AUTH, VM_STRICT, "credential that was used, or nil") \
	X("load_consumer", load_consumer, PDK_AUTH, VM_STRICT, "consumer by id, or by username") \
	X("authenticate", authenticate, PDK_ACCESS, VM_STRICT, "sets consumer and credential of the request") \
	X("get_protocol", get_protocol, PDK_AUTH, VM_STRICT, "protocol the route was matched with")

#define IP_FUNCTIONS(X) \
	X("is_trusted", is_trusted, PDK_ANY, VM_STRICT, "whether an address is in trusted_ips")

#define ROUTER_FUNCTIONS(X) \
	X("get_route", get_route, PDK_AUTH, VM_STRICT, "route of the request, or nil; one table for every call, not to be changed") \
	X("get_service", get_service, PDK_AUTH, VM_STRICT, "service of the request, or nil; the same holds")
/* clang-format on */

void pdk_open_client(lua_State *L, int env_index)
{
	static const struct pdk_function client[] = {CLIENT_FUNCTIONS(PDK_ROW)};
	static const struct pdk_function ip[] = {IP_FUNCTIONS(PDK_ROW)};
	static const struct pdk_function router[] = {ROUTER_FUNCTIONS(PDK_ROW)};

	pdk_register(L, env_index, "kong.client", client, PDK_COUNT(client));
	pdk_register(L, env_index, "kong.ip", ip, PDK_COUNT(ip));
	pdk_register(L, env_index, "kong.router", router, PDK_COUNT(router));
}
