/* SPDX-License-Identifier: Apache-2.0
 * kong.service */
#include <math.h>

#include "plugin/engine_instance.h"
#include "plugin/pdk_part.h"
#include "shm/record.pb-c.h"
#include "shm/snapshot.h"

#define RETRIES_MAX 32767
#define TIMEOUT_MAX_MS 2147483646

static bool is_integer_in(double d, double min, double max)
{
	return d >= min && d <= max && d == floor(d);
}

/* The host sends what goes to an upstream's name to one of its targets. */
static int set_upstream(lua_State *L)
{
	struct str host = pdk_check_str(L, 1, "host must be a string");
	const struct snap_view *view = pdk_host(L)->view;

	if (view != NULL && snap_get_by_name(view, SLUICE__RECORD__KIND__UPSTREAM, host).n != 0) {
		pdk_exchange(L)->upstream.host = pdk_keep(L, host);
		lua_pushboolean(L, true);
		return 1;
	}
	return pdk_fail(L, "could not find an Upstream named '%.*s'", STR_ARG(host));
}

static int set_target(lua_State *L)
{
	struct str host = pdk_check_str(L, 1, "host must be a string");
	double port = pdk_check_number(L, 2, "port must be an integer");
	struct exchange_upstream *up = &pdk_exchange(L)->upstream;

	if (port != floor(port))
		return luaL_error(L, "port must be an integer");
	if (!is_integer_in(port, 0, 65535))
		return luaL_error(L, "port must be an integer between 0 and 65535: given %d",
				(int)port);
	if (host.n == 0 || !headers_value_is_valid(host) || str_find_char(host, ' ') >= 0)
		return luaL_error(L, "host must be a host name or an address");
	up->host = pdk_keep(L, host);
	up->port = (uint16_t)port;
	if (!up->is_host_header_set) {
		bool is_default = up->port == (str_eq(up->scheme, STR("https")) ? 443 : 80);

		up->host_header = is_default || up->port == 0
						  ? up->host
						  : pdk_keepf(L, "%.*s:%u", STR_ARG(up->host),
								    up->port);
	}
	return 0;
}

static int set_retries(lua_State *L)
{
	double n = pdk_check_number(L, 1, "retries must be an integer");

	if (n != floor(n))
		return luaL_error(L, "retries must be an integer");
	if (!is_integer_in(n, 0, RETRIES_MAX))
		return luaL_error(L, "retries must be an integer between 0 and %d: given %f",
				RETRIES_MAX, n);
	pdk_exchange(L)->upstream.retries = (uint32_t)n;
	return 0;
}

static uint32_t check_timeout(lua_State *L, int arg, const char *name)
{
	double n;

	if (lua_type(L, arg) != LUA_TNUMBER || lua_tonumber(L, arg) != floor(lua_tonumber(L, arg)))
		luaL_error(L, "%s must be an integer", name);
	n = lua_tonumber(L, arg);
	if (!is_integer_in(n, 1, TIMEOUT_MAX_MS))
		luaL_error(L, "%s must be an integer between 1 and %d: given %f", name,
				TIMEOUT_MAX_MS, n);
	return (uint32_t)n;
}

static int set_timeouts(lua_State *L)
{
	struct exchange_upstream *up = &pdk_exchange(L)->upstream;
	uint32_t connect_ms = check_timeout(L, 1, "connect_timeout");
	uint32_t write_ms = check_timeout(L, 2, "write_timeout");
	uint32_t read_ms = check_timeout(L, 3, "read_timeout");

	up->connect_timeout_ms = connect_ms;
	up->write_timeout_ms = write_ms;
	up->read_timeout_ms = read_ms;
	return 0;
}

static int set_target_retry_callback(lua_State *L)
{
	struct pdk_slot *slot = pdk_host(L)->slot;
	int ref;

	if (lua_type(L, 1) != LUA_TFUNCTION)
		return luaL_error(L, "retry_callback must be a function");
	lua_pushvalue(L, 1);
	ref = luaL_ref(L, LUA_REGISTRYINDEX);
	luaL_unref(L, LUA_REGISTRYINDEX, slot->retry_ref);
	slot->retry_ref = ref;
	slot->retry_order = ++pdk_exchange(L)->upstream.n_retry_callbacks;
	return 0;
}

/* clang-format off */
#define SERVICE_FUNCTIONS(X) \
	X("set_upstream", set_upstream, PDK_ACCESS, VM_LAX, "sends the request to an Upstream by name") \
	X("set_target", set_target, PDK_RABP, VM_LAX, "sends the request to host and port; sets Host, too") \
	X("set_target_retry_callback", set_target_retry_callback, PDK_ACCESS, VM_LAX, "a function that gives host and port of each further try") \
	X("set_retries", set_retries, PDK_ACCESS, VM_LAX, "how often a failed try is repeated") \
	X("set_timeouts", set_timeouts, PDK_ACCESS, VM_LAX, "connect, write and read timeout in ms")
/* clang-format on */

void pdk_open_service(lua_State *L, int env_index)
{
	static const struct pdk_function functions[] = {SERVICE_FUNCTIONS(PDK_ROW)};

	pdk_register(L, env_index, "kong.service", functions, PDK_COUNT(functions));
}
