/* SPDX-License-Identifier: Apache-2.0
 *
 * What plugins cost: a histogram per (worker, plugin slot, phase), always on.  The rows are a
 * BPF map that can be mapped (ebpf/latency) or, without BPF, a memfd of the same layout: one
 * flat array, and beside it the names of the slots.
 *
 * The master makes both, gives each plugin name a slot before a generation with it is
 * published, and reads.  A worker maps its own rows only (they fill whole pages) and the names
 * read-only; it alone writes its rows, with plain stores.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "base/why.h"
#include "shm/histogram.h"

#define LAT_PHASES 8 /* plugin/phase.h; the index is enum phase */
#define LAT_NAME_MAX 128
#define LAT_PLUGINS_MIN 64    /* so that a worker's rows are whole pages */
#define LAT_OTHERS "(others)" /* the last slot: plugins past the limit */

struct lat_name {
	char text[LAT_NAME_MAX]; /* "" = free */
};

struct lat_shape {
	uint32_t workers;
	uint32_t plugins; /* slots: a multiple of LAT_PLUGINS_MIN */
};

/* The nearest number of slots that is allowed, not below n. */
static inline uint32_t lat_plugins_round(uint32_t n)
{
	return (n + LAT_PLUGINS_MIN - 1) / LAT_PLUGINS_MIN * LAT_PLUGINS_MIN;
}

/* Entries of the array; entry (worker × plugins + slot) × LAT_PHASES + phase. */
uint64_t lat_entries(struct lat_shape shape);

/* memfds of that layout; both CLOEXEC.  0 or -errno with why. */
int lat_create(int *ret_rows_fd, int *ret_names_fd, struct lat_shape shape, struct why *why);

/* ---- master ---- */

struct lat;

/* Maps both; the fds stay the caller's.  0 or -errno with why. */
int lat_open(struct lat **ret, int rows_fd, int names_fd, struct lat_shape shape, struct why *why);
void lat_free(struct lat *l);
SL_DEFINE_AUTO(lat);

struct lat_shape lat_shape_of(const struct lat *l);
/* These are the plugins there are: each keeps its slot, or is given one: a free one, else one
 * whose plugin is not among them (its numbers are cleared).  For the rest there is LAT_OTHERS. */
void lat_assign(struct lat *l, const struct str *plugins, size_t n);
/* "" = nobody's. */
const char *lat_slot_name(const struct lat *l, uint32_t slot);
/* Summed over the workers.  False: nothing was counted. */
bool lat_sum(const struct lat *l, uint32_t slot, uint32_t phase, struct histogram_sum *ret);
/* One worker's, added to *sum. */
void lat_sum_worker(const struct lat *l, uint32_t worker, uint32_t slot, uint32_t phase,
		struct histogram_sum *sum);

/* ---- worker ---- */

struct lat_worker;

int lat_worker_open(struct lat_worker **ret, int rows_fd, int names_fd, struct lat_shape shape,
		uint32_t worker, struct why *why);
void lat_worker_free(struct lat_worker *l);
SL_DEFINE_AUTO(lat_worker);
/* LAT_PHASES rows of the plugin, to be written by histogram_add(); never NULL: a name without a
 * slot has the rows of LAT_OTHERS.  before: what it had (most keep it), or NULL. */
struct histogram *lat_worker_rows(
		const struct lat_worker *l, struct str plugin, struct histogram *before);
