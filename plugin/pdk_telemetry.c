/* SPDX-License-Identifier: Apache-2.0
 * kong.telemetry.log() */
#include "plugin/pdk_part.h"

#include <errno.h>

#include "plugin/engine.h"
#include "plugin/telemetry.h"
#include "plugin/value_lua.h"

#define ATTRIBUTES_BYTES (256U * 1024)
#define DISABLED \
	"Telemetry logging is disabled: log entry will not be recorded. Set " \
	"tracing_otlp_endpoint to export log entries."

static const struct {
	int type;
	bool is_optional;
	const char *text;
} arguments[] = {
		{LUA_TSTRING, false, "plugin_name must be a string"},
		{LUA_TTABLE, false, "plugin_config must be a table"},
		{LUA_TSTRING, false, "message_type must be a string"},
		{LUA_TSTRING, true, "message must be a string"},
		{LUA_TTABLE, true, "attributes must be a table"},
};

static bool is_missing(lua_State *L, int i)
{
	return lua_isnoneornil(L, i) || (lua_isboolean(L, i) && !lua_toboolean(L, i));
}

static struct str text_at(lua_State *L, int idx)
{
	struct str s = STR_NONE;

	if (lua_type(L, idx) == LUA_TSTRING)
		s.p = lua_tolstring(L, idx, &s.n);
	return str_head(s, TELEMETRY_TEXT_MAX);
}

/* A raw field of the configuration; stays on the stack. */
static struct str config_field(lua_State *L, const char *key)
{
	lua_pushstring(L, key);
	lua_rawget(L, 2);
	return text_at(L, -1);
}

/* The attributes are read into memory of their own, gone after the call.  0, -errno with what
 * cannot be kept. */
static int hand_over(lua_State *L, const struct telemetry_sink *sink, struct telemetry_record *r,
		const char **ret_text)
{
	struct arena *a = NULL;
	struct value v = {.type = VALUE_NIL};
	int e = 0;

	if (lua_istable(L, 5)) {
		e = arena_new(&a, ATTRIBUTES_BYTES);
		if (e == 0)
			e = value_from_lua(L, 5, a, &v, ret_text);
		if (v.type == VALUE_TABLE && e == 0)
			r->attributes = v.table;
	}
	if (e == 0)
		sink->log(sink->arg, r);
	arena_free(a);
	return e;
}

static int telemetry_log(lua_State *L)
{
	const struct telemetry_sink *sink = pdk_host(L)->conf->telemetry;
	struct telemetry_record r = {.exchange = pdk_exchange(L)};
	const char *text = "that";
	int e;

	for (int i = 0; i < (int)PDK_COUNT(arguments); i++)
		if (lua_type(L, i + 1) != arguments[i].type &&
				!(arguments[i].is_optional && is_missing(L, i + 1)))
			return pdk_fail(L, "%s", arguments[i].text);
	if (sink == NULL)
		return pdk_fail(L, DISABLED);
	lua_settop(L, 5);
	value_check_stack(L);
	r.plugin = text_at(L, 1);
	r.type = text_at(L, 3);
	r.message = text_at(L, 4);
	r.plugin_id = config_field(L, "__plugin_id");
	if (r.plugin_id.n == 0)
		r.plugin_id = pdk_host(L)->instance_id;
	r.instance = config_field(L, "plugin_instance_name");
	vm_host_enter(L);
	e = hand_over(L, sink, &r, &text);
	vm_host_leave(L);
	if (e == -EINVAL)
		return pdk_fail(L, "attributes cannot hold %s", text);
	if (e != 0)
		return pdk_fail(L, "attributes are too large");
	lua_pushboolean(L, 1);
	return 1;
}

/* clang-format off */
#define TELEMETRY_FUNCTIONS(X) \
	X("log", telemetry_log, PDK_ANY, VM_STRICT, "a log record for the collector at tracing_otlp_endpoint; nil and why if there is none")
/* clang-format on */

void pdk_open_telemetry(lua_State *L, int env_index)
{
	static const struct pdk_function telemetry[] = {TELEMETRY_FUNCTIONS(PDK_ROW)};

	pdk_register(L, env_index, "kong.telemetry", telemetry, PDK_COUNT(telemetry));
}
