/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <unistd.h>

#include "shm/health.h"

#define SLOTS 3

struct bed {
	int fd;
	struct health *health;
	struct health_worker *workers[SLOTS];
	struct health_seen *seen;
	size_t n;
};

static const uint32_t all[] = {0, 1, 2};

static int open_bed(void **state)
{
	struct bed *b = calloc(1, sizeof(*b));
	struct why why = WHY_NONE;

	assert_non_null(b);
	assert_int_equal(health_create(&b->fd, SLOTS, &why), 0);
	assert_int_equal(health_open(&b->health, b->fd, SLOTS, &why), 0);
	for (uint32_t i = 0; i < SLOTS; i++)
		assert_int_equal(health_worker_open(&b->workers[i], b->fd, i, &why), 0);
	*state = b;
	return 0;
}

static int close_bed(void **state)
{
	struct bed *b = *state;

	for (uint32_t i = 0; i < SLOTS; i++)
		health_worker_free(b->workers[i]);
	health_free(b->health);
	free(b->seen);
	close(b->fd);
	free(b);
	return 0;
}

static const struct health_seen *look(struct bed *b, size_t n_slots, uint64_t target, size_t *ret_n)
{
	free(b->seen);
	b->seen = NULL;
	assert_int_equal(health_look(b->health, all, n_slots, &b->seen, &b->n), 0);
	return health_find(b->seen, b->n, target, ret_n);
}

static void test_an_address_is_unhealthy_when_one_worker_says_so(void **state)
{
	struct bed *b = *state;
	uint64_t t = health_target(STR("u"), STR("h:80"));
	struct health_row *rows[SLOTS];
	const struct health_seen *seen;
	size_t n;

	assert_null(look(b, SLOTS, t, &n));
	for (int i = 0; i < SLOTS; i++)
		rows[i] = health_add(b->workers[i], t, "10.0.0.1:80", HEALTH_HEALTHY);
	health_add(b->workers[0], t, "10.0.0.2:80", HEALTH_HEALTHY);
	health_add(b->workers[0], health_target(STR("u"), STR("other:80")), "10.0.0.1:80",
			HEALTH_UNHEALTHY);
	seen = look(b, SLOTS, t, &n);
	assert_int_equal(n, 2);
	assert_string_equal(seen[0].address, "10.0.0.1:80");
	assert_int_equal(seen[0].state, HEALTH_HEALTHY);
	assert_int_equal(seen[0].n_healthy, 3);
	assert_string_equal(seen[1].address, "10.0.0.2:80");
	health_set(rows[2], HEALTH_UNHEALTHY);
	seen = look(b, SLOTS, t, &n);
	assert_int_equal(seen[0].state, HEALTH_UNHEALTHY);
	assert_int_equal(seen[0].n_unhealthy, 1);
	/* a slot whose worker is gone is not asked */
	assert_int_equal(look(b, 2, t, &n)[0].state, HEALTH_HEALTHY);
}

static void test_no_address_counts_only_where_nobody_has_one(void **state)
{
	struct bed *b = *state;
	uint64_t t = health_target(STR("u"), STR("h:80"));
	const struct health_seen *seen;
	struct health_row *row;
	size_t n;

	for (int i = 0; i < SLOTS; i++)
		health_add(b->workers[i], t, "", HEALTH_NO_ADDRESS);
	seen = look(b, SLOTS, t, &n);
	assert_int_equal(n, 1);
	assert_int_equal(seen->state, HEALTH_NO_ADDRESS);
	row = health_add(b->workers[1], t, "10.0.0.1:80", HEALTH_HEALTHY);
	seen = look(b, SLOTS, t, &n);
	assert_int_equal(n, 1);
	assert_string_equal(seen->address, "10.0.0.1:80");
	assert_int_equal(seen->n_healthy, 1);
	health_remove(b->workers[1], row);
	assert_string_equal(look(b, SLOTS, t, &n)->address, "");
}

static void test_rows_are_used_again_and_have_an_end(void **state)
{
	struct bed *b = *state;
	struct health_row *rows[HEALTH_ROWS];
	struct why why = WHY_NONE;
	size_t n;

	for (uint64_t i = 0; i < HEALTH_ROWS; i++) {
		rows[i] = health_add(b->workers[0], i + 1, "10.0.0.1:80", HEALTH_HEALTHY);
		assert_non_null(rows[i]);
	}
	assert_null(health_add(b->workers[0], 9, "10.0.0.1:80", HEALTH_HEALTHY));
	health_set(NULL, HEALTH_UNHEALTHY);
	health_remove(b->workers[0], rows[7]);
	assert_null(look(b, SLOTS, 8, &n));
	assert_non_null(health_add(b->workers[0], 99999, "[::1]:80", HEALTH_UNHEALTHY));
	assert_string_equal(look(b, SLOTS, 99999, &n)->address, "[::1]:80");
	assert_null(health_add(b->workers[0], 9, "10.0.0.1:80", HEALTH_HEALTHY));
	/* the next process of the slot begins with nothing */
	health_worker_free(b->workers[0]);
	assert_int_equal(health_worker_open(&b->workers[0], b->fd, 0, &why), 0);
	assert_null(look(b, SLOTS, 99999, &n));
	assert_int_equal(b->n, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test_setup_teardown(
					test_an_address_is_unhealthy_when_one_worker_says_so,
					open_bed, close_bed),
			cmocka_unit_test_setup_teardown(
					test_no_address_counts_only_where_nobody_has_one, open_bed,
					close_bed),
			cmocka_unit_test_setup_teardown(test_rows_are_used_again_and_have_an_end,
					open_bed, close_bed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
