/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/snap_fixture.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "worker/certificates.h"
#include "worker/client_hello.h"

#define PEM_MAX 4096

static void put_sni(struct snap_txn *t, const char *name, const char *certificate)
{
	Sluice__Record__Sni s = SLUICE__RECORD__SNI__INIT;

	s.id = s.name = (char *)(uintptr_t)name;
	s.certificate_id = (char *)(uintptr_t)certificate;
	assert_int_equal(put_message(t, SLUICE__RECORD__KIND__SNI, name, 1, &s.base), 0);
}

static void put_certificate(struct snap_txn *t, const char *cert, const char *key)
{
	Sluice__Record__Certificate c = SLUICE__RECORD__CERTIFICATE__INIT;

	c.id = (char *)(uintptr_t) "c";
	c.cert = (char *)(uintptr_t)cert;
	c.key = (char *)(uintptr_t)key;
	assert_int_equal(put_message(t, SLUICE__RECORD__KIND__CERTIFICATE, "c", 1, &c.base), 0);
}

static void pem_of(BIO *bio, char ret[PEM_MAX])
{
	int n = BIO_read(bio, ret, PEM_MAX - 1);

	assert_true(n > 0);
	ret[n] = '\0';
	BIO_free(bio);
}

static void pair_make(char cert[PEM_MAX], char key[PEM_MAX])
{
	EVP_PKEY *k = EVP_EC_gen("P-256");
	X509 *x = X509_new();
	BIO *bio = BIO_new(BIO_s_mem());

	X509_gmtime_adj(X509_getm_notBefore(x), 0);
	X509_gmtime_adj(X509_getm_notAfter(x), 3600);
	X509_set_pubkey(x, k);
	assert_true(X509_sign(x, k, EVP_sha256()) > 0);
	PEM_write_bio_X509(bio, x);
	pem_of(bio, cert);
	bio = BIO_new(BIO_s_mem());
	PEM_write_bio_PrivateKey(bio, k, NULL, NULL, 0, NULL, NULL);
	pem_of(bio, key);
	X509_free(x);
	EVP_PKEY_free(k);
}

static void the_name_itself_comes_first_then_its_wildcards_then_the_star(void **state)
{
	static const struct {
		const char *sni, *chosen;
	} rows[] = {
			{"a.one.test", "exact"},
			{"b.one.test", "left"},
			{"one.test", "star"},
			{"x.b.one.test", "star"},
			{"left.both.test", "left-both"},
			{"left.both", "right-both"},
			{"a.b.c.org", "right-deep"},
			{"a.b.org", "star"},
			{"localhost", "star"},
			{"", "star"},
	};
	struct snapshot_writer *w = open_writer(*state);
	struct snap_txn *t = begin(w);
	char id[CERTIFICATE_ID_MAX];
	struct snap_view *v;

	put_sni(t, "a.one.test", "exact");
	put_sni(t, "*.one.test", "left");
	put_sni(t, "*.both.test", "left-both");
	put_sni(t, "left.both.*", "right-both");
	put_sni(t, "left.*", "right-both");
	put_sni(t, "a.b.c.*", "right-deep");
	put_sni(t, "*", "star");
	commit(t, 1);
	v = view_of(w);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_true(certificate_choose(v, str_of(rows[i].sni), id));
		assert_string_equal(id, rows[i].chosen);
	}
	snap_view_unref(v);
	snapshot_writer_free(w);
}

static void without_a_match_there_is_none(void **state)
{
	struct snapshot_writer *w = open_writer(*state);
	struct snap_txn *t = begin(w);
	char id[CERTIFICATE_ID_MAX];
	struct snap_view *v;

	put_sni(t, "a.test", "a");
	commit(t, 1);
	v = view_of(w);
	assert_false(certificate_choose(v, STR("b.test"), id));
	assert_false(certificate_choose(v, STR(""), id));
	assert_false(certificate_choose(v, STR("."), id));
	assert_false(certificate_choose(v, STR("..a.test"), id));
	snap_view_unref(v);
	snapshot_writer_free(w);
}

static struct certificate *for_a(struct certificates *c, struct snapshot_writer *w)
{
	struct snap_view *v = view_of(w);
	struct certificate *found = certificates_for(c, v, STR("a.test"));

	snap_view_unref(v);
	return found;
}

static void what_is_parsed_is_kept_until_its_record_changes(void **state)
{
	struct snapshot_writer *w = open_writer(*state);
	struct snap_txn *t = begin(w);
	struct certificate *first, *again;
	char cert[2][PEM_MAX], key[2][PEM_MAX];
	struct certificates *c = NULL;

	assert_int_equal(certificates_new(&c), 0);
	pair_make(cert[0], key[0]);
	pair_make(cert[1], key[1]);
	put_sni(t, "a.test", "c");
	put_certificate(t, cert[0], key[0]);
	commit(t, 1);
	first = for_a(c, w);
	assert_non_null(first);
	t = begin(w);
	put_sni(t, "other.test", "c");
	commit(t, 2);
	again = for_a(c, w);
	assert_ptr_equal(again, first);
	certificate_unref(again);
	t = begin(w);
	put_certificate(t, cert[1], key[1]);
	commit(t, 3);
	again = for_a(c, w);
	assert_ptr_not_equal(again, first);
	assert_int_not_equal(X509_cmp(again->pairs[0].cert, first->pairs[0].cert), 0);
	certificate_unref(again);
	certificate_unref(first);
	certificates_free(c);
	snapshot_writer_free(w);
}

static void a_certificate_that_cannot_be_used_leaves_the_default(void **state)
{
	struct snapshot_writer *w = open_writer(*state);
	struct snap_txn *t = begin(w);
	char cert[2][PEM_MAX], key[2][PEM_MAX];
	struct certificates *c = NULL;

	assert_int_equal(certificates_new(&c), 0);
	pair_make(cert[0], key[0]);
	pair_make(cert[1], key[1]);
	put_sni(t, "a.test", "c");
	put_certificate(t, cert[0], key[1]);
	commit(t, 1);
	assert_null(for_a(c, w));
	t = begin(w);
	put_certificate(t, "{vault://env/cert}", "x");
	commit(t, 2);
	assert_null(for_a(c, w));
	certificates_free(c);
	snapshot_writer_free(w);
}

static void a_server_name_is_read_lower_case_and_without_its_final_dot(void **state)
{
	static const struct {
		struct str extension;
		int n;
		const char *name;
	} rows[] = {
			{{"\0\x09\0\0\x06"
			  "A.Test",
					 11},
					6, "a.test"},
			{{"\0\x0a\0\0\x07"
			  "a.test.",
					 12},
					6, "a.test"},
			{{"\0\x09\0\0\x06"
			  "a test",
					 11},
					0, ""},
			{{"\0\x09\0\0\x06"
			  "a\0test",
					 11},
					0, ""},
			{{"\0\x04\0\0\x01.", 6}, 0, ""},
			{{"\0\x03\0\0\0", 5}, 0, ""},
			{{"\0\x09\1\0\x06"
			  "a.test",
					 11},
					-1, ""},
			{{"\0\x09\0\0\x07"
			  "a.test",
					 11},
					-1, ""},
			{{"\0\x0a\0\0\x06"
			  "a.test",
					 11},
					-1, ""},
			{{"\0\x09\0\0\x05"
			  "a.test",
					 11},
					-1, ""},
			{{"\0", 1}, -1, ""},
			{{"", 0}, -1, ""},
	};
	char name[SNI_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int n = client_hello_sni(rows[i].extension, name);

		assert_int_equal(n, rows[i].n);
		if (n > 0)
			assert_memory_equal(name, rows[i].name, (size_t)n);
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_new, fixture_free)
	const struct CMUnitTest tests[] = {
			TEST(the_name_itself_comes_first_then_its_wildcards_then_the_star),
			TEST(without_a_match_there_is_none),
			TEST(what_is_parsed_is_kept_until_its_record_changes),
			TEST(a_certificate_that_cannot_be_used_leaves_the_default),
			cmocka_unit_test(
					a_server_name_is_read_lower_case_and_without_its_final_dot),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
