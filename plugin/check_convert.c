/* SPDX-License-Identifier: Apache-2.0
 *
 * A Lua table as JSON.  Read raw; bounded in depth and size, since tables may hold themselves
 * and each other.  A function has no JSON form: it is refused with its place.
 */
#include <float.h>
#include <lua.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "plugin/check_part.h"
#include "plugin/schema_part.h"

#define NODES_MAX 200000U
#define DEPTH_MAX 100
/* Beyond it a double no longer holds every integer. */
#define INTEGER_MAX_IN_NUMBER 9007199254740992.0

struct convert {
	struct check *c;
	lua_State *L;
	struct buf path; /* "config.word" */
	uint32_t n_nodes;
	int depth;
	bool has_failed;
};

static json_t *convert_value(struct convert *v, int idx);

static const char *path_of(struct convert *v)
{
	const char *path = v->path.n > 0 ? buf_z(&v->path) : NULL;

	return path != NULL ? path : "schema";
}

/* The last name of the path, which is what the source spells. */
static int line_of_path(struct convert *v)
{
	const char *path = path_of(v);
	const char *dot = strrchr(path, '.');

	return check_find_line(v->c->schema.text, dot != NULL ? dot + 1 : path);
}

static json_t *refuse(struct convert *v, const char *what)
{
	if (!v->has_failed)
		check_add_error(v->c, &v->c->schema, line_of_path(v), "%s: %s", path_of(v), what);
	v->has_failed = true;
	return NULL;
}

/* Says where the function is written, and goes on: a schema may hold several. */
static json_t *refuse_function(struct convert *v, int idx)
{
	lua_Debug info;

	lua_pushvalue(v->L, idx);
	memset(&info, 0, sizeof(info));
	lua_getinfo(v->L, ">S", &info);
	check_add_error(v->c, &v->c->schema,
			info.linedefined > 0 ? info.linedefined : line_of_path(v),
			"%s is a function: functions cannot be part of a streamed schema; declare "
			"what "
			"the schema language can say, and check the rest in the handler",
			path_of(v));
	v->has_failed = true;
	return NULL;
}

/* The bounds of a range may be infinite: as the largest number, which no value exceeds.
 * Anywhere else it would become a value, and JSON has none. */
static bool is_bound(struct convert *v)
{
	static const char *const bounds[] = {"between", "gt", "minimum", "maximum"};
	const char *path = path_of(v);
	const char *dot = strrchr(path, '.');

	for (size_t i = 0; i < sizeof(bounds) / sizeof(bounds[0]); i++) {
		if (strcmp(dot != NULL ? dot + 1 : path, bounds[i]) == 0)
			return true;
	}
	return false;
}

static json_t *convert_number(struct convert *v, double number)
{
	if (isnan(number))
		return refuse(v, "not a number (nan)");
	if (isinf(number) && !is_bound(v))
		return refuse(v,
				"an infinite number (math.huge) can only be a bound (between, gt)");
	if (isinf(number))
		return json_real(number > 0 ? DBL_MAX : -DBL_MAX);
	if (floor(number) == number && fabs(number) <= INTEGER_MAX_IN_NUMBER)
		return json_integer((json_int_t)number);
	return json_real(number);
}

static json_t *convert_string(struct convert *v, int idx)
{
	size_t n;
	const char *p = lua_tolstring(v->L, idx, &n);
	json_t *text = json_stringn(p, n);

	return text != NULL ? text : refuse(v, "the string is not valid UTF-8");
}

/* What the user named: lists of one-field tables and the word "fields" add nothing. */
static bool is_silent(const char *name)
{
	return strcmp(name, "fields") == 0 || strcmp(name, "entity_checks") == 0 ||
	       strcmp(name, "shorthand_fields") == 0;
}

static void convert_member(struct convert *v, json_t *out, const char *key, int idx)
{
	size_t n = v->path.n;
	json_t *member;

	if (!is_silent(key))
		buf_printf(&v->path, "%s%s", n > 0 ? "." : "", key);
	member = convert_value(v, idx);
	v->path.n = n;
	/* An empty table is a list where a list is meant. */
	if (is_silent(key) && json_is_object(member) && json_object_size(member) == 0) {
		json_decref(member);
		member = json_array();
	}
	if (member != NULL && json_object_set_new(out, key, member) != 0)
		refuse(v, "a name is not valid UTF-8");
}

static json_t *convert_object(struct convert *v, int idx)
{
	json_t *out = json_object();

	lua_pushnil(v->L);
	while (lua_next(v->L, idx) != 0) {
		size_t n = 0;
		const char *key = lua_type(v->L, -2) == LUA_TSTRING ? lua_tolstring(v->L, -2, &n)
								    : NULL;

		if (key == NULL)
			refuse(v, "a table mixes a list with names, or has keys that are no "
				  "strings");
		else if (strlen(key) != n)
			refuse(v, "a name holds a NUL byte");
		else
			convert_member(v, out, key, lua_gettop(v->L));
		lua_pop(v->L, 1);
	}
	return out;
}

static json_t *convert_array(struct convert *v, int idx, size_t n)
{
	json_t *out = json_array();

	for (size_t i = 1; i <= n; i++) {
		json_t *member;

		lua_rawgeti(v->L, idx, (int)i);
		member = convert_value(v, lua_gettop(v->L));
		if (member != NULL)
			json_array_append_new(out, member);
		lua_pop(v->L, 1);
	}
	return out;
}

/* How many entries; all of 1…n there makes it a list. */
static size_t count_entries(lua_State *L, int idx)
{
	size_t n = 0;

	lua_pushnil(L);
	while (lua_next(L, idx) != 0) {
		lua_pop(L, 1);
		n++;
	}
	return n;
}

static json_t *convert_table(struct convert *v, int idx)
{
	size_t n = lua_objlen(v->L, idx);
	json_t *out;

	if (++v->depth > DEPTH_MAX || lua_checkstack(v->L, 8) == 0) {
		v->depth--;
		return refuse(v, "more than 100 levels of tables, or a table that holds itself");
	}
	out = n > 0 && count_entries(v->L, idx) == n ? convert_array(v, idx, n)
						     : convert_object(v, idx);
	v->depth--;
	return out;
}

static json_t *convert_value(struct convert *v, int idx)
{
	if (v->n_nodes++ > NODES_MAX)
		return refuse(v, "more than 200000 values");
	switch (lua_type(v->L, idx)) {
	case LUA_TSTRING:
		return convert_string(v, idx);
	case LUA_TNUMBER:
		return convert_number(v, lua_tonumber(v->L, idx));
	case LUA_TBOOLEAN:
		return json_boolean(lua_toboolean(v->L, idx));
	case LUA_TTABLE:
		return convert_table(v, idx);
	case LUA_TFUNCTION:
		return refuse_function(v, idx);
	case LUA_TLIGHTUSERDATA:
		return json_null();
	default:
		return refuse(v, "a value of this type cannot be part of a streamed schema");
	}
}

json_t *check_convert(struct check *c, lua_State *L, int idx)
{
	struct convert v = {.c = c, .L = L};
	json_t *out = convert_value(&v, idx);

	buf_done(&v.path);
	if (!v.has_failed && out != NULL)
		return out;
	json_decref(out);
	return NULL;
}
