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

/* The row of mimes, or PDK_COUNT(mimes). */
static size_t row_of(struct str mime)
{
	size_t i = 0;

	mime = without_parameters(mime);
	while (i < PDK_COUNT(mimes) && !str_ieq(mime, str_of(mimes[i].mime)))
		i++;
	return i;
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
	size_t row = row_of(mime);
	char text[256];

	if (row == PDK_COUNT(mimes)) {
		snprintf(text, sizeof(text), "unsupported content type '%.*s'",
				STR_ARG(str_head(mime, 200)));
		lua_pushnil(L);
		lua_pushstring(L, text);
		lua_pushlstring(L, mime.p, mime.n);
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

	*ret = pdk_read_json(L, arg, "args", &text);
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

static bool encode_multipart(
		lua_State *L, int arg, struct str mime, struct str *ret, struct str *ret_type)
{
	struct value v = pdk_read(L, arg, "args");
	struct str boundary = multipart_boundary(mime);
	const char *text = "";
	int r;

	if (boundary.n == 0) {
		boundary = make_boundary(L);
		*ret_type = pdk_keepf(L, "multipart/form-data; boundary=%.*s", STR_ARG(boundary));
	}
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
	size_t row = row_of(mime);

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
