/* SPDX-License-Identifier: Apache-2.0
 * What modules are given of clocks, addresses, UUIDs and their own tables. */
#include "plugin/module_part.h"

#include <arpa/inet.h>

#include "base/clock.h"
#include "base/hex.h"
#include "plugin/trace.h"

static int host_time_ns(lua_State *L)
{
	lua_pushnumber(L, (lua_Number)clock_real_ns());
	return 1;
}

static int host_mono_ms(lua_State *L)
{
	lua_pushnumber(L, (lua_Number)(clock_mono_ns() / 1000000));
	return 1;
}

static int host_uuid(lua_State *L)
{
	char text[UUID_TEXT_BYTES];

	uuid_make(text);
	lua_pushstring(L, text);
	return 1;
}

/* parse_ip(text): 4 or 16 bytes, or nil. */
static int host_parse_ip(lua_State *L)
{
	struct str s = ngx_check_text(L, 1, false);
	unsigned char raw[sizeof(struct in6_addr)];
	size_t n = 0;

	if (memchr(s.p, 0, s.n) != NULL)
		n = 0;
	else if (inet_pton(AF_INET, s.p, raw) == 1)
		n = sizeof(struct in_addr);
	else if (inet_pton(AF_INET6, s.p, raw) == 1)
		n = sizeof(struct in6_addr);
	if (n == 0)
		lua_pushnil(L);
	else
		lua_pushlstring(L, (const char *)raw, n);
	return 1;
}

/* format_ip(4 or 16 bytes): text, or nil. */
static int host_format_ip(lua_State *L)
{
	struct str s = ngx_check_text(L, 1, false);
	char text[INET6_ADDRSTRLEN];
	const char *r = NULL;

	if (s.n == sizeof(struct in_addr))
		r = inet_ntop(AF_INET, s.p, text, sizeof(text));
	else if (s.n == sizeof(struct in6_addr))
		r = inet_ntop(AF_INET6, s.p, text, sizeof(text));
	lua_pushstring(L, r);
	return 1;
}

/* raw_get(table, key), raw_set(table, key, value): for modules whose tables have metamethods. */
static int host_raw_get(lua_State *L)
{
	luaL_checktype(L, 1, LUA_TTABLE);
	lua_settop(L, 2);
	lua_rawget(L, 1);
	return 1;
}

static int host_raw_set(lua_State *L)
{
	luaL_checktype(L, 1, LUA_TTABLE);
	luaL_checkany(L, 2);
	lua_settop(L, 3);
	luaL_argcheck(L, !lua_isnil(L, 2) && lua_rawequal(L, 2, 2), 2, "not a key");
	lua_rawset(L, 1);
	return 0;
}

/* traces_http(): whether requests of plugins are recorded in this request's trace. */
static int host_traces_http(lua_State *L)
{
	const struct exchange *x = pdk_exchange(L);

	lua_pushboolean(L, x != NULL && trace_wants(x->trace, TRACE_HTTP_CLIENT));
	return 1;
}

const luaL_Reg module_host_functions[] = {
		{"time_ns", host_time_ns},
		{"mono_ms", host_mono_ms},
		{"uuid", host_uuid},
		{"parse_ip", host_parse_ip},
		{"format_ip", host_format_ip},
		{"raw_get", host_raw_get},
		{"traces_http", host_traces_http},
		{"raw_set", host_raw_set},
		{NULL, NULL},
};
