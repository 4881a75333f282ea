/* SPDX-License-Identifier: Apache-2.0
 * Constants of ngx.*: log levels, return codes, methods, statuses, build facts. */
#include "plugin/ngx_table.h"

/* clang-format off */
#define NGX_CONSTANTS(X) \
	X("STDERR", 0) X("EMERG", 1) X("ALERT", 2) X("CRIT", 3) X("ERR", 4) X("WARN", 5) \
	X("NOTICE", 6) X("INFO", 7) X("DEBUG", 8) \
	X("OK", 0) X("ERROR", -1) X("AGAIN", -2) X("DONE", -4) X("DECLINED", -5) \
	X("HTTP_GET", 2) X("HTTP_HEAD", 4) X("HTTP_POST", 8) X("HTTP_PUT", 16) \
	X("HTTP_DELETE", 32) X("HTTP_MKCOL", 64) X("HTTP_COPY", 128) X("HTTP_MOVE", 256) \
	X("HTTP_OPTIONS", 512) X("HTTP_PROPFIND", 1024) X("HTTP_PROPPATCH", 2048) \
	X("HTTP_LOCK", 4096) X("HTTP_UNLOCK", 8192) X("HTTP_PATCH", 16384) X("HTTP_TRACE", 32768) \
	X("HTTP_CONTINUE", 100) X("HTTP_SWITCHING_PROTOCOLS", 101) X("HTTP_OK", 200) \
	X("HTTP_CREATED", 201) X("HTTP_ACCEPTED", 202) X("HTTP_NO_CONTENT", 204) \
	X("HTTP_PARTIAL_CONTENT", 206) X("HTTP_SPECIAL_RESPONSE", 300) \
	X("HTTP_MOVED_PERMANENTLY", 301) X("HTTP_MOVED_TEMPORARILY", 302) X("HTTP_SEE_OTHER", 303) \
	X("HTTP_NOT_MODIFIED", 304) X("HTTP_TEMPORARY_REDIRECT", 307) \
	X("HTTP_PERMANENT_REDIRECT", 308) X("HTTP_BAD_REQUEST", 400) X("HTTP_UNAUTHORIZED", 401) \
	X("HTTP_PAYMENT_REQUIRED", 402) X("HTTP_FORBIDDEN", 403) X("HTTP_NOT_FOUND", 404) \
	X("HTTP_NOT_ALLOWED", 405) X("HTTP_NOT_ACCEPTABLE", 406) X("HTTP_REQUEST_TIMEOUT", 408) \
	X("HTTP_CONFLICT", 409) X("HTTP_GONE", 410) X("HTTP_UPGRADE_REQUIRED", 426) \
	X("HTTP_TOO_MANY_REQUESTS", 429) X("HTTP_CLOSE", 444) X("HTTP_ILLEGAL", 451) \
	X("HTTP_INTERNAL_SERVER_ERROR", 500) X("HTTP_NOT_IMPLEMENTED", 501) \
	X("HTTP_METHOD_NOT_IMPLEMENTED", 501) X("HTTP_BAD_GATEWAY", 502) \
	X("HTTP_SERVICE_UNAVAILABLE", 503) X("HTTP_GATEWAY_TIMEOUT", 504) \
	X("HTTP_VERSION_NOT_SUPPORTED", 505) X("HTTP_INSUFFICIENT_STORAGE", 507)
/* clang-format on */

struct constant {
	const char *name;
	int value;
};

static const struct constant constants[] = {
#define X(name, value) {(name), (value)},
		NGX_CONSTANTS(X)
#undef X
};

bool ngx_push_constant(lua_State *L, struct str name)
{
	if (str_eq(name, STR("null"))) {
		lua_pushlightuserdata(L, NULL);
		return true;
	}
	for (size_t i = 0; i < PDK_COUNT(constants); i++)
		if (str_eq(name, str_of(constants[i].name))) {
			lua_pushinteger(L, constants[i].value);
			return true;
		}
	return false;
}

void ngx_config_open(lua_State *L, int env_index)
{
	/* The versions whose API this is, as code that asks for them expects. */
	pdk_push_table(L, env_index, "ngx.config");
	lua_pushliteral(L, "http");
	lua_setfield(L, -2, "subsystem");
	lua_pushinteger(L, 1025003);
	lua_setfield(L, -2, "nginx_version");
	lua_pushinteger(L, 10026);
	lua_setfield(L, -2, "ngx_lua_version");
	lua_pushboolean(L, 0);
	lua_setfield(L, -2, "debug");
	lua_pop(L, 1);
}
