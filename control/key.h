/* SPDX-License-Identifier: Apache-2.0
 *
 * What keys and vaults need beyond their schema.  Inside an operation (control/op.h).
 */
#pragma once

#include "control/op.h"

/* Behind the schema: a JWK is one, and has the entity's kid; a vault is one that nodes have.
 * OP_E_REFUSED. */
int key_check(struct op *op, enum entity_type type, const json_t *entity);
/* A key is known by its set and kid: new text; NULL = out of memory. */
char *key_unique_text(const json_t *entity);
