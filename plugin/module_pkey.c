/* SPDX-License-Identifier: Apache-2.0
 * What modules are given of asymmetric keys: OpenSSL's.  A key travels as DER (PKCS#8, or
 * SubjectPublicKeyInfo) in a Lua string and is parsed at each use, so that nothing is held. */
#include "plugin/module_part.h"

#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#define KEY_BYTES_MAX 65536
#define RSA_BITS_MAX 8192 /* a private operation takes 50 ms there */
#define SIGNATURE_BYTES_MAX 2048

static EVP_PKEY *acceptable(EVP_PKEY *key)
{
	if (key != NULL && EVP_PKEY_get_bits(key) <= RSA_BITS_MAX)
		return key;
	EVP_PKEY_free(key);
	return NULL;
}

static int no_passphrase(char *buf, int size, int is_writing, void *arg)
{
	(void)buf;
	(void)size;
	(void)is_writing;
	(void)arg;
	return -1;
}

static EVP_PKEY *read_der(struct str s, bool is_private)
{
	const unsigned char *p = (const unsigned char *)s.p;

	return is_private ? d2i_AutoPrivateKey(NULL, &p, (long)s.n)
			  : d2i_PUBKEY(NULL, &p, (long)s.n);
}

static EVP_PKEY *read_pem(struct str s, bool is_private)
{
	BIO *in = BIO_new_mem_buf(s.p, (int)s.n);
	EVP_PKEY *key = NULL;

	if (in == NULL)
		return NULL;
	key = is_private ? PEM_read_bio_PrivateKey(in, NULL, no_passphrase, NULL)
			 : PEM_read_bio_PUBKEY(in, NULL, no_passphrase, NULL);
	BIO_free(in);
	return key;
}

/* PEM or DER; a private key when there is one. */
static EVP_PKEY *read_key(struct str s, bool *ret_is_private)
{
	EVP_PKEY *(*const readers[])(struct str, bool) = {read_pem, read_der};
	EVP_PKEY *key = NULL;

	for (int i = 0; i < 4 && key == NULL; i++) {
		*ret_is_private = i % 2 == 0;
		key = readers[i / 2](s, *ret_is_private);
	}
	ERR_clear_error();
	return acceptable(key);
}

static struct str check_key(lua_State *L, int arg)
{
	struct str s = ngx_check_text(L, arg, false);

	if (s.n > KEY_BYTES_MAX)
		luaL_argerror(L, arg, "a key of at most 65,536 bytes expected");
	return s;
}

/* pkey_load(text): DER, is_private, type name, bits; nil when it is no key. */
static int pkey_load(lua_State *L)
{
	struct str s = check_key(L, 1);
	unsigned char der[KEY_BYTES_MAX / 4], *end = der;
	const char *type = NULL;
	bool is_private = false;
	EVP_PKEY *key;
	int n = 0, bits = 0;

	vm_host_enter(L);
	key = read_key(s, &is_private);
	if (key != NULL) {
		bits = EVP_PKEY_get_bits(key);
		type = OBJ_nid2sn(EVP_PKEY_get_base_id(key));
		n = is_private ? i2d_PrivateKey(key, NULL) : i2d_PUBKEY(key, NULL);
		if (n > 0 && n <= (int)sizeof(der))
			n = is_private ? i2d_PrivateKey(key, &end) : i2d_PUBKEY(key, &end);
		else
			n = 0;
	}
	EVP_PKEY_free(key);
	vm_host_leave(L);
	if (n <= 0)
		return lua_pushnil(L), 1;
	lua_pushlstring(L, (const char *)der, (size_t)n);
	lua_pushboolean(L, is_private);
	lua_pushstring(L, type);
	lua_pushinteger(L, bits);
	return 4;
}

/* pkey_public(DER of any key): DER of the public one, nil when it is no key. */
static int pkey_public(lua_State *L)
{
	struct str s = check_key(L, 1);
	unsigned char der[KEY_BYTES_MAX / 4], *end = der;
	bool is_private;
	EVP_PKEY *key;
	int n;

	vm_host_enter(L);
	key = read_key(s, &is_private);
	n = key != NULL ? i2d_PUBKEY(key, NULL) : 0;
	n = n > 0 && n <= (int)sizeof(der) ? i2d_PUBKEY(key, &end) : 0;
	EVP_PKEY_free(key);
	vm_host_leave(L);
	if (n <= 0)
		return lua_pushnil(L), 1;
	lua_pushlstring(L, (const char *)der, (size_t)n);
	return 1;
}

/* How to sign: from the Lua arguments. */
struct scheme {
	struct str text, signature; /* signature: of verify only */
	const EVP_MD *md;           /* NULL: the key's own (EdDSA) */
	bool is_pss, is_known;
	char raw[SIGNATURE_BYTES_MAX];
	size_t raw_n;
};

static bool start(EVP_MD_CTX *ctx, const struct scheme *s, EVP_PKEY *key, bool is_signing)
{
	EVP_PKEY_CTX *options = NULL;
	int r = is_signing ? EVP_DigestSignInit(ctx, &options, s->md, NULL, key)
			   : EVP_DigestVerifyInit(ctx, &options, s->md, NULL, key);

	if (r == 1 && s->is_pss)
		r = EVP_PKEY_CTX_set_rsa_padding(options, RSA_PKCS1_PSS_PADDING) > 0 &&
		    EVP_PKEY_CTX_set_rsa_pss_saltlen(options, RSA_PSS_SALTLEN_DIGEST) > 0;
	return r == 1;
}

static bool sign(EVP_PKEY *key, struct scheme *s)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool is_done;

	s->raw_n = sizeof(s->raw);
	is_done = ctx != NULL && start(ctx, s, key, true) &&
		  EVP_DigestSign(ctx, (unsigned char *)s->raw, &s->raw_n,
				  (const unsigned char *)s->text.p, s->text.n) == 1;
	EVP_MD_CTX_free(ctx);
	return is_done;
}

static bool verify(EVP_PKEY *key, const struct scheme *s)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool is_good = ctx != NULL && start(ctx, s, key, false) &&
		       EVP_DigestVerify(ctx, (const unsigned char *)s->signature.p, s->signature.n,
				       (const unsigned char *)s->text.p, s->text.n) == 1;

	EVP_MD_CTX_free(ctx);
	return is_good;
}

/* From the arguments `arg` on: text, digest name or nil, is PSS. */
static void check_scheme(lua_State *L, int arg, struct scheme *ret)
{
	const char *name = luaL_optstring(L, arg + 1, NULL);

	ret->text = module_check_bytes(L, arg);
	ret->md = name != NULL ? EVP_get_digestbyname(name) : NULL;
	ret->is_known = name == NULL || ret->md != NULL;
	ret->is_pss = lua_toboolean(L, arg + 2);
}

/* pkey_sign(key, text, digest, is_pss): signature, or nil. */
static int pkey_sign(lua_State *L)
{
	struct str der = check_key(L, 1);
	struct scheme s = {.raw_n = 0};
	bool is_private = false, is_done;
	EVP_PKEY *key;

	check_scheme(L, 2, &s);
	vm_host_enter(L);
	key = read_key(der, &is_private);
	is_done = key != NULL && is_private && s.is_known && sign(key, &s);
	EVP_PKEY_free(key);
	ERR_clear_error();
	vm_host_leave(L);
	if (!is_done)
		return lua_pushnil(L), 1;
	lua_pushlstring(L, s.raw, s.raw_n);
	return 1;
}

/* pkey_verify(key, signature, text, digest, is_pss): boolean. */
static int pkey_verify(lua_State *L)
{
	struct str der = check_key(L, 1);
	struct scheme s = {.signature = module_check_bytes(L, 2)};
	bool is_private, is_good;
	EVP_PKEY *key;

	check_scheme(L, 3, &s);
	vm_host_enter(L);
	key = read_key(der, &is_private);
	is_good = key != NULL && s.is_known && verify(key, &s);
	EVP_PKEY_free(key);
	ERR_clear_error();
	vm_host_leave(L);
	lua_pushboolean(L, is_good);
	return 1;
}

/* pkey_pem(key, is_private): PEM, or nil. */
static int pkey_pem(lua_State *L)
{
	struct str der = check_key(L, 1);
	bool is_private = false, wants_private = lua_toboolean(L, 2);
	BIO *out = NULL;
	EVP_PKEY *key;
	char *text = NULL, copy[KEY_BYTES_MAX / 4];
	long n = 0;

	vm_host_enter(L);
	key = read_key(der, &is_private);
	if (key != NULL && (is_private || !wants_private))
		out = BIO_new(BIO_s_mem());
	if (out != NULL && (wants_private ? PEM_write_bio_PrivateKey(
							    out, key, NULL, NULL, 0, NULL, NULL)
					  : PEM_write_bio_PUBKEY(out, key)) == 1)
		n = BIO_get_mem_data(out, &text);
	if (n > (long)sizeof(copy))
		n = 0;
	if (n > 0)
		memcpy(copy, text, (size_t)n);
	BIO_free(out);
	EVP_PKEY_free(key);
	vm_host_leave(L);
	if (n <= 0)
		return lua_pushnil(L), 1;
	lua_pushlstring(L, copy, (size_t)n);
	return 1;
}

const luaL_Reg module_pkey_functions[] = {
		{"pkey_load", pkey_load},
		{"pkey_public", pkey_public},
		{"pkey_sign", pkey_sign},
		{"pkey_verify", pkey_verify},
		{"pkey_pem", pkey_pem},
		{NULL, NULL},
};
