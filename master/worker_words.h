/* SPDX-License-Identifier: Apache-2.0
 *
 * The longer messages of workers, read field by field.
 */
#pragma once

#include <stdbool.h>

#include "master/supervise.h"
#include "shm/ipc.h"

/* IPC_PLUGIN_STATE, IPC_PLUGIN_STATS; slices point into in.  false: malformed. */
bool worker_read_report(struct ipc_in *in, struct plugin_report *ret);
bool worker_read_counts(struct ipc_in *in, struct plugin_counts *ret);
