/* SPDX-License-Identifier: Apache-2.0
 * kong.db.<entity>: keys for kong.cache, and what they name. */
#include <stdio.h>

#include "plugin/engine_instance.h"
#include "plugin/pdk_db.h"

#define KEY_PARTS 5 /* between the entity's name and the workspace */
#define SET_AND_KID_MAX 1024

/* The key of a table's parts, "" for what it has not. */
static void push_part(lua_State *L, int table, const char *key)
{
	lua_pushstring(L, key);
	lua_rawget(L, table);
	if (lua_istable(L, -1)) {
		lua_pushliteral(L, "id");
		lua_rawget(L, -2);
		lua_remove(L, -2);
	}
	if (lua_type(L, -1) == LUA_TSTRING)
		return;
	lua_pop(L, 1);
	lua_pushliteral(L, "");
}

static void push_argument(lua_State *L, int arg)
{
	if (lua_isnoneornil(L, arg) || lua_type(L, arg) == LUA_TLIGHTUSERDATA)
		lua_pushliteral(L, "");
	else
		(void)vm_push_text(L, arg, NULL);
}

/* (self, key or entity, arg2, …, arg5) */
int pdk_db_cache_key(lua_State *L, const struct pdk_entity *e)
{
	static const char *const by_id[] = {"id", NULL};
	const char *const *part = e->key != NULL ? e->key : by_id;

	lua_settop(L, 1 + KEY_PARTS);
	luaL_checkstack(L, 4 * KEY_PARTS, "too many values");
	if (lua_isnil(L, 2))
		return luaL_error(L, "key must be a string or an entity");
	lua_pushfstring(L, "%s:", e->name);
	for (int i = 0; i < KEY_PARTS; i++) {
		if (!lua_istable(L, 2))
			push_argument(L, 2 + i);
		else if (*part != NULL)
			push_part(L, 2, *part++);
		else
			lua_pushliteral(L, "");
		lua_pushliteral(L, ":");
	}
	lua_pushliteral(L, ENGINE_WORKSPACE);
	lua_concat(L, 2 + 2 * KEY_PARTS);
	return 1;
}

/* What is in front of the next ':', which is dropped with it. */
static struct str next_part(struct str *rest)
{
	ptrdiff_t colon = str_find_char(*rest, ':');
	struct str part = colon < 0 ? *rest : str_head(*rest, (size_t)colon);

	*rest = colon < 0 ? STR_NONE : str_from(*rest, (size_t)colon + 1);
	return part;
}

struct among {
	const struct snap_view *view;
	struct str target, found;
};

static bool is_target(void *arg, struct str id)
{
	struct among *a = arg;
	struct str record = snap_get(a->view, SLUICE__RECORD__KIND__TARGET, id);
	Sluice__Record__Target *t =
			sluice__record__target__unpack(NULL, record.n, (const uint8_t *)record.p);

	if (t != NULL && str_eq(str_of(t->target), a->target))
		a->found = id;
	if (t != NULL)
		sluice__record__target__free_unpacked(t, NULL);
	return a->found.n == 0;
}

/* The id of an upstream's target; STR_NONE. */
static struct str target_of(
		lua_State *L, const struct snap_view *view, struct str upstream, struct str target)
{
	struct among a = {.view = view, .target = target};

	value_check_stack(L);
	vm_host_enter(L);
	snap_each_child(view, SLUICE__RECORD__KIND__TARGET, upstream, is_target, &a);
	vm_host_leave(L);
	return a.found;
}

/* STR_NONE: that set, or what is in none, has no such key. */
static struct str key_of(const struct snap_view *view, struct str set, struct str kid)
{
	char text[SET_AND_KID_MAX];
	int n = snprintf(text, sizeof(text), "%.*s:%.*s", STR_ARG(set), STR_ARG(kid));

	if (n < 0 || (size_t)n >= sizeof(text))
		return STR_NONE;
	return snap_get_by_field(view, SLUICE__RECORD__KIND__KEY, SNAP_FIELD_SET_AND_KID,
			(struct str){text, (size_t)n});
}

int pdk_db_select_by_cache_key(lua_State *L, const struct pdk_entity *e)
{
	struct str rest = pdk_db_check_unique(L, "cache_key"), part[KEY_PARTS];
	const struct snap_view *view = pdk_db_view_of(L);
	struct span *s = pdk_db_begin_query(L, e, "cache_key");
	struct str id;

	if (!str_eq(next_part(&rest), str_of(e->name))) {
		lua_pushnil(L);
		return pdk_db_end_query(L, s, 1);
	}
	for (int i = 0; i < KEY_PARTS; i++)
		part[i] = next_part(&rest);
	id = part[0];
	if (e->kind == SLUICE__RECORD__KIND__PLUGIN_INSTANCE)
		id = part[4].n != 0 ? snap_group_instance(view, part[0], part[1], part[2], part[4])
				    : snap_instance(view, part[0], part[1], part[2], part[3]);
	if (e->kind == SLUICE__RECORD__KIND__KEY)
		return pdk_db_end_query(
				L, s, pdk_db_push_record(L, e, key_of(view, part[1], part[0])));
	if (e->kind == SLUICE__RECORD__KIND__TARGET)
		id = target_of(L, view, part[0], part[1]);
	return pdk_db_end_query(L, s,
			pdk_db_push_record(
					L, e, id.n != 0 ? snap_get(view, e->kind, id) : STR_NONE));
}
