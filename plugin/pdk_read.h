/* SPDX-License-Identifier: Apache-2.0
 *
 * A plugin's argument as plain data in the request's arena.
 */
#pragma once

#include "plugin/pdk.h"
#include "plugin/value.h"

/* Raises "<what> cannot hold a function" and the like.  Strings in it are NUL-terminated. */
struct value pdk_read(lua_State *L, int arg, const char *what);
/* As JSON text; NULL slice and *ret_text (NUL-terminated) when it cannot be written
 * as JSON. */
struct str pdk_read_json(lua_State *L, int arg, const char **ret_text);
