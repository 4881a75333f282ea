/* SPDX-License-Identifier: Apache-2.0
 *
 * What plugins cost inside a worker, without sockets: a call of the PDK, entering a phase,
 * the budget, a loaded plugin's memory, a cold start.  Prints Markdown tables.
 *
 *	make bench/vm_bench && bench/vm_bench
 *	perf record bench/vm_bench profile	(only the three plugins, again and again)
 *
 * CPU time of the thread; everybody takes turns, and each figure is the best of ROUNDS short
 * samples: what the machine can do, not what else it was doing.
 */
#include <lauxlib.h>
#include <luajit.h>
#include <lualib.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "plugin/vm.h"
#include "tests/unit/engine_bench.h"
#include "tests/unit/snap_fixture.h"

#define ROUNDS 150
#define SAMPLE_NS 150000
#define PAIRS 1000
#define CALLS_PER_RUN 100
#define BUDGET_MS 20
#define COLD_ROUNDS 40
#define PROFILE_ROUNDS 40
#define SUBJECTS_MAX 48

static const struct bench_scope everywhere;

/* An engine with plugins, and the best time of a request through it. */
struct subject {
	struct bench *b;
	unsigned runs; /* per sample */
	double best_ns;
};
static struct subject subjects[SUBJECTS_MAX];
static unsigned n_subjects;

static struct bench *bench_open(void)
{
	void *state = NULL;

	if (bench_set_up(&state) != 0)
		exit(1);
	return state;
}

static void bench_close(struct bench *b)
{
	void *state = b;

	bench_tear_down(&state);
}

/* A request with headers as a client sends them, through every phase. */
static void run_request(struct bench *b)
{
	struct headers *h;

	bench_request(b, "/bench");
	h = &b->x.request.headers;
	headers_add(h, STR("Host"), STR("example.com"));
	headers_add(h, STR("User-Agent"), STR("bench/1"));
	headers_add(h, STR("X-Api-Key"), STR("secret"));
	chain_rewrite(b->chain);
	bench_route(b, "r", "s");
	chain_access(b->chain);
	b->x.response.source = RESPONSE_FROM_SERVICE;
	b->x.response.status = b->x.response.service_status = 200;
	headers_add(&b->x.response.headers, STR("Content-Type"), STR("text/plain"));
	chain_header_filter(b->chain);
	chain_log(b->chain);
}

/* ns of one request through every phase. */
static double sample_ns(struct bench *b, unsigned runs)
{
	uint64_t start = clock_read_ns(CLOCK_THREAD_CPUTIME_ID);

	for (unsigned i = 0; i < runs; i++)
		run_request(b);
	return (double)(clock_read_ns(CLOCK_THREAD_CPUTIME_ID) - start) / runs;
}

static struct subject *subject_of(struct bench *b)
{
	struct subject *s = &subjects[n_subjects++];
	double ns;

	assert_in_range(n_subjects, 1, SUBJECTS_MAX);
	bench_commit(b);
	(void)sample_ns(b, 200); /* traces are made */
	ns = sample_ns(b, 20);
	*s = (struct subject){.b = b, .runs = (unsigned)(SAMPLE_NS / ns) + 1, .best_ns = ns};
	return s;
}

/* One plugin "p"; NULL: none.  cpu_ms 0: no CPU budget. */
static struct subject *subject_with(const char *methods, uint32_t cpu_ms)
{
	struct bench *b = bench_open();
	struct why why = WHY_NONE;

	engine_free(b->engine);
	b->conf.limits.by_default.cpu_ms = cpu_ms;
	assert_int_equal(engine_new(&b->engine, &b->conf, &why), 0);
	if (methods != NULL) {
		bench_plugin(b, "p", 1, methods);
		bench_instance(b, "p", "i-p", everywhere);
	}
	return subject_of(b);
}

static void measure_all(void)
{
	for (int round = 0; round < ROUNDS; round++)
		for (unsigned i = 0; i < n_subjects; i++) {
			struct subject *s = &subjects[i];
			double ns = sample_ns(s->b, s->runs);

			s->best_ns = ns < s->best_ns ? ns : s->best_ns;
		}
}

static int by_size(const void *a, const void *b)
{
	return *(const double *)a < *(const double *)b ? -1 : 1;
}

/* What b takes more than a, ns: the median of many pairs of samples, one right after the other. */
static double difference_ns(const struct subject *a, const struct subject *b)
{
	static double all[PAIRS];

	for (unsigned i = 0; i < PAIRS; i++) {
		const struct subject *first = i % 2 == 0 ? a : b, *second = i % 2 == 0 ? b : a;
		double ns = sample_ns(first->b, a->runs);

		ns -= sample_ns(second->b, a->runs);
		all[i] = i % 2 == 0 ? -ns : ns;
	}
	qsort(all, PAIRS, sizeof(*all), by_size);
	return all[PAIRS / 2];
}

static void close_all(void)
{
	while (n_subjects > 0)
		bench_close(subjects[--n_subjects].b);
}

/* ---- calls of the PDK ---- */

static const struct call {
	const char *phase, *text, *before, *code;
} calls[] = {
		{"access", "kong.request.get_header(name)", "",
				"local v = kong.request.get_header('x-api-key')"},
		{"access", "kong.request.get_path()", "", "local v = kong.request.get_path()"},
		{"access", "kong.request.get_method()", "", "local v = kong.request.get_method()"},
		{"access", "kong.request.get_query_arg(name)", "",
				"local v = kong.request.get_query_arg('a')"},
		{"access", "kong.client.get_forwarded_ip()", "",
				"local v = kong.client.get_forwarded_ip()"},
		{"access", "kong.service.request.set_header(name, value)", "",
				"kong.service.request.set_header('X-Gateway', 'bench')"},
		{"access", "kong.ctx.plugin.x = v", "", "kong.ctx.plugin.x = i"},
		{"access", "kong.ctx.shared.x = v", "", "kong.ctx.shared.x = i"},
		{"header_filter", "kong.response.set_header(name, value)", "",
				"kong.response.set_header('X-Stamp', 'bench')"},
		{"log", "kong.response.get_status()", "", "local v = kong.response.get_status()"},
		{"access", "counter:incr(1, 60)", "local counter = sluice.counter('bench') ",
				"local v = counter:incr(1, 60)"},
		{"access", "dict:get(key)",
				"local dict = sluice.dict('bench') dict:set('192.0.2.1', 1) ",
				"local v = dict:get('192.0.2.1')"},
		{"access", "dict:set(key, value, 60)", "local dict = sluice.dict('bench') ",
				"dict:set('192.0.2.1', i, 60)"},
};
#define N_CALLS (sizeof(calls) / sizeof(calls[0]))

static struct subject *loop_of(const struct call *c, bool is_empty)
{
	char methods[512];

	snprintf(methods, sizeof(methods), "%sfunction P:%s() for i = 1, %d do %s end end",
			c->before, c->phase, CALLS_PER_RUN, is_empty ? "" : c->code);
	return subject_with(methods, 0);
}

static void print_calls(void)
{
	struct subject *with[N_CALLS], *without[N_CALLS];

	for (size_t i = 0; i < N_CALLS; i++) {
		with[i] = loop_of(&calls[i], false);
		without[i] = loop_of(&calls[i], true);
	}
	measure_all();
	printf("| ns per PDK call | |\n|---|---|\n");
	for (size_t i = 0; i < N_CALLS; i++)
		printf("| `%s` | %.0f |\n", calls[i].text,
				(with[i]->best_ns - without[i]->best_ns) / CALLS_PER_RUN);
	close_all();
}

/* ---- phases and the budget ---- */

/* The plugins of bench/plugins, with their work in access, header_filter and log. */
static struct subject *three_plugins(void)
{
	struct bench *b = bench_open();

	bench_plugin(b, "key", 1000,
			"function P:access(conf) local key = kong.request.get_header('x-api-key') "
			"if key ~= conf.key then return kong.response.exit(401) end "
			"kong.service.request.set_header('X-Consumer', conf.consumer) "
			"kong.service.request.clear_header('x-api-key') end");
	bench_plugin(b, "stamp", 500,
			"function P:access(conf) "
			"kong.service.request.set_header('X-Gateway', conf.value) "
			"kong.ctx.plugin.method = kong.request.get_method() end "
			"function P:header_filter(conf) "
			"kong.response.set_header('X-Stamp', conf.value) "
			"kong.response.set_header('X-Method', kong.ctx.plugin.method) end");
	bench_plugin(b, "guard", 100,
			"local passed = 0 function P:access(conf) "
			"local path = kong.request.get_path() "
			"if path:sub(1, #conf.forbidden) == conf.forbidden then "
			"return kong.response.exit(403) end "
			"local agent = kong.request.get_header('user-agent') or '' "
			"if agent:find('badbot', 1, true) then return kong.response.exit(403) end "
			"end function P:log() "
			"if kong.response.get_status() < 400 then passed = passed + 1 end end");
	bench_instance(b, "key", "i1",
			(struct bench_scope){.config = "{\"key\":\"secret\",\"consumer\":\"me\"}"});
	bench_instance(b, "stamp", "i2", (struct bench_scope){.config = "{\"value\":\"bench\"}"});
	bench_instance(b, "guard", "i3",
			(struct bench_scope){.config = "{\"forbidden\":\"/internal\"}"});
	return subject_of(b);
}

/* About a microsecond. */
static const char short_phase[] = "function P:access() local v "
				  "for i = 1, 25 do v = kong.request.get_path() end return v end";

static void print_entry(void)
{
	struct subject *none = subject_with(NULL, 0);
	struct subject *one = subject_with("function P:access() end", 0);
	struct subject *two = subject_with("function P:access() end function P:log() end", 0);
	struct subject *three = subject_with("function P:access() end function P:log() end "
					     "function P:header_filter() end",
			0);
	struct subject *unarmed = subject_with(short_phase, 0);
	struct subject *armed = subject_with(short_phase, BUDGET_MS);
	struct subject *plugins = three_plugins();
	double phase_ns, more_ns;

	measure_all();
	phase_ns = unarmed->best_ns - none->best_ns;
	more_ns = difference_ns(unarmed, armed);
	printf("\n| a request in a worker, without sockets | µs |\n|---|---|\n");
	printf("| no plugin | %.2f |\n", none->best_ns / 1e3);
	printf("| one plugin, empty access | %.2f |\n", one->best_ns / 1e3);
	printf("| and an empty log | %.2f |\n", two->best_ns / 1e3);
	printf("| and an empty header_filter | %.2f |\n", three->best_ns / 1e3);
	printf("| µs per phase entry: the first of a request | %.2f |\n",
			(one->best_ns - none->best_ns) / 1e3);
	printf("| µs per phase entry: one more | %.2f |\n", (three->best_ns - one->best_ns) / 2e3);
	printf("| the three plugins of bench/plugins | %.2f |\n", plugins->best_ns / 1e3);
	printf("\n| overhead of an armed budget | |\n|---|---|\n");
	printf("| a phase of 25 PDK calls, no CPU budget | %.3f µs |\n", phase_ns / 1e3);
	printf("| more under a budget of %d ms | %.3f µs |\n", BUDGET_MS, more_ns / 1e3);
	printf("| overhead of an armed budget | %+.1f %% |\n", 100 * more_ns / phase_ns);
	close_all();
}

/* ---- the tests that the budget needs in compiled code ---- */

static void ignore_sample(void *data, lua_State *L, int samples, int vmstate)
{
	(void)data;
	(void)L;
	(void)samples;
	(void)vmstate;
}

/* The function that the source returns, in a state with or without those tests. */
static lua_State *compiled(const char *source, bool is_guarded)
{
	lua_State *L = luaL_newstate();

	luaL_openlibs(L);
	if (is_guarded) /* refused: the worker's VMs have the profiler; but it sets the mode */
		luaJIT_profile_start(L, "l", ignore_sample, NULL);
	assert_int_equal(luaL_dostring(L, source), 0);
	return L;
}

static double function_ns(lua_State *L)
{
	uint64_t start = clock_read_ns(CLOCK_THREAD_CPUTIME_ID);

	for (int i = 0; i < 200; i++) {
		lua_pushvalue(L, -1);
		lua_call(L, 0, 0);
	}
	return (double)(clock_read_ns(CLOCK_THREAD_CPUTIME_ID) - start) / 200;
}

static void print_guards(void)
{
	static const struct {
		const char *name, *source;
	} rows[] = {
			{"adding numbers", "return function() local n = 0 for i = 1, 1000 do "
					   "n = n + i % 7 end return n end"},
			{"text and tables", "return function() local t, s = {}, 'a,b,c,d' "
					    "for i = 1, 8 do t[i] = s:sub(i % 4 + 1, 7) .. i end "
					    "return table.concat(t, ',') end"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		lua_State *L[2] = {compiled(rows[i].source, false), compiled(rows[i].source, true)};
		static double ratios[PAIRS];
		double best = 1e18;

		for (int k = 0; k < PAIRS; k++) {
			double without = function_ns(L[0]);

			ratios[k] = function_ns(L[1]) / without;
			best = without < best ? without : best;
		}
		qsort(ratios, PAIRS, sizeof(*ratios), by_size);
		printf("| tests in compiled code: %s, %.2f µs without | %+.1f %% |\n", rows[i].name,
				best / 1e3, 100 * (ratios[PAIRS / 2] - 1));
		lua_close(L[0]);
		lua_close(L[1]);
	}
}

/* ---- memory, cold start ---- */

static void ignore_report(void *arg, const struct engine_report *report)
{
	(void)arg;
	(void)report;
}

static void take_memory(void *arg, const struct engine_plugin_stat *stat)
{
	*(double *)arg = (double)stat->memory_bytes;
}

/* About 5 kB of source, 15 functions. */
static const char *large_handler(void)
{
	static char methods[8192];
	size_t n = 0;

	for (int i = 0; n < 5000; i++)
		n += (size_t)snprintf(methods + n, sizeof(methods) - n,
				"-- Looks for the key in the header that the operator named.\n"
				"local function find%d(conf, headers)\n"
				"  local value = headers[conf.header_name]\n"
				"  if type(value) == 'table' then\n    value = value[1]\n  end\n"
				"  if value == nil or value == '' then\n"
				"    return nil, 'no key %d in the request'\n  end\n"
				"  return value:lower():gsub('%%s+', ''), %d\nend\n",
				i, i, i);
	snprintf(methods + n, sizeof(methods) - n,
			"function P:access() kong.request.get_path() end");
	return methods;
}

/* An engine takes the snapshot, makes its VM, loads the handler, serves a request. */
static double cold_ns(enum vm_level level, double *ret_bytes)
{
	struct bench *b = bench_open();
	struct snap_view *view;
	struct why why = WHY_NONE;
	uint64_t start;
	double ns;

	bench_plugin(b, "p", 1, large_handler());
	bench_instance(b, "p", "i-p", everywhere);
	bench_commit(b);
	engine_free(b->engine);
	b->conf.level = level;
	view = view_of(b->writer);
	start = clock_read_ns(CLOCK_THREAD_CPUTIME_ID);
	assert_int_equal(engine_new(&b->engine, &b->conf, &why), 0);
	engine_set_view(b->engine, view, ignore_report, NULL);
	run_request(b);
	ns = (double)(clock_read_ns(CLOCK_THREAD_CPUTIME_ID) - start);
	engine_stats(b->engine, take_memory, ret_bytes);
	snap_view_unref(view);
	bench_close(b);
	return ns;
}

static void print_cold(void)
{
	double best = 1e18, strict = 0, lax = 0;

	for (int i = 0; i < COLD_ROUNDS; i++) {
		double ns = cold_ns(VM_STRICT, &strict);

		best = ns < best ? ns : best;
	}
	(void)cold_ns(VM_LAX, &lax);
	printf("\n| a plugin with a handler of 5 kB of source | |\n|---|---|\n");
	printf("| time from snapshot to first request of a cold plugin | %.0f µs |\n", best / 1e3);
	printf("| memory per loaded plugin | %.0f kB |\n", strict / 1e3);
	printf("| memory per loaded plugin, untrusted_lua: lax | %.0f kB |\n", lax / 1e3);
}

int main(int argc, char **argv)
{
	if (bench_process(NULL) != 0)
		return 1;
	if (argc > 1 && strcmp(argv[1], "profile") == 0) {
		struct subject *s = three_plugins();

		for (int i = 0; i < PROFILE_ROUNDS; i++)
			printf("%.2f µs\n", sample_ns(s->b, 10000) / 1e3);
		return 0;
	}
	print_calls();
	print_entry();
	print_guards();
	print_cold();
	return 0;
}
