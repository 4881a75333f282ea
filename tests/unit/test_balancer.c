/* SPDX-License-Identifier: Apache-2.0
 *
 * Which backend is chosen: shares by weight, and what moves when one goes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "worker/balancer.h"

#define N 5

struct bed {
	struct balancer b;
	Sluice__Record__Upstream rec;
	Sluice__Record__HealthCheck passive;
	Sluice__Record__HealthSide healthy, unhealthy;
	uint32_t bad_status;
	struct backend v[N], *list[N];
};

static void bed_make(struct bed *t, const char *algorithm, const uint32_t weights[N])
{
	memset(t, 0, sizeof(*t));
	sluice__record__upstream__init(&t->rec);
	sluice__record__health_check__init(&t->passive);
	sluice__record__health_side__init(&t->healthy);
	sluice__record__health_side__init(&t->unhealthy);
	t->rec.algorithm = (char *)(uintptr_t)algorithm;
	t->rec.passive = &t->passive;
	t->passive.healthy = &t->healthy;
	t->passive.unhealthy = &t->unhealthy;
	t->bad_status = 500;
	t->unhealthy.http_statuses = &t->bad_status;
	t->unhealthy.n_http_statuses = 1;
	t->b = (struct balancer){.refs = 1, .rec = &t->rec, .backends = t->list};
	t->b.name = (char *)(uintptr_t) "u";
	for (uint32_t i = 0; i < N; i++) {
		char name[8];

		snprintf(name, sizeof(name), "n%u", i);
		t->v[i].refs = 1;
		t->v[i].serial = i + 1;
		t->v[i].balancer = &t->b;
		t->v[i].weight = weights[i];
		t->v[i].hash = balancer_hash(1, str_of(name));
		if (weights[i] != 0)
			t->list[t->b.n_backends++] = &t->v[i];
	}
}

static size_t picked(struct bed *t, const struct balance_ask *ask)
{
	struct backend *e = balancer_pick(&t->b, ask);
	size_t i;

	assert_non_null(e);
	i = (size_t)(e - t->v);
	backend_release(e);
	return i;
}

static void round_robin_gives_each_its_weight_in_every_round(void **state)
{
	const uint32_t weights[N] = {5, 1, 0, 3, 1};
	const struct balance_ask ask = {0};
	struct bed t;

	(void)state;
	bed_make(&t, "round-robin", weights);
	for (int round = 0; round < 20; round++) {
		uint32_t n[N] = {0};
		size_t last = N, in_a_row = 0;

		for (int i = 0; i < 10; i++) {
			size_t at = picked(&t, &ask);

			n[at]++;
			in_a_row = at == last ? in_a_row + 1 : 1;
			last = at;
			assert_true(in_a_row <= 2);
		}
		assert_memory_equal(n, weights, sizeof(n));
	}
}

static void hashing_shares_by_weight_and_moves_only_what_was_lost(void **state)
{
	enum { KEYS = 40000 };
	const uint32_t weights[N] = {100, 100, 200, 400, 200};
	static uint8_t where[KEYS];
	uint32_t n[N] = {0};
	struct bed t;

	(void)state;
	bed_make(&t, "consistent-hashing", weights);
	for (uint64_t k = 0; k < KEYS; k++) {
		struct balance_ask ask = {.has_key = true,
				.key = balancer_hash(2, (struct str){(char *)&k, sizeof(k)})};

		where[k] = (uint8_t)picked(&t, &ask);
		n[where[k]]++;
	}
	for (size_t i = 0; i < N; i++) {
		double share = (double)n[i] / KEYS * 1000;

		assert_true(share > weights[i] * 0.93 && share < weights[i] * 1.07);
	}
	t.v[1].is_unhealthy = true;
	for (uint64_t k = 0; k < KEYS; k++) {
		struct balance_ask ask = {.has_key = true,
				.key = balancer_hash(2, (struct str){(char *)&k, sizeof(k)})};
		size_t at = picked(&t, &ask);

		assert_true(at != 1 && (where[k] == 1 || at == where[k]));
	}
}

static void what_was_tried_comes_last_and_what_is_ill_never(void **state)
{
	const uint32_t weights[N] = {1, 1, 1, 0, 0}, tried[] = {1, 3};
	const struct balance_ask ask = {.tried = tried, .n_tried = 2};
	struct bed t;

	(void)state;
	bed_make(&t, "round-robin", weights);
	for (int i = 0; i < 10; i++)
		assert_int_equal(picked(&t, &ask), 1);
	t.v[1].is_unhealthy = true;
	for (int i = 0; i < 10; i++)
		assert_int_not_equal(picked(&t, &ask), 1);
	t.v[0].is_unhealthy = t.v[2].is_unhealthy = true;
	assert_null(balancer_pick(&t.b, &ask));
}

static void connections_are_levelled_by_weight(void **state)
{
	const uint32_t weights[N] = {1, 2, 4, 0, 0}, expected[N] = {10, 20, 40, 0, 0};
	const struct balance_ask ask = {0};
	struct bed t;

	(void)state;
	bed_make(&t, "least-connections", weights);
	for (int i = 0; i < 70; i++)
		assert_non_null(balancer_pick(&t.b, &ask));
	for (size_t i = 0; i < N; i++)
		assert_int_equal(t.v[i].n_active, expected[i]);
}

static void failures_in_a_row_count_and_a_good_answer_ends_the_row(void **state)
{
	const uint32_t weights[N] = {1, 1, 0, 0, 0};
	struct bed t;

	(void)state;
	bed_make(&t, "round-robin", weights);
	t.unhealthy.http_failures = 2;
	t.healthy.http_statuses = (uint32_t[]){200};
	t.healthy.n_http_statuses = 1;
	backend_report(&t.v[0], BALANCE_ANSWERED, 500);
	backend_report(&t.v[0], BALANCE_ANSWERED, 200);
	backend_report(&t.v[0], BALANCE_ANSWERED, 500);
	assert_false(t.v[0].is_unhealthy);
	backend_report(&t.v[0], BALANCE_TCP_FAILED, 0);
	backend_report(&t.v[0], BALANCE_TIMED_OUT, 0);
	backend_report(&t.v[0], BALANCE_ANSWERED, 404);
	assert_false(t.v[0].is_unhealthy);
	backend_report(&t.v[0], BALANCE_ANSWERED, 500);
	assert_true(t.v[0].is_unhealthy);
	t.rec.threshold_percent = 50;
	assert_non_null(balancer_pick(&t.b, &(struct balance_ask){0}));
	t.rec.threshold_percent = 51;
	assert_null(balancer_pick(&t.b, &(struct balance_ask){0}));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(round_robin_gives_each_its_weight_in_every_round),
			cmocka_unit_test(hashing_shares_by_weight_and_moves_only_what_was_lost),
			cmocka_unit_test(what_was_tried_comes_last_and_what_is_ill_never),
			cmocka_unit_test(connections_are_levelled_by_weight),
			cmocka_unit_test(failures_in_a_row_count_and_a_good_answer_ends_the_row),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
