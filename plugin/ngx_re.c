/* SPDX-License-Identifier: Apache-2.0
 * ngx.re.*: the matching here, the loops of gmatch, sub and gsub in Lua, where a budget can
 * stop them and a plugin's function may be called. */
#include "plugin/ngx_table.h"

#include <errno.h>

#include <lauxlib.h>

#include "plugin/regex.h"

static const char loops[] =
		"local exec, expand, cut, type, tostring, error = ...\n"
		"local function substitute(subject, regex, replace, options, once)\n"
		"  local kind = type(replace)\n"
		"  if kind ~= 'string' and kind ~= 'number' and kind ~= 'function' then\n"
		"    error('bad argument #3 to sub/gsub (string, number or function expected)', "
		"3)\n"
		"  end\n"
		"  if kind ~= 'function' and not expand(replace, {}) then\n"
		"    return nil, nil, 'failed to compile the replacement template'\n"
		"  end\n"
		"  subject = tostring(subject)\n"
		"  local out, n, pos, last, count = {}, 0, 1, 1, 0\n"
		"  while pos <= #subject + 1 do\n"
		"    local m, from, to, after = exec(subject, regex, options, pos)\n"
		"    if not m then\n"
		"      if from then return nil, nil, from end\n"
		"      break\n"
		"    end\n"
		"    local piece\n"
		"    if kind == 'function' then\n"
		"      piece = replace(m)\n"
		"      local got = type(piece)\n"
		"      if got ~= 'string' and got ~= 'number' then\n"
		"        error('string or number expected to be returned by the replace function, "
		"got ' .. got, 3)\n"
		"      end\n"
		"    else\n"
		"      piece = expand(replace, m)\n"
		"    end\n"
		"    out[n + 1], out[n + 2] = cut(subject, last, from - 1), piece\n"
		"    n, last, count = n + 2, to + 1, count + 1\n"
		"    pos = after\n"
		"    if once then break end\n"
		"  end\n"
		"  out[n + 1] = cut(subject, last, #subject)\n"
		"  return out, count\n"
		"end\n"
		"local function gmatch(subject, regex, options)\n"
		"  if type(regex) ~= 'string' and type(regex) ~= 'number' then\n"
		"    error([[bad argument #2 to 'gmatch' (string expected, got ]] .. "
		"type(regex) .. ')', 2)\n"
		"  end\n"
		"  subject = tostring(subject)\n"
		"  local pos = 1\n"
		"  local m, err = exec(subject, regex, options, #subject + 2)\n"
		"  if not m and err then return nil, err end\n"
		"  return function()\n"
		"    if not pos then return nil end\n"
		"    local m, from, _, after = exec(subject, regex, options, pos)\n"
		"    if not m then\n"
		"      pos = nil\n"
		"      if from then return nil, from end\n"
		"      return nil\n"
		"    end\n"
		"    pos = after\n"
		"    return m\n"
		"  end\n"
		"end\n"
		"return substitute, gmatch\n";

/* Compiles (or finds) the regex of arguments regex, options; on failure pushes nil, error. */
static struct regex *check_regex(lua_State *L, int arg, int options_arg, struct why *why)
{
	struct str pattern = ngx_check_text(L, arg, false);
	const char *options = luaL_optstring(L, options_arg, "");
	struct regex *re = NULL;
	int r;

	vm_host_enter(L);
	r = regex_get(&re, pattern, options, why);
	vm_host_leave(L);
	if (r == 0)
		return re;
	if (r == -ENOTSUP)
		luaL_error(L, "%s", why->text);
	if (r != -EINVAL)
		why_set(why, NULL, 0, "no memory");
	return NULL;
}

static void push_span(lua_State *L, struct str s, const size_t *spans, unsigned i)
{
	if (spans[2 * i] == REGEX_UNSET)
		lua_pushboolean(L, 0);
	else
		lua_pushlstring(L, s.p + spans[2 * i], spans[2 * i + 1] - spans[2 * i]);
}

/* With option D a name gives the list of its groups that took part.  The capture is at the top. */
static void push_to_list(lua_State *L, int table, struct str name)
{
	if (lua_type(L, -1) != LUA_TSTRING)
		return;
	lua_pushlstring(L, name.p, name.n);
	lua_rawget(L, table);
	if (!lua_istable(L, -1)) {
		lua_pop(L, 1);
		lua_createtable(L, 1, 0);
		lua_pushlstring(L, name.p, name.n);
		lua_pushvalue(L, -2);
		lua_rawset(L, table);
	}
	lua_pushvalue(L, -2);
	lua_rawseti(L, -2, (int)lua_objlen(L, -2) + 1);
	lua_pop(L, 1);
}

static void push_named(lua_State *L, int table, struct str name)
{
	lua_pushlstring(L, name.p, name.n);
	lua_pushvalue(L, -2);
	lua_rawset(L, table);
}

/* Fills the table at `table` with [0], groups and names. */
static void push_captures(
		lua_State *L, int table, const struct regex *re, struct str s, const size_t *spans)
{
	for (unsigned i = 0; i <= regex_groups(re); i++) {
		struct str name = i != 0 ? regex_group_name(re, i) : STR_NONE;

		push_span(L, s, spans, i);
		if (name.p != NULL && regex_has_duplicate_names(re))
			push_to_list(L, table, name);
		else if (name.p != NULL)
			push_named(L, table, name);
		lua_rawseti(L, table, (int)i);
	}
}

static int match_at(lua_State *L, struct regex *re, struct str s, size_t from, const size_t **spans,
		struct why *why)
{
	int r;

	vm_host_enter(L);
	r = regex_match(re, s, from, spans, why);
	vm_host_leave(L);
	return r;
}

/* Where the next match may begin: behind this one, or, when it is empty, a character further. */
static size_t after(const struct regex *re, struct str s, const size_t *spans)
{
	size_t at = spans[1];

	if (spans[1] > spans[0])
		return at;
	at++;
	while (regex_is_utf(re) && at < s.n && ((unsigned char)s.p[at] & 0xc0) == 0x80)
		at++;
	return at;
}

/* exec(subject, regex, options, pos) → captures, from, to, next | nil[, error] */
static int re_exec(lua_State *L)
{
	struct str s = ngx_check_text(L, 1, false);
	struct why why = WHY_NONE;
	struct regex *re = check_regex(L, 2, 3, &why);
	const size_t *spans = NULL;
	int r;

	if (re == NULL)
		return pdk_fail(L, "%s", why.text);
	r = match_at(L, re, s, (size_t)luaL_checkinteger(L, 4) - 1, &spans, &why);
	if (r <= 0)
		return r < 0 ? pdk_fail(L, "%s", why.text) : (lua_pushnil(L), 1);
	lua_createtable(L, (int)regex_groups(re), 1);
	push_captures(L, lua_gettop(L), re, s, spans);
	lua_pushinteger(L, (lua_Integer)spans[0] + 1);
	lua_pushinteger(L, (lua_Integer)spans[1]);
	lua_pushinteger(L, (lua_Integer)after(re, s, spans) + 1);
	return 4;
}

/* ctx.pos of the optional context table, 1-based; 1 without one. */
static size_t context_pos(lua_State *L, int arg)
{
	lua_Integer pos = 1;

	if (!lua_istable(L, arg))
		return 1;
	lua_pushliteral(L, "pos");
	lua_rawget(L, arg);
	if (lua_type(L, -1) == LUA_TNUMBER)
		pos = lua_tointeger(L, -1);
	lua_pop(L, 1);
	return pos < 1 ? 1 : (size_t)pos;
}

static void set_context_pos(lua_State *L, int arg, size_t pos)
{
	if (!lua_istable(L, arg))
		return;
	lua_pushliteral(L, "pos");
	lua_pushinteger(L, (lua_Integer)pos);
	lua_rawset(L, arg);
}

static int re_match(lua_State *L)
{
	struct str s = ngx_check_text(L, 1, false);
	struct why why = WHY_NONE;
	struct regex *re = check_regex(L, 2, 3, &why);
	const size_t *spans = NULL;
	int r;

	if (re == NULL)
		return pdk_fail(L, "%s", why.text);
	r = match_at(L, re, s, context_pos(L, 4) - 1, &spans, &why);
	if (r <= 0)
		return r < 0 ? pdk_fail(L, "%s", why.text) : (lua_pushnil(L), 1);
	set_context_pos(L, 4, spans[1] + 1);
	if (lua_istable(L, 5))
		lua_pushvalue(L, 5);
	else
		lua_createtable(L, (int)regex_groups(re), 1);
	push_captures(L, lua_gettop(L), re, s, spans);
	return 1;
}

static int re_find(lua_State *L)
{
	struct str s = ngx_check_text(L, 1, false);
	lua_Integer nth = luaL_optinteger(L, 5, 0);
	struct why why = WHY_NONE;
	struct regex *re = check_regex(L, 2, 3, &why);
	const size_t *spans = NULL;
	int r = re != NULL ? match_at(L, re, s, context_pos(L, 4) - 1, &spans, &why) : -1;

	if (r == 1 && (nth < 0 || nth > (lua_Integer)regex_groups(re))) {
		why_set(&why, NULL, 0, "nth out of bound");
		r = -1;
	}
	if (r < 0) {
		lua_pushnil(L);
		lua_pushnil(L);
		lua_pushstring(L, why.text);
		return 3;
	}
	if (r == 0 || spans[2 * nth] == REGEX_UNSET)
		return lua_pushnil(L), 1;
	set_context_pos(L, 4, spans[1] + 1);
	lua_pushinteger(L, (lua_Integer)spans[2 * nth] + 1);
	lua_pushinteger(L, (lua_Integer)spans[2 * nth + 1]);
	return 2;
}

/* Adds capture `n` of the table at 2. */
static void add_capture(lua_State *L, luaL_Buffer *b, int n)
{
	lua_rawgeti(L, 2, n);
	if (lua_type(L, -1) == LUA_TSTRING)
		luaL_addvalue(b);
	else
		lua_pop(L, 1);
}

/* expand(template, captures): $0 $1 ${1} $$; nil for any other $ */
static int re_expand(lua_State *L)
{
	struct str t = ngx_check_text(L, 1, false);
	luaL_Buffer b;

	luaL_buffinit(L, &b);
	for (size_t i = 0; i < t.n; i++) {
		bool is_braced = i + 2 < t.n && t.p[i + 1] == '{';
		size_t at = i + (is_braced ? 2 : 1);
		int n = 0;

		if (t.p[i] != '$' || at >= t.n) {
			luaL_addchar(&b, t.p[i]);
		} else if (t.p[at] == '$' && !is_braced) {
			luaL_addchar(&b, '$');
			i = at;
		} else if (t.p[at] >= '0' && t.p[at] <= '9') {
			for (; at < t.n && t.p[at] >= '0' && t.p[at] <= '9' && n < 1000; at++)
				n = n * 10 + (t.p[at] - '0');
			add_capture(L, &b, n);
			i = is_braced && at < t.n && t.p[at] == '}' ? at : at - 1;
		} else {
			return lua_pushnil(L), 1;
		}
	}
	luaL_pushresult(&b);
	return 1;
}

/* cut(s, from, to): string.sub without the plugin's string table */
static int re_cut(lua_State *L)
{
	struct str s = ngx_check_text(L, 1, false);
	size_t from = (size_t)luaL_checkinteger(L, 2), to = (size_t)luaL_checkinteger(L, 3);

	lua_pushlstring(L, s.p + from - 1, to >= from ? to - from + 1 : 0);
	return 1;
}

/* join(pieces, count): the result of substitute() as ngx.re.gsub gives it */
static int re_join(lua_State *L)
{
	luaL_Buffer b;
	size_t n;

	if (!lua_istable(L, 1))
		return lua_gettop(L);
	n = lua_objlen(L, 1);
	luaL_buffinit(L, &b);
	for (size_t i = 1; i <= n; i++) {
		lua_rawgeti(L, 1, (int)i);
		luaL_addvalue(&b);
	}
	luaL_pushresult(&b);
	lua_pushvalue(L, 2);
	return 2;
}

static const char entries[] = "local substitute, join = ...\n"
			      "local function sub(subject, regex, replace, options)\n"
			      "  return join(substitute(subject, regex, replace, options, true))\n"
			      "end\n"
			      "local function gsub(subject, regex, replace, options)\n"
			      "  return join(substitute(subject, regex, replace, options, false))\n"
			      "end\n"
			      "return sub, gsub\n";

/* clang-format off */
#define RE_FUNCTIONS(X) \
	X("match", re_match, PDK_ANY, VM_STRICT, "The captures of the first match, or nil.") \
	X("find", re_find, PDK_ANY, VM_STRICT, "From and to of the first match, or nil.") \
	X("gmatch", NULL, PDK_ANY, VM_STRICT, "An iterator over the captures of all matches.") \
	X("sub", NULL, PDK_ANY, VM_STRICT, "The text with the first match replaced, and 0 or 1.") \
	X("gsub", NULL, PDK_ANY, VM_STRICT, "The text with all matches replaced, and their number.")
/* clang-format on */

static const struct pdk_function functions[] = {RE_FUNCTIONS(PDK_ROW)};

static void load(lua_State *L, const char *source, size_t n, const char *name)
{
	if (luaL_loadbuffer(L, source, n, name) != 0)
		lua_error(L);
}

void ngx_re_open(lua_State *L, int env_index)
{
	static const char *const globals[] = {"type", "tostring", "error"};
	int re;

	pdk_register(L, env_index, "ngx.re", functions, PDK_COUNT(functions));
	pdk_push_table(L, env_index, "ngx.re");
	re = lua_gettop(L);
	load(L, loops, sizeof(loops) - 1, "=ngx.re");
	lua_pushcfunction(L, re_exec);
	lua_pushcfunction(L, re_expand);
	lua_pushcfunction(L, re_cut);
	for (size_t i = 0; i < PDK_COUNT(globals); i++)
		lua_getfield(L, env_index, globals[i]);
	lua_call(L, 6, 2);
	lua_setfield(L, re, "gmatch");
	load(L, entries, sizeof(entries) - 1, "=ngx.re");
	lua_insert(L, -2);
	lua_pushcfunction(L, re_join);
	lua_call(L, 2, 2);
	lua_setfield(L, re, "gsub");
	lua_setfield(L, re, "sub");
	lua_pop(L, 1);
}
