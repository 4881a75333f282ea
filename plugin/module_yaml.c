/* SPDX-License-Identifier: Apache-2.0
 * What modules are given of YAML.  Values are gathered in an arena of the process and then pushed,
 * so that an error of Lua's loses nothing. */
#include "plugin/module_part.h"

#include <errno.h>

#include "plugin/value_lua.h"
#include "plugin/yaml_value.h"

#define SCRATCH_MAX (32U << 20)

/* One for the process: cleared at each use, never held over a call into Lua. */
static struct arena *scratch;
static struct buf text_out;

static struct arena *take_scratch(lua_State *L)
{
	if (scratch == NULL) {
		vm_host_enter(L);
		(void)arena_new(&scratch, SCRATCH_MAX);
		vm_host_leave(L);
	}
	if (scratch == NULL)
		luaL_error(L, "out of memory");
	return scratch;
}

static void clear_scratch(lua_State *L)
{
	vm_host_enter(L);
	arena_clear(scratch);
	buf_done(&text_out);
	vm_host_leave(L);
}

static bool is_killed(void *L)
{
	return vm_is_killed(L);
}

static int fail(lua_State *L, int err, const struct why *why)
{
	clear_scratch(L);
	return pdk_fail(L, "%s", err == -EINVAL ? why->text : "too much data");
}

/* yaml_load(text, is_all): list of documents; nil and why. */
static int load(lua_State *L)
{
	struct str text = module_check_bytes(L, 1);
	bool is_all = lua_toboolean(L, 2);
	struct arena *a = take_scratch(L);
	struct why why = WHY_NONE;
	struct value v;
	int err;

	value_check_stack(L);
	vm_host_enter(L);
	arena_clear(a); /* an error of Lua's may have left it full */
	err = yaml_load(a, text, is_all, is_killed, L, &v, &why);
	vm_host_leave(L);
	if (err != 0)
		return fail(L, err, &why);
	value_push(L, &v);
	clear_scratch(L);
	return 1;
}

/* yaml_dump(list of documents): text; nil and why. */
static int dump(lua_State *L)
{
	struct arena *a = take_scratch(L);
	const char *problem = NULL;
	struct why why = WHY_NONE;
	struct value v;
	int err;

	luaL_checkany(L, 1);
	value_check_stack(L);
	vm_host_enter(L);
	arena_clear(a);
	buf_done(&text_out);
	err = value_from_lua(L, 1, a, &v, &problem);
	if (err == -EINVAL)
		why_set(&why, NULL, 0, "cannot write %s", problem);
	if (err == 0)
		err = yaml_dump(a, &text_out, &v, YAML_TEXT_MAX, &why);
	vm_host_leave(L);
	if (err != 0)
		return fail(L, err, &why);
	lua_pushlstring(L, text_out.p != NULL ? text_out.p : "", text_out.n);
	clear_scratch(L);
	return 1;
}

const luaL_Reg module_yaml_functions[] = {
		{"yaml_load", load},
		{"yaml_dump", dump},
		{NULL, NULL},
};
