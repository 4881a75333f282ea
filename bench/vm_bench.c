/* SPDX-License-Identifier: Apache-2.0
 *
 * What plugins cost inside a worker, without sockets: a call of the PDK, entering a phase,
 * the budget, a loaded plugin's memory, a cold start.  Prints Markdown tables.
 *
 *	make bench/vm_bench && bench/vm_bench
 *	perf record bench/vm_bench profile	(only the three plugins, again and again)
 *
 * Each figure is the best of ROUNDS: what the machine can do, not what it was doing.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "plugin/trace.h"
#include "plugin/vm.h"
#include "tests/unit/engine_bench.h"
#include "tests/unit/snap_fixture.h"

#define ROUNDS 15
#define CALLS_PER_RUN 100
#define RUNS_PER_ROUND 500
#define COLD_ROUNDS 30
#define PROFILE_ROUNDS 40

static const struct bench_scope everywhere;

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

/* Whether the requests have a trace, and it is recorded. */
static bool is_traced, is_recorded;

static void begin_trace(struct bench *b)
{
	uint8_t id[TRACE_ID_BYTES] = {1};
	struct trace *t = trace_new(b->arena, id);

	assert_non_null(t);
	t->parts = trace_parts("all");
	t->is_sampled = is_recorded;
	b->x.trace = t;
	trace_set_active(t, trace_start_span(t, STR("kong"), NULL, SPAN_SERVER));
}

/* A request with headers as a client sends them, through every phase. */
static void run_request(struct bench *b)
{
	struct headers *h;

	bench_request(b, "/bench");
	if (is_traced)
		begin_trace(b);
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
static double request_ns(struct bench *b)
{
	double best = 1e18;

	for (int i = 0; i < ROUNDS; i++) {
		uint64_t start = clock_mono_ns();
		double ns;

		for (int n = 0; n < RUNS_PER_ROUND; n++)
			run_request(b);
		ns = (double)(clock_mono_ns() - start) / RUNS_PER_ROUND;
		best = ns < best ? ns : best;
	}
	bench_end(b);
	return best;
}

/* The same with one plugin "p". */
static double plugin_ns(const char *methods, uint32_t cpu_ms)
{
	struct bench *b = bench_open();
	double ns;

	bench_plugin_with(b, "p", 1, methods, NULL, cpu_ms, 0);
	bench_instance(b, "p", "i-p", everywhere);
	bench_commit(b);
	ns = request_ns(b);
	bench_close(b);
	return ns;
}

/* A loop that is compiled, in access: is its budget armed or has it none? */
static double budget_ns(uint32_t cpu_ms)
{
	struct bench *b = bench_open();
	struct why why = WHY_NONE;
	double ns;

	engine_free(b->engine);
	b->conf.limits.by_default.cpu_ms = cpu_ms;
	assert_int_equal(engine_new(&b->engine, &b->conf, &why), 0);
	bench_plugin(b, "p", 1,
			"function P:access() local n = 0 "
			"for i = 1, 1000 do n = n + i % 7 end return n end");
	bench_instance(b, "p", "i-p", everywhere);
	bench_commit(b);
	ns = request_ns(b);
	bench_close(b);
	return ns;
}

static double none_ns(void)
{
	struct bench *b = bench_open();
	double ns;

	bench_commit(b);
	ns = request_ns(b);
	bench_close(b);
	return ns;
}

static double loop_ns(const char *phase, const char *statement)
{
	char methods[512];

	snprintf(methods, sizeof(methods), "function P:%s() for i = 1, %d do %s end end", phase,
			CALLS_PER_RUN, statement);
	return plugin_ns(methods, 0);
}

static void print_calls(void)
{
	static const struct {
		const char *phase, *text, *code;
	} rows[] = {
			{"access", "kong.request.get_header(name)",
					"local v = kong.request.get_header('x-api-key')"},
			{"access", "kong.request.get_path()", "local v = kong.request.get_path()"},
			{"access", "kong.request.get_method()",
					"local v = kong.request.get_method()"},
			{"access", "kong.request.get_query_arg(name)",
					"local v = kong.request.get_query_arg('a')"},
			{"access", "kong.client.get_forwarded_ip()",
					"local v = kong.client.get_forwarded_ip()"},
			{"access", "kong.service.request.set_header(name, value)",
					"kong.service.request.set_header('X-Gateway', 'bench')"},
			{"access", "kong.ctx.plugin.x = v", "kong.ctx.plugin.x = i"},
			{"access", "kong.ctx.shared.x = v", "kong.ctx.shared.x = i"},
			{"header_filter", "kong.response.set_header(name, value)",
					"kong.response.set_header('X-Stamp', 'bench')"},
			{"log", "kong.response.get_status()",
					"local v = kong.response.get_status()"},
	};

	printf("| call | ns |\n|---|---|\n");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		double empty = loop_ns(rows[i].phase, "");

		printf("| `%s` | %.0f |\n", rows[i].text,
				(loop_ns(rows[i].phase, rows[i].code) - empty) / CALLS_PER_RUN);
	}
}

/* The plugins of bench/plugins, with their work in access, header_filter and log. */
static double three_plugins_ns(void)
{
	struct bench *b = bench_open();
	double ns;

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
	bench_commit(b);
	ns = request_ns(b);
	bench_close(b);
	return ns;
}

static void print_entry(void)
{
	double bare = none_ns(), one = plugin_ns("function P:access() end", 0), two, three;

	two = plugin_ns("function P:access() end function P:log() end", 0);
	three = plugin_ns("function P:access() end function P:header_filter() end "
			  "function P:log() end",
			0);
	printf("\n| a request in a worker, without sockets | µs |\n|---|---|\n");
	printf("| no plugin | %.2f |\n", bare / 1e3);
	printf("| one plugin, empty access | %.2f |\n", one / 1e3);
	printf("| and an empty log | %.2f |\n", two / 1e3);
	printf("| and an empty header_filter | %.2f |\n", three / 1e3);
	printf("| one phase more | %.2f |\n", (three - one) / 2e3);
	printf("| a loop of 1000 turns in access, without a CPU budget | %.2f |\n",
			budget_ns(0) / 1e3);
	printf("| the same under a budget of 20 ms | %.2f |\n", budget_ns(20) / 1e3);
	printf("| the three plugins of bench/plugins | %.2f |\n", three_plugins_ns() / 1e3);
}

static void print_tracing(void)
{
	static const char *const names[] = {"off", "not chosen", "recorded: six spans"};

	printf("\n| the three plugins, tracing | µs |\n|---|---|\n");
	for (unsigned i = 0; i < 3; i++) {
		is_traced = i > 0;
		is_recorded = i > 1;
		printf("| %s | %.2f |\n", names[i], three_plugins_ns() / 1e3);
	}
	is_traced = is_recorded = false;
}

static void ignore_report(void *arg, const struct engine_report *report)
{
	(void)arg;
	(void)report;
}

static void take_memory(void *arg, const struct engine_plugin_stat *stat)
{
	*(double *)arg = (double)stat->memory_bytes;
}

/* A plugin of about 5 kB of source, 15 functions: an engine takes the snapshot, makes its VM, loads
 * the handler, serves a request. */
static void print_cold(void)
{
	static char methods[8192];
	double best = 1e18, bytes = 0;
	struct why why = WHY_NONE;
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
	for (int i = 0; i < COLD_ROUNDS; i++) {
		struct bench *b = bench_open();
		struct snap_view *view;
		uint64_t start;
		double ns;

		bench_plugin(b, "p", 1, methods);
		bench_instance(b, "p", "i-p", everywhere);
		bench_commit(b);
		engine_free(b->engine);
		view = view_of(b->writer);
		start = clock_mono_ns();
		assert_int_equal(engine_new(&b->engine, &b->conf, &why), 0);
		engine_set_view(b->engine, view, ignore_report, NULL);
		run_request(b);
		ns = (double)(clock_mono_ns() - start);
		best = ns < best ? ns : best;
		engine_stats(b->engine, take_memory, &bytes);
		snap_view_unref(view);
		bench_close(b);
	}
	printf("\n| a plugin with a handler of 5 kB of source | |\n|---|---|\n");
	printf("| from the snapshot to the end of the first request | %.0f µs |\n", best / 1e3);
	printf("| memory of its VM | %.0f kB |\n", bytes / 1e3);
}

int main(int argc, char **argv)
{
	if (bench_process(NULL) != 0)
		return 1;
	if (argc > 1 && strcmp(argv[1], "profile") == 0) {
		for (int i = 0; i < PROFILE_ROUNDS; i++)
			printf("%.2f µs\n", three_plugins_ns() / 1e3);
		return 0;
	}
	print_calls();
	print_entry();
	print_tracing();
	print_cold();
	return 0;
}
