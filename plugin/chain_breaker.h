/* SPDX-License-Identifier: Apache-2.0
 *
 * The breaker of a plugin (shm/breaker) as a request meets it: asked at the first phase of the
 * plugin, told of every trip, told the end of a request that tried a suspended plugin.  Each
 * change of state is a line of the log.  Private to the chain.
 */
#pragma once

#include "plugin/chain_run.h"

/* Whether the slot's plugin runs in this request; the first answer holds to its end. */
bool chain_breaker_admits(const struct chain *c, struct chain_slot *s);
/* The slot's plugin went over a budget. */
void chain_breaker_trip(const struct chain *c, struct chain_slot *s);
/* The request is over. */
void chain_breaker_done(struct chain_slot *s);
