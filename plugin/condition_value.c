/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/condition_value.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#include "plugin/condition_part.h"
#include "plugin/exchange.h"
#include "plugin/value.h"

int cel_fail(struct cel_eval *e, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	if (e->why == NULL)
		return -EINVAL;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	why_set(e->why, "condition", 0, "%s", text);
	return -EINVAL;
}

int cel_over(struct cel_eval *e, const char *text)
{
	e->over = text;
	return -EINVAL;
}

int cel_step(struct cel_eval *e, size_t n)
{
	if (n > CEL_STEPS_MAX - e->steps)
		return cel_over(e, "the condition takes more than 100000 steps on this request");
	e->steps += (uint32_t)n;
	return 0;
}

void *cel_alloc(struct cel_eval *e, size_t bytes)
{
	void *made;

	if (bytes > CEL_SCRATCH_MAX - e->scratch_bytes) {
		cel_over(e, "the condition makes more than 64 KiB of values on this request");
		return NULL;
	}
	e->scratch_bytes += bytes;
	made = arena_alloc(e->x->arena, bytes != 0 ? bytes : 1);
	if (made == NULL)
		cel_over(e, "out of request memory");
	return made;
}

/* 1 … n are all its keys: they are distinct, so that none is missing. */
static bool is_sequence(const struct value_table *t)
{
	if (t->is_array || t->n == 0)
		return t->is_array;
	for (uint32_t i = 0; i < t->n; i++) {
		const struct value *key = &t->v[i].key;

		if (key->type != VALUE_NUMBER || !(key->number >= 1 && key->number <= t->n) ||
				key->number != floor(key->number))
			return false;
	}
	return true;
}

static void of_number(struct cel_value *ret, double number)
{
	/* Lua has one kind of number: what is whole is an int. */
	if (number == floor(number) && fabs(number) < 9.2e18)
		*ret = (struct cel_value){.kind = CEL_INT, .number = (int64_t)number};
	else
		*ret = (struct cel_value){.kind = CEL_DOUBLE, .real = number};
}

void cel_of_value(struct cel_value *ret, const struct value *v)
{
	*ret = (struct cel_value){.kind = CEL_NULL};
	switch (v->type) {
	case VALUE_NIL:
	case VALUE_NULL:
		return;
	case VALUE_BOOL:
		*ret = (struct cel_value){.kind = CEL_BOOL, .boolean = v->boolean};
		return;
	case VALUE_NUMBER:
		of_number(ret, v->number);
		return;
	case VALUE_STRING:
		*ret = (struct cel_value){.kind = CEL_STRING, .text = v->string};
		return;
	case VALUE_TABLE:
		*ret = (struct cel_value){.kind = is_sequence(v->table) ? CEL_LIST : CEL_MAP,
				.shape = SHAPE_TABLE,
				.table = v->table};
		return;
	}
}

/* Item i (from 0) of a sequence, mostly where its place says. */
static int sequence_item(
		struct cel_eval *e, const struct value_table *t, size_t i, const struct value **ret)
{
	struct value key = {.type = VALUE_NUMBER, .number = (double)(i + 1)};

	if (i < t->n && t->v[i].key.type == VALUE_NUMBER && t->v[i].key.number == key.number) {
		*ret = &t->v[i].value;
		return 0;
	}
	*ret = value_get(t, key);
	return cel_step(e, t->n / 8);
}

static int next_of_table(struct cel_eval *e, struct cel_iter *it, struct cel_value *ret)
{
	const struct value_table *t = it->of->table;
	const struct value *v = NULL;
	int r;

	if (it->at >= t->n)
		return 0;
	if (it->of->kind == CEL_MAP) {
		cel_of_value(ret, &t->v[it->at++].key);
		return 1;
	}
	r = sequence_item(e, t, it->at++, &v);
	if (r < 0)
		return r;
	if (v == NULL)
		*ret = (struct cel_value){.kind = CEL_NULL};
	else
		cel_of_value(ret, v);
	return 1;
}

/* One table per group: what is asked of it, null where it has none. */
static int next_of_groups(struct cel_eval *e, struct cel_iter *it, struct cel_value *ret)
{
	const struct value_table *t = it->of->table;
	const struct value *group = NULL, *v = NULL;
	int r;

	if (it->at >= t->n)
		return 0;
	r = sequence_item(e, t, it->at++, &group);
	if (r < 0)
		return r;
	if (group != NULL && group->type == VALUE_TABLE)
		v = value_get(group->table, value_of_str(str_of(it->of->in_group)));
	*ret = (struct cel_value){.kind = CEL_NULL};
	if (v != NULL)
		cel_of_value(ret, v);
	return 1;
}

static int next_of_items(struct cel_iter *it, struct cel_value *ret)
{
	if (it->at >= it->of->n)
		return 0;
	*ret = it->of->items[it->at];
	it->at += it->of->kind == CEL_MAP ? 2 : 1;
	return 1;
}

int cel_next(struct cel_eval *e, struct cel_iter *it, struct cel_value *ret)
{
	int r = cel_step(e, 1);

	if (r < 0)
		return r;
	switch ((enum cel_shape)it->of->shape) {
	case SHAPE_ITEMS:
		return next_of_items(it, ret);
	case SHAPE_TABLE:
		return next_of_table(e, it, ret);
	case SHAPE_SEGMENTS:
		return cel_next_segment(it, ret);
	case SHAPE_HEADERS:
		return cel_next_header(e, it, ret);
	case SHAPE_QUERIES:
		return cel_next_query(e, it, ret);
	case SHAPE_GROUPS:
		return next_of_groups(e, it, ret);
	}
	return 0;
}

int cel_count(struct cel_eval *e, const struct cel_value *of, size_t *ret)
{
	struct cel_iter it = {.of = of};
	struct cel_value item;
	int r = 0;

	*ret = 0;
	if (of->shape == SHAPE_ITEMS) {
		*ret = of->kind == CEL_MAP ? of->n / 2 : of->n;
	} else if (of->shape == SHAPE_TABLE || of->shape == SHAPE_GROUPS) {
		*ret = of->table->n;
	} else {
		while ((r = cel_next(e, &it, &item)) > 0)
			++*ret;
	}
	return r;
}

int cel_item(struct cel_eval *e, const struct cel_value *list, int64_t at, struct cel_value *ret)
{
	struct cel_iter it = {.of = list};
	int r = 1;

	if (at < 0)
		return 0;
	if (list->shape == SHAPE_ITEMS || list->shape == SHAPE_TABLE ||
			list->shape == SHAPE_GROUPS) {
		it.at = (size_t)at;
		return cel_next(e, &it, ret);
	}
	for (int64_t i = 0; i <= at && r > 0; i++)
		r = cel_next(e, &it, ret);
	return r;
}

static bool key_of(const struct cel_value *v, struct value *ret)
{
	if (v->kind == CEL_STRING)
		*ret = value_of_str(v->text);
	else if (v->kind == CEL_INT)
		*ret = (struct value){.type = VALUE_NUMBER, .number = (double)v->number};
	else if (v->kind == CEL_BOOL)
		*ret = (struct value){.type = VALUE_BOOL, .boolean = v->boolean};
	else
		return false;
	return true;
}

int cel_find(struct cel_eval *e, const struct cel_value *map, const struct cel_value *key,
		struct cel_value *ret)
{
	const struct value *v;
	struct value wanted;
	int r;

	if (map->shape == SHAPE_TABLE) {
		v = key_of(key, &wanted) ? value_get(map->table, wanted) : NULL;
		if (v != NULL)
			cel_of_value(ret, v);
		r = cel_step(e, map->table->n / 8);
		return r < 0 ? r : v != NULL;
	}
	for (size_t i = 0; i + 1 < map->n; i += 2) {
		r = cel_equal(e, &map->items[i], key);
		if (r == 0)
			continue;
		*ret = map->items[i + 1];
		return r;
	}
	return 0;
}

static int lists_equal(struct cel_eval *e, const struct cel_value *a, const struct cel_value *b)
{
	struct cel_iter in_a = {.of = a}, in_b = {.of = b};
	struct cel_value left, right;

	for (;;) {
		int r_a = cel_next(e, &in_a, &left);
		int r_b = r_a >= 0 ? cel_next(e, &in_b, &right) : r_a;
		int r;

		if (r_b < 0)
			return r_b;
		if (r_a != r_b)
			return 0;
		if (r_a == 0)
			return 1;
		r = cel_equal(e, &left, &right);
		if (r <= 0)
			return r;
	}
}

static int maps_equal(struct cel_eval *e, const struct cel_value *a, const struct cel_value *b)
{
	struct cel_iter it = {.of = a};
	struct cel_value key, left, right;
	size_t n_a, n_b;
	int r;

	cel_count(e, a, &n_a);
	cel_count(e, b, &n_b);
	if (n_a != n_b)
		return 0;
	while ((r = cel_next(e, &it, &key)) > 0) {
		r = cel_find(e, a, &key, &left);
		if (r > 0)
			r = cel_find(e, b, &key, &right);
		if (r > 0)
			r = cel_equal(e, &left, &right);
		if (r <= 0)
			return r;
	}
	return r < 0 ? r : 1;
}

static double real_of(const struct cel_value *v)
{
	return v->kind == CEL_INT ? (double)v->number : v->real;
}

static bool is_number(const struct cel_value *v)
{
	return v->kind == CEL_INT || v->kind == CEL_DOUBLE;
}

int cel_equal(struct cel_eval *e, const struct cel_value *a, const struct cel_value *b)
{
	int r = cel_step(e, 1);

	if (r < 0)
		return r;
	if (a->kind != b->kind)
		return is_number(a) && is_number(b) && real_of(a) == real_of(b);
	switch ((enum cel_kind)a->kind) {
	case CEL_NULL:
		return 1;
	case CEL_BOOL:
		return a->boolean == b->boolean;
	case CEL_INT:
		return a->number == b->number;
	case CEL_DOUBLE:
		return a->real == b->real;
	case CEL_STRING:
		r = a->text.n == b->text.n ? cel_step(e, a->text.n / 64) : 0;
		return r < 0 ? r : str_eq(a->text, b->text);
	case CEL_LIST:
		return lists_equal(e, a, b);
	case CEL_MAP:
		return maps_equal(e, a, b);
	}
	return 0;
}

int cel_contains(struct cel_eval *e, const struct cel_value *in, const struct cel_value *what)
{
	struct cel_iter it = {.of = in};
	struct cel_value item;
	int r;

	if (in->kind == CEL_MAP)
		return cel_find(e, in, what, &item);
	while ((r = cel_next(e, &it, &item)) > 0) {
		r = cel_equal(e, &item, what);
		if (r != 0)
			return r;
	}
	return r;
}

bool cel_order(const struct cel_value *a, const struct cel_value *b, int *ret)
{
	if (is_number(a) && is_number(b)) {
		double x = real_of(a), y = real_of(b);

		*ret = isnan(x) || isnan(y) ? 2 : (x > y) - (x < y);
		if (a->kind == CEL_INT && b->kind == CEL_INT)
			*ret = (a->number > b->number) - (a->number < b->number);
		return true;
	}
	if (a->kind != b->kind || (a->kind != CEL_BOOL && a->kind != CEL_STRING))
		return false;
	/* The bytes of UTF-8 sort as its code points do. */
	if (a->kind == CEL_STRING)
		*ret = str_cmp(a->text, b->text);
	else
		*ret = (int)a->boolean - (int)b->boolean;
	*ret = (*ret > 0) - (*ret < 0);
	return true;
}

size_t cel_length(struct str s)
{
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++)
		n += ((unsigned char)s.p[i] & 0xc0) != 0x80;
	return n;
}
