/* SPDX-License-Identifier: Apache-2.0
 * Clocks and dates of ngx.*, and sleep. */
#include "plugin/ngx_table.h"

#include <time.h>

#include "base/clock.h"
#include "base/http_date.h"

static const char *const day_names[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
static const char *const month_names[] = {
		"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

static int time_now(lua_State *L)
{
	lua_pushnumber(L, (double)(clock_real_ns() / 1000000U) / 1000.0);
	return 1;
}

static int time_time(lua_State *L)
{
	lua_pushnumber(L, (double)time(NULL));
	return 1;
}

/* There is no cached time here: every reading is fresh. */
static int time_update_time(lua_State *L)
{
	(void)L;
	return 0;
}

static int time_today(lua_State *L)
{
	time_t now = time(NULL);
	char text[32];
	struct tm tm;

	localtime_r(&now, &tm);
	lua_pushlstring(L, text, strftime(text, sizeof(text), "%Y-%m-%d", &tm));
	return 1;
}

static int push_date_and_time(lua_State *L, const struct tm *tm)
{
	char text[32];

	lua_pushlstring(L, text, strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", tm));
	return 1;
}

static int time_localtime(lua_State *L)
{
	time_t now = time(NULL);
	struct tm tm;

	return push_date_and_time(L, localtime_r(&now, &tm));
}

static int time_utctime(lua_State *L)
{
	time_t now = time(NULL);
	struct tm tm;

	return push_date_and_time(L, gmtime_r(&now, &tm));
}

static time_t check_seconds(lua_State *L)
{
	double s = luaL_checknumber(L, 1);

	if (!(s >= 0 && s < 253402300800.0)) /* the year 10000 */
		luaL_argerror(L, 1, "not a time");
	return (time_t)s;
}

/* RFC 9110 5.6.7, not by strftime: it follows the locale. */
static int time_http_time(lua_State *L)
{
	time_t t = check_seconds(L);
	struct tm tm;

	gmtime_r(&t, &tm);
	lua_pushfstring(L, "%s, %c%c %s %d %c%c:%c%c:%c%c GMT", day_names[tm.tm_wday],
			'0' + tm.tm_mday / 10, '0' + tm.tm_mday % 10, month_names[tm.tm_mon],
			tm.tm_year + 1900, '0' + tm.tm_hour / 10, '0' + tm.tm_hour % 10,
			'0' + tm.tm_min / 10, '0' + tm.tm_min % 10, '0' + tm.tm_sec / 10,
			'0' + tm.tm_sec % 10);
	return 1;
}

static int time_cookie_time(lua_State *L)
{
	time_t t = check_seconds(L);
	struct tm tm;

	gmtime_r(&t, &tm);
	lua_pushfstring(L, "%s, %c%c-%s-%c%c %c%c:%c%c:%c%c GMT", day_names[tm.tm_wday],
			'0' + tm.tm_mday / 10, '0' + tm.tm_mday % 10, month_names[tm.tm_mon],
			'0' + tm.tm_year / 10 % 10, '0' + tm.tm_year % 10, '0' + tm.tm_hour / 10,
			'0' + tm.tm_hour % 10, '0' + tm.tm_min / 10, '0' + tm.tm_min % 10,
			'0' + tm.tm_sec / 10, '0' + tm.tm_sec % 10);
	return 1;
}

static int time_parse_http_time(lua_State *L)
{
	struct str text = STR_NONE;
	int64_t seconds;

	text.p = luaL_checklstring(L, 1, &text.n);
	if (http_date_parse(text, &seconds))
		lua_pushnumber(L, (double)seconds);
	else
		lua_pushnil(L);
	return 1;
}

static int finish_sleep(lua_State *L, struct exchange *x, const struct pdk_pending *pending)
{
	(void)L;
	(void)x;
	(void)pending;
	return 0;
}

static int time_sleep(lua_State *L)
{
	double seconds = luaL_checknumber(L, 1);
	struct pdk_pending pending = {.finish = finish_sleep};

	if (!(seconds >= 0 && seconds <= 86400))
		return luaL_error(L, "invalid sleep duration \"%f\"", seconds);
	if (!pdk_may_wait(L))
		return luaL_error(L, "API disabled in the current phase");
	pending.deadline_ns = pdk_deadline_ns(seconds);
	return pdk_wait(L, &pending);
}

/* clang-format off */
#define TIME_FUNCTIONS(X) \
	X("now", time_now, PDK_ANY, VM_STRICT, "Seconds since the epoch, with milliseconds.") \
	X("time", time_time, PDK_ANY, VM_STRICT, "Whole seconds since the epoch.") \
	X("update_time", time_update_time, PDK_ANY, VM_STRICT, "Does nothing: times are never cached.") \
	X("today", time_today, PDK_ANY, VM_STRICT, "Local date, yyyy-mm-dd.") \
	X("localtime", time_localtime, PDK_ANY, VM_STRICT, "Local time, yyyy-mm-dd hh:mm:ss.") \
	X("utctime", time_utctime, PDK_ANY, VM_STRICT, "UTC, yyyy-mm-dd hh:mm:ss.") \
	X("http_time", time_http_time, PDK_ANY, VM_STRICT, "Seconds as an HTTP date.") \
	X("cookie_time", time_cookie_time, PDK_ANY, VM_STRICT, "Seconds as a cookie's date.") \
	X("parse_http_time", time_parse_http_time, PDK_ANY, VM_STRICT, "An HTTP date as seconds, or nil.") \
	X("sleep", time_sleep, PDK_PRE | PDK_CERTIFICATE, VM_STRICT, "Waits without holding the worker; certificate, rewrite, access, response.")
/* clang-format on */

static const struct pdk_function functions[] = {TIME_FUNCTIONS(PDK_ROW)};

void ngx_time_open(lua_State *L, int env_index)
{
	pdk_register(L, env_index, "ngx", functions, PDK_COUNT(functions));
}
