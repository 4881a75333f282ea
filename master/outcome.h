/* SPDX-License-Identifier: Apache-2.0
 *
 * What the log says of an Update that came into force.
 */
#pragma once

#include "master/plan.h"
#include "master/rollout.h"
#include "shm/conf.h"

/* A line for every resource that was rejected and every limit that the node capped, and one for
 * the generation. */
void outcome_log(const struct plan *p, const struct rollout *r, const struct conf *conf);
