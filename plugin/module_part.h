/* SPDX-License-Identifier: Apache-2.0
 *
 * The modules behind require() that are written in Lua (plugin/module_lua/, embedded), and the
 * C functions they are given: a table that plugins never see.  libngx.a only.
 *
 * Objects of these modules are plain tables of strings: no handle, nothing to free, and what a
 * plugin writes into them is an argument like any other.
 */
#pragma once

#include "plugin/ngx_table.h"

/* Parts of the table of C functions, each ended by {NULL, NULL}. */
extern const luaL_Reg module_hash_functions[]; /* digest, hmac, hex, random … */
extern const luaL_Reg module_kdf_functions[];  /* ciphers, key derivation */
extern const luaL_Reg module_pkey_functions[]; /* asymmetric keys, signatures */
extern const luaL_Reg module_host_functions[]; /* clocks, addresses, uuid */

/* require() finds the embedded modules from here on. */
void module_open(lua_State *L, int env_index);

/* A string argument of the functions above, of at most 8 MB; raises otherwise. */
struct str module_check_bytes(lua_State *L, int arg);
