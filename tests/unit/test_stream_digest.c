/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "base/hex.h"
#include "stream/digest.h"

static const char *end_hex(struct stream_digest *d, char text[65])
{
	uint8_t sum[STREAM_SHA256_BYTES];

	stream_digest_end(d, sum);
	hex_encode(sum, sizeof(sum), text);
	return text;
}

static void nothing_at_all_has_the_digest_of_no_bytes(void **state)
{
	sl_auto(stream_digest) d = NULL;
	char text[65];

	(void)state;
	assert_int_equal(stream_digest_new(&d), 0);
	assert_string_equal(end_hex(d, text),
			"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

/* python3: hashlib.sha256(b"\1a\0" + b"\x11"*32 + b"\2a\0" + b"\x22"*32).hexdigest() */
static void resources_are_hashed_as_the_protocol_says(void **state)
{
	sl_auto(stream_digest) d = NULL;
	uint8_t one[STREAM_SHA256_BYTES], two[STREAM_SHA256_BYTES];
	char text[65];

	(void)state;
	memset(one, 0x11, sizeof(one));
	memset(two, 0x22, sizeof(two));
	assert_int_equal(stream_digest_new(&d), 0);
	assert_int_equal(stream_digest_add(d, 1, "a", one), 0);
	assert_int_equal(stream_digest_add(d, 2, "a", two), 0);
	assert_string_equal(end_hex(d, text),
			"036134a9585a95b489d510102119dcd759c9062e7bd3acf2a17d05fa322b66ef");
}

static void a_resource_out_of_order_or_named_twice_is_refused(void **state)
{
	sl_auto(stream_digest) d = NULL;
	uint8_t sum[STREAM_SHA256_BYTES] = {0};

	(void)state;
	assert_int_equal(stream_digest_new(&d), 0);
	assert_int_equal(stream_digest_add(d, 2, "b", sum), 0);
	assert_int_equal(stream_digest_add(d, 2, "b", sum), -EINVAL);
	assert_int_equal(stream_digest_add(d, 2, "a", sum), -EINVAL);
	assert_int_equal(stream_digest_add(d, 1, "z", sum), -EINVAL);
	assert_int_equal(stream_digest_add(d, 0, "z", sum), -EINVAL);
	assert_int_equal(stream_digest_add(d, 256, "z", sum), -EINVAL);
	assert_int_equal(stream_digest_add(d, 2, "bb", sum), 0);
}

static void after_the_end_a_new_digest_starts(void **state)
{
	sl_auto(stream_digest) d = NULL;
	uint8_t sum[STREAM_SHA256_BYTES] = {0};
	char first[65], second[65];

	(void)state;
	assert_int_equal(stream_digest_new(&d), 0);
	assert_int_equal(stream_digest_add(d, 2, "b", sum), 0);
	end_hex(d, first);
	assert_int_equal(stream_digest_add(d, 2, "b", sum), 0);
	assert_string_equal(end_hex(d, second), first);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(nothing_at_all_has_the_digest_of_no_bytes),
			cmocka_unit_test(resources_are_hashed_as_the_protocol_says),
			cmocka_unit_test(a_resource_out_of_order_or_named_twice_is_refused),
			cmocka_unit_test(after_the_end_a_new_digest_starts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
