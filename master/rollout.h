/* SPDX-License-Identifier: Apache-2.0
 *
 * What runs where: the generation of every worker and the plugins it refuses.  A worker that
 * is ready at a generation and refuses nothing runs all of it (plugins load lazily).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "base/why.h"
#include "master/supervise.h"

struct rollout;

/* n_slots: what `slot` is below; n_workers: what counts as all of them. */
int rollout_new(struct rollout **ret, uint32_t n_slots, uint32_t n_workers);
void rollout_set_total(struct rollout *r, uint32_t n_workers);
void rollout_free(struct rollout *r);
SL_DEFINE_AUTO(rollout);

void rollout_generation(struct rollout *r, uint32_t slot, uint64_t generation);
/* true when this changed something. */
bool rollout_report(struct rollout *r, uint32_t slot, const struct plugin_report *report);
void rollout_gone(struct rollout *r, uint32_t slot);

uint32_t rollout_total(const struct rollout *r);
/* Workers that are ready at all. */
uint32_t rollout_ready(const struct rollout *r);
/* Every ready worker is at `generation`, and there is one. */
bool rollout_is_complete(const struct rollout *r, uint64_t generation);
/* Workers at `generation` that do not refuse this version of the plugin. */
uint32_t rollout_active(
		const struct rollout *r, uint64_t generation, struct str id, uint64_t version);
/* One worker's reason for refusing it, and what it runs instead; NULL: none does. */
const struct why *rollout_refusal(
		const struct rollout *r, struct str id, uint64_t version, uint64_t *ret_in_force);
