/* SPDX-License-Identifier: Apache-2.0
 *
 * Plain data that outlives a Lua VM: nil, booleans, numbers, strings and tables of these,
 * in a request's arena.  What kong.ctx.shared, ngx.ctx and kong.log's values are made of.
 * Knows no Lua (value_lua.h does).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "base/arena.h"
#include "base/str.h"

enum value_type {
	VALUE_NIL,
	VALUE_NULL, /* ngx.null, cjson.null */
	VALUE_BOOL,
	VALUE_NUMBER,
	VALUE_STRING,
	VALUE_TABLE,
};

struct value_table;

struct value {
	enum value_type type;
	union {
		bool boolean;
		double number;
		struct str string;
		struct value_table *table;
	};
};

struct value_pair {
	struct value key; /* VALUE_STRING, VALUE_NUMBER or VALUE_BOOL */
	struct value value;
};

struct value_table {
	struct value_pair *v;
	uint32_t n, cap;
	bool is_array; /* marked so (cjson.array_mt): [] even when empty */
};

/* The most a table grown by value_set() may hold, tables may nest, and one value may have. */
#define VALUE_FIELDS_MAX 1024
#define VALUE_DEPTH_MAX 128
#define VALUE_TOO_DEEP_TEXT "Cannot serialise, excessive depth (129)"
#define VALUE_NODES_MAX 65536

static inline struct value value_of_str(struct str s)
{
	return (struct value){.type = VALUE_STRING, .string = s};
}

/* An empty table; its .table is NULL when the arena is exhausted. */
struct value value_table_make(struct arena *a);
/* NULL when absent. */
const struct value *value_get(const struct value_table *t, struct value key);
/* Sets, replaces, or (VALUE_NIL) removes a field.  The parts of v must live in a already.
 * 0, -ENOMEM, -E2BIG past VALUE_FIELDS_MAX. */
int value_set(struct arena *a, struct value_table *t, struct value key, struct value v);
/* Appends a key known to be new.  0, -ENOMEM. */
int value_append(struct arena *a, struct value_table *t, struct value key, struct value v);

/* New reference, or NULL and *ret_text says why (static): not a number, not UTF-8, a sparse
 * array, mixed keys are written as strings. */
json_t *value_to_json(const struct value *v, const char **ret_text);
/* Compact JSON in the arena; STR_NONE and *ret_text on failure. */
struct str value_to_json_text(struct arena *a, const struct value *v, const char **ret_text);
