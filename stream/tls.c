/* SPDX-License-Identifier: Apache-2.0 */
#include "stream/tls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <string.h>

static const unsigned char alpn_h2[] = {2, 'h', '2'};

bool tls_is_wanted(const struct stream_tls *conf)
{
	return (conf->cert != NULL && conf->cert[0] != '\0') ||
	       (conf->key != NULL && conf->key[0] != '\0') ||
	       (conf->ca != NULL && conf->ca[0] != '\0');
}

static int tls_file_error(struct why *why, const char *what, const char *file)
{
	char text[256];

	ERR_error_string_n(ERR_get_error(), text, sizeof(text));
	why_set(why, file != NULL ? file : "", 0, "%s of the control stream: %s", what,
			file == NULL || file[0] == '\0' ? "no file was given" : text);
	ERR_clear_error();
	return -EINVAL;
}

static bool has(const char *file)
{
	return file != NULL && file[0] != '\0';
}

static int files_load(SSL_CTX *x, const struct stream_tls *conf, struct why *why)
{
	if (!has(conf->cert) || SSL_CTX_use_certificate_chain_file(x, conf->cert) != 1)
		return tls_file_error(why, "certificate", conf->cert);
	if (!has(conf->key) || SSL_CTX_use_PrivateKey_file(x, conf->key, SSL_FILETYPE_PEM) != 1 ||
			SSL_CTX_check_private_key(x) != 1)
		return tls_file_error(why, "private key", conf->key);
	if (!has(conf->ca) || SSL_CTX_load_verify_locations(x, conf->ca, NULL) != 1)
		return tls_file_error(why, "CA certificates", conf->ca);
	return 0;
}

static int context_make(SSL_CTX **ret, const SSL_METHOD *method, const struct stream_tls *conf,
		struct why *why)
{
	SSL_CTX *x = SSL_CTX_new(method);
	int r;

	if (x == NULL)
		return -ENOMEM;
	SSL_CTX_set_min_proto_version(x, TLS1_2_VERSION);
	/* HTTP/2 has its own ending: a missing close_notify cuts nothing off. */
	SSL_CTX_set_options(x, SSL_OP_IGNORE_UNEXPECTED_EOF | SSL_OP_NO_RENEGOTIATION |
					       SSL_OP_NO_COMPRESSION);
	SSL_CTX_set_mode(x, SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_verify(x, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	r = files_load(x, conf, why);
	if (r != 0) {
		SSL_CTX_free(x);
		return r;
	}
	*ret = x;
	return 0;
}

static int alpn_select(SSL *ssl, const unsigned char **ret, unsigned char *ret_n,
		const unsigned char *offered, unsigned offered_n, void *arg)
{
	(void)ssl;
	(void)arg;
	for (unsigned i = 0; i < offered_n && offered[i] < offered_n - i; i += offered[i] + 1U) {
		if (offered[i] != 2 || memcmp(offered + i + 1, "h2", 2) != 0)
			continue;
		*ret = offered + i + 1;
		*ret_n = 2;
		return SSL_TLSEXT_ERR_OK;
	}
	return SSL_TLSEXT_ERR_ALERT_FATAL;
}

int tls_server_context(SSL_CTX **ret, const struct stream_tls *conf, struct why *why)
{
	int r = context_make(ret, TLS_server_method(), conf, why);

	if (r != 0)
		return r;
	SSL_CTX_set_alpn_select_cb(*ret, alpn_select, NULL);
	SSL_CTX_set_session_cache_mode(*ret, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_num_tickets(*ret, 0);
	return 0;
}

int tls_client_context(SSL_CTX **ret, const struct stream_tls *conf, struct why *why)
{
	int r = context_make(ret, TLS_client_method(), conf, why);

	if (r != 0)
		return r;
	return SSL_CTX_set_alpn_protos(*ret, alpn_h2, sizeof(alpn_h2)) == 0 ? 0 : -ENOMEM;
}

SSL *tls_server_new(SSL_CTX *context)
{
	return SSL_new(context);
}

SSL *tls_client_new(SSL_CTX *context, const char *name)
{
	unsigned char address[sizeof(struct in6_addr)];
	SSL *ssl = SSL_new(context);
	bool is_address, ok;

	if (ssl == NULL)
		return NULL;
	is_address = inet_pton(AF_INET, name, address) == 1 ||
		     inet_pton(AF_INET6, name, address) == 1;
	if (is_address) {
		ok = X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name) == 1;
	} else {
		SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
		ok = SSL_set1_host(ssl, name) == 1 &&
		     SSL_set_tlsext_host_name(ssl, (uintptr_t)name) == 1;
	}
	if (ok)
		return ssl;
	SSL_free(ssl);
	return NULL;
}

void tls_peer_subject(const SSL *ssl, char *ret, size_t size)
{
	X509 *cert = ssl != NULL ? SSL_get0_peer_certificate(ssl) : NULL;
	BIO *text = cert != NULL ? BIO_new(BIO_s_mem()) : NULL;
	int n = 0;

	if (text != NULL && X509_NAME_print_ex(text, X509_get_subject_name(cert), 0,
					    XN_FLAG_RFC2253) >= 0)
		n = BIO_read(text, ret, (int)size - 1);
	ret[n > 0 ? n : 0] = '\0';
	BIO_free(text);
}
