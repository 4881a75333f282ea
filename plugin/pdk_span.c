/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/pdk_span.h"

#include <stdio.h>

#include "plugin/pdk_log.h"
#include "plugin/pdk_read.h"
#include "plugin/value_lua.h"

#define META "sluice.span"
#define NOOP "sluice.noop_span"
/* The key under which a table carries its number; it also makes the number a plain field. */
#define HANDLE "handle"
#define HANDLE_SPANS 1024 /* > TRACE_SPANS_MAX */

struct trace *pdk_trace(lua_State *L)
{
	struct exchange *x = pdk_exchange(L);

	return x != NULL ? x->trace : NULL;
}

uint64_t pdk_span_ns(double d)
{
	return d >= 1 && d < 9e18 ? (uint64_t)d : 1;
}

struct span *pdk_to_span(lua_State *L, int idx)
{
	const struct trace *t = pdk_trace(L);
	double d = -1, serial, index;

	if (t == NULL || !lua_istable(L, idx))
		return NULL;
	lua_pushvalue(L, idx);
	lua_pushliteral(L, HANDLE);
	lua_rawget(L, -2);
	if (lua_type(L, -1) == LUA_TNUMBER)
		d = lua_tonumber(L, -1);
	lua_pop(L, 2);
	if (!(d >= 0 && d < 4398046511104.0)) /* 2^42 */
		return NULL;
	serial = (double)((uint64_t)d / HANDLE_SPANS);
	index = (double)((uint64_t)d % HANDLE_SPANS);
	return serial == t->serial && index < t->n ? t->v[(uint32_t)index] : NULL;
}

static double handle_of(const struct span *s)
{
	return (double)((uint64_t)s->serial * HANDLE_SPANS + s->index);
}

void pdk_push_span(lua_State *L, const struct span *s)
{
	lua_createtable(L, 0, 2);
	lua_pushnumber(L, handle_of(s));
	lua_setfield(L, -2, HANDLE);
	lua_getfield(L, LUA_REGISTRYINDEX, META);
	lua_setmetatable(L, -2);
}

void pdk_push_noop_span(lua_State *L)
{
	lua_getfield(L, LUA_REGISTRYINDEX, NOOP);
}

void pdk_span_take(lua_State *L, struct span_attributes *a, int arg)
{
	struct value v = pdk_read(L, arg, "attributes");

	if (v.type != VALUE_TABLE)
		return;
	vm_host_enter(L);
	span_set_all(pdk_trace(L), a, v.table);
	vm_host_leave(L);
}

static int span_finish(lua_State *L)
{
	struct span *s = pdk_to_span(L, 1);
	uint64_t end_ns = 0;

	if (s == NULL || s->end_ns != 0)
		return 0;
	if (!lua_isnoneornil(L, 2)) {
		double end = pdk_check_number(L, 2, "invalid span end time");

		if (!(end >= (double)s->start_ns))
			return luaL_error(L, "invalid span duration");
		end_ns = pdk_span_ns(end);
	}
	vm_host_enter(L);
	trace_finish_span(pdk_trace(L), s, end_ns);
	vm_host_leave(L);
	return 0;
}

static void complain(lua_State *L, int type)
{
	char text[80];

	snprintf(text, sizeof(text), "invalid span attribute value type: %s",
			lua_typename(L, type));
	pdk_log_text(L, LOG_ERR, text);
}

static int span_set_attribute(lua_State *L)
{
	struct span *s = pdk_to_span(L, 1);
	struct str key = pdk_check_str(L, 2, "invalid key");
	struct value v = {.type = VALUE_NIL};
	int type = lua_type(L, 3);

	switch (type) {
	case LUA_TNONE:
	case LUA_TNIL:
		break;
	case LUA_TBOOLEAN:
		v = (struct value){.type = VALUE_BOOL, .boolean = lua_toboolean(L, 3)};
		break;
	case LUA_TNUMBER:
		v = (struct value){.type = VALUE_NUMBER, .number = lua_tonumber(L, 3)};
		break;
	case LUA_TSTRING:
		v.type = VALUE_STRING;
		v.string.p = lua_tolstring(L, 3, &v.string.n);
		break;
	default:
		complain(L, type);
		return 0;
	}
	if (s == NULL)
		return 0;
	vm_host_enter(L);
	span_set(pdk_trace(L), &s->attributes, key, v);
	vm_host_leave(L);
	return 0;
}

static int span_event(lua_State *L)
{
	struct span *s = pdk_to_span(L, 1);
	struct str name = pdk_check_str(L, 2, "invalid name");
	struct span_event *e;
	uint64_t time_ns = 0;

	if (!lua_isnoneornil(L, 3) && !lua_istable(L, 3))
		return luaL_error(L, "invalid attribute");
	if (!lua_isnoneornil(L, 4))
		time_ns = pdk_span_ns(pdk_check_number(L, 4, "invalid time"));
	if (s == NULL)
		return 0;
	vm_host_enter(L);
	e = span_add_event(pdk_trace(L), s, name, time_ns);
	vm_host_leave(L);
	if (e != NULL && lua_istable(L, 3))
		pdk_span_take(L, &e->attributes, 3);
	return 0;
}

static int span_error(lua_State *L)
{
	struct span *s = pdk_to_span(L, 1);
	struct str text;

	text.p = vm_push_text(L, 2, &text.n);
	if (s == NULL)
		return 0;
	vm_host_enter(L);
	span_record_error(pdk_trace(L), s, text);
	vm_host_leave(L);
	return 0;
}

static int span_status(lua_State *L)
{
	struct span *s = pdk_to_span(L, 1);
	double status = pdk_check_number(L, 2, "invalid status");

	if (s != NULL)
		s->status = status >= SPAN_UNSET && status <= SPAN_ERROR ? (int)status : SPAN_UNSET;
	return 0;
}

/* The bytes of field `key` of the table at idx, when there are n; else NULL. */
static const uint8_t *id_field(lua_State *L, int idx, const char *key, size_t n)
{
	const char *p = NULL;
	size_t got = 0;

	lua_pushstring(L, key);
	lua_rawget(L, idx);
	if (lua_type(L, -1) == LUA_TSTRING)
		p = lua_tolstring(L, -1, &got);
	lua_pop(L, 1); /* the table keeps it */
	return got == n ? (const uint8_t *)p : NULL;
}

/* To another span of this request, or to one given by trace_id and span_id. */
static int span_link(lua_State *L)
{
	struct span *s = pdk_to_span(L, 1), *other = pdk_to_span(L, 2);
	struct trace *t = pdk_trace(L);
	const uint8_t *trace_id, *span_id;
	struct span_link *l;

	if (!lua_istable(L, 2))
		return luaL_error(L, "invalid span");
	if (!lua_isnoneornil(L, 3) && !lua_istable(L, 3))
		return luaL_error(L, "invalid attributes");
	trace_id = other != NULL ? t->id : id_field(L, 2, "trace_id", TRACE_ID_BYTES);
	span_id = other != NULL ? other->id : id_field(L, 2, "span_id", SPAN_ID_BYTES);
	if (s == NULL || trace_id == NULL || span_id == NULL)
		return 0;
	vm_host_enter(L);
	l = span_add_link(t, s, trace_id, span_id);
	vm_host_leave(L);
	if (l != NULL && lua_istable(L, 3))
		pdk_span_take(L, &l->attributes, 3);
	return 0;
}

static int span_set_baggage(lua_State *L)
{
	struct trace *t = pdk_trace(L);
	struct str key = pdk_check_str(L, 2, "invalid key");
	struct str value = pdk_check_str(L, 3, "invalid value");
	int r = 0;

	if (pdk_to_span(L, 1) == NULL || key.n > SPAN_TEXT_MAX || value.n > SPAN_TEXT_MAX)
		return 0;
	key = pdk_keep(L, key);
	value = pdk_keep(L, value);
	vm_host_enter(L);
	if (t->baggage == NULL)
		t->baggage = value_table_make(t->arena).table;
	if (t->baggage != NULL && t->baggage->n < SPAN_ITEMS_MAX)
		r = value_set(t->arena, t->baggage, value_of_str(key), value_of_str(value));
	vm_host_leave(L);
	pdk_check_room(L, r);
	return 0;
}

/* The iterator: name, value of the next item. */
static int next_item(lua_State *L)
{
	const struct trace *t = pdk_trace(L);
	lua_Integer at = lua_tointeger(L, lua_upvalueindex(1));

	if (t == NULL || t->baggage == NULL || at >= (lua_Integer)t->baggage->n)
		return 0;
	lua_pushinteger(L, at + 1);
	lua_replace(L, lua_upvalueindex(1));
	pdk_push_str(L, t->baggage->v[at].key.string);
	pdk_push_str(L, t->baggage->v[at].value.string);
	return 2;
}

static int span_each_baggage(lua_State *L)
{
	lua_pushinteger(L, 0);
	lua_pushcclosure(L, next_item, 1);
	return 1;
}

static int meta_index(lua_State *L)
{
	const struct span *s;
	pdk_span_get_fn *get;

	lua_pushvalue(L, 2);
	lua_rawget(L, lua_upvalueindex(1));
	if (!lua_isnil(L, -1) || lua_type(L, 2) != LUA_TSTRING)
		return 1;
	get = pdk_span_field(lua_tostring(L, 2));
	s = get != NULL ? pdk_to_span(L, 1) : NULL;
	if (s == NULL)
		return 1;
	value_check_stack(L);
	get(L, pdk_trace(L), s);
	return 1;
}

/* True: the value was for the host. */
static bool assign(lua_State *L, struct trace *t, struct span *s, const char *key)
{
	int type = lua_type(L, 3);
	struct str text = STR_NONE;

	if (type == LUA_TSTRING)
		text.p = lua_tolstring(L, 3, &text.n);
	if (strcmp(key, "name") == 0 && text.n != 0 && s->name.p != NULL)
		s->name = pdk_keep(L, str_head(text, SPAN_TEXT_MAX));
	else if (strcmp(key, "status") == 0 && type == LUA_TNUMBER)
		s->status = lua_tonumber(L, 3) >= SPAN_ERROR ? SPAN_ERROR : SPAN_OK;
	else if (strcmp(key, "should_sample") == 0 && type == LUA_TBOOLEAN)
		s->should_sample = lua_toboolean(L, 3);
	else if (strcmp(key, "parent_id") == 0 && text.n == SPAN_ID_BYTES) {
		s->parent = NULL;
		memcpy(s->parent_id, text.p, SPAN_ID_BYTES);
	} else if (strcmp(key, "trace_id") == 0 && text.n == TRACE_ID_BYTES)
		memcpy(t->id, text.p, TRACE_ID_BYTES); /* of all: a request has one trace */
	else
		return pdk_span_field(key) != NULL;
	return true;
}

/* What a span has not is the plugin's own, kept in its table. */
static int meta_newindex(lua_State *L)
{
	struct span *s = pdk_to_span(L, 1);

	if (lua_type(L, 2) == LUA_TSTRING && s != NULL &&
			assign(L, pdk_trace(L), s, lua_tostring(L, 2)))
		return 0;
	lua_settop(L, 3);
	if (!lua_isnil(L, 2))
		lua_rawset(L, 1);
	return 0;
}

static int meta_eq(lua_State *L)
{
	const struct span *a = pdk_to_span(L, 1), *b = pdk_to_span(L, 2);

	lua_pushboolean(L, a != NULL && a == b);
	return 1;
}

static const luaL_Reg methods[] = {
		{"finish", span_finish},
		{"set_attribute", span_set_attribute},
		{"add_event", span_event},
		{"record_error", span_error},
		{"set_status", span_status},
		{"add_span_link", span_link},
		{"set_baggage_item", span_set_baggage},
		{"each_baggage_item", span_each_baggage},
		{NULL, NULL},
};

static int nothing(lua_State *L)
{
	(void)L;
	return 0;
}

static int push_nothing(lua_State *L)
{
	lua_pushcfunction(L, nothing);
	return 1;
}

/* Its fields cannot be changed: it is the same one for every request. */
static void open_noop(lua_State *L)
{
	lua_newtable(L);
	lua_newtable(L);
	lua_newtable(L);
	for (const luaL_Reg *m = methods; m->name != NULL; m++) {
		lua_pushcfunction(L, nothing);
		lua_setfield(L, -2, m->name);
	}
	lua_pushcfunction(L, push_nothing);
	lua_setfield(L, -2, "each_baggage_item");
	lua_pushboolean(L, 0);
	lua_setfield(L, -2, "is_recording");
	lua_setfield(L, -2, "__index");
	lua_pushcfunction(L, nothing);
	lua_setfield(L, -2, "__newindex");
	lua_pushboolean(L, 0);
	lua_setfield(L, -2, "__metatable");
	lua_setmetatable(L, -2);
	lua_setfield(L, LUA_REGISTRYINDEX, NOOP);
}

void pdk_span_open(lua_State *L)
{
	lua_newtable(L);
	lua_newtable(L);
	luaL_register(L, NULL, methods);
	lua_pushcclosure(L, meta_index, 1);
	lua_setfield(L, -2, "__index");
	lua_pushcfunction(L, meta_newindex);
	lua_setfield(L, -2, "__newindex");
	lua_pushcfunction(L, meta_eq);
	lua_setfield(L, -2, "__eq");
	lua_pushboolean(L, 0);
	lua_setfield(L, -2, "__metatable");
	lua_setfield(L, LUA_REGISTRYINDEX, META);
	open_noop(L);
}
