/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/lint_rules.h"

#include <stdio.h>
#include <stdlib.h>

#include "plugin/check_part.h"
#include "plugin/lint_part.h"

/* Names that plugins elsewhere have, and what to use in their place. */
static const struct {
	const char *name, *text;
} hints[] = {
		{"ngx.timer", "streamed plugins have no timers"},
		{"ngx.shared", "sluice.dict and sluice.counter are shared by all workers"},
		{"ngx.ssl", "kong.client.tls is what a plugin can ask of TLS"},
		{"ngx.process", "plugins cannot control processes"},
		{"kong.websocket", "frames pass by plugins"},
		{"kong.enterprise_edition", "kong.* is all there is"},
		{"kong.worker_events", "plugins cannot send events"},
		{"kong.cluster_events", "plugins cannot send events"},
		{"rawget", "it is not in the sandbox"},
		{"rawset", "it is not in the sandbox"},
		{"rawequal", "it is not in the sandbox"},
		{"load", "code cannot be made at run time"},
		{"loadstring", "code cannot be made at run time"},
		{"loadfile", "there are no files"},
		{"dofile", "there are no files"},
		{"string.dump", "there is no bytecode"},
		{"debug", "it is not in the sandbox"},
		{"package", "only require is there"},
		{"module", "return a table instead"},
		{"collectgarbage", "memory is the worker's to manage"},
		{"newproxy", "it is not in the sandbox"},
		{"getfenv", "it is not in the sandbox"},
		{"setfenv", "it is not in the sandbox"},
		{"io.open", "there are no files"},
		{"io.popen", "there are no files and no processes"},
		{"os.getenv", "the environment is read by {vault://env/…} references"},
		{"os.execute", "there are no processes"},
		{"os.exit", "a plugin cannot end the worker"},
		{"math.randomseed", "the generator is seeded already"},
};

static const char *hint_of(struct str name)
{
	for (size_t i = 0; i < PDK_COUNT(hints); i++)
		if (str_eq(name, str_of(hints[i].name)))
			return hints[i].text;
	return NULL;
}

static bool is_tested(const struct lint *l, struct str missing)
{
	char buf[256];

	for (size_t i = 0; i < l->scan.n_uses; i++) {
		const struct scan_ref *ref = &l->resolved[i];

		if (l->scan.uses[i].kind == SCAN_TEST && ref->kind == SCAN_GLOBAL &&
				str_starts(lint_path_text(ref, buf, sizeof(buf)), missing))
			return true;
	}
	return false;
}

/* A name that this source assigns to itself is one mistake, told where it is written. */
static bool is_written(const struct lint *l, struct str global)
{
	for (size_t i = 0; i < l->scan.n_uses; i++)
		if (l->scan.uses[i].kind == SCAN_WRITE && l->resolved[i].kind == SCAN_GLOBAL &&
				l->resolved[i].n_fields == 0 && str_eq(l->resolved[i].name, global))
			return true;
	return false;
}

/* Does this use of nil raise?  part: of the path, the one that is nil. */
static bool raises(const struct scan_use *use, const struct scan_ref *ref, int part)
{
	return part < ref->n_fields || use->kind == SCAN_CALL || use->kind == SCAN_INDEX;
}

static void tell_missing(struct lint *l, size_t i, int part)
{
	struct scan_use *use = &l->scan.uses[i];
	struct scan_ref shown = l->resolved[i];
	char name[256], whole[256];
	bool is_error = raises(use, &shown, part);
	const char *hint, *like;
	struct str full = lint_path_text(&shown, whole, sizeof(whole)), missing;

	shown.n_fields = part;
	missing = lint_path_text(&shown, name, sizeof(name));
	if (use->kind == SCAN_TEST || is_tested(l, missing) ||
			(part == 0 && is_written(l, shown.name)))
		return;
	hint = hint_of(missing);
	like = hint == NULL ? lint_world_like(l->world, part == 0 ? missing : full) : NULL;
	lint_tell(l, use, is_error, part == 0 ? "undefined-global" : "unknown-name",
			"%s%s%s%s%s%s%s", part == 0 ? "undefined global " : "there is no ",
			part == 0 ? missing.p : whole, hint != NULL ? ": " : "",
			hint != NULL ? hint : "", like != NULL ? "; did you mean " : "",
			like != NULL ? like : "", like != NULL ? "?" : "");
}

static void check_name(struct lint *l, size_t i)
{
	struct scan_use *use = &l->scan.uses[i];
	const struct scan_ref *ref = &l->resolved[i];
	char name[256];
	int part = 0;

	if (lint_world_ask(l->world, VM_LAX, ref, &part) == LINT_MISSING) {
		tell_missing(l, i, part);
		return;
	}
	if (l->c->level == VM_LAX ||
			lint_world_ask(l->world, VM_STRICT, ref, &part) != LINT_MISSING)
		return;
	lint_path_text(ref, name, sizeof(name));
	if (use->kind != SCAN_TEST && !is_tested(l, str_of(name)))
		lint_tell(l, use, raises(use, ref, part), "lax-only",
				"%s is there with untrusted_lua: lax only", name);
}

static void check_write(struct lint *l, size_t i)
{
	struct scan_use *use = &l->scan.uses[i];
	const struct scan_ref *ref = &l->resolved[i];
	char name[256];
	int part = 0;

	lint_path_text(ref, name, sizeof(name));
	if (ref->n_fields > 0 && lint_world_ask(l->world, VM_LAX, ref, &part) == LINT_MISSING &&
			part < ref->n_fields)
		tell_missing(l, i, part);
	else if (ref->n_fields == 0)
		lint_tell(l, use, true, "global-write",
				"assignment to global %s: globals are read-only; make it local",
				name);
	else if (!lint_world_is_writable(l->world, ref))
		lint_tell(l, use, true, "protected-write", "%s cannot be assigned: it is read-only",
				name);
}

static void check_module(struct lint *l, size_t i)
{
	struct scan_use *use = &l->scan.uses[i];
	const struct scan_ref *ref = &l->resolved[i];
	struct str name = use->first_text;

	if (use->kind != SCAN_CALL || ref->n_fields != 0 || name.n == 0 ||
			!str_eq(ref->name, STR("require")))
		return;
	if (!lint_world_has_module(l->world, VM_LAX, name))
		lint_tell(l, use, true, "unknown-module",
				"require '%.*s': there is no such module (docs/modules.md)",
				STR_ARG(name));
	else if (l->c->level == VM_STRICT && !lint_world_has_module(l->world, VM_STRICT, name))
		lint_tell(l, use, true, "lax-only",
				"require '%.*s': it is there with untrusted_lua: lax only",
				STR_ARG(name));
}

/* kong.response:exit(200) hands the table over as the status.  Caches and entities are objects. */
static void check_colon(struct lint *l, size_t i)
{
	const struct scan_ref *ref = &l->resolved[i];
	struct str table = ref->n_fields > 0 ? ref->fields[0] : STR_NONE;
	struct scan_ref object = *ref;
	char name[256], before[256];

	lint_path_text(ref, name, sizeof(name));
	if (!l->scan.uses[i].is_method || lint_world_row(l->world, str_of(name)) == NULL ||
			str_eq(table, STR("cache")) || str_eq(table, STR("db")))
		return;
	object.n_fields--;
	lint_path_text(&object, before, sizeof(before));
	lint_tell(l, &l->scan.uses[i], false, "method-call",
			"%s is a function: write %s(…), not %s:%.*s(…)", name, name, before,
			STR_ARG(ref->fields[ref->n_fields - 1]));
}

static void check_use(struct lint *l, size_t i)
{
	if (l->resolved[i].kind != SCAN_GLOBAL)
		return;
	if (l->scan.uses[i].kind == SCAN_WRITE) {
		check_write(l, i);
		return;
	}
	check_name(l, i);
	check_module(l, i);
	check_colon(l, i);
}

void lint_tell(struct lint *l, const struct scan_use *use, bool is_error, const char *rule,
		const char *fmt, ...)
{
	struct check_place place = {.line = use->line, .column = use->column, .rule = rule};
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	check_add_at(l->c, &l->c->handler, &place, is_error, text);
}

static bool resolve_all(struct lint *l)
{
	l->resolved = calloc(l->scan.n_uses + 1, sizeof(*l->resolved));
	if (l->resolved == NULL)
		return false;
	for (size_t i = 0; i < l->scan.n_uses; i++)
		l->resolved[i] = scan_resolve(&l->scan, l->scan.uses[i].ref);
	return true;
}

void lint_rules_run(struct check *c)
{
	struct lint l = {.c = c};

	if (!c->handler.is_good || source_scan(&l.scan, c->handler.text) < 0)
		return;
	if (l.scan.is_whole && resolve_all(&l) && lint_world_new(&l.world) == 0) {
		for (size_t i = 0; i < l.scan.n_uses; i++)
			check_use(&l, i);
		lint_phases_run(&l);
	}
	free(l.resolved);
	lint_world_free(l.world);
	scan_done(&l.scan);
}
