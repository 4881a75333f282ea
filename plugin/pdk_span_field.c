/* SPDX-License-Identifier: Apache-2.0
 * The fields of spans, as plugins read them. */
#include "plugin/pdk_span.h"

#include "plugin/value_lua.h"

static void push_attributes(lua_State *L, const struct span_attributes *a)
{
	lua_createtable(L, 0, (int)a->n);
	for (const struct span_attribute *i = a->first; i != NULL; i = i->next) {
		lua_pushlstring(L, i->key.p, i->key.n);
		value_push(L, &i->value);
		lua_rawset(L, -3);
	}
}

static void push_ns(lua_State *L, uint64_t ns)
{
	if (ns != 0)
		lua_pushnumber(L, (double)ns);
	else
		lua_pushnil(L);
}

static void push_events(lua_State *L, const struct span *s)
{
	int n = 0;

	if (s->n_events == 0) {
		lua_pushnil(L);
		return;
	}
	lua_createtable(L, (int)s->n_events, 1);
	for (const struct span_event *e = s->first_event; e != NULL; e = e->next) {
		lua_createtable(L, 0, 3);
		lua_pushlstring(L, e->name.p, e->name.n);
		lua_setfield(L, -2, "name");
		push_ns(L, e->time_ns);
		lua_setfield(L, -2, "time_ns");
		if (e->attributes.n != 0) {
			push_attributes(L, &e->attributes);
			lua_setfield(L, -2, "attributes");
		}
		lua_rawseti(L, -2, ++n);
	}
	lua_pushinteger(L, n);
	lua_rawseti(L, -2, 0);
}

static void get_name(lua_State *L, const struct trace *t, const struct span *s)
{
	(void)t;
	pdk_push_str(L, s->name);
}

static void get_trace_id(lua_State *L, const struct trace *t, const struct span *s)
{
	(void)s;
	lua_pushlstring(L, (const char *)t->id, TRACE_ID_BYTES);
}

static void get_span_id(lua_State *L, const struct trace *t, const struct span *s)
{
	(void)t;
	lua_pushlstring(L, (const char *)s->id, SPAN_ID_BYTES);
}

static void get_parent_id(lua_State *L, const struct trace *t, const struct span *s)
{
	static const uint8_t none[SPAN_ID_BYTES];
	const uint8_t *id = s->parent != NULL ? s->parent->id : s->parent_id;

	(void)t;
	if (memcmp(id, none, SPAN_ID_BYTES) == 0)
		lua_pushnil(L);
	else
		lua_pushlstring(L, (const char *)id, SPAN_ID_BYTES);
}

static void get_parent(lua_State *L, const struct trace *t, const struct span *s)
{
	(void)t;
	if (s->parent != NULL)
		pdk_push_span(L, s->parent);
	else
		lua_pushnil(L);
}

static void get_start(lua_State *L, const struct trace *t, const struct span *s)
{
	(void)t;
	push_ns(L, s->start_ns);
}

static void get_end(lua_State *L, const struct trace *t, const struct span *s)
{
	(void)t;
	push_ns(L, s->end_ns);
}

static void get_kind(lua_State *L, const struct trace *t, const struct span *s)
{
	(void)t;
	lua_pushinteger(L, s->kind);
}

static void get_status(lua_State *L, const struct trace *t, const struct span *s)
{
	(void)t;
	if (s->status != SPAN_UNSET)
		lua_pushinteger(L, s->status);
	else
		lua_pushnil(L);
}

static void get_sampled(lua_State *L, const struct trace *t, const struct span *s)
{
	(void)t;
	lua_pushboolean(L, s->should_sample);
}

static void get_linked(lua_State *L, const struct trace *t, const struct span *s)
{
	(void)t;
	lua_pushboolean(L, s->name.p != NULL);
}

static void get_attributes(lua_State *L, const struct trace *t, const struct span *s)
{
	(void)t;
	push_attributes(L, &s->attributes);
}

static void get_events(lua_State *L, const struct trace *t, const struct span *s)
{
	(void)t;
	push_events(L, s);
}

/* Fields as they are now: copies. */
static const struct {
	const char *name;
	pdk_span_get_fn *get;
} fields[] = {
		{"name", get_name},
		{"trace_id", get_trace_id},
		{"span_id", get_span_id},
		{"parent_id", get_parent_id},
		{"parent", get_parent},
		{"start_time_ns", get_start},
		{"end_time_ns", get_end},
		{"kind", get_kind},
		{"status", get_status},
		{"should_sample", get_sampled},
		{"linked", get_linked},
		{"attributes", get_attributes},
		{"events", get_events},
};

pdk_span_get_fn *pdk_span_field(const char *name)
{
	for (size_t i = 0; i < PDK_COUNT(fields); i++)
		if (strcmp(fields[i].name, name) == 0)
			return fields[i].get;
	return NULL;
}
