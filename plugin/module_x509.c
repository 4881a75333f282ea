/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/module_x509.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <string.h>

#include "plugin/module_facts.h"
#include "plugin/module_key.h"

#define PEM_BLOCKS_MAX 8
#define EXTENSION_TEXT_MAX 16384
#define OID_TEXT_MAX 128

/* Which PEM blocks are of a kind. */
static bool is_kind(enum x509_kind kind, const char *name)
{
	static const char *const names[X509_KINDS][3] = {
			{PEM_STRING_X509, PEM_STRING_X509_OLD, PEM_STRING_X509_TRUSTED},
			{PEM_STRING_X509_REQ, PEM_STRING_X509_REQ_OLD, ""},
			{PEM_STRING_X509_CRL, "", ""},
	};

	for (int i = 0; i < 3; i++)
		if (strcmp(names[kind][i], name) == 0)
			return true;
	return false;
}

static unsigned char *unwrap_pem(enum x509_kind kind, struct str text, size_t *ret_n)
{
	BIO *in = BIO_new_mem_buf(text.p, (int)text.n);
	unsigned char *data = NULL, *found = NULL;
	char *name = NULL, *header = NULL;
	long n = 0;

	for (int i = 0; in != NULL && found == NULL && i < PEM_BLOCKS_MAX; i++) {
		if (PEM_read_bio(in, &name, &header, &data, &n) != 1)
			break;
		if (is_kind(kind, name))
			found = data;
		else
			OPENSSL_free(data);
		OPENSSL_free(name);
		OPENSSL_free(header);
	}
	BIO_free(in);
	*ret_n = found != NULL ? (size_t)n : 0;
	return found;
}

unsigned char *x509_unwrap(enum x509_kind kind, struct str text, size_t *ret_n)
{
	unsigned char *copy;

	*ret_n = 0;
	if (text.n == 0 || text.n > X509_TEXT_MAX)
		return NULL;
	if (text.p[0] != V_ASN1_SEQUENCE + 0x20)
		return unwrap_pem(kind, text, ret_n);
	copy = OPENSSL_memdup(text.p, text.n);
	*ret_n = copy != NULL ? text.n : 0;
	return copy;
}

#define DEFINE_READER(name, type, kind, parse) \
	type *name(struct str text) \
	{ \
		size_t n; \
		unsigned char *der = x509_unwrap(kind, text, &n); \
		const unsigned char *p = der; \
		type *x = der != NULL ? parse(NULL, &p, (long)n) : NULL; \
\
		OPENSSL_free(der); \
		ERR_clear_error(); \
		return x; \
	}

DEFINE_READER(x509_read_certificate, X509, X509_CERTIFICATE, d2i_X509)
DEFINE_READER(x509_read_request, X509_REQ, X509_REQUEST, d2i_X509_REQ)
DEFINE_READER(x509_read_list, X509_CRL, X509_LIST, d2i_X509_CRL)

/* A DER that OpenSSL allocated (*der), of n bytes or less than 1. */
static void note_der(const char *key, unsigned char *der, int n)
{
	if (n > 0)
		facts_bytes(key, der, (size_t)n);
	else
		facts_fail();
	OPENSSL_free(der);
}

static void note_name(const char *key, const X509_NAME *name)
{
	unsigned char *der = NULL;
	int n = name != NULL ? i2d_X509_NAME(name, &der) : 0;

	note_der(key, der, n);
}

static void note_serial(const char *key, const ASN1_INTEGER *serial)
{
	BIGNUM *n = serial != NULL ? ASN1_INTEGER_to_BN(serial, NULL) : NULL;
	char *text = n != NULL ? BN_bn2hex(n) : NULL;

	facts_text(key, text);
	OPENSSL_free(text);
	BN_free(n);
}

/* Seconds since 1970; left out when it is no time. */
static void note_time(const char *key, const ASN1_TIME *t)
{
	struct tm tm;

	if (t != NULL && ASN1_TIME_to_tm(t, &tm) == 1)
		facts_integer(key, (int64_t)timegm(&tm));
}

void x509_note_object(const ASN1_OBJECT *object)
{
	int nid = OBJ_obj2nid(object);
	char oid[OID_TEXT_MAX];

	if (OBJ_obj2txt(oid, sizeof(oid), object, 1) > 0)
		facts_text("id", oid);
	facts_integer("nid", nid);
	facts_text("sn", nid != NID_undef ? OBJ_nid2sn(nid) : oid);
	facts_text("ln", nid != NID_undef ? OBJ_nid2ln(nid) : oid);
}

/* As "openssl x509 -text" prints it. */
static void note_extension_text(X509_EXTENSION *e)
{
	BIO *out = BIO_new(BIO_s_mem());
	char *text = NULL;
	long n = 0;

	if (out != NULL && X509V3_EXT_print(out, e, X509V3_EXT_DUMP_UNKNOWN, 0) == 1)
		n = BIO_get_mem_data(out, &text);
	if (n > 0 && n <= EXTENSION_TEXT_MAX)
		facts_bytes("text", text, (size_t)n);
	BIO_free(out);
}

void x509_note_extensions(const STACK_OF(X509_EXTENSION) * all)
{
	int n = all != NULL ? sk_X509_EXTENSION_num(all) : 0;

	facts_open("extensions");
	if (n > X509_EXTENSIONS_MAX)
		facts_fail();
	for (int i = 0; i < n && !facts_is_failed(); i++) {
		X509_EXTENSION *e = sk_X509_EXTENSION_value(all, i);
		const ASN1_OCTET_STRING *data = X509_EXTENSION_get_data(e);

		facts_open(NULL);
		x509_note_object(X509_EXTENSION_get_object(e));
		facts_boolean("critical", X509_EXTENSION_get_critical(e) == 1);
		facts_bytes("data", ASN1_STRING_get0_data(data), (size_t)ASN1_STRING_length(data));
		note_extension_text(e);
		facts_close();
	}
	facts_close();
}

static void note_signature(int nid)
{
	int digest = NID_undef;

	facts_integer("signature_nid", nid);
	facts_text("signature_name", OBJ_nid2sn(nid));
	if (OBJ_find_sigid_algs(nid, &digest, NULL) == 1 && digest != NID_undef)
		facts_text("signature_digest", OBJ_nid2sn(digest));
}

static void note_key(X509_PUBKEY *key)
{
	unsigned char *der = NULL;
	const unsigned char *bits = NULL;
	int n_bits = 0, n = key != NULL ? i2d_X509_PUBKEY(key, &der) : 0;

	note_der("pubkey", der, n);
	if (key != NULL && X509_PUBKEY_get0_param(NULL, &bits, &n_bits, NULL, key) == 1)
		facts_bytes("pubkey_bits", bits, (size_t)n_bits);
}

static void describe_certificate(X509 *x)
{
	unsigned char *der = NULL;
	int n = i2d_X509(x, &der);

	note_der("der", der, n);
	facts_integer("version", X509_get_version(x) + 1);
	note_serial("serial", X509_get0_serialNumber(x));
	note_name("subject", X509_get_subject_name(x));
	note_name("issuer", X509_get_issuer_name(x));
	note_time("not_before", X509_get0_notBefore(x));
	note_time("not_after", X509_get0_notAfter(x));
	note_key(X509_get_X509_PUBKEY(x));
	note_signature(X509_get_signature_nid(x));
	x509_note_extensions(X509_get0_extensions(x));
}

static void describe_request(X509_REQ *x)
{
	unsigned char *der = NULL;
	int n = i2d_X509_REQ(x, &der);
	STACK_OF(X509_EXTENSION) *extensions = X509_REQ_get_extensions(x);

	note_der("der", der, n);
	facts_integer("version", X509_REQ_get_version(x) + 1);
	note_name("subject", X509_REQ_get_subject_name(x));
	note_key(X509_REQ_get_X509_PUBKEY(x));
	note_signature(X509_REQ_get_signature_nid(x));
	x509_note_extensions(extensions);
	sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
}

static void note_revoked(X509_REVOKED *r)
{
	ASN1_ENUMERATED *reason = X509_REVOKED_get_ext_d2i(r, NID_crl_reason, NULL, NULL);

	facts_open(NULL);
	note_serial("serial", X509_REVOKED_get0_serialNumber(r));
	note_time("time", X509_REVOKED_get0_revocationDate(r));
	if (reason != NULL)
		facts_integer("reason", ASN1_ENUMERATED_get(reason));
	ASN1_ENUMERATED_free(reason);
	facts_close();
}

static void describe_list(X509_CRL *x)
{
	STACK_OF(X509_REVOKED) *all = X509_CRL_get_REVOKED(x);
	int n_all = all != NULL ? sk_X509_REVOKED_num(all) : 0;
	unsigned char *der = NULL;
	int n = i2d_X509_CRL(x, &der);

	note_der("der", der, n);
	facts_integer("version", X509_CRL_get_version(x) + 1);
	note_name("issuer", X509_CRL_get_issuer(x));
	note_time("last_update", X509_CRL_get0_lastUpdate(x));
	note_time("next_update", X509_CRL_get0_nextUpdate(x));
	note_signature(X509_CRL_get_signature_nid(x));
	x509_note_extensions(X509_CRL_get0_extensions(x));
	if (n_all > X509_REVOKED_MAX)
		facts_fail();
	facts_open("revoked");
	for (int i = 0; i < n_all && !facts_is_failed(); i++)
		note_revoked(sk_X509_REVOKED_value(all, i));
	facts_close();
}

void x509_describe(enum x509_kind kind, struct str text)
{
	X509 *certificate = kind == X509_CERTIFICATE ? x509_read_certificate(text) : NULL;
	X509_REQ *request = kind == X509_REQUEST ? x509_read_request(text) : NULL;
	X509_CRL *list = kind == X509_LIST ? x509_read_list(text) : NULL;

	facts_begin();
	if (certificate != NULL)
		describe_certificate(certificate);
	else if (request != NULL)
		describe_request(request);
	else if (list != NULL)
		describe_list(list);
	else
		facts_fail();
	X509_free(certificate);
	X509_REQ_free(request);
	X509_CRL_free(list);
	ERR_clear_error();
}

static void note_entry(const X509_NAME_ENTRY *e)
{
	unsigned char *text = NULL;
	int n = ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(e));

	facts_open(NULL);
	x509_note_object(X509_NAME_ENTRY_get_object(e));
	if (n >= 0)
		facts_bytes("blob", text, (size_t)n);
	OPENSSL_free(text);
	facts_close();
}

void x509_describe_name(struct str der)
{
	const unsigned char *p = (const unsigned char *)der.p;
	X509_NAME *name = der.n <= X509_TEXT_MAX ? d2i_X509_NAME(NULL, &p, (long)der.n) : NULL;
	int n = name != NULL ? X509_NAME_entry_count(name) : 0;

	facts_begin();
	if (name == NULL)
		facts_fail();
	for (int i = 0; i < n && !facts_is_failed(); i++)
		note_entry(X509_NAME_get_entry(name, i));
	X509_NAME_free(name);
	ERR_clear_error();
}

void x509_note_general_name(GENERAL_NAME *name)
{
	static const char *const kinds[] = {
			[GEN_EMAIL] = "RFC822Name",
			[GEN_DNS] = "DNS",
			[GEN_URI] = "URI",
			[GEN_IPADD] = "IP",
	};
	int kind = 0;
	const ASN1_STRING *value = GENERAL_NAME_get0_value(name, &kind);

	facts_open(NULL);
	if (kind == GEN_DIRNAME) {
		facts_text("kind", "DirName");
		note_name("value", (const X509_NAME *)(const void *)value);
	} else if (kind == GEN_RID) {
		facts_text("kind", "RID");
		x509_note_object((const ASN1_OBJECT *)(const void *)value);
	} else if ((size_t)kind < sizeof(kinds) / sizeof(*kinds) && kinds[kind] != NULL) {
		facts_text("kind", kinds[kind]);
		facts_bytes("value", ASN1_STRING_get0_data(value),
				(size_t)ASN1_STRING_length(value));
	} else {
		facts_text("kind", "OtherName");
	}
	facts_close();
}

void x509_describe_altname(struct str der)
{
	const unsigned char *p = (const unsigned char *)der.p;
	GENERAL_NAMES *all =
			der.n <= X509_TEXT_MAX ? d2i_GENERAL_NAMES(NULL, &p, (long)der.n) : NULL;
	int n = all != NULL ? sk_GENERAL_NAME_num(all) : 0;

	facts_begin();
	if (all == NULL)
		facts_fail();
	for (int i = 0; i < n && !facts_is_failed(); i++)
		x509_note_general_name(sk_GENERAL_NAME_value(all, i));
	GENERAL_NAMES_free(all);
	ERR_clear_error();
}
