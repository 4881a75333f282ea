/* SPDX-License-Identifier: Apache-2.0
 *
 * Updates against a real snapshot, with verdicts made by hand.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "tests/unit/apply_bed.h"

/* ---- the claims ---- */

static void a_full_update_becomes_one_generation_with_the_nodes_own_verdict(void **state)
{
	struct bed *b = *state;
	Sluice__Record__PluginCode *c;
	struct snap_view *v;
	struct str record;

	bed_first_generation(b);
	v = bed_view(b);
	assert_int_equal(snap_view_generation(v), 5);
	assert_int_equal(snap_version(v, KIND(SERVICE), STR("s1")), 1);
	record = snap_get_by_name(v, KIND(PLUGIN_CODE), STR("greet"));
	c = sluice__record__plugin_code__unpack(NULL, record.n, (const uint8_t *)record.p);
	assert_non_null(c);
	assert_int_equal(c->priority, 7);
	assert_int_equal(c->phases, 8);
	assert_int_equal(c->handler_bytecode_sha256.len, 32);
	assert_true(str_eq(snap_blob(v, c->handler_bytecode_sha256.data), STR("bytecode")));
	sluice__record__plugin_code__free_unpacked(c, NULL);
	snap_view_unref(v);
}

static void a_delta_changes_what_it_names_and_removes_what_it_says(void **state)
{
	struct bed *b = *state;
	struct snap_view *v;

	bed_first_generation(b);
	bed_begin(b, 5, 6);
	bed_add_service(b, "s2", 1);
	bed_remove_one(b, KIND(ROUTE), "r1");
	bed_commit(b);
	v = bed_view(b);
	assert_int_equal(snap_view_generation(v), 6);
	assert_int_equal(snap_count(v, KIND(SERVICE)), 2);
	assert_int_equal(snap_count(v, KIND(ROUTE)), 0);
	assert_int_equal(bed_outcome(b, KIND(ROUTE), "r1"), PLAN_REMOVED);
	snap_view_unref(v);
}

static void a_full_update_takes_away_what_it_does_not_name(void **state)
{
	struct bed *b = *state;
	struct snap_view *v;

	bed_first_generation(b);
	bed_begin(b, 0, 6);
	bed_add_service(b, "s9", 1);
	bed_commit(b);
	v = bed_view(b);
	assert_int_equal(snap_count(v, KIND(SERVICE)), 1);
	assert_int_equal(snap_count(v, KIND(PLUGIN_CODE)), 0);
	snap_view_unref(v);
}

static void an_older_generation_of_the_same_epoch_is_refused_as_rollback(void **state)
{
	struct bed *b = *state;

	bed_first_generation(b);
	bed_begin(b, 0, 4);
	bed_seal(b);
	assert_int_equal(bed_plan_it(b), -EINVAL);
	assert_string_equal(b->refused_for, "rollback");
}

static void a_restored_store_with_a_lower_generation_is_taken_for_its_new_epoch(void **state)
{
	struct bed *b = *state;

	bed_first_generation(b);
	bed_begin(b, 0, 2);
	b->update.epoch.data = (uint8_t[]){"another-epoch-16"};
	bed_add_service(b, "s1", 1);
	bed_commit(b);
}

static void a_delta_against_another_generation_is_refused_for_its_base(void **state)
{
	struct bed *b = *state;

	bed_first_generation(b);
	bed_begin(b, 4, 6);
	bed_seal(b);
	assert_int_equal(bed_plan_it(b), -EINVAL);
	assert_string_equal(b->refused_for, "base");
	bed_begin(b, 5, 6);
	b->update.epoch.data = (uint8_t[]){"another-epoch-16"};
	bed_seal(b);
	assert_int_equal(bed_plan_it(b), -EINVAL);
	assert_string_equal(b->refused_for, "base");
}

static void a_wrong_digest_refuses_the_update_as_a_whole(void **state)
{
	struct bed *b = *state;

	bed_begin(b, 0, 5);
	bed_add_service(b, "s1", 1);
	bed_seal(b);
	b->digest[0] ^= 1;
	assert_int_equal(bed_plan_it(b), -EINVAL);
	assert_string_equal(b->refused_for, "digest");
}

static void impossible_fields_refuse_the_update_as_malformed(void **state)
{
	struct bed *b = *state;

	bed_begin(b, 0, 5);
	bed_add_service(b, "s1", 1);
	bed_seal(b);
	b->update.epoch.len = 0;
	assert_int_equal(bed_plan_it(b), -EINVAL);
	assert_string_equal(b->refused_for, "malformed");
	bed_begin(b, 0, 5);
	bed_add_service(b, "s1", 1);
	bed_add_service(b, "s2", 1);
	bed_seal(b);
	b->resources[1]->id = b->resources[0]->id;
	assert_int_equal(bed_plan_it(b), -EINVAL);
	assert_string_equal(b->refused_for, "malformed");
}

static void a_spec_that_does_not_hash_is_rejected_and_the_rest_goes_in(void **state)
{
	struct bed *b = *state;
	struct snap_view *v;

	bed_begin(b, 0, 5);
	bed_add_service(b, "s1", 1);
	bed_add_service(b, "s2", 1);
	b->store[1].spec[0] ^= 1;
	bed_commit(b);
	assert_string_equal(bed_reason(b, KIND(SERVICE), "s2"), "hash");
	v = bed_view(b);
	assert_int_equal(snap_count(v, KIND(SERVICE)), 1);
	snap_view_unref(v);
}

static void a_resource_of_an_unknown_kind_is_rejected_and_the_rest_goes_in(void **state)
{
	struct bed *b = *state;

	bed_begin(b, 0, 5);
	bed_add_service(b, "s1", 1);
	bed_add_service(b, "s2", 1);
	b->resources[1]->kind = 77;
	bed_commit(b);
	assert_string_equal(bed_reason(b, 77, "s2"), "format");
	assert_int_equal(bed_outcome(b, KIND(SERVICE), "s1"), PLAN_ACCEPTED);
}

/* What a later version of this program knows is asked for anew. */
static void a_refusal_may_be_outlived_when_its_kind_is_known(void **state)
{
	struct bed *b = *state;
	struct snap_view *v;
	static char other[] = "other";

	bed_begin(b, 0, 5);
	bed_add_service(b, "s1", 1);
	bed_add_service(b, "s2", 1);
	b->resources[1]->kind = 77;
	bed_commit(b);
	v = bed_view(b);
	assert_false(plan_may_know_better(v));
	snap_view_unref(v);
	bed_begin(b, 5, 6);
	bed_add_service(b, "s3", 1);
	b->resources[0]->kind = KIND(PLUGIN_INSTANCE);
	b->resources[0]->id = other;
	bed_commit(b);
	assert_string_equal(bed_reason(b, KIND(PLUGIN_INSTANCE), "other"), "format");
	v = bed_view(b);
	assert_true(plan_may_know_better(v));
	snap_view_unref(v);
}

static void refused_code_keeps_its_last_good_version_and_says_why(void **state)
{
	struct bed *b = *state;
	struct snap_refusal refusal;
	struct snap_view *v;

	bed_first_generation(b);
	bed_begin(b, 5, 6);
	bed_add_code(b, 2, "retrun 2");
	bed_add_service(b, "s2", 1);
	bed_seal(b);
	assert_int_equal(bed_plan_it(b), 0);
	bed_judge_code(b, false);
	assert_int_equal(apply_commit(b->plan, b->writer, &b->why), 0);
	assert_string_equal(bed_reason(b, KIND(PLUGIN_CODE), "code"), "syntax");
	assert_int_equal(plan_find(b->plan, KIND(PLUGIN_CODE), "code")->in_force, 1);
	v = bed_view(b);
	assert_int_equal(snap_view_generation(v), 6);
	assert_int_equal(snap_version(v, KIND(PLUGIN_CODE), STR("code")), 1);
	assert_true(snap_refusal(v, KIND(PLUGIN_CODE), STR("code"), &refusal));
	assert_int_equal(refusal.line, 3);
	assert_int_equal(refusal.version, 2);
	assert_int_equal(snap_count(v, KIND(SERVICE)), 2);
	snap_view_unref(v);
}

static void refused_code_in_a_full_update_keeps_its_last_good_version_too(void **state)
{
	struct bed *b = *state;
	struct snap_view *v;

	bed_first_generation(b);
	bed_begin(b, 0, 6);
	bed_add_code(b, 2, "retrun 2");
	bed_seal(b);
	assert_int_equal(bed_plan_it(b), 0);
	bed_judge_code(b, false);
	assert_int_equal(apply_commit(b->plan, b->writer, &b->why), 0);
	v = bed_view(b);
	assert_int_equal(snap_version(v, KIND(PLUGIN_CODE), STR("code")), 1);
	assert_int_equal(snap_count(v, KIND(SERVICE)), 0);
	snap_view_unref(v);
}

static void an_instance_that_fits_only_refused_code_stays_with_the_old_one(void **state)
{
	struct bed *b = *state;
	struct snap_view *v;

	bed_first_generation(b);
	bed_begin(b, 5, 6);
	bed_add_code(b, 2, "retrun 2");
	bed_add_instance(b, "i1", 2, "{\"new_field\":true}");
	bed_add_instance(b, "i2", 1, "{\"word\":\"fits both\"}");
	bed_seal(b);
	assert_int_equal(bed_plan_it(b), 0);
	bed_judge_code(b, false);
	assert_int_equal(apply_commit(b->plan, b->writer, &b->why), 0);
	assert_string_equal(bed_reason(b, KIND(PLUGIN_INSTANCE), "i1"), "config");
	assert_int_equal(bed_outcome(b, KIND(PLUGIN_INSTANCE), "i2"), PLAN_ACCEPTED);
	v = bed_view(b);
	assert_int_equal(snap_version(v, KIND(PLUGIN_INSTANCE), STR("i1")), 1);
	assert_int_equal(snap_version(v, KIND(PLUGIN_INSTANCE), STR("i2")), 1);
	snap_view_unref(v);
}

static void what_refers_to_nothing_is_rejected_and_may_fit_later(void **state)
{
	struct bed *b = *state;

	bed_begin(b, 0, 5);
	bed_add_route(b, "r1", "nowhere");
	bed_add_instance(b, "i1", 1, "{}");
	bed_commit(b);
	assert_string_equal(bed_reason(b, KIND(ROUTE), "r1"), "reference");
	assert_string_equal(bed_reason(b, KIND(PLUGIN_INSTANCE), "i1"), "reference");
	assert_true(plan_has_misfits(b->plan));
	bed_begin(b, 5, 6);
	bed_add_service(b, "nowhere", 1);
	bed_commit(b);
	assert_false(plan_has_misfits(b->plan));
	assert_true(plan_may_heal(b->plan));
}

static void code_over_the_limit_is_rejected_before_it_is_fetched(void **state)
{
	struct bed *b = *state;
	char big[1100];

	memset(big, 'x', sizeof(big));
	big[sizeof(big) - 1] = '\0';
	bed_begin(b, 0, 5);
	bed_add_code(b, 1, big);
	bed_commit(b);
	assert_string_equal(bed_reason(b, KIND(PLUGIN_CODE), "code"), "too_big");
}

static void code_in_force_is_not_checked_twice(void **state)
{
	struct bed *b = *state;
	struct snap_view *v;

	bed_first_generation(b);
	bed_begin(b, 5, 6);
	bed_add_code(b, 2, "return 1");
	bed_seal(b);
	assert_int_equal(bed_plan_it(b), 0);
	v = bed_view(b);
	assert_true(apply_known(plan_find_plugin(b->plan, "greet"), v));
	snap_view_unref(v);
	bed_begin(b, 5, 6);
	bed_add_code(b, 2, "return 2");
	bed_seal(b);
	assert_int_equal(bed_plan_it(b), 0);
	v = bed_view(b);
	assert_false(apply_known(plan_find_plugin(b->plan, "greet"), v));
	snap_view_unref(v);
}

#define CLAIM(f) cmocka_unit_test_setup_teardown(f, bed_set_up, bed_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
			CLAIM(a_full_update_becomes_one_generation_with_the_nodes_own_verdict),
			CLAIM(a_delta_changes_what_it_names_and_removes_what_it_says),
			CLAIM(a_full_update_takes_away_what_it_does_not_name),
			CLAIM(an_older_generation_of_the_same_epoch_is_refused_as_rollback),
			CLAIM(a_restored_store_with_a_lower_generation_is_taken_for_its_new_epoch),
			CLAIM(a_delta_against_another_generation_is_refused_for_its_base),
			CLAIM(a_wrong_digest_refuses_the_update_as_a_whole),
			CLAIM(impossible_fields_refuse_the_update_as_malformed),
			CLAIM(a_spec_that_does_not_hash_is_rejected_and_the_rest_goes_in),
			CLAIM(a_resource_of_an_unknown_kind_is_rejected_and_the_rest_goes_in),
			CLAIM(a_refusal_may_be_outlived_when_its_kind_is_known),
			CLAIM(refused_code_keeps_its_last_good_version_and_says_why),
			CLAIM(refused_code_in_a_full_update_keeps_its_last_good_version_too),
			CLAIM(an_instance_that_fits_only_refused_code_stays_with_the_old_one),
			CLAIM(what_refers_to_nothing_is_rejected_and_may_fit_later),
			CLAIM(code_over_the_limit_is_rejected_before_it_is_fetched),
			CLAIM(code_in_force_is_not_checked_twice),
	};

	return cmocka_run_group_tests_name("apply", tests, NULL, NULL);
}
