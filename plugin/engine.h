/* SPDX-License-Identifier: Apache-2.0
 *
 * The plugin engine of one worker: every loaded plugin version, its VM, its instances,
 * and the order they run in.  Fed from a snapshot view at each generation; requests hold
 * a `plan` (ref-counted), so that they end on what they started with.
 *
 * A plugin that fails to load keeps its last good version; the failure is in the report.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "base/why.h"
#include "plugin/phase.h"
#include "plugin/vm.h"

struct breaker;
struct dict;
struct lat_worker;
struct engine;
struct plan;
struct snap_view;   /* shm/snapshot.h */
struct stat_worker; /* shm/stat.h */
struct telemetry_sink;

struct engine_conf {
	enum vm_level level;
	bool is_off; /* untrusted_lua = off: no plugin code is loaded at all */
	struct limits_policy limits;
	uint32_t configure_cpu_ms;
	const char *node_id, *hostname, *version;
	uint32_t worker_index, workers_total;
	const struct stat_worker *stat; /* shm/stat.h: of this worker; NULL = nobody counts */
	struct lat_worker *lat;         /* shm/lat of this worker; NULL: latencies are not kept */
	struct breaker *breaker; /* shm/breaker of the node; NULL: no plugin is ever suspended */
	struct dict *dict;       /* shm/dict of the node; NULL: sluice.dict and the like say so */
	struct str trusted_ips;  /* comma-separated CIDRs, for kong.ip.is_trusted */
	struct str name_servers; /* of the node: "address port" in lines, for resty.dns.resolver */
	const struct telemetry_sink *telemetry; /* plugin/telemetry.h; NULL: nobody exports */
};

int engine_new(struct engine **ret, const struct engine_conf *conf, struct why *why);
void engine_free(struct engine *e);
SL_DEFINE_AUTO(engine);

/* One per plugin code whose state changed at a generation switch. */
struct engine_report {
	struct str plugin; /* name */
	struct str id;     /* custom_plugins id */
	uint64_t version;  /* resource version asked for */
	bool is_active;
	uint64_t version_in_force; /* 0 = none */
	struct why why;            /* when not active */
};
typedef void engine_report_fn(void *arg, const struct engine_report *report);

/* Moves to the view's generation: loads what is new or changed and was in use (the rest
 * loads on first use), drops what is gone once its last request ended, runs configure().
 * Never fails as a whole. */
void engine_set_view(struct engine *e, struct snap_view *view, engine_report_fn *report, void *arg);

/* The plugins of a request matched to (route, service), either may be empty: in order, with
 * their instances.  Ref-counted and immutable; the engine caches it, the caller unrefs.
 * NULL = out of memory. */
struct plan *engine_plan(struct engine *e, struct str route_id, struct str service_id);
/* Of the plugins that are configured for every request. */
uint32_t engine_global_phases(const struct engine *e);
struct plan *plan_ref(struct plan *p);
void plan_unref(struct plan *p); /* NULL allowed */
/* PHASE_BITs some plugin of the plan implements. */
uint32_t plan_phases(const struct plan *p);

/* Off the request path: replaces spoiled VMs, gives memory back, closes drained versions.
 * Call on an idle tick (~100 ms). */
void engine_idle(struct engine *e);

/* Numbers for stats, per loaded plugin. */
struct engine_plugin_stat {
	struct str plugin;
	const uint8_t *version_sha256;
	uint64_t runs, errors, cpu_trips, memory_trips, wall_trips, output_trips, discards, held,
			cpu_ns, memory_bytes;
};
typedef void engine_stat_fn(void *arg, const struct engine_plugin_stat *stat);
void engine_stats(struct engine *e, engine_stat_fn *fn, void *arg);
