/* SPDX-License-Identifier: Apache-2.0
 *
 * The snapshot, reading side: the node's configuration in one LMDB environment below
 * <prefix>/snapshot.  sluiced writes it (shm/snapshot_write.h), one transaction per
 * generation; workers and sluicectl map it read-only.
 *
 * A view is one generation, ref-counted, with its own read transaction.  Slices it hands
 * out point into the map: they live as long as the view.  Hold a view for the time a
 * request needs it (routing to end of access), never across a long stream: an old view
 * keeps its pages from being reused.
 *
 * Each process opens the environment once, after exec, never across fork.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "base/why.h"

struct snapshot;
struct snap_view;

#define SNAPSHOT_FORMAT 1

/* Positive conditions. */
#define SNAP_E_NONE_YET 1 /* no environment, or no generation in it */
#define SNAP_E_FORMAT 2   /* written by a newer format; why says which */
#define SNAP_E_CORRUPT 3  /* hashes or structure do not hold; why says where */
#define SNAP_E_FULL 4     /* writer: map or disk full; the previous generation serves on */

/* dir: <prefix>/snapshot.  0, SNAP_E_…, or -errno with why: -EBUSY (open in this process
 * already), -ESTALE (the lock file was deleted under its writer). */
int snapshot_open(struct snapshot **ret, const char *dir, struct why *why);
void snapshot_free(struct snapshot *s);
SL_DEFINE_AUTO(snapshot);

/* The newest committed generation, as a new reference.  0, SNAP_E_NONE_YET, -errno. */
int snapshot_view(struct snapshot *s, struct snap_view **ret, struct why *why);
struct snap_view *snap_view_ref(struct snap_view *v);
void snap_view_unref(struct snap_view *v); /* NULL allowed; the last one ends the transaction */

uint64_t snap_view_generation(const struct snap_view *v);
/* Which write of the environment it sees: also another when a generation was written again, as
 * after resources were refused that are understood by now. */
uint64_t snap_view_commit(const struct snap_view *v);
/* 16 random bytes chosen by control's store; n == 0 = none yet. */
struct str snap_view_epoch(const struct snap_view *v);
struct str snap_view_digest(const struct snap_view *v); /* stream Update.digest_after */

/* A serialized sluice.record message by kind (sluice.record.Kind) and id / by name
 * (service, route, plugin code: name; consumer: username).  STR_NONE when absent. */
struct str snap_get(const struct snap_view *v, uint32_t kind, struct str id);
struct str snap_get_by_name(const struct snap_view *v, uint32_t kind, struct str name);
/* By another field that says which one it is. */
enum snap_field {
	SNAP_FIELD_CUSTOM_ID = 'c',     /* consumer */
	SNAP_FIELD_INSTANCE_NAME = 'i', /* plugin instance */
	SNAP_FIELD_SET_AND_KID = 'k',   /* key: id of its set, or nothing, ":", kid */
};
struct str snap_get_by_field(
		const struct snap_view *v, uint32_t kind, enum snap_field field, struct str value);
/* The ids of those whose name is the same but for the case of ASCII letters (consumers and targets
 * have that index); stops when fn returns false. */
typedef bool snap_id_fn(void *arg, struct str id);
void snap_each_by_folded_name(const struct snap_view *v, uint32_t kind, struct str name,
		snap_id_fn *fn, void *arg);
/* The ids of those that belong to parent, an id (targets: to their upstream; memberships:
 * to their consumer). */
void snap_each_child(const struct snap_view *v, uint32_t kind, struct str parent, snap_id_fn *fn,
		void *arg);
/* The resource's version as control counts it; 0 when absent. */
uint64_t snap_version(const struct snap_view *v, uint32_t kind, struct str id);
/* A blob by its sha256 (32 bytes). */
struct str snap_blob(const struct snap_view *v, const uint8_t sha256[32]);

/* Every record of a kind, in id order; stops when fn returns false. */
typedef bool snap_each_fn(void *arg, struct str id, uint64_t version, struct str record);
void snap_each(const struct snap_view *v, uint32_t kind, snap_each_fn *fn, void *arg);
uint64_t snap_count(const struct snap_view *v, uint32_t kind);

/* Instances of `plugin` scoped exactly so (empty = not scoped by it): an instance id, or
 * STR_NONE.  One lookup in the index; disabled instances are not in it. */
struct str snap_instance(const struct snap_view *v, struct str plugin, struct str route_id,
		struct str service_id, struct str consumer_id);
/* The same of an instance scoped by a consumer group. */
struct str snap_group_instance(const struct snap_view *v, struct str plugin, struct str route_id,
		struct str service_id, struct str group_id);
/* True if plugin has an enabled instance. */
bool snap_has_instance(const struct snap_view *v, struct str plugin);
/* True if some enabled instance of plugin is scoped by a consumer. */
bool snap_has_consumer_scope(const struct snap_view *v, struct str plugin);
bool snap_has_group_scope(const struct snap_view *v, struct str plugin); /* ... by a group */

/* A resource that this node refused: the last good record, if any, stays in force; what was
 * refused is told here. */
struct snap_refusal {
	uint64_t version; /* refused */
	struct str code, file, text;
	struct str spec_sha256; /* of what was refused; 32 bytes, or empty: not known */
	uint32_t line;
};
bool snap_refusal(
		const struct snap_view *v, uint32_t kind, struct str id, struct snap_refusal *ret);
/* Every one, by kind; stops when fn returns false. */
typedef bool snap_refusal_fn(void *arg, uint32_t kind, const struct snap_refusal *refusal);
void snap_each_refusal(const struct snap_view *v, snap_refusal_fn *fn, void *arg);

/* Bytes of the file in use, and of the map. */
void snapshot_usage(const struct snapshot *s, uint64_t *ret_used, uint64_t *ret_map);
