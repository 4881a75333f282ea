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

#define TAG_BYTES 16
#define IV_MAX 64

struct operation {
	const EVP_CIPHER *cipher;
	struct str key, iv, text, aad, tag; /* tag: expected, when decrypting */
	bool is_encrypting, is_unpadded, is_aead;
	unsigned char made_tag[TAG_BYTES];
};

static bool start(EVP_CIPHER_CTX *ctx, const struct operation *op)
{
	if (EVP_CipherInit_ex(ctx, op->cipher, NULL, NULL, NULL, op->is_encrypting) != 1)
		return false;
	if (op->is_aead &&
			EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_IVLEN, (int)op->iv.n, NULL) != 1)
		return false;
	return EVP_CipherInit_ex(ctx, NULL, NULL, (const unsigned char *)op->key.p,
			       (const unsigned char *)op->iv.p, op->is_encrypting) == 1 &&
	       EVP_CIPHER_CTX_set_padding(ctx, !op->is_unpadded) == 1;
}

/* Before the text: what is authenticated with it, and the tag it must have. */
static bool add_aead(EVP_CIPHER_CTX *ctx, const struct operation *op)
{
	int n;

	if (!op->is_aead)
		return true;
	if (!op->is_encrypting && EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, (int)op->tag.n,
						  (void *)(uintptr_t)op->tag.p) != 1)
		return false;
	return op->aad.n == 0 || EVP_CipherUpdate(ctx, NULL, &n, (const unsigned char *)op->aad.p,
						 (int)op->aad.n) == 1;
}

/* Bytes written to out (text.n and a block of room), or -1. */
static int run_cipher(struct operation *op, unsigned char *out)
{
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	int n = 0, rest = 0;
	bool is_done = ctx != NULL && start(ctx, op) && add_aead(ctx, op) &&
		       EVP_CipherUpdate(ctx, out, &n, (const unsigned char *)op->text.p,
				       (int)op->text.n) == 1 &&
		       EVP_CipherFinal_ex(ctx, out + n, &rest) == 1;

	if (is_done && op->is_aead && op->is_encrypting)
		is_done = EVP_CIPHER_CTX_ctrl(
					  ctx, EVP_CTRL_AEAD_GET_TAG, TAG_BYTES, op->made_tag) == 1;
	EVP_CIPHER_CTX_free(ctx);
	ERR_clear_error();
	return is_done ? n + rest : -1;
}

/* Block and stream modes, GCM and ChaCha20-Poly1305. */
static bool is_known(const EVP_CIPHER *cipher, bool *ret_is_aead)
{
	int mode = EVP_CIPHER_get_mode(cipher);

	*ret_is_aead = mode == EVP_CIPH_GCM_MODE ||
		       EVP_CIPHER_get_nid(cipher) == NID_chacha20_poly1305;
	return *ret_is_aead || mode == EVP_CIPH_CBC_MODE || mode == EVP_CIPH_CTR_MODE ||
	       mode == EVP_CIPH_ECB_MODE || mode == EVP_CIPH_CFB_MODE ||
	       mode == EVP_CIPH_OFB_MODE || mode == EVP_CIPH_STREAM_CIPHER;
}

static bool is_usable(struct operation *op)
{
	if (op->cipher == NULL || !is_known(op->cipher, &op->is_aead) ||
			op->key.n != (size_t)EVP_CIPHER_get_key_length(op->cipher))
		return false;
	if (!op->is_aead)
		return op->iv.n == (size_t)EVP_CIPHER_get_iv_length(op->cipher);
	return op->iv.n >= 1 && op->iv.n <= IV_MAX &&
	       (op->is_encrypting || (op->tag.n >= 12 && op->tag.n <= TAG_BYTES));
}

/* cipher(name, is_encrypting, key, iv, text, is_unpadded, aad, tag): text, tag; nil: refused. */
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
	op.aad = ngx_check_text(L, 7, true);
	op.tag = ngx_check_text(L, 8, true);
	if (op.aad.n > op.text.n + (1U << 20) || !is_usable(&op))
		return lua_pushnil(L), 1;
	out = lua_newuserdata(L, op.text.n + EVP_MAX_BLOCK_LENGTH);
	vm_host_enter(L);
	n = run_cipher(&op, out);
	vm_host_leave(L);
	if (n < 0)
		return lua_pushnil(L), 1;
	lua_pushlstring(L, (const char *)out, (size_t)n);
	if (!op.is_aead || !op.is_encrypting)
		return 1;
	lua_pushlstring(L, (const char *)op.made_tag, TAG_BYTES);
	return 2;
}

/* cipher_sizes(name): bytes of key and iv, is it authenticated; nil: unknown. */
static int kdf_cipher_sizes(lua_State *L)
{
	const EVP_CIPHER *cipher = EVP_get_cipherbyname(luaL_checkstring(L, 1));
	bool is_aead;

	if (cipher == NULL || !is_known(cipher, &is_aead))
		return lua_pushnil(L), 1;
	lua_pushinteger(L, EVP_CIPHER_get_key_length(cipher));
	lua_pushinteger(L, EVP_CIPHER_get_iv_length(cipher));
	lua_pushboolean(L, is_aead);
	return 3;
}

const luaL_Reg module_kdf_functions[] = {
		{"pbkdf2", kdf_pbkdf2},
		{"cipher", kdf_cipher},
		{"cipher_sizes", kdf_cipher_sizes},
		{NULL, NULL},
};
