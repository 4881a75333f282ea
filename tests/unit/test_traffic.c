/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shm/traffic.h"

#define SHAPE ((struct traffic_shape){3, TRAFFIC_ROUTES_MIN})
#define MS 1000000U

struct bed {
	int fd;
	struct traffic *traffic;
};

static int open_bed(void **state)
{
	struct bed *b = calloc(1, sizeof(*b));
	struct why why = WHY_NONE;

	assert_non_null(b);
	assert_int_equal(traffic_create(&b->fd, SHAPE, &why), 0);
	assert_int_equal(traffic_open(&b->traffic, b->fd, SHAPE, &why), 0);
	*state = b;
	return 0;
}

static int close_bed(void **state)
{
	struct bed *b = *state;

	traffic_free(b->traffic);
	close(b->fd);
	free(b);
	return 0;
}

static struct traffic_worker *open_worker(const struct bed *b, uint32_t worker)
{
	struct traffic_worker *w = NULL;
	struct why why = WHY_NONE;

	assert_int_equal(traffic_worker_open(&w, b->fd, SHAPE, worker, &why), 0);
	return w;
}

static const struct traffic_request proxied = {.status = 200,
		.source = TRAFFIC_FROM_SERVICE,
		.bytes_in = 100,
		.bytes_out = 1000,
		.is_proxied = true,
		.ns = {2 * MS, 26 * MS, 28 * MS}};
static const struct traffic_request refused = {
		.status = 404, .source = TRAFFIC_FROM_KONG, .ns = {1 * MS, 0, 1 * MS}};

struct told {
	size_t n;
	struct traffic_sum sums[64];
};

static void take(void *arg, const struct traffic_sum *sum)
{
	struct told *t = arg;

	assert_true(t->n < 64);
	t->sums[t->n++] = *sum;
}

static const struct traffic_sum nothing;

/* Zeros: nothing was told of it. */
static const struct traffic_sum *told_of(struct told *t, const struct bed *b, const char *id)
{
	t->n = 0;
	traffic_each(b->traffic, take, t);
	for (size_t i = 0; i < t->n; i++)
		if (strcmp(t->sums[i].route_id, id) == 0)
			return &t->sums[i];
	return &nothing;
}

static struct told told;

static void a_routes_numbers_are_the_sum_over_the_workers(void **state)
{
	const struct bed *b = *state;
	const struct traffic_sum *sum;

	for (uint32_t i = 0; i < 3; i++) {
		struct traffic_worker *w = open_worker(b, i);

		/* in another order in each worker */
		if (i == 1)
			traffic_add(traffic_worker_row(w, STR("b"), STR("B"), STR("S")), &refused);
		for (uint32_t n = 0; n <= i; n++)
			traffic_add(traffic_worker_row(w, STR("a"), STR("A"), STR("S")), &proxied);
		traffic_worker_free(w);
	}
	sum = told_of(&told, b, "a");
	assert_int_equal(told.n, 2);
	assert_string_equal(sum->route, "A");
	assert_string_equal(sum->service, "S");
	assert_int_equal(sum->requests, 6);
	assert_int_equal(sum->bytes_in, 600);
	assert_int_equal(sum->bytes_out, 6000);
	assert_int_equal(sum->n_codes, 1);
	assert_int_equal(sum->codes[0].status, 200);
	assert_int_equal(sum->times[TRAFFIC_TIME_service].count, 6);
	assert_int_equal(sum->spreads[TRAFFIC_TIME_service].n[1], 6); /* 25 < 26 ≤ 50 ms */
	assert_int_equal(sum->spreads[TRAFFIC_TIME_gateway].n[1], 6); /* 1 < 2 ≤ 2 ms */
	assert_int_equal(told_of(&told, b, "b")->spreads[TRAFFIC_TIME_service].count, 0);
}

static void a_worker_that_takes_a_slot_over_goes_on_counting(void **state)
{
	const struct bed *b = *state;

	for (int i = 0; i < 3; i++) {
		struct traffic_worker *w = open_worker(b, 0);

		traffic_add(traffic_worker_row(w, STR("a"), STR("A"), STR_NONE), &proxied);
		traffic_worker_free(w);
	}
	assert_int_equal(told_of(&told, b, "a")->requests, 3);
	assert_int_equal(told.n, 1);
}

static void a_renamed_route_keeps_its_numbers(void **state)
{
	const struct bed *b = *state;
	struct traffic_worker *w = open_worker(b, 0);

	traffic_add(traffic_worker_row(w, STR("a"), STR("old"), STR("S")), &proxied);
	traffic_add(traffic_worker_row(w, STR("a"), STR("new"), STR("T")), &proxied);
	assert_int_equal(told_of(&told, b, "a")->requests, 2);
	assert_string_equal(told_of(&told, b, "a")->route, "new");
	assert_string_equal(told_of(&told, b, "a")->service, "T");
	traffic_worker_free(w);
}

static void routes_past_the_limit_are_counted_together(void **state)
{
	const struct bed *b = *state;
	struct traffic_worker *w = open_worker(b, 2);
	char id[8];

	for (int i = 0; i < 2 * TRAFFIC_ROUTES_MIN; i++) {
		snprintf(id, sizeof(id), "r%d", i);
		traffic_add(traffic_worker_row(w, str_of(id), str_of(id), STR_NONE), &proxied);
	}
	assert_int_equal(told_of(&told, b, TRAFFIC_OTHERS)->requests, TRAFFIC_ROUTES_MIN + 1);
	assert_int_equal(told.n, TRAFFIC_ROUTES_MIN);
	traffic_worker_free(w);
}

static void requests_without_a_route_have_an_empty_id(void **state)
{
	const struct bed *b = *state;
	struct traffic_worker *w = open_worker(b, 1);

	traffic_add(traffic_worker_row(w, STR_NONE, STR_NONE, STR_NONE), &refused);
	assert_int_equal(told_of(&told, b, "")->requests, 1);
	assert_string_equal(told_of(&told, b, "")->route, "");
	traffic_worker_free(w);
}

static void more_statuses_than_there_is_room_for_lose_no_request(void **state)
{
	const struct bed *b = *state;
	struct traffic_worker *w = open_worker(b, 0);
	const struct traffic_sum *sum;
	uint64_t n = 0;

	for (uint32_t status = 200; status < 300; status++) {
		struct traffic_request r = proxied;

		r.status = status;
		traffic_add(traffic_worker_row(w, STR("a"), STR("A"), STR("S")), &r);
	}
	sum = told_of(&told, b, "a");
	assert_int_equal(sum->n_codes, TRAFFIC_CODES);
	for (uint32_t i = 0; i < sum->n_codes; i++)
		n += sum->codes[i].n;
	assert_int_equal(n, 100);
	traffic_worker_free(w);
}

static void names_longer_than_their_room_are_cut_and_found_again(void **state)
{
	const struct bed *b = *state;
	struct traffic_worker *w = open_worker(b, 0);
	char name[500];

	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	for (int i = 0; i < 3; i++)
		traffic_add(traffic_worker_row(w, str_of(name), str_of(name), str_of(name)),
				&proxied);
	told_of(&told, b, "a");
	assert_int_equal(told.n, 1);
	assert_int_equal(told.sums[0].requests, 3);
	assert_int_equal(strlen(told.sums[0].route), TRAFFIC_NAME_MAX - 1);
	traffic_worker_free(w);
}

static void rows_without_traffic_take_no_memory(void **state)
{
	const struct bed *b = *state;
	struct traffic_worker *w = open_worker(b, 0);
	struct stat st;

	traffic_add(traffic_worker_row(w, STR("a"), STR("A"), STR("S")), &proxied);
	told_of(&told, b, "a");
	assert_int_equal(fstat(b->fd, &st), 0);
	/* three heads, and two rows of one worker */
	assert_true(st.st_blocks * 512 <= 5 * 4096);
	traffic_worker_free(w);
}

int main(void)
{
#define WITH_BED(test) cmocka_unit_test_setup_teardown(test, open_bed, close_bed)
	const struct CMUnitTest tests[] = {
			WITH_BED(a_routes_numbers_are_the_sum_over_the_workers),
			WITH_BED(a_worker_that_takes_a_slot_over_goes_on_counting),
			WITH_BED(a_renamed_route_keeps_its_numbers),
			WITH_BED(routes_past_the_limit_are_counted_together),
			WITH_BED(requests_without_a_route_have_an_empty_id),
			WITH_BED(more_statuses_than_there_is_room_for_lose_no_request),
			WITH_BED(names_longer_than_their_room_are_cut_and_found_again),
			WITH_BED(rows_without_traffic_take_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
