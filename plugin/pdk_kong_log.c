/* SPDX-License-Identifier: Apache-2.0
 * kong.log */
#include <stdio.h>

#include "plugin/pdk_inspect.h"
#include "plugin/pdk_log.h"
#include "plugin/pdk_part.h"
#include "plugin/pdk_serialize.h"

/* X(Lua name, level) */
/* clang-format off */
#define LEVEL_TABLE(X) \
	X(debug,  LOG_DEBUG) \
	X(info,   LOG_INFO) \
	X(notice, LOG_NOTICE) \
	X(warn,   LOG_WARN) \
	X(err,    LOG_ERR) \
	X(crit,   LOG_CRIT) \
	X(alert,  LOG_ALERT) \
	X(emerg,  LOG_EMERG)
/* clang-format on */

#define FORMAT_KEY "pdk.log_format"
#define LOG_KEY "pdk.log" /* kong.log itself */

/* As set_format() wants it. */
static void say_at(lua_State *L, enum log_level level)
{
	struct str format = STR_NONE;

	lua_getfield(L, LUA_REGISTRYINDEX, FORMAT_KEY);
	if (lua_type(L, -1) == LUA_TSTRING)
		format.p = lua_tolstring(L, -1, &format.n); /* the registry keeps it */
	lua_pop(L, 1);
	if (format.p == NULL)
		pdk_log_arguments(L, level);
	else
		pdk_log_formatted(L, level, str_of(pdk_host(L)->plugin_name), format);
}

#define X(name, level) \
	static int say_##name(lua_State *L) \
	{ \
		say_at(L, level); \
		return 0; \
	}
LEVEL_TABLE(X)
#undef X

/* kong.log(…): the first argument is kong.log itself. */
static int say(lua_State *L)
{
	lua_remove(L, 1);
	say_at(L, LOG_NOTICE);
	return 0;
}

static void check_format(lua_State *L, int arg, const char *text)
{
	if (!lua_isnoneornil(L, arg) && lua_type(L, arg) != LUA_TSTRING)
		luaL_error(L, "%s", text);
}

static int set_format(lua_State *L)
{
	check_format(L, 1, "format must be a string");
	lua_settop(L, 1);
	lua_setfield(L, LUA_REGISTRYINDEX, FORMAT_KEY);
	return 0;
}

/* The functions of new(): upvalues level, namespace, {format}. */
static int logger_say(lua_State *L)
{
	enum log_level level = (enum log_level)lua_tointeger(L, lua_upvalueindex(1));
	struct str namespace, format = STR("[%namespace] %message");

	namespace.p = lua_tolstring(L, lua_upvalueindex(2), &namespace.n);
	lua_rawgeti(L, lua_upvalueindex(3), 1);
	if (lua_type(L, -1) == LUA_TSTRING)
		format.p = lua_tolstring(L, -1, &format.n); /* the table keeps it */
	lua_pop(L, 1);
	pdk_log_formatted(L, level, namespace, format);
	return 0;
}

static int logger_call(lua_State *L)
{
	lua_remove(L, 1);
	return logger_say(L);
}

static int logger_set_format(lua_State *L)
{
	check_format(L, 1, "format must be a string");
	lua_settop(L, 1);
	lua_rawseti(L, lua_upvalueindex(1), 1);
	return 0;
}

static void push_logger_function(lua_State *L, lua_CFunction call, enum log_level level, int state)
{
	lua_pushnumber(L, level);
	lua_pushvalue(L, 1);
	lua_pushvalue(L, state);
	lua_pushcclosure(L, call, 3);
}

/* Of a logger's inspect: upvalues {format, is off}, and what the switch sets. */
static int logger_inspect(lua_State *L)
{
	bool is_off;

	lua_rawgeti(L, lua_upvalueindex(1), 2);
	is_off = lua_toboolean(L, -1);
	lua_pop(L, 1);
	if (is_off || !log_wants(LOG_NOTICE))
		return 0;
	lua_remove(L, 1);
	pdk_inspect(L);
	return 0;
}

static int logger_switch_inspect(lua_State *L)
{
	lua_pushvalue(L, lua_upvalueindex(2));
	lua_rawseti(L, lua_upvalueindex(1), 2);
	return 0;
}

/* The metatable for the table at the top: what it is when called (at the top), and its index. */
static void seal(lua_State *L, const char *index_key)
{
	lua_createtable(L, 0, 3);
	lua_insert(L, -2);
	lua_setfield(L, -2, "__call");
	if (index_key != NULL) {
		lua_getfield(L, LUA_REGISTRYINDEX, index_key);
		lua_setfield(L, -2, "__index");
	}
	lua_pushboolean(L, 0);
	lua_setfield(L, -2, "__metatable");
	lua_setmetatable(L, -2);
}

static void push_logger_inspect(lua_State *L, int state)
{
	lua_createtable(L, 0, 2);
	for (int is_off = 0; is_off < 2; is_off++) {
		lua_pushvalue(L, state);
		lua_pushboolean(L, is_off);
		lua_pushcclosure(L, logger_switch_inspect, 2);
		lua_setfield(L, -2, is_off ? "off" : "on");
	}
	lua_pushvalue(L, state);
	lua_pushcclosure(L, logger_inspect, 1);
	seal(L, NULL);
}

static int new_logger(lua_State *L)
{
	static const struct {
		const char *name;
		enum log_level level;
	} rows[] = {
#define X(name, level) {#name, level},
			LEVEL_TABLE(X)
#undef X
	};

	if (pdk_check_str(L, 1, "namespace must be a string").n == 0)
		luaL_error(L, "namespace cannot be an empty string");
	check_format(L, 2, "format must be a string if specified");
	if (lua_type(L, 2) == LUA_TSTRING && lua_objlen(L, 2) == 0)
		luaL_error(L, "format cannot be an empty string if specified");
	lua_settop(L, 2);
	lua_createtable(L, 2, 0);
	lua_insert(L, 2);
	lua_rawseti(L, 2, 1);
	lua_createtable(L, 0, PDK_COUNT(rows) + 2);
	for (size_t i = 0; i < PDK_COUNT(rows); i++) {
		push_logger_function(L, logger_say, rows[i].level, 2);
		lua_setfield(L, -2, rows[i].name);
	}
	lua_pushvalue(L, 2);
	lua_pushcclosure(L, logger_set_format, 1);
	lua_setfield(L, -2, "set_format");
	push_logger_inspect(L, 2);
	lua_setfield(L, -2, "inspect");
	push_logger_function(L, logger_call, LOG_NOTICE, 2);
	seal(L, LOG_KEY);
	return 1;
}

static bool is_inspect_on(lua_State *L)
{
	bool is_off;

	lua_getfield(L, LUA_REGISTRYINDEX, "pdk.inspect_off");
	is_off = lua_toboolean(L, -1);
	lua_pop(L, 1);
	return !is_off;
}

static int switch_inspect(lua_State *L, bool is_off)
{
	lua_pushboolean(L, is_off);
	lua_setfield(L, LUA_REGISTRYINDEX, "pdk.inspect_off");
	return 0;
}

static int inspect_on(lua_State *L)
{
	return switch_inspect(L, false);
}

static int inspect_off(lua_State *L)
{
	return switch_inspect(L, true);
}

static int inspect(lua_State *L)
{
	if (!is_inspect_on(L) || !log_wants(LOG_NOTICE))
		return 0;
	lua_remove(L, 1);
	pdk_inspect(L);
	return 0;
}

static const char *raw_text(lua_State *L, int table, const char *key)
{
	const char *text;

	lua_pushstring(L, key);
	lua_rawget(L, table);
	text = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : NULL;
	/* The table keeps the string alive. */
	lua_pop(L, 1);
	return text;
}

static int deprecate(lua_State *L)
{
	int top = lua_gettop(L);
	const char *after = NULL, *removal = NULL;

	if (top >= 1 && lua_istable(L, top)) {
		after = raw_text(L, top, "after");
		removal = raw_text(L, top, "removal");
		lua_pushfstring(L, "%s%s%s%s%s%s", after != NULL || removal != NULL ? " (" : "",
				after != NULL ? "deprecated after " : "",
				after != NULL ? after : "",
				removal == NULL ? ""
				: after != NULL ? ", scheduled for removal in "
						: "scheduled for removal in ",
				removal != NULL ? removal : "",
				after != NULL || removal != NULL ? ")" : "");
		lua_replace(L, top);
	}
	pdk_log_arguments(L, LOG_WARN);
	return 0;
}

static int deprecation(lua_State *L)
{
	lua_remove(L, 1);
	return deprecate(L);
}

static int deprecation_write(lua_State *L)
{
	return deprecate(L);
}

#define SERIALIZE_PHASES \
	(PDK_REWRITE | PDK_ACCESS | PDK_HEADER_FILTER | PDK_RESPONSE | PDK_BODY_FILTER | PDK_LOG)

/* clang-format off */
#define LOG_FUNCTIONS(X) \
	X("", say, PDK_ANY, VM_STRICT, "prints its arguments at notice level") \
	X("debug", say_debug, PDK_ANY, VM_STRICT, "prints its arguments at debug level") \
	X("info", say_info, PDK_ANY, VM_STRICT, "prints its arguments at info level") \
	X("notice", say_notice, PDK_ANY, VM_STRICT, "prints its arguments at notice level") \
	X("warn", say_warn, PDK_ANY, VM_STRICT, "prints its arguments at warn level") \
	X("err", say_err, PDK_ANY, VM_STRICT, "prints its arguments at err level") \
	X("crit", say_crit, PDK_ANY, VM_STRICT, "prints its arguments at crit level") \
	X("alert", say_alert, PDK_ANY, VM_STRICT, "prints its arguments at alert level") \
	X("emerg", say_emerg, PDK_ANY, VM_STRICT, "prints its arguments at emerg level") \
	X("new", new_logger, PDK_ANY, VM_STRICT, "a logger of its own: namespace, and a format") \
	X("set_format", set_format, PDK_ANY, VM_STRICT, "how messages are worded: %message, %namespace, %file_src, %line_src, %func_name; nil = as they are") \
	X("set_serialize_value", pdk_set_serialize_value, SERIALIZE_PHASES, VM_STRICT, "adds a value to what serialize() returns") \
	X("serialize", pdk_serialize, PDK_LOG, VM_STRICT, "the request and its response as one table")

#define INSPECT_FUNCTIONS(X) \
	X("", inspect, PDK_ANY, VM_STRICT, "prints its arguments spelled out as Lua, in a frame, at notice level") \
	X("on", inspect_on, PDK_ANY, VM_STRICT, "lets inspect() print") \
	X("off", inspect_off, PDK_ANY, VM_STRICT, "makes inspect() do nothing")

#define DEPRECATION_FUNCTIONS(X) \
	X("", deprecation, PDK_ANY, VM_STRICT, "prints a warning about something deprecated") \
	X("write", deprecation_write, PDK_ANY, VM_STRICT, "the same")
/* clang-format on */

void pdk_open_log(lua_State *L, int env_index)
{
	static const struct pdk_function functions[] = {LOG_FUNCTIONS(PDK_ROW)};
	static const struct pdk_function inspects[] = {INSPECT_FUNCTIONS(PDK_ROW)};
	static const struct pdk_function deprecations[] = {DEPRECATION_FUNCTIONS(PDK_ROW)};

	pdk_register(L, env_index, "kong.log", functions, PDK_COUNT(functions));
	pdk_register(L, env_index, "kong.log.inspect", inspects, PDK_COUNT(inspects));
	pdk_register(L, env_index, "kong.log.deprecation", deprecations, PDK_COUNT(deprecations));
	pdk_push_table(L, env_index, "kong.log");
	lua_setfield(L, LUA_REGISTRYINDEX, LOG_KEY);
}
