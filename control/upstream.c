/* SPDX-License-Identifier: Apache-2.0 */
#include "control/upstream.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"

#define HOST_MAX 255

struct host_port {
	char host[HOST_MAX + 1]; /* without brackets */
	struct str port;         /* n == 0: none */
	bool is_v6, is_address;
};

static bool is_host_name(struct str host)
{
	for (size_t i = 0; i < host.n; i++) {
		char c = host.p[i];

		if (!(c >= '0' && c <= '9') && !(ascii_lower(c) >= 'a' && ascii_lower(c) <= 'z') &&
				c != '.' && c != '-' && c != '_')
			return false;
	}
	return host.n != 0 && host.p[0] != '.' && host.p[0] != '-';
}

static bool take_host(struct host_port *ret, struct str host)
{
	uint8_t address[16];

	if (host.n == 0 || host.n > HOST_MAX)
		return false;
	memcpy(ret->host, host.p, host.n);
	ret->host[host.n] = '\0';
	ret->is_v6 = inet_pton(AF_INET6, ret->host, address) == 1;
	ret->is_address = ret->is_v6 || inet_pton(AF_INET, ret->host, address) == 1;
	return ret->is_address || is_host_name(host);
}

static bool port_is_valid(struct str port)
{
	uint64_t n;

	return port.n == 0 || (str_to_u64(port, &n) && n <= 65535);
}

/* "host", "host:port", "v6", "[v6]", "[v6]:port". */
static bool host_port_split(struct host_port *ret, struct str text)
{
	ptrdiff_t colon = str_find_char(text, ':'), end = str_find_char(text, ']');
	bool is_single = colon >= 0 && str_find_char(str_from(text, (size_t)colon + 1), ':') < 0;
	struct str host = text;

	*ret = (struct host_port){.port = STR_NONE};
	if (text.n != 0 && text.p[0] == '[') {
		struct str rest = end > 0 ? str_from(text, (size_t)end + 1) : STR("?");

		if (rest.n != 0 && (rest.p[0] != ':' || rest.n == 1))
			return false;
		ret->port = rest.n != 0 ? str_from(rest, 1) : STR_NONE;
		host = (struct str){text.p + 1, (size_t)end - 1};
		return take_host(ret, host) && ret->is_v6 && port_is_valid(ret->port);
	}
	if (is_single) {
		host = str_head(text, (size_t)colon);
		ret->port = str_from(text, (size_t)colon + 1);
		if (ret->port.n == 0)
			return false;
	}
	return take_host(ret, host) && port_is_valid(ret->port);
}

static struct str text_str(const json_t *v)
{
	return (struct str){json_string_value(v), json_string_length(v)};
}

static int check_name(struct op *op, const json_t *name)
{
	struct host_port parts;
	const char *what = NULL;

	if (!json_is_string(name) || json_string_length(name) == 0)
		return 0; /* the schema says what is wrong */
	if (!host_port_split(&parts, text_str(name)))
		what = "must be a valid hostname";
	else if (parts.is_address)
		what = "no ip addresses allowed";
	else if (parts.port.n != 0)
		what = "no port allowed";
	if (what == NULL)
		return 0;
	fault_field(&op->fault, "name", "Invalid name ('%s'); %s", json_string_value(name), what);
	return OP_E_REFUSED;
}

/* New text, NULL: it is none, or out of memory. */
static char *target_form(struct str text)
{
	struct host_port parts;
	uint64_t port = UPSTREAM_TARGET_PORT;
	char *form;

	if (!host_port_split(&parts, text))
		return NULL;
	(void)str_to_u64(parts.port, &port);
	if (asprintf(&form, parts.is_v6 ? "[%s]:%u" : "%s:%u", parts.host, (unsigned)port) < 0)
		return NULL;
	return form;
}

static int prepare_target(struct op *op, json_t *input)
{
	const json_t *target = json_object_get(input, "target");
	sl_auto_mem char *form = NULL;

	if (!json_is_string(target) || json_string_length(target) == 0)
		return 0;
	form = target_form(text_str(target));
	if (form == NULL) {
		fault_field(&op->fault, "target",
				"Invalid target ('%s'); not a valid hostname or ip address",
				json_string_value(target));
		return OP_E_REFUSED;
	}
	json_object_set_new(input, "target", json_string(form));
	return 0;
}

int upstream_prepare(struct op *op, enum entity_type type, json_t *input)
{
	if (type == ENTITY_UPSTREAMS)
		return check_name(op, json_object_get(input, "name"));
	return type == ENTITY_TARGETS ? prepare_target(op, input) : 0;
}

static bool is_probed(const json_t *active, const char *side)
{
	return json_number_value(json_object_get(json_object_get(active, side), "interval")) > 0;
}

int upstream_check(struct op *op, enum entity_type type, const json_t *entity)
{
	const json_t *active = json_object_get(json_object_get(entity, "healthchecks"), "active");
	const char *kind = json_string_value(json_object_get(active, "type"));
	const char *field = NULL, *why = NULL;

	if (type != ENTITY_UPSTREAMS)
		return 0;
	if (json_is_true(json_object_get(entity, "use_srv_name"))) {
		field = "use_srv_name";
		why = "SRV records are not looked up";
	} else if ((is_probed(active, "healthy") || is_probed(active, "unhealthy")) &&
			kind != NULL && strncmp(kind, "grpc", 4) == 0) {
		field = "healthchecks";
		why = "active checks are of type http, https or tcp";
	}
	if (field == NULL)
		return 0;
	fault_field(&op->fault, field, "%s", why);
	return OP_E_REFUSED;
}

char *upstream_target_key(const char *upstream_id, const char *target)
{
	char *key;

	return asprintf(&key, "%s %s", upstream_id, target) < 0 ? NULL : key;
}

int upstream_target_id(struct op *op, const char *upstream_id, struct str target,
		char ret[UUID_TEXT_BYTES])
{
	sl_auto_mem char *form = target_form(target), *key = NULL;
	int r;

	if (form == NULL)
		return OP_E_NONE;
	key = upstream_target_key(upstream_id, form);
	if (key == NULL)
		return op_store(op, -ENOMEM);
	r = store_unique_get(op->txn, entity_def(ENTITY_TARGETS)->kind, 0, str_of(key), ret);
	return r == STORE_E_NONE ? OP_E_NONE : op_store(op, r);
}
