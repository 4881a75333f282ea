/* SPDX-License-Identifier: Apache-2.0
 * sluice.counter and sluice.dict: what all workers of a node share, per plugin name (shm/dict) */
#include <math.h>

#include "plugin/engine.h"
#include "plugin/pdk_part.h"
#include "shm/dict.h"

#define TTL_MAX_S 1e9

/* An object is a table whose [1] is the prefix of its keys: "c:name", "d:name:". */
#define COUNTER_CLASS "sluice.counter"
#define DICT_CLASS "sluice.dict"

struct entry {
	struct dict *dict;
	uint32_t space;
	struct str key; /* in joined, or a string of the VM's that the stack holds */
	char joined[DICT_KEY_MAX];
};

static const char *failure(int r)
{
	static const char *const rows[] = {
			[DICT_E_ABSENT] = "not found",
			[DICT_E_EXISTS] = "exists",
			[DICT_E_FULL] = "no memory: the plugin's quota is used up",
			[DICT_E_TOO_LONG] =
					"too long: names and key take at most 190 bytes together, "
					"a string 3840",
			[DICT_E_BUSY] = "busy: another worker holds the lock",
			[DICT_E_TYPE] = "not a number",
	};

	return r > 0 && (size_t)r < PDK_COUNT(rows) ? rows[r] : "failed";
}

static int open_space(lua_State *L, struct entry *ret)
{
	struct pdk_host *host = pdk_host(L);
	uint32_t space = 0;
	int r;

	ret->dict = host->conf->dict;
	if (host->dict_space == 0) {
		vm_host_enter(L);
		r = dict_space(ret->dict, str_of(host->plugin_name), &space);
		vm_host_leave(L);
		if (r != 0)
			return r;
		host->dict_space = space + 1;
	}
	ret->space = host->dict_space - 1;
	return 0;
}

/* The entry that the object at 1 (and, of a dict, the key at 2) is about.  Raises for what is no
 * object or no key; 0, or what pdk_fail() told: return its number of results. */
static int open_entry(lua_State *L, bool is_dict, struct entry *ret)
{
	struct str prefix = STR_NONE, key = {"", 0};
	int r;

	if (lua_type(L, 1) == LUA_TTABLE) {
		lua_settop(L, 4);     /* no call has more */
		lua_rawgeti(L, 1, 1); /* stays: the key is in it */
		if (lua_type(L, -1) == LUA_TSTRING)
			prefix.p = lua_tolstring(L, -1, &prefix.n);
	}
	if (prefix.p == NULL || prefix.n < 2 || prefix.p[0] != (is_dict ? 'd' : 'c'))
		return luaL_error(L, "call it as a method of what %s() returned",
				is_dict ? DICT_CLASS : COUNTER_CLASS);
	if (is_dict)
		key = pdk_check_str(L, 2, "key must be a string");
	if (pdk_host(L)->conf->dict == NULL)
		return pdk_fail(L, "there is no shared memory here");
	if (prefix.n + key.n > DICT_KEY_MAX)
		return pdk_fail(L, "%s", failure(DICT_E_TOO_LONG));
	ret->key = prefix;
	if (is_dict) {
		memcpy(ret->joined, prefix.p, prefix.n);
		memcpy(ret->joined + prefix.n, key.p, key.n);
		ret->key = (struct str){ret->joined, prefix.n + key.n};
	}
	r = open_space(L, ret);
	return r == 0 ? 0 : pdk_fail(L, "%s", failure(r));
}

/* Seconds at arg → milliseconds; absent: 0 = for ever. */
static uint64_t check_ttl(lua_State *L, int arg)
{
	uint64_t ms;
	double s;

	if (lua_isnoneornil(L, arg))
		return 0;
	s = pdk_check_number(L, arg, "ttl must be a number");
	/* also for NaN */
	if (!(s >= 0 && s <= TTL_MAX_S))
		luaL_error(L, "ttl must be a number of seconds between 0 and 1e9");
	ms = (uint64_t)(s * 1000);
	return (double)ms < s * 1000 ? ms + 1 : ms;
}

static double check_amount(lua_State *L, int arg)
{
	double n;

	if (lua_isnoneornil(L, arg))
		return 1;
	n = pdk_check_number(L, arg, "n must be a number");
	if (!isfinite(n))
		luaL_error(L, "n must be finite");
	return n;
}

static int push_value(lua_State *L, const struct dict_value *v)
{
	if (v->kind == DICT_STRING)
		lua_pushlstring(L, v->bytes, v->n);
	else if (v->kind == DICT_BOOLEAN)
		lua_pushboolean(L, v->number != 0);
	else
		lua_pushnumber(L, v->number);
	return 1;
}

/* ---- both ---- */

static int incr(lua_State *L, bool is_dict, int arg)
{
	double by = check_amount(L, arg), now = 0;
	uint64_t ttl_ms = check_ttl(L, arg + 1);
	struct entry e;
	int r = open_entry(L, is_dict, &e);

	if (r != 0)
		return r;
	vm_host_enter(L);
	r = dict_incr(e.dict, e.space, e.key, by, ttl_ms, &now);
	vm_host_leave(L);
	if (r != 0)
		return pdk_fail(L, "%s", failure(r));
	lua_pushnumber(L, now);
	return 1;
}

static int get(lua_State *L, bool is_dict)
{
	struct dict_value v;
	struct entry e;
	int r = open_entry(L, is_dict, &e);

	if (r != 0)
		return r;
	vm_host_enter(L);
	r = dict_get(e.dict, e.space, e.key, &v);
	vm_host_leave(L);
	if (r == 0)
		return push_value(L, &v);
	if (r != DICT_E_ABSENT)
		return pdk_fail(L, "%s", failure(r));
	if (is_dict)
		lua_pushnil(L);
	else
		lua_pushnumber(L, 0);
	return 1;
}

static int delete (lua_State *L, bool is_dict)
{
	struct entry e;
	int r = open_entry(L, is_dict, &e);

	if (r != 0)
		return r;
	vm_host_enter(L);
	r = dict_delete(e.dict, e.space, e.key);
	vm_host_leave(L);
	if (r != 0 && r != DICT_E_ABSENT)
		return pdk_fail(L, "%s", failure(r));
	lua_pushboolean(L, r == 0);
	return 1;
}

/* ---- sluice.counter ---- */

static int counter_incr(lua_State *L)
{
	return incr(L, false, 2);
}

static int counter_get(lua_State *L)
{
	return get(L, false);
}

static int counter_reset(lua_State *L)
{
	return delete (L, false);
}

/* ---- sluice.dict ---- */

static int dict_method_incr(lua_State *L)
{
	return incr(L, true, 3);
}

static int dict_method_get(lua_State *L)
{
	return get(L, true);
}

static int dict_method_delete(lua_State *L)
{
	return delete (L, true);
}

static void check_value(lua_State *L, int arg, struct dict_input *ret)
{
	*ret = (struct dict_input){.kind = DICT_NUMBER};
	switch (lua_type(L, arg)) {
	case LUA_TSTRING:
		ret->kind = DICT_STRING;
		ret->text.p = lua_tolstring(L, arg, &ret->text.n);
		break;
	case LUA_TBOOLEAN:
		ret->kind = DICT_BOOLEAN;
		ret->number = lua_toboolean(L, arg);
		break;
	case LUA_TNUMBER:
		ret->number = lua_tonumber(L, arg);
		break;
	default:
		luaL_error(L, "value must be a string, a number or a boolean");
	}
}

typedef int store_fn(struct dict *d, uint32_t space, struct str key, const struct dict_input *value,
		uint64_t ttl_ms);

static int store(lua_State *L, store_fn *write)
{
	uint64_t ttl_ms = check_ttl(L, 4);
	struct dict_input in;
	struct entry e;
	int r;

	check_value(L, 3, &in);
	r = open_entry(L, true, &e);
	if (r != 0)
		return r;
	vm_host_enter(L);
	r = write(e.dict, e.space, e.key, &in, ttl_ms);
	vm_host_leave(L);
	if (r != 0)
		return pdk_fail(L, "%s", failure(r));
	lua_pushboolean(L, 1);
	return 1;
}

static int dict_method_set(lua_State *L)
{
	return store(L, dict_set);
}

static int dict_method_add(lua_State *L)
{
	return store(L, dict_add);
}

static int dict_method_ttl(lua_State *L)
{
	uint64_t left = 0;
	struct entry e;
	int r = open_entry(L, true, &e);

	if (r != 0)
		return r;
	vm_host_enter(L);
	r = dict_ttl(e.dict, e.space, e.key, &left);
	vm_host_leave(L);
	if (r != 0)
		return pdk_fail(L, "%s", failure(r));
	lua_pushnumber(L, left == UINT64_MAX ? HUGE_VAL : (double)left / 1000);
	return 1;
}

/* ---- making them ---- */

/* clang-format off */
#define COUNTER_METHODS(X) \
	X("incr", counter_incr, PDK_ANY, VM_STRICT, "Method (n = 1, ttl): adds n, exactly; the new value. The ttl (seconds) of the first one counts.") \
	X("get", counter_get, PDK_ANY, VM_STRICT, "Method: the value, 0 when there is none.") \
	X("reset", counter_reset, PDK_ANY, VM_STRICT, "Method: back to nothing; true when there was a value.")
#define DICT_METHODS(X) \
	X("get", dict_method_get, PDK_ANY, VM_STRICT, "Method (key): string, number or boolean; nil when absent or expired") \
	X("set", dict_method_set, PDK_ANY, VM_STRICT, "Method (key, value, ttl): true, or nil and why") \
	X("add", dict_method_add, PDK_ANY, VM_STRICT, "Method (key, value, ttl): as set; nil, \"exists\" when there is one") \
	X("incr", dict_method_incr, PDK_ANY, VM_STRICT, "Method (key, n = 1, ttl): adds n; the new value; ttl for a new entry only") \
	X("delete", dict_method_delete, PDK_ANY, VM_STRICT, "Method (key): true when there was an entry") \
	X("ttl", dict_method_ttl, PDK_ANY, VM_STRICT, "Method (key): seconds left, math.huge = for ever; nil, \"not found\"")
/* clang-format on */

/* The methods behind a metatable that no plugin reaches; its name is the path they are made at. */
static void make_class(lua_State *L, const char *class, const struct pdk_function *rows, size_t n)
{
	int scratch = lua_gettop(L) + 1;

	lua_createtable(L, 0, 1);
	pdk_register(L, scratch, class, rows, n);
	lua_createtable(L, 0, 2);
	pdk_push_table(L, scratch, class);
	lua_setfield(L, -2, "__index");
	lua_pushboolean(L, 0);
	lua_setfield(L, -2, "__metatable");
	lua_replace(L, scratch);
}

/* Pushes the metatable of counters, or of dictionaries; made when it is asked for first. */
static void push_class(lua_State *L, bool is_dict)
{
	static const struct pdk_function counter[] = {COUNTER_METHODS(PDK_ROW)};
	static const struct pdk_function dict[] = {DICT_METHODS(PDK_ROW)};
	const char *class = is_dict ? DICT_CLASS : COUNTER_CLASS;

	lua_getfield(L, LUA_REGISTRYINDEX, class);
	if (!lua_isnil(L, -1))
		return;
	lua_pop(L, 1);
	if (is_dict)
		make_class(L, class, dict, PDK_COUNT(dict));
	else
		make_class(L, class, counter, PDK_COUNT(counter));
	lua_pushvalue(L, -1);
	lua_setfield(L, LUA_REGISTRYINDEX, class);
}

/* The length in front keeps ("a", "b:c") and ("a:b", "c") apart. */
static int make(lua_State *L, bool is_dict)
{
	struct str name = pdk_check_str(L, 1, "name must be a string");

	if (name.n == 0 || name.n > DICT_KEY_MAX - 8)
		return luaL_error(L, "name must have between 1 and %d bytes", DICT_KEY_MAX - 8);
	lua_settop(L, 1);
	lua_createtable(L, 1, 0);
	lua_pushfstring(L, "%c%d:", is_dict ? 'd' : 'c', (int)name.n);
	lua_pushvalue(L, 1);
	lua_concat(L, 2);
	lua_rawseti(L, 2, 1);
	push_class(L, is_dict);
	lua_setmetatable(L, 2);
	return 1;
}

static int make_counter(lua_State *L)
{
	return make(L, false);
}

static int make_dict(lua_State *L)
{
	return make(L, true);
}

/* clang-format off */
#define SLUICE_FUNCTIONS(X) \
	X("counter", make_counter, PDK_ANY, VM_STRICT, "(name): the counter of that name, shared by all workers of the node") \
	X("dict", make_dict, PDK_ANY, VM_STRICT, "(name): the dictionary of that name, shared by all workers of the node")
/* clang-format on */

void pdk_open_sluice(lua_State *L, int env_index)
{
	static const struct pdk_function functions[] = {SLUICE_FUNCTIONS(PDK_ROW)};

	if (pdk_observer != NULL) {
		push_class(L, false);
		push_class(L, true);
		lua_pop(L, 2);
	}
	pdk_register(L, env_index, "sluice", functions, PDK_COUNT(functions));
}
