/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "base/hex.h"
#include "stream/digest.h"

static uint8_t one[STREAM_SHA256_BYTES] = {0x11}, two[STREAM_SHA256_BYTES] = {0x22};

static void nothing_at_all_has_the_digest_zero(void **state)
{
	struct stream_digest d = {{0}}, none = {{0}};

	(void)state;
	stream_digest_add(&d, 1, "a", one);
	assert_memory_not_equal(&d, &none, sizeof(d));
	stream_digest_remove(&d, 1, "a", one);
	assert_memory_equal(&d, &none, sizeof(d));
}

/* python3: t = lambda k, i, s: int.from_bytes(sha256(bytes([k])+i+b"\0"+s).digest(), "big")
 * "%064x" % ((t(1, b"a", b"\x11"*32) + t(2, b"a", b"\x22"*32)) % 2**256) */
static void resources_are_summed_as_the_protocol_says(void **state)
{
	struct stream_digest d = {{0}};
	char text[65];

	(void)state;
	memset(one, 0x11, sizeof(one));
	memset(two, 0x22, sizeof(two));
	stream_digest_add(&d, 1, "a", one);
	stream_digest_add(&d, 2, "a", two);
	hex_encode(d.sum, sizeof(d.sum), text);
	assert_string_equal(
			text, "b161484972c8186a0d11b7bc176e8be4564846cfa9184eabe41261034e5dd872");
}

static void the_order_of_changes_does_not_matter_and_a_sum_may_overflow(void **state)
{
	struct stream_digest forth = {{0}}, back = {{0}};
	char id[16];

	(void)state;
	for (int i = 0; i < 100; i++) {
		snprintf(id, sizeof(id), "%d", i);
		stream_digest_add(&forth, 5, id, one);
		snprintf(id, sizeof(id), "%d", 99 - i);
		stream_digest_add(&back, 5, id, one);
	}
	assert_memory_equal(&forth, &back, sizeof(forth));
	stream_digest_add(&back, 5, "7", two);
	stream_digest_remove(&back, 5, "7", one);
	assert_memory_not_equal(&forth, &back, sizeof(forth));
	stream_digest_add(&back, 5, "7", one);
	stream_digest_remove(&back, 5, "7", two);
	assert_memory_equal(&forth, &back, sizeof(forth));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(nothing_at_all_has_the_digest_zero),
			cmocka_unit_test(resources_are_summed_as_the_protocol_says),
			cmocka_unit_test(
					the_order_of_changes_does_not_matter_and_a_sum_may_overflow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
