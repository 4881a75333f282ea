/* SPDX-License-Identifier: Apache-2.0
 * kong.jwe: its rows.  The functions are Lua over the modules of OpenSSL (module_lua/_jwe.lua). */
#include "plugin/module_part.h"
#include "plugin/pdk_part.h"

static int only_in_lua(lua_State *L)
{
	return luaL_error(L, "not here");
}

/* clang-format off */
#define JWE_FUNCTIONS(X) \
	X("decode", only_in_lua, PDK_ANY, VM_STRICT, "the parts of a token: protected (a table), encrypted_key, iv, ciphertext, tag, aad; nothing is verified") \
	X("decrypt", only_in_lua, PDK_ANY, VM_STRICT, "(key, token): what the token holds, or nil and why; dir, RSA-OAEP, RSA-OAEP-256, A128KW … A256KW, ECDH-ES (alone or with these) by A128GCM … A256GCM, A128CBC-HS256 … A256CBC-HS512; the key is PEM, JWK (text or table) or a secret's bytes") \
	X("encrypt", only_in_lua, PDK_ANY, VM_STRICT, "(alg, enc, key, plaintext, options): the token, or nil and why; options are more members of the header (apu, apv, kid, cty …)")
/* clang-format on */

void pdk_open_jwe(lua_State *L, int env_index)
{
	static const struct pdk_function functions[] = {JWE_FUNCTIONS(PDK_ROW)};

	module_register_lua(L, env_index, "kong.jwe", functions, PDK_COUNT(functions), "_jwe");
}
