/* SPDX-License-Identifier: Apache-2.0
 * kong.tracing: the request's spans.  Off: a tracer that does nothing, as the reference has it. */
#include "plugin/pdk_log.h"
#include "plugin/pdk_part.h"
#include "plugin/pdk_span.h"

/* options of start_span() and its kin. */
struct span_options {
	struct span *parent;
	bool has_parent, has_parent_id, has_sampled, is_sampled;
	uint8_t parent_id[SPAN_ID_BYTES];
	uint64_t start_ns;
	int kind;
	int attributes; /* stack index; 0: none */
};

/* Pushes options[key]; raises text unless it is nil or of that type. */
static bool option(lua_State *L, int arg, const char *key, int type, const char *text)
{
	lua_pushstring(L, key);
	lua_rawget(L, arg);
	if (lua_isnil(L, -1))
		return false;
	if (text != NULL && lua_type(L, -1) != type)
		luaL_error(L, "%s", text);
	return lua_type(L, -1) == type;
}

static void take_id(lua_State *L, struct span_options *o)
{
	size_t n;
	const char *p = lua_tolstring(L, -1, &n);

	if (n != SPAN_ID_BYTES)
		return;
	o->has_parent_id = true;
	memcpy(o->parent_id, p, n);
}

/* A span of ours, or a table with the id of one elsewhere. */
static void take_parent(lua_State *L, struct span_options *o)
{
	int parent = lua_gettop(L);

	o->has_parent = true;
	o->parent = pdk_to_span(L, parent);
	if (o->parent != NULL)
		return;
	if (option(L, parent, "span_id", LUA_TSTRING, NULL))
		take_id(L, o);
	if (option(L, parent, "should_sample", LUA_TBOOLEAN, NULL)) {
		o->has_sampled = true;
		o->is_sampled = lua_toboolean(L, -1);
	}
}

/* Leaves values on the stack that *o points to. */
static void check_options(lua_State *L, int arg, struct span_options *o)
{
	*o = (struct span_options){.kind = SPAN_INTERNAL};
	if (lua_isnoneornil(L, arg))
		return;
	if (!lua_istable(L, arg))
		luaL_error(L, "invalid options type");
	luaL_checkstack(L, 12, "options");
	if (option(L, arg, "start_time_ns", LUA_TNUMBER, "invalid start time"))
		o->start_ns = pdk_span_ns(lua_tonumber(L, -1));
	if (option(L, arg, "span_kind", LUA_TNUMBER, "invalid start kind")) {
		double kind = lua_tonumber(L, -1);

		o->kind = kind >= 0 && kind <= 5 ? (int)kind : SPAN_INTERNAL;
	}
	if (option(L, arg, "should_sample", LUA_TBOOLEAN, "invalid sampled")) {
		o->has_sampled = true;
		o->is_sampled = lua_toboolean(L, -1);
	}
	if (option(L, arg, "attributes", LUA_TTABLE, "invalid attributes"))
		o->attributes = lua_gettop(L);
	if (option(L, arg, "parent_id", LUA_TSTRING, NULL))
		take_id(L, o);
	if (option(L, arg, "parent", LUA_TTABLE, NULL))
		take_parent(L, o);
}

static struct span *make(lua_State *L, const struct span_options *o, bool has_tracer)
{
	struct trace *t = pdk_trace(L);
	struct span *parent = o->has_parent || !has_tracer ? o->parent : t->active, *s;

	vm_host_enter(L);
	s = trace_make_span(t, parent);
	vm_host_leave(L);
	if (s == NULL)
		return NULL;
	s->kind = o->kind;
	if (parent != NULL)
		s->should_sample = parent->should_sample;
	else if (o->has_sampled || !has_tracer)
		s->should_sample = o->is_sampled;
	if (parent == NULL && o->has_parent_id)
		memcpy(s->parent_id, o->parent_id, SPAN_ID_BYTES);
	return s;
}

static bool name_it(lua_State *L, struct span *s, struct str name, const struct span_options *o)
{
	int r;

	vm_host_enter(L);
	r = trace_link_span(pdk_trace(L), s, name, o->start_ns);
	vm_host_leave(L);
	if (r == 0 && o->attributes != 0)
		pdk_span_take(L, &s->attributes, o->attributes);
	return r == 0;
}

static struct str check_name(lua_State *L, int arg)
{
	struct str name = pdk_check_str(L, arg, "invalid span name");

	if (name.n == 0)
		luaL_error(L, "invalid span name");
	return name;
}

static int push_made(lua_State *L, const struct span *s)
{
	if (s != NULL)
		pdk_push_span(L, s);
	else
		pdk_push_noop_span(L);
	return 1;
}

static int start_span(lua_State *L)
{
	struct span_options o;
	struct str name;
	struct span *s;

	if (pdk_trace(L) == NULL)
		return push_made(L, NULL);
	name = check_name(L, 1);
	check_options(L, 2, &o);
	s = make(L, &o, true);
	return push_made(L, s != NULL && name_it(L, s, name, &o) ? s : NULL);
}

static bool has_tracer(lua_State *L, int arg)
{
	if (!lua_isnoneornil(L, arg) && !lua_istable(L, arg))
		luaL_error(L, "invalid tracer");
	return lua_istable(L, arg);
}

/* create_span(tracer or nil, options) */
static int create_span(lua_State *L)
{
	struct span_options o;

	if (pdk_trace(L) == NULL)
		return push_made(L, NULL);
	check_options(L, 2, &o);
	return push_made(L, make(L, &o, has_tracer(L, 1)));
}

/* link_span(tracer or nil, span, name, options) */
static int link_span(lua_State *L)
{
	struct span_options o;
	struct str name;
	struct span *s;

	if (pdk_trace(L) == NULL)
		return 0;
	has_tracer(L, 1);
	if (!lua_istable(L, 2))
		return luaL_error(L, "invalid span");
	name = check_name(L, 3);
	check_options(L, 4, &o);
	s = pdk_to_span(L, 2);
	if (s != NULL && s->name.p == NULL)
		name_it(L, s, name, &o);
	lua_pushvalue(L, 2);
	return 1;
}

static int push_or_nil(lua_State *L, const struct span *s)
{
	if (s == NULL)
		lua_pushnil(L);
	else
		pdk_push_span(L, s);
	return 1;
}

static int active_span(lua_State *L)
{
	const struct trace *t = pdk_trace(L);

	return push_or_nil(L, t != NULL ? t->active : NULL);
}

static int set_active_span(lua_State *L)
{
	if (pdk_trace(L) != NULL)
		trace_set_active(pdk_trace(L), pdk_to_span(L, 1));
	return 0;
}

static int get_root_span(lua_State *L)
{
	const struct trace *t = pdk_trace(L);

	return push_or_nil(L, t != NULL ? t->root : NULL);
}

static void push_spans(lua_State *L, const struct trace *t)
{
	int n = 0;

	lua_createtable(L, (int)t->n, 1);
	for (uint32_t i = 0; i < t->n; i++)
		if (t->v[i]->name.p != NULL) {
			pdk_push_span(L, t->v[i]);
			lua_rawseti(L, -2, ++n);
		}
	lua_pushinteger(L, n);
	lua_rawseti(L, -2, 0);
}

static int get_spans(lua_State *L)
{
	if (pdk_trace(L) == NULL)
		lua_pushnil(L);
	else
		push_spans(L, pdk_trace(L));
	return 1;
}

/* Spans are the request's from its beginning: there is nothing to make. */
static int init_spans(lua_State *L)
{
	return get_spans(L);
}

/* Methods in the reference; both ways of calling them are taken. */
static int first_argument(lua_State *L)
{
	return lua_istable(L, 1) ? 2 : 1;
}

static int set_should_sample(lua_State *L)
{
	struct trace *t = pdk_trace(L);

	if (t != NULL)
		trace_set_sampled(t, lua_toboolean(L, first_argument(L)));
	return 0;
}

/* Of the rate at arg, or the configured one; 1, 0, or -1: no number. */
static int chosen(lua_State *L, const struct trace *t, int arg)
{
	if (lua_isnoneornil(L, arg))
		return trace_is_chosen(t->id, t->rate);
	if (lua_type(L, arg) == LUA_TNUMBER)
		return trace_is_chosen(t->id, lua_tonumber(L, arg));
	pdk_log_text(L, LOG_ERR, "sampler failure: invalid fraction");
	return -1;
}

static int get_sampling_decision(lua_State *L)
{
	const struct trace *t = pdk_trace(L);
	int at = first_argument(L), r;
	bool parent = lua_toboolean(L, at);

	if (t == NULL)
		return 0;
	r = t->root == NULL || (lua_isboolean(L, at) && !parent) ? 0 : chosen(L, t, at + 1);
	lua_pushboolean(L, r < 0 ? parent : r);
	return 1;
}

static int get_probability_sampling_decision(lua_State *L)
{
	const struct trace *t = pdk_trace(L);

	if (t == NULL)
		return 0;
	lua_pushboolean(L, t->root != NULL && chosen(L, t, first_argument(L)) > 0);
	return 1;
}

/* What process_span() needs before it can call the plugin's function: an array of spans, or
 * nothing, or nil and what is wrong. */
static int process_begin(lua_State *L)
{
	const struct pdk_host *host = pdk_host(L);

	if (host->exchange == NULL)
		return pdk_fail(L, "no phase in ngx.ctx.KONG_PHASE, (need one of log)");
	if (host->phase != PHASE_LOG)
		return pdk_fail(L, "function cannot be called in %s phase (only in: log)",
				phase_name(host->phase));
	if (pdk_trace(L) == NULL)
		return 0;
	if (!lua_isfunction(L, 1))
		return pdk_fail(L, "processor must be a function");
	push_spans(L, pdk_trace(L));
	return 1;
}

/* In Lua: no frame of C lies below the plugin's function. */
static const char process_source[] = "local begin, error = ...\n"
				     "return function(processor, ...)\n"
				     "  local spans, text = begin(processor)\n"
				     "  if text then error(text, 2) end\n"
				     "  if not spans then return end\n"
				     "  for i = 1, #spans do processor(spans[i], ...) end\n"
				     "end\n";

static void open_process(lua_State *L, int env_index)
{
	pdk_push_table(L, env_index, "kong.tracing");
	if (luaL_loadbuffer(L, process_source, sizeof(process_source) - 1, "=kong.tracing") != 0)
		lua_error(L);
	lua_pushcfunction(L, process_begin);
	lua_getfield(L, env_index, "error");
	lua_call(L, 2, 1);
	lua_setfield(L, -2, "process_span");
	lua_pop(L, 1);
}

/* clang-format off */
#define TRACING_FUNCTIONS(X) \
	X("start_span", start_span, PDK_ANY, VM_STRICT, "a new span below the active one; records nothing while tracing is off or the request has its share") \
	X("create_span", create_span, PDK_ANY, VM_STRICT, "a span that link_span() names and starts later") \
	X("link_span", link_span, PDK_ANY, VM_STRICT, "names and starts a created span") \
	X("active_span", active_span, PDK_ANY, VM_STRICT, "the span that new ones are below, or nil") \
	X("set_active_span", set_active_span, PDK_ANY, VM_STRICT, "makes a span the active one; nil: none") \
	X("get_root_span", get_root_span, PDK_ANY, VM_STRICT, "the first span of the request, or nil") \
	X("get_spans", get_spans, PDK_ANY, VM_STRICT, "the spans of the request, those of other plugins too; nil while tracing is off") \
	X("init_spans", init_spans, PDK_ANY, VM_STRICT, "the same: a request has its spans from the beginning") \
	X("process_span", process_begin, PDK_LOG, VM_STRICT, "calls a function with each span of the request, and with the further arguments") \
	X("set_should_sample", set_should_sample, PDK_ANY, VM_STRICT, "whether the spans of this request are exported") \
	X("get_sampling_decision", get_sampling_decision, PDK_ANY, VM_STRICT, "false if the parent's is; else by the rate, which is tracing_sampling_rate if absent") \
	X("get_probability_sampling_decision", get_probability_sampling_decision, PDK_ANY, VM_STRICT, "by the rate alone")
/* clang-format on */

void pdk_open_tracing(lua_State *L, int env_index)
{
	static const struct pdk_function tracing[] = {TRACING_FUNCTIONS(PDK_ROW)};

	pdk_span_open(L);
	pdk_register(L, env_index, "kong.tracing", tracing, PDK_COUNT(tracing));
	open_process(L, env_index);
}
