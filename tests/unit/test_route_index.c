/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/snap_fixture.h"

#include <errno.h>

#include "base/buf.h"
#include "base/clock.h"

struct found {
	struct buf ids; /* " id " for each, once */
	size_t n;
	struct route_candidate last;
};

static bool collect(void *arg, const struct route_candidate *c)
{
	struct found *f = arg;
	sl_auto_mem char *id = NULL;

	f->n++;
	f->last = *c;
	if (asprintf(&id, " %.*s ", STR_ARG(c->route_id)) < 0)
		abort();
	if (f->ids.p == NULL || strstr(buf_z(&f->ids), id) == NULL)
		buf_add_str(&f->ids, str_of(id));
	return true;
}

static int compare_words(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The ids found for host:port/path, sorted: " a b". */
static void expect_at(struct snap_view *v, const char *host, uint16_t port, const char *path,
		const char *ids)
{
	struct found f = {.n = 0};
	char *words[64], text[512] = "";
	size_t n = 0;

	route_index_find(v, str_of(host), port, str_of(path), collect, &f);
	if (f.ids.p != NULL)
		for (char *p = strtok((char *)(uintptr_t)buf_z(&f.ids), " "); p != NULL;
				p = strtok(NULL, " "))
			words[n++] = p;
	qsort(words, n, sizeof(words[0]), compare_words);
	for (size_t i = 0; i < n; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), " %s", words[i]);
	if (strcmp(text, ids) != 0)
		fail_msg("%s:%u%s gave%s, not%s", host, port, path, text, ids);
	buf_done(&f.ids);
}

static void expect(struct snap_view *v, const char *host, const char *path, const char *ids)
{
	expect_at(v, host, 80, path, ids);
}

static void every_prefix_of_the_path_is_found_and_nothing_else(void **state)
{
	sl_auto(snapshot_writer) w = open_writer(*state);
	struct snap_txn *t = begin(w);
	struct snap_view *v;

	put_route(t, .id = "root", .paths = "/");
	put_route(t, .id = "api", .paths = "/api");
	put_route(t, .id = "api2", .paths = "/api", .methods = "GET");
	put_route(t, .id = "v1", .paths = "/api/v1/,/other");
	put_route(t, .id = "users", .paths = "/api/v1/users");
	put_route(t, .id = "usage", .paths = "/api/v1/usage");
	put_route(t, .id = "nopath", .methods = "GET");
	commit(t, 1);
	v = view_of(w);
	expect(v, "", "/", " nopath root");
	expect(v, "x.com", "/apx", " nopath root");
	expect(v, "x.com", "/api", " api api2 nopath root");
	expect(v, "x.com", "/apiary", " api api2 nopath root");
	expect(v, "x.com", "/api/v1/users/5", " api api2 nopath root users v1");
	expect(v, "x.com", "/api/v1/userz", " api api2 nopath root v1");
	expect(v, "x.com", "/zzz", " nopath root");
	expect(v, "x.com", "", " nopath");
	expect(v, "x.com", "*", " nopath");
	snap_view_unref(v);
}

static void hosts_match_exactly_by_suffix_by_prefix_and_by_port(void **state)
{
	sl_auto(snapshot_writer) w = open_writer(*state);
	struct snap_txn *t = begin(w);
	struct snap_view *v;

	put_route(t, .id = "exact", .hosts = "A.example.com");
	put_route(t, .id = "suffix", .hosts = "*.example.com");
	put_route(t, .id = "tld", .hosts = "*.com", .paths = "/");
	put_route(t, .id = "prefix", .hosts = "a.*");
	put_route(t, .id = "port", .hosts = "a.example.com:8443,*.example.org:8443");
	put_route(t, .id = "v6", .hosts = "[::1]");
	commit(t, 1);
	v = view_of(w);
	expect(v, "a.example.com", "/", " exact prefix suffix tld");
	expect_at(v, "a.example.com", 8443, "/", " exact port prefix suffix tld");
	expect_at(v, "x.y.example.org", 8443, "/", " port");
	expect_at(v, "x.y.example.org", 844, "/", "");
	expect(v, "b.a.example.com", "/", " suffix tld");
	expect(v, "example.com", "/", " tld");
	expect(v, "a.example.org", "/", " prefix");
	expect(v, "a", "/", "");
	expect(v, "com", "/", "");
	expect(v, "", "/", "");
	expect(v, "[::1]", "/", " v6");
	expect(v, "a..", "/", " prefix");
	expect(v, ".com", "/", " tld");
	snap_view_unref(v);
}

static void regex_paths_are_all_candidates_of_their_host(void **state)
{
	sl_auto(snapshot_writer) w = open_writer(*state);
	struct snap_txn *t = begin(w);
	struct found f = {.n = 0};
	struct snap_view *v;

	put_route(t, .id = "re", .hosts = "h.com", .paths = "~/a/\\d+$,/b", .regex_priority = 7);
	put_route(t, .id = "re-other", .hosts = "other.com", .paths = "~/a");
	commit(t, 1);
	v = view_of(w);
	route_index_find(v, STR("h.com"), 80, STR("/zzz"), collect, &f);
	assert_int_equal(f.n, 1);
	assert_true(f.last.is_regex);
	assert_true(str_eq(f.last.path, STR("/a/\\d+$")));
	assert_int_equal(f.last.created_at, 1000);
	buf_done(&f.ids);
	snap_view_unref(v);
}

static uint64_t priority_of(struct snap_view *v, const char *host, const char *path)
{
	struct found f = {.n = 0};

	route_index_find(v, str_of(host), 80, str_of(path), collect, &f);
	assert_int_equal(f.n, 1);
	buf_done(&f.ids);
	return f.last.priority;
}

static void priorities_are_kongs_sixty_four_bits(void **state)
{
	sl_auto(snapshot_writer) w = open_writer(*state);
	struct snap_txn *t = begin(w);
	struct snap_view *v;

	put_route(t, .id = "plain", .hosts = "plain", .paths = "/abc", .methods = "GET");
	put_route(t, .id = "wild", .hosts = "wild.x,*.x.y", .paths = "/ab");
	put_route(t, .id = "regex", .hosts = "regex", .paths = "~/r", .regex_priority = 9);
	put_route(t, .id = "none", .hosts = "none");
	put_route(t, .id = "huge", .hosts = "huge", .paths = "~/r", .regex_priority = INT64_MAX);
	commit(t, 1);
	v = view_of(w);
	assert_true(priority_of(v, "plain", "/abc") == (3ULL << 61 | 1ULL << 60 | 4));
	assert_true(priority_of(v, "wild.x", "/abc") == (2ULL << 61 | 3));
	assert_true(priority_of(v, "regex", "/") ==
			(2ULL << 61 | 1ULL << 60 | 1ULL << 51 | 9ULL << 19));
	assert_true(priority_of(v, "none", "/") == (1ULL << 61 | 1ULL << 60));
	assert_true(priority_of(v, "huge", "/") ==
			(2ULL << 61 | 1ULL << 60 | 1ULL << 51 | (uint64_t)UINT32_MAX << 19));
	snap_view_unref(v);
}

static void routes_follow_their_service_being_disabled_and_enabled(void **state)
{
	sl_auto(snapshot_writer) w = open_writer(*state);
	struct snap_txn *t = begin(w);
	struct snap_view *v;

	put_service(t, "s1", "one", false);
	put_route(t, .id = "early", .service_id = "s2", .paths = "/");
	put_route(t, .id = "late", .service_id = "s1", .paths = "/");
	put_service(t, "s2", "two", false);
	put_route(t, .id = "free", .paths = "/");
	commit(t, 1);
	v = view_of(w);
	expect(v, "h", "/", " free");
	snap_view_unref(v);
	t = begin(w);
	put_service(t, "s1", "one", true);
	assert_int_equal(snap_txn_delete(t, SERVICE, STR("s2"), NULL), 0);
	commit(t, 2);
	v = view_of(w);
	expect(v, "h", "/", " early free late");
	snap_view_unref(v);
	t = begin(w);
	put_route(t, .id = "late", .service_id = "s3", .paths = "/");
	put_service(t, "s1", "one", false);
	commit(t, 3);
	v = view_of(w);
	expect(v, "h", "/", " early free late");
	snap_view_unref(v);
}

static void a_replaced_or_deleted_route_leaves_nothing_behind(void **state)
{
	sl_auto(snapshot_writer) w = open_writer(*state);
	struct snap_txn *t = begin(w);
	struct snap_view *v;

	put_route(t, .id = "r", .hosts = "a.com,*.b.com", .paths = "/x,~/y");
	put_route(t, .id = "r", .hosts = "c.com", .paths = "/z");
	commit(t, 1);
	v = view_of(w);
	expect(v, "a.com", "/x", "");
	expect(v, "q.b.com", "/x", "");
	expect(v, "c.com", "/z", " r");
	snap_view_unref(v);
	t = begin(w);
	assert_int_equal(snap_txn_delete(t, ROUTE, STR("r"), NULL), 0);
	commit(t, 2);
	v = view_of(w);
	expect(v, "c.com", "/z", "");
	snap_view_unref(v);
}

static void long_paths_are_told_apart_beyond_their_key(void **state)
{
	sl_auto(snapshot_writer) w = open_writer(*state);
	struct snap_txn *t = begin(w);
	char one[1000], two[1000], request[1200];
	struct snap_view *v;

	memset(one, 'x', sizeof(one) - 1);
	one[0] = '/';
	one[sizeof(one) - 1] = '\0';
	memcpy(two, one, sizeof(two));
	two[500] = 'y';
	put_route(t, .id = "one", .paths = one);
	put_route(t, .id = "two", .paths = two);
	commit(t, 1);
	v = view_of(w);
	snprintf(request, sizeof(request), "%s/more", one);
	expect(v, "h", request, " one");
	request[500] = 'y';
	expect(v, "h", request, " two");
	request[500] = 'z';
	expect(v, "h", request, "");
	snap_view_unref(v);
}

static void host_patterns_of_no_known_form_are_refused(void **state)
{
	static const char *const bad[] = {"a.*.b", "*", "*a.com", "a*", "*.a.*", "*.", ".*", ":80",
			"a:b", "a:99999", "**.a"};
	sl_auto(snapshot_writer) w = open_writer(*state);
	struct snap_txn *t = begin(w);

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (try_route(t, (struct route_spec){.id = "r", .hosts = bad[i]}) != -EINVAL)
			fail_msg("accepted %s", bad[i]);
	snap_txn_free(t);
}

static bool stop_at_once(void *arg, const struct route_candidate *c)
{
	(void)c;
	++*(int *)arg;
	return false;
}

static void hostile_requests_find_what_is_there_and_end(void **state)
{
	sl_auto(snapshot_writer) w = open_writer(*state);
	struct snap_txn *t = begin(w);
	char dots[400], path[70000];
	struct found f = {.n = 0};
	struct snap_view *v;
	int calls = 0;

	put_route(t, .id = "wild", .hosts = "*.com,a.*");
	put_route(t, .id = "any", .paths = "/,/a");
	commit(t, 1);
	v = view_of(w);
	memset(dots, '.', sizeof(dots));
	memset(path, 'a', sizeof(path));
	path[0] = '/';
	for (size_t n = 0; n < sizeof(dots); n++)
		route_index_find(v, (struct str){dots, n}, 80, STR("/"), collect, &f);
	assert_string_equal(buf_z(&f.ids), " any ");
	buf_clear(&f.ids);
	f.n = 0;
	route_index_find(v, STR("h\0.com"), 80, (struct str){path, sizeof(path)}, collect, &f);
	assert_int_equal(f.n, 2);
	f.n = 0;
	route_index_find(v, STR("h"), 80, STR("/\0a"), collect, &f);
	assert_int_equal(f.n, 1);
	f.n = 0;
	route_index_find(v, STR("\xff\xfe"), 80, STR("\xff\x01\x02"), collect, &f);
	assert_int_equal(f.n, 0);
	route_index_find(v, STR("a.com"), 80, STR("/a"), stop_at_once, &calls);
	assert_int_equal(calls, 1);
	buf_done(&f.ids);
	snap_view_unref(v);
}

/* Prefixes by brute force over routes kept in arrays. */
static void a_random_set_gives_what_a_full_scan_gives(void **state)
{
	static const char *const hosts[] = {"", "a.b.c", "*.b.c", "*.c", "a.*", "a.b.*"};
	sl_auto(snapshot_writer) w = open_writer(*state);
	struct snap_txn *t = begin(w);
	char ids[300][8], paths[300][12];
	unsigned seed = 7;
	struct snap_view *v;

	for (size_t i = 0; i < 300; i++) {
		size_t n = (size_t)rand_r(&seed) % 8;

		snprintf(ids[i], sizeof(ids[i]), "r%03zu", i);
		paths[i][0] = '/';
		for (size_t j = 1; j <= n; j++)
			paths[i][j] = (char)('a' + rand_r(&seed) % 2);
		paths[i][n + 1] = '\0';
		put_route(t, .id = ids[i], .hosts = hosts[i % 6], .paths = paths[i]);
	}
	for (size_t i = 0; i < 300; i += 3)
		assert_int_equal(snap_txn_delete(t, ROUTE, str_of(ids[i]), NULL), 0);
	commit(t, 1);
	v = view_of(w);
	for (int round = 0; round < 500; round++) {
		struct found f = {.n = 0};
		char path[12] = "/";
		size_t expected = 0;

		for (size_t j = 1; j < 9; j++)
			path[j] = (char)('a' + rand_r(&seed) % 2);
		route_index_find(v, STR("a.b.c"), 80, str_of(path), collect, &f);
		for (size_t i = 0; i < 300; i++)
			expected += i % 3 != 0 && strncmp(path, paths[i], strlen(paths[i])) == 0;
		assert_int_equal(f.n, expected);
		buf_done(&f.ids);
	}
	snap_view_unref(v);
}

static void a_hundred_thousand_routes_load_and_one_change_stays_small(void **state)
{
	struct snapshot_writer *w = open_writer(*state);
	uint64_t started = clock_mono_ms(), loaded, used_before, used_after, map;
	struct snap_txn *t = begin(w);
	struct found f = {.n = 0};
	struct snap_view *v;

	for (unsigned i = 0; i < 100000; i++) {
		char id[40], path[40];

		snprintf(id, sizeof(id), "00000000-0000-4000-8000-%012u", i);
		snprintf(path, sizeof(path), "/api/%u/service/%u", i % 997, i);
		put_route(t, .id = id, .paths = path);
	}
	commit(t, 1);
	loaded = clock_mono_ms() - started;
	snapshot_writer_usage(w, &used_before, &map);
	for (uint64_t g = 2; g < 30; g++) {
		t = begin(w);
		put_route(t, .id = "00000000-0000-4000-8000-000000000042",
				.paths = g % 2 != 0 ? "/odd" : "/even");
		commit(t, g);
	}
	snapshot_writer_usage(w, &used_after, &map);
	assert_true(used_after - used_before < 1 << 20);
	v = view_of(w);
	route_index_find(v, STR("h"), 80, STR("/api/100/service/100/x"), collect, &f);
	assert_int_equal(f.n, 1);
	snap_view_unref(v);
	buf_done(&f.ids);
	t = begin(w);
	assert_int_equal(snap_txn_clear(t, NULL), 0);
	put_route(t, .id = "only");
	commit(t, 100);
	snapshot_writer_free(w);
	snapshot_writer_free(open_writer(*state)); /* verifies */
	if (loaded > 20000)
		fail_msg("loading took %llu ms", (unsigned long long)loaded);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_new, fixture_free)

int main(void)
{
	const struct CMUnitTest tests[] = {
			TEST(every_prefix_of_the_path_is_found_and_nothing_else),
			TEST(hosts_match_exactly_by_suffix_by_prefix_and_by_port),
			TEST(regex_paths_are_all_candidates_of_their_host),
			TEST(priorities_are_kongs_sixty_four_bits),
			TEST(routes_follow_their_service_being_disabled_and_enabled),
			TEST(a_replaced_or_deleted_route_leaves_nothing_behind),
			TEST(long_paths_are_told_apart_beyond_their_key),
			TEST(host_patterns_of_no_known_form_are_refused),
			TEST(hostile_requests_find_what_is_there_and_end),
			TEST(a_random_set_gives_what_a_full_scan_gives),
			TEST(a_hundred_thousand_routes_load_and_one_change_stays_small),
	};

	return cmocka_run_group_tests_name("route index", tests, NULL, NULL);
}
