/* SPDX-License-Identifier: Apache-2.0
 *
 * The tables below `kong` and `ngx` are made when a plugin first asks for them: most plugins use
 * three or four of the forty, and each costs its functions, a read-only view and its names.
 * Worker and sluice-check, in the VM's thread.
 */
#pragma once

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"

#define PDK_SUBTABLE_PARTS 5

/* Adds a part of the PDK to the environment at env_index: see pdk.h. */
typedef void pdk_open_fn(lua_State *L, int env_index);

struct pdk_subtable {
	const char *name;
	pdk_open_fn *parts[PDK_SUBTABLE_PARTS]; /* what adds to it, in this order; then NULL */
};

/* Pushes the table of that name below root ("kong", "ngx"), made and read-only; the caller keeps
 * it.  False, and nothing: there is none, or none at this VM's level. */
bool pdk_push_subtable(lua_State *L, const char *root, const struct pdk_subtable *rows, size_t n,
		struct str name);
