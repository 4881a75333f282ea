/* SPDX-License-Identifier: Apache-2.0
 *
 * The form is that of the inspect library plugins know: sequences in one line, fields one to a
 * line in the order of their keys, and a number for what is met again or has no text of its own.
 * Bounded in text, depth and keys, since this is host code: no budget ends it.
 */
#include "plugin/pdk_inspect.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "plugin/pdk_log.h"

#define TEXT_MAX_BYTES 32768
#define COLUMNS 120
#define DEPTH_MAX 16
#define KEYS_MAX 256
#define OBJECTS_MAX 256

struct object {
	const void *pointer;
	int type;
	unsigned id; /* within its type; 0 = not numbered yet */
	bool is_again, is_shown;
};

/* One value at a time is inspected in a worker: what a longjmp leaves here is overwritten. */
static struct inspection {
	lua_State *L;
	char text[TEXT_MAX_BYTES];
	size_t n;
	struct object objects[OBJECTS_MAX];
	size_t n_objects;
} now;

static void put(const char *p, size_t n)
{
	if (n > sizeof(now.text) - 1 - now.n)
		n = sizeof(now.text) - 1 - now.n;
	memcpy(now.text + now.n, p, n);
	now.n += n;
}

static void put_text(const char *text)
{
	put(text, strlen(text));
}

static void put_line_start(int depth)
{
	put("\n", 1);
	for (int i = 0; i < depth; i++)
		put("  ", 2);
}

static struct object *object_of(int idx)
{
	const void *p = lua_topointer(now.L, idx);

	for (size_t i = 0; i < now.n_objects; i++)
		if (now.objects[i].pointer == p)
			return &now.objects[i];
	if (now.n_objects == OBJECTS_MAX)
		return NULL;
	now.objects[now.n_objects] = (struct object){.pointer = p, .type = lua_type(now.L, idx)};
	return &now.objects[now.n_objects++];
}

static void number_object(struct object *o)
{
	if (o->id != 0)
		return;
	for (size_t i = 0; i < now.n_objects; i++)
		if (now.objects[i].type == o->type && now.objects[i].id > o->id)
			o->id = now.objects[i].id;
	o->id++;
}

/* Marks the tables that will be met more than once. */
static void look(int idx, int depth)
{
	struct object *o;

	if (!lua_istable(now.L, idx))
		return;
	o = object_of(idx);
	if (o == NULL || o->is_shown) {
		if (o != NULL)
			o->is_again = true;
		return;
	}
	o->is_shown = true;
	if (depth == DEPTH_MAX)
		return;
	luaL_checkstack(now.L, 4, NULL);
	lua_pushnil(now.L);
	for (int n = 0; lua_next(now.L, idx) != 0; n++) {
		if (n == KEYS_MAX) {
			lua_pop(now.L, 2);
			break;
		}
		look(lua_gettop(now.L), depth + 1);
		lua_pop(now.L, 1);
	}
}

static void put_string(struct str s)
{
	bool is_single = str_find_char(s, '"') >= 0 && str_find_char(s, '\'') < 0;
	char quote = is_single ? '\'' : '"';

	put(&quote, 1);
	for (size_t i = 0; i < s.n && now.n < sizeof(now.text) - 8; i++) {
		static const char plain[] = "\a\b\f\n\r\t\v\\", letters[] = "abfnrtv\\";
		unsigned char c = (unsigned char)s.p[i];
		const char *at = memchr(plain, c, sizeof(plain) - 1);
		char text[8];

		if (at != NULL)
			put(text, (size_t)snprintf(
						  text, sizeof(text), "\\%c", letters[at - plain]));
		else if (c < 0x20 || c == 0x7f)
			put(text, (size_t)snprintf(text, sizeof(text), "\\%u", c));
		else if (c == '"' && !is_single)
			put_text("\\\"");
		else
			put((const char *)&c, 1);
	}
	put(&quote, 1);
}

static void put_number(double d)
{
	char text[40];

	if (isinf(d))
		put_text(d > 0 ? "math.huge" : "-math.huge");
	else
		put(text, (size_t)snprintf(text, sizeof(text), "%.14g", d));
}

static void put_object(int idx)
{
	struct object *o = object_of(idx);
	char text[48];

	if (o != NULL)
		number_object(o);
	put(text, (size_t)snprintf(text, sizeof(text), "<%s %u>", luaL_typename(now.L, idx),
				  o != NULL ? o->id : 0));
}

static void put_value(int idx, int depth);

struct key {
	int type;
	double number;
	struct str string; /* the table keeps it */
};

static int compare_keys(const void *a, const void *b)
{
	const struct key *x = a, *y = b;

	if (x->type != y->type)
		return x->type == LUA_TNUMBER ? -1 : y->type == LUA_TNUMBER ? 1 : x->type - y->type;
	if (x->type == LUA_TSTRING)
		return str_cmp(x->string, y->string);
	return (x->number > y->number) - (x->number < y->number);
}

/* The keys beside the sequence's; what no text can be made of is left out.  Their number. */
static size_t read_keys(int table, size_t n_sequence, struct key keys[KEYS_MAX])
{
	size_t n = 0;

	lua_pushnil(now.L);
	while (n < KEYS_MAX && lua_next(now.L, table) != 0) {
		struct key k = {.type = lua_type(now.L, -2)};

		lua_pop(now.L, 1);
		if (k.type == LUA_TSTRING)
			k.string.p = lua_tolstring(now.L, -1, &k.string.n);
		else if (k.type == LUA_TNUMBER)
			k.number = lua_tonumber(now.L, -1);
		else if (k.type == LUA_TBOOLEAN)
			k.number = lua_toboolean(now.L, -1);
		else
			continue;
		if (k.type == LUA_TNUMBER && k.number >= 1 && k.number <= (double)n_sequence &&
				floor(k.number) == k.number)
			continue;
		keys[n++] = k;
	}
	if (n == KEYS_MAX)
		lua_pop(now.L, 1);
	qsort(keys, n, sizeof(keys[0]), compare_keys);
	return n;
}

static bool is_identifier(struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		char c = ascii_lower(s.p[i]);

		if (!((c >= 'a' && c <= 'z') || c == '_' || (i > 0 && c >= '0' && c <= '9')))
			return false;
	}
	return s.n != 0;
}

static void put_key(const struct key *k)
{
	if (k->type == LUA_TSTRING && is_identifier(k->string)) {
		put(k->string.p, k->string.n);
		return;
	}
	put("[", 1);
	if (k->type == LUA_TSTRING)
		put_string(k->string);
	else if (k->type == LUA_TNUMBER)
		put_number(k->number);
	else
		put_text(k->number != 0 ? "true" : "false");
	put("]", 1);
}

static void push_at(int table, const struct key *k)
{
	if (k->type == LUA_TSTRING)
		lua_pushlstring(now.L, k->string.p, k->string.n);
	else if (k->type == LUA_TNUMBER)
		lua_pushnumber(now.L, k->number);
	else
		lua_pushboolean(now.L, k->number != 0);
	lua_rawget(now.L, table);
}

static void put_members(int table, int depth)
{
	struct key keys[KEYS_MAX];
	size_t n_sequence = lua_objlen(now.L, table);
	size_t n = read_keys(table, n_sequence, keys);

	put("{", 1);
	for (size_t i = 1; i <= n_sequence && now.n < sizeof(now.text) - 1; i++) {
		put_text(i > 1 ? ", " : " ");
		lua_rawgeti(now.L, table, (int)i);
		put_value(lua_gettop(now.L), depth + 1);
		lua_pop(now.L, 1);
	}
	for (size_t i = 0; i < n && now.n < sizeof(now.text) - 1; i++) {
		if (i > 0 || n_sequence > 0)
			put(",", 1);
		put_line_start(depth + 1);
		put_key(&keys[i]);
		put_text(" = ");
		push_at(table, &keys[i]);
		put_value(lua_gettop(now.L), depth + 1);
		lua_pop(now.L, 1);
	}
	if (n > 0)
		put_line_start(depth);
	else if (n_sequence > 0)
		put(" ", 1);
	put("}", 1);
}

static void put_table(int idx, int depth)
{
	struct object *o = object_of(idx);
	char text[32];

	if (o != NULL && o->is_again) {
		bool is_first = o->id == 0;

		number_object(o);
		if (!is_first) {
			put_object(idx);
			return;
		}
		put(text, (size_t)snprintf(text, sizeof(text), "<%u>", o->id));
	}
	if (depth == DEPTH_MAX)
		put_text("{...}");
	else
		put_members(idx, depth);
}

static void put_value(int idx, int depth)
{
	struct str s;

	luaL_checkstack(now.L, 6, NULL);
	switch (lua_type(now.L, idx)) {
	case LUA_TSTRING:
		s.p = lua_tolstring(now.L, idx, &s.n);
		put_string(s);
		break;
	case LUA_TNUMBER:
		put_number(lua_tonumber(now.L, idx));
		break;
	case LUA_TBOOLEAN:
		put_text(lua_toboolean(now.L, idx) ? "true" : "false");
		break;
	case LUA_TNIL:
		put_text("nil");
		break;
	case LUA_TTABLE:
		put_table(idx, depth);
		break;
	default:
		put_object(idx);
	}
}

/* "[kong] file:function:line [plugin]" and dashes up to the frame's corner. */
static void print_head(lua_State *L)
{
	char line[512];
	lua_Debug where = {.currentline = 0};
	bool is_known = lua_getstack(L, 1, &where) == 1 && lua_getinfo(L, "Sln", &where) != 0;
	int n = snprintf(line, sizeof(line) - COLUMNS - 2, "[kong] %s:%s:%d [%s]",
			is_known ? where.short_src : "?",
			is_known && where.name != NULL ? where.name : "?", where.currentline,
			pdk_host(L)->plugin_name);

	n = n < (int)sizeof(line) - COLUMNS - 2 ? n : (int)sizeof(line) - COLUMNS - 3;
	while (n < COLUMNS + 1)
		line[n++] = '-';
	line[n++] = '+';
	line[n] = '\0';
	pdk_log_text(L, LOG_NOTICE, line);
}

static void print_row(lua_State *L, const char *p, size_t n)
{
	char line[COLUMNS + 3];

	memset(line, ' ', sizeof(line));
	line[0] = line[COLUMNS + 1] = '|';
	if (n != 0)
		memcpy(line + 1, p, n);
	line[COLUMNS + 2] = '\0';
	pdk_log_text(L, LOG_NOTICE, line);
}

static void print_rows(lua_State *L)
{
	size_t at = 0;

	while (at < now.n) {
		const char *p = now.text + at;
		size_t left = now.n - at;
		size_t most = left < COLUMNS ? left : COLUMNS;
		const char *end = memchr(p, '\n', most);

		most = end != NULL ? (size_t)(end - p) : most;
		print_row(L, p, most);
		at += most + (end != NULL ? 1 : 0);
	}
}

void pdk_inspect(lua_State *L)
{
	char line[COLUMNS + 3];
	int n = lua_gettop(L);

	now.L = L;
	now.n = now.n_objects = 0;
	for (int arg = 1; arg <= n; arg++)
		look(arg, 0);
	for (int arg = 1; arg <= n; arg++) {
		if (arg > 1)
			put(" ", 1);
		put_value(arg, 0);
	}
	print_head(L);
	print_rows(L);
	memset(line, '-', sizeof(line));
	line[0] = line[COLUMNS + 1] = '+';
	line[COLUMNS + 2] = '\0';
	pdk_log_text(L, LOG_NOTICE, line);
}
