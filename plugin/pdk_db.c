/* SPDX-License-Identifier: Apache-2.0
 * kong.db.<entity>: the configuration of the node, to be read.  Lax only: it is everybody's. */
#include <stdio.h>

#include "base/hex.h"
#include "plugin/pdk_db.h"
#include "plugin/value_lua.h"
#include "plugin/vault.h"
#include "shm/record.pb-c.h"
#include "shm/snapshot.h"

#define STRATEGY "off"
#define FOLDED_MAX 100

enum db_error { DB_INVALID_PRIMARY_KEY = 1, DB_UNSUPPORTED = 12 };

/* nil, "[off] text", {code, name, message, strategy} */
static int fail(lua_State *L, enum db_error code, const char *text)
{
	lua_pushnil(L);
	lua_pushfstring(L, "[" STRATEGY "] %s", text);
	lua_createtable(L, 0, 4);
	lua_pushinteger(L, code);
	lua_setfield(L, -2, "code");
	lua_pushstring(L, code == DB_UNSUPPORTED ? "operation unsupported" : "invalid primary key");
	lua_setfield(L, -2, "name");
	lua_pushstring(L, text);
	lua_setfield(L, -2, "message");
	lua_pushliteral(L, STRATEGY);
	lua_setfield(L, -2, "strategy");
	return 3;
}

/* The span of a select, or NULL: db_query is not recorded. */
struct span *pdk_db_begin_query(lua_State *L, const struct pdk_entity *e, const char *field)
{
	struct trace *t = pdk_trace(L);
	struct span *s;
	char text[64];
	int n;

	if (!trace_wants(t, TRACE_DB_QUERY))
		return NULL;
	n = snprintf(text, sizeof(text), "%s:select%s%s", e->name, field[0] != '\0' ? "_by_" : "",
			field);
	vm_host_enter(L);
	s = trace_start_span(t, STR("kong.database.query"), t->active, SPAN_CLIENT);
	if (s != NULL) {
		span_set_text(t, s, "db.system", STR("lmdb"));
		span_set_text(t, s, "db.statement", (struct str){text, (size_t)n});
	}
	vm_host_leave(L);
	return s;
}

/* Passes n on. */
int pdk_db_end_query(lua_State *L, struct span *s, int n)
{
	if (s != NULL)
		trace_finish_span(pdk_trace(L), s, 0);
	return n;
}

const struct snap_view *pdk_db_view_of(lua_State *L)
{
	const struct snap_view *view = pdk_host(L)->view;

	if (view == NULL)
		luaL_error(L, "the configuration cannot be read here");
	return view;
}

/* A field without a value is empty, as plugins see it. */
static void ignore_missing(void *arg, const char *field, const char *reference, const char *why)
{
	(void)arg, (void)field, (void)reference, (void)why;
}

/* The field `json`, which every kind of record has; nil when there is no record. */
int pdk_db_push_record(lua_State *L, const struct pdk_entity *e, struct str record)
{
	const ProtobufCFieldDescriptor *field =
			protobuf_c_message_descriptor_get_field_by_name(e->descriptor, "json");
	ProtobufCMessage *m = NULL;
	ProtobufCBinaryData *text;
	json_t *json = NULL;

	value_check_stack(L);
	vm_host_enter(L);
	if (record.n != 0)
		m = protobuf_c_message_unpack(
				e->descriptor, NULL, record.n, (const uint8_t *)record.p);
	if (m != NULL) {
		text = (ProtobufCBinaryData *)(void *)((char *)m + field->offset);
		json = json_loadb((const char *)text->data, text->len, JSON_ALLOW_NUL, NULL);
		protobuf_c_message_free_unpacked(m, NULL);
	}
	if (json != NULL && e->secrets != NULL)
		vault_resolve_fields(pdk_db_view_of(L), json, e->secrets, ignore_missing, NULL);
	if (json != NULL)
		value_push_config(L, json, NULL);
	else
		lua_pushnil(L);
	json_decref(json);
	vm_host_leave(L);
	return 1;
}

static void check_options(lua_State *L, int arg)
{
	if (!lua_isnoneornil(L, arg) && !lua_istable(L, arg))
		luaL_error(L, "options must be a table when specified");
}

static struct str field_str(lua_State *L, int table, const char *key)
{
	struct str s = STR_NONE;

	lua_pushstring(L, key);
	lua_rawget(L, table);
	if (lua_type(L, -1) == LUA_TSTRING)
		s.p = lua_tolstring(L, -1, &s.n);
	lua_pop(L, 1); /* the table keeps it */
	return s;
}

/* (self, primary_key, options) */
static int db_select(lua_State *L, const struct pdk_entity *e)
{
	struct span *s;
	struct str id;

	if (!lua_istable(L, 2))
		return luaL_error(L, "primary_key must be a table");
	check_options(L, 3);
	id = field_str(L, 2, "id");
	if (id.p == NULL)
		return fail(L, DB_INVALID_PRIMARY_KEY, "invalid primary key: '{}'");
	if (!uuid_is_valid(id)) {
		lua_pushfstring(L, "invalid primary key: '{id=\"%s\"}'", id.p);
		return fail(L, DB_INVALID_PRIMARY_KEY, lua_tostring(L, -1));
	}
	s = pdk_db_begin_query(L, e, "");
	return pdk_db_end_query(
			L, s, pdk_db_push_record(L, e, snap_get(pdk_db_view_of(L), e->kind, id)));
}

struct str pdk_db_check_unique(lua_State *L, const char *what)
{
	struct str s = {NULL, 0};

	if (lua_type(L, 2) != LUA_TSTRING)
		luaL_error(L, "%s must be a string", what);
	check_options(L, 3);
	s.p = lua_tolstring(L, 2, &s.n);
	return s;
}

static int db_select_by_name(lua_State *L, const struct pdk_entity *e, const char *what)
{
	struct str name = pdk_db_check_unique(L, what);
	struct span *s = pdk_db_begin_query(L, e, what);

	return pdk_db_end_query(L, s,
			pdk_db_push_record(
					L, e, snap_get_by_name(pdk_db_view_of(L), e->kind, name)));
}

static int db_select_by_field(
		lua_State *L, const struct pdk_entity *e, enum snap_field field, const char *what)
{
	struct str value = pdk_db_check_unique(L, what);
	struct span *s = pdk_db_begin_query(L, e, what);
	struct str record = snap_get_by_field(pdk_db_view_of(L), e->kind, field, value);

	return pdk_db_end_query(L, s, pdk_db_push_record(L, e, record));
}

/* ---- what changes it ---- */

static int db_refuse(lua_State *L, const struct pdk_entity *e, const char *verb)
{
	lua_pushfstring(L, "cannot %s '%s' entities when not using a database", verb, e->name);
	return fail(L, DB_UNSUPPORTED, lua_tostring(L, -1));
}

/* ---- usernames in any case ---- */

struct found {
	lua_State *L;
	const struct snap_view *view;
	const struct pdk_entity *e;
	int n;
};

static bool add_found(void *arg, struct str id)
{
	struct found *f = arg;

	pdk_db_push_record(f->L, f->e, snap_get(f->view, f->e->kind, id));
	lua_rawseti(f->L, -2, ++f->n);
	return f->n < FOLDED_MAX;
}

static const char *const plugins_key[] = {
		"name", "route", "service", "consumer", "consumer_group", NULL};
static const char *const targets_key[] = {"upstream", "target", NULL};
static const char *const keys_key[] = {"kid", "set", NULL};
static const char *const certificates_secrets[] = {"cert", "key", "cert_alt", "key_alt", NULL};
static const char *const keys_secrets[] = {"jwk", "pem.private_key", "pem.public_key", NULL};
#define BY_ID ((const char *const *)NULL)
#define NO_SECRETS ((const char *const *)NULL)

/* X(name in kong.db, in the names of C functions, kind, descriptor, fields of its cache key,
 * secrets) */
/* clang-format off */
#define ENTITY_TABLE(X) \
	X("certificates", certificates, CERTIFICATE, certificate, BY_ID, certificates_secrets) \
	X("consumers", consumers, CONSUMER, consumer, BY_ID, NO_SECRETS) \
	X("keys", keys, KEY, key, keys_key, keys_secrets) \
	X("plugins", plugins, PLUGIN_INSTANCE, plugin_instance, plugins_key, NO_SECRETS) \
	X("routes", routes, ROUTE, route, BY_ID, NO_SECRETS) \
	X("services", services, SERVICE, service, BY_ID, NO_SECRETS) \
	X("snis", snis, SNI, sni, BY_ID, NO_SECRETS) \
	X("targets", targets, TARGET, target, targets_key, NO_SECRETS) \
	X("upstreams", upstreams, UPSTREAM, upstream, BY_ID, NO_SECRETS)

#define X(text, c, kind, record, key, secrets) \
	static const struct pdk_entity c = {text, SLUICE__RECORD__KIND__##kind, &sluice__record__##record##__descriptor, key, secrets}; \
	static int c##_select(lua_State *L) { return db_select(L, &c); } \
	static int c##_cache_key(lua_State *L) { return pdk_db_cache_key(L, &c); } \
	static int c##_select_by_cache_key(lua_State *L) { return pdk_db_select_by_cache_key(L, &c); } \
	static int c##_insert(lua_State *L) { return db_refuse(L, &c, "create"); } \
	static int c##_update(lua_State *L) { return db_refuse(L, &c, "update"); } \
	static int c##_upsert(lua_State *L) { return db_refuse(L, &c, "create or update"); } \
	static int c##_delete(lua_State *L) { return db_refuse(L, &c, "delete"); }
ENTITY_TABLE(X)
#undef X
/* clang-format on */

static int keys_by_name(lua_State *L)
{
	return db_select_by_name(L, &keys, "name");
}

static int routes_by_name(lua_State *L)
{
	return db_select_by_name(L, &routes, "name");
}

static int snis_by_name(lua_State *L)
{
	return db_select_by_name(L, &snis, "name");
}

static int upstreams_by_name(lua_State *L)
{
	return db_select_by_name(L, &upstreams, "name");
}

static bool first_found(void *arg, struct str id)
{
	*(struct str *)arg = id;
	return false;
}

static int targets_by_target(lua_State *L)
{
	struct str target = pdk_db_check_unique(L, "target"), id = STR_NONE;
	const struct snap_view *view = pdk_db_view_of(L);
	struct span *s = pdk_db_begin_query(L, &targets, "target");

	value_check_stack(L);
	vm_host_enter(L);
	snap_each_by_folded_name(view, targets.kind, target, first_found, &id);
	vm_host_leave(L);
	id = id.n != 0 ? snap_get(view, targets.kind, id) : STR_NONE;
	return pdk_db_end_query(L, s, pdk_db_push_record(L, &targets, id));
}

static int services_by_name(lua_State *L)
{
	return db_select_by_name(L, &services, "name");
}

static int plugins_by_instance_name(lua_State *L)
{
	return db_select_by_field(L, &plugins, SNAP_FIELD_INSTANCE_NAME, "instance_name");
}

static int consumers_by_username(lua_State *L)
{
	return db_select_by_name(L, &consumers, "username");
}

static int consumers_by_custom_id(lua_State *L)
{
	return db_select_by_field(L, &consumers, SNAP_FIELD_CUSTOM_ID, "custom_id");
}

static int consumers_by_any_case(lua_State *L)
{
	struct str name = pdk_db_check_unique(L, "username");
	struct found f = {.L = L, .view = pdk_db_view_of(L), .e = &consumers};
	struct span *s = pdk_db_begin_query(L, &consumers, "username_ignore_case");

	lua_newtable(L);
	value_check_stack(L);
	vm_host_enter(L);
	snap_each_by_folded_name(f.view, consumers.kind, name, add_found, &f);
	vm_host_leave(L);
	return pdk_db_end_query(L, s, 1);
}

/* clang-format off */
#define SHARED_FUNCTIONS(c) \
	PDK_ROW("select", c##_select, PDK_ANY, VM_LAX, "Method (primary_key): the entity {id = …} names, or nil") \
	PDK_ROW("select_by_cache_key", c##_select_by_cache_key, PDK_ANY, VM_LAX, "Method (cache_key): the entity of a key that cache_key() made, or nil") \
	PDK_ROW("cache_key", c##_cache_key, PDK_ANY, VM_LAX, "Method (key or entity, …): its key for kong.cache; what is cached there is made anew with the next generation") \
	PDK_ROW("insert", c##_insert, PDK_ANY, VM_LAX, "Method: nil, why, error with code 12: nodes do not write") \
	PDK_ROW("update", c##_update, PDK_ANY, VM_LAX, "Method: as insert") \
	PDK_ROW("upsert", c##_upsert, PDK_ANY, VM_LAX, "Method: as insert") \
	PDK_ROW("delete", c##_delete, PDK_ANY, VM_LAX, "Method: as insert")

static const struct pdk_function certificates_rows[] = {
	SHARED_FUNCTIONS(certificates)
};
static const struct pdk_function consumers_rows[] = {
	SHARED_FUNCTIONS(consumers)
	PDK_ROW("select_by_username", consumers_by_username, PDK_ANY, VM_LAX, "Method (username): the consumer, or nil")
	PDK_ROW("select_by_custom_id", consumers_by_custom_id, PDK_ANY, VM_LAX, "Method (custom_id): the consumer, or nil")
	PDK_ROW("select_by_username_ignore_case", consumers_by_any_case, PDK_ANY, VM_LAX, "Method (username): an array of the consumers so named in any case (ASCII), 100 at most")
};
static const struct pdk_function keys_rows[] = {
	SHARED_FUNCTIONS(keys)
	PDK_ROW("select_by_name", keys_by_name, PDK_ANY, VM_LAX, "Method (name): the key, or nil")
};
static const struct pdk_function plugins_rows[] = {
	SHARED_FUNCTIONS(plugins)
	PDK_ROW("select_by_instance_name", plugins_by_instance_name, PDK_ANY, VM_LAX, "Method (instance_name): the plugin, or nil")
};
static const struct pdk_function routes_rows[] = {
	SHARED_FUNCTIONS(routes)
	PDK_ROW("select_by_name", routes_by_name, PDK_ANY, VM_LAX, "Method (name): the route, or nil")
};
static const struct pdk_function snis_rows[] = {
	SHARED_FUNCTIONS(snis)
	PDK_ROW("select_by_name", snis_by_name, PDK_ANY, VM_LAX, "Method (name): the SNI, or nil")
};
static const struct pdk_function targets_rows[] = {
	SHARED_FUNCTIONS(targets)
	PDK_ROW("select_by_target", targets_by_target, PDK_ANY, VM_LAX, "Method (target): a target of that text, \"host:port\", or nil")
};
static const struct pdk_function upstreams_rows[] = {
	SHARED_FUNCTIONS(upstreams)
	PDK_ROW("select_by_name", upstreams_by_name, PDK_ANY, VM_LAX, "Method (name): the upstream, or nil")
};
static const struct pdk_function services_rows[] = {
	SHARED_FUNCTIONS(services)
	PDK_ROW("select_by_name", services_by_name, PDK_ANY, VM_LAX, "Method (name): the service, or nil")
};
/* clang-format on */

/* A strict VM has no kong.db. */
void pdk_open_db(lua_State *L, int env_index)
{
	if (pdk_host(L)->level != VM_LAX)
		return;
#define X(text, c, kind, record, key, secrets) \
	pdk_register(L, env_index, "kong.db." text, c##_rows, PDK_COUNT(c##_rows));
	ENTITY_TABLE(X)
#undef X
}
