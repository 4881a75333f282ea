/* SPDX-License-Identifier: Apache-2.0
 *
 * What workers count per plugin, summed over workers, versions and worker restarts.
 */
#pragma once

#include <stdint.h>

#include "base/cleanup.h"
#include "master/supervise.h"

/* X(field, prometheus type, help) */
/* clang-format off */
#define COUNTS_TABLE(X) \
	X(runs,         "counter", "Phases of the plugin entered.") \
	X(errors,       "counter", "Phases of the plugin that raised an error.") \
	X(cpu_trips,    "counter", "Phases of the plugin ended by the CPU budget.") \
	X(memory_trips, "counter", "Phases of the plugin ended by the memory budget.") \
	X(wall_trips,   "counter", "Phases of the plugin ended by their wall time.") \
	X(output_trips, "counter", "Phases of the plugin ended by the output budget.") \
	X(held,         "counter", "Requests that came to the plugin while it was suspended.") \
	X(discards,     "counter", "VMs of the plugin thrown away whole.") \
	X(cpu_ns,       "counter", "CPU nanoseconds spent in the plugin.") \
	X(memory_bytes, "gauge",   "Live memory of the plugin's VMs.")
/* clang-format on */

struct counts;
struct handover;

struct plugin_total {
	char plugin[128];
#define X(field, type, help) uint64_t field;
	COUNTS_TABLE(X)
#undef X
};

int counts_new(struct counts **ret);
void counts_free(struct counts *c);
SL_DEFINE_AUTO(counts);

/* A worker's running totals for one version of one plugin. */
void counts_update(struct counts *c, uint32_t slot, const struct plugin_counts *now);
/* The worker is gone: its numbers stay in the sums, its memory does not. */
void counts_gone(struct counts *c, uint32_t slot);

/* The sums of plugin i, in the order they were first heard of; false past the last. */
bool counts_at(const struct counts *c, size_t i, struct plugin_total *ret);
/* Zeros when nothing was heard of it. */
void counts_of(const struct counts *c, const char *plugin, struct plugin_total *ret);

/* For the next image of sluiced (master/handover), and from the one before.  False: no memory. */
bool counts_hand_over(const struct counts *c, struct handover *h);
bool counts_adopt(struct counts *c, const struct handover *h);
