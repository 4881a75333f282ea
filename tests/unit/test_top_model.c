/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tools/spread.h"
#include "tools/top_model.h"

static json_t *doc(const char *text)
{
	json_t *ret = json_loads(text, 0, NULL);

	assert_non_null(ret);
	return ret;
}

/* Two plugins and two looks, two seconds apart. */
static struct top_look look(uint64_t at_ns, const char *plugins, const char *latency)
{
	return (struct top_look){.status = json_object(),
			.workers = doc("{\"workers\": []}"),
			.plugins = doc(plugins),
			.latency = doc(latency),
			.traffic = doc("{\"routes\": []}"),
			.at_ns = at_ns};
}

static struct top_look first(void)
{
	return look(1000000000,
			"{\"plugins\": ["
			"{\"id\": \"1\", \"name\": \"a\", \"state\": \"active\", \"counters\": "
			"{\"errors\": 5, \"cpu_trips\": 1, \"memory_trips\": 1, \"wall_trips\": 1, "
			"\"output_trips\": 1, \"discards\": 1}}]}",
			"{\"plugins\": [{\"plugin\": \"a\", \"phase\": \"access\", \"sum_ns\": "
			"1000, \"max_ns\": 1000, \"buckets\": [[1000, 1100, 1]]}]}");
}

static struct top_look second(void)
{
	return look(3000000000,
			"{\"plugins\": ["
			"{\"id\": \"1\", \"name\": \"a\", \"state\": \"active\", \"counters\": "
			"{\"errors\": 9, \"cpu_trips\": 2, \"memory_trips\": 3, \"wall_trips\": 4, "
			"\"output_trips\": 5, \"discards\": 9}},"
			"{\"id\": \"2\", \"name\": \"b\", \"state\": \"active\", \"breaker\": "
			"\"open\", \"counters\": {}}]}",
			"{\"plugins\": [{\"plugin\": \"a\", \"phase\": \"access\", \"sum_ns\": "
			"5000, \"max_ns\": 1000, \"buckets\": [[1000, 1100, 5]]},"
			"{\"plugin\": \"b\", \"phase\": \"access\", \"sum_ns\": 3000, \"max_ns\": "
			"3000, \"buckets\": [[2900, 3100, 1]]},"
			"{\"plugin\": \"b\", \"phase\": \"log\", \"sum_ns\": 9000, \"max_ns\": "
			"9000, \"buckets\": [[8900, 9100, 1]]}]}");
}

static double real_of(const json_t *row, const char *key)
{
	return json_number_value(json_object_get(row, key));
}

static const char *name_of(const json_t *list, size_t i)
{
	return json_string_value(json_object_get(json_array_get(list, i), "name"));
}

static void rates_are_of_what_came_between_two_looks(void **state)
{
	struct top_look before = first(), now = second();
	json_t *model = top_model(&before, &now, "name");
	const json_t *list = json_object_get(model, "plugins"), *a = json_array_get(list, 0);
	const json_t *b = json_array_get(list, 1);

	(void)state;
	assert_int_equal(json_array_size(list), 2);
	assert_true(real_of(a, "runs_per_second") == 2.0);   /* 4 in 2 s */
	assert_true(real_of(a, "errors_per_second") == 2.0); /* 4 in 2 s */
	/* every limit that was exceeded counts; a VM thrown away for one is not a second trip */
	assert_true(real_of(a, "trips_per_second") == 5.0);
	assert_true(real_of(b, "runs_per_second") == 1.0); /* two phases */
	assert_true(real_of(a, "share_percent") == 25.0);  /* 4 of 16 µs */
	assert_true(real_of(b, "share_percent") == 75.0);
	assert_string_equal(json_string_value(json_object_get(b, "breaker")), "open");
	assert_string_equal(json_string_value(json_object_get(a, "breaker")), "closed");
	json_decref(model);
	top_look_done(&before);
	top_look_done(&now);
}

static void rows_stand_in_the_order_that_was_asked_for(void **state)
{
	static const struct {
		const char *sort, *is_first;
	} rows[] = {{"share", "b"}, {"runs", "a"}, {"p99", "b"}, {"errors", "a"}, {"name", "a"}};
	struct top_look before = first(), now = second();

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		json_t *model = top_model(&before, &now, rows[i].sort);

		assert_string_equal(
				name_of(json_object_get(model, "plugins"), 0), rows[i].is_first);
		json_decref(model);
	}
	top_look_done(&before);
	top_look_done(&now);
}

static void sorts_go_round_and_others_are_none(void **state)
{
	const char *sort = "share";
	int n = 0;

	(void)state;
	do {
		sort = top_next_sort(sort);
		assert_non_null(sort);
		n++;
	} while (strcmp(sort, "share") != 0 && n < 100);
	assert_int_equal(n, 5);
	assert_null(top_next_sort("colour"));
}

static void histograms_are_read_back_subtracted_and_added(void **state)
{
	json_t *doc_a = doc("{\"sum_ns\": 10, \"max_ns\": 7, \"buckets\": [[3, 4, 1], [7, 8, 1], "
			    "[-1, 2, 5], [3, 4, -5]]}");
	struct histogram_sum a, b, nothing;

	(void)state;
	spread_read(&a, doc_a);
	assert_int_equal(a.count, 2);
	spread_since(&b, doc_a, doc_a);
	assert_int_equal(b.count, 0);
	spread_add(&b, &a);
	spread_add(&b, &a);
	assert_int_equal(b.count, 4);
	assert_int_equal(b.sum_ns, 20);
	assert_int_equal(b.max_ns, 7);
	spread_read(&nothing, NULL);
	assert_int_equal(nothing.count, 0);
	json_decref(doc_a);
}

static void times_have_three_digits_and_a_unit(void **state)
{
	char buf[SPREAD_TIME_MAX], strip[SPREAD_COLUMNS + 1];
	struct histogram_sum one = {.count = 1};

	(void)state;
	assert_string_equal(spread_time(buf, 870, 1), "870 ns");
	assert_string_equal(spread_time(buf, 12300, 1), "12.3 µs");
	assert_string_equal(spread_time(buf, 1200000000, 1), "1.20 s");
	assert_string_equal(spread_time(buf, 5, 0), "-");
	one.bucket[histogram_bucket(1 << 20)] = 1;
	spread_strip(strip, &one);
	assert_int_equal(strlen(strip), SPREAD_COLUMNS);
	assert_int_equal(strspn(strip, " "), 11); /* 512 ns · 2^11 */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(rates_are_of_what_came_between_two_looks),
			cmocka_unit_test(rows_stand_in_the_order_that_was_asked_for),
			cmocka_unit_test(sorts_go_round_and_others_are_none),
			cmocka_unit_test(histograms_are_read_back_subtracted_and_added),
			cmocka_unit_test(times_have_three_digits_and_a_unit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
