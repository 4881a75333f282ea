/* SPDX-License-Identifier: Apache-2.0
 *
 * sluiced as a whole: owns every part, and decides the order in which they come and go.
 */
#pragma once

#include "base/cleanup.h"
#include "base/why.h"
#include "shm/conf.h"

struct handover;
struct master;

/* conf: borrowed; conf_file: for reloads, NULL = none.  Everything that can fail at a start
 * fails here: prefix, ports, snapshot, programs.  before, failure (master/image): what another
 * image of sluiced left, borrowed for the call; one that cannot take over goes back there. */
int master_new(struct master **ret, const struct conf *conf, const char *conf_file,
		const struct handover *before, const char *failure, struct why *why);
void master_free(struct master *m);
SL_DEFINE_AUTO(master);

/* Serves until it is told to stop.  0 or -errno. */
int master_run(struct master *m);
