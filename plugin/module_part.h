/* SPDX-License-Identifier: Apache-2.0
 *
 * The modules behind require() that are written in Lua (plugin/module_lua/, embedded), and the
 * C functions they are given: a table that plugins never see.  libngx.a only.
 *
 * Objects of these modules are plain tables of strings: no handle, nothing to free, and what a
 * plugin writes into them is an argument like any other.  Ciphers that are fed in pieces are
 * the exception (module_cipher.c).
 *
 * Nothing stops C code half-way: every function bounds its own work by the sizes it takes, or
 * asks vm_cpu_left_ns() first.
 */
#pragma once

#include "plugin/ngx_table.h"

/* Parts of the table of C functions, each ended by {NULL, NULL}. */
/* clang-format off */
#define MODULE_PARTS(X) \
	X(module_hash_functions)      /* digest, hmac, hex, random … */ \
	X(module_kdf_functions)       /* ciphers, key derivation */ \
	X(module_pkey_functions)      /* asymmetric keys, signatures */ \
	X(module_pkey_make_functions) /* ... made, encrypting, agreeing */ \
	X(module_bn_functions)        /* big numbers */ \
	X(module_x509_functions)      /* certificates: read, verified */ \
	X(module_password_functions)  /* Argon2, bcrypt */ \
	X(module_gzip_functions)      /* gzip */ \
	X(module_mac_functions)       /* other MACs, scrypt */ \
	X(module_pkcs12_functions)    /* PKCS#12 */ \
	X(module_x509_access_functions) /* where lists and responders are */ \
	X(module_yaml_functions)      /* YAML */ \
	X(module_dns_functions)       /* questions and answers of DNS */ \
	X(module_host_functions)      /* clocks, addresses, uuid, tables */ \
	X(module_socket_functions)    /* connections of ngx.socket */ \
	X(module_thread_functions)    /* light threads, waiting for one another */
/* clang-format on */
#define X(part) extern const luaL_Reg part[];
MODULE_PARTS(X)
#undef X

/* Rows of functions that are written in Lua, in the embedded part of that name, and so can wait:
 * loaded when the first of them is looked at.  In strict VMs only documented. */
void module_register_lua(lua_State *L, int env_index, const char *path,
		const struct pdk_function *rows, size_t n, const char *part);

/* require() finds the embedded modules from here on. */
void module_open(lua_State *L, int env_index);

/* Pushes what the embedded source of that name returns, called with a table of the functions. */
void module_run(lua_State *L, const char *name, const luaL_Reg *functions);

/* A string argument of the functions above, of at most 8 MB; raises otherwise. */
struct str module_check_bytes(lua_State *L, int arg);
/* ... a key, certificate or the like, of at most 64 kB. */
struct str module_check_key(lua_State *L, int arg);

/* What pkey_load() returns about a key, as facts; frees the key.  NULL: a failure. */
struct evp_pkey_st;
void module_describe_key(struct evp_pkey_st *key, bool is_private);
