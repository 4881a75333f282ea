/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/tls_context.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <stdlib.h>

struct own_context {
	SSL_CTX *context;
	uint8_t id[TLS_CONTEXT_ID_BYTES];
	size_t pem_bytes;
	uint64_t used; /* the clock of uses when it was the last one */
};

struct tls_contexts {
	SSL_CTX *base;
	uint64_t uses;
	size_t pem_bytes;
	unsigned n;
	struct own_context v[TLS_CONTEXTS];
};

static const unsigned char alpn_http11[] = {8, 'h', 't', 't', 'p', '/', '1', '.', '1'};

SSL_CTX *tls_context_new(void)
{
	SSL_CTX *c = SSL_CTX_new(TLS_client_method());

	if (c == NULL)
		return NULL;
	SSL_CTX_set_min_proto_version(c, TLS1_2_VERSION);
	SSL_CTX_set_options(c, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
	SSL_CTX_set_mode(c, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
					    SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
					    SSL_MODE_NO_AUTO_CHAIN);
	SSL_CTX_set_read_ahead(c, 1);
	SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	if (SSL_CTX_set_alpn_protos(c, alpn_http11, sizeof(alpn_http11)) == 0)
		return c;
	SSL_CTX_free(c);
	return NULL;
}

int tls_contexts_new(struct tls_contexts **ret, SSL_CTX *base)
{
	struct tls_contexts *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return -ENOMEM;
	t->base = base;
	*ret = t;
	return 0;
}

void tls_contexts_free(struct tls_contexts *t)
{
	for (unsigned i = 0; i < t->n; i++)
		SSL_CTX_free(t->v[i].context);
	free(t);
}

unsigned tls_contexts_count(const struct tls_contexts *t)
{
	return t->n;
}

bool tls_context_is_own(const struct exchange_tls *wanted)
{
	return wanted->cert_pem.n != 0 || wanted->ca_pem.n != 0;
}

int tls_context_id(uint8_t ret[TLS_CONTEXT_ID_BYTES], const struct exchange_tls *wanted)
{
	const struct str parts[] = {wanted->cert_pem, wanted->key_pem, wanted->ca_pem};
	uint8_t digests[3][TLS_CONTEXT_ID_BYTES] = {{0}};

	for (unsigned i = 0; i < 3; i++)
		if (parts[i].n != 0 && EVP_Digest(parts[i].p, parts[i].n, digests[i], NULL,
						       EVP_sha256(), NULL) != 1)
			return -ENOMEM;
	if (EVP_Digest(digests, sizeof(digests), ret, NULL, EVP_sha256(), NULL) != 1)
		return -ENOMEM;
	return 0;
}

/* A key under a pass phrase is not asked for one. */
static int no_pass_phrase(char *buf, int size, int is_writing, void *arg)
{
	(void)buf;
	(void)size;
	(void)is_writing;
	(void)arg;
	return -1;
}

static int refuse(struct why *why, const char *what, int number)
{
	const char *reason = ERR_reason_error_string(ERR_peek_last_error());

	why_set(why, NULL, 0, "%s %d of a plugin: %s", what, number,
			reason != NULL ? reason : "it cannot be used");
	ERR_clear_error();
	return -EINVAL;
}

/* 0 = took it, else refused: OpenSSL's errors say why. */
typedef int certificate_fn(SSL_CTX *c, X509 *certificate, int number);

static int use_in_chain(SSL_CTX *c, X509 *certificate, int number)
{
	int is_ok = number == 1 ? SSL_CTX_use_certificate(c, certificate)
				: (int)SSL_CTX_add1_chain_cert(c, certificate);

	return is_ok == 1 ? 0 : -1;
}

static int trust(SSL_CTX *c, X509 *certificate, int number)
{
	(void)number;
	return X509_STORE_add_cert(SSL_CTX_get_cert_store(c), certificate) == 1 ? 0 : -1;
}

/* Every certificate of the text, in order; one at least. */
static int certificates_each(
		SSL_CTX *c, struct str pem, certificate_fn *fn, const char *what, struct why *why)
{
	BIO *bio = BIO_new_mem_buf(pem.p, (int)pem.n);
	int n = 0, r = 0;
	X509 *x;

	if (bio == NULL)
		return -ENOMEM;
	ERR_clear_error();
	while (r == 0 && (x = PEM_read_bio_X509(bio, NULL, no_pass_phrase, NULL)) != NULL) {
		r = fn(c, x, ++n);
		X509_free(x);
	}
	BIO_free(bio);
	if (r != 0)
		return refuse(why, what, n);
	if (n == 0 || ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE)
		return refuse(why, what, n + 1);
	ERR_clear_error();
	return 0;
}

static int key_use(SSL_CTX *c, struct str pem, struct why *why)
{
	BIO *bio = BIO_new_mem_buf(pem.n != 0 ? pem.p : "", (int)pem.n);
	EVP_PKEY *key;
	int is_ok;

	if (bio == NULL)
		return -ENOMEM;
	ERR_clear_error();
	key = PEM_read_bio_PrivateKey(bio, NULL, no_pass_phrase, NULL);
	is_ok = key != NULL && SSL_CTX_use_PrivateKey(c, key) == 1;
	EVP_PKEY_free(key);
	BIO_free(bio);
	return is_ok ? 0 : refuse(why, "client key", 1);
}

static int context_fill(
		SSL_CTX *c, SSL_CTX *base, const struct exchange_tls *wanted, struct why *why)
{
	int r = 0;

	SSL_CTX_sess_set_new_cb(c, SSL_CTX_sess_get_new_cb(base));
	if (wanted->ca_pem.n != 0)
		r = certificates_each(c, wanted->ca_pem, trust, "trusted certificate", why);
	else
		SSL_CTX_set1_cert_store(c, SSL_CTX_get_cert_store(base));
	if (r == 0 && wanted->cert_pem.n != 0)
		r = certificates_each(c, wanted->cert_pem, use_in_chain, "client certificate", why);
	if (r == 0 && wanted->cert_pem.n != 0)
		r = key_use(c, wanted->key_pem, why);
	return r;
}

static void drop_least_used(struct tls_contexts *t)
{
	struct own_context *oldest = &t->v[0];

	for (unsigned i = 1; i < t->n; i++)
		if (t->v[i].used < oldest->used)
			oldest = &t->v[i];
	SSL_CTX_free(oldest->context);
	t->pem_bytes -= oldest->pem_bytes;
	*oldest = t->v[--t->n];
}

static SSL_CTX *find(struct tls_contexts *t, const uint8_t *id)
{
	for (unsigned i = 0; i < t->n; i++)
		if (memcmp(t->v[i].id, id, TLS_CONTEXT_ID_BYTES) == 0) {
			t->v[i].used = ++t->uses;
			return t->v[i].context;
		}
	return NULL;
}

int tls_contexts_get(struct tls_contexts *t, const uint8_t id[TLS_CONTEXT_ID_BYTES],
		const struct exchange_tls *wanted, SSL_CTX **ret, struct why *why)
{
	size_t n = wanted->cert_pem.n + wanted->key_pem.n + wanted->ca_pem.n;
	SSL_CTX *c = find(t, id);
	struct own_context *own;
	int r;

	*ret = c;
	if (c != NULL)
		return 0;
	if (n > TLS_CONTEXT_PEM_MAX) {
		why_set(why, NULL, 0, "certificates of a plugin: more than %d bytes",
				TLS_CONTEXT_PEM_MAX);
		return -EINVAL;
	}
	c = tls_context_new();
	if (c == NULL)
		return -ENOMEM;
	r = context_fill(c, t->base, wanted, why);
	if (r != 0) {
		SSL_CTX_free(c);
		return r;
	}
	while (t->n == TLS_CONTEXTS || (t->n != 0 && t->pem_bytes + n > TLS_CONTEXTS_BYTES))
		drop_least_used(t);
	own = &t->v[t->n++];
	*own = (struct own_context){.context = c, .pem_bytes = n, .used = ++t->uses};
	memcpy(own->id, id, sizeof(own->id));
	t->pem_bytes += n;
	*ret = c;
	return 0;
}
