/* SPDX-License-Identifier: Apache-2.0
 * ngx.escape_uri and the other encodings. */
#include "plugin/ngx_table.h"

#include <lauxlib.h>
#include <openssl/evp.h>

#include "plugin/pdk_args.h"

static int encode_escape_uri(lua_State *L)
{
	struct str s = ngx_check_text(L, 1, true);
	int how = (int)luaL_optinteger(L, 2, PDK_ESCAPE_COMPONENT);

	if (how != PDK_ESCAPE_URI && how != PDK_ESCAPE_COMPONENT)
		return luaL_error(L, "\"type\" %d is not 0 or 2", how);
	pdk_push_escaped(L, s, (enum pdk_escape)how);
	return 1;
}

static int encode_unescape_uri(lua_State *L)
{
	pdk_push_unescaped(L, ngx_check_text(L, 1, true), true);
	return 1;
}

static int encode_encode_args(lua_State *L)
{
	luaL_checktype(L, 1, LUA_TTABLE);
	if (!pdk_push_encoded_args(L, 1, false))
		return luaL_error(L, "%s", lua_tostring(L, -1));
	return 1;
}

static int encode_decode_args(lua_State *L)
{
	struct str s = ngx_check_text(L, 1, false);
	long max = (long)luaL_optinteger(L, 2, 100);

	if (max < 0)
		return luaL_argerror(L, 2, "must not be negative");
	if (!pdk_push_args(L, s, max))
		return 1;
	lua_pushliteral(L, "truncated");
	return 2;
}

static int encode_encode_base64(lua_State *L)
{
	struct str s = ngx_check_text(L, 1, true);
	bool no_padding = lua_toboolean(L, 2);
	unsigned char *out = lua_newuserdata(L, (s.n + 2) / 3 * 4 + 1);
	int n = EVP_EncodeBlock(out, (const unsigned char *)s.p, (int)s.n);

	while (no_padding && n > 0 && out[n - 1] == '=')
		n--;
	lua_pushlstring(L, (const char *)out, (size_t)n);
	return 1;
}

static int base64_digit(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Not EVP_DecodeBlock: unpadded input is accepted here, white space is not. */
static int encode_decode_base64(lua_State *L)
{
	struct str s;
	char *out;
	size_t n = 0;
	uint32_t bits = 0;

	if (lua_type(L, 1) != LUA_TSTRING)
		return luaL_error(L, "string argument only");
	s.p = lua_tolstring(L, 1, &s.n);
	while (s.n != 0 && s.p[s.n - 1] == '=')
		s.n--;
	if (s.n % 4 == 1)
		return lua_pushnil(L), 1;
	out = lua_newuserdata(L, s.n + 1);
	for (size_t i = 0; i < s.n; i++) {
		int d = base64_digit(s.p[i]);

		if (d < 0)
			return lua_pushnil(L), 1;
		bits = bits << 6 | (uint32_t)d;
		if (i % 4 != 0)
			out[n++] = (char)(bits >> (6 - 2 * (i % 4)));
	}
	lua_pushlstring(L, out, n);
	return 1;
}

static int encode_quote_sql_str(lua_State *L)
{
	static const char from[] = "\0\n\r\b\t\x1a\\'\"", to[] = "0nrbtZ\\'\"";
	struct str s = ngx_check_text(L, 1, false);
	char *out = lua_newuserdata(L, s.n * 2 + 2);
	size_t n = 0;

	out[n++] = '\'';
	for (size_t i = 0; i < s.n; i++) {
		const char *at = memchr(from, s.p[i], sizeof(from) - 1);

		if (at != NULL)
			out[n++] = '\\';
		out[n++] = at != NULL ? to[at - from] : s.p[i];
	}
	out[n++] = '\'';
	lua_pushlstring(L, out, n);
	return 1;
}

/* clang-format off */
#define ENCODE_FUNCTIONS(X) \
	X("escape_uri", encode_escape_uri, PDK_ANY, VM_STRICT, "Percent-encodes a string: type 2 (default) a component, 0 a whole URI.") \
	X("unescape_uri", encode_unescape_uri, PDK_ANY, VM_STRICT, "Decodes %XX and '+'.") \
	X("encode_args", encode_encode_args, PDK_ANY, VM_STRICT, "A table as a query string.") \
	X("decode_args", encode_decode_args, PDK_ANY, VM_STRICT, "A query string as a table; at most max (100) arguments.") \
	X("encode_base64", encode_encode_base64, PDK_ANY, VM_STRICT, "Base64; without padding if the second argument is true.") \
	X("decode_base64", encode_decode_base64, PDK_ANY, VM_STRICT, "The bytes of a base64 text, or nil.") \
	X("quote_sql_str", encode_quote_sql_str, PDK_ANY, VM_STRICT, "A string as a MySQL literal.")
/* clang-format on */

static const struct pdk_function functions[] = {ENCODE_FUNCTIONS(PDK_ROW)};

void ngx_encode_open(lua_State *L, int env_index)
{
	pdk_register(L, env_index, "ngx", functions, PDK_COUNT(functions));
}
