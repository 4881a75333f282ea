/* SPDX-License-Identifier: Apache-2.0
 *
 * What SIGHUP does to the node configuration: the keys that can change in a running node are
 * taken over, the others are named.
 */
#pragma once

#include "base/buf.h"
#include "base/log.h"
#include "base/why.h"
#include "shm/conf.h"

/* Compares the file as it is now with what runs.  *ret_level: the level to use; notes: one
 * line per key that needs a restart.  -EINVAL with why: the file is bad, nothing changes. */
int reload_compare(const struct conf *running, const char *file, enum log_level *ret_level,
		struct buf *notes, struct why *why);
