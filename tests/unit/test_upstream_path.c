/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "worker/upstream_path.h"

static const struct {
	const char *service, *route, *request, *wanted;
	bool strips;
} v0[] = {
		{"/", "/", "/", "/", true},
		{"/", "/a", "/a", "/", true},
		{"/", "/a", "/a/", "/", true},
		{"/", "/a", "/a/b", "/b", true},
		{"/", "/a", "/ab", "/b", true},
		{"/s", "/a", "/a", "/s", true},
		{"/s", "/a", "/a/", "/s/", true},
		{"/s", "/a/", "/a/", "/s/", true},
		{"/s", "/a", "/a/b", "/s/b", true},
		{"/s", "/a", "/ab", "/s/b", true},
		{"/s", "/", "/", "/s", true},
		{"/s", "/", "/b", "/s/b", true},
		{"/s/", "/a", "/a", "/s", true},
		{"/s/", "/a/", "/a/", "/s/", true},
		{"/s/", "/a", "/a/b", "/s/b", true},
		{"/s/", "/a", "/ab", "/s/b", true},
		{"/s", "/a", "/a..", "/s", true},
		{"/s", "/a", "/a../b", "/s/b", true},
		{"/s", "/a", "/a./b", "/s/b", true},
		{"", "/a", "/a/b", "/a/b", false},
		{"/s", "/a", "/a/b", "/s/a/b", false},
		{"/s/", "/a", "/a/b", "/s/a/b", false},
		{"/s", "/", "/", "/s", false},
		{"/s/", "/", "/", "/s/", false},
};

static void test_paths_join_as_v0_says(void **state)
{
	sl_auto(arena) a = NULL;

	(void)state;
	assert_int_equal(arena_new(&a, 0), 0);
	for (size_t i = 0; i < sizeof(v0) / sizeof(v0[0]); i++) {
		struct upstream_path u = {.service = str_of(v0[i].service),
				.request = str_of(v0[i].request),
				.matched = strlen(v0[i].route),
				.strips = v0[i].strips};
		struct str got = upstream_path_make(a, &u);

		if (!str_eq(got, str_of(v0[i].wanted)))
			fail_msg("%s + %s of %s: %.*s", v0[i].service, v0[i].request, v0[i].route,
					STR_ARG(got));
	}
}

static void test_v1_concatenates(void **state)
{
	struct upstream_path u = {.service = STR("/s/"),
			.request = STR("/a/b"),
			.matched = 2,
			.strips = true,
			.is_v1 = true};
	sl_auto(arena) a = NULL;

	(void)state;
	assert_int_equal(arena_new(&a, 0), 0);
	assert_true(str_eq(upstream_path_make(a, &u), STR("/s/b")));
	u.strips = false;
	assert_true(str_eq(upstream_path_make(a, &u), STR("/s/a/b")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_paths_join_as_v0_says),
			cmocka_unit_test(test_v1_concatenates),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
