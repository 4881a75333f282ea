/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "plugin/safe.h"
#include "plugin/vm_impl.h"

/* What one format item may add beyond its argument: the widest field is 99. */
#define FORMAT_ITEM_MAX 512U

static const char TOO_LARGE[] = "resulting string too large";

int safe_string_rep(lua_State *L)
{
	size_t n, sep_n = 0, at, all;
	const char *s = luaL_checklstring(L, 1, &n);
	lua_Integer times = luaL_checkinteger(L, 2);
	const char *sep = luaL_optlstring(L, 3, "", &sep_n);
	char *out = vm_scratch();

	if (times <= 0 || n + sep_n == 0) {
		lua_pushliteral(L, "");
		return 1;
	}
	if ((uint64_t)times > VM_RESULT_MAX / (n + sep_n))
		return luaL_error(L, TOO_LARGE);
	memcpy(out, s, n);
	memcpy(out + n, sep, sep_n);
	at = n + sep_n;
	all = (size_t)times * at;
	while (at < all) {
		size_t more = at < all - at ? at : all - at;

		memcpy(out + at, out, more);
		at += more;
	}
	lua_pushlstring(L, out, all - sep_n);
	return 1;
}

/* Element i as bytes, left on the stack. */
static const char *push_element(lua_State *L, int i, size_t *ret_n)
{
	lua_rawgeti(L, 1, i);
	if (!lua_isstring(L, -1))
		(void)luaL_error(L, "invalid value (%s) at index %d in table for 'concat'",
				luaL_typename(L, -1), i);
	return lua_tolstring(L, -1, ret_n);
}

int safe_table_concat(lua_State *L)
{
	size_t sep_n, n, at = 0;
	const char *sep = luaL_optlstring(L, 2, "", &sep_n);
	int first = (int)luaL_optinteger(L, 3, 1), last;
	char *out = vm_scratch();

	luaL_checktype(L, 1, LUA_TTABLE);
	last = lua_isnoneornil(L, 4) ? (int)lua_objlen(L, 1) : (int)luaL_checkinteger(L, 4);
	for (int i = first; i <= last; i++) {
		const char *p = push_element(L, i, &n);

		if (at + n + sep_n > VM_RESULT_MAX)
			return luaL_error(L, TOO_LARGE);
		memcpy(out + at, p, n);
		at += n;
		lua_pop(L, 1);
		if (i == last)
			break;
		memcpy(out + at, sep, sep_n);
		at += sep_n;
	}
	lua_pushlstring(L, out, at);
	return 1;
}

/* Refuses %p, and counts the items. */
static size_t check_items(lua_State *L, const char *fmt, size_t n)
{
	size_t items = 0;

	for (size_t i = 0; i + 1 < n; i++) {
		if (fmt[i] != '%')
			continue;
		i++;
		if (fmt[i] == '%')
			continue;
		items++;
		while (i < n && fmt[i] != 0 && strchr("-+ #0123456789.", fmt[i]) != NULL)
			i++;
		if (i < n && fmt[i] == 'p')
			(void)luaL_error(L, "invalid option '%%p' to 'format'");
	}
	return items;
}

/* format_check(fmt, …): raises on what would be too large; true when the stock function runs no
 * plugin code and shows no address. */
int safe_format_check(lua_State *L)
{
	size_t n;
	const char *fmt = luaL_checklstring(L, 1, &n);
	uint64_t bytes = n + check_items(L, fmt, n) * FORMAT_ITEM_MAX;
	bool is_simple = true;

	for (int i = 2, top = lua_gettop(L); i <= top; i++) {
		int type = lua_type(L, i);

		if (type == LUA_TSTRING)
			bytes += lua_objlen(L, i);
		else if (type != LUA_TNUMBER && type != LUA_TBOOLEAN && type != LUA_TNIL)
			is_simple = false;
	}
	if (bytes > VM_RESULT_MAX)
		return luaL_error(L, TOO_LARGE);
	lua_pushboolean(L, is_simple);
	return 1;
}
