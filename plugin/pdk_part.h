/* SPDX-License-Identifier: Apache-2.0
 *
 * The parts of kong.*: each adds its table to the environment at env_index.
 */
#pragma once

#include "plugin/pdk.h"

/* X(part) → void pdk_open_<part>(lua_State *L, int env_index) */
/* clang-format off */
#define PDK_PART_TABLE(X) \
	X(cache) \
	X(client) \
	X(client_auth) \
	X(client_tls) \
	X(ctx) \
	X(db) \
	X(dns) \
	X(jwe) \
	X(log) \
	X(node) \
	X(request) \
	X(response) \
	X(service) \
	X(service_request) \
	X(service_response) \
	X(service_tls) \
	X(sluice) \
	X(table) \
	X(telemetry) \
	X(tracing) \
	X(vault)
/* clang-format on */

#define X(part) void pdk_open_##part(lua_State *L, int env_index);
PDK_PART_TABLE(X)
#undef X
/* The fields of `kong` that are no tables. */
void pdk_open_constants(lua_State *L, int env_index);
/* require "resty.lock" */
void pdk_provide_lock(lua_State *L);
