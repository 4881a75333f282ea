/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include <time.h>

#include "base/str.h"
#include "plugin/safe.h"
#include "plugin/vm_impl.h"

#define FORMAT_MAX 256U
#define RESULT_MAX 4096U
/* Conversions of C99 strftime. */
#define CONVERSIONS "aAbBcCdDeFgGhHIjmMnprRStTuUVwWxXyYzZ%"

int safe_os_clock(lua_State *L)
{
	lua_pushnumber(L, (lua_Number)clock() / (lua_Number)CLOCKS_PER_SEC);
	return 1;
}

int safe_os_difftime(lua_State *L)
{
	lua_pushnumber(L, luaL_checknumber(L, 1) - luaL_optnumber(L, 2, 0));
	return 1;
}

static int field(lua_State *L, const char *name, int missing)
{
	int value = missing;

	lua_pushstring(L, name);
	lua_rawget(L, 1);
	if (lua_isnumber(L, -1))
		value = (int)lua_tointeger(L, -1);
	else if (missing < 0)
		(void)luaL_error(L, "field '%s' missing in date table", name);
	lua_pop(L, 1);
	return value;
}

static int dst_field(lua_State *L)
{
	int value;

	lua_pushliteral(L, "isdst");
	lua_rawget(L, 1);
	value = lua_isnil(L, -1) ? -1 : lua_toboolean(L, -1);
	lua_pop(L, 1);
	return value;
}

int safe_os_time(lua_State *L)
{
	struct tm tm = {0};
	time_t t;

	if (lua_isnoneornil(L, 1)) {
		lua_pushnumber(L, (lua_Number)time(NULL));
		return 1;
	}
	luaL_checktype(L, 1, LUA_TTABLE);
	tm.tm_sec = field(L, "sec", 0);
	tm.tm_min = field(L, "min", 0);
	tm.tm_hour = field(L, "hour", 12);
	tm.tm_mday = field(L, "day", -1);
	tm.tm_mon = (int)((unsigned)field(L, "month", -1) - 1U);
	tm.tm_year = (int)((unsigned)field(L, "year", -1) - 1900U);
	tm.tm_isdst = dst_field(L);
	vm_host_enter(L); /* libc's time zone lock */
	t = mktime(&tm);
	vm_host_leave(L);
	if (t == (time_t)-1)
		lua_pushnil(L);
	else
		lua_pushnumber(L, (lua_Number)t);
	return 1;
}

static void set_int(lua_State *L, const char *name, int value)
{
	lua_pushinteger(L, value);
	lua_setfield(L, -2, name);
}

static void push_fields(lua_State *L, const struct tm *tm)
{
	lua_createtable(L, 0, 9);
	set_int(L, "sec", tm->tm_sec);
	set_int(L, "min", tm->tm_min);
	set_int(L, "hour", tm->tm_hour);
	set_int(L, "day", tm->tm_mday);
	set_int(L, "month", tm->tm_mon + 1);
	set_int(L, "year", tm->tm_year + 1900);
	set_int(L, "wday", tm->tm_wday + 1);
	set_int(L, "yday", tm->tm_yday + 1);
	if (tm->tm_isdst >= 0) {
		lua_pushboolean(L, tm->tm_isdst);
		lua_setfield(L, -2, "isdst");
	}
}

static void check_format(lua_State *L, struct str fmt)
{
	if (fmt.n > FORMAT_MAX || memchr(fmt.p, 0, fmt.n) != NULL)
		(void)luaL_error(L, "bad argument #1 to 'date' (format too long)");
	for (size_t i = 0; i < fmt.n; i++) {
		if (fmt.p[i] != '%')
			continue;
		i++;
		if (i >= fmt.n || strchr(CONVERSIONS, fmt.p[i]) == NULL)
			(void)luaL_error(L, "bad argument #1 to 'date' (invalid conversion)");
	}
}

static int push_formatted(lua_State *L, const char *fmt, const struct tm *tm)
{
	char out[RESULT_MAX];
	size_t n;

	vm_host_enter(L);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral" /* checked by check_format */
	n = strftime(out, sizeof(out), fmt, tm);
#pragma GCC diagnostic pop
	vm_host_leave(L);
	lua_pushlstring(L, out, n);
	return 1;
}

int safe_os_date(lua_State *L)
{
	struct str fmt;
	lua_Number when = luaL_optnumber(L, 2, (lua_Number)time(NULL));
	struct tm tm;
	time_t t;
	bool is_utc, is_ok;

	fmt.p = luaL_optlstring(L, 1, "%c", &fmt.n);
	if (!(when > -1e13 && when < 1e13))
		return luaL_error(L, "bad argument #2 to 'date' (time out of range)");
	t = (time_t)when;
	is_utc = fmt.n > 0 && fmt.p[0] == '!';
	if (is_utc)
		fmt = str_from(fmt, 1);
	vm_host_enter(L); /* libc's time zone lock */
	is_ok = (is_utc ? gmtime_r(&t, &tm) : localtime_r(&t, &tm)) != NULL;
	vm_host_leave(L);
	if (!is_ok) {
		lua_pushnil(L);
		return 1;
	}
	if (str_starts(fmt, STR("*t"))) {
		push_fields(L, &tm);
		return 1;
	}
	check_format(L, fmt);
	return push_formatted(L, fmt.p, &tm);
}
