/* SPDX-License-Identifier: Apache-2.0
 *
 * 100,000 random conditions, the same at every run, against tests/unit/condition_model.h.
 */
#include "plugin/condition.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/unit/condition_bed.h"
#include "tests/unit/condition_model.h"

#define CASES 100000

static struct condition_bed bed;
static struct model model;
static uint32_t seed = 12345;

static uint32_t pick(uint32_t n)
{
	seed = seed * 1664525U + 1013904223U;
	return (seed >> 8) % n;
}

/* ---- leaves ---- */

static struct model_value *text_of(const char *text)
{
	struct model_value *v = model_make(&model, M_STRING);

	snprintf(v->text, sizeof(v->text), "%s", text);
	return v;
}

static struct model_value *number_of(long number)
{
	struct model_value *v = model_make(&model, M_INT);

	v->number = number;
	return v;
}

static struct model_tree *tree(enum model_op op)
{
	struct model_tree *t = &model.trees[model.n_trees++];

	assert_true(model.n_trees < 1000);
	memset(t, 0, sizeof(*t));
	t->op = op;
	return t;
}

static struct model_value *shared_list(void)
{
	struct model_value *v = model_make(&model, M_LIST);

	v->items[v->n++] = text_of("a");
	v->items[v->n++] = text_of("b");
	v->items[v->n++] = text_of("c");
	return v;
}

static struct model_value *shared_map(void)
{
	struct model_value *inner = model_make(&model, M_MAP);
	struct model_value *v = model_make(&model, M_MAP);

	inner->items[inner->n++] = text_of("x");
	inner->items[inner->n++] = number_of(1);
	v->items[v->n++] = text_of("inner");
	v->items[v->n++] = inner;
	return v;
}

/* What condition_bed.h put there; of any kind as far as the compiler can know. */
static struct model_tree *make_shared(void)
{
	static const char *const names[] = {
			"tier", "count", "rate", "on", "none", "list", "map", "empty", "gone"};
	uint32_t i = pick(9);
	struct model_tree *t = tree(MO_SHARED);
	struct model_value *v;

	t->name = names[i];
	if (i == 0)
		v = text_of("gold");
	else if (i == 1)
		v = number_of(3);
	else if (i == 5)
		v = shared_list();
	else if (i == 6)
		v = shared_map();
	else
		v = model_make(&model, i == 2   ? M_DOUBLE
				       : i == 3 ? M_BOOL
				       : i == 4 ? M_NULL
				       : i == 7 ? M_MAP
						: M_ERROR);
	v->real = i == 2 ? 1.5 : 0;
	v->boolean = i == 3;
	t->value = v;
	return t;
}

static struct model_tree *make_literal(enum model_kind kind)
{
	static const char *const texts[] = {"", "a", "b", "ab", "gold", "inner", "x"};
	struct model_tree *t = tree(MO_VALUE);

	if (kind == M_STRING)
		t->value = text_of(texts[pick(7)]);
	else if (kind == M_INT)
		t->value = number_of((long)pick(5) - 1);
	else if (kind == M_BOOL)
		t->value = model_bool(&model, pick(2) == 0);
	else
		t->value = model_make(&model, M_NULL);
	return t;
}

/* ---- trees ---- */

/* The kinds of the variables around, as the compiler knows them. */
static enum model_kind scope[8];
static int n_scope;

static struct model_tree *make(enum model_kind kind, int depth);

static struct model_tree *make_two(
		enum model_op op, enum model_kind a, enum model_kind b, int depth)
{
	struct model_tree *t = tree(op);

	t->n = 2;
	t->kids[0] = make(a, depth - 1);
	t->kids[1] = make(b, depth - 1);
	return t;
}

static struct model_tree *make_one(enum model_op op, enum model_kind kind, int depth)
{
	struct model_tree *t = tree(op);

	t->n = 1;
	t->kids[0] = make(kind, depth - 1);
	return t;
}

/* items: what the items of the list are, all of them. */
static struct model_tree *make_list(enum model_kind items, int depth)
{
	struct model_tree *t;

	if (items == M_ANY && pick(2) == 0)
		return make_shared();
	t = tree(MO_LIST);
	t->n = (int)pick(4);
	for (int i = 0; i < t->n; i++)
		t->kids[i] = make(items == M_ANY ? M_STRING : items, depth > 0 ? depth - 1 : 0);
	return t;
}

static struct model_tree *make_macro(enum model_op op, int depth)
{
	static const enum model_kind kinds[] = {M_STRING, M_INT, M_BOOL, M_ANY};
	enum model_kind items = kinds[pick(4)];
	struct model_tree *t = tree(op);

	/* A list of ANY may be one of strings: what it holds is not known then either. */
	t->kids[0] = items == M_ANY ? make_shared() : make_list(items, depth - 1);
	t->at = n_scope;
	scope[n_scope++] = items;
	t->kids[1] = make(op == MO_EACH ? kinds[pick(3)] : M_BOOL, depth - 1);
	n_scope--;
	return t;
}

static struct model_tree *make_variable(enum model_kind kind)
{
	struct model_tree *t;
	int at;

	if (n_scope == 0)
		return make_literal(kind);
	at = (int)pick((uint32_t)n_scope);
	if (scope[at] != kind && scope[at] != M_ANY && kind != M_ANY)
		return make_literal(kind);
	t = tree(MO_VARIABLE);
	t->at = at;
	return t;
}

static struct model_tree *make_map(int depth)
{
	static const char *const keys[] = {"a", "inner", "x"};
	struct model_tree *t = tree(MO_MAP);
	uint32_t n = pick(3);

	for (uint32_t i = 0; i < n; i++) {
		struct model_tree *key = tree(MO_VALUE);

		key->value = text_of(keys[i]);
		/* One that is known to be twice does not compile. */
		t->kids[t->n++] = pick(6) == 0 ? make_shared() : key;
		t->kids[t->n++] = make(M_ANY, depth - 1);
	}
	return t;
}

static struct model_tree *make_has(int depth)
{
	static const char *const names[] = {"x", "inner", "tier", "gone"};
	struct model_tree *t = tree(MO_HAS);

	t->n = 1;
	t->kids[0] = pick(2) == 0 ? make_shared() : make_map(depth - 1);
	t->name = names[pick(4)];
	return t;
}

static struct model_tree *make_bool(int depth)
{
	static const enum model_kind ordered[] = {M_STRING, M_INT, M_BOOL};
	enum model_kind kind = ordered[pick(3)];

	switch (pick(13)) {
	case 0:
		return make_one(MO_NOT, M_BOOL, depth);
	case 1:
	case 2:
		return make_two(MO_AND, M_BOOL, M_BOOL, depth);
	case 3:
	case 4:
		return make_two(MO_OR, M_BOOL, M_BOOL, depth);
	case 5:
		return make_two(pick(2) == 0 ? MO_EQ : MO_NE, M_ANY, M_ANY, depth);
	case 6:
		return make_two(pick(2) == 0 ? MO_EQ : MO_NE, M_LIST, M_LIST, depth);
	case 7:
		return make_two((enum model_op)(MO_LT + pick(4)), kind, kind, depth);
	case 8:
		return make_two(MO_IN, M_ANY, pick(3) == 0 ? M_MAP : M_LIST, depth);
	case 9:
		return make_two((enum model_op)(MO_CONTAINS + pick(3)), M_STRING, M_STRING, depth);
	case 10:
		return make_has(depth);
	default:
		return make_macro(pick(2) == 0 ? MO_ALL : MO_EXISTS, depth);
	}
}

static struct model_tree *make_any(int depth)
{
	static const enum model_kind kinds[] = {
			M_STRING, M_INT, M_BOOL, M_NULL, M_LIST, M_MAP, M_STRING, M_INT};

	return make(kinds[pick(8)], depth);
}

/* Of something whose items are not known. */
static struct model_tree *make_index(int depth)
{
	struct model_tree *t = tree(MO_INDEX);

	t->n = 2;
	t->kids[0] = make_shared();
	t->kids[1] = make(pick(3) == 0 ? M_STRING : M_INT, depth - 1);
	return t;
}

static struct model_tree *make(enum model_kind kind, int depth)
{
	if (kind == M_ANY)
		return make_any(depth);
	if (pick(8) == 0)
		return make_shared();
	if (kind == M_NULL)
		return make_literal(kind);
	if (kind == M_LIST)
		return depth > 0 && pick(2) == 0
				       ? make_macro(pick(2) == 0 ? MO_EACH : MO_FILTER, depth)
				       : make_list(pick(2) == 0 ? M_STRING : M_INT, depth);
	if (kind == M_MAP)
		return make_map(depth > 0 ? depth : 1);
	if (depth <= 0 || pick(4) == 0)
		return pick(2) == 0 ? make_variable(kind) : make_literal(kind);
	if (kind == M_BOOL)
		return make_bool(depth);
	if (kind == M_INT)
		return make_one(MO_SIZE, pick(2) == 0 ? M_LIST : M_STRING, depth);
	if (pick(2) == 0)
		return make_two(MO_ADD, M_STRING, M_STRING, depth);
	return make_index(depth);
}

/* ---- their text ---- */

static void put(char *out, size_t size, const char *text)
{
	size_t n = strlen(out);

	snprintf(out + n, size - n, "%s", text);
}

static void write_tree(char *out, size_t size, const struct model_tree *t);

static void write_value(char *out, size_t size, const struct model_value *v)
{
	char text[80];

	if (v->kind == M_INT)
		snprintf(text, sizeof(text), "%ld", v->number);
	else if (v->kind == M_STRING)
		snprintf(text, sizeof(text), "'%s'", v->text);
	else
		snprintf(text, sizeof(text), "%s",
				v->kind == M_NULL ? "null"
				: v->boolean      ? "true"
						  : "false");
	put(out, size, text);
}

static void write_items(char *out, size_t size, const struct model_tree *t)
{
	put(out, size, t->op == MO_MAP ? "{" : "[");
	for (int i = 0; i < t->n; i++) {
		if (i > 0)
			put(out, size, t->op == MO_MAP && i % 2 == 1 ? ": " : ", ");
		write_tree(out, size, t->kids[i]);
	}
	put(out, size, t->op == MO_MAP ? "}" : "]");
}

static void write_macro(char *out, size_t size, const struct model_tree *t)
{
	static const char *const names[] = {"all", "exists", "map", "filter"};
	char text[32];

	write_tree(out, size, t->kids[0]);
	snprintf(text, sizeof(text), ".%s(v%d, ", names[t->op - MO_ALL], t->at);
	put(out, size, text);
	write_tree(out, size, t->kids[1]);
	put(out, size, ")");
}

static void write_binary(char *out, size_t size, const struct model_tree *t)
{
	static const char *const between[] = {" && ", " || ", " == ", " != ", " < ", " <= ", " > ",
			" >= ", " in ", " + ", "[", ".contains(", ".startsWith(", ".endsWith("};

	put(out, size, t->op < MO_INDEX ? "(" : "");
	write_tree(out, size, t->kids[0]);
	put(out, size, between[t->op - MO_AND]);
	write_tree(out, size, t->kids[1]);
	put(out, size, t->op == MO_INDEX ? "]" : ")");
}

static void write_tree(char *out, size_t size, const struct model_tree *t)
{
	char text[32];

	if (t->op == MO_VALUE)
		return write_value(out, size, t->value);
	if (t->op == MO_LIST || t->op == MO_MAP)
		return write_items(out, size, t);
	if (t->op >= MO_ALL)
		return write_macro(out, size, t);
	if (t->op >= MO_AND && t->op <= MO_ENDS)
		return write_binary(out, size, t);
	if (t->op == MO_VARIABLE) {
		snprintf(text, sizeof(text), "v%d", t->at);
		return put(out, size, text);
	}
	if (t->op == MO_SHARED) {
		put(out, size, "kong.ctx.shared.");
		return put(out, size, t->name);
	}
	put(out, size, t->op == MO_NOT ? "!(" : t->op == MO_HAS ? "has(" : "size(");
	write_tree(out, size, t->kids[0]);
	put(out, size, t->op == MO_HAS ? "." : "");
	put(out, size, t->op == MO_HAS ? t->name : "");
	put(out, size, ")");
}

/* ---- the comparison ---- */

static uint32_t n_true, n_false, n_errors, n_long;

static void compare_one(void)
{
	char text[4096] = "";
	struct why why = WHY_NONE;
	const struct model_value *want;
	int have, wanted;

	model.n_values = model.n_trees = n_scope = 0;
	{
		const struct model_tree *t = make_bool(4);

		write_tree(text, sizeof(text), t);
		want = model_eval(&model, t);
	}
	assert_true(model.n_values < MODEL_POOL);
	if (strlen(text) > CONDITION_TEXT_MAX) {
		n_long++;
		return;
	}
	wanted = want->kind == M_BOOL ? want->boolean : -EINVAL;
	have = bed_result(&bed, text, &why);
	if (have != wanted)
		print_error("%s: want %d, have %d %s\n", text, wanted, have, why.text);
	assert_int_equal(have, wanted);
	n_true += have == 1;
	n_false += have == 0;
	n_errors += have < 0;
}

static void random_conditions_agree_with_a_slow_model(void **state)
{
	(void)state;
	for (uint32_t n = 0; n < CASES + n_long; n++) {
		if (n % 1000 == 0) {
			/* What evaluations made goes with the request. */
			arena_free(bed.arena);
			memset(&bed, 0, sizeof(bed));
			assert_int_equal(bed_make(&bed), 0);
		}
		compare_one();
	}
	print_message("%u true, %u false, %u errors\n", n_true, n_false, n_errors);
	/* The three are all well represented. */
	assert_true(n_true > CASES / 10 && n_false > CASES / 10 && n_errors > CASES / 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(random_conditions_agree_with_a_slow_model),
	};
	int r = bed_make(&bed);

	if (r == 0)
		r = cmocka_run_group_tests(tests, NULL, NULL);
	arena_free(bed.arena);
	return r;
}
