/* SPDX-License-Identifier: Apache-2.0
 *
 * What plugins bring to OpenSSL: the first byte chooses certificate, request, revocation list,
 * name, alternative names, access, points, key, PKCS#12; the rest is PEM or DER.  Whatever is read
 * says what it is, and reads as the same again.
 */
#include "base/check.h"
#include "plugin/module_facts.h"
#include "plugin/module_key.h"
#include "plugin/module_x509.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void certificate(struct str s)
{
	x509_describe(X509_CERTIFICATE, s);
}

static void request(struct str s)
{
	x509_describe(X509_REQUEST, s);
}

static void list(struct str s)
{
	x509_describe(X509_LIST, s);
}

static void pkcs12(struct str s)
{
	pkcs12_describe(s, STR("secret"));
}

/* A key that is read can be written, and is then the same kind of key. */
static void key(struct str s)
{
	static unsigned char der[KEY_DER_MAX];
	bool is_private, is_private_too;
	EVP_PKEY *one = key_read(s, STR("secret"), &is_private);
	EVP_PKEY *two = NULL;
	size_t n = one != NULL ? key_write(one, is_private, der) : 0;

	if (n > 0)
		two = key_get((struct str){(char *)der, n}, &is_private_too);
	if (two != NULL)
		sl_assert(is_private_too == is_private &&
				EVP_PKEY_get_base_id(one) == EVP_PKEY_get_base_id(two));
	EVP_PKEY_free(one);
	EVP_PKEY_free(two);
}

static void (*const readers[])(struct str) = {
		certificate,
		request,
		list,
		x509_describe_name,
		x509_describe_altname,
		x509_describe_access,
		x509_describe_points,
		key,
		pkcs12,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	if (n == 0)
		return 0;
	facts_begin();
	readers[data[0] % (sizeof(readers) / sizeof(readers[0]))](
			(struct str){(const char *)data + 1, n - 1});
	return 0;
}
