/* SPDX-License-Identifier: Apache-2.0
 * kong.dns: its rows.  The functions are Lua (module_lua/_dns.lua), so that they can wait. */
#include "plugin/module_part.h"
#include "plugin/pdk_part.h"

static int only_in_lua(lua_State *L)
{
	return luaL_error(L, "not here");
}

/* clang-format off */
#define DNS_FUNCTIONS(X) \
	X("toip", only_in_lua, PDK_ANY, VM_LAX, "(name, port): an address as the node finds it (hosts file, search domains, its cache), and the port; nil and why. Where sockets are") \
	X("resolve", only_in_lua, PDK_ANY, VM_LAX, "(name, {qtype = …}): records of the node's name servers, as resty.dns.resolver gives them; nil and why. Where sockets are")
/* clang-format on */

void pdk_open_dns(lua_State *L, int env_index)
{
	static const struct pdk_function rows[] = {DNS_FUNCTIONS(PDK_ROW)};

	module_register_lua(L, env_index, "kong.dns", rows, PDK_COUNT(rows), "_dns");
}
