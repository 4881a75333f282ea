/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/value_lua.h"

#include <errno.h>

#include <lauxlib.h>

#include "plugin/schema.h"

/* Slots a level of recursion uses, with room to spare. */
#define SLOTS_PER_LEVEL 6

void value_check_stack(lua_State *L)
{
	luaL_checkstack(L, VALUE_DEPTH_MAX * SLOTS_PER_LEVEL, "too many values");
}

static int array_mt_newindex(lua_State *L)
{
	return luaL_error(L, "Cannot modify the metatable of arrays. Protected by the sandbox.");
}

void value_push_array_mt(lua_State *L)
{
	if (!luaL_newmetatable(L, VALUE_ARRAY_MT))
		return;
	lua_createtable(L, 0, 1);
	lua_pushcfunction(L, array_mt_newindex);
	lua_setfield(L, -2, "__newindex");
	lua_setmetatable(L, -2);
}

void value_push_empty_array(lua_State *L)
{
	lua_newtable(L);
	lua_createtable(L, 0, 3);
	lua_pushliteral(L, "array");
	lua_setfield(L, -2, "__jsontype");
	lua_pushcfunction(L, array_mt_newindex);
	lua_setfield(L, -2, "__newindex");
	lua_pushboolean(L, 0);
	lua_setfield(L, -2, "__metatable");
	lua_setmetatable(L, -2);
}

/* The metatable at the top says __jsontype = "array". */
static bool is_marked_array(lua_State *L)
{
	struct str text = {NULL, 0};
	bool is_marked;

	lua_pushliteral(L, "__jsontype");
	lua_rawget(L, -2);
	if (lua_type(L, -1) == LUA_TSTRING)
		text.p = lua_tolstring(L, -1, &text.n);
	is_marked = str_eq(text, STR("array"));
	lua_pop(L, 1);
	return is_marked;
}

struct reader {
	lua_State *L;
	struct arena *arena;
	const char **ret_text;
	uint32_t nodes;
};

static int read_value(struct reader *r, int idx, int depth, struct value *ret);

static int refuse(struct reader *r, const char *text)
{
	*r->ret_text = text;
	return -EINVAL;
}

static const char text_function[] = "a function", text_coroutine[] = "a coroutine",
		  text_userdata[] = "a userdata", text_key[] = "a table with a table as key",
		  text_depth[] = "a table that contains itself or nests too deeply",
		  text_nodes[] = "a table with too many fields";

const char *value_json_problem(const char *text)
{
	static const struct {
		const char *text, *json;
	} problems[] = {
			{text_function, "Cannot serialise function: type not supported"},
			{text_coroutine, "Cannot serialise thread: type not supported"},
			{text_userdata, "Cannot serialise userdata: type not supported"},
			{text_key, "Cannot serialise table: table key must be a number or string"},
			{text_depth, VALUE_TOO_DEEP_TEXT},
			{text_nodes, "Cannot serialise table: too many fields"},
	};

	for (size_t i = 0; i < sizeof(problems) / sizeof(problems[0]); i++)
		if (text == problems[i].text)
			return problems[i].json;
	return text;
}

static bool has_array_mt(lua_State *L, int idx)
{
	bool is_same;

	if (!lua_getmetatable(L, idx))
		return false;
	lua_getfield(L, LUA_REGISTRYINDEX, VALUE_ARRAY_MT);
	is_same = !lua_isnil(L, -1) && lua_rawequal(L, -1, -2);
	lua_pop(L, 1);
	is_same = is_same || is_marked_array(L);
	lua_pop(L, 1);
	return is_same;
}

static int read_table(struct reader *r, int idx, int depth, struct value *ret)
{
	lua_State *L = r->L;
	int error = 0;

	if (depth >= VALUE_DEPTH_MAX)
		return refuse(r, text_depth);
	*ret = value_table_make(r->arena);
	if (ret->table == NULL)
		return -ENOMEM;
	ret->table->is_array = has_array_mt(L, idx);
	lua_pushnil(L);
	while (error == 0 && lua_next(L, idx)) {
		struct value key, value;

		error = lua_type(L, -2) == LUA_TTABLE
					? refuse(r, text_key)
					: read_value(r, lua_gettop(L) - 1, depth + 1, &key);
		if (error == 0)
			error = read_value(r, lua_gettop(L), depth + 1, &value);
		if (error == 0)
			error = value_append(r->arena, ret->table, key, value);
		lua_pop(L, error == 0 ? 1 : 2);
	}
	return error;
}

static int read_value(struct reader *r, int idx, int depth, struct value *ret)
{
	lua_State *L = r->L;
	struct str s;

	if (++r->nodes > VALUE_NODES_MAX)
		return refuse(r, text_nodes);
	switch (lua_type(L, idx)) {
	case LUA_TNONE:
	case LUA_TNIL:
		*ret = (struct value){.type = VALUE_NIL};
		return 0;
	case LUA_TBOOLEAN:
		*ret = (struct value){.type = VALUE_BOOL, .boolean = lua_toboolean(L, idx)};
		return 0;
	case LUA_TNUMBER:
		*ret = (struct value){.type = VALUE_NUMBER, .number = lua_tonumber(L, idx)};
		return 0;
	case LUA_TSTRING:
		s.p = lua_tolstring(L, idx, &s.n);
		*ret = value_of_str(arena_str(r->arena, s));
		return ret->string.p != NULL ? 0 : -ENOMEM;
	case LUA_TLIGHTUSERDATA:
		if (lua_touserdata(L, idx) != NULL)
			return refuse(r, text_userdata);
		*ret = (struct value){.type = VALUE_NULL};
		return 0;
	case LUA_TTABLE:
		return read_table(r, idx, depth, ret);
	case LUA_TFUNCTION:
		return refuse(r, text_function);
	case LUA_TTHREAD:
		return refuse(r, text_coroutine);
	default:
		return refuse(r, text_userdata);
	}
}

int value_from_lua(lua_State *L, int idx, struct arena *a, struct value *ret, const char **ret_text)
{
	struct reader r = {.L = L, .arena = a, .ret_text = ret_text};

	*ret_text = "out of request memory";
	return read_value(&r, idx > 0 ? idx : lua_gettop(L) + 1 + idx, 0, ret);
}

static void push_table(lua_State *L, const struct value_table *t)
{
	lua_createtable(L, 0, 0);
	for (uint32_t i = 0; i < t->n; i++) {
		value_push(L, &t->v[i].key);
		value_push(L, &t->v[i].value);
		lua_rawset(L, -3);
	}
	if (t->is_array) {
		value_push_array_mt(L);
		lua_setmetatable(L, -2);
	}
}

void value_push(lua_State *L, const struct value *v)
{
	switch (v->type) {
	case VALUE_NIL:
		lua_pushnil(L);
		break;
	case VALUE_NULL:
		lua_pushlightuserdata(L, NULL);
		break;
	case VALUE_BOOL:
		lua_pushboolean(L, v->boolean);
		break;
	case VALUE_NUMBER:
		lua_pushnumber(L, v->number);
		break;
	case VALUE_STRING:
		lua_pushlstring(L, v->string.p, v->string.n);
		break;
	case VALUE_TABLE:
		push_table(L, v->table);
		break;
	}
}

/* What JSON → Lua needs to know beside the value. */
enum null_means { NULL_IS_NULL, NULL_IS_ABSENT };

static void push_json(lua_State *L, json_t *json, enum null_means nulls);

static void push_array(lua_State *L, json_t *json, enum null_means nulls)
{
	size_t i, n = json_array_size(json);

	lua_createtable(L, (int)n, 0);
	for (i = 0; i < n; i++) {
		push_json(L, json_array_get(json, i), nulls);
		lua_rawseti(L, -2, (int)i + 1);
	}
	value_push_array_mt(L);
	lua_setmetatable(L, -2);
}

static void push_object(lua_State *L, json_t *json, enum null_means nulls)
{
	void *at = json_object_iter(json);

	lua_createtable(L, 0, (int)json_object_size(json));
	for (; at != NULL; at = json_object_iter_next(json, at)) {
		json_t *item = json_object_iter_value(at);

		if (json_is_null(item) && nulls == NULL_IS_ABSENT)
			continue;
		lua_pushstring(L, json_object_iter_key(at));
		push_json(L, item, nulls);
		lua_rawset(L, -3);
	}
}

static void push_json(lua_State *L, json_t *json, enum null_means nulls)
{
	switch (json_typeof(json)) {
	case JSON_OBJECT:
		push_object(L, json, nulls);
		break;
	case JSON_ARRAY:
		push_array(L, json, nulls);
		break;
	case JSON_STRING:
		lua_pushlstring(L, json_string_value(json), json_string_length(json));
		break;
	case JSON_INTEGER:
	case JSON_REAL:
		lua_pushnumber(L, json_number_value(json));
		break;
	case JSON_TRUE:
	case JSON_FALSE:
		lua_pushboolean(L, json_is_true(json));
		break;
	case JSON_NULL:
		lua_pushlightuserdata(L, NULL);
		break;
	}
}

/* False past VALUE_DEPTH_MAX levels. */
static bool is_shallow(json_t *json, int depth)
{
	const char *key;
	json_t *item;
	size_t i;

	if (!json_is_object(json) && !json_is_array(json))
		return true;
	if (depth >= VALUE_DEPTH_MAX)
		return false;
	json_array_foreach (json, i, item)
		if (!is_shallow(item, depth + 1))
			return false;
	json_object_foreach (json, key, item)
		if (!is_shallow(item, depth + 1))
			return false;
	return true;
}

bool value_push_json(lua_State *L, json_t *json)
{
	if (!is_shallow(json, 0))
		return false;
	push_json(L, json, NULL_IS_NULL);
	return true;
}

bool value_push_json_text(lua_State *L, struct str text)
{
	json_t *json = json_loadb(text.p, text.n, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
	bool is_pushed = json != NULL && value_push_json(L, json);

	json_decref(json);
	return is_pushed;
}

/* The table of a set at the top of L gets a metatable that knows its members. */
static void mark_set(lua_State *L, json_t *set)
{
	size_t i;
	json_t *item;

	lua_createtable(L, 0, 1);
	lua_createtable(L, 0, (int)json_array_size(set));
	json_array_foreach (set, i, item) {
		push_json(L, item, NULL_IS_NULL);
		lua_pushboolean(L, 1);
		lua_rawset(L, -3);
	}
	lua_setfield(L, -2, "__index");
	lua_setmetatable(L, -2);
}

/* Marks the sets among the fields of a record whose table is at the top of L. */
static void mark_record(lua_State *L, json_t *record, json_t *schema)
{
	json_t *fields = json_object_get(schema, "fields");
	size_t i;
	json_t *row;

	json_array_foreach (fields, i, row) {
		void *at = json_object_iter(row);
		const char *name = at != NULL ? json_object_iter_key(at) : NULL;
		json_t *field = at != NULL ? json_object_iter_value(at) : NULL;
		json_t *item = name != NULL ? json_object_get(record, name) : NULL;
		const char *type = json_string_value(json_object_get(field, "type"));

		if (item == NULL || type == NULL)
			continue;
		lua_pushstring(L, name);
		lua_rawget(L, -2);
		if (strcmp(type, "set") == 0 && json_is_array(item))
			mark_set(L, item);
		else if (strcmp(type, "record") == 0 && json_is_object(item))
			mark_record(L, item, field);
		lua_pop(L, 1);
	}
}

/* The field "config" of a plugin's schema. */
static json_t *config_field(json_t *schema)
{
	size_t i;
	json_t *row;

	json_array_foreach (json_object_get(schema, "fields"), i, row) {
		json_t *field = json_object_get(row, "config");

		if (field != NULL)
			return field;
	}
	return NULL;
}

void value_push_config(lua_State *L, json_t *config, json_t *schema)
{
	json_t *field = config_field(schema);

	if (!json_is_object(config) || !is_shallow(config, 0)) {
		lua_createtable(L, 0, 0);
		return;
	}
	if (field != NULL)
		schema_show_shorthands(field, config);
	push_json(L, config, NULL_IS_ABSENT);
	if (field != NULL)
		mark_record(L, config, field);
}
