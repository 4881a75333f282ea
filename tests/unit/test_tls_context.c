/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdio.h>

#include "worker/tls_context.h"

#define PEM_MAX 4096

static char cert_text[2][PEM_MAX], key_text[2][PEM_MAX];

static void text_of(BIO *bio, char *ret)
{
	int n = BIO_read(bio, ret, PEM_MAX - 1);

	assert_true(n > 0);
	ret[n] = '\0';
	BIO_free(bio);
}

/* A self-signed certificate and its key. */
static void pair_make(unsigned which)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *x = X509_new();
	BIO *bio;

	assert_non_null(key);
	ASN1_INTEGER_set(X509_get_serialNumber(x), which + 1);
	X509_gmtime_adj(X509_getm_notBefore(x), 0);
	X509_gmtime_adj(X509_getm_notAfter(x), 3600);
	X509_set_pubkey(x, key);
	assert_true(X509_sign(x, key, EVP_sha256()) > 0);
	bio = BIO_new(BIO_s_mem());
	PEM_write_bio_X509(bio, x);
	text_of(bio, cert_text[which]);
	bio = BIO_new(BIO_s_mem());
	PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL);
	text_of(bio, key_text[which]);
	X509_free(x);
	EVP_PKEY_free(key);
}

static int on_session(SSL *ssl, SSL_SESSION *session)
{
	(void)ssl;
	(void)session;
	return 0;
}

static SSL_CTX *base;
static struct tls_contexts *contexts;

static int set_up(void **state)
{
	(void)state;
	pair_make(0);
	pair_make(1);
	base = tls_context_new();
	SSL_CTX_sess_set_new_cb(base, on_session);
	return tls_contexts_new(&contexts, base);
}

static int tear_down(void **state)
{
	(void)state;
	tls_contexts_free(contexts);
	SSL_CTX_free(base);
	return 0;
}

static int get(const struct exchange_tls *wanted, SSL_CTX **ret, struct why *why)
{
	uint8_t id[TLS_CONTEXT_ID_BYTES];

	assert_int_equal(tls_context_id(id, wanted), 0);
	return tls_contexts_get(contexts, id, wanted, ret, why);
}

static struct exchange_tls pair_of(unsigned cert, unsigned key)
{
	return (struct exchange_tls){
			.cert_pem = str_of(cert_text[cert]), .key_pem = str_of(key_text[key])};
}

static void what_belongs_together_has_one_context(void **state)
{
	struct exchange_tls a = pair_of(0, 0), b = pair_of(1, 1), with_store = a;
	SSL_CTX *first, *second, *other, *third;
	struct why why;

	(void)state;
	with_store.ca_pem = str_of(cert_text[1]);
	assert_int_equal(get(&a, &first, &why), 0);
	assert_int_equal(get(&b, &other, &why), 0);
	assert_int_equal(get(&with_store, &third, &why), 0);
	assert_int_equal(get(&a, &second, &why), 0);
	assert_ptr_equal(first, second);
	assert_ptr_not_equal(first, other);
	assert_ptr_not_equal(first, third);
	assert_int_equal(tls_contexts_count(contexts), 3);
}

static void the_authorities_are_the_bases_unless_a_plugin_brings_some(void **state)
{
	struct exchange_tls a = pair_of(0, 0), own = {.ca_pem = str_of(cert_text[0])};
	struct why why;
	SSL_CTX *c;

	(void)state;
	assert_int_equal(get(&a, &c, &why), 0);
	assert_ptr_equal(SSL_CTX_get_cert_store(c), SSL_CTX_get_cert_store(base));
	assert_true(SSL_CTX_sess_get_new_cb(c) == on_session);
	assert_int_equal(get(&own, &c, &why), 0);
	assert_ptr_not_equal(SSL_CTX_get_cert_store(c), SSL_CTX_get_cert_store(base));
}

static void bytes_that_move_from_one_text_to_the_next_are_another_id(void **state)
{
	const struct exchange_tls wanted[] = {
			{.cert_pem = STR("ab"), .key_pem = STR("c")},
			{.cert_pem = STR("a"), .key_pem = STR("bc")},
			{.cert_pem = STR("ab"), .ca_pem = STR("c")},
			{.ca_pem = STR("abc")},
	};
	uint8_t id[4][TLS_CONTEXT_ID_BYTES];

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		assert_true(tls_context_is_own(&wanted[i]));
		assert_int_equal(tls_context_id(id[i], &wanted[i]), 0);
		for (unsigned j = 0; j < i; j++)
			assert_memory_not_equal(id[i], id[j], TLS_CONTEXT_ID_BYTES);
	}
	assert_false(tls_context_is_own(&(struct exchange_tls){.verify = EXCHANGE_TLS_VERIFY}));
}

static void refused(struct exchange_tls wanted, const char *words)
{
	struct why why = WHY_NONE;
	SSL_CTX *c = base;

	assert_int_equal(get(&wanted, &c, &why), -EINVAL);
	assert_null(c);
	assert_non_null(strstr(why.text, words));
	assert_int_equal(tls_contexts_count(contexts), 0);
}

static void text_that_cannot_be_used_is_refused_with_its_place(void **state)
{
	static const char locked[] = "-----BEGIN ENCRYPTED PRIVATE KEY-----\n"
				     "MIGjMF8GCSqGSIb3DQ==\n-----END ENCRYPTED PRIVATE KEY-----\n";
	static char big[TLS_CONTEXT_PEM_MAX + 1];
	struct exchange_tls wanted = pair_of(0, 0);
	char broken[PEM_MAX + 64];

	(void)state;
	refused(pair_of(0, 1), "client key 1 of a plugin: key values mismatch");
	refused((struct exchange_tls){.cert_pem = STR("x")}, "client certificate 1 of a plugin");
	refused((struct exchange_tls){.cert_pem = wanted.cert_pem}, "client key 1 of a plugin");
	refused((struct exchange_tls){.ca_pem = STR("\0")}, "trusted certificate 1 of a plugin");
	refused((struct exchange_tls){.ca_pem = {big, sizeof(big)}}, "more than 1048576 bytes");
	snprintf(broken, sizeof(broken), "%s-----BEGIN CERTIFICATE-----\nA\n", cert_text[0]);
	wanted.cert_pem = str_of(broken);
	refused(wanted, "client certificate 2 of a plugin");
	wanted = pair_of(0, 0);
	wanted.key_pem = str_of(locked);
	refused(wanted, "client key 1 of a plugin");
}

static void the_least_used_one_makes_room(void **state)
{
	char text[PEM_MAX + TLS_CONTEXTS + 8];
	struct exchange_tls kept = pair_of(1, 1), wanted = pair_of(0, 0);
	SSL_CTX *first, *again;
	struct why why;

	(void)state;
	assert_int_equal(get(&kept, &first, &why), 0);
	for (unsigned i = 0; i < TLS_CONTEXTS + 5; i++) {
		snprintf(text, sizeof(text), "%s%*s", cert_text[0], (int)i, "");
		wanted.cert_pem = str_of(text);
		assert_int_equal(get(&wanted, &again, &why), 0);
		assert_int_equal(get(&kept, &again, &why), 0);
		assert_ptr_equal(first, again);
	}
	assert_int_equal(tls_contexts_count(contexts), TLS_CONTEXTS);
}

static void their_text_together_is_bounded_too(void **state)
{
	static char text[TLS_CONTEXT_PEM_MAX - PEM_MAX];
	struct exchange_tls wanted = pair_of(0, 0);
	struct why why;
	SSL_CTX *c;

	(void)state;
	for (unsigned i = 0; i < 20; i++) {
		int n = snprintf(text, sizeof(text), "%s%u", cert_text[0], i);

		memset(text + n, '\n', sizeof(text) - (size_t)n);
		wanted.cert_pem = (struct str){text, sizeof(text)};
		assert_int_equal(get(&wanted, &c, &why), 0);
	}
	assert_in_range(tls_contexts_count(contexts), 7, 8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
			CASE(what_belongs_together_has_one_context),
			CASE(the_authorities_are_the_bases_unless_a_plugin_brings_some),
			CASE(bytes_that_move_from_one_text_to_the_next_are_another_id),
			CASE(text_that_cannot_be_used_is_refused_with_its_place),
			CASE(the_least_used_one_makes_room),
			CASE(their_text_together_is_bounded_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
