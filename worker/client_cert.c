/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/client_cert.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdio.h>

#include "base/hex.h"

typedef struct str text_fn(SSL *ssl, X509 *x, struct arena *a);

static struct str keep(BIO *bio, struct arena *a)
{
	struct str s = STR_NONE;
	char *p = NULL;
	long n = bio != NULL ? BIO_get_mem_data(bio, &p) : 0;

	if (n > 0)
		s = arena_str(a, (struct str){p, (size_t)n});
	BIO_free(bio);
	return s;
}

static struct str text_verify(SSL *ssl, X509 *x, struct arena *a)
{
	long verdict = SSL_get_verify_result(ssl);

	if (x == NULL)
		return STR("NONE");
	if (verdict == X509_V_OK)
		return STR("SUCCESS");
	return arena_printf(a, "FAILED:%s", X509_verify_cert_error_string(verdict));
}

static struct str text_raw(SSL *ssl, X509 *x, struct arena *a)
{
	BIO *bio = BIO_new(BIO_s_mem());

	(void)ssl;
	if (bio != NULL)
		PEM_write_bio_X509(bio, x);
	return keep(bio, a);
}

/* Every line but the first behind a tab, so that it may be a header. */
static struct str text_cert(SSL *ssl, X509 *x, struct arena *a)
{
	struct str raw = text_raw(ssl, x, a);
	char *p = arena_alloc(a, 2 * raw.n + 1);
	size_t n = 0;

	for (size_t i = 0; p != NULL && i + 1 < raw.n; i++) {
		p[n++] = raw.p[i];
		if (raw.p[i] == '\n')
			p[n++] = '\t';
	}
	return p != NULL ? (struct str){p, n} : STR_NONE;
}

static struct str text_escaped(SSL *ssl, X509 *x, struct arena *a)
{
	struct str raw = text_raw(ssl, x, a);
	char *p = arena_alloc(a, 3 * raw.n + 1);
	size_t n = 0;

	for (size_t i = 0; p != NULL && i < raw.n; i++) {
		char c = raw.p[i], lower = ascii_lower(c);

		if ((lower >= 'a' && lower <= 'z') || (c >= '0' && c <= '9') || c == '-')
			p[n++] = c;
		else
			n += (size_t)sprintf(p + n, "%%%02X", (unsigned char)c);
	}
	return p != NULL ? (struct str){p, n} : STR_NONE;
}

static struct str name_text(const X509_NAME *name, struct arena *a)
{
	BIO *bio = BIO_new(BIO_s_mem());

	if (bio != NULL)
		X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253);
	return keep(bio, a);
}

static struct str text_subject(SSL *ssl, X509 *x, struct arena *a)
{
	(void)ssl;
	return name_text(X509_get_subject_name(x), a);
}

static struct str text_issuer(SSL *ssl, X509 *x, struct arena *a)
{
	(void)ssl;
	return name_text(X509_get_issuer_name(x), a);
}

static struct str text_serial(SSL *ssl, X509 *x, struct arena *a)
{
	BIO *bio = BIO_new(BIO_s_mem());

	(void)ssl;
	if (bio != NULL)
		i2a_ASN1_INTEGER(bio, X509_get0_serialNumber(x));
	return keep(bio, a);
}

static struct str text_fingerprint(SSL *ssl, X509 *x, struct arena *a)
{
	uint8_t sha[20];
	char hex[2 * sizeof(sha) + 1];

	(void)ssl;
	if (X509_digest(x, EVP_sha1(), sha, NULL) != 1)
		return STR_NONE;
	hex_encode(sha, sizeof(sha), hex);
	return arena_str(a, str_of(hex));
}

static struct str time_text(const ASN1_TIME *t, struct arena *a)
{
	BIO *bio = BIO_new(BIO_s_mem());

	if (bio != NULL)
		ASN1_TIME_print(bio, t);
	return keep(bio, a);
}

static struct str text_from(SSL *ssl, X509 *x, struct arena *a)
{
	(void)ssl;
	return time_text(X509_get0_notBefore(x), a);
}

static struct str text_until(SSL *ssl, X509 *x, struct arena *a)
{
	(void)ssl;
	return time_text(X509_get0_notAfter(x), a);
}

static struct str text_remaining(SSL *ssl, X509 *x, struct arena *a)
{
	int days = 0, seconds = 0;

	(void)ssl;
	if (ASN1_TIME_diff(&days, &seconds, NULL, X509_get0_notAfter(x)) != 1 || days < 0)
		days = 0;
	return arena_printf(a, "%d", days);
}

static struct str text_chain(SSL *ssl, X509 *x, struct arena *a)
{
	struct stack_st_X509 *chain = SSL_get_peer_cert_chain(ssl);
	BIO *bio = BIO_new(BIO_s_mem());

	if (bio != NULL)
		PEM_write_bio_X509(bio, x);
	for (int i = 0; bio != NULL && i < sk_X509_num(chain); i++)
		PEM_write_bio_X509(bio, sk_X509_value(chain, i));
	return keep(bio, a);
}

struct str client_cert_text(SSL *ssl, enum exchange_client_cert what, struct arena *a)
{
	static text_fn *const texts[] = {
#define X(id, name, fn) [CLIENT_CERT_##id] = text_##fn,
			EXCHANGE_CLIENT_CERT_TABLE(X)
#undef X
	};
	X509 *x = SSL_get0_peer_certificate(ssl);
	struct str s = STR_NONE;

	if (x != NULL || what == CLIENT_CERT_VERIFY)
		s = texts[what](ssl, x, a);
	ERR_clear_error();
	return s;
}
