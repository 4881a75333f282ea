/* SPDX-License-Identifier: Apache-2.0
 *
 * What a condition computes with.  Lists and maps are views of what an exchange holds
 * already, read in place by iteration; only what did not exist before (joined strings,
 * results of map and filter, lists with fields in them) is made, in the exchange's arena.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "base/why.h"

struct exchange;
struct value;
struct value_table;
struct header;

enum cel_kind { CEL_NULL, CEL_BOOL, CEL_INT, CEL_DOUBLE, CEL_STRING, CEL_LIST, CEL_MAP };

/* A set of kinds. */
typedef uint8_t cel_kinds;
#define KIND(kind) ((cel_kinds)(1U << (CEL_##kind)))
#define KIND_ANY ((cel_kinds)0x7f)

/* How a list or a map is stored. */
enum cel_shape {
	SHAPE_ITEMS,    /* items[n]; of a map: n / 2 keys, each before its value */
	SHAPE_TABLE,    /* table */
	SHAPE_SEGMENTS, /* text: a path */
	SHAPE_HEADERS,  /* text: a name; its values in the request */
	SHAPE_QUERIES,  /* text: a name; its values in the query */
	SHAPE_GROUPS,   /* table: of tables; in_group is what is taken of each */
};

struct cel_value {
	uint8_t kind;  /* enum cel_kind */
	uint8_t shape; /* enum cel_shape */
	union {
		bool boolean;
		int64_t number;
		double real;
		struct str text;
		struct {
			const struct cel_value *items;
			size_t n;
		};
		struct {
			const struct value_table *table;
			const char *in_group;
		};
	};
};

#define CEL_STEPS_MAX 100000 /* of one evaluation: about 2 ms */
#define CEL_SCRATCH_MAX 65536
#define CEL_VARIABLES_MAX 8

/* Who belongs to the request, as far as the Admin API form of it was asked for. */
struct cel_entity {
	bool is_read;
	struct cel_value tags, custom_id;
};

/* One evaluation. */
struct cel_eval {
	const struct condition *c;
	const struct exchange *x;
	struct why *why;  /* of the error that comes first; NULL: nobody asks */
	const char *over; /* the limit that ended it: no operand absorbs that */
	uint32_t steps;
	uint32_t n_matches;
	size_t scratch_bytes;
	struct cel_value variables[CEL_VARIABLES_MAX];
	struct cel_entity route, service, consumer;
};

/* Every call below that can fail: -EINVAL, with e->why or e->over set. */

int cel_fail(struct cel_eval *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* text: static. */
int cel_over(struct cel_eval *e, const char *text);
/* Counts n steps. */
int cel_step(struct cel_eval *e, size_t n);
/* Of the exchange's arena, counted; NULL = over. */
void *cel_alloc(struct cel_eval *e, size_t bytes);

/* Items of a list, keys of a map. */
struct cel_iter {
	const struct cel_value *of;
	size_t at;
};
/* 1 and *ret, or 0 at the end. */
int cel_next(struct cel_eval *e, struct cel_iter *it, struct cel_value *ret);
int cel_count(struct cel_eval *e, const struct cel_value *of, size_t *ret);
/* The value behind a key of a map, the item at an index of a list; 0 = none. */
int cel_find(struct cel_eval *e, const struct cel_value *map, const struct cel_value *key,
		struct cel_value *ret);
int cel_item(struct cel_eval *e, const struct cel_value *list, int64_t at, struct cel_value *ret);
/* Never equal when the kinds differ, but for numbers.  1 equal, 0 not. */
int cel_equal(struct cel_eval *e, const struct cel_value *a, const struct cel_value *b);
/* Is it an item of the list, a key of the map. */
int cel_contains(struct cel_eval *e, const struct cel_value *in, const struct cel_value *what);
/* *ret below 0, 0, above 0; 2 = one of them is no number.  False: they have no order. */
bool cel_order(const struct cel_value *a, const struct cel_value *b, int *ret);
void cel_of_value(struct cel_value *ret, const struct value *v);
/* Characters; what is not UTF-8 counts by its lead bytes. */
size_t cel_length(struct str s);

/* A field of an exchange: one row of condition_field.c. */
struct condition_field;

enum field_match { FIELD_NONE, FIELD_PREFIX, FIELD_WHOLE };

#define FIELD_NAMES_MAX 4
/* names: "http", "headers", "x_a".  FIELD_WHOLE: *ret, and *ret_part ("x_a") where the row
 * leaves a part open. */
enum field_match condition_field_find(const struct str *names, size_t n,
		const struct condition_field **ret, struct str *ret_part);
cel_kinds condition_field_kinds(const struct condition_field *field);
/* Its open part is written in lower case, with '_' for '-'. */
bool condition_field_is_lower(const struct condition_field *field);
int condition_field_read(struct cel_eval *e, const struct condition_field *field, struct str part,
		struct cel_value *ret);
/* "http.method, http.host, …" for error texts. */
const char *condition_field_names(void);

/* clang-format off */
/* Readers of condition_entity.c and condition_list.c; X(name) */
#define CEL_READ(name) \
	int name(struct cel_eval *e __attribute__((unused)), \
			struct str part __attribute__((unused)), struct cel_value *ret)
/* clang-format on */
CEL_READ(cel_read_route_tags);
CEL_READ(cel_read_service_tags);
CEL_READ(cel_read_consumer_tags);
CEL_READ(cel_read_custom_id);
CEL_READ(cel_read_group_names);
CEL_READ(cel_read_group_ids);
CEL_READ(cel_read_shared);
CEL_READ(cel_read_is_matched);
CEL_READ(cel_read_priority);
CEL_READ(cel_read_has_executed);
CEL_READ(cel_read_segments);
CEL_READ(cel_read_header);
CEL_READ(cel_read_headers);
CEL_READ(cel_read_query);
CEL_READ(cel_read_queries);

/* The next item of a list of that shape, as cel_next. */
int cel_next_segment(struct cel_iter *it, struct cel_value *ret);
int cel_next_header(struct cel_eval *e, struct cel_iter *it, struct cel_value *ret);
int cel_next_query(struct cel_eval *e, struct cel_iter *it, struct cel_value *ret);
