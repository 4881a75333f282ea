/* SPDX-License-Identifier: Apache-2.0
 *
 * The writing side of shm/route_index: one route at a time, touching that route's keys
 * only.  Inner part of snapshot_write.
 */
#pragma once

#include "shm/snap_record.h"

/* -EINVAL: a host pattern or a number of paths that cannot be indexed. */
int route_index_check(const Sluice__Record__Route *route, struct why *why);
/* A route whose service is disabled is only linked to it. */
int route_index_put(struct snap_txn *t, struct str id, const Sluice__Record__Route *route,
		struct why *why);
int route_index_delete(struct snap_txn *t, struct str id, const Sluice__Record__Route *route,
		struct why *why);
/* Takes every route of a service in or out. */
int route_index_service(
		struct snap_txn *t, struct str service_id, bool is_enabled, struct why *why);
/* Kong's traditional_compatible priority of a route by one path (NULL: it has none). */
uint64_t route_priority(const Sluice__Record__Route *route, const char *path);
