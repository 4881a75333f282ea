/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "master/intake.h"
#include "tests/unit/apply_bed.h"

/* The bed's Update, cut into parts of one resource or removal each. */
static int take_in_parts(struct bed *b, struct plan **ret)
{
	Sluice__Stream__V1__Update part = b->update;
	size_t n = b->update.n_removed + b->update.n_resources;
	struct snap_view *v = NULL;
	struct plan_base base = {.source_bytes_max = 1000};
	int r;

	if (snapshot_writer_view(b->writer, &v, &b->why) == 0)
		base.held = v;
	b->refused_for = "";
	part.n_resources = part.n_removed = 0;
	part.has_more = true;
	r = intake_start(ret, &part, &base, b->writer, &b->refused_for, &b->why);
	snap_view_unref(v);
	for (size_t i = 0; r == 0 && i < n; i++) {
		bool is_removal = i < b->update.n_removed;

		part.part = (uint32_t)i;
		part.has_more = i + 1 < n;
		part.n_removed = is_removal;
		part.n_resources = !is_removal;
		part.removed = b->removed + i;
		part.resources = b->resources + (i - b->update.n_removed);
		r = intake_take(*ret, &part, &b->refused_for, &b->why);
	}
	return r;
}

static int take_and_commit(struct bed *b)
{
	int r;

	plan_free(b->plan);
	b->plan = NULL;
	bed_seal(b);
	r = take_in_parts(b, &b->plan);
	if (r != 0)
		return r;
	assert_true(b->plan->intake->is_complete);
	bed_judge_code(b, true);
	return apply_commit(b->plan, b->writer, &b->why);
}

static void drop_plan(struct bed *b)
{
	plan_free(b->plan);
	b->plan = NULL;
}

static void parts_become_one_generation_and_nothing_before_the_last(void **state)
{
	struct bed *b = *state;
	struct snap_view *before, *after;

	bed_begin(b, 0, 4);
	bed_add_service(b, "s0", 1);
	bed_commit(b);
	before = bed_view(b);
	bed_begin(b, 0, 5);
	bed_add_service(b, "s1", 1);
	bed_add_route(b, "r1", "s1");
	bed_add_instance(b, "i1", 1, "{\"word\":\"hi\"}");
	bed_add_code(b, 1, "return 1");
	assert_int_equal(take_and_commit(b), 0);
	after = bed_view(b);
	assert_int_equal(snap_view_generation(before), 4);
	assert_non_null(snap_get(before, KIND(SERVICE), STR("s0")).p);
	assert_int_equal(snap_view_generation(after), 5);
	assert_null(snap_get(after, KIND(SERVICE), STR("s0")).p);
	assert_non_null(snap_get(after, KIND(ROUTE), STR("r1")).p);
	assert_non_null(snap_get(after, KIND(PLUGIN_INSTANCE), STR("i1")).p);
	assert_true(str_eq(snap_view_digest(after), (struct str){(char *)b->digest, 32}));
	snap_view_unref(before);
	snap_view_unref(after);
}

static void a_delta_in_parts_follows_a_full_one(void **state)
{
	struct bed *b = *state;
	struct snap_view *v;

	bed_first_generation(b);
	bed_begin(b, 5, 6);
	bed_add_service(b, "s1", 6);
	bed_add_service(b, "s2", 6);
	bed_remove_one(b, KIND(PLUGIN_INSTANCE), "i1");
	bed_remove_one(b, KIND(PLUGIN_CODE), "code");
	assert_int_equal(take_and_commit(b), 0);
	v = bed_view(b);
	assert_int_equal(snap_version(v, KIND(SERVICE), STR("s1")), 6);
	assert_non_null(snap_get(v, KIND(ROUTE), STR("r1")).p);
	assert_null(snap_get(v, KIND(PLUGIN_CODE), STR("code")).p);
	snap_view_unref(v);
}

static void what_is_rejected_in_a_part_keeps_what_it_had_and_counts_in_the_digest(void **state)
{
	struct bed *b = *state;
	struct snap_view *v;

	bed_first_generation(b);
	bed_begin(b, 0, 6);
	bed_add_service(b, "s1", 6);
	bed_add_route(b, "r1", "nowhere");
	assert_int_equal(take_and_commit(b), 0);
	assert_int_equal(b->plan->n, 1);
	assert_string_equal(bed_reason(b, KIND(ROUTE), "r1"), "reference");
	v = bed_view(b);
	assert_int_equal(snap_version(v, KIND(ROUTE), STR("r1")), 1);
	snap_view_unref(v);
	bed_begin(b, 6, 7);
	bed_add_route(b, "r1", "s1");
	assert_int_equal(take_and_commit(b), 0);
	assert_int_equal(b->plan->n, 0);
}

static void a_wrong_digest_shows_at_the_last_part_and_nothing_changes(void **state)
{
	struct bed *b = *state;
	struct snap_view *v;

	bed_first_generation(b);
	drop_plan(b);
	bed_begin(b, 5, 6);
	bed_add_service(b, "s1", 6);
	bed_add_service(b, "s2", 6);
	bed_seal(b);
	b->digest[0] ^= 1;
	assert_int_equal(take_in_parts(b, &b->plan), -EINVAL);
	assert_string_equal(b->refused_for, "digest");
	drop_plan(b);
	v = bed_view(b);
	assert_int_equal(snap_view_generation(v), 5);
	assert_null(snap_get(v, KIND(SERVICE), STR("s2")).p);
	snap_view_unref(v);
	assert_int_equal(take_and_commit(b), 0);
}

static void parts_out_of_order_or_named_twice_refuse_the_update(void **state)
{
	struct bed *b = *state;
	const char *const second[] = {"s1", "s0"};

	for (size_t i = 0; i < 2; i++) {
		bed_begin(b, 0, 6);
		bed_add_service(b, "s1", 6);
		bed_add_service(b, second[i], 6);
		assert_int_equal(take_and_commit(b), -EINVAL);
		assert_string_equal(b->refused_for, "malformed");
		drop_plan(b);
	}
}

static void a_part_that_is_missing_or_of_another_update_refuses_it(void **state)
{
	struct bed *b = *state;
	struct plan_base base = {.source_bytes_max = 1000};
	Sluice__Stream__V1__Update part;

	bed_begin(b, 0, 6);
	bed_add_service(b, "s1", 6);
	part = b->update;
	part.has_more = true;
	for (int i = 0; i < 2; i++) {
		assert_int_equal(intake_start(&b->plan, &part, &base, b->writer, &b->refused_for,
						 &b->why),
				0);
		assert_int_equal(intake_take(b->plan, &part, &b->refused_for, &b->why), 0);
		part.part = i == 0 ? 2 : 1;
		part.generation = 6 + (uint64_t)i;
		assert_true(intake_is_part_of(b->plan, &part));
		assert_int_equal(intake_take(b->plan, &part, &b->refused_for, &b->why), -EINVAL);
		assert_string_equal(b->refused_for, "malformed");
		drop_plan(b);
		part.part = 0;
		part.generation = 6;
	}
}

#define CLAIM(f) cmocka_unit_test_setup_teardown(f, bed_set_up, bed_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
			CLAIM(parts_become_one_generation_and_nothing_before_the_last),
			CLAIM(a_delta_in_parts_follows_a_full_one),
			CLAIM(what_is_rejected_in_a_part_keeps_what_it_had_and_counts_in_the_digest),
			CLAIM(a_wrong_digest_shows_at_the_last_part_and_nothing_changes),
			CLAIM(parts_out_of_order_or_named_twice_refuse_the_update),
			CLAIM(a_part_that_is_missing_or_of_another_update_refuses_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
