/* SPDX-License-Identifier: Apache-2.0
 *
 * What a caller sent, made ready for the schema: shorthands, references by name.
 */
#pragma once

#include "control/op.h"

/* Changes input in place.  OP_E_REFUSED: a reference by name that leads nowhere, a url that
 * is none. */
int write_input_prepare(struct op *op, const struct entity_def *def, json_t *input);
