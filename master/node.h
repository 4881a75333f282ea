/* SPDX-License-Identifier: Apache-2.0
 *
 * What this node is: its state directory (made, locked against a second sluiced), its id,
 * and who its workers run as.
 */
#pragma once

#include <stdint.h>
#include <sys/types.h>

#include "base/cleanup.h"
#include "base/hex.h"
#include "base/why.h"
#include "shm/conf.h"

struct node {
	const struct conf *conf; /* the caller's */
	char id[UUID_TEXT_BYTES];
	char hostname[256];
	uint64_t started_ms; /* monotonic */
	/* group that may read the snapshot: of worker_user when we are root, else ours (-1) */
	gid_t worker_gid;
	int pid_fd; /* sluiced.pid, locked */
};

/* Makes prefix (0750, group of worker_user), takes the lock, writes sluiced.pid, reads or
 * makes node.id.  -EBUSY when another sluiced runs on this prefix (why has its pid);
 * -errno. */
int node_open(struct node **ret, const struct conf *conf, struct why *why);
/* The same with the lock and the age of the image of sluiced before this one. */
struct handover;
int node_adopt(struct node **ret, const struct conf *conf, const struct handover *before,
		struct why *why);
void node_hand_over(const struct node *n, struct handover *h);
/* Removes sluiced.pid, gives the lock back. */
void node_free(struct node *n);
SL_DEFINE_AUTO(node);
