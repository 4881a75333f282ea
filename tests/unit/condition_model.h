/* SPDX-License-Identifier: Apache-2.0
 *
 * A slow model of the condition language: random trees, their text, and their value by the
 * plainest rules.  It shares no code with plugin/condition.
 */
#pragma once

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum model_kind { M_ERROR, M_NULL, M_BOOL, M_INT, M_DOUBLE, M_STRING, M_LIST, M_MAP, M_ANY };

#define MODEL_ITEMS_MAX 8
#define MODEL_POOL 20000

struct model_value {
	enum model_kind kind;
	bool boolean;
	long number;
	double real;
	char text[64];
	/* Of a map: keys and values by turns. */
	const struct model_value *items[2 * MODEL_ITEMS_MAX];
	int n;
};

/* What a tree does; the text of each is in model_write(). */
enum model_op {
	MO_VALUE,    /* a literal: value */
	MO_SHARED,   /* kong.ctx.shared.<name>: value, M_ERROR when it is not there */
	MO_VARIABLE, /* at */
	MO_LIST,
	MO_MAP,
	MO_NOT,
	MO_AND,
	MO_OR,
	MO_EQ,
	MO_NE,
	MO_LT,
	MO_LE,
	MO_GT,
	MO_GE,
	MO_IN,
	MO_ADD,
	MO_INDEX,
	MO_CONTAINS,
	MO_STARTS,
	MO_ENDS,
	MO_SIZE,
	MO_HAS, /* kid 0 . name */
	MO_ALL,
	MO_EXISTS,
	MO_EACH,
	MO_FILTER,
};

struct model_tree {
	enum model_op op;
	const struct model_tree *kids[2 * MODEL_ITEMS_MAX];
	int n;
	int at;
	const char *name;
	const struct model_value *value;
};

struct model {
	struct model_value values[MODEL_POOL];
	struct model_tree trees[1000];
	int n_values, n_trees;
	const struct model_value *variables[16];
};

static inline struct model_value *model_make(struct model *m, enum model_kind kind)
{
	struct model_value *v = &m->values[m->n_values < MODEL_POOL ? m->n_values++ : 0];

	memset(v, 0, sizeof(*v));
	v->kind = kind;
	return v;
}

static inline const struct model_value *model_bool(struct model *m, bool value)
{
	struct model_value *v = model_make(m, M_BOOL);

	v->boolean = value;
	return v;
}

static inline bool model_is_number(const struct model_value *v)
{
	return v->kind == M_INT || v->kind == M_DOUBLE;
}

static inline double model_real(const struct model_value *v)
{
	return v->kind == M_INT ? (double)v->number : v->real;
}

static inline bool model_same(const struct model_value *a, const struct model_value *b);

static inline const struct model_value *model_lookup(
		const struct model_value *map, const struct model_value *key)
{
	for (int i = 0; i < map->n; i += 2)
		if (model_same(map->items[i], key))
			return map->items[i + 1];
	return NULL;
}

static inline bool model_same_maps(const struct model_value *a, const struct model_value *b)
{
	for (int i = 0; i < a->n; i += 2) {
		const struct model_value *other = model_lookup(b, a->items[i]);

		if (other == NULL || !model_same(a->items[i + 1], other))
			return false;
	}
	return a->n == b->n;
}

static inline bool model_same(const struct model_value *a, const struct model_value *b)
{
	if (model_is_number(a) && model_is_number(b))
		return model_real(a) == model_real(b);
	if (a->kind != b->kind)
		return false;
	if (a->kind == M_BOOL)
		return a->boolean == b->boolean;
	if (a->kind == M_STRING)
		return strcmp(a->text, b->text) == 0;
	if (a->kind == M_MAP)
		return model_same_maps(a, b);
	for (int i = 0; a->kind == M_LIST && i < a->n && i < b->n; i++)
		if (!model_same(a->items[i], b->items[i]))
			return false;
	return a->n == b->n;
}

static inline const struct model_value *model_eval(struct model *m, const struct model_tree *t);

static inline const struct model_value *model_error(struct model *m)
{
	return model_make(m, M_ERROR);
}

/* A boolean, or M_ERROR. */
static inline const struct model_value *model_decision(struct model *m, const struct model_tree *t)
{
	const struct model_value *v = model_eval(m, t);

	return v->kind == M_BOOL ? v : model_error(m);
}

/* Strings, numbers or booleans, each once. */
static inline bool model_has_keys(const struct model_value *map)
{
	for (int i = 0; i < map->n; i += 2) {
		enum model_kind kind = map->items[i]->kind;

		if (kind != M_STRING && kind != M_INT && kind != M_BOOL)
			return false;
		for (int j = 0; j < i; j += 2)
			if (model_same(map->items[i], map->items[j]))
				return false;
	}
	return true;
}

static inline const struct model_value *model_collect(struct model *m, const struct model_tree *t)
{
	struct model_value *all = model_make(m, t->op == MO_MAP ? M_MAP : M_LIST);

	for (int i = 0; i < t->n; i++) {
		all->items[i] = model_eval(m, t->kids[i]);
		if (all->items[i]->kind == M_ERROR)
			return all->items[i];
	}
	all->n = t->n;
	return t->op == MO_LIST || model_has_keys(all) ? all : model_error(m);
}

static inline const struct model_value *model_logical(struct model *m, const struct model_tree *t)
{
	bool decides = t->op == MO_OR;
	const struct model_value *a = model_decision(m, t->kids[0]);
	const struct model_value *b = model_decision(m, t->kids[1]);

	if ((a->kind == M_BOOL && a->boolean == decides) ||
			(b->kind == M_BOOL && b->boolean == decides))
		return model_bool(m, decides);
	return a->kind == M_ERROR || b->kind == M_ERROR ? model_error(m) : model_bool(m, !decides);
}

static inline const struct model_value *model_order(struct model *m, enum model_op op,
		const struct model_value *a, const struct model_value *b)
{
	double order;

	if (model_is_number(a) && model_is_number(b))
		order = model_real(a) - model_real(b);
	else if (a->kind == M_STRING && b->kind == M_STRING)
		order = strcmp(a->text, b->text);
	else if (a->kind == M_BOOL && b->kind == M_BOOL)
		order = a->boolean - b->boolean;
	else
		return model_error(m);
	if (op == MO_LT || op == MO_LE)
		return model_bool(m, op == MO_LT ? order < 0 : order <= 0);
	return model_bool(m, op == MO_GT ? order > 0 : order >= 0);
}

static inline const struct model_value *model_in(
		struct model *m, const struct model_value *a, const struct model_value *b)
{
	bool is_found = false;

	if (b->kind == M_MAP)
		return model_bool(m, model_lookup(b, a) != NULL);
	if (b->kind != M_LIST)
		return model_error(m);
	for (int i = 0; i < b->n; i++)
		is_found = is_found || model_same(a, b->items[i]);
	return model_bool(m, is_found);
}

static inline const struct model_value *model_index(
		struct model *m, const struct model_value *a, const struct model_value *b)
{
	const struct model_value *v = NULL;

	if (a->kind == M_LIST && b->kind == M_INT && b->number >= 0 && b->number < a->n)
		return a->items[b->number];
	if (a->kind == M_MAP && (b->kind == M_STRING || b->kind == M_INT || b->kind == M_BOOL))
		v = model_lookup(a, b);
	return v != NULL ? v : model_error(m);
}

static inline const struct model_value *model_text(struct model *m, enum model_op op,
		const struct model_value *a, const struct model_value *b)
{
	size_t n_a = strlen(a->text), n_b = strlen(b->text);
	struct model_value *v;

	if (a->kind != M_STRING || b->kind != M_STRING)
		return model_error(m);
	if (op == MO_CONTAINS)
		return model_bool(m, strstr(a->text, b->text) != NULL);
	if (op == MO_STARTS)
		return model_bool(m, strncmp(a->text, b->text, n_b) == 0);
	if (op == MO_ENDS)
		return model_bool(m, n_a >= n_b && strcmp(a->text + n_a - n_b, b->text) == 0);
	v = model_make(m, M_STRING);
	snprintf(v->text, sizeof(v->text), "%s%s", a->text, b->text);
	return v;
}

static inline const struct model_value *model_binary(struct model *m, const struct model_tree *t)
{
	const struct model_value *a = model_eval(m, t->kids[0]);
	const struct model_value *b = model_eval(m, t->kids[1]);

	if (a->kind == M_ERROR || b->kind == M_ERROR)
		return model_error(m);
	if (t->op == MO_EQ || t->op == MO_NE)
		return model_bool(m, model_same(a, b) == (t->op == MO_EQ));
	if (t->op >= MO_LT && t->op <= MO_GE)
		return model_order(m, t->op, a, b);
	if (t->op == MO_IN)
		return model_in(m, a, b);
	if (t->op == MO_INDEX)
		return model_index(m, a, b);
	return model_text(m, t->op, a, b);
}

static inline const struct model_value *model_unary(struct model *m, const struct model_tree *t)
{
	const struct model_value *a = model_eval(m, t->kids[0]);
	struct model_value *v;

	if (t->op == MO_NOT && a->kind == M_BOOL)
		return model_bool(m, !a->boolean);
	if (t->op == MO_HAS && a->kind != M_ERROR) {
		struct model_value *key = model_make(m, M_STRING);

		snprintf(key->text, sizeof(key->text), "%s", t->name);
		return model_bool(m, a->kind == M_MAP && model_lookup(a, key) != NULL);
	}
	if (t->op != MO_SIZE || (a->kind != M_STRING && a->kind != M_LIST && a->kind != M_MAP))
		return model_error(m);
	v = model_make(m, M_INT);
	v->number = a->kind == M_STRING ? (long)strlen(a->text)
		    : a->kind == M_MAP  ? a->n / 2
					: a->n;
	return v;
}

/* all, exists: every item is tried, then it is decided. */
static inline const struct model_value *model_quantify(
		struct model *m, const struct model_tree *t, const struct model_value *range)
{
	int step = range->kind == M_MAP ? 2 : 1;
	bool decides = t->op == MO_EXISTS, is_decided = false, is_error = false;

	for (int i = 0; i < range->n; i += step) {
		const struct model_value *v;

		m->variables[t->at] = range->items[i];
		v = model_decision(m, t->kids[1]);
		is_error = is_error || v->kind == M_ERROR;
		is_decided = is_decided || (v->kind == M_BOOL && v->boolean == decides);
	}
	if (is_error && !is_decided)
		return model_error(m);
	return model_bool(m, is_decided == decides);
}

static inline const struct model_value *model_macro(struct model *m, const struct model_tree *t)
{
	const struct model_value *range = model_eval(m, t->kids[0]);
	int step = range->kind == M_MAP ? 2 : 1;
	struct model_value *made;

	if (range->kind != M_LIST && range->kind != M_MAP)
		return model_error(m);
	if (t->op == MO_ALL || t->op == MO_EXISTS)
		return model_quantify(m, t, range);
	made = model_make(m, M_LIST);
	for (int i = 0; i < range->n; i += step) {
		const struct model_value *v;

		m->variables[t->at] = range->items[i];
		v = t->op == MO_EACH ? model_eval(m, t->kids[1]) : model_decision(m, t->kids[1]);
		if (v->kind == M_ERROR)
			return v;
		if (t->op == MO_EACH)
			made->items[made->n++] = v;
		else if (v->boolean)
			made->items[made->n++] = range->items[i];
	}
	return made;
}

static inline const struct model_value *model_eval(struct model *m, const struct model_tree *t)
{
	if (t->op == MO_VALUE || t->op == MO_SHARED)
		return t->value;
	if (t->op == MO_VARIABLE)
		return m->variables[t->at];
	if (t->op == MO_LIST || t->op == MO_MAP)
		return model_collect(m, t);
	if (t->op == MO_AND || t->op == MO_OR)
		return model_logical(m, t);
	if (t->op == MO_NOT || t->op == MO_SIZE || t->op == MO_HAS)
		return model_unary(m, t);
	return t->op >= MO_ALL ? model_macro(m, t) : model_binary(m, t);
}
