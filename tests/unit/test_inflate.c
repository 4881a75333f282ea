/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <zlib.h>

#include "plugin/inflate.h"

static bool goes_on(void *arg)
{
	(void)arg;
	return false;
}

static bool stops(void *arg)
{
	(void)arg;
	return true;
}

/* in as zlib (15) or gzip (31) wants it, in a. */
static struct str pressed(struct arena *a, struct str in, int window_bits)
{
	z_stream z = {.next_in = (Bytef *)(uintptr_t)in.p, .avail_in = (uInt)in.n};
	size_t room = in.n + 1024;
	char *out = arena_alloc(a, room);

	assert_non_null(out);
	z.next_out = (Bytef *)out;
	z.avail_out = (uInt)room;
	assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, window_bits, 8, Z_DEFAULT_STRATEGY), Z_OK);
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	deflateEnd(&z);
	return (struct str){out, room - z.avail_out};
}

static int set_up(void **state)
{
	return arena_new((struct arena **)state, 256U << 20);
}

static int tear_down(void **state)
{
	arena_free(*state);
	return 0;
}

static void gzip_and_zlib_are_told_apart(void **state)
{
	struct str out = STR_NONE;

	assert_int_equal(inflate_body(*state, pressed(*state, STR("hello"), 31), 100, goes_on, NULL,
					 &out),
			0);
	assert_true(str_eq(out, STR("hello")));
	assert_int_equal(inflate_body(*state, pressed(*state, STR("world"), 15), 5, goes_on, NULL,
					 &out),
			0);
	assert_true(str_eq(out, STR("world")));
}

static void members_follow_one_another(void **state)
{
	struct str one = pressed(*state, STR("one"), 31), two = pressed(*state, STR("two"), 31);
	char both[256];
	struct str out = STR_NONE;

	memcpy(both, one.p, one.n);
	memcpy(both + one.n, two.p, two.n);
	assert_int_equal(inflate_body(*state, (struct str){both, one.n + two.n}, 100, goes_on, NULL,
					 &out),
			0);
	assert_true(str_eq(out, STR("onetwo")));
}

static void broken_and_cut_bodies_are_refused(void **state)
{
	struct str whole = pressed(*state, STR("hello hello hello"), 31), out = STR_NONE;

	for (size_t n = 1; n < whole.n; n++)
		assert_int_equal(inflate_body(*state, str_head(whole, n), 100, goes_on, NULL, &out),
				-EINVAL);
	assert_int_equal(
			inflate_body(*state, STR("plain text"), 100, goes_on, NULL, &out), -EINVAL);
	assert_null(out.p);
}

static void a_bomb_ends_at_the_limit_and_when_told(void **state)
{
	size_t n = 9U << 20;
	char *zeros = arena_alloc(*state, n);
	struct str bomb, out = STR_NONE;

	assert_non_null(zeros);
	memset(zeros, 0, n);
	bomb = pressed(*state, (struct str){zeros, n}, 31);
	assert_true(bomb.n < 20000);
	assert_int_equal(inflate_body(*state, bomb, n - 1, goes_on, NULL, &out), -EFBIG);
	assert_int_equal(inflate_body(*state, bomb, n, stops, NULL, &out), -ECANCELED);
	assert_null(out.p);
	assert_int_equal(inflate_body(*state, bomb, n, goes_on, NULL, &out), 0);
	assert_int_equal(out.n, n);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test_setup_teardown(
					gzip_and_zlib_are_told_apart, set_up, tear_down),
			cmocka_unit_test_setup_teardown(
					members_follow_one_another, set_up, tear_down),
			cmocka_unit_test_setup_teardown(
					broken_and_cut_bodies_are_refused, set_up, tear_down),
			cmocka_unit_test_setup_teardown(
					a_bomb_ends_at_the_limit_and_when_told, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
