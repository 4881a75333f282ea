/* SPDX-License-Identifier: Apache-2.0
 * What modules are given of asymmetric keys: OpenSSL's.  A key travels as DER (PKCS#8, or
 * SubjectPublicKeyInfo) in a Lua string: counted with the plugin's memory, nothing to free. */
#include "plugin/module_part.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include "plugin/module_facts.h"
#include "plugin/module_key.h"

#define SIGNATURE_BYTES_MAX 2048
#define PEM_BYTES_MAX (2 * KEY_DER_MAX)

struct str module_check_key(lua_State *L, int arg)
{
	struct str s = ngx_check_text(L, arg, false);

	if (s.n > KEY_BYTES_MAX)
		luaL_argerror(L, arg, "a key of at most 65,536 bytes expected");
	return s;
}

static void write_facts(EVP_PKEY *key, bool is_private)
{
	int nid = EVP_PKEY_get_base_id(key);
	unsigned char *out = facts_reserve("der", KEY_DER_MAX);
	size_t n = out != NULL ? key_write(key, is_private, out) : 0;

	if (n == 0)
		facts_fail();
	facts_commit(n);
	facts_boolean("is_private", is_private);
	facts_integer("nid", nid);
	facts_text("sn", OBJ_nid2sn(nid));
	facts_text("ln", OBJ_nid2ln(nid));
	facts_integer("bits", EVP_PKEY_get_bits(key));
	facts_integer("size", EVP_PKEY_get_size(key));
}

void module_describe_key(EVP_PKEY *key, bool is_private)
{
	facts_begin();
	if (key != NULL)
		write_facts(key, is_private);
	else
		facts_fail();
	EVP_PKEY_free(key);
	ERR_clear_error();
}

/* pkey_load(text[, passphrase]): {der, is_private, sn, ln, nid, bits, size}; nil: no key. */
static int pkey_load(lua_State *L)
{
	struct str s = module_check_key(L, 1);
	struct str passphrase = lua_isnoneornil(L, 2) ? STR_NONE : module_check_key(L, 2);
	bool is_private = false;
	EVP_PKEY *key;

	vm_host_enter(L);
	key = key_read(s, passphrase, &is_private);
	module_describe_key(key, is_private);
	vm_host_leave(L);
	facts_push(L);
	return 1;
}

/* pkey_public(any key): DER of the public one, nil when it is no key. */
static int pkey_public(lua_State *L)
{
	struct str s = module_check_key(L, 1);
	unsigned char der[KEY_DER_MAX];
	bool is_private;
	EVP_PKEY *key;
	size_t n;

	vm_host_enter(L);
	key = key_get(s, &is_private);
	n = key != NULL ? key_write(key, false, der) : 0;
	EVP_PKEY_free(key);
	vm_host_leave(L);
	if (n == 0)
		return lua_pushnil(L), 1;
	lua_pushlstring(L, (const char *)der, n);
	return 1;
}

/* How to sign: from the Lua arguments. */
struct scheme {
	struct str text, signature; /* signature: of verify only */
	const EVP_MD *md;           /* NULL: the key's own (EdDSA), or none (is_raw) */
	int padding, salt_bytes;    /* of RSA; 0: the key's own */
	bool is_raw, is_known;
	unsigned char out[SIGNATURE_BYTES_MAX];
	size_t out_n;
};

static bool set_padding(EVP_PKEY_CTX *ctx, const struct scheme *s)
{
	if (s->padding == 0)
		return true;
	if (EVP_PKEY_CTX_set_rsa_padding(ctx, s->padding) <= 0)
		return false;
	return s->padding != RSA_PKCS1_PSS_PADDING ||
	       EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, s->salt_bytes) > 0;
}

static bool sign(EVP_PKEY *key, struct scheme *s)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	EVP_PKEY_CTX *options = NULL;
	bool is_done = ctx != NULL && EVP_DigestSignInit(ctx, &options, s->md, NULL, key) == 1 &&
		       set_padding(options, s) &&
		       EVP_DigestSign(ctx, s->out, &s->out_n, (const unsigned char *)s->text.p,
				       s->text.n) == 1;

	EVP_MD_CTX_free(ctx);
	return is_done;
}

static bool verify(EVP_PKEY *key, const struct scheme *s)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	EVP_PKEY_CTX *options = NULL;
	bool is_good = ctx != NULL && EVP_DigestVerifyInit(ctx, &options, s->md, NULL, key) == 1 &&
		       set_padding(options, s) &&
		       EVP_DigestVerify(ctx, (const unsigned char *)s->signature.p, s->signature.n,
				       (const unsigned char *)s->text.p, s->text.n) == 1;

	EVP_MD_CTX_free(ctx);
	return is_good;
}

/* Over a digest, or whatever the padding takes. */
static bool sign_raw(EVP_PKEY *key, struct scheme *s)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key, NULL);
	bool is_done = ctx != NULL && EVP_PKEY_sign_init(ctx) == 1 && set_padding(ctx, s) &&
		       (s->md == NULL || EVP_PKEY_CTX_set_signature_md(ctx, s->md) > 0) &&
		       EVP_PKEY_sign(ctx, s->out, &s->out_n, (const unsigned char *)s->text.p,
				       s->text.n) == 1;

	EVP_PKEY_CTX_free(ctx);
	return is_done;
}

static bool verify_raw(EVP_PKEY *key, const struct scheme *s)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key, NULL);
	bool is_good = ctx != NULL && EVP_PKEY_verify_init(ctx) == 1 && set_padding(ctx, s) &&
		       (s->md == NULL || EVP_PKEY_CTX_set_signature_md(ctx, s->md) > 0) &&
		       EVP_PKEY_verify(ctx, (const unsigned char *)s->signature.p, s->signature.n,
				       (const unsigned char *)s->text.p, s->text.n) == 1;

	EVP_PKEY_CTX_free(ctx);
	return is_good;
}

/* From the arguments `arg` on: text, digest name or nil, padding or nil, salt length or nil, is
 * the text a digest already. */
static void check_scheme(lua_State *L, int arg, struct scheme *ret)
{
	const char *name = luaL_optstring(L, arg + 1, NULL);

	ret->text = module_check_bytes(L, arg);
	ret->md = name != NULL ? EVP_get_digestbyname(name) : NULL;
	ret->is_known = name == NULL || ret->md != NULL;
	ret->padding = (int)luaL_optinteger(L, arg + 2, 0);
	ret->salt_bytes = (int)luaL_optinteger(L, arg + 3, RSA_PSS_SALTLEN_DIGEST);
	ret->is_raw = lua_toboolean(L, arg + 4);
	ret->out_n = sizeof(ret->out);
}

/* pkey_sign(key, text, digest, padding, salt length, is_raw): signature, or nil. */
static int pkey_sign(lua_State *L)
{
	struct str der = module_check_key(L, 1);
	bool is_private = false, is_done;
	struct scheme s = {.out_n = 0};
	EVP_PKEY *key;

	check_scheme(L, 2, &s);
	vm_host_enter(L);
	key = key_get(der, &is_private);
	is_done = key != NULL && is_private && s.is_known &&
		  (s.is_raw ? sign_raw(key, &s) : sign(key, &s));
	EVP_PKEY_free(key);
	ERR_clear_error();
	vm_host_leave(L);
	if (!is_done)
		return lua_pushnil(L), 1;
	lua_pushlstring(L, (const char *)s.out, s.out_n);
	return 1;
}

/* pkey_verify(key, signature, text, digest, padding, salt length, is_raw): boolean. */
static int pkey_verify(lua_State *L)
{
	struct str der = module_check_key(L, 1);
	struct scheme s = {.signature = module_check_bytes(L, 2)};
	bool is_private, is_good;
	EVP_PKEY *key;

	check_scheme(L, 3, &s);
	vm_host_enter(L);
	key = key_get(der, &is_private);
	is_good = key != NULL && s.is_known && (s.is_raw ? verify_raw(key, &s) : verify(key, &s));
	EVP_PKEY_free(key);
	ERR_clear_error();
	vm_host_leave(L);
	lua_pushboolean(L, is_good);
	return 1;
}

/* pkey_recover(key, signature, padding): what was signed, or nil.  RSA only. */
static int pkey_recover(lua_State *L)
{
	struct str der = module_check_key(L, 1);
	struct scheme s = {.signature = module_check_bytes(L, 2),
			.padding = (int)luaL_optinteger(L, 3, RSA_PKCS1_PADDING),
			.out_n = sizeof(s.out)};
	EVP_PKEY_CTX *ctx = NULL;
	EVP_PKEY *key;
	bool is_done, is_private;

	vm_host_enter(L);
	key = key_get(der, &is_private);
	if (key != NULL)
		ctx = EVP_PKEY_CTX_new(key, NULL);
	is_done = ctx != NULL && EVP_PKEY_verify_recover_init(ctx) == 1 && set_padding(ctx, &s) &&
		  EVP_PKEY_verify_recover(ctx, s.out, &s.out_n,
				  (const unsigned char *)s.signature.p, s.signature.n) == 1;
	EVP_PKEY_CTX_free(ctx);
	EVP_PKEY_free(key);
	ERR_clear_error();
	vm_host_leave(L);
	if (!is_done)
		return lua_pushnil(L), 1;
	lua_pushlstring(L, (const char *)s.out, s.out_n);
	return 1;
}

/* 0: it cannot be written so. */
static size_t write_pem(EVP_PKEY *key, bool is_private, char *out)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *text = NULL;
	long n = 0;
	int r = 0;

	if (bio != NULL)
		r = is_private ? PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL)
			       : PEM_write_bio_PUBKEY(bio, key);
	if (r == 1)
		n = BIO_get_mem_data(bio, &text);
	if (n > PEM_BYTES_MAX)
		n = 0;
	if (n > 0)
		memcpy(out, text, (size_t)n);
	BIO_free(bio);
	return (size_t)n;
}

/* pkey_pem(key, is_private): PEM, or nil. */
static int pkey_pem(lua_State *L)
{
	struct str der = module_check_key(L, 1);
	bool is_private = false, wants_private = lua_toboolean(L, 2);
	char text[PEM_BYTES_MAX];
	EVP_PKEY *key;
	size_t n = 0;

	vm_host_enter(L);
	key = key_get(der, &is_private);
	if (key != NULL && (is_private || !wants_private))
		n = write_pem(key, wants_private, text);
	EVP_PKEY_free(key);
	ERR_clear_error();
	vm_host_leave(L);
	if (n == 0)
		return lua_pushnil(L), 1;
	lua_pushlstring(L, text, n);
	return 1;
}

const luaL_Reg module_pkey_functions[] = {
		{"pkey_load", pkey_load},
		{"pkey_public", pkey_public},
		{"pkey_sign", pkey_sign},
		{"pkey_verify", pkey_verify},
		{"pkey_recover", pkey_recover},
		{"pkey_pem", pkey_pem},
		{NULL, NULL},
};
