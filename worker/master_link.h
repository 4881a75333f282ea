/* SPDX-License-Identifier: Apache-2.0
 *
 * The worker's end of the channel to the master: what it is told, what it tells.
 */
#pragma once

#include "base/str.h"
#include "base/why.h"
#include "plugin/engine.h"

struct worker;
struct master_link;

/* First of all: only the master ends a worker.  Should that die, a worker that does not hear of it
 * (it hangs) ends by itself within its shutdown_timeout_ms and a few seconds. */
void master_link_take_signals(void);
int master_link_open(struct worker *w, struct why *why);
void master_link_free(struct master_link *m);
void master_link_ready(struct worker *w);
void master_link_generation_done(struct worker *w);
void master_link_plugin_state(struct worker *w, const struct engine_report *report);
/* Numbers of every loaded plugin, and their sums into the worker's counters. */
void master_link_plugin_stats(struct worker *w);
/* Once: asks to be replaced. */
void master_link_worn_out(struct worker *w, uint64_t discards);
/* Before the link is open: tells the master why this worker cannot start. */
void master_link_failed(const struct why *why);
