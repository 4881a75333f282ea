/* SPDX-License-Identifier: Apache-2.0
 *
 * Does a snapshot hold what its writer put in?  Inner part of snapshot_write.
 */
#pragma once

#include "base/why.h"

/* Walks every entry and compares sums, counts and hashes, in a child process: a damaged
 * file can make LMDB itself crash.  Before this process opens the environment.
 * 0 (whole, or nothing there yet), SNAP_E_CORRUPT, SNAP_E_FORMAT, -errno. */
int snap_verify(const char *dir, struct why *why);
