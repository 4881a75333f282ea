/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/control_case.h"

#include "base/buf.h"
#include "control/store.h"

#define ID_A "aaaaaaaa-0000-4000-8000-000000000001"
#define ID_B "bbbbbbbb-0000-4000-8000-000000000002"

static struct store *open_store(struct control_case *c)
{
	struct why why = WHY_NONE;
	struct store *s = NULL;

	assert_int_equal(store_open(&s, c->store, &why), 0);
	return s;
}

static struct store_txn *begin(struct store *s, bool is_write)
{
	struct store_txn *t = NULL;

	assert_int_equal(store_begin(s, is_write, &t, NULL), 0);
	return t;
}

static void put(struct store *s, const char *id, const char *json)
{
	struct store_txn *t = begin(s, true);

	assert_int_equal(store_put(t, 1, id, str_of(json), str_of(json)), 0);
	assert_int_equal(store_commit(t, NULL), 0);
}

static void a_change_is_a_generation_and_survives_a_restart(void **state)
{
	sl_auto(store) s = open_store(*state);
	sl_auto(store) again = NULL;
	uint8_t epoch[STORE_EPOCH_BYTES];
	struct store_entity e;
	struct store_txn *t;
	uint64_t first = store_generation(s);

	memcpy(epoch, store_epoch(s), sizeof(epoch));
	put(s, ID_A, "{}");
	assert_int_equal(store_generation(s), first + 1);
	store_free(sl_steal(s));
	again = open_store(*state);
	assert_int_equal(store_generation(again), first + 1);
	assert_memory_equal(store_epoch(again), epoch, sizeof(epoch));
	t = begin(again, false);
	assert_int_equal(store_get(t, 1, ID_A, &e), 0);
	assert_int_equal(e.version, first + 1);
	assert_int_equal(store_get(t, 1, ID_B, &e), STORE_E_NONE);
	store_txn_free(t);
}

static void the_same_bytes_again_and_an_aborted_change_make_no_generation(void **state)
{
	sl_auto(store) s = open_store(*state);
	struct store_txn *t;
	uint64_t generation;

	put(s, ID_A, "{}");
	generation = store_generation(s);
	put(s, ID_A, "{}");
	assert_int_equal(store_generation(s), generation);
	t = begin(s, true);
	assert_int_equal(store_put(t, 1, ID_B, STR("{}"), STR("")), 0);
	store_txn_free(t);
	assert_int_equal(store_generation(s), generation);
}

static int count_change(void *arg, const struct store_change *change)
{
	struct buf *seen = arg;

	buf_printf(seen, "%s%c", change->is_removed ? "-" : "+", change->id[0]);
	return 0;
}

static void changes_since_a_generation_are_told_in_order(void **state)
{
	sl_auto(store) s = open_store(*state);
	sl_auto_buf seen = {0};
	struct store_txn *t;
	uint64_t base;

	put(s, ID_A, "{}");
	base = store_generation(s);
	put(s, ID_B, "{}");
	t = begin(s, true);
	assert_int_equal(store_remove(t, 1, ID_A), 0);
	assert_int_equal(store_commit(t, NULL), 0);
	t = begin(s, false);
	assert_int_equal(store_changes(t, base, count_change, &seen), 0);
	assert_string_equal(buf_z(&seen), "+b-a");
	assert_int_equal(store_changes(t, base + 100, count_change, &seen), STORE_E_NONE);
	store_txn_free(t);
}

static void a_log_that_was_cut_says_so_instead_of_giving_half_a_delta(void **state)
{
	sl_auto(store) s = open_store(*state);
	sl_auto_buf seen = {0};
	struct store_txn *t;
	char id[UUID_TEXT_BYTES];
	uint64_t base;

	put(s, ID_A, "{}");
	base = store_generation(s);
	t = begin(s, true);
	for (unsigned i = 0; i < 70000; i++) {
		snprintf(id, sizeof(id), "%08x-0000-4000-8000-000000000002", i);
		assert_int_equal(store_put(t, 1, id, STR("{}"), STR("x")), 0);
	}
	assert_int_equal(store_commit(t, NULL), 0);
	t = begin(s, false);
	assert_int_equal(store_changes(t, base, count_change, &seen), STORE_E_NONE);
	assert_int_equal(store_changes(t, store_generation(s), count_change, &seen), 0);
	store_txn_free(t);
}

static void the_digest_depends_on_what_is_there_and_not_on_how_it_came(void **state)
{
	sl_auto(store) s = open_store(*state);
	uint8_t before[STORE_SHA_BYTES], after[STORE_SHA_BYTES];
	struct store_txn *t;

	put(s, ID_A, "{}");
	t = begin(s, false);
	store_digest(t, before);
	store_txn_free(t);
	put(s, ID_A, "{\"x\":1}");
	t = begin(s, false);
	store_digest(t, after);
	store_txn_free(t);
	assert_memory_not_equal(before, after, sizeof(before));
	put(s, ID_A, "{}");
	t = begin(s, false);
	store_digest(t, after);
	store_txn_free(t);
	assert_memory_equal(before, after, sizeof(before));
}

static void entities_and_references_are_walked_in_order_of_id(void **state)
{
	sl_auto(store) s = open_store(*state);
	struct store_ref ref = {2, 0, ID_A};
	char child[UUID_TEXT_BYTES];
	struct store_entity e;
	struct store_txn *t;

	put(s, ID_B, "2");
	put(s, ID_A, "1");
	t = begin(s, true);
	assert_int_equal(store_next(t, 1, "", &e), 0);
	assert_string_equal(e.id, ID_A);
	assert_int_equal(store_next(t, 1, ID_A, &e), 0);
	assert_string_equal(e.id, ID_B);
	assert_int_equal(store_next(t, 1, ID_B, &e), STORE_E_NONE);
	assert_int_equal(store_ref_put(t, &ref, ID_B), 0);
	assert_int_equal(store_ref_next(t, &ref, "", child), 0);
	assert_string_equal(child, ID_B);
	assert_int_equal(store_ref_next(t, &ref, ID_B, child), STORE_E_NONE);
	store_txn_free(t);
}

static void a_blob_outlives_its_last_user_for_a_while(void **state)
{
	sl_auto(store) s = open_store(*state);
	uint8_t sha[STORE_SHA_BYTES];
	char json[16];
	struct str blob;
	struct store_txn *t = begin(s, true);

	assert_int_equal(store_blob_put(t, STR("code"), sha), 0);
	assert_int_equal(store_blob_release(t, sha), 0);
	assert_int_equal(store_blob_sweep(t), 0);
	assert_int_equal(store_blob_get(t, sha, &blob), 0);
	assert_true(str_eq(blob, STR("code")));
	assert_int_equal(store_commit(t, NULL), 0);
	for (int i = 0; i < 70; i++) {
		snprintf(json, sizeof(json), "%d", i);
		put(s, ID_A, json);
	}
	t = begin(s, true);
	assert_int_equal(store_blob_sweep(t), 0);
	assert_int_equal(store_blob_get(t, sha, &blob), STORE_E_NONE);
	store_txn_free(t);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, case_begin, case_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
			CASE(a_change_is_a_generation_and_survives_a_restart),
			CASE(the_same_bytes_again_and_an_aborted_change_make_no_generation),
			CASE(changes_since_a_generation_are_told_in_order),
			CASE(a_log_that_was_cut_says_so_instead_of_giving_half_a_delta),
			CASE(the_digest_depends_on_what_is_there_and_not_on_how_it_came),
			CASE(entities_and_references_are_walked_in_order_of_id),
			CASE(a_blob_outlives_its_last_user_for_a_while),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
