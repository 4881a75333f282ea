/* SPDX-License-Identifier: Apache-2.0
 *
 * X.509 certificates and keys in PEM.
 */
#include "plugin/typedefs_part.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

static void print_reason(struct buf *msg, const char *what)
{
	const char *reason = ERR_reason_error_string(ERR_peek_last_error());

	buf_printf(msg, "%s: %s", what, reason != NULL ? reason : "not PEM");
	ERR_clear_error();
}

/* Nobody is asked for a password. */
static int no_password(char *buf, int size, int rwflag, void *arg)
{
	(void)buf;
	(void)size;
	(void)rwflag;
	(void)arg;
	return 0;
}

static EVP_PKEY *read_key(struct str text, bool is_private)
{
	BIO *bio = BIO_new_mem_buf(text.p, (int)text.n);
	EVP_PKEY *key;

	if (bio == NULL)
		return NULL;
	key = is_private ? PEM_read_bio_PrivateKey(bio, NULL, no_password, NULL)
			 : PEM_read_bio_PUBKEY(bio, NULL, no_password, NULL);
	BIO_free(bio);
	return key;
}

bool typedef_check_certificate(struct str text, struct buf *msg)
{
	BIO *bio = BIO_new_mem_buf(text.p, (int)text.n);
	X509 *certificate = bio != NULL ? PEM_read_bio_X509(bio, NULL, no_password, NULL) : NULL;

	BIO_free(bio);
	if (certificate == NULL) {
		print_reason(msg, "invalid certificate");
		return false;
	}
	X509_free(certificate);
	return true;
}

bool typedef_check_key(struct str text, struct buf *msg)
{
	EVP_PKEY *key = read_key(text, true);

	if (key == NULL) {
		print_reason(msg, "invalid key");
		return false;
	}
	EVP_PKEY_free(key);
	return true;
}

static bool check_pair(EVP_PKEY *private_key, EVP_PKEY *public_key, struct buf *msg)
{
	if (EVP_PKEY_eq(private_key, public_key) == 1)
		return true;
	buf_printf(msg, "public key does not belong to private key");
	return false;
}

static bool is_reference(struct str text)
{
	return str_starts(text, STR("{vault://"));
}

bool typedef_check_pem(struct str private_key, struct str public_key, struct buf *msg)
{
	bool has_private = private_key.p != NULL && !is_reference(private_key);
	bool has_public = public_key.p != NULL && !is_reference(public_key);
	EVP_PKEY *a = has_private ? read_key(private_key, true) : NULL;
	EVP_PKEY *b = has_public ? read_key(public_key, false) : NULL;
	bool is_good = true;

	if ((has_private && a == NULL) || (has_public && b == NULL)) {
		print_reason(msg, has_private && a == NULL ? "could not load JWK/PEM private key"
							   : "could not load JWK/PEM public key");
		is_good = false;
	} else if (a != NULL && b != NULL) {
		is_good = check_pair(a, b, msg);
	}
	EVP_PKEY_free(a);
	EVP_PKEY_free(b);
	return is_good;
}
