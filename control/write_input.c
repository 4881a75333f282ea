/* SPDX-License-Identifier: Apache-2.0 */
#include "control/write_input.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "control/certificate.h"
#include "control/upstream.h"
#include "control/write.h"

/* ---- url → protocol, host, port, path ---- */

struct url_parts {
	struct str scheme, host, port, path;
};

static bool url_split(struct str url, struct url_parts *ret)
{
	ptrdiff_t at = str_find(url, STR("://"));
	struct str rest;

	*ret = (struct url_parts){.scheme = str_head(url, at < 0 ? 0 : (size_t)at)};
	if (at <= 0)
		return false;
	rest = str_from(url, (size_t)at + 3);
	at = str_find_char(rest, '/');
	if (at >= 0) {
		ret->path = str_from(rest, (size_t)at);
		rest = str_head(rest, (size_t)at);
	}
	at = rest.n != 0 && rest.p[0] == '[' ? str_find(rest, STR("]:")) + 1
					     : str_find_char(rest, ':');
	ret->host = at > 0 ? str_head(rest, (size_t)at) : rest;
	ret->port = at > 0 ? str_from(rest, (size_t)at + 1) : STR_NONE;
	return ret->host.n != 0;
}

static json_t *url_port(const struct url_parts *parts)
{
	uint64_t port;

	if (parts->port.n == 0)
		return json_integer(str_ends(parts->scheme, STR("s")) ? 443 : 80);
	if (!str_to_u64(parts->port, &port) || port > 65535)
		return NULL;
	return json_integer((json_int_t)port);
}

static int expand_url(struct op *op, json_t *input)
{
	const json_t *url = json_object_get(input, "url");
	struct url_parts parts;
	json_t *port;

	if (url == NULL)
		return 0;
	if (json_is_null(url)) {
		json_object_del(input, "url");
		return 0;
	}
	if (!json_is_string(url)) {
		fault_field(&op->fault, "url", "expected a string");
		return OP_E_REFUSED;
	}
	if (!url_split((struct str){json_string_value(url), json_string_length(url)}, &parts)) {
		fault_field(&op->fault, "url",
				parts.scheme.n == 0 ? "missing scheme in url"
						    : "missing host in url");
		return OP_E_REFUSED;
	}
	port = url_port(&parts);
	if (port == NULL) {
		fault_field(&op->fault, "url", "the port in url must be a number up to 65535");
		return OP_E_REFUSED;
	}
	json_object_set_new(input, "protocol", json_stringn(parts.scheme.p, parts.scheme.n));
	json_object_set_new(input, "host", json_stringn(parts.host.p, parts.host.n));
	json_object_set_new(input, "port", port);
	json_object_set_new(input, "path",
			parts.path.n != 0 ? json_stringn(parts.path.p, parts.path.n) : json_null());
	json_object_del(input, "url");
	return 0;
}

/* ---- references ---- */

static int resolve_by_key(
		struct op *op, const struct entity_foreign *f, json_t *input, const json_t *value)
{
	const struct entity_def *to = entity_def(f->to);
	const json_t *key = json_object_get(value, to->endpoint_key);
	char id[UUID_TEXT_BYTES];
	int r;

	if (!json_is_string(key))
		return 0; /* the schema says what is missing */
	r = store_unique_get(op->txn, to->kind, 0,
			(struct str){json_string_value(key), json_string_length(key)}, id);
	if (r < 0)
		return op_store(op, r);
	if (r == STORE_E_NONE) {
		fault_set(&op->fault, FAULT_FOREIGN_KEYS_UNRESOLVED,
				json_pack("{s:O}", f->field, value),
				"foreign key unresolved (%s.%s=%s): no such entry in '%s'",
				f->field, to->endpoint_key, json_string_value(key), to->name);
		return OP_E_REFUSED;
	}
	json_object_set_new(input, f->field, json_pack("{s:s}", "id", id));
	return 0;
}

static void lower_id(json_t *object)
{
	const char *id = json_string_value(json_object_get(object, "id"));
	char lower[UUID_TEXT_BYTES];

	if (id == NULL || !uuid_is_valid(str_of(id)))
		return;
	for (size_t i = 0; i < sizeof(lower); i++)
		lower[i] = ascii_lower(id[i]);
	json_object_set_new(object, "id", json_string(lower));
}

/* ---- texts ---- */

/* The sources of a plugin have their own answer, with the line. */
static bool may_hold_nul(const struct entity_def *def, const char *field)
{
	return def->type == ENTITY_CUSTOM_PLUGINS &&
	       (strcmp(field, "handler") == 0 || strcmp(field, "schema") == 0);
}

static bool holds_nul(const json_t *v)
{
	const char *key;
	json_t *member;
	size_t i;

	if (json_is_string(v))
		return strlen(json_string_value(v)) != json_string_length(v);
	json_array_foreach (v, i, member) {
		if (holds_nul(member))
			return true;
	}
	json_object_foreach ((json_t *)(uintptr_t)v, key, member) {
		if (holds_nul(member))
			return true;
	}
	return false;
}

static int refuse_nul(struct op *op, const struct entity_def *def, json_t *input)
{
	const char *field;
	json_t *value;

	json_object_foreach (input, field, value) {
		if (!may_hold_nul(def, field) && holds_nul(value)) {
			fault_field(&op->fault, field, "must not hold a NUL character");
			return OP_E_REFUSED;
		}
	}
	return 0;
}

int write_input_prepare(struct op *op, const struct entity_def *def, json_t *input)
{
	int r = refuse_nul(op, def, input);

	if (r == 0 && def->type == ENTITY_SERVICES)
		r = expand_url(op, input);
	if (r == 0)
		r = upstream_prepare(op, def->type, input);
	lower_id(input);
	certificate_prepare(def->type, input);
	for (const struct entity_foreign *f = def->foreign; r == 0 && f->field != NULL; f++) {
		json_t *value = json_object_get(input, f->field);

		if (!json_is_object(value))
			continue;
		if (json_object_get(value, "id") == NULL)
			r = resolve_by_key(op, f, input, value);
		else
			lower_id(value);
	}
	return r;
}
