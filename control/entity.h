/* SPDX-License-Identifier: Apache-2.0
 *
 * The kinds of entities, declared once: names, paths, keys, references, and the schema (in
 * its JSON form, control/schemas/).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "base/str.h"
#include "plugin/schema.h"

/* In an order in which a parent comes before its children.
 * X(constant, record kind, name, path, endpoint key) */
/* clang-format off */
#define ENTITY_TABLE(X) \
	X(VAULTS, 15, "vaults", "vaults", "prefix") \
	X(KEY_SETS, 13, "key_sets", "key-sets", "name") \
	X(KEYS, 14, "keys", "keys", "name") \
	X(CERTIFICATES, 6, "certificates", "certificates", "") \
	X(CA_CERTIFICATES, 8, "ca_certificates", "ca_certificates", "") \
	X(SNIS, 7, "snis", "snis", "name") \
	X(UPSTREAMS, 11, "upstreams", "upstreams", "name") \
	X(TARGETS, 12, "targets", "targets", "target") \
	X(SERVICES, 1, "services", "services", "name") \
	X(CONSUMERS, 5, "consumers", "consumers", "username") \
	X(CONSUMER_GROUPS, 16, "consumer_groups", "consumer_groups", "name") \
	X(CONSUMER_GROUP_CONSUMERS, 17, "consumer_group_consumers", "", "") \
	X(ROUTES, 2, "routes", "routes", "name") \
	X(CUSTOM_PLUGINS, 4, "custom_plugins", "custom-plugins", "name") \
	X(PLUGINS, 3, "plugins", "plugins", "instance_name")
/* clang-format on */

enum entity_type {
#define X(constant, kind, name, path, key) ENTITY_##constant,
	ENTITY_TABLE(X)
#undef X
			ENTITY_COUNT
};

enum entity_on_delete { ENTITY_RESTRICT, ENTITY_CASCADE };

struct entity_foreign {
	const char *field; /* NULL ends a list */
	enum entity_type to;
	enum entity_on_delete on_delete;
};

struct entity_def {
	enum entity_type type;
	uint8_t kind; /* sluice.record.Kind */
	const char *name;
	const char *path;          /* of the Admin API; "": only through what it joins */
	const char *endpoint_key;  /* unique field that may stand for the id in a path; "": none */
	const char *singular;      /* as a foreign field */
	const char *const *unique; /* NULL-terminated */
	const struct entity_foreign *foreign; /* ended by field NULL */
	const char *form_text;
};

#define ENTITY_FIELDS_MAX 4 /* of unique and of foreign */

const struct entity_def *entity_def(enum entity_type type);
/* By name ("custom_plugins"), by path ("custom-plugins"), by record kind; NULL. */
const struct entity_def *entity_by_name(struct str name);
const struct entity_def *entity_by_path(struct str path);
const struct entity_def *entity_by_kind(uint8_t kind);
/* The schema's JSON form: new reference; aborts when the built-in text is broken. */
json_t *entity_form(const struct entity_def *def);
