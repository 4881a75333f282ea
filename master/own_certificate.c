/* SPDX-License-Identifier: Apache-2.0 */
#include "master/own_certificate.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/hex.h"
#include "base/log.h"

#define LIFE_SECONDS (20L * 365 * 24 * 3600)

static bool add_extension(X509 *x, int nid, const char *value)
{
	X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, nid, value);
	bool is_good = e != NULL && X509_add_ext(x, e, -1) == 1;

	X509_EXTENSION_free(e);
	return is_good;
}

static bool fill(X509 *x, EVP_PKEY *key)
{
	X509_NAME *name = X509_get_subject_name(x);
	const unsigned char *cn = (const unsigned char *)"localhost";
	uint64_t serial = 0;

	random_bytes(&serial, sizeof(serial));
	return X509_set_version(x, X509_VERSION_3) == 1 &&
	       ASN1_INTEGER_set_uint64(X509_get_serialNumber(x), serial >> 1) == 1 &&
	       X509_gmtime_adj(X509_getm_notBefore(x), -24L * 3600) != NULL &&
	       X509_gmtime_adj(X509_getm_notAfter(x), LIFE_SECONDS) != NULL &&
	       X509_NAME_add_entry_by_txt(name, "O", MBSTRING_ASC,
			       (const unsigned char *)PACKAGE_NAME, -1, -1, 0) == 1 &&
	       X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, cn, -1, -1, 0) == 1 &&
	       X509_set_issuer_name(x, name) == 1 && X509_set_pubkey(x, key) == 1 &&
	       add_extension(x, NID_subject_alt_name, "DNS:localhost,IP:127.0.0.1,IP:::1") &&
	       add_extension(x, NID_basic_constraints, "critical,CA:FALSE") &&
	       X509_sign(x, key, EVP_sha256()) != 0;
}

/* The file appears whole, or not at all. */
static int file_write(const char *path, mode_t mode, X509 *x, EVP_PKEY *key)
{
	sl_auto_mem char *fresh = NULL;
	FILE *f = NULL;
	int fd, is_good = 0;

	if (asprintf(&fresh, "%s.new", path) < 0)
		return -ENOMEM;
	unlink(fresh);
	fd = open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
	if (fd >= 0)
		f = fdopen(fd, "w");
	if (f != NULL)
		is_good = x != NULL ? PEM_write_X509(f, x)
				    : PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL);
	if (f == NULL)
		return -errno;
	if (fflush(f) != 0 || fsync(fd) != 0)
		is_good = 0;
	fclose(f);
	if (is_good != 1 || rename(fresh, path) != 0)
		return errno != 0 ? -errno : -EIO;
	return 0;
}

static int make(const char *cert_path, const char *key_path)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *x = X509_new();
	int r = -ENOMEM;

	errno = 0;
	if (key != NULL && x != NULL && fill(x, key))
		r = file_write(key_path, 0600, NULL, key);
	if (r == 0)
		r = file_write(cert_path, 0644, x, NULL);
	X509_free(x);
	EVP_PKEY_free(key);
	ERR_clear_error();
	return r;
}

int own_certificate_ensure(const struct conf *conf, struct why *why)
{
	sl_auto_mem char *dir = conf_path(conf, "ssl");
	sl_auto_mem char *cert = conf_path(conf, CONF_OWN_CERTIFICATE);
	sl_auto_mem char *key = conf_path(conf, CONF_OWN_KEY);
	int r;

	if (dir == NULL || cert == NULL || key == NULL)
		return why_errno(why, ENOMEM, "ssl");
	if (!conf_has_tls(conf) || conf->ssl_cert[0] != '\0')
		return 0;
	if (access(cert, F_OK) == 0 && access(key, F_OK) == 0)
		return 0;
	if (mkdir(dir, 0700) < 0 && errno != EEXIST)
		return why_errno(why, errno, "%s", dir);
	r = make(cert, key);
	if (r != 0)
		return why_errno(why, -r, "%s cannot be made", cert);
	log_notice("no ssl_cert is given: clients are shown a certificate that this node signed",
			"file=%s", cert);
	return 0;
}
