/* SPDX-License-Identifier: Apache-2.0
 *
 * JSON Web Keys (RFC 7517, members by RFC 7518 and RFC 8037): that OpenSSL takes them as keys.
 */
#include "plugin/typedefs_part.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <stdio.h>
#include <string.h>

/* 16384-bit numbers; nobody has larger ones. */
#define MEMBER_BYTES_MAX 2048

/* n, e, d, p, q, dp, dq, qi */
#define NUMBERS_MAX 8

struct jwk_bytes {
	unsigned char p[MEMBER_BYTES_MAX + 4];
	size_t n;
};

struct jwk {
	const json_t *value;
	struct buf *msg;
	struct jwk_bytes bytes[NUMBERS_MAX]; /* what params points to */
	OSSL_PARAM params[NUMBERS_MAX + 2];
	char group[16];
	size_t n_bytes, n_params;
};

static bool fail(struct jwk *k, const char *member, const char *what)
{
	buf_printf(k->msg, "could not load JWK: %s: %s", member, what);
	return false;
}

static const char *text_of(const struct jwk *k, const char *member)
{
	return json_string_value(json_object_get(k->value, member));
}

static bool has(const struct jwk *k, const char *member)
{
	return text_of(k, member) != NULL;
}

/* base64url without padding (RFC 7515 2). */
static bool decode(struct jwk *k, const char *member, struct jwk_bytes *out)
{
	const char *text = text_of(k, member);
	size_t n = text != NULL ? strlen(text) : 0;
	unsigned char padded[(MEMBER_BYTES_MAX + 2) / 3 * 4 + 4];
	int n_out;

	if (text == NULL)
		return fail(k, member, "required for this kty");
	if (n == 0 || n % 4 == 1 || n > MEMBER_BYTES_MAX / 3 * 4 ||
			strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				     "0123456789-_") != n)
		return fail(k, member, "not base64url");
	for (size_t i = 0; i < n; i++)
		padded[i] = (unsigned char)(text[i] == '-' ? '+' : text[i] == '_' ? '/' : text[i]);
	for (size_t i = n; i % 4 != 0; i++)
		padded[i] = '=';
	n_out = EVP_DecodeBlock(out->p, padded, (int)((n + 3) / 4 * 4));
	if (n_out < 0)
		return fail(k, member, "not base64url");
	out->n = (size_t)n_out - (4 - n % 4) % 4;
	return true;
}

/* A reference to a vault is not looked at. */
static bool is_reference(const struct jwk *k, const char *member)
{
	return has(k, member) && strncmp(text_of(k, member), "{vault://", 9) == 0;
}

/* A parameter that is a number, which OpenSSL takes in the machine's byte order. */
static bool add_number(struct jwk *k, const char *member, const char *name)
{
	struct jwk_bytes *b = &k->bytes[k->n_bytes++];
	BIGNUM *number;
	int n;

	if (!decode(k, member, b))
		return false;
	number = BN_bin2bn(b->p, (int)b->n, NULL);
	n = number != NULL ? BN_bn2nativepad(number, b->p, (int)b->n) : -1;
	BN_clear_free(number);
	if (n < 0)
		return fail(k, member, "not a number");
	k->params[k->n_params++] = OSSL_PARAM_construct_BN(name, b->p, b->n);
	return true;
}

static EVP_PKEY *make_key(struct jwk *k, const char *type, bool is_private)
{
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
	EVP_PKEY *key = NULL;

	k->params[k->n_params] = OSSL_PARAM_construct_end();
	if (context == NULL || EVP_PKEY_fromdata_init(context) != 1 ||
			EVP_PKEY_fromdata(context, &key,
					is_private ? EVP_PKEY_KEYPAIR : EVP_PKEY_PUBLIC_KEY,
					k->params) != 1)
		key = NULL;
	EVP_PKEY_CTX_free(context);
	return key;
}

/* Both halves belong together. */
static bool is_pair(EVP_PKEY *key)
{
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
	bool is_good = context != NULL && EVP_PKEY_pairwise_check(context) == 1;

	EVP_PKEY_CTX_free(context);
	return is_good;
}

static bool finish_key(struct jwk *k, const char *type, bool is_private, bool is_checked)
{
	EVP_PKEY *key = make_key(k, type, is_private);
	bool is_good = key != NULL;

	if (!is_good)
		fail(k, "kty", "the members are no key of this type");
	else if (is_checked && !is_pair(key))
		is_good = fail(k, "d", "does not belong to the public key");
	EVP_PKEY_free(key);
	ERR_clear_error();
	return is_good;
}

static bool check_rsa(struct jwk *k)
{
	static const struct {
		const char *member, *name;
	} factors[] = {
			{"p", OSSL_PKEY_PARAM_RSA_FACTOR1},
			{"q", OSSL_PKEY_PARAM_RSA_FACTOR2},
			{"dp", OSSL_PKEY_PARAM_RSA_EXPONENT1},
			{"dq", OSSL_PKEY_PARAM_RSA_EXPONENT2},
			{"qi", OSSL_PKEY_PARAM_RSA_COEFFICIENT1},
	};
	bool is_private = has(k, "d"), has_factors = is_private && has(k, "p");

	if (!add_number(k, "n", OSSL_PKEY_PARAM_RSA_N) ||
			!add_number(k, "e", OSSL_PKEY_PARAM_RSA_E))
		return false;
	for (size_t i = 0; i < sizeof(factors) / sizeof(factors[0]); i++) {
		if (is_reference(k, "d") || is_reference(k, factors[i].member))
			return finish_key(k, "RSA", false, false);
	}
	if (is_private && !add_number(k, "d", OSSL_PKEY_PARAM_RSA_D))
		return false;
	/* RFC 7518 6.3.2: with p there must be all of them. */
	for (size_t i = 0; has_factors && i < sizeof(factors) / sizeof(factors[0]); i++) {
		if (!add_number(k, factors[i].member, factors[i].name))
			return false;
	}
	return finish_key(k, "RSA", is_private, has_factors);
}

static bool check_ec(struct jwk *k)
{
	static const struct {
		const char *curve;
		size_t n;
	} curves[] = {{"P-256", 32}, {"P-384", 48}, {"P-521", 66}, {"secp256k1", 32}};
	const char *curve = has(k, "crv") ? text_of(k, "crv") : "";
	struct jwk_bytes *point = &k->bytes[k->n_bytes++];
	struct jwk_bytes y;
	bool is_private = has(k, "d") && !is_reference(k, "d");
	size_t i = 0;

	while (i < sizeof(curves) / sizeof(curves[0]) && strcmp(curves[i].curve, curve) != 0)
		i++;
	if (i == sizeof(curves) / sizeof(curves[0]))
		return fail(k, "crv", "expected one of: P-256, P-384, P-521, secp256k1");
	if (!decode(k, "x", point) || !decode(k, "y", &y))
		return false;
	if (point->n != curves[i].n || y.n != curves[i].n)
		return fail(k, "crv", "x and y have another length than the curve's");
	/* An uncompressed point: 4, x, y. */
	memmove(point->p + 1, point->p, point->n);
	point->p[0] = 4;
	memcpy(point->p + 1 + point->n, y.p, y.n);
	snprintf(k->group, sizeof(k->group), "%s", curve);
	k->params[k->n_params++] =
			OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, k->group, 0);
	k->params[k->n_params++] = OSSL_PARAM_construct_octet_string(
			OSSL_PKEY_PARAM_PUB_KEY, point->p, 1 + 2 * curves[i].n);
	if (is_private && !add_number(k, "d", OSSL_PKEY_PARAM_PRIV_KEY))
		return false;
	return finish_key(k, "EC", is_private, is_private);
}

static bool check_okp(struct jwk *k)
{
	static const char *const curves[] = {"Ed25519", "Ed448", "X25519", "X448"};
	const char *curve = has(k, "crv") ? text_of(k, "crv") : "";
	struct jwk_bytes *x = &k->bytes[0], *d = &k->bytes[1];
	bool is_private = has(k, "d") && !is_reference(k, "d");
	EVP_PKEY *public_key, *private_key = NULL;
	bool is_good;
	size_t i = 0;

	while (i < sizeof(curves) / sizeof(curves[0]) && strcmp(curves[i], curve) != 0)
		i++;
	if (i == sizeof(curves) / sizeof(curves[0]))
		return fail(k, "crv", "expected one of: Ed25519, Ed448, X25519, X448");
	if (!decode(k, "x", x) || (is_private && !decode(k, "d", d)))
		return false;
	public_key = EVP_PKEY_new_raw_public_key_ex(NULL, curve, NULL, x->p, x->n);
	if (is_private)
		private_key = EVP_PKEY_new_raw_private_key_ex(NULL, curve, NULL, d->p, d->n);
	is_good = public_key != NULL && (!is_private || private_key != NULL);
	if (!is_good)
		fail(k, "kty", "the members are no key of this type");
	else if (is_private && EVP_PKEY_eq(public_key, private_key) != 1)
		is_good = fail(k, "d", "does not belong to the public key");
	EVP_PKEY_free(public_key);
	EVP_PKEY_free(private_key);
	ERR_clear_error();
	return is_good;
}

static bool check_oct(struct jwk *k)
{
	return is_reference(k, "k") || decode(k, "k", &k->bytes[0]);
}

bool typedef_check_jwk(const json_t *value, struct buf *msg)
{
	static const struct {
		const char *kty;
		bool (*fn)(struct jwk *k);
	} types[] = {{"RSA", check_rsa}, {"EC", check_ec}, {"OKP", check_okp}, {"oct", check_oct}};
	struct jwk k = {.value = value, .msg = msg};
	const char *kty = has(&k, "kty") ? text_of(&k, "kty") : "";
	bool is_good;

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		if (strcmp(types[i].kty, kty) != 0)
			continue;
		is_good = types[i].fn(&k);
		OPENSSL_cleanse(k.bytes, sizeof(k.bytes));
		return is_good;
	}
	return fail(&k, "kty", "expected one of: RSA, EC, OKP, oct");
}
