/* SPDX-License-Identifier: Apache-2.0
 *
 * Ids for entities that have none, references by name made references by id, and the
 * uniqueness that a file must have in itself.
 */
#pragma once

#include "control/declarative.h"

/* The id of an entity just added: its own, or one that the same file always gives.
 * position: within the list it is in. */
void declarative_link_id(struct declarative *d, struct declarative_entity *e, size_t position);
/* Resolves and checks all.  0 or -ENOMEM. */
int declarative_link(struct declarative *d);
