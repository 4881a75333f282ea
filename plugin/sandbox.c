/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/sandbox.h"

#include <errno.h>
#include <lualib.h>
#include <string.h>

#include "base/hex.h"
#include "base/log.h"
#include "plugin/safe.h"
#include "plugin/sandbox_table.h"
#include "plugin/vm_impl.h"

#define MACHINE_CODE "maxmcode=1024" /* KB, per VM */
#define TRACES "maxtrace=1000"
#define PATH_PART_MAX 32
#define SEED_BITS 52

/* Stack of setup() from its start on. */
enum { STACK_OPENER = 1, STACK_GLOBALS, STACK_LIB, STACK_ENV };

struct entry {
	const char *name;
	enum { FROM_LIBRARY, FROM_SAFE_LIB, FROM_C } source;
	lua_CFunction fn;
	enum vm_level level;
};

#define STOCK FROM_LIBRARY, NULL
#define CONST FROM_LIBRARY, NULL
#define LUA FROM_SAFE_LIB, NULL
#define C(f) FROM_C, f
#define STRICT VM_STRICT
#define LAX VM_LAX
#define ENTRY(name, source, level, differs) {name, source, level},
static const struct entry globals[] = {SANDBOX_GLOBALS(ENTRY)};
#undef C

static const struct {
	const char *name, *global;
} modules[] = {
#define MODULE(name, global) {name, global},
		SANDBOX_MODULES(MODULE)};

static const luaL_Reg helpers[] = {
		{"raw_getmetatable", safe_raw_getmetatable},
		{"check_string", safe_check_string},
		{"took_host_yield", safe_took_host_yield},
		{"yield_again", safe_yield_again},
		{"concat", safe_table_concat},
		{"format_check", safe_format_check},
		{"match_from", safe_match_from},
		{"is_anchored", safe_is_anchored},
		{"gsub_text", safe_gsub_text},
		{NULL, NULL},
};

/* safe_lib.lua as bytecode, for the life of the process. */
static char *lib_code;
static size_t lib_code_n;

int sandbox_process_init(struct why *why)
{
	static const char text[] =
#include "plugin/safe_lib.lua.h" /* string literals */
			;

	if (lib_code != NULL)
		return 0;
	return vm_compile(STR(text), "safe_lib.lua", &lib_code, &lib_code_n, why);
}

static void open_lua_libraries(lua_State *L)
{
	static const luaL_Reg libraries[] = {
			{"", luaopen_base},
			{LUA_TABLIBNAME, luaopen_table},
			{LUA_STRLIBNAME, luaopen_string},
			{LUA_MATHLIBNAME, luaopen_math},
			{LUA_BITLIBNAME, luaopen_bit},
			{LUA_JITLIBNAME, luaopen_jit},
	};

	for (size_t i = 0; i < sizeof(libraries) / sizeof(*libraries); i++) {
		lua_pushcfunction(L, libraries[i].func);
		lua_pushstring(L, libraries[i].name);
		lua_call(L, 1, 0);
	}
}

static void limit_compiler(lua_State *L)
{
	lua_getglobal(L, LUA_JITLIBNAME);
	lua_getfield(L, -1, "opt");
	lua_getfield(L, -1, "start");
	lua_pushliteral(L, MACHINE_CODE);
	lua_pushliteral(L, TRACES);
	lua_call(L, 2, 0);
	lua_pop(L, 2);
}

static void seed_random(lua_State *L)
{
	uint64_t seed;

	random_bytes(&seed, sizeof(seed));
	lua_getglobal(L, LUA_MATHLIBNAME);
	lua_getfield(L, -1, "randomseed");
	lua_pushnumber(L, (lua_Number)(seed >> (64 - SEED_BITS)));
	lua_call(L, 1, 0);
	lua_pop(L, 1);
}

/* Upvalue: LuaJIT's own preload table.  preload(name): that module, or nil. */
static int preload(lua_State *L)
{
	lua_settop(L, 1);
	lua_pushvalue(L, 1);
	lua_rawget(L, lua_upvalueindex(1));
	if (lua_isnil(L, -1))
		return 1;
	lua_pushvalue(L, 1);
	lua_call(L, 1, 1);
	return 1;
}

/* Pushes what safe_lib.lua returns: {dotted name = function}. */
static void run_safe_lib(lua_State *L)
{
	if (luaL_loadbuffer(L, lib_code, lib_code_n, "=safe_lib.lua") != 0)
		(void)lua_error(L);
	lua_newtable(L);
	luaL_register(L, NULL, helpers);
	lua_pushvalue(L, STACK_GLOBALS);
	lua_getfield(L, LUA_REGISTRYINDEX, "_PRELOAD");
	lua_pushcclosure(L, preload, 1);
	sandbox_push_sealed(L);
	vm_push_host_yield_mark(L);
	lua_call(L, 5, 1);
}

/* Splits "a.b" and pushes root[a] (made if it is to be), or root itself for "b"; the last
 * part is returned. */
static const char *push_holder(lua_State *L, int root, const char *name, bool is_made)
{
	const char *dot = strchr(name, '.');

	if (dot == NULL) {
		lua_pushvalue(L, root);
		return name;
	}
	lua_pushlstring(L, name, (size_t)(dot - name));
	lua_gettable(L, root);
	if (lua_isnil(L, -1) && is_made) {
		lua_pop(L, 1);
		lua_newtable(L);
		lua_pushlstring(L, name, (size_t)(dot - name));
		lua_pushvalue(L, -2);
		lua_rawset(L, root);
	}
	return dot + 1;
}

static void push_source(lua_State *L, const struct entry *e)
{
	switch (e->source) {
	case FROM_C:
		lua_pushcfunction(L, e->fn);
		break;
	case FROM_SAFE_LIB:
		lua_getfield(L, STACK_LIB, e->name);
		break;
	case FROM_LIBRARY:
		lua_getfield(L, -1, push_holder(L, STACK_GLOBALS, e->name, false));
		lua_remove(L, -2);
		break;
	}
	if (lua_isnil(L, -1))
		(void)luaL_error(L, "this LuaJIT has no %s", e->name);
}

static void fill_environment(lua_State *L, enum vm_level level)
{
	for (size_t i = 0; i < sizeof(globals) / sizeof(*globals); i++) {
		const struct entry *e = &globals[i];
		const char *last;

		if (e->level > level)
			continue;
		last = push_holder(L, STACK_ENV, e->name, true);
		push_source(L, e);
		lua_setfield(L, -2, last);
		lua_pop(L, 1);
	}
}

/* ("x"):rep reaches the safe functions, and nothing reaches the table. */
static void replace_string_metatable(lua_State *L)
{
	lua_pushliteral(L, "");
	lua_newtable(L);
	lua_getfield(L, STACK_ENV, LUA_STRLIBNAME);
	lua_setfield(L, -2, "__index");
	lua_pushboolean(L, false);
	lua_setfield(L, -2, "__metatable");
	(void)lua_setmetatable(L, -2);
	lua_pop(L, 1);
}

static void open_modules(lua_State *L)
{
	for (size_t i = 0; i < sizeof(modules) / sizeof(*modules); i++) {
		if (modules[i].global[0] == 0) {
			lua_getfield(L, STACK_LIB, modules[i].name);
			sandbox_require_set_opener(L, modules[i].name);
			continue;
		}
		lua_getfield(L, -1, push_holder(L, STACK_ENV, modules[i].global, false));
		lua_remove(L, -2);
		sandbox_require_set(L, modules[i].name);
	}
}

static void wipe(lua_State *L, int table)
{
	lua_pushnil(L);
	while (lua_next(L, table)) {
		lua_pop(L, 1);
		lua_pushvalue(L, -1);
		lua_pushnil(L);
		lua_rawset(L, table);
	}
}

/* Emptied, not removed: a literal like 1LL makes LuaJIT load its ffi library, whose state is
 * collected under it unless it can be registered there.  Nothing reads it. */
static void wipe_loaded(lua_State *L)
{
	lua_getfield(L, LUA_REGISTRYINDEX, "_LOADED");
	wipe(L, lua_gettop(L));
	lua_pop(L, 1);
}

static int setup(lua_State *L)
{
	vm_open_fn *const *open_library = lua_touserdata(L, STACK_OPENER);
	struct vm *vm = vm_of(L);

	(void)lua_gc(L, LUA_GCSTOP, 0);
	open_lua_libraries(L);
	limit_compiler(L);
	seed_random(L);
	sandbox_require_open(L);
	lua_pushvalue(L, LUA_GLOBALSINDEX);
	run_safe_lib(L);
	lua_newtable(L);
	fill_environment(L, vm->level);
	replace_string_metatable(L);
	lua_settop(L, STACK_ENV);
	if (*open_library != NULL)
		(*open_library)(L, STACK_ENV);
	lua_settop(L, STACK_ENV);
	vm_seal(L, "_G"); /* the view takes its place; the table is behind it */
	sandbox_push_sealed(L);
	lua_pushvalue(L, STACK_ENV);
	lua_rawget(L, -2);
	lua_pushvalue(L, STACK_ENV);
	lua_setfield(L, -2, "_G");
	lua_settop(L, STACK_ENV);
	open_modules(L);
	wipe(L, STACK_GLOBALS);
	wipe_loaded(L);
	lua_pushnil(L); /* preload() keeps the table */
	lua_setfield(L, LUA_REGISTRYINDEX, "_PRELOAD");
	vm->env_ref = luaL_ref(L, LUA_REGISTRYINDEX);
	(void)lua_gc(L, LUA_GCRESTART, -1);
	return 0;
}

int sandbox_open(struct vm *vm, vm_open_fn *open_library)
{
	struct why why = WHY_NONE;
	char quoted[256];
	int r = lua_cpcall(vm->L, setup, &open_library);

	if (r == 0)
		return 0;
	vm_error_to_why(vm->L, &why);
	log_err("cannot build a plugin's environment", "plugin=%s error=%s", vm->name,
			log_quote(quoted, sizeof(quoted), str_of(why.text)));
	return r == LUA_ERRMEM ? -ENOMEM : -ENOTSUP;
}
