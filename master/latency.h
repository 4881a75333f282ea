/* SPDX-License-Identifier: Apache-2.0
 *
 * The node's plugin latencies (shm/lat): made here, handed to workers, named after the plugins
 * of each generation, and told as JSON and Prometheus text.  Readers touch shared memory only:
 * no worker is asked.  Single-threaded.
 */
#pragma once

#include <jansson.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/why.h"
#include "shm/conf.h"

struct handover;
struct latency;
struct snap_view;

/* pin_dir: where BPF maps are pinned; "" = no BPF here: a memfd of the same layout.  -errno. */
int latency_new(struct latency **ret, const struct conf *conf, uint32_t n_slots,
		const char *pin_dir, struct why *why);
/* With the rows of the image of sluiced before this one; what it pinned stays as it is. */
int latency_adopt(struct latency **ret, const struct conf *conf, uint32_t n_slots,
		const struct handover *before, struct why *why);
void latency_free(struct latency *l);
SL_DEFINE_AUTO(latency);

/* For workers to inherit; borrowed. */
int latency_rows_fd(const struct latency *l);
int latency_names_fd(const struct latency *l);

/* Before a generation is published: its plugins get their rows.  NULL: there is none. */
void latency_name_plugins(struct latency *l, const struct snap_view *view);

/* {"plugins":[{"plugin","phase","count","sum_ns","max_ns","p50_ns","p90_ns","p99_ns","p999_ns",
 * "buckets":[[from_ns,to_ns,count],…]},…]}: what was counted since the node started. */
json_t *latency_json(const struct latency *l);
/* sluice_plugin_phase_duration_seconds, a histogram. */
void latency_prometheus(const struct latency *l, struct buf *out);
