/* SPDX-License-Identifier: Apache-2.0
 *
 * What master/steering and steering_handover share of its insides.
 */
#pragma once

#include "base/check.h"
#include "master/steering.h"

#define STEERING_MAGIC SL_MAGIC('S', 'T', 'R', 'G')

struct steering {
	uint32_t magic;
	const struct conf *conf;
	struct steer *program; /* NULL: no BPF */
	struct board *board;
	int board_fd; /* the program's, or ours (a memfd) */
	enum steer_mode mode, wanted;
	struct steer_fault fault;
	char *step; /* owned text of fault, where it was handed over */
	struct why reason;
	const char *migration;
	const struct listeners *listeners;
	int old_socks_fd;                   /* -1: none */
	bool are_placed;                    /* they kept their places over an exec */
	uint32_t slot_of[CONF_WORKERS_MAX]; /* whose process a worker's listeners feed */
	uint64_t out;                       /* bit w: worker w is left out */
	struct pins *pins;                  /* NULL: none, and why */
	struct why unpinned;
};

/* Of nothing yet; NULL: no memory. */
struct steering *steering_make(const struct conf *conf);
/* "tcp_migrate_req" where it is on, else "none". */
const char *steering_read_migration(void);
