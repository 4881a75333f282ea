/* SPDX-License-Identifier: Apache-2.0
 *
 * A declarative configuration (`_format_version: "3.0"`), flat or nested, as a list of
 * entities with ids and references by id.
 */
#pragma once

#include <stdbool.h>

#include <jansson.h>

#include "base/arena.h"
#include "control/entity.h"
#include "shm/yaml_json.h"

struct declarative_entity {
	enum entity_type type;
	json_t *input;       /* owned by the list; has an id, references are by id */
	const json_t *lines; /* mirror of the place, borrowed */
	const char *path;    /* "services[0].routes[1]" */
	size_t index;        /* within its type */
	bool is_failed;
};

struct declarative {
	struct yaml_json tree;
	struct arena *arena;
	struct declarative_entity *v;
	size_t n, cap;
	size_t count[ENTITY_COUNT];
	json_t *errors; /* array of {"line","path","message"[,"entity","field"]} */
};

/* 0 also when d->errors is not empty; -ENOMEM. */
int declarative_parse(struct declarative *d, struct str text, struct why *why);
void declarative_done(struct declarative *d);

/* Adds an error at a place.  entity: what it belongs to, NULL = the file; field: within it. */
void declarative_error(struct declarative *d, const struct declarative_entity *entity,
		const char *field, int line, const char *message);
/* One error for each message of a schema error object. */
void declarative_errors_of(struct declarative *d, const struct declarative_entity *entity,
		const json_t *errors);
/* By line, as a person reads the file. */
void declarative_sort_errors(struct declarative *d);
/* RFC 9562 version 5 over the configuration's namespace. */
void declarative_id(const char *entity, const char *key, char ret[37]);
