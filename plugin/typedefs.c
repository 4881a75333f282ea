/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/typedefs.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "plugin/typedefs_part.h"
#include "plugin/typedefs_table.h"

static const struct {
	const char *name, *json;
} definitions[] = {
#define X(name, json) {name, json},
		TYPEDEF_TABLE(X)
#undef X
};

enum { N_DEFINITIONS = sizeof(definitions) / sizeof(definitions[0]) };

static const struct {
	const char *name;
	typedef_fn *fn;
} checks[] = {
		{"host", typedef_check_host},
		{"host_with_optional_port", typedef_check_host_with_optional_port},
		{"wildcard_host", typedef_check_wildcard_host},
		{"host_with_wildcard", typedef_check_host_with_wildcard},
		{"sni", typedef_check_sni},
		{"wildcard_sni", typedef_check_wildcard_sni},
		{"ip", typedef_check_ip},
		{"ip_or_cidr", typedef_check_ip_or_cidr},
		{"cidr_v4", typedef_check_cidr_v4},
		{"path", typedef_check_path},
		{"router_path", typedef_check_router_path},
		{"router_header", typedef_check_router_header},
		{"url", typedef_check_url},
		{"name", typedef_check_name},
		{"utf8_name", typedef_check_utf8_name},
		{"tag", typedef_check_tag},
		{"header_name", typedef_check_header_name},
		{"cookie_name", typedef_check_cookie_name},
		{"certificate", typedef_check_certificate},
		{"key", typedef_check_key},
};

static json_t *parse(const char *text)
{
	sl_auto_mem char *json = strdup(text);

	if (json == NULL)
		return NULL;
	for (char *p = json; (p = strchr(p, '\'')) != NULL; p++)
		*p = '"';
	return json_loads(json, 0, NULL);
}

json_t *typedef_definition(const char *name)
{
	for (size_t i = 0; i < N_DEFINITIONS; i++) {
		if (strcmp(definitions[i].name, name) == 0)
			return parse(definitions[i].json);
	}
	return NULL;
}

const char *typedef_missing(const char *name)
{
	if (strcmp(name, "lua_code") == 0)
		return "is not available: the sandbox has no load(), so a plugin could not run "
		       "what its configuration holds";
	return "does not exist";
}

const char *typedef_name(size_t i)
{
	return i < N_DEFINITIONS ? definitions[i].name : NULL;
}

bool typedef_has_check(const char *name)
{
	for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {
		if (strcmp(checks[i].name, name) == 0)
			return true;
	}
	return strcmp(name, "pem") == 0 || strcmp(name, "jwk") == 0;
}

static struct str text_of(const json_t *value)
{
	return (struct str){json_string_value(value), json_string_length(value)};
}

bool typedef_check(const char *name, const json_t *value, struct buf *msg)
{
	if (strcmp(name, "pem") == 0)
		return typedef_check_pem(text_of(json_object_get(value, "private_key")),
				text_of(json_object_get(value, "public_key")), msg);
	if (strcmp(name, "jwk") == 0)
		return typedef_check_jwk(value, msg);
	if (!json_is_string(value))
		return true;
	for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {
		if (strcmp(checks[i].name, name) == 0)
			return checks[i].fn(text_of(value), msg);
	}
	return true;
}
