/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "stream/grpc_frame.h"
#include "stream/grpc_status.h"

#define LIMIT_BYTES 1000

static int feed(struct grpc_decoder *d, const char *bytes, size_t n, struct str *ret_message)
{
	struct str in = {bytes, n};

	return grpc_decoder_next(d, &in, ret_message);
}

static void a_message_cut_at_every_byte_is_whole_at_the_end(void **state)
{
	const char wire[] = "\0\0\0\0\5hello\0\0\0\0\0";
	struct grpc_decoder d;
	struct str message = STR_NONE;

	(void)state;
	grpc_decoder_init(&d, LIMIT_BYTES);
	for (size_t i = 0; i < 9; i++) {
		assert_int_equal(feed(&d, wire + i, 1, &message), GRPC_FRAME_NEEDS_MORE);
		assert_false(grpc_decoder_is_idle(&d));
	}
	assert_int_equal(feed(&d, wire + 9, 1, &message), GRPC_FRAME_MESSAGE);
	assert_true(str_eq(message, STR("hello")));
	assert_true(grpc_decoder_is_idle(&d));
	assert_int_equal(feed(&d, wire + 10, 5, &message), GRPC_FRAME_MESSAGE);
	assert_int_equal(message.n, 0);
	grpc_decoder_done(&d);
}

static void messages_in_one_piece_come_out_one_by_one(void **state)
{
	struct str in = STR("\0\0\0\0\1a\0\0\0\0\2bc\0");
	struct grpc_decoder d;
	struct str message = STR_NONE;

	(void)state;
	grpc_decoder_init(&d, LIMIT_BYTES);
	assert_int_equal(grpc_decoder_next(&d, &in, &message), GRPC_FRAME_MESSAGE);
	assert_true(str_eq(message, STR("a")));
	assert_int_equal(grpc_decoder_next(&d, &in, &message), GRPC_FRAME_MESSAGE);
	assert_true(str_eq(message, STR("bc")));
	assert_int_equal(grpc_decoder_next(&d, &in, &message), GRPC_FRAME_NEEDS_MORE);
	assert_int_equal(in.n, 0);
	assert_false(grpc_decoder_is_idle(&d));
	grpc_decoder_done(&d);
}

static void a_prefix_is_judged_before_any_of_the_message_came(void **state)
{
	static const struct {
		struct str wire;
		int result;
	} table[] = {
			{STR("\0\0\0\3\350"), GRPC_FRAME_NEEDS_MORE},
			{STR("\0\0\0\3\351"), GRPC_FRAME_E_TOO_BIG},
			{STR("\0\377\377\377\377"), GRPC_FRAME_E_TOO_BIG},
			{STR("\1\0\0\0\1"), GRPC_FRAME_E_COMPRESSED},
			{STR("\2\0\0\0\1"), GRPC_FRAME_E_MALFORMED},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct grpc_decoder d;
		struct str message;

		grpc_decoder_init(&d, LIMIT_BYTES);
		assert_int_equal(feed(&d, table[i].wire.p, table[i].wire.n, &message),
				table[i].result);
		assert_int_equal(d.body.cap, 0);
		grpc_decoder_done(&d);
	}
}

static void the_prefix_made_is_the_prefix_read(void **state)
{
	uint8_t prefix[GRPC_PREFIX_BYTES];
	struct grpc_decoder d;
	struct str message;

	(void)state;
	grpc_prefix_make(prefix, 0x01020304);
	grpc_decoder_init(&d, SIZE_MAX);
	assert_int_equal(feed(&d, (const char *)prefix, sizeof(prefix), &message),
			GRPC_FRAME_NEEDS_MORE);
	assert_int_equal(d.message_bytes, 0x01020304);
	grpc_decoder_done(&d);
}

static void status_text_survives_the_trailer(void **state)
{
	char encoded[64], decoded[64];

	(void)state;
	grpc_message_encode(encoded, sizeof(encoded), "50 % of\n\xc3\xa9");
	assert_string_equal(encoded, "50 %25 of%0A%C3%A9");
	grpc_message_decode(decoded, sizeof(decoded), str_of(encoded));
	assert_string_equal(decoded, "50 % of\n\xc3\xa9");
	grpc_message_decode(decoded, sizeof(decoded), STR("%4x %"));
	assert_string_equal(decoded, "%4x %");
}

static void status_text_is_cut_at_a_whole_escape(void **state)
{
	char encoded[6];

	(void)state;
	assert_int_equal(grpc_message_encode(encoded, sizeof(encoded), "abc\n"), 3);
	assert_string_equal(encoded, "abc");
	assert_int_equal(grpc_message_encode(encoded, sizeof(encoded), "ab\nc"), 5);
	assert_string_equal(encoded, "ab%0A");
}

static void unknown_status_numbers_have_a_name_too(void **state)
{
	(void)state;
	assert_string_equal(grpc_status_name(14), "UNAVAILABLE");
	assert_string_equal(grpc_status_name(17), "UNKNOWN");
	assert_string_equal(grpc_status_name(4000000000U), "UNKNOWN");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(a_message_cut_at_every_byte_is_whole_at_the_end),
			cmocka_unit_test(messages_in_one_piece_come_out_one_by_one),
			cmocka_unit_test(a_prefix_is_judged_before_any_of_the_message_came),
			cmocka_unit_test(the_prefix_made_is_the_prefix_read),
			cmocka_unit_test(status_text_survives_the_trailer),
			cmocka_unit_test(status_text_is_cut_at_a_whole_escape),
			cmocka_unit_test(unknown_status_numbers_have_a_name_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
