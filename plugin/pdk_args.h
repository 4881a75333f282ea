/* SPDX-License-Identifier: Apache-2.0
 *
 * Query strings and form bodies (application/x-www-form-urlencoded) as Lua tables and back:
 * what kong.request.get_query, ngx.decode_args and their kind share.
 */
#pragma once

#include <stdbool.h>

#include <lua.h>

#include "base/str.h"

/* Pushes {name = "value" | true | {…}}: true for a name without '=', an array for a name that
 * repeats.  '+' and %XX are decoded; a bad %XX stays as it is.  max: arguments taken, 0 = all.
 * True: there were more than max. */
bool pdk_push_args(lua_State *L, struct str query, long max);

/* Pushes "a=1&b&c=2" of the table at idx: strings, numbers, true (name only), false (left
 * out), arrays of these.  is_sorted: by name, as Kong's setters do; else in table order.  False
 * and an error text pushed instead: "keys must be strings", "… of type table …". */
bool pdk_push_encoded_args(lua_State *L, int idx, bool is_sorted);

/* s with %XX (and '+', when plus_is_space) decoded; pushes it. */
void pdk_push_unescaped(lua_State *L, struct str s, bool plus_is_space);

enum pdk_escape {
	PDK_ESCAPE_URI = 0,       /* a whole URI: space # % ? controls and bytes over 0x7e */
	PDK_ESCAPE_COMPONENT = 2, /* all but letters, digits and - . _ ~ */
};
/* Pushes it. */
void pdk_push_escaped(lua_State *L, struct str s, enum pdk_escape how);
