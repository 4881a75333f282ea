/* SPDX-License-Identifier: Apache-2.0
 *
 * Query strings and form bodies: what decodes to a table encodes again, and the text made of
 * it decodes to the same text.  The walk without a table sees as many items.
 */
#include <lauxlib.h>
#include <lua.h>

#include "base/check.h"
#include "plugin/pdk_args.h"
#include "plugin/pdk_query.h"

#define MAX_ARGS 100

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* The text of the table at the top, left above it. */
static struct str encode(lua_State *L)
{
	struct str s;

	sl_assert(pdk_push_encoded_args(L, lua_gettop(L), true));
	s.p = lua_tolstring(L, -1, &s.n);
	return s;
}

static void walk(struct str query)
{
	struct query_item item;
	sl_auto(arena) a = NULL;

	sl_assert(arena_new(&a, 0) == 0);
	while (query_next(&query, &item)) {
		struct str plain = query_unescape(a, item.name);

		sl_assert(plain.n <= item.name.n);
		sl_assert(query_name_is(item.name, plain));
		query_unescape(a, item.value);
	}
}

static int round_trip(lua_State *L)
{
	const struct str *query = lua_touserdata(L, 1);
	struct str once, twice;

	pdk_push_unescaped(L, *query, true);
	pdk_push_escaped(L, *query, PDK_ESCAPE_URI);
	pdk_push_args(L, *query, MAX_ARGS);
	once = encode(L);
	pdk_push_args(L, once, 0);
	twice = encode(L);
	sl_assert(str_eq(once, twice));
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static lua_State *L;
	struct str query = {(const char *)data, n};

	if (L == NULL)
		L = luaL_newstate();
	sl_assert(L != NULL);
	walk(query);
	sl_assert(lua_cpcall(L, round_trip, &query) == 0);
	lua_settop(L, 0);
	return 0;
}
