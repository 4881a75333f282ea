/* SPDX-License-Identifier: Apache-2.0
 * Embedded Lua modules: found by name at their first require(). */
#include "plugin/module_part.h"

#include <stdio.h>
#include <string.h>

#include "base/check.h"

#define FUNCTIONS "sluice.module_functions" /* registry: made at the first require() */
#define MADE "sluice.module_made"           /* registry: {name = what its source returned} */
#define BYTES_MAX (8U << 20)
#define CHUNK_NAME_MAX 64

static const struct source {
	const char *name, *text;
} sources[] = {
#include "plugin/module_sources.h" /* {"kong.tools.string", "…"}, … */
};

static const luaL_Reg *const parts[] = {
#define X(part) part,
		MODULE_PARTS(X)
#undef X
};

struct str module_check_bytes(lua_State *L, int arg)
{
	struct str s = ngx_check_text(L, arg, false);

	if (s.n > BYTES_MAX)
		luaL_argerror(L, arg, "too much data");
	return s;
}

/* Names of Kong's list that have no meaning here, and why. */
static const struct {
	const char *name, *why;
} refusals[] = {
		{"resty.openssl.ssl", "connections are the gateway's: there is no handle of one"},
		{"resty.openssl.ssl_ctx",
				"connections are the gateway's: there is no handle of one"},
		{"resty.openssl.param",
				"it makes pointers into OpenSSL, which plugins do not hold"},
		{"resty.openssl.stack",
				"it makes pointers into OpenSSL, which plugins do not hold"},
		{"resty.ada", "use socket.url and kong.tools.uri for URLs"},
		{"resty.ada.search", "use ngx.decode_args and ngx.encode_args"},
		{"resty.evp", "use resty.openssl.pkey"},
		{"resty.passwdqc", "there is no dictionary to judge passwords by"},
		{"xmlua", "there is no reader of XML"},
		{"kong.tools.jose", "use resty.jwt for tokens, resty.openssl.pkey for keys"},
};

/* Those that are made of the network, which strict has not. */
static const char *const lax_names[] = {"resty.dns.resolver", "resty.http", "resty.redis"};

static bool is_of_level(const char *name, enum vm_level level)
{
	for (size_t i = 0; i < PDK_COUNT(lax_names); i++)
		if (strcmp(lax_names[i], name) == 0)
			return level == VM_LAX;
	return true;
}

static const struct source *find_source(const char *name)
{
	for (size_t i = 0; i < PDK_COUNT(sources); i++)
		if (strcmp(sources[i].name, name) == 0)
			return &sources[i];
	return NULL;
}

static int load_part(lua_State *L);

static void push_functions(lua_State *L)
{
	lua_getfield(L, LUA_REGISTRYINDEX, FUNCTIONS);
	if (!lua_isnil(L, -1))
		return;
	lua_pop(L, 1);
	lua_newtable(L);
	for (size_t i = 0; i < PDK_COUNT(parts); i++)
		luaL_register(L, NULL, parts[i]);
	lua_pushcfunction(L, load_part);
	lua_setfield(L, -2, "part");
	lua_pushvalue(L, -1);
	lua_setfield(L, LUA_REGISTRYINDEX, FUNCTIONS);
}

/* Pushes it as a function. */
static void load(lua_State *L, const struct source *source)
{
	char chunk[CHUNK_NAME_MAX];

	(void)snprintf(chunk, sizeof(chunk), "=%s", source->name);
	if (luaL_loadbuffer(L, source->text, strlen(source->text), chunk) != 0)
		(void)lua_error(L);
	vm_push_environment(L);
	(void)lua_setfenv(L, -2);
}

/* Pushes what the source returns: it runs once, for modules that are made of others too. */
static void run(lua_State *L, const struct source *source)
{
	(void)luaL_newmetatable(L, MADE);
	lua_getfield(L, -1, source->name);
	if (!lua_isnil(L, -1)) {
		lua_remove(L, -2);
		return;
	}
	lua_pop(L, 1);
	load(L, source);
	push_functions(L);
	lua_call(L, 1, 1);
	lua_pushvalue(L, -1);
	lua_setfield(L, -3, source->name);
	lua_remove(L, -2);
}

/* part(name): a piece that modules are made of. */
static int load_part(lua_State *L)
{
	const struct source *source = find_source(luaL_checkstring(L, 1));

	if (source == NULL)
		return luaL_error(L, "there is no such part");
	run(L, source);
	return 1;
}

void module_run(lua_State *L, const char *name, const luaL_Reg *functions)
{
	const struct source *source = find_source(name);

	sl_assert(source != NULL);
	load(L, source);
	lua_newtable(L);
	luaL_register(L, NULL, functions);
	lua_call(L, 1, 1);
}

/* Names that begin with "_" are parts, not modules. */
static int find_module(lua_State *L)
{
	const char *name = luaL_checkstring(L, 1);
	const struct source *source = name[0] != '_' ? find_source(name) : NULL;

	for (size_t i = 0; i < PDK_COUNT(refusals); i++)
		if (strcmp(refusals[i].name, name) == 0)
			return luaL_error(L, "require '%s': %s", name, refusals[i].why);
	if (!is_of_level(name, pdk_host(L)->level))
		return luaL_error(L,
				"require '%s' not allowed within sandbox (it is there with "
				"untrusted_lua: lax only)",
				name);
	if (source == NULL)
		return 0;
	run(L, source);
	return 1;
}

/* __index of a table whose functions are Lua.  Upvalue: the part's name. */
static int load_function(lua_State *L)
{
	const char *part = lua_tostring(L, lua_upvalueindex(1));

	lua_settop(L, 2);
	lua_getfield(L, LUA_REGISTRYINDEX, part);
	if (lua_isnil(L, -1)) {
		lua_pop(L, 1);
		run(L, find_source(part));
		lua_pushvalue(L, -1);
		lua_setfield(L, LUA_REGISTRYINDEX, part);
	}
	lua_pushvalue(L, 2);
	lua_rawget(L, -2);
	return 1;
}

void module_register_lua(lua_State *L, int env_index, const char *path,
		const struct pdk_function *rows, size_t n, const char *part)
{
	if (pdk_host(L)->level != VM_LAX && rows[0].level == VM_LAX) {
		if (pdk_observer != NULL)
			pdk_observer(path, rows, n);
		return;
	}
	pdk_register(L, env_index, path, rows, n);
	pdk_push_table(L, env_index, path);
	for (size_t i = 0; i < n; i++) {
		lua_pushnil(L);
		lua_setfield(L, -2, rows[i].name);
	}
	lua_createtable(L, 0, 2);
	lua_pushstring(L, part);
	lua_pushcclosure(L, load_function, 1);
	lua_setfield(L, -2, "__index");
	lua_setmetatable(L, -2);
	lua_pop(L, 1);
}

void module_open(lua_State *L, int env_index)
{
	(void)env_index;
	vm_provide_finder(L, find_module);
}
