/* SPDX-License-Identifier: Apache-2.0
 * What authentication leaves for later plugins: consumer groups, token, realm; and the headers
 * that tell the service. */
#include <openssl/evp.h>

#include "base/hex.h"
#include "plugin/groups.h"
#include "plugin/pdk_headers.h"
#include "plugin/pdk_part.h"
#include "plugin/pdk_read.h"
#include "plugin/value_lua.h"

#define GROUPS STR("groups")
#define TOKEN STR("token")
#define REALM STR("realm")

/* NULL = not set. */
static const struct value *find(lua_State *L, struct str name)
{
	const struct value *all = pdk_exchange(L)->client_values;

	return all != NULL ? value_get(all->table, value_of_str(name)) : NULL;
}

static int push_found(lua_State *L, struct str name)
{
	const struct value *v = find(L, name);

	value_check_stack(L);
	if (v != NULL)
		value_push(L, v);
	else
		lua_pushnil(L);
	return 1;
}

/* v VALUE_NIL: forget it. */
static int store(struct exchange *x, struct str name, struct value v)
{
	if (x->client_values == NULL) {
		struct value *made = arena_alloc(x->arena, sizeof(*made));

		if (made == NULL)
			return -1;
		*made = value_table_make(x->arena);
		if (made->table == NULL)
			return -1;
		x->client_values = made;
	}
	return value_set(x->arena, x->client_values->table, value_of_str(name), v);
}

static int keep(lua_State *L, struct str name, struct value v)
{
	int r;

	vm_host_enter(L);
	r = store(pdk_exchange(L), name, v);
	vm_host_leave(L);
	pdk_check_room(L, r);
	return 0;
}

static struct value read_table(lua_State *L, int arg, const char *text)
{
	if (lua_isnoneornil(L, arg))
		return (struct value){.type = VALUE_NIL};
	if (!lua_istable(L, arg))
		luaL_error(L, "%s", text);
	return pdk_read(L, arg, "a consumer group");
}

/* In place of what was set, and of a consumer named instead of one's own. */
static int keep_groups(lua_State *L, struct value list)
{
	struct exchange *x = pdk_exchange(L);

	keep(L, GROUPS, list);
	x->group_owner = STR_NONE;
	groups_forget(x);
	return 0;
}

static int set_consumer_groups(lua_State *L)
{
	return keep_groups(L, read_table(L, 1, "groups must be a table or nil"));
}

static int set_consumer_group(lua_State *L)
{
	struct value group = read_table(L, 1, "group must be a table or nil"), list = group;
	struct exchange *x = pdk_exchange(L);
	int r = 0;

	if (group.type == VALUE_TABLE) {
		struct value first = {.type = VALUE_NUMBER, .number = 1};

		vm_host_enter(L);
		list = value_table_make(x->arena);
		r = list.table != NULL ? value_append(x->arena, list.table, first, group) : -1;
		vm_host_leave(L);
	}
	pdk_check_room(L, r);
	return keep_groups(L, list);
}

static const struct group_list *list_of(lua_State *L, struct str consumer_id)
{
	const struct group_list *list;

	vm_host_enter(L);
	list = groups_with(pdk_exchange(L), consumer_id);
	vm_host_leave(L);
	pdk_check_room(L, list != NULL ? 0 : -1);
	return list;
}

static int get_consumer_groups(lua_State *L)
{
	const struct group_list *list;

	if (groups_set(pdk_exchange(L)) != NULL)
		return push_found(L, GROUPS);
	list = list_of(L, pdk_exchange(L)->consumer.id);
	value_check_stack(L);
	if (list->n == 0) {
		lua_pushnil(L);
		return 1;
	}
	lua_createtable(L, (int)list->n, 0);
	for (uint32_t i = 0; i < list->n; i++) {
		if (!value_push_json_text(L, list->v[i].json))
			lua_newtable(L);
		lua_rawseti(L, -2, (int)i + 1);
	}
	return 1;
}

static int get_consumer_group(lua_State *L)
{
	get_consumer_groups(L);
	if (lua_istable(L, -1))
		lua_rawgeti(L, -1, 1);
	return 1;
}

static int authenticate_group_by_consumer(lua_State *L)
{
	struct str id = pdk_check_str(L, 1, "consumer_id must be a string");

	if (!uuid_is_valid(id))
		return luaL_error(L, "cannot load a consumer with an id that is not a uuid");
	keep_groups(L, (struct value){.type = VALUE_NIL});
	pdk_exchange(L)->group_owner = pdk_keep(L, id);
	return 0;
}

static int set_text(lua_State *L, struct str name, const char *text)
{
	struct value v = {.type = VALUE_NIL};

	if (!lua_isnoneornil(L, 1))
		v = value_of_str(pdk_keep(L, pdk_check_str(L, 1, text)));
	return keep(L, name, v);
}

static int set_token(lua_State *L)
{
	return set_text(L, TOKEN, "token must be a string or nil");
}

static int get_token(lua_State *L)
{
	return push_found(L, TOKEN);
}

static int set_realm(lua_State *L)
{
	return set_text(L, REALM, "source must be a string or nil");
}

static int get_realm(lua_State *L)
{
	return push_found(L, REALM);
}

/* base64url without padding (RFC 7515 2) in the arena; STR_NONE: it is none. */
static struct str base64url_decode(struct arena *a, struct str s)
{
	size_t padded = (s.n + 3) / 4 * 4;
	char *in = arena_alloc(a, padded + 1);
	char *out = arena_alloc(a, padded + 1);
	int n;

	if (in == NULL || out == NULL || s.n % 4 == 1 || s.n > (1U << 20))
		return STR_NONE;
	memset(in, '=', padded);
	for (size_t i = 0; i < s.n; i++)
		in[i] = s.p[i] == '-' ? '+' : s.p[i] == '_' ? '/' : s.p[i];
	n = EVP_DecodeBlock((unsigned char *)out, (const unsigned char *)in, (int)padded);
	if (n < 0)
		return STR_NONE;
	return (struct str){out, (size_t)n - (padded - s.n)};
}

/* Part 0 (header) or 1 (payload) of the token as a table; nil when there is no such token. */
static int push_jwt_part(lua_State *L, unsigned part)
{
	const struct value *v = find(L, TOKEN);
	struct str rest = v != NULL ? v->string : STR_NONE, json = STR_NONE;
	ptrdiff_t dot = str_find_char(rest, '.');

	if (part == 1 && dot >= 0) {
		rest = str_from(rest, (size_t)dot + 1);
		dot = str_find_char(rest, '.');
	}
	value_check_stack(L);
	if (dot > 0) {
		vm_host_enter(L);
		json = base64url_decode(pdk_exchange(L)->arena, str_head(rest, (size_t)dot));
		vm_host_leave(L);
	}
	if (json.n == 0 || !value_push_json_text(L, json))
		lua_pushnil(L);
	return 1;
}

static int get_jwt_header(lua_State *L)
{
	return push_jwt_part(L, 0);
}

static int get_jwt_payload(lua_State *L)
{
	return push_jwt_part(L, 1);
}

/* value.p == NULL: the service must not get it from the client either. */
static int tell(struct exchange *x, struct str name, struct str value)
{
	if (value.p == NULL) {
		headers_remove(&x->request.headers, name);
		return 0;
	}
	return headers_set(&x->request.headers, name, value);
}

static struct str field_text(lua_State *L, int table, const char *key)
{
	struct str text = STR_NONE;

	if (!lua_istable(L, table))
		return text;
	lua_pushstring(L, key);
	lua_rawget(L, table);
	if (lua_type(L, -1) == LUA_TSTRING)
		text = pdk_header_text(L, str_of(key), lua_gettop(L));
	lua_pop(L, 1);
	return text;
}

/* "a, b" of an array of names, or of groups with names. */
static struct str join_groups(lua_State *L, int arg)
{
	struct str list = STR_NONE, name;

	for (size_t i = 1; lua_istable(L, arg) && i <= lua_objlen(L, arg); i++) {
		lua_rawgeti(L, arg, (int)i);
		name = lua_istable(L, -1) ? field_text(L, lua_gettop(L), "name")
					  : pdk_header_text(L, STR("groups"), lua_gettop(L));
		lua_pop(L, 1);
		if (name.n == 0)
			continue;
		vm_host_enter(L);
		list = list.n == 0 ? name
				   : arena_printf(pdk_exchange(L)->arena, "%.*s, %.*s",
						     STR_ARG(list), STR_ARG(name));
		vm_host_leave(L);
		pdk_check_room(L, list.p != NULL ? 0 : -1);
	}
	return list;
}

/* "a, b" of the consumer groups that count when it is this consumer: linear, there may be many. */
static struct str join_consumer_groups(lua_State *L, struct str consumer_id)
{
	struct exchange *x = pdk_exchange(L);
	const struct group_list *list =
			list_of(L, consumer_id.n != 0 ? consumer_id : x->consumer.id);
	size_t size = 0, n = 0;
	struct str joined;
	char *text;

	for (uint32_t i = 0; i < list->n; i++)
		size += list->v[i].name.n + 2;
	if (size == 0)
		return STR_NONE;
	vm_host_enter(L);
	text = arena_alloc(x->arena, size);
	vm_host_leave(L);
	pdk_check_room(L, text != NULL ? 0 : -1);
	for (uint32_t i = 0; i < list->n; i++) {
		struct str name = list->v[i].name;

		if (name.n == 0)
			continue;
		if (n != 0) {
			memcpy(text + n, ", ", 2);
			n += 2;
		}
		memcpy(text + n, name.p, name.n);
		n += name.n;
	}
	if (n == 0)
		return STR_NONE;
	value_check_stack(L);
	pdk_push_str(L, (struct str){text, n});
	joined = pdk_header_text(L, STR("groups"), lua_gettop(L));
	lua_pop(L, 1);
	return joined;
}

static void check_table(lua_State *L, int arg, const char *text)
{
	if (!lua_isnoneornil(L, arg) && !lua_istable(L, arg))
		luaL_error(L, "%s", text);
}

static int set_authentication_headers(lua_State *L)
{
	struct exchange *x = pdk_exchange(L);
	struct str credential = STR_NONE, id, custom_id, username, groups, consumer_groups;
	int r;

	check_table(L, 1, "consumer must be a table or nil");
	check_table(L, 3, "groups must be a table or nil");
	check_table(L, 4, "options must be a table or nil");
	if (!lua_isnoneornil(L, 2)) {
		pdk_check_str(L, 2, "credential_identifier must be a string or nil");
		credential = pdk_header_text(L, STR("credential_identifier"), 2);
	}
	lua_settop(L, 4);
	id = field_text(L, 1, "id");
	custom_id = field_text(L, 1, "custom_id");
	username = field_text(L, 1, "username");
	groups = join_groups(L, 3);
	consumer_groups = join_consumer_groups(L, id);
	vm_host_enter(L);
	r = tell(x, STR("X-Consumer-ID"), id) | tell(x, STR("X-Consumer-Custom-ID"), custom_id) |
	    tell(x, STR("X-Consumer-Username"), username) |
	    tell(x, STR("X-Credential-Identifier"), credential) |
	    tell(x, STR("X-Authenticated-Groups"), groups) |
	    tell(x, STR("X-Consumer-Groups"), consumer_groups) |
	    tell(x, STR("X-Anonymous-Consumer"), credential.p != NULL ? STR_NONE : STR("true"));
	vm_host_leave(L);
	pdk_check_room(L, r);
	return 0;
}

/* clang-format off */
#define CLIENT_AUTH_FUNCTIONS(X) \
	X("get_consumer_group", get_consumer_group, PDK_AUTH, VM_STRICT, "first of the consumer groups, or nil") \
	X("get_consumer_groups", get_consumer_groups, PDK_AUTH, VM_STRICT, "consumer groups of the request: those that were set, else those of its consumer, by name; or nil") \
	X("set_authenticated_consumer_group", set_consumer_group, PDK_ACCESS, VM_STRICT, "sets the group of the request") \
	X("set_authenticated_consumer_groups", set_consumer_groups, PDK_ACCESS, VM_STRICT, "sets the groups of the request") \
	X("authenticate_consumer_group_by_consumer_id", authenticate_group_by_consumer, PDK_ACCESS, VM_STRICT, "sets the groups of a consumer") \
	X("get_token", get_token, PDK_AUTH, VM_STRICT, "token the client was authenticated by, or nil") \
	X("set_token", set_token, PDK_ACCESS, VM_STRICT, "leaves the token for later plugins") \
	X("get_jwt_token_header", get_jwt_header, PDK_AUTH, VM_STRICT, "header of the token, decoded and not verified, or nil") \
	X("get_jwt_token_payload", get_jwt_payload, PDK_AUTH, VM_STRICT, "claims of the token, decoded and not verified, or nil") \
	X("get_identity_realm_source", get_realm, PDK_AUTH, VM_STRICT, "where the consumer's realm comes from, or nil") \
	X("set_identity_realm_source", set_realm, PDK_ACCESS, VM_STRICT, "leaves the realm's source for later plugins")

#define AUTHENTICATION_FUNCTIONS(X) \
	X("set_authentication_headers", set_authentication_headers, PDK_ACCESS, VM_STRICT, "tells the service consumer, credential and groups in X-Consumer-* and its like")
/* clang-format on */

void pdk_open_client_auth(lua_State *L, int env_index)
{
	static const struct pdk_function client[] = {CLIENT_AUTH_FUNCTIONS(PDK_ROW)};
	static const struct pdk_function request[] = {AUTHENTICATION_FUNCTIONS(PDK_ROW)};

	pdk_register(L, env_index, "kong.client", client, PDK_COUNT(client));
	pdk_register(L, env_index, "kong.service.request", request, PDK_COUNT(request));
}
