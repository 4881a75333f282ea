/* SPDX-License-Identifier: Apache-2.0
 *
 * Every function that plugins can call, from the tables that register them: its phases, all of
 * them, called for; a result; a wrong argument.
 */
#include "tests/unit/pdk_contract.h"
#include "tests/unit/pdk_phases.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "plugin/pdk.h"
#include "tests/unit/engine_bench.h"

static const struct contract {
	const char *name, *phase, *call, *result, *wrong, *error;
} contracts[] = {
#define X(name, phase, call, result, ...) {name, phase, call, result, __VA_ARGS__},
		CONTRACT_CACHE(X) CONTRACT_DB(X) CONTRACT_VAULT(X) CONTRACT_KONG(X) CONTRACT_NGX(X)
				CONTRACT_SLUICE(X)
#undef X
};

/* ---- the functions there are ---- */

#define FUNCTIONS_MAX 1000

static struct {
	char name[128];
	uint32_t phases;
} functions[FUNCTIONS_MAX];
static size_t n_functions;

static void note(const char *path, const struct pdk_function *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		snprintf(functions[n_functions].name, sizeof(functions[0].name), "%s%s%s", path,
				rows[i].name[0] != '\0' ? "." : "", rows[i].name);
		functions[n_functions++].phases = rows[i].phases;
		assert_true(n_functions < FUNCTIONS_MAX);
	}
}

static void list_functions(void)
{
	const struct engine_conf conf = {
			.level = VM_LAX, .node_id = "", .hostname = "", .version = ""};
	struct pdk_host host = {
			.conf = &conf, .level = VM_LAX, .plugin_name = "t", .phase = PHASE_COUNT};
	const struct vm_limits limits = {.memory_mb = 64};
	struct vm *vm;

	if (n_functions > 0)
		return;
	pdk_observer = note;
	assert_int_equal(vm_new(&vm, "t", VM_LAX, &limits, pdk_open, &host), 0);
	pdk_observer = NULL;
	vm_free(vm);
}

/* An expression for it: methods need an object. */
static const char *callee(const char *name)
{
	static char text[160];

	if (strncmp(name, "sluice.counter.", 15) == 0)
		snprintf(text, sizeof(text), "sluice.counter('c'):%s", name + 15);
	else if (strncmp(name, "sluice.dict.", 12) == 0)
		snprintf(text, sizeof(text), "sluice.dict('d'):%s", name + 12);
	else if (strncmp(name, "kong.cache.", 11) == 0)
		snprintf(text, sizeof(text), "kong.cache:%s", name + 11);
	else
		snprintf(text, sizeof(text), "%s", name);
	if (strncmp(name, "kong.db.", 8) == 0)
		*strrchr(text, '.') = ':';
	return text;
}

/* ---- one plugin that makes a numbered call in a named phase ---- */

static const char head[] =
		"local f = {} "
		"local function show(v) if type(v) == 'table' then return 'table' end return "
		"tostring(v) end "
		"local function call(f) local r = { n = 0 } "
		"local function take(ok, ...) r.ok, r.n = ok, select('#', ...) "
		"for i = 1, r.n do r[i] = show((select(i, ...))) end end take(pcall(f)) "
		"if r.ok then return table.concat(r, ', ', 1, r.n) end "
		"local text, n = r[1]:gsub('^handler.lua:%d+: ', '') "
		"return (n == 1 and '! ' or 'no place! ') .. text end "
		"local function keep(...) return ... end "
		"local function run(phase) "
		"local row, wanted = ngx.var.http_x_call:match('(%d+) (%S+)') "
		"if phase ~= wanted then return end "
		"kong.ctx.shared.r = 'ended' kong.ctx.shared.ran = phase "
		"kong.ctx.shared.r = call(f[tonumber(row)]) end ";

static const char tail[] =
		"function P:certificate() run('certificate') end "
		"function P:rewrite() run('rewrite') end "
		"function P:access() run('access') "
		"kong.service.set_target_retry_callback(function() run('balancer') end) end "
		"function P:header_filter() run('header_filter') end "
		"function P:body_filter() run('body_filter') end "
		"function P:log() run('log') end";

static void make_plugins(struct bench *b, const struct buf *calls)
{
	sl_auto_buf p = {.p = NULL}, q = {.p = NULL};

	buf_printf(&p, "%s%.*s%s", head, (int)calls->n, calls->p, tail);
	buf_printf(&q, "%s%.*sfunction P:response() run('response') end", head, (int)calls->n,
			calls->p);
	bench_plugin(b, "p", 1000, buf_z(&p));
	bench_plugin(b, "q", 1, buf_z(&q));
	bench_instance(b, "p", "i-p", (struct bench_scope){.config = "{}"});
	bench_instance(b, "q", "i-q", (struct bench_scope){.config = "{}"});
	bench_commit(b);
	assert_int_equal(b->n_refused, 0);
}

static void prepare(struct bench *b, size_t row, const char *phase)
{
	struct exchange *x = &b->x;
	char text[64];

	snprintf(text, sizeof(text), "%zu %s", row + 1, phase);
	headers_add(&x->request.headers, STR("X-Call"), arena_str(b->arena, str_of(text)));
	headers_add(&x->request.headers, STR("X-Two"), STR("one"));
	headers_add(&x->request.headers, STR("Content-Type"), STR("application/json"));
	x->request.body = (struct body){.state = BODY_COMPLETE, .bytes = STR("{\"a\":1}")};
	x->request.request_line = STR("GET /a%20b/../c?x=1&y&x=2&z=%41+b HTTP/1.1");
	x->route.json = STR("{\"id\":\"r\",\"name\":\"route\"}");
	x->service.json = STR("{\"id\":\"s\",\"name\":\"service\"}");
}

static void prepare_response(struct bench *b)
{
	struct exchange_response *r = &b->x.response;

	r->status = 201;
	r->source = RESPONSE_FROM_SERVICE;
	r->service_status = 202;
	r->service_body = (struct body){.state = BODY_COMPLETE, .bytes = STR("{\"s\":1}")};
	headers_add(&r->service_headers, STR("X-Of"), STR("service"));
	headers_add(&r->headers, STR("X-Reply"), STR("yes"));
	b->x.chunk = STR("chunk");
	b->x.chunk_is_last = true;
}

/* The call's outcome as a row has it. */
static const char *outcome(struct bench *b, size_t row, const char *phase)
{
	static char answer[512];
	enum chain_verdict verdict;

	bench_request(b, "/a%20b/../c?x=1&y&x=2&z=%41+b");
	prepare(b, row, phase);
	if (strcmp(phase, "certificate") == 0) {
		bench_serve(b, chain_certificate(b->chain));
		return bench_shared(b, "r");
	}
	verdict = bench_serve(b, chain_rewrite(b->chain));
	if (verdict == CHAIN_GO_ON) {
		bench_route(b, "r", "s");
		verdict = bench_serve(b, chain_access(b->chain));
	}
	if (strcmp(phase, "balancer") == 0)
		(void)chain_retry(b->chain);
	if (verdict == CHAIN_GO_ON) {
		prepare_response(b);
		if (strcmp(phase, "response") == 0)
			verdict = bench_serve(b, chain_response(b->chain));
		(void)chain_header_filter(b->chain);
		chain_body_filter(b->chain);
	}
	chain_log(b->chain);
	if (strcmp(bench_shared(b, "r"), "ended") != 0)
		return bench_shared(b, "r");
	snprintf(answer, sizeof(answer), "= %d %.*s", b->x.answer.status,
			STR_ARG(b->x.answer.body));
	return answer;
}

/* ---- the tests ---- */

static bool has_contract(const char *name)
{
	for (size_t i = 0; i < PDK_COUNT(contracts); i++)
		if (strcmp(contracts[i].name, name) == 0)
			return true;
	return false;
}

static void every_function_has_a_contract_and_every_contract_a_function(void **state)
{
	unsigned n_wrong = 0;

	(void)state;
	list_functions();
	for (size_t i = 0; i < n_functions; i++)
		if (!has_contract(functions[i].name)) {
			print_error("%s: no row in tests/unit/pdk_contract.h\n", functions[i].name);
			n_wrong++;
		}
	for (size_t i = 0; i < PDK_COUNT(contracts); i++) {
		bool is_there = false;

		for (size_t k = 0; k < n_functions; k++)
			is_there |= strcmp(contracts[i].name, functions[k].name) == 0;
		if (!is_there)
			print_error("%s: there is no such function\n", contracts[i].name);
		n_wrong += !is_there;
	}
	assert_int_equal(n_wrong, 0);
}

/* A call that never came about would be in every phase. */
static bool has_run(struct bench *b, const char *phase)
{
	return strcmp(bench_shared(b, "ran"), phase) == 0;
}

static bool is_as_expected(struct bench *b, size_t row, const struct contract *c,
		const char *arguments, const char *expected)
{
	sl_auto_mem char *got = strdup(outcome(b, row, c->phase));

	if (has_run(b, c->phase) && strcmp(got, expected) == 0)
		return true;
	print_error("%s%s\n  gives    %s\n  expected %s\n", c->name, arguments, got, expected);
	return false;
}

static void every_function_gives_its_result_and_refuses_wrong_arguments(void **state)
{
	struct bench *b = *state;
	sl_auto_buf calls = {.p = NULL};
	unsigned n_wrong = 0;

	for (size_t i = 0; i < PDK_COUNT(contracts); i++) {
		const struct contract *c = &contracts[i];

		buf_printf(&calls, "f[%zu] = function() return keep(%s%s) end\n", 2 * i + 1,
				callee(c->name), c->call);
		if (c->wrong != NULL)
			buf_printf(&calls, "f[%zu] = function() return keep(%s%s) end\n", 2 * i + 2,
					callee(c->name), c->wrong);
	}
	make_plugins(b, &calls);
	for (size_t i = 0; i < PDK_COUNT(contracts); i++) {
		const struct contract *c = &contracts[i];

		n_wrong += !is_as_expected(b, 2 * i, c, c->call, c->result);
		if (c->wrong != NULL)
			n_wrong += !is_as_expected(b, 2 * i + 1, c, c->wrong, c->error);
	}
	assert_int_equal(n_wrong, 0);
}

static bool refuses_phase(const char *outcome)
{
	return strstr(outcome, "cannot be called in") != NULL ||
	       strstr(outcome, "API disabled") != NULL || strstr(outcome, "no phase in") != NULL;
}

/* How ngx.socket.* and ngx.thread.* word it, as OpenResty does. */
static bool is_disabled(const char *outcome)
{
	return str_starts(str_of(outcome), STR("! API disabled in the context of "));
}

static unsigned check_phase(struct bench *b, size_t row, const char *phase, uint32_t bit)
{
	uint32_t phases = functions[row].phases;
	char expected[512], names[400];
	sl_auto_mem char *got = strdup(outcome(b, row, phase));

	if (!has_run(b, phase)) {
		print_error("%s in %s: was not called\n", functions[row].name, phase);
		return 1;
	}
	pdk_phases_text(phases, names, sizeof(names));
	snprintf(expected, sizeof(expected),
			"! function cannot be called in %s phase (only in: %s)", phase, names);
	if (phases == PDK_ANY || (phases & bit) != 0
					? !refuses_phase(got)
					: strcmp(got, expected) == 0 || is_disabled(got))
		return 0;
	print_error("%s in %s: %s\n", functions[row].name, phase, got);
	return 1;
}

static void every_function_can_be_called_in_its_phases_and_in_no_other(void **state)
{
	static const struct {
		const char *name;
		uint32_t bit;
	} phases[] = {{"certificate", PDK_CERTIFICATE}, {"rewrite", PDK_REWRITE},
			{"access", PDK_ACCESS}, {"balancer", PDK_BALANCER},
			{"response", PDK_RESPONSE}, {"header_filter", PDK_HEADER_FILTER},
			{"body_filter", PDK_BODY_FILTER}, {"log", PDK_LOG}};
	struct bench *b = *state;
	sl_auto_buf calls = {.p = NULL};
	unsigned n_wrong = 0;

	list_functions();
	for (size_t i = 0; i < n_functions; i++)
		buf_printf(&calls, "f[%zu] = function() return keep(%s()) end\n", i + 1,
				callee(functions[i].name));
	make_plugins(b, &calls);
	for (size_t i = 0; i < n_functions; i++)
		for (size_t k = 0; k < PDK_COUNT(phases); k++)
			n_wrong += check_phase(b, i, phases[k].name, phases[k].bit);
	assert_int_equal(n_wrong, 0);
}

/* Those that are said to take no argument, or any: they are not the worse for strange ones. */
static void functions_without_arguments_take_any(void **state)
{
	struct bench *b = *state;
	sl_auto_buf calls = {.p = NULL};
	unsigned n_wrong = 0;

	for (size_t i = 0; i < PDK_COUNT(contracts); i++)
		buf_printf(&calls, "f[%zu] = function() return keep(%s(print, {}, 'x')) end\n",
				i + 1, callee(contracts[i].name));
	make_plugins(b, &calls);
	for (size_t i = 0; i < PDK_COUNT(contracts); i++) {
		const struct contract *c = &contracts[i];
		const char *got;

		if (c->wrong != NULL)
			continue;
		got = outcome(b, i, c->phase);
		/* what is refused in any case is refused with its own words */
		if (got[0] != '!' && strncmp(got, "no place!", 9) != 0)
			continue;
		if (strcmp(got, c->result) == 0)
			continue;
		print_error("%s(print, {}, 'x'): %s\n", c->name, got);
		n_wrong++;
	}
	assert_int_equal(n_wrong, 0);
}

/* ---- against the reference ---- */

static bool is_among(const char *words, const char *word)
{
	size_t n = strlen(word);

	for (const char *p = words; p != NULL && *p != '\0'; p = strchr(p, ' ')) {
		p += *p == ' ';
		if (strncmp(p, word, n) == 0 && (p[n] == ' ' || p[n] == '\0'))
			return true;
	}
	return false;
}

/* False: the reference's list has no such function. */
static bool find_phases(const char *name, uint32_t *ret)
{
	static const struct {
		const char *table;
		uint32_t phases;
		const char *names;
	} rows[] = {
#define X(table, phases, names) {"kong." table, (phases), (names)},
			PHASES_OF_KONG(X)
#undef X
	};

	for (size_t i = 0; i < PDK_COUNT(rows); i++) {
		size_t n = strlen(rows[i].table);

		if (strncmp(name, rows[i].table, n) != 0 || !is_among(rows[i].names, name + n))
			continue;
		*ret = rows[i].phases;
		return true;
	}
	return false;
}

static void phases_are_those_of_the_reference(void **state)
{
	unsigned n_wrong = 0, n_checked = 0;
	char have[256], want[256];
	uint32_t phases = 0;

	(void)state;
	list_functions();
	for (size_t i = 0; i < n_functions; i++) {
		const char *name = functions[i].name;

		if (strncmp(name, "kong.", 5) != 0 || strncmp(name, "kong.db.", 8) == 0)
			continue;
		n_checked++;
		if (find_phases(name, &phases) && phases == functions[i].phases)
			continue;
		pdk_phases_text(functions[i].phases, have, sizeof(have));
		pdk_phases_text(phases, want, sizeof(want));
		print_error("%s: in %s, in the reference %s\n", name, have, want);
		n_wrong++;
	}
	assert_int_equal(n_wrong, 0);
	assert_true(n_checked > 130);
}

/* The main chunk and configure(). */
static void outside_a_request_only_what_needs_none_can_be_called(void **state)
{
	struct bench *b = *state;
	sl_auto_buf code = {.p = NULL};
	unsigned n_wrong = 0;
	char name[32];

	list_functions();
	buf_printf(&code, "%slocal at_load, at_configure = {}, {} ", head);
	for (size_t i = 0; i < n_functions; i++)
		buf_printf(&code, "f[%zu] = function() return keep(%s()) end\n", i + 1,
				callee(functions[i].name));
	buf_printf(&code, "for i = 1, #f do at_load[i] = 'r ' .. call(f[i]) end "
			  "function P:configure() for i = 1, #f do at_configure[i] = 'r ' .. "
			  "call(f[i]) "
			  "end end "
			  "function P:access() for i = 1, #f do kong.ctx.shared['l' .. i] = "
			  "at_load[i] kong.ctx.shared['c' .. i] = at_configure[i] end end");
	bench_plugin_with(b, "p", 1, buf_z(&code), NULL, 1000, 64);
	bench_instance(b, "p", "i-p", (struct bench_scope){.config = "{}"});
	bench_commit(b);
	bench_run(b, "/");
	for (size_t i = 0; i < n_functions; i++)
		for (const char *when = "lc"; *when != '\0'; when++) {
			const char *got;

			snprintf(name, sizeof(name), "%c%zu", *when, i + 1);
			got = bench_shared(b, name);
			if (strncmp(got, "r ", 2) == 0 &&
					refuses_phase(got) == (functions[i].phases != PDK_ANY))
				continue;
			print_error("%s outside a request (%c): %s\n", functions[i].name, *when,
					got);
			n_wrong++;
		}
	assert_int_equal(n_wrong, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
			BENCH_TEST(every_function_has_a_contract_and_every_contract_a_function),
			BENCH_TEST(every_function_gives_its_result_and_refuses_wrong_arguments),
			BENCH_TEST(every_function_can_be_called_in_its_phases_and_in_no_other),
			BENCH_TEST(functions_without_arguments_take_any),
			BENCH_TEST(phases_are_those_of_the_reference),
			BENCH_TEST(outside_a_request_only_what_needs_none_can_be_called),
	};

	return cmocka_run_group_tests_name("pdk_contract", tests, bench_process, NULL);
}
