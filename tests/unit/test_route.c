/* SPDX-License-Identifier: Apache-2.0
 *
 * Which route takes a request: Kong's traditional_compatible rules, over a real snapshot.
 */
#include "tests/unit/snap_fixture.h"

#include "worker/route.h"

/* Lists are comma-separated, NULL = none; headers: "name=value,…". */
struct spec {
	const char *id, *hosts, *paths, *methods, *headers, *protocols, *sources, *snis;
	int64_t regex_priority, created_at;
	bool strip_path;
};

struct ask {
	const char *method, *host, *path, *headers, *sni;
	uint16_t host_port;
	const char *scheme, *client;
	const char *expected; /* the route's id; NULL: none */
};

struct one_case {
	const char *what;
	struct spec routes[6];
	struct ask asks[8];
};

static const struct one_case cases[] = {
		{"the longest prefix wins, whole segments or not",
				{{"root", .paths = "/"}, {"a", .paths = "/a"},
						{"ab", .paths = "/ab,/a/b/c"}},
				{{.path = "/", .expected = "root"}, {.path = "/a", .expected = "a"},
						{.path = "/abc", .expected = "ab"},
						{.path = "/a/b", .expected = "a"},
						{.path = "/a/b/c/d", .expected = "ab"},
						{.path = "/x", .expected = "root"},
						{.path = "/A", .expected = "root"}}},
		{"more kinds of attributes win over a longer path",
				{{"path", .paths = "/very/long/path"},
						{"both", .paths = "/", .methods = "GET"},
						{"three", .paths = "/", .methods = "GET",
								.hosts = "h.com"}},
				{{.path = "/very/long/path", .expected = "both"},
						{.path = "/very/long/path",
								.method = "PUT",
								.expected = "path"},
						{.path = "/x",
								.host = "h.com",
								.expected = "three"}}},
		{"a plain host wins over a wildcard, whatever the path",
				{{"plain", .hosts = "a.b.com", .paths = "/"},
						{"left", .hosts = "*.b.com", .paths = "/long/path"},
						{"right", .hosts = "a.*", .paths = "/longer/path"}},
				{{.host = "a.b.com", .path = "/long/path", .expected = "plain"},
						{.host = "x.b.com",
								.path = "/long/path",
								.expected = "left"},
						{.host = "a.net",
								.path = "/longer/path",
								.expected = "right"},
						{.host = "b.com", .path = "/long/path"},
						{.host = "", .path = "/long/path"}}},
		{"a host with a port matches that port only",
				{{"p", .hosts = "a.com:8080", .created_at = 1},
						{"any", .hosts = "a.com", .created_at = 2}},
				{{.host = "a.com", .host_port = 8080, .path = "/", .expected = "p"},
						{.host = "a.com",
								.host_port = 81,
								.path = "/",
								.expected = "any"}}},
		{"more headers win, and all of them must match",
				{{"one", .paths = "/", .headers = "x-a=1"},
						{"two", .paths = "/", .headers = "x-a=1,x-b=2"},
						{"none", .paths = "/longer"}},
				{{.path = "/", .headers = "X-A=1,X-B=2", .expected = "two"},
						{.path = "/",
								.headers = "X-A=1,X-B=3",
								.expected = "one"},
						{.path = "/longer",
								.headers = "X-A=1",
								.expected = "one"},
						{.path = "/longer",
								.headers = "X-A=2",
								.expected = "none"},
						{.path = "/", .headers = "X-B=2"}}},
		{"header values without regard to case, any field of the name, or by regex",
				{{"v", .headers = "x-v=Blue"},
						{"re", .headers = "x-re=~*^v[0-9]+$"}},
				{{.path = "/", .headers = "X-V=bLUE", .expected = "v"},
						{.path = "/",
								.headers = "X-V=red,X-V=blue",
								.expected = "v"},
						{.path = "/",
								.headers = "X-Re=v12",
								.expected = "re"},
						{.path = "/", .headers = "X-Re=v12x"},
						{.path = "/", .headers = "X-V="}}},
		{"a regex wins over every prefix, then its regex_priority",
				{{"prefix", .paths = "/status/very/long"},
						{"low", .paths = "~/status/\\w+"},
						{"high", .paths = "~/status/v",
								.regex_priority = 5}},
				{{.path = "/status/very/long", .expected = "high"},
						{.path = "/status/wary", .expected = "low"},
						{.path = "/x/status/v"}}},
		{"a regex with more attributes' rival loses all the same",
				{{"regex", .paths = "~/a", .regex_priority = 1000},
						{"plain", .paths = "/a", .methods = "GET"}},
				{{.path = "/a", .expected = "plain"},
						{.path = "/a",
								.method = "PUT",
								.expected = "regex"}}},
		{"of equals the older, then the smaller id",
				{{"c", .paths = "/a", .created_at = 10},
						{"b", .paths = "/a", .created_at = 20},
						{"a", .paths = "/a", .created_at = 20},
						{"e", .paths = "/e", .created_at = 5},
						{"d", .paths = "/e", .created_at = 5}},
				{{.path = "/a", .expected = "c"}, {.path = "/e", .expected = "d"}}},
		{"methods are exact", {{"get", .methods = "GET"}, {"own", .methods = "PURGE"}},
				{{.path = "/", .expected = "get"},
						{.path = "/", .method = "PURGE", .expected = "own"},
						{.path = "/", .method = "get"},
						{.path = "/", .method = "HEAD"}}},
		{"sources by block and port, and they count as an attribute",
				{{"net", .paths = "/", .sources = "10.0.0.0/8"},
						{"all", .paths = "/longer"}},
				{{.path = "/longer", .client = "10.1.2.3", .expected = "net"},
						{.path = "/longer",
								.client = "11.1.2.3",
								.expected = "all"},
						{.path = "/", .client = "::1"}}},
		{"names shown in TLS count for TLS only, a final dot does not",
				{{"sni", .snis = "a.com"}},
				{{.path = "/", .expected = "sni"},
						{.path = "/",
								.scheme = "https",
								.sni = "a.com.",
								.expected = "sni"},
						{.path = "/", .scheme = "https", .sni = "b.com"}}},
		{"a route for https is found over http too: it is answered 426",
				{{"tls", .paths = "/", .protocols = "https"},
						{"grpc", .paths = "/grpc", .protocols = "grpc"}},
				{{.path = "/grpc", .expected = "tls"}}},
};

static size_t cut(const char *text, char *copy, size_t size, char **ret)
{
	snprintf(copy, size, "%s", text != NULL ? text : "");
	return split(copy, ret);
}

static void put_spec(struct snap_txn *t, const struct spec *s)
{
	static char text[6][256];
	static char *words[6][16];
	Sluice__Record__HeaderMatch headers[8], *header_list[8];
	Sluice__Record__IpPort sources[8], *source_list[8];
	Sluice__Record__Route r = SLUICE__RECORD__ROUTE__INIT;
	char *values[8];

	r.id = (char *)(uintptr_t)s->id;
	r.n_hosts = cut(s->hosts, text[0], sizeof(text[0]), r.hosts = words[0]);
	r.n_paths = cut(s->paths, text[1], sizeof(text[1]), r.paths = words[1]);
	r.n_methods = cut(s->methods, text[2], sizeof(text[2]), r.methods = words[2]);
	r.n_protocols = cut(s->protocols != NULL ? s->protocols : "http,https", text[3],
			sizeof(text[3]), r.protocols = words[3]);
	r.n_headers = cut(s->headers, text[4], sizeof(text[4]), words[4]);
	for (size_t i = 0; i < r.n_headers; i++) {
		sluice__record__header_match__init(&headers[i]);
		headers[i].name = words[4][i];
		values[i] = strchr(words[4][i], '=') + 1;
		values[i][-1] = '\0';
		headers[i].values = &values[i];
		headers[i].n_values = 1;
		header_list[i] = &headers[i];
	}
	r.headers = header_list;
	if (s->sources != NULL) {
		sluice__record__ip_port__init(&sources[0]);
		sources[0].ip = (char *)(uintptr_t)s->sources;
		source_list[0] = &sources[0];
		r.n_sources = 1;
		r.sources = source_list;
	}
	r.n_snis = cut(s->snis, text[5], sizeof(text[5]), r.snis = words[5]);
	r.regex_priority = s->regex_priority;
	r.created_at = s->created_at;
	r.strip_path = s->strip_path;
	assert_int_equal(put_message(t, ROUTE, s->id, 1, &r.base), 0);
}

static void fill(struct exchange *x, const struct ask *a)
{
	char text[256], *words[16];
	size_t n = cut(a->headers, text, sizeof(text), words);

	x->request.method = str_of(a->method != NULL ? a->method : "GET");
	x->request.host = str_of(a->host != NULL ? a->host : "host.test");
	x->request.host_port = a->host_port;
	x->request.scheme = str_of(a->scheme != NULL ? a->scheme : "http");
	x->request.tls_sni = str_of(a->sni != NULL ? a->sni : "");
	x->request.client.ip = str_of(a->client != NULL ? a->client : "127.0.0.1");
	x->request.server = (struct endpoint){
			STR("127.0.0.1"), a->host_port != 0 ? a->host_port : 8000};
	assert_int_equal(exchange_set_target(x, str_of(a->path)), 0);
	for (size_t i = 0; i < n; i++) {
		char *value = strchr(words[i], '=') + 1;

		value[-1] = '\0';
		headers_add(&x->request.headers, arena_str(x->arena, str_of(words[i])),
				arena_str(x->arena, str_of(value)));
	}
}

static void check(struct route_table *t, const char *what, const struct ask *a)
{
	struct arena *arena = NULL;
	struct route_match *m;
	struct exchange x;
	const char *got;

	assert_int_equal(arena_new(&arena, 1 << 20), 0);
	exchange_init(&x, arena, NULL, NULL);
	fill(&x, a);
	m = route_find(t, &x);
	assert_non_null(m);
	got = m->route != NULL ? m->route->rec->id : "none";
	if (strcmp(got, a->expected != NULL ? a->expected : "none") != 0)
		fail_msg("%s: %s%s gave %s, not %s", what, a->host != NULL ? a->host : "", a->path,
				got, a->expected != NULL ? a->expected : "none");
	route_match_unref(m);
	arena_free(arena);
}

/* Each question twice, the second time from what is remembered; and once more in reverse. */
static void every_rule_of_the_table_holds(void **state)
{
	sl_auto(snapshot_writer) w = open_writer(*state);
	uint64_t generation = 0;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct one_case *c = &cases[i];
		struct snap_txn *t = begin(w);
		struct route_table *table;
		struct snap_view *v;
		int n = 0;

		assert_int_equal(snap_txn_clear(t, NULL), 0);
		for (size_t k = 0; k < 6 && c->routes[k].id != NULL; k++)
			put_spec(t, &c->routes[k]);
		commit(t, ++generation);
		v = view_of(w);
		assert_int_equal(route_table_new(&table, NULL), 0);
		route_table_set_view(table, v);
		for (; n < 8 && c->asks[n].path != NULL; n++) {
			check(table, c->what, &c->asks[n]);
			check(table, c->what, &c->asks[n]);
		}
		while (n-- > 0)
			check(table, c->what, &c->asks[n]);
		route_table_free(table);
		snap_view_unref(v);
	}
}

static void a_new_generation_is_seen_at_once(void **state)
{
	static const struct spec first = {"old", .paths = "/"}, second = {"new", .paths = "/"};
	sl_auto(snapshot_writer) w = open_writer(*state);
	const struct spec *const both[] = {&first, &second};
	const struct ask a = {.path = "/", .expected = "old"}, b = {.path = "/", .expected = "new"};
	const struct ask *const asks[] = {&a, &b};
	struct route_table *table;

	assert_int_equal(route_table_new(&table, NULL), 0);
	check(table, "without a configuration", &(struct ask){.path = "/"});
	for (uint64_t i = 0; i < 20; i++) {
		struct snap_txn *t = begin(w);
		struct snap_view *v;

		assert_int_equal(snap_txn_clear(t, NULL), 0);
		put_spec(t, both[i % 2]);
		commit(t, i + 1);
		v = view_of(w);
		route_table_set_view(table, v);
		snap_view_unref(v);
		check(table, "generation", asks[i % 2]);
		route_table_sweep(table);
	}
	route_table_free(table);
}

static void captures_and_stripping_follow_the_regex(void **state)
{
	static const struct spec re = {
			"re", .paths = "~/v(?<major>\\d+)/(\\w+)", .strip_path = true};
	sl_auto(snapshot_writer) w = open_writer(*state);
	const struct ask a = {.path = "/v12/users/5"};
	struct snap_txn *t = begin(w);
	struct route_table *table;
	struct arena *arena = NULL;
	struct route_match *m;
	struct snap_view *v;
	struct exchange x;

	put_spec(t, &re);
	commit(t, 1);
	v = view_of(w);
	assert_int_equal(route_table_new(&table, NULL), 0);
	route_table_set_view(table, v);
	assert_int_equal(arena_new(&arena, 1 << 20), 0);
	exchange_init(&x, arena, NULL, NULL);
	fill(&x, &a);
	m = route_find(table, &x);
	assert_int_equal(route_apply(m, &x), 0);
	assert_true(str_eq(x.matched_prefix, STR("/v12/users")));
	assert_true(str_find(x.uri_captures_json, STR("\"major\":\"12\"")) >= 0);
	assert_true(str_find(x.uri_captures_json, STR("\"users\"")) >= 0);
	route_match_unref(m);
	arena_free(arena);
	route_table_free(table);
	snap_view_unref(v);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_new, fixture_free)

int main(void)
{
	const struct CMUnitTest tests[] = {
			TEST(every_rule_of_the_table_holds),
			TEST(a_new_generation_is_seen_at_once),
			TEST(captures_and_stripping_follow_the_regex),
	};

	return cmocka_run_group_tests_name("route", tests, NULL, NULL);
}
