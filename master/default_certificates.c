/* SPDX-License-Identifier: Apache-2.0 */
#include "master/default_certificates.h"

#include <errno.h>
#include <openssl/ssl.h>
#include <stdio.h>

#include "plugin/certificate_pair.h"

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
		r = certificate_pair_use(context, cert_path, key_path, why);
	}
	SSL_CTX_free(context);
	return r;
}
