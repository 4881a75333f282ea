/* SPDX-License-Identifier: Apache-2.0
 *
 * The indexes of an entity: unique values, references, tags; and the checks that need them.
 */
#pragma once

#include "control/op.h"

/* References exist and unique values are free (or the entity's own). */
int write_index_check(struct op *op, const struct entity_def *def, const json_t *old,
		const json_t *entity);
int write_index_put(struct op *op, const struct entity_def *def, const json_t *entity);
int write_index_remove(struct op *op, const struct entity_def *def, const json_t *entity);
/* The membership of a consumer in a group, both by id; OP_E_NONE: it is not in it. */
int write_index_member(
		struct op *op, const char *group, const char *consumer, char ret[UUID_TEXT_BYTES]);
