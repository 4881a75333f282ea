/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/pdk_args.h"

#include <stdlib.h>

#include <lauxlib.h>

#include "plugin/path.h"

void pdk_push_unescaped(lua_State *L, struct str s, bool plus_is_space)
{
	char *out = lua_newuserdata(L, s.n + 1); /* freed by the collector, also after an error */
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++) {
		int byte = s.p[i] == '%' ? percent_byte(s, i) : -1;

		if (byte >= 0) {
			out[n++] = (char)byte;
			i += 2;
		} else {
			out[n++] = plus_is_space && s.p[i] == '+' ? ' ' : s.p[i];
		}
	}
	lua_pushlstring(L, out, n);
	lua_remove(L, -2);
}

static bool must_escape(unsigned char c, enum pdk_escape how)
{
	if (how == PDK_ESCAPE_URI)
		return c <= 0x20 || c >= 0x7f || c == '#' || c == '%' || c == '?';
	return !((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
			c == '-' || c == '.' || c == '_' || c == '~');
}

void pdk_push_escaped(lua_State *L, struct str s, enum pdk_escape how)
{
	char *out = lua_newuserdata(L, s.n * 3 + 1);
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (must_escape(c, how)) {
			n += percent_write(out + n, c);
		} else {
			out[n++] = s.p[i];
		}
	}
	lua_pushlstring(L, out, n);
	lua_remove(L, -2);
}

/* The value at the top goes under the name below it into the table at `table`; both are
 * popped.  A second value of a name makes an array. */
static void add_arg(lua_State *L, int table)
{
	lua_pushvalue(L, -2);
	lua_rawget(L, table);
	if (lua_isnil(L, -1)) {
		lua_pop(L, 1);
		lua_rawset(L, table);
		return;
	}
	if (!lua_istable(L, -1)) {
		lua_createtable(L, 2, 0);
		lua_insert(L, -2);
		lua_rawseti(L, -2, 1);
		lua_pushvalue(L, -3);
		lua_pushvalue(L, -2);
		lua_rawset(L, table);
	}
	lua_insert(L, -2);
	lua_rawseti(L, -2, (int)lua_objlen(L, -2) + 1);
	lua_pop(L, 2);
}

static void push_one_arg(lua_State *L, int table, struct str arg)
{
	ptrdiff_t eq = str_find_char(arg, '=');

	pdk_push_unescaped(L, eq < 0 ? arg : str_head(arg, (size_t)eq), true);
	if (eq < 0)
		lua_pushboolean(L, 1);
	else
		pdk_push_unescaped(L, str_from(arg, (size_t)eq + 1), true);
	add_arg(L, table);
}

bool pdk_push_args(lua_State *L, struct str query, long max)
{
	long taken = 0;
	int table;

	luaL_checkstack(L, 8, NULL);
	lua_newtable(L);
	table = lua_gettop(L);
	while (query.n != 0) {
		ptrdiff_t amp = str_find_char(query, '&');
		struct str arg = amp < 0 ? query : str_head(query, (size_t)amp);

		query = amp < 0 ? STR_NONE : str_from(query, (size_t)amp + 1);
		if (arg.n == 0 || arg.p[0] == '=')
			continue;
		if (max != 0 && taken++ == max)
			return true;
		push_one_arg(L, table, arg);
	}
	return false;
}

/* Adds "name=value" of the value at the top (not popped) to the pieces table.  NULL, or the name
 * of a type that cannot be sent. */
static const char *add_piece(lua_State *L, int pieces, int name)
{
	struct str value;

	switch (lua_type(L, -1)) {
	case LUA_TBOOLEAN:
		if (!lua_toboolean(L, -1))
			return NULL;
		lua_pushvalue(L, name);
		break;
	case LUA_TNUMBER:
	case LUA_TSTRING:
		lua_pushvalue(L, -1); /* a number is converted in the copy, not in the plugin's
					 table */
		value.p = lua_tolstring(L, -1, &value.n);
		lua_pushvalue(L, name);
		lua_pushliteral(L, "=");
		pdk_push_escaped(L, value, PDK_ESCAPE_COMPONENT);
		lua_concat(L, 3);
		lua_remove(L, -2);
		break;
	default:
		return luaL_typename(L, -1);
	}
	lua_rawseti(L, pieces, (int)lua_objlen(L, pieces) + 1);
	return NULL;
}

/* Pushes an array of the table's names; NULL, or the error. */
static const char *push_names(lua_State *L, int idx)
{
	int names;

	lua_newtable(L);
	names = lua_gettop(L);
	lua_pushnil(L);
	while (lua_next(L, idx) != 0) {
		lua_pop(L, 1);
		if (lua_type(L, -1) != LUA_TSTRING)
			return "arg keys must be strings";
		lua_pushvalue(L, -1);
		lua_rawseti(L, names, (int)lua_objlen(L, names) + 1);
	}
	return NULL;
}

static int order_strings(const void *a, const void *b)
{
	const struct str *x = a, *y = b;

	return str_cmp(*x, *y);
}

/* Sorts the array of strings at the top in place. */
static void sort_names(lua_State *L)
{
	int names = lua_gettop(L), n = (int)lua_objlen(L, names);
	struct str *v = lua_newuserdata(L, (size_t)(n + 1) * sizeof(*v));

	for (int i = 0; i < n; i++) {
		lua_rawgeti(L, names, i + 1);
		v[i].p = lua_tolstring(L, -1, &v[i].n); /* `names` keeps it alive */
		lua_pop(L, 1);
	}
	qsort(v, (size_t)n, sizeof(*v), order_strings);
	lua_createtable(L, n, 0);
	for (int i = 0; i < n; i++) {
		lua_pushlstring(L, v[i].p, v[i].n);
		lua_rawseti(L, -2, i + 1);
	}
	lua_replace(L, names);
	lua_settop(L, names);
}

/* The pieces of one name (raw at the top) into `pieces`; pops the name. */
static const char *add_name(lua_State *L, int idx, int pieces)
{
	int raw = lua_gettop(L), name;
	const char *wrong = NULL;
	struct str text;

	lua_pushvalue(L, raw);
	text.p = lua_tolstring(L, -1, &text.n);
	pdk_push_escaped(L, text, PDK_ESCAPE_COMPONENT);
	name = lua_gettop(L);
	lua_pushvalue(L, raw);
	lua_rawget(L, idx);
	if (lua_istable(L, -1)) {
		int list = lua_gettop(L);

		for (size_t i = 1; wrong == NULL && i <= lua_objlen(L, list); i++) {
			lua_rawgeti(L, list, (int)i);
			wrong = add_piece(L, pieces, name);
			lua_settop(L, list);
		}
	} else {
		wrong = add_piece(L, pieces, name);
	}
	lua_settop(L, raw - 1);
	return wrong;
}

static void join_pieces(lua_State *L, int pieces)
{
	luaL_Buffer b;
	size_t n = lua_objlen(L, pieces);

	luaL_buffinit(L, &b);
	for (size_t i = 1; i <= n; i++) {
		if (i > 1)
			luaL_addchar(&b, '&');
		lua_rawgeti(L, pieces, (int)i);
		luaL_addvalue(&b);
	}
	luaL_pushresult(&b);
}

bool pdk_push_encoded_args(lua_State *L, int idx, bool is_sorted)
{
	int base = lua_gettop(L), names, pieces;
	const char *problem;

	luaL_checkstack(L, 12, NULL);
	problem = push_names(L, idx);
	if (problem != NULL) {
		lua_settop(L, base);
		lua_pushstring(L, problem);
		return false;
	}
	if (is_sorted)
		sort_names(L);
	names = base + 1;
	lua_newtable(L);
	pieces = lua_gettop(L);
	for (size_t i = 1; i <= lua_objlen(L, names); i++) {
		lua_rawgeti(L, names, (int)i);
		problem = add_name(L, idx, pieces);
		if (problem != NULL) {
			lua_settop(L, base);
			lua_pushfstring(L, "attempt to use %s as query arg value", problem);
			return false;
		}
	}
	join_pieces(L, pieces);
	lua_replace(L, base + 1);
	lua_settop(L, base + 1);
	return true;
}
