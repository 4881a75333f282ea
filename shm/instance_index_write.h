/* SPDX-License-Identifier: Apache-2.0
 *
 * Which plugin instance has exactly this scope: kept for enabled instances.  Inner part of
 * snapshot_write; read by snap_instance() and snap_has_consumer_scope().
 */
#pragma once

#include "shm/snap_record.h"

/* -EINVAL: an id that no key can hold. */
int instance_index_check(const Sluice__Record__PluginInstance *i, struct why *why);
/* m: a PluginInstance.  Of two with one scope the last put wins. */
snap_index_fn instance_index_put, instance_index_delete;
