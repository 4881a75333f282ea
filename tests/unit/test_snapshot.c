/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/snap_fixture.h"

#include <errno.h>
#include <openssl/sha.h>
#include <sys/stat.h>

static void put_consumer(struct snap_txn *t, const char *id, const char *name, uint64_t version)
{
	Sluice__Record__Consumer c = SLUICE__RECORD__CONSUMER__INIT;

	c.id = (char *)(uintptr_t)id;
	c.username = (char *)(uintptr_t)name;
	assert_int_equal(put_message(t, CONSUMER, id, version, &c.base), 0);
}

struct scope {
	const char *plugin, *route, *service, *consumer, *group;
};

static void put_instance(struct snap_txn *t, const char *id, struct scope s, bool is_enabled)
{
	Sluice__Record__PluginInstance i = SLUICE__RECORD__PLUGIN_INSTANCE__INIT;

	i.id = (char *)(uintptr_t)id;
	i.name = (char *)(uintptr_t)s.plugin;
	i.route_id = (char *)(uintptr_t)(s.route != NULL ? s.route : "");
	i.service_id = (char *)(uintptr_t)(s.service != NULL ? s.service : "");
	i.consumer_id = (char *)(uintptr_t)(s.consumer != NULL ? s.consumer : "");
	i.consumer_group_id = (char *)(uintptr_t)(s.group != NULL ? s.group : "");
	i.enabled = is_enabled;
	assert_int_equal(put_message(t, INSTANCE, id, 1, &i.base), 0);
}

static void put_code(struct snap_txn *t, const char *id, const char *name, const uint8_t *handler)
{
	Sluice__Record__PluginCode c = SLUICE__RECORD__PLUGIN_CODE__INIT;

	c.id = (char *)(uintptr_t)id;
	c.name = (char *)(uintptr_t)name;
	c.handler_sha256 = (ProtobufCBinaryData){32, (uint8_t *)(uintptr_t)handler};
	assert_int_equal(put_message(t, CODE, id, 1, &c.base), 0);
}

static void remove_record(struct snap_txn *t, uint32_t kind, const char *id)
{
	assert_int_equal(snap_txn_delete(t, kind, str_of(id), NULL), 0);
}

static void a_new_directory_holds_no_generation_yet(void **state)
{
	sl_auto(snapshot_writer) w = NULL;
	struct fixture *f = *state;
	struct snap_view *v = NULL;
	struct snapshot *s = NULL;
	struct why why = WHY_NONE;

	assert_int_equal(snapshot_open(&s, f->dir, &why), SNAP_E_NONE_YET);
	w = open_writer(f);
	assert_int_equal(snapshot_writer_view(w, &v, &why), SNAP_E_NONE_YET);
}

static void what_is_committed_is_read_by_id_and_by_name(void **state)
{
	sl_auto(snapshot_writer) w = open_writer(*state);
	struct snap_txn *t = begin(w);
	struct snap_view *v;

	put_service(t, "s1", "first", true);
	put_consumer(t, "c1", "ann", 7);
	commit(t, 42);
	v = view_of(w);
	assert_int_equal(snap_view_generation(v), 42);
	assert_true(str_eq(snap_view_epoch(v), STR("0123456789abcdef")));
	assert_true(str_eq(snap_view_digest(v), STR("digest")));
	assert_true(snap_get(v, SERVICE, STR("s1")).n != 0);
	assert_true(str_eq(snap_get(v, SERVICE, STR("s1")),
			snap_get_by_name(v, SERVICE, STR("first"))));
	assert_int_equal(snap_version(v, CONSUMER, STR("c1")), 7);
	assert_int_equal(snap_count(v, CONSUMER), 1);
	assert_null(snap_get(v, SERVICE, STR("c1")).p);
	assert_null(snap_get(v, ROUTE, STR("s1")).p);
	assert_null(snap_get_by_name(v, SERVICE, STR("none")).p);
	assert_int_equal(snap_version(v, SERVICE, STR("none")), 0);
	snap_view_unref(v);
}

static void a_name_moves_with_its_record_also_when_two_are_swapped(void **state)
{
	sl_auto(snapshot_writer) w = open_writer(*state);
	struct snap_txn *t = begin(w);
	struct snap_view *v;

	put_consumer(t, "c1", "ann", 1);
	put_consumer(t, "c2", "bob", 1);
	put_consumer(t, "c1", "bob", 2);
	put_consumer(t, "c2", "ann", 2);
	commit(t, 1);
	v = view_of(w);
	assert_true(str_eq(snap_get_by_name(v, CONSUMER, STR("ann")),
			snap_get(v, CONSUMER, STR("c2"))));
	assert_true(str_eq(snap_get_by_name(v, CONSUMER, STR("bob")),
			snap_get(v, CONSUMER, STR("c1"))));
	snap_view_unref(v);
	t = begin(w);
	remove_record(t, CONSUMER, "c1");
	remove_record(t, CONSUMER, "never-there");
	commit(t, 2);
	v = view_of(w);
	assert_null(snap_get_by_name(v, CONSUMER, STR("bob")).p);
	assert_int_equal(snap_count(v, CONSUMER), 1);
	snap_view_unref(v);
}

static bool collect_id(void *arg, struct str id, uint64_t version, struct str record)
{
	char *list = arg;

	(void)version, (void)record;
	strncat(list, id.p, id.n);
	strcat(list, " ");
	return strlen(list) < 9;
}

static void records_of_a_kind_come_in_order_until_the_reader_stops(void **state)
{
	sl_auto(snapshot_writer) w = open_writer(*state);
	struct snap_txn *t = begin(w);
	char list[64] = "";
	struct snap_view *v;

	put_consumer(t, "c2", "b", 1);
	put_consumer(t, "c1", "a", 1);
	put_consumer(t, "c3", "c", 1);
	put_consumer(t, "c4", "d", 1);
	put_service(t, "s1", "x", true);
	commit(t, 1);
	v = view_of(w);
	snap_each(v, CONSUMER, collect_id, list);
	assert_string_equal(list, "c1 c2 c3 ");
	list[0] = '\0';
	snap_each(v, ROUTE, collect_id, list);
	assert_string_equal(list, "");
	snap_view_unref(v);
}

static void an_aborted_transaction_changes_nothing(void **state)
{
	sl_auto(snapshot_writer) w = open_writer(*state);
	struct snap_txn *t = begin(w);
	struct why why = WHY_NONE;
	struct snap_txn *second = NULL;
	struct snap_view *v;

	put_consumer(t, "c1", "ann", 1);
	commit(t, 1);
	t = begin(w);
	put_consumer(t, "c2", "bob", 1);
	assert_int_equal(snap_txn_clear(t, &why), 0);
	assert_int_equal(snap_txn_begin(w, &second, &why), -EBUSY);
	snap_txn_free(t);
	v = view_of(w);
	assert_int_equal(snap_view_generation(v), 1);
	assert_int_equal(snap_count(v, CONSUMER), 1);
	assert_true(snap_get(v, CONSUMER, STR("c1")).n != 0);
	snap_view_unref(v);
}

static void clear_leaves_only_what_is_put_after_it(void **state)
{
	sl_auto(snapshot_writer) w = open_writer(*state);
	struct snap_txn *t = begin(w);
	struct snap_view *v;

	put_consumer(t, "c1", "ann", 1);
	put_instance(t, "i1", (struct scope){.plugin = "p", .consumer = "c1"}, true);
	commit(t, 1);
	t = begin(w);
	assert_int_equal(snap_txn_clear(t, NULL), 0);
	put_consumer(t, "c2", "bob", 1);
	commit(t, 2);
	v = view_of(w);
	assert_int_equal(snap_count(v, CONSUMER), 1);
	assert_int_equal(snap_count(v, INSTANCE), 0);
	assert_null(snap_get_by_name(v, CONSUMER, STR("ann")).p);
	assert_false(snap_has_consumer_scope(v, STR("p")));
	snap_view_unref(v);
}

static void a_view_keeps_its_generation_while_newer_ones_are_committed(void **state)
{
	sl_auto(snapshot_writer) w = open_writer(*state);
	struct snap_txn *t = begin(w);
	struct snap_view *old, *now;

	put_consumer(t, "c1", "ann", 1);
	commit(t, 1);
	old = snap_view_ref(view_of(w));
	snap_view_unref(old);
	t = begin(w);
	put_consumer(t, "c1", "eve", 2);
	now = view_of(w);
	assert_int_equal(snap_view_generation(now), 1);
	snap_view_unref(now);
	commit(t, 2);
	assert_int_equal(snap_version(old, CONSUMER, STR("c1")), 1);
	assert_true(snap_get_by_name(old, CONSUMER, STR("ann")).n != 0);
	now = view_of(w);
	assert_int_equal(snap_version(now, CONSUMER, STR("c1")), 2);
	assert_null(snap_get_by_name(now, CONSUMER, STR("ann")).p);
	snap_view_unref(now);
	snap_view_unref(old);
}

static void instances_are_found_by_exact_scope_unless_disabled(void **state)
{
	sl_auto(snapshot_writer) w = open_writer(*state);
	struct snap_txn *t = begin(w);
	struct str none = STR_NONE;
	struct snap_view *v;

	put_instance(t, "global", (struct scope){.plugin = "p"}, true);
	put_instance(t, "route", (struct scope){.plugin = "p", .route = "r1"}, true);
	put_instance(t, "all", (struct scope){"p", "r1", "s1", "c1", NULL}, true);
	put_instance(t, "off", (struct scope){.plugin = "q", .consumer = "c1"}, false);
	commit(t, 1);
	v = view_of(w);
	assert_true(str_eq(snap_instance(v, STR("p"), none, none, none), STR("global")));
	assert_true(str_eq(snap_instance(v, STR("p"), STR("r1"), none, none), STR("route")));
	assert_true(str_eq(
			snap_instance(v, STR("p"), STR("r1"), STR("s1"), STR("c1")), STR("all")));
	assert_null(snap_instance(v, STR("p"), none, STR("r1"), none).p);
	assert_null(snap_instance(v, STR("q"), none, none, STR("c1")).p);
	assert_true(snap_has_consumer_scope(v, STR("p")));
	assert_false(snap_has_consumer_scope(v, STR("q")));
	snap_view_unref(v);
	t = begin(w);
	put_instance(t, "off", (struct scope){.plugin = "q", .consumer = "c1"}, true);
	put_instance(t, "all", (struct scope){"p", "r1", "s1", "c1", NULL}, false);
	put_instance(t, "global-2", (struct scope){.plugin = "p"}, true);
	remove_record(t, INSTANCE, "global");
	commit(t, 2);
	v = view_of(w);
	assert_true(str_eq(snap_instance(v, STR("p"), none, none, none), STR("global-2")));
	assert_true(snap_has_consumer_scope(v, STR("q")));
	assert_false(snap_has_consumer_scope(v, STR("p")));
	snap_view_unref(v);
}

static void instances_of_groups_are_apart_from_those_of_consumers(void **state)
{
	sl_auto(snapshot_writer) w = open_writer(*state);
	struct snap_txn *t = begin(w);
	struct str p = STR("p"), none = STR_NONE, x = STR("x");
	struct snap_view *v;

	/* a group's id stands in for the consumer's, too (shm/record.proto) */
	put_instance(t, "group", (struct scope){"p", NULL, NULL, "x", "x"}, true);
	put_instance(t, "group on r", (struct scope){"p", "r", NULL, "x", "x"}, true);
	put_instance(t, "off", (struct scope){"q", NULL, NULL, "x", "x"}, false);
	commit(t, 1);
	v = view_of(w);
	assert_true(str_eq(snap_group_instance(v, p, none, none, x), STR("group")));
	assert_true(str_eq(snap_group_instance(v, p, STR("r"), none, x), STR("group on r")));
	assert_null(snap_group_instance(v, p, none, STR("r"), x).p);
	assert_null(snap_instance(v, p, none, none, x).p);
	assert_null(snap_instance(v, p, none, none, none).p);
	assert_true(snap_has_group_scope(v, p) && !snap_has_consumer_scope(v, p));
	assert_false(snap_has_group_scope(v, STR("q")));
	snap_view_unref(v);
	t = begin(w);
	put_instance(t, "group", (struct scope){.plugin = "p", .consumer = "x"}, true);
	remove_record(t, INSTANCE, "group on r");
	commit(t, 2);
	v = view_of(w);
	assert_true(str_eq(snap_instance(v, p, none, none, x), STR("group")));
	assert_null(snap_group_instance(v, p, none, none, x).p);
	assert_true(!snap_has_group_scope(v, p) && snap_has_consumer_scope(v, p));
	snap_view_unref(v);
}

static void code_stays_while_a_record_refers_to_it_and_no_longer(void **state)
{
	sl_auto(snapshot_writer) w = open_writer(*state);
	uint8_t used[32], loose[32];
	struct why why = WHY_NONE;
	struct snap_txn *t;
	struct snap_view *v;

	SHA256((const uint8_t *)"used", 4, used);
	SHA256((const uint8_t *)"loose", 5, loose);
	assert_int_equal(snapshot_put_blob(w, used, STR("used"), &why), 0);
	assert_int_equal(snapshot_put_blob(w, used, STR("used"), &why), 0);
	assert_int_equal(snapshot_put_blob(w, loose, STR("loose"), &why), 0);
	assert_int_equal(snapshot_put_blob(w, loose, STR("other"), &why), -EBADMSG);
	assert_true(snapshot_has_blob(w, loose));
	t = begin(w);
	put_code(t, "p1", "plugin", used);
	assert_int_equal(snapshot_put_blob(w, loose, STR("loose"), &why), 0);
	commit(t, 1);
	assert_false(snapshot_has_blob(w, loose));
	v = view_of(w);
	assert_true(str_eq(snap_blob(v, used), STR("used")));
	assert_null(snap_blob(v, loose).p);
	assert_int_equal(snapshot_put_blob(w, loose, STR("loose"), &why), 0);
	t = begin(w);
	put_code(t, "p1", "plugin", loose);
	commit(t, 2);
	assert_false(snapshot_has_blob(w, used));
	assert_true(str_eq(snap_blob(v, used), STR("used")));
	snap_view_unref(v);
}

static void a_refusal_is_told_beside_the_record_that_still_serves(void **state)
{
	sl_auto(snapshot_writer) w = open_writer(*state);
	struct snap_refusal refusal = {9, STR("syntax"), STR("handler.lua"), STR("no"), STR_NONE,
					    3},
			    found;
	struct snap_txn *t = begin(w);
	uint8_t hash[32] = {0};
	struct snap_view *v;

	put_code(t, "p1", "plugin", hash);
	assert_int_equal(snap_txn_refuse(t, CODE, STR("p1"), &refusal, NULL), 0);
	commit(t, 1);
	v = view_of(w);
	assert_int_equal(snap_version(v, CODE, STR("p1")), 1);
	assert_true(snap_refusal(v, CODE, STR("p1"), &found));
	assert_int_equal(found.version, 9);
	assert_int_equal(found.line, 3);
	assert_true(str_eq(found.code, STR("syntax")) && str_eq(found.file, STR("handler.lua")) &&
			str_eq(found.text, STR("no")));
	assert_false(snap_refusal(v, CODE, STR("p2"), &found));
	snap_view_unref(v);
	t = begin(w);
	put_code(t, "p1", "plugin", hash);
	commit(t, 2);
	v = view_of(w);
	assert_false(snap_refusal(v, CODE, STR("p1"), &found));
	snap_view_unref(v);
}

static void records_that_no_index_can_hold_are_refused_and_the_rest_goes_on(void **state)
{
	sl_auto(snapshot_writer) w = open_writer(*state);
	struct snap_txn *t = begin(w);
	char long_text[300] = "";
	struct str bad[] = {STR(""), {long_text, 97}, STR("a\0b")};
	struct why why = WHY_NONE;
	Sluice__Record__Service s = SLUICE__RECORD__SERVICE__INIT;
	struct snap_view *v;

	memset(long_text, 'x', sizeof(long_text) - 1);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(snap_txn_put(t, SERVICE, bad[i], 1, STR_NONE, &why), -EINVAL);
	assert_int_equal(snap_txn_put(t, 0, STR("a"), 1, STR_NONE, &why), -EINVAL);
	assert_int_equal(snap_txn_put(t, 31, STR("a"), 1, STR_NONE, &why), -EINVAL);
	assert_int_equal(snap_txn_put(t, SERVICE, STR("a"), 1, STR("\x0a\xff"), &why), -EINVAL);
	s.name = long_text;
	assert_int_equal(put_message(t, SERVICE, "s", 1, &s.base), -EINVAL);
	put_service(t, "s1", "fine", true);
	commit(t, 1);
	v = view_of(w);
	assert_int_equal(snap_count(v, SERVICE), 1);
	snap_view_unref(v);
}

static void a_second_writer_and_a_second_open_are_refused(void **state)
{
	sl_auto(snapshot_writer) w = open_writer(*state);
	struct fixture *f = *state;
	struct snapshot_writer *second = NULL;
	struct snapshot *s = NULL;
	struct why why = WHY_NONE;

	assert_non_null(w);
	assert_int_equal(snapshot_writer_open(&second, f->dir, (unsigned)-1, &why), -EBUSY);
	assert_non_null(strstr(why.text, "another sluiced"));
	assert_int_equal(snapshot_open(&s, f->dir, &why), -EBUSY);
	assert_null(second);
}

static void files_are_for_the_owner_and_the_group_only(void **state)
{
	sl_auto(snapshot_writer) w = NULL;
	struct fixture *f = *state;
	struct why why = WHY_NONE;
	char path[128];
	struct stat st;

	assert_int_equal(snapshot_writer_open(&w, f->dir, getegid(), &why), 0);
	assert_int_equal(stat(f->dir, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0750);
	snprintf(path, sizeof(path), "%s/data.mdb", f->dir);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0640);
	snprintf(path, sizeof(path), "%s/lock.mdb", f->dir);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0660);
	assert_int_equal(st.st_gid, getegid());
}

static void space_is_reused_once_views_are_released(void **state)
{
	sl_auto(snapshot_writer) w = open_writer(*state);
	char id[16], name[120];
	uint64_t used[3], map;

	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	for (uint64_t g = 1; g <= 300; g++) {
		struct snap_txn *t = begin(w);

		for (unsigned i = 0; i < 50; i++) {
			snprintf(id, sizeof(id), "c%u", i);
			snprintf(name, 24, "%u-%llu", i, (unsigned long long)g);
			put_consumer(t, id, name, g);
		}
		commit(t, g);
		snap_view_unref(view_of(w));
		if (g % 100 == 0)
			snapshot_writer_usage(w, &used[g / 100 - 1], &map);
	}
	assert_true(used[2] <= used[0] + used[0] / 10);
	assert_true(map == (uint64_t)16 << 30);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_new, fixture_free)

int main(void)
{
	const struct CMUnitTest tests[] = {
			TEST(a_new_directory_holds_no_generation_yet),
			TEST(what_is_committed_is_read_by_id_and_by_name),
			TEST(a_name_moves_with_its_record_also_when_two_are_swapped),
			TEST(records_of_a_kind_come_in_order_until_the_reader_stops),
			TEST(an_aborted_transaction_changes_nothing),
			TEST(clear_leaves_only_what_is_put_after_it),
			TEST(a_view_keeps_its_generation_while_newer_ones_are_committed),
			TEST(instances_are_found_by_exact_scope_unless_disabled),
			TEST(instances_of_groups_are_apart_from_those_of_consumers),
			TEST(code_stays_while_a_record_refers_to_it_and_no_longer),
			TEST(a_refusal_is_told_beside_the_record_that_still_serves),
			TEST(records_that_no_index_can_hold_are_refused_and_the_rest_goes_on),
			TEST(a_second_writer_and_a_second_open_are_refused),
			TEST(files_are_for_the_owner_and_the_group_only),
			TEST(space_is_reused_once_views_are_released),
	};

	return cmocka_run_group_tests_name("snapshot", tests, NULL, NULL);
}
