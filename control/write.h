/* SPDX-License-Identifier: Apache-2.0
 *
 * Entities written and read inside an operation: schema, references, uniqueness, indexes.
 * Return values as documented in control/op.h.
 */
#pragma once

#include "control/op.h"

/* New reference to the entity as it is stored now. */
int write_insert(struct op *op, enum entity_type type, const json_t *input, json_t **ret);
/* A full replacement; creates when `id` is not there.  created_at survives. */
int write_upsert(struct op *op, enum entity_type type, const char *id, const json_t *input,
		json_t **ret);
/* `given` merged into the entity: records merge, all else is replaced. */
int write_update(struct op *op, enum entity_type type, const char *id, const json_t *given,
		json_t **ret);
/* With what cascades.  OP_E_NONE when it is not there. */
int write_delete(struct op *op, enum entity_type type, const char *id);
/* Puts an entity that is already processed: unique and foreign checks, indexes, spec. */
int write_processed(struct op *op, enum entity_type type, const json_t *old, json_t *entity);

/* New reference, or OP_E_NONE. */
int read_entity(struct op *op, enum entity_type type, const char *id, json_t **ret);
/* By id or endpoint key. */
int read_id(struct op *op, enum entity_type type, struct str id_or_key, char ret[UUID_TEXT_BYTES]);
