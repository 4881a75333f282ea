/* SPDX-License-Identifier: Apache-2.0
 * What modules are given of digests, MACs and random bytes: OpenSSL's. */
#include "plugin/module_part.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <string.h>

#include "base/hex.h"

#define RANDOM_MAX (1U << 20)

/* By name, of those that take any input: no XOF, nothing from providers unknown here. */
static const EVP_MD *find_digest(const char *name)
{
	const EVP_MD *md = EVP_get_digestbyname(name);

	return md != NULL && (EVP_MD_get_flags(md) & EVP_MD_FLAG_XOF) == 0 ? md : NULL;
}

/* digest(algorithm, text): bytes; nil for an unknown algorithm. */
static int hash_digest(lua_State *L)
{
	const char *name = luaL_checkstring(L, 1);
	struct str s = module_check_bytes(L, 2);
	unsigned char out[EVP_MAX_MD_SIZE];
	unsigned n = 0;
	const EVP_MD *md;
	int r = 0;

	vm_host_enter(L);
	md = find_digest(name);
	if (md != NULL)
		r = EVP_Digest(s.p, s.n, out, &n, md, NULL);
	vm_host_leave(L);
	if (r != 1)
		return lua_pushnil(L), 1;
	lua_pushlstring(L, (const char *)out, n);
	return 1;
}

/* hmac(algorithm, key, text): bytes; nil for an unknown algorithm. */
static int hash_hmac(lua_State *L)
{
	const char *name = luaL_checkstring(L, 1);
	struct str key = module_check_bytes(L, 2), s = module_check_bytes(L, 3);
	unsigned char out[EVP_MAX_MD_SIZE];
	const unsigned char *r = NULL;
	unsigned n = 0;
	const EVP_MD *md;

	vm_host_enter(L);
	md = find_digest(name);
	if (md != NULL)
		r = HMAC(md, key.p, (int)key.n, (const unsigned char *)s.p, s.n, out, &n);
	vm_host_leave(L);
	if (r == NULL)
		return lua_pushnil(L), 1;
	lua_pushlstring(L, (const char *)out, n);
	return 1;
}

static int hash_hex(lua_State *L)
{
	struct str s = module_check_bytes(L, 1);
	char *out = lua_newuserdata(L, s.n * 2 + 1);

	hex_encode(s.p, s.n, out);
	lua_pushlstring(L, out, s.n * 2);
	return 1;
}

/* unhex(text): bytes, or nil. */
static int hash_unhex(lua_State *L)
{
	struct str s = module_check_bytes(L, 1);
	char *out = lua_newuserdata(L, s.n / 2 + 1);

	if (!hex_decode(s, out, s.n / 2))
		return lua_pushnil(L), 1;
	lua_pushlstring(L, out, s.n / 2);
	return 1;
}

static int hash_random(lua_State *L)
{
	lua_Integer n = luaL_checkinteger(L, 1);
	char *out;

	if (n < 0 || n > (lua_Integer)RANDOM_MAX)
		return luaL_argerror(L, 1, "at most 1,048,576 bytes");
	out = lua_newuserdata(L, (size_t)n + 1);
	random_bytes(out, (size_t)n);
	lua_pushlstring(L, out, (size_t)n);
	return 1;
}

/* openssl_version(): number, text */
static int hash_version(lua_State *L)
{
	lua_pushnumber(L, (lua_Number)OpenSSL_version_num());
	lua_pushstring(L, OpenSSL_version(OPENSSL_VERSION));
	return 2;
}

const luaL_Reg module_hash_functions[] = {
		{"digest", hash_digest},
		{"hmac", hash_hmac},
		{"hex", hash_hex},
		{"unhex", hash_unhex},
		{"random", hash_random},
		{"openssl_version", hash_version},
		{NULL, NULL},
};
