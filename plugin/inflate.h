/* SPDX-License-Identifier: Apache-2.0
 *
 * Compressed bodies made plain, by zlib.  Worker and sluice-check.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/str.h"

/* gzip (RFC 1952, several members too) or zlib (RFC 1950, what HTTP calls deflate), told apart by
 * their first bytes, into the arena.  must_stop(arg) is asked every 64 kB.  0; -EINVAL: neither,
 * or broken, or cut; -EFBIG: more than max bytes; -ECANCELED; -ENOMEM. */
int inflate_body(struct arena *a, struct str in, size_t max, bool (*must_stop)(void *arg),
		void *arg, struct str *ret);
