/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "plugin/lint_part.h"

/* Functions that call what they are given, there and then. */
static const char *const runners[] = {"pcall", "xpcall", "coroutine.wrap", "coroutine.create",
		"table.sort", "table.foreach", "table.foreachi", "string.gsub", "ngx.re.gsub",
		"ngx.re.sub", "ngx.thread.spawn", "kong.vault.try", "kong.tracing.process_span"};

/* Told by the name of the phase, a function may do this here and that there. */
static const char *const tellers[] = {"ngx.get_phase", "ngx.get_raw_phase"};

#define RETRY "kong.service.set_target_retry_callback"

/* How a function is reached in the phase that is being walked. */
enum reach { REACH_NOT, REACH_BY_CALL, REACH_PHASE };

struct walk {
	struct lint *l;
	uint32_t bit;
	const char *phase;
	int phase_line;
	unsigned char *reach; /* of each function */
	int *queue;
	size_t n_queue;
};

static bool is_one_of(const struct scan_ref *ref, const char *const *names, size_t n)
{
	char buf[256];
	struct str name;

	if (ref->kind != SCAN_GLOBAL)
		return false;
	name = lint_path_text(ref, buf, sizeof(buf));
	for (size_t i = 0; i < n; i++)
		if (str_eq(name, str_of(names[i])))
			return true;
	return false;
}

static void enqueue(struct walk *w, const struct scan_ref *ref)
{
	if (ref->kind != SCAN_FUNCTION || w->reach[ref->index] != REACH_NOT)
		return;
	w->reach[ref->index] = REACH_BY_CALL;
	w->queue[w->n_queue++] = ref->index;
}

static bool asks_phase(const struct lint *l, int function)
{
	for (int i = l->scan.functions[function].first_use; i >= 0; i = l->scan.uses[i].next)
		if (is_one_of(&l->resolved[i], tellers, PDK_COUNT(tellers)))
			return true;
	return false;
}

static void check_call(struct walk *w, int i, bool is_sure)
{
	const struct scan_ref *ref = &w->l->resolved[i];
	const struct scan_use *use = &w->l->scan.uses[i];
	const struct pdk_function *row;
	char name[256], phases[256];

	row = lint_world_row(w->l->world, lint_path_text(ref, name, sizeof(name)));
	if (row == NULL || row->phases == PDK_ANY || (row->phases & w->bit) != 0)
		return;
	pdk_phases_text(row->phases, phases, sizeof(phases));
	if (is_sure)
		lint_tell(w->l, use, true, "phase",
				"%s cannot be called in the %s phase (only in: %s)", name, w->phase,
				phases);
	else
		lint_tell(w->l, use, false, "phase",
				"%s cannot be called in the %s phase, from where line %d leads "
				"here (only in: %s)",
				name, w->phase, w->phase_line, phases);
}

/* An argument: of pcall and its like it is called here. */
static void check_argument(struct walk *w, int i)
{
	const struct scan_ref *callee = &w->l->resolved[w->l->scan.uses[i].call];
	const struct scan_ref *ref = &w->l->resolved[i];

	if (!is_one_of(callee, runners, PDK_COUNT(runners)))
		return;
	if (ref->kind == SCAN_GLOBAL)
		check_call(w, i, false);
	else
		enqueue(w, ref);
}

static void walk_function(struct walk *w, int function)
{
	struct lint *l = w->l;
	bool is_sure = w->reach[function] == REACH_PHASE;

	if (asks_phase(l, function))
		return;
	for (int i = l->scan.functions[function].first_use; i >= 0; i = l->scan.uses[i].next) {
		const struct scan_use *use = &l->scan.uses[i];

		if (use->kind == SCAN_PASS && use->call >= 0)
			check_argument(w, i);
		if (use->kind != SCAN_CALL)
			continue;
		if (l->resolved[i].kind == SCAN_GLOBAL)
			check_call(w, i, is_sure);
		else
			enqueue(w, &l->resolved[i]);
	}
}

static void walk_from(struct lint *l, int function, uint32_t bit, const char *phase)
{
	struct walk w = {.l = l,
			.bit = bit,
			.phase = phase,
			.phase_line = l->scan.functions[function].line,
			.reach = calloc(l->scan.n_functions, 1),
			.queue = calloc(l->scan.n_functions, sizeof(int))};

	if (w.reach != NULL && w.queue != NULL) {
		w.reach[function] = REACH_PHASE;
		w.queue[w.n_queue++] = function;
		for (size_t i = 0; i < w.n_queue; i++)
			walk_function(&w, w.queue[i]);
	}
	free(w.reach);
	free(w.queue);
}

static void walk_method(struct lint *l, const char *name, uint32_t bit)
{
	struct scan_ref method = l->scan.returned;

	if (method.n_fields == SCAN_FIELDS_MAX)
		return;
	method.fields[method.n_fields++] = str_of(name);
	method = scan_resolve(&l->scan, method);
	if (method.kind == SCAN_FUNCTION)
		walk_from(l, method.index, bit, name);
}

/* The functions of set_target_retry_callback run between tries. */
static void walk_retries(struct lint *l)
{
	static const char *const retry[] = {RETRY};

	for (size_t i = 0; i < l->scan.n_uses; i++) {
		const struct scan_use *use = &l->scan.uses[i];

		if (use->kind == SCAN_PASS && use->call >= 0 &&
				l->resolved[i].kind == SCAN_FUNCTION &&
				is_one_of(&l->resolved[use->call], retry, 1))
			walk_from(l, l->resolved[i].index, PDK_BALANCER, "balancer");
	}
}

void lint_phases_run(struct lint *l)
{
#define X(id, name, yields, args) walk_method(l, name, PHASE_BIT(PHASE_##id));
	PHASE_TABLE(X)
#undef X
	walk_retries(l);
}
