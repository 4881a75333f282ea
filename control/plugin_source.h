/* SPDX-License-Identifier: Apache-2.0
 *
 * The sources of a custom plugin: limits checked here, the rest asked of sluice-check.
 */
#pragma once

#include "control/op.h"

/* verdict: borrowed from op->verdicts.  OP_E_REFUSED with `fields` that say file, line and
 * reason; OP_E_WAIT. */
int plugin_source_check(struct op *op, const json_t *entity, const json_t **ret_verdict);
