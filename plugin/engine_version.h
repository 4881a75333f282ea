/* SPDX-License-Identifier: Apache-2.0
 *
 * One version of one plugin's code, as the snapshot gave it, and the VM it runs in once
 * somebody used it.  Ref-counted: a request keeps the versions it began with.
 * Private to the engine.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "base/str.h"
#include "base/why.h"
#include "plugin/engine.h"
#include "plugin/pdk.h"
#include "shm/lat.h"

#define ENGINE_VERSION_MAGIC SL_MAGIC('V', 'E', 'R', 'S')

/* A VM with the handler loaded.  Ref-counted apart from its version: parked runs hold the one
 * they are parked in, while a fresh one serves. */
struct engine_box {
	unsigned refs;
	struct vm *vm;
	uint64_t serial;         /* never the same for two boxes of a process */
	bool is_dead;            /* the VM was discarded: only freeing it is allowed */
	bool is_configured;      /* configure() ran since it was loaded */
	uint64_t counted_cpu_ns; /* already in the version's totals */
	int handler_ref;
	int method_ref[PHASE_COUNT]; /* LUA_NOREF: not implemented */
	struct pdk_host host;
};

struct engine_version {
	uint32_t magic;
	unsigned refs;
	const struct engine_conf *conf; /* the engine's */
	char *name, *id;
	uint64_t resource_version;
	bool is_current; /* the engine gives it to new requests */
	uint8_t sha256[32], handler_sha256[32], bytecode_sha256[32];
	bool has_bytecode; /* made by the LuaJIT that runs here */
	struct vm_limits limits;
	int priority;
	uint32_t phases;
	json_t *schema; /* JSON form, or NULL */
	bool ignores_consumer, ignores_group, ignores_route, ignores_service;

	struct engine_box *box;
	struct breaker_row *breaker; /* NULL: it has none */
	uint64_t content;            /* what it runs and under which limits, as a hash */
	bool is_reported_bad;        /* the last word on it was that it cannot be loaded */
	uint64_t failed_ms;          /* when loading failed last (monotonic), 0 = never */
	struct why why;              /* then: why */
	struct engine_plugin_stat totals;
	struct histogram *lat_rows; /* LAT_PHASES of them, in shared memory; NULL: not kept */
};

/* record: a serialized sluice.record.PluginCode.  NULL with why: not one, or no memory. */
struct engine_version *engine_version_new(const struct engine_conf *conf, struct str record,
		uint64_t resource_version, struct why *why);
struct engine_version *engine_version_ref(struct engine_version *v);
void engine_version_unref(struct engine_version *v); /* NULL allowed */
/* Same code, same limits: the VM of one can serve the other. */
bool engine_version_same(const struct engine_version *a, const struct engine_version *b);
/* PRIORITY descending, then name descending; for qsort over struct engine_version *. */
int engine_version_order(const void *a, const void *b);

/* Joins the plugin's breaker on this node, which starts closed for another content. */
void engine_version_watch(struct engine_version *v);

/* The VM to run in now, borrowed from v: loaded from the view's blobs when there is none, or
 * when the last one is spoiled.  NULL with v->why; a failure is remembered for a second. */
struct engine_box *engine_version_box(struct engine_version *v, struct snap_view *view);
/* Lets go of a VM that must not be entered again, so that the next use makes a new one. */
void engine_version_drop_box(struct engine_version *v);
/* At a generation: its rows of shm/lat, which the master may have given it just now. */
void engine_version_find_rows(struct engine_version *v);
/* Adds what the box's VM counted since the last call to v->totals. */
void engine_version_count(struct engine_version *v);

void engine_box_unref(struct engine_box *b); /* NULL allowed */
