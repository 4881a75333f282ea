/* SPDX-License-Identifier: Apache-2.0
 *
 * The spans of plugin phases, "kong.<phase>.plugin.<name>".  Private to the chain; called only
 * where the request has a trace.
 */
#pragma once

#include "base/why.h"
#include "plugin/chain_run.h"

/* Before a run: its span is the active one. */
void chain_trace_begin(struct chain *c, struct chain_slot *s);
/* After it; why: of a failure, NULL = none. */
void chain_trace_end(struct chain *c, struct chain_slot *s, const struct why *why);
