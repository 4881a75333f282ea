/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/pdk_body.h"

#include <stdlib.h>

#include "base/hex.h"
#include "plugin/pdk_args.h"
#include "plugin/pdk_multipart.h"
#include "plugin/pdk_read.h"
#include "plugin/value_lua.h"

enum body_form { BODY_FORM, BODY_JSON, BODY_MULTIPART, BODY_OTHER };

static const struct {
	enum body_form form;
	const char *mime;
} mimes[] = {
		{BODY_FORM, "application/x-www-form-urlencoded"},
		{BODY_JSON, "application/json"},
		{BODY_MULTIPART, "multipart/form-data"},
};

static struct str without_parameters(struct str mime)
{
	ptrdiff_t at = str_find_char(mime, ';');

	return str_trim(at < 0 ? mime : str_head(mime, (size_t)at));
}

/* The row of mimes, or PDK_COUNT(mimes).  is_prefix: "application/json-patch+json" is JSON too,
 * as the reference reads it. */
static size_t row_of(struct str mime, bool is_prefix)
{
	size_t i = 0;

	mime = without_parameters(mime);
	for (; i < PDK_COUNT(mimes); i++) {
		struct str known = str_of(mimes[i].mime);

		if (str_ieq(is_prefix ? str_head(mime, known.n) : mime, known))
			break;
	}
	return i;
}

struct str pdk_body_type(struct arena *a, struct str mime)
{
	size_t row = row_of(mime, true);
	char *lower;

	if (row < PDK_COUNT(mimes))
		return str_of(mimes[row].mime);
	mime = without_parameters(mime);
	lower = arena_alloc(a, mime.n + 1);
	for (size_t i = 0; lower != NULL && i < mime.n; i++)
		lower[i] = ascii_lower(mime.p[i]);
	return lower != NULL ? (struct str){lower, mime.n} : STR("");
}

static int push_failure(lua_State *L, const char *text, const char *mime)
{
	lua_pushnil(L);
	lua_pushstring(L, text);
	lua_pushstring(L, mime);
	return 3;
}

static int push_done(lua_State *L, const char *mime)
{
	lua_pushnil(L);
	lua_pushstring(L, mime);
	return 3;
}

int pdk_push_body(lua_State *L, struct arena *a, struct str body, struct str mime, long max_args)
{
	size_t row = row_of(mime, true);
	char text[256];
	struct str type;

	if (row == PDK_COUNT(mimes)) {
		snprintf(text, sizeof(text), "unsupported content type '%.*s'",
				STR_ARG(str_head(mime, 200)));
		lua_pushnil(L);
		lua_pushstring(L, text);
		type = pdk_body_type(a, mime);
		lua_pushlstring(L, type.p, type.n);
		return 3;
	}
	if (mimes[row].form == BODY_FORM) {
		pdk_push_args(L, body, max_args);
		return push_done(L, mimes[row].mime);
	}
	if (mimes[row].form == BODY_JSON) {
		if (!value_push_json_text(L, body))
			return push_failure(L, "invalid json body", mimes[row].mime);
		if (lua_istable(L, -1))
			return push_done(L, mimes[row].mime);
		lua_pop(L, 1);
		return push_failure(L, "invalid json body", mimes[row].mime);
	}
	if (!pdk_push_multipart(L, a, body, mime))
		return push_failure(L, "unable to decode multipart body", mimes[row].mime);
	return push_done(L, mimes[row].mime);
}

static bool encode_form(lua_State *L, int arg, struct str *ret)
{
	if (!pdk_push_encoded_args(L, arg, true))
		luaL_error(L, "%s", lua_tostring(L, -1));
	*ret = pdk_keep(L, pdk_check_str(L, lua_gettop(L), ""));
	return true;
}

static bool encode_json(lua_State *L, int arg, struct str *ret)
{
	const char *text = "";

	*ret = pdk_read_json(L, arg, &text);
	if (ret->p == NULL)
		luaL_error(L, "%s", text);
	return true;
}

/* A boundary for a type that names none. */
static struct str make_boundary(lua_State *L)
{
	uint8_t random[12];
	char digits[2 * sizeof(random) + 1];

	random_bytes(random, sizeof(random));
	hex_encode(random, sizeof(random), digits);
	return pdk_keepf(L, "----------%s", digits);
}

/* What of the table at arg can be a part; raises otherwise.  Before it is read: functions have no
 * form as plain data. */
static void check_parts(lua_State *L, int arg)
{
	lua_pushnil(L);
	while (lua_next(L, arg) != 0) {
		int type = lua_type(L, -1);

		if (lua_type(L, -2) != LUA_TSTRING)
			luaL_error(L, "invalid key \"%s\": got %s, expected string",
					vm_push_text(L, -2, NULL), luaL_typename(L, -2));
		if (type != LUA_TSTRING && type != LUA_TNUMBER && type != LUA_TBOOLEAN)
			luaL_error(L,
					"invalid value \"%s\": got %s, expected string, number or "
					"boolean",
					lua_tostring(L, -2), lua_typename(L, type));
		lua_pop(L, 1);
	}
}

static bool encode_multipart(
		lua_State *L, int arg, struct str mime, struct str *ret, struct str *ret_type)
{
	struct str boundary = multipart_boundary(mime);
	const char *text = "";
	struct value v;
	int r;

	check_parts(L, arg);
	v = pdk_read(L, arg, "args");
	if (boundary.n == 0)
		boundary = make_boundary(L);
	*ret_type = pdk_keepf(L, "multipart/form-data; boundary=%.*s", STR_ARG(boundary));
	vm_host_enter(L);
	r = multipart_encode(pdk_exchange(L)->arena, &v, boundary, ret, &text);
	vm_host_leave(L);
	if (text[0] != '\0')
		luaL_error(L, "%s", text);
	pdk_check_room(L, r);
	return true;
}

bool pdk_encode_body(
		lua_State *L, int arg, struct str mime, struct str *ret_body, struct str *ret_type)
{
	size_t row = row_of(mime, false);

	*ret_type = mime;
	switch (row < PDK_COUNT(mimes) ? mimes[row].form : BODY_OTHER) {
	case BODY_FORM:
		return encode_form(L, arg, ret_body);
	case BODY_JSON:
		return encode_json(L, arg, ret_body);
	case BODY_MULTIPART:
		return encode_multipart(L, arg, mime, ret_body, ret_type);
	case BODY_OTHER:
		break;
	}
	luaL_error(L, "unsupported content type %s", mime.p);
	return false;
}
