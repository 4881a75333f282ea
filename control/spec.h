/* SPDX-License-Identifier: Apache-2.0
 *
 * Entities as nodes get them: sluice.record messages.
 */
#pragma once

#include <jansson.h>

#include "base/buf.h"
#include "control/entity.h"

/* For every type but custom_plugins; json = the entity's text.  0 or -ENOMEM. */
int spec_make(enum entity_type type, const json_t *entity, struct str json, struct buf *ret);

/* What the entity asks for, in *ret; NULL: nothing. */
struct Sluice__Record__Limits *spec_limits(
		struct Sluice__Record__Limits *ret, const json_t *entity);

struct spec_code {
	const char *id, *name;
	const uint8_t *handler_sha256, *schema_sha256;
	size_t handler_bytes, schema_bytes;
	const json_t *verdict; /* of sluice-check */
	const json_t *entity;  /* for its limits */
};
/* For custom_plugins. */
int spec_make_code(const struct spec_code *code, struct buf *ret);
/* The spec of the same code with the entity's limits of now.  0, -EIO, -ENOMEM. */
int spec_remake_code(struct str spec, const json_t *entity, struct buf *ret);
/* sha256(handler_sha256 ‖ schema_sha256) */
void spec_code_version(
		const uint8_t handler_sha256[32], const uint8_t schema_sha256[32], uint8_t ret[32]);
