/* SPDX-License-Identifier: Apache-2.0
 *
 * Plain data between a Lua VM, request memory and JSON.  Everything is copied; tables are
 * read raw.  None of these raises, provided value_check_stack() was called.
 */
#pragma once

#include <jansson.h>
#include <lua.h>

#include "plugin/value.h"

/* Registry name of the metatable of arrays; what kong's cjson calls array_mt. */
#define VALUE_ARRAY_MT "cjson.array_mt"

/* Room on L for any call below; may raise a stack overflow. */
void value_check_stack(lua_State *L);

/* The value at idx into *ret.  0; -EINVAL with *ret_text saying what cannot be kept ("a
 * function"); -ENOMEM. */
int value_from_lua(
		lua_State *L, int idx, struct arena *a, struct value *ret, const char **ret_text);
/* What value_from_lua() says, as JSON encoders of Lua say it. */
const char *value_json_problem(const char *text);
void value_push(lua_State *L, const struct value *v);

/* JSON null → the null lightuserdata; arrays get VALUE_ARRAY_MT.  Deeper than
 * VALUE_DEPTH_MAX: false, nothing pushed. */
bool value_push_json(lua_State *L, json_t *json);
/* Parses and pushes; false (nothing pushed) when it is not JSON, or too deep. */
bool value_push_json_text(lua_State *L, struct str text);

/* A plugin's config, with its shorthands added to it: JSON null → absent; a field the schema calls
 * a set answers conf.methods.GET.  schema: JSON form, may be NULL.  Pushes an empty table when
 * config is not an object. */
void value_push_config(lua_State *L, json_t *config, json_t *schema);
/* A table that is [] in JSON and cannot be written to.  (Any table whose metatable says
 * __jsontype = "array" is read as an array.) */
void value_push_empty_array(lua_State *L);
/* The metatable of arrays, made on first use. */
void value_push_array_mt(lua_State *L);
