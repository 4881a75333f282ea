/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/tls_server.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/hex.h"
#include "worker/certificates.h"

#define SESSION_SECONDS (24 * 3600)
#define TICKET_KEY_SECONDS (12 * 3600)
#define TICKET_KEYS (1 + SESSION_SECONDS / TICKET_KEY_SECONDS)

/* Forward secrecy and authenticated encryption only. */
#define CIPHERS_TLS12 \
	"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:" \
	"ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:" \
	"ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"

struct ticket_key {
	uint64_t epoch;
	bool is_made;
	uint8_t name[16], cipher[32], mac[32];
};

struct tls_server {
	SSL_CTX *context;
	struct certificates *certificates;
	const uint8_t *secret; /* on the board */
	struct ticket_key keys[TICKET_KEYS];
};

static struct tls_server_owner *owner_of(SSL *ssl)
{
	return SSL_get_app_data(ssl);
}

/* ---- tickets ---- */

static bool derive(const struct tls_server *s, const char *label, uint64_t epoch, uint8_t ret[32])
{
	char text[64];
	int n = snprintf(text, sizeof(text), "%s %llu", label, (unsigned long long)epoch);

	return HMAC(EVP_sha256(), s->secret, BOARD_SECRET_BYTES, (const uint8_t *)text, (size_t)n,
			       ret, NULL) != NULL;
}

static struct ticket_key *key_of(struct tls_server *s, uint64_t epoch)
{
	struct ticket_key *k = &s->keys[epoch % TICKET_KEYS];
	uint8_t name[32];

	if (k->is_made && k->epoch == epoch)
		return k;
	k->epoch = epoch;
	k->is_made = derive(s, "name", epoch, name) && derive(s, "cipher", epoch, k->cipher) &&
		     derive(s, "mac", epoch, k->mac);
	memcpy(k->name, name, sizeof(k->name));
	return k->is_made ? k : NULL;
}

static bool key_use(const struct ticket_key *k, const uint8_t *iv, EVP_CIPHER_CTX *cipher,
		EVP_MAC_CTX *mac, int is_encrypting)
{
	static char digest[] = "SHA256";
	OSSL_PARAM params[] = {
			OSSL_PARAM_construct_octet_string(
					"key", (void *)(uintptr_t)k->mac, sizeof(k->mac)),
			OSSL_PARAM_construct_utf8_string("digest", digest, 0),
			OSSL_PARAM_construct_end(),
	};

	return EVP_MAC_CTX_set_params(mac, params) == 1 &&
	       EVP_CipherInit_ex(cipher, EVP_aes_256_cbc(), NULL, k->cipher, iv, is_encrypting) ==
			       1;
}

/* SSL_CTX_set_tlsext_ticket_key_evp_cb: 1 = done, 2 = done, and a newer ticket is due, 0 = no such
 * key, -1 = failed. */
static int on_ticket_key(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
		EVP_MAC_CTX *mac, int is_encrypting)
{
	struct tls_server *s = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
	uint64_t now = (uint64_t)time(NULL) / TICKET_KEY_SECONDS;

	if (is_encrypting) {
		const struct ticket_key *k = key_of(s, now);

		if (k == NULL)
			return -1;
		memcpy(name, k->name, sizeof(k->name));
		random_bytes(iv, (size_t)EVP_CIPHER_get_iv_length(EVP_aes_256_cbc()));
		return key_use(k, iv, cipher, mac, 1) ? 1 : -1;
	}
	for (uint64_t age = 0; age < TICKET_KEYS; age++) {
		const struct ticket_key *k = key_of(s, now - age);

		if (k != NULL && memcmp(name, k->name, sizeof(k->name)) == 0)
			return !key_use(k, iv, cipher, mac, 0) ? -1 : age == 0 ? 1 : 2;
	}
	return 0;
}

/* A session belongs to the name it began with: what was asked of a client under one name is not
 * skipped by resuming under another. */
static int on_ticket_made(SSL *ssl, void *arg)
{
	struct tls_server_owner *o = owner_of(ssl);
	struct str name = o->name(o->arg);

	(void)arg;
	return SSL_SESSION_set1_ticket_appdata(
			SSL_get_session(ssl), name.n != 0 ? name.p : "", name.n);
}

static SSL_TICKET_RETURN on_ticket_read(SSL *ssl, SSL_SESSION *session, const unsigned char *key,
		size_t key_n, SSL_TICKET_STATUS status, void *arg)
{
	struct tls_server_owner *o = owner_of(ssl);
	struct str name = STR_NONE;
	void *p = NULL;

	(void)key, (void)key_n, (void)arg;
	if (status != SSL_TICKET_SUCCESS && status != SSL_TICKET_SUCCESS_RENEW)
		return SSL_TICKET_RETURN_IGNORE_RENEW;
	if (SSL_SESSION_get0_ticket_appdata(session, &p, &name.n) == 1)
		name.p = p;
	if (!str_eq(name, o->name(o->arg)))
		return SSL_TICKET_RETURN_IGNORE_RENEW;
	return status == SSL_TICKET_SUCCESS ? SSL_TICKET_RETURN_USE : SSL_TICKET_RETURN_USE_RENEW;
}

/* ---- the handshake's questions ---- */

static int on_hello(SSL *ssl, int *alert, void *arg)
{
	struct tls_server_owner *o = owner_of(ssl);
	struct str extension = STR_NONE;
	const unsigned char *p;

	(void)arg;
	if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_server_name, &p, &extension.n) != 1)
		return SSL_CLIENT_HELLO_SUCCESS;
	extension.p = (const char *)p;
	if (o->on_name(o->arg, extension))
		return SSL_CLIENT_HELLO_SUCCESS;
	*alert = SSL_AD_DECODE_ERROR;
	return SSL_CLIENT_HELLO_ERROR;
}

static int on_certificate(SSL *ssl, void *arg)
{
	struct tls_server_owner *o = owner_of(ssl);

	(void)arg;
	return o->on_certificate(o->arg);
}

/* RFC 7301 3.2: who offers nothing that is spoken here hears so. */
static int on_alpn(SSL *ssl, const unsigned char **ret, unsigned char *ret_n,
		const unsigned char *offered, unsigned offered_n, void *arg)
{
	static const unsigned char spoken[] = "\x08http/1.1\x08http/1.0";
	unsigned char *chosen;

	(void)ssl, (void)arg;
	if (SSL_select_next_proto(&chosen, ret_n, spoken, sizeof(spoken) - 1, offered, offered_n) !=
			OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	*ret = chosen;
	return SSL_TLSEXT_ERR_OK;
}

/* ---- making it ---- */

/* The pairs of two lists of paths. */
static int defaults_load(struct tls_server *s, const struct conf *conf, struct why *why)
{
	const char *certs = conf->ssl_cert, *keys = conf->ssl_cert_key;
	sl_auto_mem char *own_cert = conf_path(conf, CONF_OWN_CERTIFICATE);
	sl_auto_mem char *own_key = conf_path(conf, CONF_OWN_KEY);
	char cert_path[4096], key_path[4096];
	struct str cert, key;
	int r = 0;

	if (own_cert == NULL || own_key == NULL)
		return -ENOMEM;
	if (certs[0] == '\0')
		return certificate_pair_use(s->context, own_cert, own_key, why);
	while (r == 0 && conf_list_next(&certs, &cert) && conf_list_next(&keys, &key)) {
		snprintf(cert_path, sizeof(cert_path), "%.*s", STR_ARG(cert));
		snprintf(key_path, sizeof(key_path), "%.*s", STR_ARG(key));
		r = certificate_pair_use(s->context, cert_path, key_path, why);
	}
	return r;
}

static bool context_set_up(SSL_CTX *c)
{
	static const unsigned char id[] = "sluice";

	SSL_CTX_set_options(c, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
	SSL_CTX_set_mode(c, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
					    SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
					    SSL_MODE_NO_AUTO_CHAIN);
	SSL_CTX_set_read_ahead(c, 1);
	SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_timeout(c, SESSION_SECONDS);
	SSL_CTX_set_tlsext_ticket_key_evp_cb(c, on_ticket_key);
	SSL_CTX_set_client_hello_cb(c, on_hello, NULL);
	SSL_CTX_set_cert_cb(c, on_certificate, NULL);
	SSL_CTX_set_alpn_select_cb(c, on_alpn, NULL);
	return SSL_CTX_set_min_proto_version(c, TLS1_2_VERSION) == 1 &&
	       SSL_CTX_set_cipher_list(c, CIPHERS_TLS12) == 1 &&
	       SSL_CTX_set_session_id_context(c, id, sizeof(id) - 1) == 1 &&
	       SSL_CTX_set_session_ticket_cb(c, on_ticket_made, on_ticket_read, NULL) == 1;
}

void tls_server_free(struct tls_server *s)
{
	if (s == NULL)
		return;
	SSL_CTX_free(s->context);
	if (s->certificates != NULL)
		certificates_free(s->certificates);
	OPENSSL_cleanse(s->keys, sizeof(s->keys));
	free(s);
}

int tls_server_new(struct tls_server **ret, const struct conf *conf, const struct board *board,
		struct why *why)
{
	struct tls_server *s = calloc(1, sizeof(*s));
	int r = -ENOMEM;

	if (s == NULL)
		return r;
	s->secret = (const uint8_t *)board->ticket_secret;
	s->context = SSL_CTX_new(TLS_server_method());
	if (s->context != NULL && context_set_up(s->context))
		r = certificates_new(&s->certificates);
	if (r == 0) {
		SSL_CTX_set_app_data(s->context, s);
		r = defaults_load(s, conf, why);
	}
	if (r != 0) {
		tls_server_free(s);
		return r;
	}
	*ret = s;
	return 0;
}

SSL *tls_server_connection(struct tls_server *s)
{
	return SSL_new(s->context);
}

bool tls_server_certify(
		struct tls_server *s, SSL *ssl, const struct snap_view *view, struct str sni)
{
	struct certificate *c = view != NULL ? certificates_for(s->certificates, view, sni) : NULL;
	bool is_good = true;

	if (c == NULL)
		return true;
	SSL_certs_clear(ssl);
	for (unsigned i = 0; is_good && i < c->n; i++) {
		const struct certificate_pair *p = &c->pairs[i];

		is_good = SSL_use_cert_and_key(ssl, p->cert, p->key, p->chain, 1) == 1;
	}
	certificate_unref(c);
	ERR_clear_error();
	return is_good;
}
