/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/value.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* The JSON of a table with a hole may not be much larger than the table. */
#define SPARSE_FREE 10
#define SPARSE_RATIO 2
#define EXACT_INTEGER 9007199254740992.0 /* 2^53: from here on doubles skip numbers */

struct value value_table_make(struct arena *a)
{
	return (struct value){
			.type = VALUE_TABLE, .table = arena_calloc(a, sizeof(struct value_table))};
}

static bool keys_eq(const struct value *a, const struct value *b)
{
	if (a->type != b->type)
		return false;
	if (a->type == VALUE_STRING)
		return str_eq(a->string, b->string);
	if (a->type == VALUE_NUMBER)
		return a->number == b->number;
	return a->type == VALUE_BOOL && a->boolean == b->boolean;
}

static struct value_pair *find(const struct value_table *t, const struct value *key)
{
	for (uint32_t i = 0; i < t->n; i++)
		if (keys_eq(&t->v[i].key, key))
			return &t->v[i];
	return NULL;
}

const struct value *value_get(const struct value_table *t, struct value key)
{
	const struct value_pair *pair = find(t, &key);

	return pair != NULL ? &pair->value : NULL;
}

int value_append(struct arena *a, struct value_table *t, struct value key, struct value v)
{
	if (t->n == t->cap) {
		uint32_t cap = t->cap != 0 ? t->cap * 2 : 4;
		struct value_pair *grown =
				arena_grow(a, t->v, t->cap * sizeof(*t->v), cap * sizeof(*t->v));

		if (grown == NULL)
			return -ENOMEM;
		t->v = grown;
		t->cap = cap;
	}
	t->v[t->n++] = (struct value_pair){key, v};
	return 0;
}

int value_set(struct arena *a, struct value_table *t, struct value key, struct value v)
{
	struct value_pair *pair = find(t, &key);

	if (pair != NULL) {
		if (v.type == VALUE_NIL)
			*pair = t->v[--t->n];
		else
			pair->value = v;
		return 0;
	}
	if (v.type == VALUE_NIL)
		return 0;
	return t->n < VALUE_FIELDS_MAX ? value_append(a, t, key, v) : -E2BIG;
}

static bool is_index(const struct value *key)
{
	return key->type == VALUE_NUMBER && key->number >= 1 && key->number <= 1e9 &&
	       key->number == floor(key->number);
}

/* The highest index when every key is one; -1 for an object. */
static long array_length(const struct value_table *t)
{
	double top = 0;

	for (uint32_t i = 0; i < t->n; i++) {
		if (!is_index(&t->v[i].key))
			return -1;
		if (t->v[i].key.number > top)
			top = t->v[i].key.number;
	}
	return t->n != 0 || t->is_array ? (long)top : -1;
}

static json_t *convert(const struct value *v, int depth, const char **ret_text);

static json_t *convert_array(
		const struct value_table *t, long length, int depth, const char **ret_text)
{
	json_t *array = json_array();
	long filled = 0;

	if (length > SPARSE_FREE && length > (long)t->n * SPARSE_RATIO) {
		*ret_text = "Cannot serialise table: excessively sparse array";
		json_decref(array);
		return NULL;
	}
	while (filled++ < length)
		json_array_append_new(array, json_null());
	for (uint32_t i = 0; i < t->n; i++) {
		json_t *item = convert(&t->v[i].value, depth + 1, ret_text);

		if (item == NULL || json_array_set_new(array, (size_t)t->v[i].key.number - 1,
						    item) != 0) {
			json_decref(array);
			return NULL;
		}
	}
	return array;
}

static struct str key_text(const struct value *key, char *buf, size_t size)
{
	if (key->type == VALUE_STRING)
		return key->string;
	return (struct str){buf, (size_t)snprintf(buf, size, "%.14g", key->number)};
}

static json_t *convert_object(const struct value_table *t, int depth, const char **ret_text)
{
	json_t *object = json_object();

	for (uint32_t i = 0; i < t->n; i++) {
		char buf[32];
		struct str key = key_text(&t->v[i].key, buf, sizeof(buf));
		json_t *item = NULL;

		if (t->v[i].key.type == VALUE_BOOL)
			*ret_text = "Cannot serialise boolean: table key must be a number or "
				    "string";
		else
			item = convert(&t->v[i].value, depth + 1, ret_text);
		if (item == NULL) {
			json_decref(object);
			return NULL;
		}
		if (json_object_setn_new(object, key.p, key.n, item) != 0) {
			*ret_text = "Cannot serialise table: a key is not UTF-8";
			json_decref(object);
			return NULL;
		}
	}
	return object;
}

static json_t *convert_number(double d, const char **ret_text)
{
	if (!isfinite(d)) {
		*ret_text = "Cannot serialise number: must not be NaN or Infinity";
		return NULL;
	}
	if (d == floor(d) && fabs(d) <= EXACT_INTEGER)
		return json_integer((json_int_t)d);
	return json_real(d);
}

static json_t *convert(const struct value *v, int depth, const char **ret_text)
{
	json_t *ret = NULL;
	long length;

	if (depth > VALUE_DEPTH_MAX) {
		*ret_text = VALUE_TOO_DEEP_TEXT;
		return NULL;
	}
	switch (v->type) {
	case VALUE_NIL:
	case VALUE_NULL:
		return json_null();
	case VALUE_BOOL:
		return json_boolean(v->boolean);
	case VALUE_NUMBER:
		return convert_number(v->number, ret_text);
	case VALUE_STRING:
		ret = json_stringn(v->string.p != NULL ? v->string.p : "", v->string.n);
		if (ret == NULL)
			*ret_text = "Cannot serialise string: it is not UTF-8";
		return ret;
	case VALUE_TABLE:
		break;
	}
	length = array_length(v->table);
	return length >= 0 ? convert_array(v->table, length, depth, ret_text)
			   : convert_object(v->table, depth, ret_text);
}

json_t *value_to_json(const struct value *v, const char **ret_text)
{
	*ret_text = "out of memory";
	return convert(v, 0, ret_text);
}

struct str value_to_json_text(struct arena *a, const struct value *v, const char **ret_text)
{
	json_t *json = value_to_json(v, ret_text);
	struct str ret = STR_NONE;
	char *text;

	if (json == NULL)
		return STR_NONE;
	text = json_dumps(json, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(14));
	if (text != NULL)
		ret = arena_str(a, str_of(text));
	free(text);
	json_decref(json);
	return ret;
}
