/* SPDX-License-Identifier: Apache-2.0
 *
 * Evaluation of the nodes of a condition.  Private to plugin/condition.
 */
#pragma once

#include "plugin/condition_part.h"

/* 0, or -EINVAL with e->why or e->over. */
int condition_run(struct cel_eval *e, uint16_t at, struct cel_value *ret);

typedef int condition_run_fn(struct cel_eval *e, const struct node *node, struct cel_value *ret);
/* all, exists: errors count only when no item decides. */
condition_run_fn condition_run_quantify;
/* map, filter. */
condition_run_fn condition_run_transform;
