/* SPDX-License-Identifier: Apache-2.0
 *
 * Arguments of a query string as fields of a Lua table (plugin/query.h cuts them; pdk_args.h makes
 * a table of all).
 */
#pragma once

#include <lua.h>

#include "plugin/query.h"

/* t[name] = value at the top of L, t below it; a repeated name makes an array.  Pops value. */
void pdk_add_field(lua_State *L, struct str name);
