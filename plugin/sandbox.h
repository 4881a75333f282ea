/* SPDX-License-Identifier: Apache-2.0
 *
 * Builds what a plugin can see (sandbox_table.h), and takes away the rest.  For libvm only.
 */
#pragma once

#include "base/why.h"
#include "plugin/vm.h"

/* Compiles safe_lib.lua once.  0, or -errno with why. */
int sandbox_process_init(struct why *why);
/* The environment of a new VM; vm->env_ref is set.  0, -ENOMEM, -ENOTSUP. */
int sandbox_open(struct vm *vm, vm_open_fn *open_library);

/* sandbox_require.c.  Makes the tables behind require() and vm_seal(). */
void sandbox_require_open(struct lua_State *L);
/* The value at the top becomes require(name)'s; popped. */
void sandbox_require_set(struct lua_State *L, const char *name);
/* As vm_provide_module, with the function at the top; popped. */
void sandbox_require_set_opener(struct lua_State *L, const char *name);
/* Pushes the table {read-only view = table behind it}. */
void sandbox_push_sealed(struct lua_State *L);
