/* SPDX-License-Identifier: Apache-2.0
 *
 * kong.ctx.plugin of the certificate phase: out of the VMs, for the requests of the connection.
 */
#include "plugin/chain_run.h"

#include <lua.h>

#include "plugin/value_lua.h"

#define STACK_SLOTS 200 /* of tables as deep as a value may be */

static bool is_key(const struct value *v)
{
	return v->type == VALUE_STRING || v->type == VALUE_NUMBER || v->type == VALUE_BOOL;
}

/* The fields of the table on top that are plain data; the rest stays behind. */
static void keep_fields(lua_State *L, struct arena *a, struct value *ret)
{
	int table = lua_gettop(L);
	const char *text;
	int r = 0;

	*ret = value_table_make(a);
	lua_pushnil(L);
	while (ret->table != NULL && r == 0 && lua_next(L, table) != 0) {
		struct value key, value;

		if (value_from_lua(L, table + 1, a, &key, &text) == 0 && is_key(&key) &&
				value_from_lua(L, table + 2, a, &value, &text) == 0)
			r = value_set(a, ret->table, key, value);
		lua_settop(L, table + 1);
	}
	lua_settop(L, table);
}

static void keep_slot(struct exchange *x, const struct chain_slot *s)
{
	lua_State *L = vm_main(s->ctx_box->vm);
	struct value fields;

	if (lua_checkstack(L, STACK_SLOTS) == 0)
		return;
	lua_rawgeti(L, LUA_REGISTRYINDEX, s->pdk.ctx_ref);
	keep_fields(L, x->arena, &fields);
	lua_pop(L, 1);
	if (fields.table != NULL)
		(void)value_set(x->arena, x->ctx_plugins->table,
				value_of_str(arena_str(x->arena, str_of(s->version->name))),
				fields);
}

void chain_keep_ctx(struct chain *c)
{
	struct exchange *x = c->x;

	for (uint32_t i = 0; i < c->n; i++) {
		const struct chain_slot *s = &c->v[i];

		if (s->pdk.ctx_ref == LUA_NOREF || s->ctx_box == NULL || s->ctx_box->is_dead)
			continue;
		if (x->ctx_plugins == NULL) {
			x->ctx_plugins = arena_alloc(x->arena, sizeof(*x->ctx_plugins));
			if (x->ctx_plugins == NULL)
				return;
			*x->ctx_plugins = value_table_make(x->arena);
		}
		if (x->ctx_plugins->table != NULL)
			keep_slot(x, s);
	}
}
