/* SPDX-License-Identifier: Apache-2.0 */
#include "master/default_certificates.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>

#include "plugin/certificate_pair.h"

/* As a worker will use it: OpenSSL refuses what is too weak, too. */
static int check_pair(SSL_CTX *context, const char *cert, const char *key, struct why *why)
{
	struct certificate_pair pair;
	int r = certificate_pair_load(&pair, cert, key, why);

	if (r == 0 && SSL_CTX_use_cert_and_key(context, pair.cert, pair.key, pair.chain, 1) != 1) {
		why_set(why, NULL, 0, "%s with %s: %s", cert, key,
				ERR_reason_error_string(ERR_peek_last_error()));
		r = -EINVAL;
	}
	certificate_pair_done(&pair);
	ERR_clear_error();
	return r;
}

int default_certificates_check(const struct conf *conf, struct why *why)
{
	const char *certs = conf->ssl_cert, *keys = conf->ssl_cert_key;
	char cert_path[4096], key_path[4096];
	SSL_CTX *context;
	struct str cert, key;
	int r = 0;

	if (!conf_has_tls(conf) || certs[0] == '\0')
		return 0;
	context = SSL_CTX_new(TLS_server_method());
	if (context == NULL)
		return why_errno(why, ENOMEM, "ssl_cert");
	while (r == 0 && conf_list_next(&certs, &cert) && conf_list_next(&keys, &key)) {
		snprintf(cert_path, sizeof(cert_path), "%.*s", STR_ARG(cert));
		snprintf(key_path, sizeof(key_path), "%.*s", STR_ARG(key));
		r = check_pair(context, cert_path, key_path, why);
	}
	SSL_CTX_free(context);
	return r;
}
