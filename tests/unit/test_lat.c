/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shm/lat.h"

#define SHAPE ((struct lat_shape){4, LAT_PLUGINS_MIN})

struct bed {
	int rows_fd, names_fd;
	struct lat *lat;
};

static int open_bed(void **state)
{
	struct bed *b = calloc(1, sizeof(*b));
	struct why why = WHY_NONE;

	assert_non_null(b);
	assert_int_equal(lat_create(&b->rows_fd, &b->names_fd, SHAPE, &why), 0);
	assert_int_equal(lat_open(&b->lat, b->rows_fd, b->names_fd, SHAPE, &why), 0);
	*state = b;
	return 0;
}

static int close_bed(void **state)
{
	struct bed *b = *state;

	lat_free(b->lat);
	close(b->rows_fd);
	close(b->names_fd);
	free(b);
	return 0;
}

static struct lat_worker *open_worker(const struct bed *b, uint32_t worker)
{
	struct lat_worker *w = NULL;
	struct why why = WHY_NONE;

	assert_int_equal(lat_worker_open(&w, b->rows_fd, b->names_fd, SHAPE, worker, &why), 0);
	return w;
}

static void every_duration_is_in_the_bucket_that_says_so(void **state)
{
	(void)state;
	for (uint64_t ns = 0; ns < 1ULL << 36; ns += 1 + ns / 97) {
		unsigned i = histogram_bucket(ns);

		assert_true(i < HISTOGRAM_BUCKETS);
		assert_true(ns >= histogram_from_ns(i));
		assert_true(ns < histogram_to_ns(i));
	}
	assert_int_equal(histogram_bucket(UINT64_MAX), HISTOGRAM_BUCKETS - 1);
}

static void the_middle_of_a_bucket_is_within_an_eighth_of_each_of_its_values(void **state)
{
	(void)state;
	for (unsigned i = 1; i + 1 < HISTOGRAM_BUCKETS; i++) {
		double from = (double)histogram_from_ns(i), to = (double)histogram_to_ns(i);
		double middle = (from + to) / 2;

		assert_true(middle / from <= 1.125);
		assert_true(middle / to >= 0.875);
	}
}

static void quantiles_are_those_of_the_values_within_the_bucket_error(void **state)
{
	static struct histogram h;
	struct histogram_sum sum = {.count = 0};

	(void)state;
	memset(&h, 0, sizeof(h));
	for (uint64_t us = 1; us <= 10000; us++)
		histogram_add(&h, us * 1000);
	histogram_sum_add(&sum, &h);
	assert_int_equal(sum.count, 10000);
	assert_int_equal(sum.sum_ns, 50005000000ULL);
	assert_int_equal(sum.max_ns, 10000000);
	for (double part = 0.01; part <= 1.0; part += 0.01) {
		double got = (double)histogram_quantile_ns(&sum, part), wanted = part * 1e7;

		assert_true(got <= wanted * 1.126 && got >= wanted * 0.874);
	}
	assert_int_equal(histogram_quantile_ns(&(struct histogram_sum){.count = 0}, 0.5), 0);
}

static void counts_below_a_power_of_two_are_exact(void **state)
{
	static struct histogram h;
	struct histogram_sum sum = {.count = 0};

	(void)state;
	memset(&h, 0, sizeof(h));
	for (uint64_t ns = 0; ns < 4096; ns++)
		histogram_add(&h, ns);
	histogram_add(&h, UINT64_MAX / 2);
	histogram_sum_add(&sum, &h);
	assert_int_equal(histogram_count_below(&sum, 1024), 1024);
	assert_int_equal(histogram_count_below(&sum, 4096), 4096);
	assert_int_equal(sum.count, 4097);
}

static void what_came_since_is_the_difference_also_after_a_restart(void **state)
{
	static struct histogram h;
	struct histogram_sum before = {.count = 0}, after = {.count = 0};

	(void)state;
	memset(&h, 0, sizeof(h));
	histogram_add(&h, 1000);
	histogram_sum_add(&before, &h);
	histogram_add(&h, 1000);
	histogram_add(&h, 5000);
	histogram_sum_add(&after, &h);
	histogram_sum_since(&after, &before);
	assert_int_equal(after.count, 2);
	assert_int_equal(after.sum_ns, 6000);
	memset(&h, 0, sizeof(h));
	histogram_add(&h, 7);
	memset(&after, 0, sizeof(after));
	histogram_sum_add(&after, &h);
	histogram_sum_since(&after, &before);
	assert_int_equal(after.count, 1);
}

static void what_workers_in_other_processes_record_adds_up_by_plugin_and_phase(void **state)
{
	const struct bed *b = *state;
	const struct str names[] = {STR("alpha"), STR("beta")};
	struct histogram_sum sum;

	lat_assign(b->lat, names, 2);
	for (uint32_t worker = 0; worker < 4; worker++) {
		pid_t pid = fork();

		assert_true(pid >= 0);
		if (pid == 0) {
			struct lat_worker *w = open_worker(b, worker);
			struct histogram *beta = lat_worker_rows(w, STR("beta"), NULL);

			for (int i = 0; i < 1000; i++)
				histogram_add(&beta[3], 1000 * (worker + 1));
			lat_worker_free(w);
			_exit(0);
		}
		assert_int_equal(waitpid(pid, NULL, 0), pid);
	}
	assert_string_equal(lat_slot_name(b->lat, 1), "beta");
	assert_false(lat_sum(b->lat, 0, 3, &sum));
	assert_true(lat_sum(b->lat, 1, 3, &sum));
	assert_int_equal(sum.count, 4000);
	assert_int_equal(sum.sum_ns, 1000 * (1000 + 2000 + 3000 + 4000));
	memset(&sum, 0, sizeof(sum));
	lat_sum_worker(b->lat, 2, 1, 3, &sum);
	assert_int_equal(sum.count, 1000);
}

static void a_plugin_keeps_its_slot_and_a_gone_ones_is_reused_last_and_cleared(void **state)
{
	const struct bed *b = *state;
	static char text[LAT_PLUGINS_MIN][8];
	struct str names[LAT_PLUGINS_MIN];
	struct histogram_sum sum;
	struct lat_worker *w = open_worker(b, 0);

	for (unsigned i = 0; i < LAT_PLUGINS_MIN; i++) {
		snprintf(text[i], sizeof(text[i]), "p%u", i);
		names[i] = str_of(text[i]);
	}
	lat_assign(b->lat, names, 3);
	histogram_add(lat_worker_rows(w, STR("p1"), NULL), 500);
	names[1] = STR("new"); /* p1 is gone, its numbers stay while there is room */
	lat_assign(b->lat, names, 3);
	assert_string_equal(lat_slot_name(b->lat, 1), "p1");
	assert_string_equal(lat_slot_name(b->lat, 3), "new");
	assert_true(lat_sum(b->lat, 1, 0, &sum));
	lat_assign(b->lat, names, LAT_PLUGINS_MIN - 1);
	assert_string_equal(lat_slot_name(b->lat, 0), "p0");
	assert_string_equal(lat_slot_name(b->lat, 1), "p62");
	assert_false(lat_sum(b->lat, 1, 0, &sum));
	lat_worker_free(w);
}

static void plugins_past_the_limit_and_strangers_share_the_last_slot(void **state)
{
	const struct bed *b = *state;
	static char text[2 * LAT_PLUGINS_MIN][8];
	struct str names[2 * LAT_PLUGINS_MIN];
	struct lat_worker *w = open_worker(b, 1);
	struct histogram *others = lat_worker_rows(w, STR("nobody-told-of-me"), NULL);

	for (unsigned i = 0; i < 2 * LAT_PLUGINS_MIN; i++) {
		snprintf(text[i], sizeof(text[i]), "p%u", i);
		names[i] = str_of(text[i]);
	}
	lat_assign(b->lat, names, 2 * LAT_PLUGINS_MIN);
	assert_ptr_equal(lat_worker_rows(w, STR("p100"), NULL), others);
	assert_ptr_not_equal(lat_worker_rows(w, STR("p62"), NULL), others);
	assert_string_equal(lat_slot_name(b->lat, LAT_PLUGINS_MIN - 1), LAT_OTHERS);
	lat_worker_free(w);
}

int main(void)
{
#define WITH_BED(test) cmocka_unit_test_setup_teardown(test, open_bed, close_bed)
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(every_duration_is_in_the_bucket_that_says_so),
			cmocka_unit_test(
					the_middle_of_a_bucket_is_within_an_eighth_of_each_of_its_values),
			cmocka_unit_test(quantiles_are_those_of_the_values_within_the_bucket_error),
			cmocka_unit_test(counts_below_a_power_of_two_are_exact),
			cmocka_unit_test(what_came_since_is_the_difference_also_after_a_restart),
			WITH_BED(what_workers_in_other_processes_record_adds_up_by_plugin_and_phase),
			WITH_BED(a_plugin_keeps_its_slot_and_a_gone_ones_is_reused_last_and_cleared),
			WITH_BED(plugins_past_the_limit_and_strangers_share_the_last_slot),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
