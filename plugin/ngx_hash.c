/* SPDX-License-Identifier: Apache-2.0
 * Digests of ngx.*, by OpenSSL and zlib's polynomial. */
#include "plugin/ngx_table.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "base/hex.h"

static int push_digest(lua_State *L, const EVP_MD *md, bool is_hex)
{
	struct str s = ngx_check_text(L, 1, true);
	unsigned char digest[EVP_MAX_MD_SIZE];
	char text[2 * EVP_MAX_MD_SIZE + 1];
	unsigned n = 0;
	int r;

	vm_host_enter(L);
	r = EVP_Digest(s.p, s.n, digest, &n, md, NULL);
	vm_host_leave(L);
	if (r != 1)
		return luaL_error(L, "the digest is not available");
	if (!is_hex)
		return lua_pushlstring(L, (const char *)digest, n), 1;
	hex_encode(digest, n, text);
	lua_pushlstring(L, text, 2 * (size_t)n);
	return 1;
}

static int hash_md5(lua_State *L)
{
	return push_digest(L, EVP_md5(), true);
}

static int hash_md5_bin(lua_State *L)
{
	return push_digest(L, EVP_md5(), false);
}

static int hash_sha1_bin(lua_State *L)
{
	return push_digest(L, EVP_sha1(), false);
}

static int hash_hmac_sha1(lua_State *L)
{
	struct str key = ngx_check_text(L, 1, false), s = ngx_check_text(L, 2, false);
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned n = 0;
	const unsigned char *r;

	vm_host_enter(L);
	r = HMAC(EVP_sha1(), key.p, (int)key.n, (const unsigned char *)s.p, s.n, digest, &n);
	vm_host_leave(L);
	if (r == NULL)
		return luaL_error(L, "the digest is not available");
	lua_pushlstring(L, (const char *)digest, n);
	return 1;
}

/* CRC-32 (ISO 3309), reflected polynomial 0xedb88320. */
static int hash_crc32(lua_State *L)
{
	static uint32_t table[256];
	struct str s = ngx_check_text(L, 1, true);
	uint32_t crc = 0xffffffffU;

	for (uint32_t i = 0; table[1] == 0 && i < 256; i++) {
		uint32_t c = i;

		for (int bit = 0; bit < 8; bit++)
			c = c & 1 ? c >> 1 ^ 0xedb88320U : c >> 1;
		/* table[1] is written last of all, so that an interrupted fill starts anew */
		if (i != 1)
			table[i] = c;
	}
	table[1] = 0x77073096U;
	for (size_t i = 0; i < s.n; i++)
		crc = crc >> 8 ^ table[(crc ^ (uint8_t)s.p[i]) & 0xff];
	lua_pushnumber(L, crc ^ 0xffffffffU);
	return 1;
}

/* clang-format off */
#define HASH_FUNCTIONS(X) \
	X("md5", hash_md5, PDK_ANY, VM_STRICT, "MD5 as 32 hexadecimal digits.") \
	X("md5_bin", hash_md5_bin, PDK_ANY, VM_STRICT, "MD5 as 16 bytes.") \
	X("sha1_bin", hash_sha1_bin, PDK_ANY, VM_STRICT, "SHA-1 as 20 bytes.") \
	X("hmac_sha1", hash_hmac_sha1, PDK_ANY, VM_STRICT, "HMAC-SHA1(key, text) as 20 bytes.") \
	X("crc32_short", hash_crc32, PDK_ANY, VM_STRICT, "CRC-32 of a short string.") \
	X("crc32_long", hash_crc32, PDK_ANY, VM_STRICT, "CRC-32.")
/* clang-format on */

static const struct pdk_function functions[] = {HASH_FUNCTIONS(PDK_ROW)};

void ngx_hash_open(lua_State *L, int env_index)
{
	pdk_register(L, env_index, "ngx", functions, PDK_COUNT(functions));
}
