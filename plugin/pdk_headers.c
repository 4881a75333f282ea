/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/pdk_headers.h"
#include "plugin/pdk_query.h"

#include <errno.h>
#include <stdio.h>

#include "base/log.h"
#include "plugin/pdk_read.h"

#define NAME_MAX_BYTES 256

/* Lower case and '-' for '_', into buf; false when it is too long to be a name. */
static bool fold_name(struct str name, char buf[NAME_MAX_BYTES], bool folds_underscore)
{
	if (name.n > NAME_MAX_BYTES)
		return false;
	for (size_t i = 0; i < name.n; i++)
		buf[i] = folds_underscore && name.p[i] == '_' ? '-' : ascii_lower(name.p[i]);
	return true;
}

/* __index of what pdk_push_headers made. */
static int headers_index(lua_State *L)
{
	char buf[NAME_MAX_BYTES];
	struct str name;

	if (lua_type(L, 2) != LUA_TSTRING)
		return 0;
	name.p = lua_tolstring(L, 2, &name.n);
	if (!fold_name(name, buf, true))
		return 0;
	lua_pushlstring(L, buf, name.n);
	lua_rawget(L, 1);
	return 1;
}

static void push_headers_mt(lua_State *L)
{
	if (luaL_newmetatable(L, "pdk.headers")) {
		lua_pushcfunction(L, headers_index);
		lua_setfield(L, -2, "__index");
		lua_pushboolean(L, 0);
		lua_setfield(L, -2, "__metatable");
	}
}

void pdk_push_headers(lua_State *L, const struct headers *h, long max)
{
	char buf[NAME_MAX_BYTES];

	lua_createtable(L, 0, (int)(h->n < (uint32_t)max ? h->n : (uint32_t)max));
	for (uint32_t i = 0; i < h->n && i < (uint32_t)max; i++) {
		struct str name = h->v[i].name;

		if (fold_name(name, buf, false))
			name.p = buf;
		lua_pushlstring(L, h->v[i].value.p != NULL ? h->v[i].value.p : "", h->v[i].value.n);
		pdk_add_field(L, name);
	}
	push_headers_mt(L);
	lua_setmetatable(L, -2);
}

int pdk_return_headers(lua_State *L, const struct headers *h, long max)
{
	pdk_push_headers(L, h, max);
	if (h->n <= (uint32_t)max)
		return 1;
	lua_pushliteral(L, "truncated");
	return 2;
}

int pdk_push_header(lua_State *L, const struct headers *h, int arg, const char *text)
{
	const struct header *f = headers_find_loose(h, pdk_check_str(L, arg, text));

	if (f == NULL)
		lua_pushnil(L);
	else
		lua_pushlstring(L, f->value.p != NULL ? f->value.p : "", f->value.n);
	return 1;
}

/* A value with what would end the field percent-encoded, as nginx does; "" as " ". */
static struct str clean_value(struct arena *a, struct str s)
{
	char *p;
	size_t n = 0;

	if (s.n == 0)
		return STR(" ");
	if (headers_value_is_valid(s))
		return arena_str(a, s);
	p = arena_alloc(a, s.n * 3 + 1);
	if (p == NULL)
		return STR_NONE;
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (headers_value_is_valid((struct str){s.p + i, 1}))
			p[n++] = s.p[i];
		else
			n += (size_t)snprintf(p + n, 4, "%%%02X", c);
	}
	return (struct str){p, n};
}

static bool is_scalar(const struct value *v)
{
	return v->type == VALUE_STRING || v->type == VALUE_NUMBER || v->type == VALUE_BOOL;
}

static struct str scalar_text(struct arena *a, const struct value *v)
{
	if (v->type == VALUE_STRING)
		return clean_value(a, v->string);
	if (v->type == VALUE_BOOL)
		return v->boolean ? STR("true") : STR("false");
	return arena_printf(a, "%.14g", v->number);
}

/* What a value may be: in a call of its own, and in a table of headers. */
static const char one_value[] = "array of string, string, number or boolean";
static const char map_value[] = "string, number, boolean or array of strings";

static void raise_value(lua_State *L, struct str name, const char *type, const char *expected)
{
	char buf[NAME_MAX_BYTES + 1];

	snprintf(buf, sizeof(buf), "%.*s", STR_ARG(str_head(name, NAME_MAX_BYTES)));
	luaL_error(L, "invalid header value for \"%s\": got %s, expected %s", buf, type, expected);
}

static void raise_element(lua_State *L, struct str name, const char *type)
{
	char buf[NAME_MAX_BYTES + 1];

	snprintf(buf, sizeof(buf), "%.*s", STR_ARG(str_head(name, NAME_MAX_BYTES)));
	luaL_error(L, "invalid header value in array \"%s\": got %s, expected string", buf, type);
}

static const char *type_text(const struct value *v)
{
	static const char *const texts[] = {
			[VALUE_NIL] = "nil",
			[VALUE_NULL] = "userdata",
			[VALUE_BOOL] = "boolean",
			[VALUE_NUMBER] = "number",
			[VALUE_STRING] = "string",
			[VALUE_TABLE] = "table",
	};

	return texts[v->type];
}

/* Leaves of a table what ipairs() sees of it, in that order. */
static void keep_sequence(lua_State *L, struct value *v)
{
	struct value_table *t = v->table;
	struct value_pair *all = NULL;
	uint32_t n = 0;

	if (v->type != VALUE_TABLE || t->n == 0)
		return;
	vm_host_enter(L);
	all = arena_calloc(pdk_exchange(L)->arena, t->n * sizeof(*all));
	for (uint32_t i = 0; all != NULL && i < t->n; i++) {
		const struct value_pair *pair = &t->v[i];
		double k = pair->key.type == VALUE_NUMBER ? pair->key.number : 0;

		if (k >= 1 && k <= t->n && k == (uint32_t)k)
			all[(uint32_t)k - 1] = *pair;
	}
	while (all != NULL && n < t->n && all[n].key.type == VALUE_NUMBER)
		n++;
	if (n != 0)
		memcpy(t->v, all, n * sizeof(*all));
	t->n = n;
	vm_host_leave(L);
	pdk_check_room(L, all != NULL ? 0 : -ENOMEM);
}

/* Raises unless v can be a header's value; charges what it will take. */
static void check_value(lua_State *L, struct str name, const struct value *v, const char *expected)
{
	pdk_charge(L, name.n + (v->type == VALUE_STRING ? v->string.n : 0));
	if (is_scalar(v))
		return;
	if (v->type != VALUE_TABLE)
		raise_value(L, name, type_text(v), expected);
	for (uint32_t i = 0; i < v->table->n; i++) {
		if (v->table->v[i].value.type != VALUE_STRING)
			raise_element(L, name, type_text(&v->table->v[i].value));
		pdk_charge(L, name.n + v->table->v[i].value.string.n);
	}
}

/* 0 or -ENOMEM. */
static int apply(struct arena *a, struct headers *h, struct str name, const struct value *v,
		enum pdk_header_change change)
{
	int r = 0;

	if (v->type != VALUE_TABLE) {
		struct str text = scalar_text(a, v);

		if (text.p == NULL)
			return -ENOMEM;
		return change == PDK_HEADER_SET ? headers_set(h, name, text)
						: headers_add(h, name, text);
	}
	if (change == PDK_HEADER_SET)
		headers_remove(h, name);
	for (uint32_t i = 0; i < v->table->n && r == 0; i++)
		r = apply(a, h, name, &v->table->v[i].value, PDK_HEADER_ADD);
	return r;
}

static struct str check_name(lua_State *L, int arg)
{
	struct str name;

	if (lua_type(L, arg) != LUA_TSTRING)
		luaL_error(L, "invalid header name \"%s\": got %s, expected string",
				vm_push_text(L, arg, NULL), luaL_typename(L, arg));
	name.p = lua_tolstring(L, arg, &name.n);
	if (!headers_name_is_valid(name))
		luaL_error(L, "invalid header name \"%s\": not a token of RFC 9110",
				lua_tostring(L, arg));
	return pdk_keep(L, name);
}

/* The usual case: two strings that may be sent as they are, copied at once.  False: nothing
 * was done. */
static bool change_by_text(
		lua_State *L, struct headers *h, int name, int value, enum pdk_header_change change)
{
	struct str n, v;
	char *p;
	int r = -ENOMEM;

	if (lua_type(L, name) != LUA_TSTRING || lua_type(L, value) != LUA_TSTRING)
		return false;
	n.p = lua_tolstring(L, name, &n.n);
	v.p = lua_tolstring(L, value, &v.n);
	if (v.n == 0 || !headers_name_is_valid(n) || !headers_value_is_valid(v))
		return false;
	pdk_charge(L, n.n + v.n);
	vm_host_enter(L);
	p = arena_alloc(pdk_exchange(L)->arena, n.n + v.n + 2);
	if (p != NULL) {
		memcpy(p, n.p, n.n + 1);
		memcpy(p + n.n + 1, v.p, v.n + 1);
		n.p = p;
		v.p = p + n.n + 1;
		r = change == PDK_HEADER_SET ? headers_set(h, n, v) : headers_add(h, n, v);
	}
	vm_host_leave(L);
	pdk_check_room(L, r);
	return true;
}

static void change_by_value(
		lua_State *L, struct headers *h, int name, int value, enum pdk_header_change change)
{
	struct str kept = check_name(L, name);
	struct value v;
	int r;

	if (lua_type(L, value) == LUA_TFUNCTION || lua_type(L, value) == LUA_TTHREAD)
		raise_value(L, kept, luaL_typename(L, value), one_value);
	v = pdk_read(L, value, "header value");
	keep_sequence(L, &v);
	check_value(L, kept, &v, one_value);
	vm_host_enter(L);
	r = apply(pdk_exchange(L)->arena, h, kept, &v, change);
	vm_host_leave(L);
	pdk_check_room(L, r);
}

void pdk_change_header(
		lua_State *L, struct headers *h, int name, int value, enum pdk_header_change change)
{
	if (!change_by_text(L, h, name, value, change))
		change_by_value(L, h, name, value, change);
}

void pdk_dash_name(lua_State *L, int idx)
{
	struct str name;
	char *copy;

	if (lua_type(L, idx) != LUA_TSTRING)
		return;
	name.p = lua_tolstring(L, idx, &name.n);
	if (str_find_char(name, '_') < 0)
		return;
	copy = lua_newuserdata(L, name.n + 1);
	for (size_t i = 0; i < name.n; i++)
		copy[i] = name.p[i] == '_' ? '-' : name.p[i];
	lua_pushlstring(L, copy, name.n);
	lua_replace(L, idx);
	lua_pop(L, 1);
}

/* Functions and threads have no form as plain data: named before the table is read. */
static void check_types(lua_State *L, int arg)
{
	lua_pushnil(L);
	while (lua_next(L, arg) != 0) {
		int type = lua_type(L, -1);

		if (lua_type(L, -2) != LUA_TSTRING)
			luaL_error(L, "invalid header name \"%s\": got %s, expected string",
					vm_push_text(L, -2, NULL), luaL_typename(L, -2));
		if (type == LUA_TFUNCTION || type == LUA_TTHREAD)
			raise_value(L, pdk_check_str(L, -2, ""), lua_typename(L, type), map_value);
		lua_pop(L, 1);
	}
}

/* The table of headers at arg, every name and value of it checked. */
static struct value read_map(lua_State *L, int arg)
{
	struct value map;

	if (lua_type(L, arg) != LUA_TTABLE)
		luaL_error(L, "headers must be a table");
	check_types(L, arg);
	map = pdk_read(L, arg, "headers");
	for (uint32_t i = 0; i < map.table->n; i++) {
		struct value_pair *pair = &map.table->v[i];

		if (!headers_name_is_valid(pair->key.string))
			luaL_error(L, "invalid header name \"%s\": not a token of RFC 9110",
					pair->key.string.p);
		keep_sequence(L, &pair->value);
		check_value(L, pair->key.string, &pair->value, map_value);
	}
	return map;
}

void pdk_set_headers(
		lua_State *L, struct headers *h, int arg, struct str skip, struct str *ret_skipped)
{
	struct arena *a = pdk_exchange(L)->arena;
	struct value map = read_map(L, arg);
	int r = 0;

	for (uint32_t i = 0; i < map.table->n; i++)
		if (str_ieq(map.table->v[i].key.string, skip) && !is_scalar(&map.table->v[i].value))
			raise_value(L, skip, "table", one_value);
	vm_host_enter(L);
	for (uint32_t i = 0; i < map.table->n && r == 0; i++) {
		const struct value_pair *pair = &map.table->v[i];

		if (str_ieq(pair->key.string, skip))
			*ret_skipped = scalar_text(a, &pair->value);
		else
			r = apply(a, h, pair->key.string, &pair->value, PDK_HEADER_SET);
	}
	vm_host_leave(L);
	pdk_check_room(L, r);
}

static bool is_framing_name(struct str name)
{
	return str_ieq(name, STR("transfer-encoding")) || str_ieq(name, STR("transfer_encoding"));
}

void pdk_set_response_headers(lua_State *L, struct headers *h, int arg)
{
	struct exchange *x = pdk_exchange(L);
	struct value map = read_map(L, arg);
	int r = 0;

	vm_host_enter(L);
	for (uint32_t i = 0; i < map.table->n && r == 0; i++) {
		const struct value_pair *pair = &map.table->v[i];
		char *name = (char *)(uintptr_t)pair->key.string.p; /* the arena's, read for us */

		if (is_framing_name(pair->key.string)) {
			log_warn(PDK_FRAMING_TEXT, "plugin=%s", pdk_host(L)->plugin_name);
			continue;
		}
		for (size_t k = 0; k < pair->key.string.n; k++)
			name[k] = name[k] == '_' ? '-' : name[k];
		r = apply(x->arena, h, pair->key.string, &pair->value, PDK_HEADER_SET);
	}
	vm_host_leave(L);
	pdk_check_room(L, r);
}

struct str pdk_header_text(lua_State *L, struct str name, int value)
{
	struct value v = pdk_read(L, value, "header value");
	struct str text;

	if (!is_scalar(&v))
		raise_value(L, name, type_text(&v), one_value);
	pdk_charge(L, name.n + (v.type == VALUE_STRING ? v.string.n : 0));
	vm_host_enter(L);
	text = scalar_text(pdk_exchange(L)->arena, &v);
	vm_host_leave(L);
	pdk_check_room(L, text.p != NULL ? 0 : -1);
	return text;
}
