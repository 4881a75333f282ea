/* SPDX-License-Identifier: Apache-2.0
 * What modules are given of ciphers and key derivation: OpenSSL's.  One call is one whole
 * operation, and its work is bounded. */
#include "plugin/module_part.h"

#include <openssl/err.h>
#include <openssl/evp.h>

#define ROUNDS_MAX 20000 /* of HMAC in one call: about 10 ms */
#define DERIVED_MAX 1024

/* pbkdf2(password, salt, rounds, bytes, digest): bytes; nil for an unknown digest. */
static int kdf_pbkdf2(lua_State *L)
{
	struct str password = module_check_bytes(L, 1), salt = module_check_bytes(L, 2);
	lua_Integer rounds = luaL_checkinteger(L, 3), n = luaL_checkinteger(L, 4);
	const EVP_MD *md = EVP_get_digestbyname(luaL_checkstring(L, 5));
	unsigned char out[DERIVED_MAX];
	lua_Integer size = md != NULL ? EVP_MD_get_size(md) : 0;
	int r = 0;

	if (size <= 0)
		return lua_pushnil(L), 1;
	if (n < 1 || n > DERIVED_MAX)
		return luaL_argerror(L, 4, "1 to 1,024 bytes");
	if (rounds < 1 || rounds > ROUNDS_MAX || rounds * ((n + size - 1) / size) > ROUNDS_MAX)
		return luaL_argerror(L, 3, "too much work: at most 20,000 rounds in all");
	vm_host_enter(L);
	r = PKCS5_PBKDF2_HMAC(password.p, (int)password.n, (const unsigned char *)salt.p,
			(int)salt.n, (int)rounds, md, (int)n, out);
	vm_host_leave(L);
	if (r != 1)
		return lua_pushnil(L), 1;
	lua_pushlstring(L, (const char *)out, (size_t)n);
	return 1;
}

struct operation {
	const EVP_CIPHER *cipher;
	struct str key, iv, text;
	bool is_encrypting, is_unpadded;
};

/* Bytes written to out (text.n and a block of room), or -1. */
static int run_cipher(const struct operation *op, unsigned char *out)
{
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	int n = 0, rest = 0;
	bool is_done = ctx != NULL &&
		       EVP_CipherInit_ex(ctx, op->cipher, NULL, (const unsigned char *)op->key.p,
				       (const unsigned char *)op->iv.p, op->is_encrypting) == 1 &&
		       EVP_CIPHER_CTX_set_padding(ctx, !op->is_unpadded) == 1 &&
		       EVP_CipherUpdate(ctx, out, &n, (const unsigned char *)op->text.p,
				       (int)op->text.n) == 1 &&
		       EVP_CipherFinal_ex(ctx, out + n, &rest) == 1;

	EVP_CIPHER_CTX_free(ctx);
	ERR_clear_error();
	return is_done ? n + rest : -1;
}

/* Block and stream modes only: those that authenticate need their tag checked. */
static bool is_plain(const EVP_CIPHER *cipher)
{
	int mode = EVP_CIPHER_get_mode(cipher);

	return mode == EVP_CIPH_CBC_MODE || mode == EVP_CIPH_CTR_MODE ||
	       mode == EVP_CIPH_ECB_MODE || mode == EVP_CIPH_CFB_MODE || mode == EVP_CIPH_OFB_MODE;
}

/* cipher(name, is_encrypting, key, iv, text, is_unpadded): text; nil: refused. */
static int kdf_cipher(lua_State *L)
{
	struct operation op = {.cipher = EVP_get_cipherbyname(luaL_checkstring(L, 1)),
			.is_encrypting = lua_toboolean(L, 2),
			.is_unpadded = lua_toboolean(L, 6)};
	unsigned char *out;
	int n;

	op.key = module_check_bytes(L, 3);
	op.iv = module_check_bytes(L, 4);
	op.text = module_check_bytes(L, 5);
	if (op.cipher == NULL || !is_plain(op.cipher) ||
			op.key.n != (size_t)EVP_CIPHER_get_key_length(op.cipher) ||
			op.iv.n != (size_t)EVP_CIPHER_get_iv_length(op.cipher))
		return lua_pushnil(L), 1;
	out = lua_newuserdata(L, op.text.n + EVP_MAX_BLOCK_LENGTH);
	vm_host_enter(L);
	n = run_cipher(&op, out);
	vm_host_leave(L);
	if (n < 0)
		return lua_pushnil(L), 1;
	lua_pushlstring(L, (const char *)out, (size_t)n);
	return 1;
}

const luaL_Reg module_kdf_functions[] = {
		{"pbkdf2", kdf_pbkdf2},
		{"cipher", kdf_cipher},
		{NULL, NULL},
};
