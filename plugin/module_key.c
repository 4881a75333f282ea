/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/module_key.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/rsa.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define KEPT 64
#define PEM_BLOCKS_MAX 4 /* "EC PARAMETERS" may come before the key */

static EVP_PKEY *acceptable(EVP_PKEY *key)
{
	if (key != NULL && EVP_PKEY_get_bits(key) <= KEY_BITS_MAX)
		return key;
	EVP_PKEY_free(key);
	return NULL;
}

static bool is_count_affordable(const ASN1_INTEGER *count)
{
	int64_t n = 0;

	return count != NULL && ASN1_INTEGER_get_int64(&n, count) == 1 && n >= 1 &&
	       n <= KEY_ROUNDS_MAX;
}

static bool is_pbkdf2_affordable(const X509_ALGOR *f)
{
	PBKDF2PARAM *p = NULL;
	bool is_good;

	if (f == NULL || OBJ_obj2nid(f->algorithm) != NID_id_pbkdf2)
		return false;
	p = ASN1_TYPE_unpack_sequence(ASN1_ITEM_rptr(PBKDF2PARAM), f->parameter);
	is_good = p != NULL && is_count_affordable(p->iter);
	PBKDF2PARAM_free(p);
	return is_good;
}

/* PKCS#5 version 2 (RFC 8018, appendix A), else version 1 and PKCS#12, which look the same. */
bool key_is_affordable(const X509_ALGOR *algorithm)
{
	PBE2PARAM *two;
	PBEPARAM *one;
	bool is_good;

	if (OBJ_obj2nid(algorithm->algorithm) == NID_pbes2) {
		two = ASN1_TYPE_unpack_sequence(ASN1_ITEM_rptr(PBE2PARAM), algorithm->parameter);
		is_good = two != NULL && is_pbkdf2_affordable(two->keyfunc);
		PBE2PARAM_free(two);
		return is_good;
	}
	one = ASN1_TYPE_unpack_sequence(ASN1_ITEM_rptr(PBEPARAM), algorithm->parameter);
	is_good = one != NULL && is_count_affordable(one->iter);
	PBEPARAM_free(one);
	return is_good;
}

static EVP_PKEY *read_encrypted(struct str s, struct str passphrase)
{
	const unsigned char *p = (const unsigned char *)s.p;
	X509_SIG *sig = passphrase.p != NULL ? d2i_X509_SIG(NULL, &p, (long)s.n) : NULL;
	PKCS8_PRIV_KEY_INFO *info = NULL;
	const X509_ALGOR *algorithm = NULL;
	EVP_PKEY *key = NULL;

	if (sig != NULL)
		X509_SIG_get0(sig, &algorithm, NULL);
	if (algorithm != NULL && key_is_affordable(algorithm))
		info = PKCS8_decrypt(sig, passphrase.p, (int)passphrase.n);
	if (info != NULL)
		key = EVP_PKCS82PKEY(info);
	PKCS8_PRIV_KEY_INFO_free(info);
	X509_SIG_free(sig);
	return key;
}

static EVP_PKEY *read_private(struct str s)
{
	const unsigned char *p = (const unsigned char *)s.p;

	return d2i_AutoPrivateKey(NULL, &p, (long)s.n);
}

static EVP_PKEY *read_public(struct str s)
{
	const unsigned char *p = (const unsigned char *)s.p;

	return d2i_PUBKEY(NULL, &p, (long)s.n);
}

static EVP_PKEY *read_rsa_public(struct str s)
{
	const unsigned char *p = (const unsigned char *)s.p;

	return d2i_PublicKey(EVP_PKEY_RSA, NULL, &p, (long)s.n);
}

/* What the first element says: private keys begin with a version, the others with an
 * algorithm; RSA's own form of a public key is two numbers. */
static EVP_PKEY *read_der(struct str s, struct str passphrase, bool *ret_is_private)
{
	size_t at = s.n > 2 && (unsigned char)s.p[1] >= 0x80 ? 2 + ((unsigned char)s.p[1] & 0x7fU)
							     : 2;
	EVP_PKEY *key;

	if (s.n < 4 || s.p[0] != V_ASN1_SEQUENCE + 0x20 || at >= s.n)
		return NULL;
	*ret_is_private = s.p[at] == V_ASN1_INTEGER;
	if (*ret_is_private) {
		key = read_private(s);
		if (key != NULL)
			return key;
		*ret_is_private = false;
		return read_rsa_public(s);
	}
	key = read_public(s);
	if (key == NULL) {
		key = read_encrypted(s, passphrase);
		*ret_is_private = key != NULL;
	}
	return key;
}

static int give_passphrase(char *buf, int size, int is_writing, void *arg)
{
	const struct str *s = arg;

	(void)is_writing;
	if (s->p == NULL || s->n > (size_t)size)
		return -1;
	memcpy(buf, s->p, s->n);
	return (int)s->n;
}

/* The traditional form, encrypted in PEM itself: one round of MD5, nothing to bound. */
static bool decrypt_block(char *header, unsigned char *data, long *n, struct str *passphrase)
{
	EVP_CIPHER_INFO info;

	return PEM_get_EVP_CIPHER_INFO(header, &info) == 1 &&
	       PEM_do_header(&info, data, n, give_passphrase, passphrase) == 1;
}

static EVP_PKEY *read_block(BIO *in, struct str passphrase, bool *ret_is_private, bool *ret_is_end)
{
	char *name = NULL, *header = NULL;
	unsigned char *data = NULL;
	EVP_PKEY *key = NULL;
	long n = 0;

	*ret_is_end = PEM_read_bio(in, &name, &header, &data, &n) != 1;
	if (!*ret_is_end && strstr(name, "KEY") != NULL &&
			decrypt_block(header, data, &n, &passphrase))
		key = read_der((struct str){(char *)data, (size_t)n}, passphrase, ret_is_private);
	if (data != NULL)
		OPENSSL_cleanse(data, (size_t)n);
	OPENSSL_free(data);
	OPENSSL_free(name);
	OPENSSL_free(header);
	return key;
}

static EVP_PKEY *read_pem(struct str s, struct str passphrase, bool *ret_is_private)
{
	BIO *in = BIO_new_mem_buf(s.p, (int)s.n);
	EVP_PKEY *key = NULL;
	bool is_end = in == NULL;

	for (int i = 0; i < PEM_BLOCKS_MAX && key == NULL && !is_end; i++)
		key = read_block(in, passphrase, ret_is_private, &is_end);
	BIO_free(in);
	return key;
}

EVP_PKEY *key_read(struct str text, struct str passphrase, bool *ret_is_private)
{
	EVP_PKEY *key = NULL;

	*ret_is_private = false;
	if (text.n > KEY_BYTES_MAX)
		return NULL;
	if (text.n > 0 && text.p[0] == V_ASN1_SEQUENCE + 0x20)
		key = read_der(text, passphrase, ret_is_private);
	if (key == NULL && text.n > 0)
		key = read_pem(text, passphrase, ret_is_private);
	ERR_clear_error();
	return acceptable(key);
}

static struct kept {
	EVP_PKEY *key;
	char *der;
	size_t n;
	bool is_private;
} kept[KEPT];

static struct kept *slot_of(struct str der)
{
	uint32_t h = 2166136261U;

	for (size_t i = 0; i < der.n; i++)
		h = (h ^ (unsigned char)der.p[i]) * 16777619U;
	return &kept[h % KEPT];
}

static void forget(struct kept *k)
{
	EVP_PKEY_free(k->key);
	if (k->der != NULL)
		OPENSSL_cleanse(k->der, k->n);
	free(k->der);
	*k = (struct kept){0};
}

static void keep(struct kept *k, struct str der, EVP_PKEY *key, bool is_private)
{
	char *copy = malloc(der.n);

	forget(k);
	if (copy == NULL)
		return;
	memcpy(copy, der.p, der.n);
	EVP_PKEY_up_ref(key);
	*k = (struct kept){key, copy, der.n, is_private};
}

EVP_PKEY *key_get(struct str der, bool *ret_is_private)
{
	struct kept *k = slot_of(der);
	EVP_PKEY *key;

	if (k->key != NULL && str_eq((struct str){k->der, k->n}, der)) {
		EVP_PKEY_up_ref(k->key);
		*ret_is_private = k->is_private;
		return k->key;
	}
	key = key_read(der, STR_NONE, ret_is_private);
	if (key != NULL && der.n <= KEY_DER_MAX)
		keep(k, der, key, *ret_is_private);
	return key;
}

/* PKCS#8 for every kind: i2d_PrivateKey() has its own form for some. */
static int write_private(EVP_PKEY *key, unsigned char **out)
{
	PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(key);
	int n = info != NULL ? i2d_PKCS8_PRIV_KEY_INFO(info, out) : 0;

	PKCS8_PRIV_KEY_INFO_free(info);
	return n;
}

size_t key_write(EVP_PKEY *key, bool is_private, unsigned char *out)
{
	unsigned char *p = NULL;
	int n = is_private ? write_private(key, &p) : i2d_PUBKEY(key, &p);

	ERR_clear_error();
	if (n > 0 && n <= KEY_DER_MAX)
		memcpy(out, p, (size_t)n);
	else
		n = 0;
	OPENSSL_free(p);
	return (size_t)n;
}
