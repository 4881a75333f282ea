/* SPDX-License-Identifier: Apache-2.0
 *
 * What a caller sent, made ready for the schema: shorthands, references by name, merging.
 */
#pragma once

#include "control/op.h"

/* Changes input in place.  OP_E_REFUSED: a reference by name that leads nowhere, a url that
 * is none. */
int write_input_prepare(struct op *op, const struct entity_def *def, json_t *input);
/* given over old, by the fields of a schema's JSON form: records merge, all else is replaced.
 * New reference. */
json_t *write_input_merge(const json_t *form, const json_t *old, const json_t *given);
