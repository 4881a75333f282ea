/* SPDX-License-Identifier: Apache-2.0
 * What modules are given of asymmetric keys, continued: making them, encrypting, agreeing on a
 * secret, and the numbers they consist of. */
#include "plugin/module_part.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/dh.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/rsa.h>

#include "base/clock.h"
#include "plugin/module_facts.h"
#include "plugin/module_key.h"

#define RSA_BITS_MIN 512
#define RSA_MADE_BITS_MAX 4096
#define NAME_BYTES_MAX 64

/* Making a key takes as long as it takes: asked between its steps, whether that still fits. */
struct patience {
	uint64_t until_ns;
};

static int go_on(EVP_PKEY_CTX *ctx)
{
	const struct patience *p = EVP_PKEY_CTX_get_app_data(ctx);

	return clock_mono_ns() < p->until_ns;
}

struct wish {
	const char *kind, *curve;
	lua_Integer bits;
	BIGNUM *exponent;
};

static bool set_wish(EVP_PKEY_CTX *ctx, const struct wish *w)
{
	if (strcmp(w->kind, "RSA") == 0)
		return EVP_PKEY_CTX_set_rsa_keygen_bits(ctx, (int)w->bits) > 0 &&
		       (w->exponent == NULL ||
				       EVP_PKEY_CTX_set1_rsa_keygen_pubexp(ctx, w->exponent) > 0);
	if (w->curve != NULL)
		return EVP_PKEY_CTX_set_group_name(ctx, w->curve) > 0;
	return true;
}

static EVP_PKEY *make(const struct wish *w, struct patience *p)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, w->kind, NULL);
	EVP_PKEY *key = NULL;

	if (ctx == NULL)
		return NULL;
	EVP_PKEY_CTX_set_app_data(ctx, p);
	EVP_PKEY_CTX_set_cb(ctx, go_on);
	if (EVP_PKEY_keygen_init(ctx) != 1 || !set_wish(ctx, w) ||
			EVP_PKEY_generate(ctx, &key) != 1)
		key = NULL;
	EVP_PKEY_CTX_free(ctx);
	return key;
}

static bool is_kind_known(const char *kind)
{
	static const char *const kinds[] = {
			"RSA", "EC", "DH", "ED25519", "ED448", "X25519", "X448"};

	for (size_t i = 0; i < PDK_COUNT(kinds); i++)
		if (strcmp(kinds[i], kind) == 0)
			return true;
	return false;
}

static void check_wish(lua_State *L, struct wish *ret)
{
	ret->kind = luaL_checkstring(L, 1);
	ret->bits = luaL_optinteger(L, 2, 2048);
	ret->curve = luaL_optstring(L, 3, NULL);
	if (!is_kind_known(ret->kind))
		luaL_argerror(L, 1, "unknown kind of key");
	if (ret->bits < RSA_BITS_MIN || ret->bits > RSA_MADE_BITS_MAX)
		luaL_argerror(L, 2, "512 to 4,096 bits");
	if (strcmp(ret->kind, "DH") == 0 &&
			(ret->curve == NULL || OBJ_sn2nid(ret->curve) == NID_undef))
		luaL_argerror(L, 3, "a named group expected, such as ffdhe2048");
}

/* pkey_make(kind, bits, curve or group, exponent as bytes): as pkey_load(); nil: refused, or it
 * did not fit into the CPU time that is left. */
static int pkey_make(lua_State *L)
{
	uint64_t left_ns = vm_cpu_left_ns(L), now_ns = clock_mono_ns();
	struct patience patience = {left_ns > UINT64_MAX - now_ns ? UINT64_MAX : now_ns + left_ns};
	struct str exponent = lua_isnoneornil(L, 4) ? STR_NONE : module_check_key(L, 4);
	struct wish w;
	EVP_PKEY *key = NULL;

	check_wish(L, &w);
	if (exponent.n > 8)
		return luaL_argerror(L, 4, "an exponent of at most 64 bits");
	vm_host_enter(L);
	w.exponent = exponent.p != NULL ? BN_bin2bn((const unsigned char *)exponent.p,
							  (int)exponent.n, NULL)
					: NULL;
	key = make(&w, &patience);
	BN_free(w.exponent);
	module_describe_key(key, true);
	vm_host_leave(L);
	facts_push(L);
	return 1;
}

/* RSA: encryption and decryption. */
struct crypt {
	struct str text;
	bool is_encrypting;
	int padding;
	const EVP_MD *oaep_md, *mgf1_md;
	unsigned char out[KEY_BITS_MAX / 8];
	size_t out_n;
};

static bool start_crypt(EVP_PKEY_CTX *ctx, const struct crypt *c)
{
	if ((c->is_encrypting ? EVP_PKEY_encrypt_init(ctx) : EVP_PKEY_decrypt_init(ctx)) != 1 ||
			EVP_PKEY_CTX_set_rsa_padding(ctx, c->padding) <= 0)
		return false;
	if (c->padding != RSA_PKCS1_OAEP_PADDING)
		return true;
	return (c->oaep_md == NULL || EVP_PKEY_CTX_set_rsa_oaep_md(ctx, c->oaep_md) > 0) &&
	       (c->mgf1_md == NULL || EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, c->mgf1_md) > 0);
}

static bool run_crypt(EVP_PKEY *key, struct crypt *c)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key, NULL);
	const unsigned char *in = (const unsigned char *)c->text.p;
	bool is_done = ctx != NULL && EVP_PKEY_is_a(key, "RSA") && start_crypt(ctx, c);

	if (is_done)
		is_done = (c->is_encrypting ? EVP_PKEY_encrypt(
							      ctx, c->out, &c->out_n, in, c->text.n)
					    : EVP_PKEY_decrypt(ctx, c->out, &c->out_n, in,
							      c->text.n)) == 1;
	EVP_PKEY_CTX_free(ctx);
	return is_done;
}

static const EVP_MD *check_md(lua_State *L, int arg)
{
	const char *name = luaL_optstring(L, arg, NULL);
	const EVP_MD *md = name != NULL ? EVP_get_digestbyname(name) : NULL;

	if (name != NULL && md == NULL)
		luaL_argerror(L, arg, "unknown digest");
	return md;
}

/* pkey_crypt(key, is_encrypting, text, padding, oaep digest, mgf1 digest): text, or nil. */
static int pkey_crypt(lua_State *L)
{
	struct str der = module_check_key(L, 1);
	struct crypt c = {.is_encrypting = lua_toboolean(L, 2), .text = module_check_bytes(L, 3)};
	bool is_private = false, is_done;
	EVP_PKEY *key;

	c.padding = (int)luaL_optinteger(L, 4, RSA_PKCS1_PADDING);
	c.oaep_md = check_md(L, 5);
	c.mgf1_md = check_md(L, 6);
	c.out_n = sizeof(c.out);
	vm_host_enter(L);
	key = key_get(der, &is_private);
	is_done = key != NULL && (is_private || c.is_encrypting) && run_crypt(key, &c);
	EVP_PKEY_free(key);
	ERR_clear_error();
	vm_host_leave(L);
	if (!is_done)
		return lua_pushnil(L), 1;
	lua_pushlstring(L, (const char *)c.out, c.out_n);
	return 1;
}

static bool agree(EVP_PKEY *mine, EVP_PKEY *theirs, unsigned char *out, size_t *n)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(mine, NULL);
	bool is_done = ctx != NULL && EVP_PKEY_derive_init(ctx) == 1 &&
		       EVP_PKEY_derive_set_peer(ctx, theirs) == 1 &&
		       EVP_PKEY_derive(ctx, out, n) == 1;

	EVP_PKEY_CTX_free(ctx);
	return is_done;
}

/* pkey_agree(private key, public key): the secret they share (ECDH, DH, X25519), or nil. */
static int pkey_agree(lua_State *L)
{
	struct str a = module_check_key(L, 1), b = module_check_key(L, 2);
	unsigned char out[KEY_BITS_MAX / 8];
	bool is_private = false, is_other, is_done;
	size_t n = sizeof(out);
	EVP_PKEY *mine, *theirs;

	vm_host_enter(L);
	mine = key_get(a, &is_private);
	theirs = key_get(b, &is_other);
	is_done = mine != NULL && theirs != NULL && is_private && agree(mine, theirs, out, &n);
	EVP_PKEY_free(mine);
	EVP_PKEY_free(theirs);
	ERR_clear_error();
	vm_host_leave(L);
	if (!is_done)
		return lua_pushnil(L), 1;
	lua_pushlstring(L, (const char *)out, n);
	return 1;
}

/* Names of lua-resty-openssl → OpenSSL's, of numbers and of byte strings. */
static const struct {
	const char *name, *param;
	bool is_number;
} params[] = {
		{"n", OSSL_PKEY_PARAM_RSA_N, true},
		{"e", OSSL_PKEY_PARAM_RSA_E, true},
		{"d", OSSL_PKEY_PARAM_RSA_D, true},
		{"p", OSSL_PKEY_PARAM_RSA_FACTOR1, true},
		{"q", OSSL_PKEY_PARAM_RSA_FACTOR2, true},
		{"dmp1", OSSL_PKEY_PARAM_RSA_EXPONENT1, true},
		{"dmq1", OSSL_PKEY_PARAM_RSA_EXPONENT2, true},
		{"iqmp", OSSL_PKEY_PARAM_RSA_COEFFICIENT1, true},
		{"x", OSSL_PKEY_PARAM_EC_PUB_X, true},
		{"y", OSSL_PKEY_PARAM_EC_PUB_Y, true},
		{"ffc_p", OSSL_PKEY_PARAM_FFC_P, true},
		{"ffc_g", OSSL_PKEY_PARAM_FFC_G, true},
		{"private", OSSL_PKEY_PARAM_PRIV_KEY, true},
		{"public", OSSL_PKEY_PARAM_PUB_KEY, true},
		{"private_bytes", OSSL_PKEY_PARAM_PRIV_KEY, false},
		{"public_bytes", OSSL_PKEY_PARAM_PUB_KEY, false},
};

static void note_number(EVP_PKEY *key, const char *name, const char *param)
{
	BIGNUM *n = NULL;
	unsigned char *out;

	if (EVP_PKEY_get_bn_param(key, param, &n) != 1)
		return;
	out = facts_reserve(name, (size_t)BN_num_bytes(n));
	if (out != NULL)
		facts_commit((size_t)BN_bn2bin(n, out));
	BN_clear_free(n);
}

static void note_bytes(EVP_PKEY *key, const char *name, const char *param)
{
	unsigned char out[KEY_BITS_MAX / 8];
	size_t n = 0;

	if (EVP_PKEY_get_octet_string_param(key, param, out, sizeof(out), &n) == 1)
		facts_bytes(name, out, n);
}

static void note_params(EVP_PKEY *key)
{
	char group[NAME_BYTES_MAX];
	size_t n = 0;

	for (size_t i = 0; i < PDK_COUNT(params); i++)
		(params[i].is_number ? note_number : note_bytes)(
				key, params[i].name, params[i].param);
	if (EVP_PKEY_get_group_name(key, group, sizeof(group), &n) != 1)
		return;
	facts_bytes("group", group, n);
	facts_integer("group_nid", OBJ_txt2nid(group));
}

/* pkey_params(key): {n = bytes, …}: the numbers it has, big endian; nil: no key. */
static int pkey_params(lua_State *L)
{
	struct str der = module_check_key(L, 1);
	bool is_private;
	EVP_PKEY *key;

	vm_host_enter(L);
	facts_begin();
	key = key_get(der, &is_private);
	if (key != NULL)
		note_params(key);
	else
		facts_fail();
	EVP_PKEY_free(key);
	ERR_clear_error();
	vm_host_leave(L);
	facts_push(L);
	return 1;
}

const luaL_Reg module_pkey_make_functions[] = {
		{"pkey_make", pkey_make},
		{"pkey_crypt", pkey_crypt},
		{"pkey_agree", pkey_agree},
		{"pkey_params", pkey_params},
		{NULL, NULL},
};
