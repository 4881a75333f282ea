/* SPDX-License-Identifier: Apache-2.0
 *
 * Where LuaJIT keeps the byte that its hooks and every compiled loop look at.  It is not in
 * the API, so it is found by watching lua_sethook.  For budget.c.
 */
#pragma once

#include <stddef.h>

#include "base/why.h"

struct lua_State;
struct vm;

/* LuaJIT's global_State of L. */
void *budget_global_state(struct lua_State *L);
/* The offset of hookmask in it.  -ENOTSUP with why unless exactly one byte fits. */
int budget_find_hookmask(struct vm *vm, size_t *ret_offset, struct why *why);
