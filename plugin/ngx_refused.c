/* SPDX-License-Identifier: Apache-2.0
 * Parts of ngx.* that cannot exist here: there are no subrequests, no raw client connection and no
 * files.  Each says so, and what to use. */
#include "plugin/ngx_table.h"

static int no_capture(lua_State *L)
{
	return luaL_error(L, "ngx.location.capture: there are no subrequests here: "
			     "use require(\"resty.http\"):request_uri()");
}

static int no_client_socket(lua_State *L)
{
	return luaL_error(L, "ngx.req.socket: the client's connection is the gateway's: "
			     "use kong.request.get_raw_body()");
}

/* No body is ever in a file. */
static int no_body_file(lua_State *L)
{
	lua_pushnil(L);
	return 1;
}

static int no_set_body_file(lua_State *L)
{
	return luaL_error(L, "ngx.req.set_body_file: plugins have no files: "
			     "use kong.service.request.set_raw_body()");
}

/* clang-format off */
#define LOCATION_FUNCTIONS(X) \
	X("capture", no_capture, PDK_ANY, VM_LAX, "Raises an error: there are no subrequests; resty.http does what it is used for.") \
	X("capture_multi", no_capture, PDK_ANY, VM_LAX, "The same; light threads with resty.http do it at one time.")

#define REQ_FUNCTIONS(X) \
	X("socket", no_client_socket, PDK_ANY, VM_STRICT, "Raises an error: the client's connection is the gateway's.") \
	X("get_body_file", no_body_file, PDK_ANY, VM_LAX, "nil: bodies are never in files.") \
	X("set_body_file", no_set_body_file, PDK_ANY, VM_LAX, "Raises an error: plugins have no files.")
/* clang-format on */

static const struct pdk_function location_functions[] = {LOCATION_FUNCTIONS(PDK_ROW)};
static const struct pdk_function req_functions[] = {REQ_FUNCTIONS(PDK_ROW)};

void ngx_refused_open(lua_State *L, int env_index)
{
	if (pdk_host(L)->level == VM_LAX || pdk_observer != NULL)
		pdk_register(L, env_index, "ngx.location", location_functions,
				PDK_COUNT(location_functions));
	pdk_register(L, env_index, "ngx.req", req_functions, PDK_COUNT(req_functions));
}
