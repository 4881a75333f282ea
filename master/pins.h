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
/* Removes every pin and the directory. */
void pins_free(struct pins *p);
SL_DEFINE_AUTO(pins);

const char *pins_dir(const struct pins *p);
