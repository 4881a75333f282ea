/* SPDX-License-Identifier: Apache-2.0 */
#include "control/write_input.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

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

int write_input_prepare(struct op *op, const struct entity_def *def, json_t *input)
{
	int r = def->type == ENTITY_SERVICES ? expand_url(op, input) : 0;

	lower_id(input);
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

/* ---- merging ---- */

static const json_t *form_field(const json_t *form, const char *name)
{
	const json_t *fields = json_object_get(form, "fields"), *entry, *def;
	size_t i;

	json_array_foreach (fields, i, entry) {
		def = json_object_get(entry, name);
		if (def != NULL)
			return def;
	}
	return NULL;
}

static bool is_record(const json_t *def)
{
	const char *type = json_string_value(json_object_get(def, "type"));

	return type != NULL && strcmp(type, "record") == 0;
}

json_t *write_input_merge(const json_t *form, const json_t *old, const json_t *given)
{
	json_t *merged = json_copy((json_t *)(uintptr_t)old);
	const char *name;
	json_t *value;

	json_object_foreach ((json_t *)(uintptr_t)given, name, value) {
		const json_t *def = form_field(form, name), *before = json_object_get(old, name);

		if (def != NULL && is_record(def) && json_is_object(value) &&
				json_is_object(before))
			json_object_set_new(merged, name, write_input_merge(def, before, value));
		else
			json_object_set(merged, name, value);
	}
	return merged;
}
