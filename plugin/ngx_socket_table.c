/* SPDX-License-Identifier: Apache-2.0
 * ngx.socket.*: its rows. */
#include "plugin/module_part.h"

/* The rows say what there is; the functions are Lua, so that they can wait. */
static int only_in_lua(lua_State *L)
{
	return luaL_error(L, "not here");
}

/* clang-format off */
#define SOCKET_FUNCTIONS(X) \
	X("tcp", only_in_lua, PDK_WAITS, VM_LAX, "A stream socket: connect, sslhandshake, send, receive, receiveany, receiveuntil, setkeepalive, close, settimeout(s).") \
	X("stream", only_in_lua, PDK_WAITS, VM_LAX, "The same as tcp.") \
	X("connect", only_in_lua, PDK_WAITS, VM_LAX, "A stream socket, connected to a host and port.") \
	X("udp", only_in_lua, PDK_WAITS, VM_LAX, "A datagram socket: setpeername, send, receive, settimeout, close.")
/* clang-format on */

static const struct pdk_function functions[] = {SOCKET_FUNCTIONS(PDK_ROW)};

void ngx_socket_open(lua_State *L, int env_index)
{
	module_register_lua(L, env_index, "ngx.socket", functions, PDK_COUNT(functions), "_socket");
}
