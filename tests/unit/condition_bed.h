/* SPDX-License-Identifier: Apache-2.0
 *
 * An exchange with something in every field that a condition can ask about.
 */
#pragma once

#include <string.h>

#include "plugin/condition.h"
#include "plugin/exchange.h"
#include "plugin/value.h"

struct condition_bed {
	struct exchange x;
	struct arena *arena;
	struct value shared, client;
};

static inline struct value bed_number(double number)
{
	return (struct value){.type = VALUE_NUMBER, .number = number};
}

static inline struct value bed_text(const char *text)
{
	return value_of_str(str_of(text));
}

static inline void bed_set(struct arena *a, struct value *table, const char *key, struct value v)
{
	if (table->table == NULL)
		*table = value_table_make(a);
	value_set(a, table->table, bed_text(key), v);
}

static inline void bed_push(struct arena *a, struct value *table, struct value v)
{
	if (table->table == NULL)
		*table = value_table_make(a);
	value_set(a, table->table, bed_number(table->table->n + 1), v);
}

/* kong.ctx.shared = { tier = "gold", count = 3, rate = 1.5, on = true, none = ngx.null,
 * list = {"a", "b", "c"}, map = { inner = { x = 1 } }, empty = {} } */
static inline void bed_fill_shared(struct condition_bed *b)
{
	struct value list = {.table = NULL}, map = {.table = NULL}, inner = {.table = NULL};
	struct arena *a = b->arena;

	b->shared = value_table_make(a);
	bed_set(a, &b->shared, "tier", bed_text("gold"));
	bed_set(a, &b->shared, "count", bed_number(3));
	bed_set(a, &b->shared, "rate", bed_number(1.5));
	bed_set(a, &b->shared, "on", (struct value){.type = VALUE_BOOL, .boolean = true});
	bed_set(a, &b->shared, "none", (struct value){.type = VALUE_NULL});
	bed_push(a, &list, bed_text("a"));
	bed_push(a, &list, bed_text("b"));
	bed_push(a, &list, bed_text("c"));
	bed_set(a, &b->shared, "list", list);
	bed_set(a, &inner, "x", bed_number(1));
	bed_set(a, &map, "inner", inner);
	bed_set(a, &b->shared, "map", map);
	bed_set(a, &b->shared, "empty", value_table_make(a));
	b->x.ctx_shared = &b->shared;
}

static inline void bed_fill_groups(struct condition_bed *b)
{
	struct value group = {.table = NULL}, groups = {.table = NULL};

	bed_set(b->arena, &group, "name", bed_text("admins"));
	bed_set(b->arena, &group, "id", bed_text("g-id"));
	bed_push(b->arena, &groups, group);
	b->client = value_table_make(b->arena);
	bed_set(b->arena, &b->client, "groups", groups);
	b->x.client_values = &b->client;
}

static inline bool bed_find_plugin(
		const struct exchange *x, struct str name, struct exchange_plugin *ret)
{
	(void)x;
	*ret = (struct exchange_plugin){.is_matched = true, .priority = 1003};
	return str_eq(name, STR("key_auth"));
}

static inline int bed_make(struct condition_bed *b)
{
	struct exchange *x = &b->x;

	if (arena_new(&b->arena, 0) < 0)
		return -1;
	exchange_init(x, b->arena, NULL, NULL);
	x->request.method = STR("GET");
	x->request.scheme = STR("https");
	x->request.host = STR("example.com");
	x->request.path = STR("/api/v1/users/7");
	x->request.raw_query = STR("a=1&a=x%2fy+z&b=&a");
	x->request.client = (struct endpoint){STR("10.0.0.1"), 1234};
	x->request.server = (struct endpoint){STR("10.0.0.9"), 8443};
	x->request.tls_sni = STR("sni.example.com");
	headers_add(&x->request.headers, STR("X-Tag"), STR("one"));
	headers_add(&x->request.headers, STR("User-Agent"), STR("Mozilla/5.0 (X11) curl"));
	headers_add(&x->request.headers, STR("x_tag"), STR("two"));
	x->route = (struct entity_ref){
			STR("r-id"), STR("r-name"), STR("{\"tags\":[\"t1\",\"t2\"]}")};
	x->service = (struct entity_ref){STR("s-id"), STR("s-name"), STR("{\"tags\":null}")};
	x->consumer = (struct entity_ref){STR("c-id"), STR("alice"),
			STR("{\"custom_id\":\"77\",\"tags\":[\"vip\"]}")};
	x->find_plugin = bed_find_plugin;
	bed_fill_shared(b);
	bed_fill_groups(b);
	return 0;
}

/* condition_eval's result, or -1000 when the text does not compile. */
static inline int bed_result(struct condition_bed *b, const char *text, struct why *why)
{
	struct condition *c = NULL;
	int r;

	if (condition_new(&c, str_of(text), why) < 0)
		return -1000;
	r = condition_eval(c, &b->x, why);
	condition_free(c);
	return r;
}
