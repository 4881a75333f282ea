/* SPDX-License-Identifier: Apache-2.0 */
#include <regex.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "master/metric.h"

static bool matches(const char *text, const char *pattern)
{
	regex_t re;
	bool is_match;

	assert_int_equal(regcomp(&re, pattern, REG_EXTENDED | REG_NOSUB), 0);
	is_match = regexec(&re, text, 0, NULL, 0) == 0;
	regfree(&re);
	return is_match;
}

static void every_metric_has_a_name_of_its_own_that_prometheus_takes(void **state)
{
	static struct metric all[METRIC_COUNT];

	(void)state;
	for (unsigned i = 0; i < METRIC_COUNT; i++) {
		metric_get((enum metric_id)i, &all[i]);
		assert_true(matches(all[i].name, "^(sluice|kong)_[a-z0-9_]+$"));
		assert_true(matches(all[i].type, "^(counter|gauge|histogram|untyped)$"));
		assert_true(matches(all[i].labels, "^([a-z_]+(,[a-z_]+)*)?$"));
		assert_true(strlen(all[i].help) > 10);
		for (unsigned k = 0; k < i; k++)
			assert_string_not_equal(all[i].name, all[k].name);
	}
}

static void ours_say_unit_and_kind_in_their_names(void **state)
{
	struct metric m;

	(void)state;
	for (unsigned i = 0; i < METRIC_COUNT; i++) {
		metric_get((enum metric_id)i, &m);
		if (strncmp(m.name, "kong_", 5) == 0)
			continue;
		assert_int_equal(strcmp(m.type, "counter") == 0, matches(m.name, "_total$"));
		assert_false(matches(m.name, "_(ns|us|ms|s|sec|kb|mb)(_|$)"));
	}
}

static void a_label_cannot_break_out_of_its_line(void **state)
{
	sl_auto_buf out = {.p = NULL};

	(void)state;
	metric_line(&out, METRIC_sluice_plugin_breaker_state, 1, "a\"} 1\n\\b\001c");
	assert_string_equal(buf_z(&out),
			"sluice_plugin_breaker_state{plugin=\"a\\\"} 1\\n\\\\bc\"} 1\n");
}

static void nanoseconds_are_told_in_seconds(void **state)
{
	sl_auto_buf out = {.p = NULL};

	(void)state;
	metric_head(&out, METRIC_plugin_cpu_ns);
	metric_line(&out, METRIC_plugin_cpu_ns, 1500000000, "p");
	assert_non_null(strstr(buf_z(&out), "# TYPE sluice_plugin_cpu_seconds_total counter\n"
					    "sluice_plugin_cpu_seconds_total{plugin=\"p\"} 1.5"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(every_metric_has_a_name_of_its_own_that_prometheus_takes),
			cmocka_unit_test(ours_say_unit_and_kind_in_their_names),
			cmocka_unit_test(a_label_cannot_break_out_of_its_line),
			cmocka_unit_test(nanoseconds_are_told_in_seconds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
