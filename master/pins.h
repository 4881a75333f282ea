/* SPDX-License-Identifier: Apache-2.0
 *
 * The node's directory of a BPF file system (bpf_pin_dir), where maps and programs can be found by
 * bpftool.  Held by a lock for the life of the process: one node, one directory.  `owner` in it is
 * a symbolic link whose text names the node.  Master only.
 */
#pragma once

#include "base/cleanup.h"
#include "base/why.h"

struct pins;

/* Makes and locks dir, and removes what a node that is gone has left there.  -EBUSY: a live node
 * owns it (why names it); -EEXIST: it holds what no node pinned; -errno; with why. */
int pins_open(struct pins **ret, const char *dir, const char *node_id, struct why *why);
/* Of the image of sluiced before this one, by its descriptor, whose lock goes on; borrowed. */
int pins_adopt(struct pins **ret, const char *dir, int fd, struct why *why);
/* Of the directory, which is locked; borrowed. */
int pins_fd(const struct pins *p);
/* One file of it, to be pinned again. */
void pins_remove(const struct pins *p, const char *name);
/* Removes every pin and the directory. */
void pins_free(struct pins *p);
SL_DEFINE_AUTO(pins);

const char *pins_dir(const struct pins *p);
