/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/hex.h"
#include "base/log.h"
#include "base/why.h"

static void count_call(void *what)
{
	++*(int *)what;
}

static void an_arena_runs_its_hooks_once_and_is_usable_again(void **state)
{
	sl_auto(arena) a = NULL;
	int calls = 0;

	(void)state;
	assert_int_equal(arena_new(&a, 0), 0);
	assert_int_equal(arena_on_clear(a, count_call, &calls), 0);
	assert_non_null(arena_alloc(a, 100000));
	arena_clear(a);
	assert_int_equal(calls, 1);
	arena_clear(a);
	assert_int_equal(calls, 1);
	assert_non_null(arena_alloc(a, 10));
}

static void an_arena_past_its_limit_says_so_instead_of_growing(void **state)
{
	sl_auto(arena) a = NULL;

	(void)state;
	assert_int_equal(arena_new(&a, 64 * 1024), 0);
	assert_null(arena_alloc(a, 128 * 1024));
	assert_true(arena_is_exhausted(a));
	assert_null(arena_alloc(a, SIZE_MAX));
	arena_clear(a);
	assert_false(arena_is_exhausted(a));
}

static void the_newest_allocation_grows_in_place_others_are_copied(void **state)
{
	sl_auto(arena) a = NULL;
	char *p, *q, *r;

	(void)state;
	assert_int_equal(arena_new(&a, 0), 0);
	p = arena_strndup(a, "abc", 3);
	q = arena_grow(a, p, 4, 64);
	assert_ptr_equal(p, q);
	assert_non_null(arena_alloc(a, 1));
	r = arena_grow(a, q, 64, 128);
	assert_ptr_not_equal(q, r);
	assert_string_equal(r, "abc");
}

static void a_number_with_a_sign_a_letter_or_too_many_digits_is_refused(void **state)
{
	uint64_t v = 7;

	(void)state;
	assert_false(str_to_u64(STR(""), &v));
	assert_false(str_to_u64(STR("-1"), &v));
	assert_false(str_to_u64(STR("+1"), &v));
	assert_false(str_to_u64(STR("1x"), &v));
	assert_false(str_to_u64(STR("18446744073709551616"), &v));
	assert_int_equal(v, 7);
	assert_true(str_to_u64(STR("18446744073709551615"), &v));
	assert_true(v == UINT64_MAX);
}

static void slices_compare_find_and_trim(void **state)
{
	(void)state;
	assert_true(str_ieq(STR("Content-TYPE"), STR("content-type")));
	assert_false(str_ieq(STR("a"), STR("ab")));
	assert_int_equal(str_find(STR("hello"), STR("llo")), 2);
	assert_int_equal(str_find(STR("hello"), STR("x")), -1);
	assert_int_equal(str_find(STR_NONE, STR("x")), -1);
	assert_true(str_eq(str_trim(STR(" \t a b ")), STR("a b")));
	assert_true(str_cmp(STR("a"), STR("ab")) < 0);
	assert_int_equal(str_from(STR("ab"), 5).n, 0);
}

static void hex_round_trips_and_bad_digits_are_refused(void **state)
{
	uint8_t in[3] = {0, 0xab, 0xff}, out[3];
	char text[7];

	(void)state;
	hex_encode(in, 3, text);
	assert_string_equal(text, "00abff");
	assert_true(hex_decode(STR("00ABff"), out, 3));
	assert_memory_equal(in, out, 3);
	assert_false(hex_decode(STR("00abf"), out, 3));
	assert_false(hex_decode(STR("00abfg"), out, 3));
}

static void a_made_uuid_is_valid_and_version_4(void **state)
{
	char u[UUID_TEXT_BYTES];

	(void)state;
	uuid_make(u);
	assert_true(uuid_is_valid(str_of(u)));
	assert_int_equal(u[14], '4');
	assert_false(uuid_is_valid(STR("0123")));
	assert_false(uuid_is_valid(STR("zzzzzzzz-0000-4000-8000-000000000000")));
}

static void quoting_keeps_a_log_line_on_one_line(void **state)
{
	char b[64];

	(void)state;
	assert_string_equal(
			log_quote(b, sizeof(b), STR("a\"b\\c\nd\x01")), "\"a\\\"b\\\\c\\nd\\x01\"");
}

static void a_message_cannot_forge_pairs_of_a_log_line(void **state)
{
	char line[512] = "";
	int ends[2], kept = dup(STDERR_FILENO);

	(void)state;
	assert_int_equal(pipe(ends), 0);
	dup2(ends[1], STDERR_FILENO);
	log_err("a\" level=info b=\"\nc", "k=%d", 1);
	dup2(kept, STDERR_FILENO);
	assert_true(read(ends[0], line, sizeof(line) - 1) > 0);
	close(ends[0]);
	close(ends[1]);
	close(kept);
	assert_non_null(strstr(line, "msg=\"a\\\" level=info b=\\\"\\nc\" k=1\n"));
}

static void a_buffer_grows_and_gives_from_the_front(void **state)
{
	sl_auto_buf b = {.p = NULL};

	(void)state;
	for (int i = 0; i < 1000; i++)
		buf_printf(&b, "%d,", i);
	assert_int_equal(b.n, 3890);
	buf_consume(&b, 2);
	assert_memory_equal(buf_z(&b), "1,2,", 4);
	buf_consume(&b, 100000);
	assert_int_equal(b.n, 0);
}

static void a_reason_prints_its_place(void **state)
{
	struct why why = WHY_NONE;
	char b[128];

	(void)state;
	why_set(&why, "handler.lua", 3, "no %s", "luck");
	assert_string_equal(why_text(&why, b, sizeof(b)), "handler.lua:3: no luck");
	assert_int_equal(why_errno(&why, 2, "open"), -2);
	assert_string_equal(why_text(&why, b, sizeof(b)), "open: No such file or directory");
}

static bool same_letter(unsigned char a, unsigned char b)
{
	return ascii_lower((char)a) == ascii_lower((char)b);
}

/* Every pair of bytes, at every place of texts shorter and longer than a machine word. */
static void texts_compare_without_case_byte_by_byte_at_any_length(void **state)
{
	static const size_t lengths[] = {1, 3, 4, 7, 8, 9, 16, 19};
	char a[20], b[20];

	(void)state;
	for (size_t l = 0; l < sizeof(lengths) / sizeof(lengths[0]); l++)
		for (unsigned pair = 0; pair < 65536; pair++) {
			size_t n = lengths[l], at = pair % n;

			memset(a, 'q', sizeof(a));
			memset(b, 'Q', sizeof(b));
			a[at] = (char)(pair & 0xff);
			b[at] = (char)(pair >> 8);
			assert_int_equal(str_ieq((struct str){a, n}, (struct str){b, n}),
					same_letter((unsigned char)a[at], (unsigned char)b[at]));
		}
	assert_false(str_ieq(STR("abc"), STR("abcd")));
	assert_true(str_ieq(STR(""), STR("")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(an_arena_runs_its_hooks_once_and_is_usable_again),
			cmocka_unit_test(an_arena_past_its_limit_says_so_instead_of_growing),
			cmocka_unit_test(the_newest_allocation_grows_in_place_others_are_copied),
			cmocka_unit_test(
					a_number_with_a_sign_a_letter_or_too_many_digits_is_refused),
			cmocka_unit_test(slices_compare_find_and_trim),
			cmocka_unit_test(hex_round_trips_and_bad_digits_are_refused),
			cmocka_unit_test(a_made_uuid_is_valid_and_version_4),
			cmocka_unit_test(quoting_keeps_a_log_line_on_one_line),
			cmocka_unit_test(a_message_cannot_forge_pairs_of_a_log_line),
			cmocka_unit_test(a_buffer_grows_and_gives_from_the_front),
			cmocka_unit_test(a_reason_prints_its_place),
			cmocka_unit_test(texts_compare_without_case_byte_by_byte_at_any_length),
	};

	return cmocka_run_group_tests_name("base", tests, NULL, NULL);
}
