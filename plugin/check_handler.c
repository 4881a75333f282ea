/* SPDX-License-Identifier: Apache-2.0
 *
 * handler.lua: its main chunk, run with the PDK around it, and the table it returns.
 */
#include <lua.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "plugin/check_part.h"
#include "plugin/engine.h"
#include "plugin/pdk.h"

/* Methods of other handler contracts, and what to say about them. */
static const struct {
	const char *name, *text;
	bool is_error;
} other_methods[] = {
		{"init_worker",
				"streamed plugins cannot run in the init_worker phase: use "
				"configure, "
				"or make what you need on first use",
				true},
		{"preread", "the preread phase is for TCP streams and never runs here", false},
		{"ws_handshake", "websocket phases never run here", false},
		{"ws_client_frame", "websocket phases never run here", false},
		{"ws_upstream_frame", "websocket phases never run here", false},
		{"ws_close", "websocket phases never run here", false},
		{"balancer", "plugins have no balancer phase: it never runs", false},
		{"timer", "streamed plugins have no timers: this never runs", false},
};

/* Pushes handler[name]. */
static int push_field(lua_State *L, const char *name)
{
	lua_pushstring(L, name);
	lua_rawget(L, 1);
	return lua_type(L, -1);
}

/* Where the function at the top is written. */
static int line_of_function(lua_State *L)
{
	lua_Debug info;

	memset(&info, 0, sizeof(info));
	lua_pushvalue(L, -1);
	lua_getinfo(L, ">S", &info);
	return info.linedefined > 0 ? info.linedefined : 0;
}

static bool has_method(lua_State *L, const char *name)
{
	bool has = push_field(L, name) == LUA_TFUNCTION;

	lua_pop(L, 1);
	return has;
}

static const char *shown_name(const struct check *c)
{
	return c->name != NULL ? c->name : "plugin";
}

static void print_value(lua_State *L, char *buf, size_t size)
{
	int type = lua_type(L, -1);

	if (type == LUA_TSTRING)
		snprintf(buf, size, "%s", lua_tostring(L, -1));
	else if (type == LUA_TNUMBER)
		snprintf(buf, size, "%.14g", lua_tonumber(L, -1));
	else
		snprintf(buf, size, "%s", lua_typename(L, type));
}

static void check_priority(struct check *c, lua_State *L)
{
	int type = push_field(L, "PRIORITY");
	double number = type == LUA_TNUMBER ? lua_tonumber(L, -1) : (double)NAN;
	char shown[128];

	if (isfinite(number) && floor(number) == number && fabs(number) <= INT32_MAX) {
		c->priority = (long)number;
	} else {
		print_value(L, shown, sizeof(shown));
		check_add_error(c, &c->handler, check_find_line(c->handler.text, "PRIORITY"),
				"Plugin \"%s\" cannot be loaded because its PRIORITY field is not "
				"a "
				"valid integer number, got: \"%s\"; write PRIORITY = 1000 into the "
				"table that %s returns",
				shown_name(c), shown, c->handler.file);
	}
	lua_pop(L, 1);
}

/* Anything will do; that it is missing is worth a word. */
static void check_version(struct check *c, lua_State *L)
{
	if (push_field(L, "VERSION") == LUA_TSTRING || lua_type(L, -1) == LUA_TNUMBER)
		print_value(L, c->version, sizeof(c->version));
	else
		check_add_warning(c, &c->handler, check_find_line(c->handler.text, "VERSION"),
				"VERSION is missing: write VERSION = \"0.1.0\"");
	lua_pop(L, 1);
}

static void check_phases(struct check *c, lua_State *L)
{
	for (unsigned int phase = 0; phase < PHASE_COUNT; phase++) {
		const char *name = phase_name((enum phase)phase);

		if (has_method(L, name))
			json_array_append_new(c->phases, json_string(name));
	}
	if (json_array_size(c->phases) == 0)
		check_add_warning(c, &c->handler, 0,
				"implements no phase: it has none of rewrite, access, response, "
				"header_filter, body_filter, log, configure");
	if (has_method(L, "response") &&
			(has_method(L, "header_filter") || has_method(L, "body_filter"))) {
		push_field(L, "response");
		check_add_error(c, &c->handler, line_of_function(L),
				"Plugin \"%s\" can't be loaded because it implements both "
				"`response` "
				"and `header_filter` or `body_filter` methods",
				shown_name(c));
		lua_pop(L, 1);
	}
}

static void check_other_methods(struct check *c, lua_State *L)
{
	for (size_t i = 0; i < sizeof(other_methods) / sizeof(other_methods[0]); i++) {
		if (push_field(L, other_methods[i].name) == LUA_TFUNCTION) {
			int line = line_of_function(L);

			if (other_methods[i].is_error)
				check_add_error(c, &c->handler, line, "%s", other_methods[i].text);
			else
				check_add_warning(c, &c->handler, line, "%s: %s",
						other_methods[i].name, other_methods[i].text);
		}
		lua_pop(L, 1);
	}
}

void check_handler_run(struct check *c)
{
	const struct engine_conf conf = {.level = c->level,
			.limits = {.by_default = c->limits},
			.node_id = "00000000-0000-4000-8000-000000000000",
			.hostname = "localhost",
			.version = PACKAGE_VERSION,
			.workers_total = 1};
	struct pdk_host host = {.conf = &conf,
			.level = c->level,
			.plugin_name = shown_name(c),
			.phase = PHASE_COUNT,
			.limits = c->limits};
	struct vm *vm = NULL;
	struct vm_run *run = NULL;
	lua_State *L;

	if (!check_main_chunk(c, &c->handler, pdk_open, &host, &vm, &run))
		return;
	L = vm_run_state(run);
	check_priority(c, L);
	check_version(c, L);
	check_phases(c, L);
	check_other_methods(c, L);
}
