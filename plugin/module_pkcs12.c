/* SPDX-License-Identifier: Apache-2.0
 * What modules are given of PKCS#12 (RFC 7292).  OpenSSL's own reader hashes the passphrase as
 * often as the file asks: here every step is looked at first. */
#include "plugin/module_part.h"

#include <openssl/err.h>
#include <openssl/pkcs12.h>

#include "plugin/module_facts.h"
#include "plugin/module_key.h"
#include "plugin/module_x509.h"

#define HASHINGS_MAX 4 /* of a passphrase, each of at most KEY_ROUNDS_MAX: the MAC, safes, keys */
#define CERTIFICATES_MAX 32
#define ROUNDS_MADE 2048

struct opening {
	struct str passphrase;
	int hashings, n_certificates;
};

static bool may_hash(struct opening *o, const X509_ALGOR *algorithm)
{
	return algorithm != NULL && ++o->hashings <= HASHINGS_MAX && key_is_affordable(algorithm);
}

static bool is_authentic(struct opening *o, PKCS12 *file)
{
	const ASN1_INTEGER *rounds = NULL;
	int64_t n = 1; /* when it does not say */

	if (PKCS12_mac_present(file) != 1)
		return false;
	PKCS12_get0_mac(NULL, NULL, NULL, &rounds, file);
	if (rounds != NULL && ASN1_INTEGER_get_int64(&n, rounds) != 1)
		return false;
	o->hashings++;
	return n >= 1 && n <= KEY_ROUNDS_MAX &&
	       PKCS12_verify_mac(file, o->passphrase.p, (int)o->passphrase.n) == 1;
}

static void note_key(EVP_PKEY *key)
{
	unsigned char *out = key != NULL ? facts_reserve("key", KEY_DER_MAX) : NULL;
	size_t n = out != NULL ? key_write(key, true, out) : 0;

	if (out != NULL)
		facts_commit(n);
	if (n == 0)
		facts_fail();
	EVP_PKEY_free(key);
}

static void read_shrouded(struct opening *o, const PKCS12_SAFEBAG *bag)
{
	const X509_ALGOR *algorithm = NULL;
	PKCS8_PRIV_KEY_INFO *info = NULL;

	X509_SIG_get0(PKCS12_SAFEBAG_get0_pkcs8(bag), &algorithm, NULL);
	if (may_hash(o, algorithm))
		info = PKCS12_decrypt_skey(bag, o->passphrase.p, (int)o->passphrase.n);
	note_key(info != NULL ? EVP_PKCS82PKEY(info) : NULL);
	PKCS8_PRIV_KEY_INFO_free(info);
}

static void read_certificate(struct opening *o, const PKCS12_SAFEBAG *bag)
{
	X509 *x = PKCS12_SAFEBAG_get_bag_nid(bag) == NID_x509Certificate &&
						  ++o->n_certificates <= CERTIFICATES_MAX
				  ? PKCS12_SAFEBAG_get1_cert(bag)
				  : NULL;
	unsigned char *der = NULL;
	int n = x != NULL ? i2d_X509(x, &der) : 0;

	if (n > 0)
		facts_bytes(NULL, der, (size_t)n);
	else
		facts_fail();
	OPENSSL_free(der);
	X509_free(x);
}

static void read_bag(struct opening *o, const PKCS12_SAFEBAG *bag, bool want_keys)
{
	int kind = PKCS12_SAFEBAG_get_nid(bag);

	if (!want_keys && kind == NID_certBag)
		read_certificate(o, bag);
	else if (want_keys && kind == NID_pkcs8ShroudedKeyBag)
		read_shrouded(o, bag);
	else if (want_keys && kind == NID_keyBag)
		note_key(EVP_PKCS82PKEY(PKCS12_SAFEBAG_get0_p8inf(bag)));
	if (want_keys && (kind == NID_keyBag || kind == NID_pkcs8ShroudedKeyBag)) {
		char *name = PKCS12_get_friendlyname((PKCS12_SAFEBAG *)(uintptr_t)bag);

		facts_text("friendly_name", name);
		OPENSSL_free(name);
	}
}

static STACK_OF(PKCS12_SAFEBAG) * open_safe(struct opening *o, PKCS7 *safe)
{
	if (PKCS7_type_is_data(safe))
		return PKCS12_unpack_p7data(safe);
	if (PKCS7_type_is_encrypted(safe) && safe->d.encrypted != NULL &&
			may_hash(o, safe->d.encrypted->enc_data->algorithm))
		return PKCS12_unpack_p7encdata(safe, o->passphrase.p, (int)o->passphrase.n);
	return NULL;
}

/* All bags of the safes in one list; NULL: a safe cannot be opened. */
static STACK_OF(PKCS12_SAFEBAG) * open_safes(struct opening *o, STACK_OF(PKCS7) * safes)
{
	STACK_OF(PKCS12_SAFEBAG) *all = sk_PKCS12_SAFEBAG_new_null();
	bool is_good = all != NULL;

	for (int i = 0; is_good && i < sk_PKCS7_num(safes); i++) {
		STACK_OF(PKCS12_SAFEBAG) *bags = open_safe(o, sk_PKCS7_value(safes, i));
		PKCS12_SAFEBAG *bag;

		is_good = bags != NULL;
		while (is_good && (bag = sk_PKCS12_SAFEBAG_shift(bags)) != NULL) {
			is_good = sk_PKCS12_SAFEBAG_push(all, bag) > 0;
			if (!is_good)
				PKCS12_SAFEBAG_free(bag);
		}
		sk_PKCS12_SAFEBAG_pop_free(bags, PKCS12_SAFEBAG_free);
	}
	if (is_good)
		return all;
	sk_PKCS12_SAFEBAG_pop_free(all, PKCS12_SAFEBAG_free);
	return NULL;
}

static void note_bags(struct opening *o, STACK_OF(PKCS12_SAFEBAG) * bags)
{
	for (int i = 0; i < sk_PKCS12_SAFEBAG_num(bags) && !facts_is_failed(); i++)
		read_bag(o, sk_PKCS12_SAFEBAG_value(bags, i), true);
	facts_open("certificates");
	for (int i = 0; i < sk_PKCS12_SAFEBAG_num(bags) && !facts_is_failed(); i++)
		read_bag(o, sk_PKCS12_SAFEBAG_value(bags, i), false);
	facts_close();
}

void pkcs12_describe(struct str der, struct str passphrase)
{
	const unsigned char *p = (const unsigned char *)der.p;
	PKCS12 *file = der.n <= X509_TEXT_MAX ? d2i_PKCS12(NULL, &p, (long)der.n) : NULL;
	struct opening o = {.passphrase = passphrase};
	STACK_OF(PKCS12_SAFEBAG) *bags = NULL;
	STACK_OF(PKCS7) *safes = NULL;

	facts_begin();
	if (file != NULL && is_authentic(&o, file))
		safes = PKCS12_unpack_authsafes(file);
	if (safes != NULL)
		bags = open_safes(&o, safes);
	if (bags != NULL)
		note_bags(&o, bags);
	else
		facts_fail();
	sk_PKCS12_SAFEBAG_pop_free(bags, PKCS12_SAFEBAG_free);
	sk_PKCS7_pop_free(safes, PKCS7_free);
	PKCS12_free(file);
	ERR_clear_error();
}

/* pkcs12_read(DER, passphrase): {key, friendly_name, certificates}; nil: none, or not with this
 * passphrase, or its hashing is too much work. */
static int read_file(lua_State *L)
{
	struct str der = module_check_key(L, 1), passphrase = module_check_key(L, 2);

	vm_host_enter(L);
	pkcs12_describe(der, passphrase);
	vm_host_leave(L);
	facts_push(L);
	return 1;
}

/* What a file is made of: slices of Lua's strings. */
struct parts {
	const char *name;
	struct str passphrase, key, certificates[CERTIFICATES_MAX];
	size_t n;
};

static void write_file(const struct parts *parts)
{
	STACK_OF(X509) *rest = sk_X509_new_null();
	X509 *leaf = x509_read_certificate(parts->certificates[0]);
	bool is_private = false;
	EVP_PKEY *key = key_get(parts->key, &is_private);
	PKCS12 *file = NULL;
	unsigned char *der = NULL;
	int n = 0;

	for (size_t i = 1; rest != NULL && i < parts->n; i++) {
		X509 *x = x509_read_certificate(parts->certificates[i]);

		if (x != NULL && sk_X509_push(rest, x) == 0)
			X509_free(x);
	}
	facts_begin();
	if (leaf != NULL && key != NULL && is_private)
		file = PKCS12_create(parts->passphrase.p, parts->name, key, leaf, rest, 0, 0,
				ROUNDS_MADE, ROUNDS_MADE, 0);
	if (file != NULL)
		n = i2d_PKCS12(file, &der);
	if (n > 0)
		facts_bytes("der", der, (size_t)n);
	else
		facts_fail();
	OPENSSL_free(der);
	PKCS12_free(file);
	EVP_PKEY_free(key);
	X509_free(leaf);
	sk_X509_pop_free(rest, X509_free);
	ERR_clear_error();
}

/* pkcs12_write(passphrase, name or nil, key DER, list of certificates' DER): DER, or nil. */
static int make_file(lua_State *L)
{
	struct parts parts = {.passphrase = module_check_key(L, 1),
			.name = luaL_optstring(L, 2, NULL),
			.key = module_check_key(L, 3)};

	luaL_checktype(L, 4, LUA_TTABLE);
	parts.n = lua_objlen(L, 4);
	if (parts.n < 1 || parts.n > CERTIFICATES_MAX)
		return luaL_error(L, "1 to 32 certificates");
	for (size_t i = 0; i < parts.n; i++) {
		lua_rawgeti(L, 4, (int)i + 1);
		parts.certificates[i] = module_check_key(L, lua_gettop(L));
		lua_pop(L, 1); /* the table keeps it */
	}
	vm_host_enter(L);
	write_file(&parts);
	vm_host_leave(L);
	facts_push_value(L);
	return 1;
}

const luaL_Reg module_pkcs12_functions[] = {
		{"pkcs12_read", read_file},
		{"pkcs12_write", make_file},
		{NULL, NULL},
};
