/* SPDX-License-Identifier: Apache-2.0
 *
 * The rows and names of shm/lat as BPF maps, and the iterator that prints them.  Master only.
 * Built --without-bpf the same functions exist, and latmap_new() says LATMAP_E_UNAVAILABLE.
 */
#pragma once

#include <stdbool.h>

#include "base/cleanup.h"
#include "base/why.h"
#include "shm/lat.h"

#define LATMAP_E_UNAVAILABLE 1 /* no BPF here: why says what is missing */

struct latmap;

/* phases: LAT_PHASES names. */
int latmap_new(struct latmap **ret, struct lat_shape shape, const char *const phases[],
		struct why *why);
/* What is pinned stays until its files are removed. */
void latmap_free(struct latmap *m);
SL_DEFINE_AUTO(latmap);

/* For lat_open(), and for workers to inherit.  Borrowed. */
int latmap_rows_fd(const struct latmap *m);
int latmap_names_fd(const struct latmap *m);

/* Who may read the pinned files. */
struct latmap_access {
	unsigned mode; /* of the iterator; the maps are 0600 */
	int gid;       /* -1: as it is */
};

/* dir/plugin_latency, dir/plugin_names: the maps; dir/plugin_latency_prom: the iterator (a BPF
 * file system takes no dot in a name).  Without the capability for the iterator (CAP_PERFMON) the
 * maps are pinned alone: *ret_has_iterator.  -errno with why. */
int latmap_pin(struct latmap *m, const char *dir, const struct latmap_access *access,
		bool *ret_has_iterator, struct why *why);
