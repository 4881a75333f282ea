/* SPDX-License-Identifier: Apache-2.0
 * What modules are given of MACs other than HMAC, and of scrypt: OpenSSL's. */
#include "plugin/module_part.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <string.h>

#define MAC_BYTES_MAX 128
#define MAC_KEY_MAX 4096
#define SCRYPT_OUT_MAX 1024
#define SCRYPT_BYTES_MAX (32U << 20)
#define SCRYPT_STEP_NS 2000U /* N × r × p is so many steps; measured: 250 to 1,500 */

/* Those that take a key and a text alone: a nonce that is used twice would give GMAC's key away. */
static const struct {
	const char *name;
	bool has_cipher;
} macs[] = {
		{"CMAC", true},
		{"KMAC-128", false},
		{"KMAC-256", false},
		{"KMAC128", false},
		{"KMAC256", false},
		{"POLY1305", false},
		{"SIPHASH", false},
		{"BLAKE2BMAC", false},
		{"BLAKE2SMAC", false},
};

struct mac {
	const char *name, *cipher; /* cipher: NULL where it takes none */
	struct str key, text;
	unsigned char out[MAC_BYTES_MAX];
	size_t n;
};

static bool run_mac(struct mac *m)
{
	EVP_MAC *mac = EVP_MAC_fetch(NULL, m->name, NULL);
	EVP_MAC_CTX *ctx = mac != NULL ? EVP_MAC_CTX_new(mac) : NULL;
	OSSL_PARAM params[] = {OSSL_PARAM_END, OSSL_PARAM_END};
	bool is_done;

	if (m->cipher != NULL)
		params[0] = OSSL_PARAM_construct_utf8_string(
				OSSL_MAC_PARAM_CIPHER, (char *)(uintptr_t)m->cipher, 0);
	is_done = ctx != NULL &&
		  EVP_MAC_init(ctx, (const unsigned char *)m->key.p, m->key.n, params) == 1 &&
		  EVP_MAC_update(ctx, (const unsigned char *)m->text.p, m->text.n) == 1 &&
		  EVP_MAC_final(ctx, m->out, &m->n, sizeof(m->out)) == 1;
	EVP_MAC_CTX_free(ctx);
	EVP_MAC_free(mac);
	ERR_clear_error();
	return is_done;
}

/* CMAC is over block ciphers in CBC: others would be taken for what they are not. */
static bool is_block_cipher(const char *name)
{
	const EVP_CIPHER *cipher = name != NULL ? EVP_get_cipherbyname(name) : NULL;

	return cipher != NULL && EVP_CIPHER_get_mode(cipher) == EVP_CIPH_CBC_MODE;
}

/* mac(name, key, text, cipher): bytes; nil: unknown, or not a key for it. */
static int mac_run(lua_State *L)
{
	struct mac m = {.name = luaL_checkstring(L, 1), .key = module_check_bytes(L, 2)};
	const char *cipher = luaL_optstring(L, 4, NULL);
	bool is_known = false, is_done = false;

	m.text = module_check_bytes(L, 3);
	for (size_t i = 0; i < PDK_COUNT(macs); i++) {
		if (strcasecmp(macs[i].name, m.name) == 0) {
			is_known = !macs[i].has_cipher || is_block_cipher(cipher);
			m.cipher = macs[i].has_cipher ? cipher : NULL;
		}
	}
	vm_host_enter(L);
	if (is_known && m.key.n <= MAC_KEY_MAX)
		is_done = run_mac(&m);
	vm_host_leave(L);
	if (!is_done)
		return lua_pushnil(L), 1;
	lua_pushlstring(L, (const char *)m.out, m.n);
	return 1;
}

/* RFC 7914, section 2; OpenSSL checks the rest. */
static bool fits_scrypt(lua_State *L, lua_Number n, lua_Number r, lua_Number p)
{
	return n >= 2 && r >= 1 && p >= 1 && 128 * n * r + 128 * r * p < SCRYPT_BYTES_MAX &&
	       n * r * p * SCRYPT_STEP_NS < (lua_Number)vm_cpu_left_ns(L);
}

/* scrypt(password, salt, N, r, p, bytes): bytes; nil and why. */
static int mac_scrypt(lua_State *L)
{
	struct str password = module_check_bytes(L, 1), salt = module_check_bytes(L, 2);
	lua_Number n = luaL_checknumber(L, 3), r = luaL_checknumber(L, 4),
		   p = luaL_checknumber(L, 5);
	lua_Integer out_n = luaL_checkinteger(L, 6);
	unsigned char out[SCRYPT_OUT_MAX];
	int done;

	if (out_n < 1 || out_n > SCRYPT_OUT_MAX)
		return luaL_argerror(L, 6, "1 to 1,024 bytes");
	if (!fits_scrypt(L, n, r, p))
		return pdk_fail(L, "%s",
				"scrypt: at most 32 MB and the CPU time that is left "
				"(plugin_limits_cpu_ms)");
	vm_host_enter(L);
	done = EVP_PBE_scrypt(password.p, password.n, (const unsigned char *)salt.p, salt.n,
			(uint64_t)n, (uint64_t)r, (uint64_t)p, SCRYPT_BYTES_MAX, out,
			(size_t)out_n);
	ERR_clear_error();
	vm_host_leave(L);
	if (done != 1)
		return pdk_fail(L, "%s", "scrypt: N is a power of two");
	lua_pushlstring(L, (const char *)out, (size_t)out_n);
	return 1;
}

const luaL_Reg module_mac_functions[] = {
		{"mac", mac_run},
		{"scrypt", mac_scrypt},
		{NULL, NULL},
};
