/* SPDX-License-Identifier: Apache-2.0
 *
 * What upstreams and targets need beyond their schema: names that are host names, targets in one
 * form ("host:port"), unique within their upstream.  Inside an operation (control/op.h).
 */
#pragma once

#include "control/op.h"

#define UPSTREAM_TARGET_PORT 8000 /* of a target that names none */

/* Before the schema: checks an upstream's name, and brings a target into its form.
 * OP_E_REFUSED. */
int upstream_prepare(struct op *op, enum entity_type type, json_t *input);
/* Behind the schema: what nodes cannot do yet is refused, not ignored.  OP_E_REFUSED. */
int upstream_check(struct op *op, enum entity_type type, const json_t *entity);
/* The value under which a target is unique: new text, NULL = out of memory. */
char *upstream_target_key(const char *upstream_id, const char *target);
/* The target of an upstream that a path names by its text.  OP_E_NONE. */
int upstream_target_id(struct op *op, const char *upstream_id, struct str target,
		char ret[UUID_TEXT_BYTES]);
