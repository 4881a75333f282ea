/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

#include "plugin/dns_message.h"

/* A question for a.test and a response to it, to be filled. */
struct bed {
	unsigned char question[DNS_QUESTION_MAX];
	size_t n_question;
	unsigned char message[70000];
	size_t n;
};

static struct str question_of(const struct bed *b)
{
	return (struct str){(const char *)b->question, b->n_question};
}

static struct str message_of(const struct bed *b)
{
	return (struct str){(const char *)b->message, b->n};
}

static void put(struct bed *b, const char *p, size_t n)
{
	memcpy(b->message + b->n, p, n);
	b->n += n;
}
#define PUT(b, literal) put(b, literal, sizeof(literal) - 1)

/* flags, and how many records the sections say they have. */
static void answer(struct bed *b, unsigned flags, unsigned n_answers)
{
	struct why why = WHY_NONE;
	int n = dns_question_write(b->question, 0xabcd, STR("a.test"), DNS_TYPE_A, true, &why);

	assert_int_equal(n, 12 + 8 + 4);
	b->n_question = (size_t)n;
	b->n = 0;
	put(b, (char *)b->question, b->n_question);
	b->message[2] = (unsigned char)(flags >> 8);
	b->message[3] = (unsigned char)flags;
	b->message[6] = (unsigned char)(n_answers >> 8);
	b->message[7] = (unsigned char)n_answers;
}

static enum dns_verdict start(struct dns_reader *r, const struct bed *b, struct why *why)
{
	*why = WHY_NONE;
	return dns_reader_start(r, message_of(b), question_of(b), why);
}

/* The first record's verdict. */
static int first(const struct bed *b, struct dns_record *ret, struct why *why)
{
	struct dns_reader r;

	assert_int_equal(start(&r, b, why), DNS_OK);
	return dns_record_next(&r, ret, why);
}

static void names_become_questions_or_are_refused(void **state)
{
	static const char *const good[] = {"a", "a.test.", ".", "_sip._tcp.x", "a\\.b.c", "\\255"};
	static const char *const bad[] = {"", ".a", "a..b", "..", "a\\", "\\256", "\\25", "\\2x5",
			"a2345678901234567890123456789012345678901234567890123456789012345.b"};
	unsigned char out[DNS_QUESTION_MAX];
	struct why why;
	char longest[300];

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_true(dns_question_write(out, 1, str_of(good[i]), 1, true, &why) > 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(
				dns_question_write(out, 1, str_of(bad[i]), 1, true, &why), -EINVAL);
		assert_string_equal(why.text, "bad name");
	}
	for (size_t i = 0; i < sizeof(longest); i++)
		longest[i] = i % 2 == 0 ? 'a' : '.';
	assert_int_equal(dns_question_write(out, 1, (struct str){longest, 254}, 1, true, &why),
			12 + 255 + 4);
	assert_int_equal(dns_question_write(out, 1, (struct str){longest, 255}, 1, true, &why),
			-EINVAL);
}

static void an_answer_to_another_question_is_foreign(void **state)
{
	struct dns_reader r;
	struct why why;
	struct bed b;

	(void)state;
	answer(&b, 0x8180, 0);
	assert_int_equal(start(&r, &b, &why), DNS_OK);
	b.message[13] = 'A'; /* case is no difference */
	assert_int_equal(start(&r, &b, &why), DNS_OK);
	b.message[13] = 'b';
	assert_int_equal(start(&r, &b, &why), DNS_FOREIGN);
	answer(&b, 0x8180, 0);
	b.message[1] ^= 1;
	assert_int_equal(start(&r, &b, &why), DNS_FOREIGN);
	answer(&b, 0x8180, 0);
	b.message[21] = DNS_TYPE_AAAA;
	assert_int_equal(start(&r, &b, &why), DNS_FOREIGN);
	answer(&b, 0x8180, 0);
	b.message[23] = 3; /* class */
	assert_int_equal(start(&r, &b, &why), DNS_FOREIGN);
	answer(&b, 0x8180, 0);
	for (b.n = 0; b.n < b.n_question; b.n++)
		assert_int_equal(start(&r, &b, &why), DNS_FOREIGN);
}

static void heads_say_what_is_wrong(void **state)
{
	struct dns_reader r;
	struct why why;
	struct bed b;

	(void)state;
	answer(&b, 0x0180, 0);
	assert_int_equal(start(&r, &b, &why), DNS_BAD);
	assert_string_equal(why.text, "bad QR flag in the DNS response");
	answer(&b, 0x8380, 0);
	assert_int_equal(start(&r, &b, &why), DNS_TRUNCATED);
	answer(&b, 0x8180, 0);
	b.message[5] = 2;
	assert_int_equal(start(&r, &b, &why), DNS_BAD);
	assert_string_equal(why.text, "bad number of questions in DNS response: 2");
	answer(&b, 0x8183, 0);
	assert_int_equal(start(&r, &b, &why), DNS_OK);
	assert_int_equal(r.code, 3);
	assert_string_equal(dns_code_text(3), "name error");
	assert_string_equal(dns_code_text(9), "unknown");
	/* a format error without the question */
	answer(&b, 0x8181, 0);
	b.message[5] = 0;
	b.n = 12;
	assert_int_equal(start(&r, &b, &why), DNS_OK);
	assert_int_equal(r.code, 1);
}

static void a_record_has_name_type_ttl_and_data(void **state)
{
	struct dns_record record;
	struct dns_name_text name;
	struct dns_reader r;
	struct why why;
	struct bed b;
	size_t end;

	(void)state;
	answer(&b, 0x8180, 2);
	PUT(&b, "\xc0\x0c\0\x05\0\x01\0\0\x0e\x10\0\x06\x03www\xc0\x0c");
	PUT(&b, "\xc0\x24\0\x01\0\x01\xff\0\0\0\0\x04\x7f\0\0\x01");
	assert_int_equal(start(&r, &b, &why), DNS_OK);
	assert_int_equal(dns_record_next(&r, &record, &why), 1);
	assert_string_equal(record.name.text, "a.test");
	assert_int_equal(record.ttl, 3600);
	assert_int_equal(dns_record_name(&r, &record, 0, &name, &end), 0);
	assert_string_equal(name.text, "www.a.test");
	assert_int_equal(dns_record_next(&r, &record, &why), 1);
	assert_string_equal(record.name.text, "www.a.test");
	assert_int_equal(record.ttl, 0); /* more than 31 bits */
	assert_true(str_eq(record.data, STR("\x7f\0\0\x01")));
	assert_int_equal(dns_record_next(&r, &record, &why), 0);
}

/* Each: what stands where a record should begin. */
#define REFUSED(bytes, wanted) \
	do { \
		struct dns_record record; \
		struct why why; \
		struct bed b; \
\
		answer(&b, 0x8180, 1); \
		PUT(&b, bytes); \
		assert_int_equal(first(&b, &record, &why), -EINVAL); \
		assert_string_equal(why.text, wanted); \
	} while (0)

static void names_that_loop_or_leave_the_message_are_refused(void **state)
{
	(void)state;
	REFUSED("\xc0\x18", "bad name in the DNS response");         /* to itself */
	REFUSED("\xc0\x1a\xc0\x18", "bad name in the DNS response"); /* forwards */
	REFUSED("\x01"
		"a\xc0\x18",
			"bad name in the DNS response");     /* its own beginning */
	REFUSED("\xc0\x04", "bad name in the DNS response"); /* the header */
	REFUSED("\xff\xff", "bad name in the DNS response");
	REFUSED("\xc0", "bad name in the DNS response");
	REFUSED("\x40"
		"aa",
			"bad name in the DNS response");
	REFUSED("\x3f"
		"aa",
			"bad name in the DNS response");
	REFUSED("", "bad name in the DNS response");
	REFUSED("\x01"
		"a",
			"bad name in the DNS response");
}

static void records_that_do_not_hold_what_they_say_are_refused(void **state)
{
	(void)state;
	REFUSED("\0\0\x01\0\x01\0\0\0\0\0", "truncated");
	REFUSED("\0\0\x01\0\x01\0\0\0\0\0\x04\x01\x02\x03", "truncated");
	REFUSED("\0\0\x01\0\x01\0\0\0\0\xff\xff\x01", "truncated");
	REFUSED("\0\0\x01\0\x01\0\0\0\0\0\x03\x01\x02\x03", "bad A record value length: 3");
	REFUSED("\0\0\x1c\0\x01\0\0\0\0\0\x04\x01\x02\x03\x04", "bad AAAA record value length: 4");
	REFUSED("\0\0\x05\0\x01\0\0\0\0\0\x03\xc0\x0c\0", "bad CNAME record value length: 3");
	REFUSED("\0\0\x05\0\x01\0\0\0\0\0\x00", "bad CNAME record value length: 0");
	/* the name goes on behind the data */
	REFUSED("\0\0\x05\0\x01\0\0\0\0\0\x02\x01"
		"a\0",
			"bad CNAME record value length: 2");
	REFUSED("\0\0\x0f\0\x01\0\0\0\0\0\x02\0\x05", "bad MX record value length: 2");
	REFUSED("\0\0\x21\0\x01\0\0\0\0\0\x06\0\x05\0\x05\0\x05", "bad SRV record value length: 6");
	REFUSED("\0\0\x10\0\x01\0\0\0\0\0\x02\x02"
		"a",
			"bad TXT record value length: 2");
	REFUSED("\0\0\x10\0\x01\0\0\0\0\0\x00", "bad TXT record value length: 0");
	REFUSED("\0\0\x06\0\x01\0\0\0\0\0\x04\xc0\x0c\xc0\x0c", "bad SOA record value length: 4");
}

/* A chain of pointers as long as a message may be, used by every record. */
static void a_message_made_to_cost_time_is_bounded(void **state)
{
	struct dns_record record;
	struct dns_reader r;
	struct why why;
	struct bed b;
	size_t at;

	(void)state;
	answer(&b, 0x8180, 0xffff);
	PUT(&b, "\0\x27\x0f\0\x01\0\0\0\0\x3f\0"); /* 16,128 bytes of pointers */
	at = b.n - 11;
	for (unsigned i = 0; i < 0x3f00 / 2; i++) {
		char pointer[2] = {(char)(0xc0 | at >> 8), (char)at};

		at = b.n;
		put(&b, pointer, 2);
	}
	while (b.n + 16 < 65535) {
		PUT(&b, "\xff\x00\0\x01\0\x01\0\0\0\0\0\x04\x01\x02\x03\x04");
	}
	assert_int_equal(start(&r, &b, &why), DNS_OK);
	assert_int_equal(dns_record_next(&r, &record, &why), 1);
	assert_int_equal(dns_record_next(&r, &record, &why), -EINVAL);
	assert_string_equal(why.text, "bad name in the DNS response");
}

static void a_name_of_more_than_255_bytes_is_refused(void **state)
{
	struct dns_record record;
	struct dns_reader r;
	struct why why;
	struct bed b;

	(void)state;
	answer(&b, 0x8180, 2);
	for (int i = 0; i < 3; i++)
		PUT(&b, "\x3f"
			"012345678901234567890123456789012345678901234567890123456789012");
	PUT(&b, "\x3d"
		"0123456789012345678901234567890123456789012345678901234567890\0");
	PUT(&b, "\0\x63\0\x01\0\0\0\0\0\x02\x01"
		"x");
	PUT(&b, "\x01"
		"y\xc0\x18\0\x63\0\x01\0\0\0\0\0\x02\x01"
		"x");
	assert_int_equal(start(&r, &b, &why), DNS_OK);
	assert_int_equal(dns_record_next(&r, &record, &why), 1);
	assert_int_equal(record.name.n, 253);
	assert_int_equal(dns_record_next(&r, &record, &why), -EINVAL);
}

static void no_two_names_read_the_same(void **state)
{
	struct dns_record record;
	struct why why;
	struct bed b;

	(void)state;
	answer(&b, 0x8180, 1);
	PUT(&b, "\x05"
		"a.b\\\n\x02\xc3\xbc\0\0\x63\0\x01\0\0\0\0\0\x02\x01"
		"x");
	assert_int_equal(first(&b, &record, &why), 1);
	assert_string_equal(record.name.text, "a\\046b\\092\\010.\\195\\188");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(names_become_questions_or_are_refused),
			cmocka_unit_test(an_answer_to_another_question_is_foreign),
			cmocka_unit_test(heads_say_what_is_wrong),
			cmocka_unit_test(a_record_has_name_type_ttl_and_data),
			cmocka_unit_test(names_that_loop_or_leave_the_message_are_refused),
			cmocka_unit_test(records_that_do_not_hold_what_they_say_are_refused),
			cmocka_unit_test(a_message_made_to_cost_time_is_bounded),
			cmocka_unit_test(a_name_of_more_than_255_bytes_is_refused),
			cmocka_unit_test(no_two_names_read_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
