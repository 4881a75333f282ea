/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/certificate_pair.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/cleanup.h"

#define PEM_BYTES_MAX (1024 * 1024)

/* A key under a pass phrase is not asked for one. */
static int no_pass_phrase(char *buf, int size, int is_writing, void *arg)
{
	(void)buf, (void)size, (void)is_writing, (void)arg;
	return -1;
}

static int refuse(struct why *why, const char *what)
{
	const char *reason = ERR_reason_error_string(ERR_peek_last_error());

	why_set(why, NULL, 0, "%s: %s", what, reason != NULL ? reason : "it cannot be used");
	ERR_clear_error();
	return -EINVAL;
}

static BIO *bio_of(struct str pem)
{
	return BIO_new_mem_buf(pem.n != 0 ? pem.p : "", (int)pem.n);
}

static int chain_parse(struct certificate_pair *ret, struct str pem, struct why *why)
{
	BIO *bio = bio_of(pem);
	X509 *x;

	ret->chain = sk_X509_new_null();
	if (bio == NULL || ret->chain == NULL) {
		BIO_free(bio);
		return -ENOMEM;
	}
	ERR_clear_error();
	ret->cert = PEM_read_bio_X509(bio, NULL, no_pass_phrase, NULL);
	if (ret->cert == NULL) {
		BIO_free(bio);
		return refuse(why, "certificate");
	}
	while ((x = PEM_read_bio_X509(bio, NULL, no_pass_phrase, NULL)) != NULL)
		if (sk_X509_push(ret->chain, x) == 0)
			X509_free(x);
	ERR_clear_error();
	BIO_free(bio);
	return 0;
}

int certificate_pair_parse(
		struct certificate_pair *ret, struct str cert, struct str key, struct why *why)
{
	BIO *bio;
	int r;

	*ret = (struct certificate_pair){.cert = NULL};
	r = chain_parse(ret, cert, why);
	if (r != 0)
		return r;
	bio = bio_of(key);
	if (bio == NULL)
		return -ENOMEM;
	ret->key = PEM_read_bio_PrivateKey(bio, NULL, no_pass_phrase, NULL);
	BIO_free(bio);
	if (ret->key == NULL)
		return refuse(why, "key");
	if (X509_check_private_key(ret->cert, ret->key) != 1)
		return refuse(why, "certificate does not match key");
	return 0;
}

void certificate_pair_done(struct certificate_pair *p)
{
	X509_free(p->cert);
	sk_X509_pop_free(p->chain, X509_free);
	EVP_PKEY_free(p->key);
	*p = (struct certificate_pair){.cert = NULL};
}

static int file_read(const char *path, struct buf *ret, struct why *why)
{
	sl_auto_file FILE *f = fopen(path, "re");

	if (f == NULL)
		return why_errno(why, errno, "%s", path);
	if (!buf_reserve(ret, PEM_BYTES_MAX))
		return -ENOMEM;
	ret->n = fread(ret->p, 1, PEM_BYTES_MAX, f);
	return ferror(f) ? why_errno(why, EIO, "%s", path) : 0;
}

static int load(struct certificate_pair *ret, const char *cert, const char *key, struct why *why)
{
	sl_auto_buf cert_pem = {0}, key_pem = {0};
	struct why reason = WHY_NONE;
	int r = file_read(cert, &cert_pem, why);

	*ret = (struct certificate_pair){.cert = NULL};
	if (r == 0)
		r = file_read(key, &key_pem, why);
	if (r != 0)
		return r;
	r = certificate_pair_parse(ret, buf_str(&cert_pem), buf_str(&key_pem), &reason);
	OPENSSL_cleanse(key_pem.p, key_pem.n);
	if (r == -EINVAL)
		why_set(why, NULL, 0, "%s with %s: %s", cert, key, reason.text);
	return r;
}

int certificate_pair_use(
		SSL_CTX *context, const char *cert_path, const char *key_path, struct why *why)
{
	struct certificate_pair pair;
	int r = load(&pair, cert_path, key_path, why);

	if (r == 0 && SSL_CTX_use_cert_and_key(context, pair.cert, pair.key, pair.chain, 1) != 1) {
		why_set(why, NULL, 0, "%s with %s: %s", cert_path, key_path,
				ERR_reason_error_string(ERR_peek_last_error()));
		r = -EINVAL;
	}
	certificate_pair_done(&pair);
	ERR_clear_error();
	return r;
}
