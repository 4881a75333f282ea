/* SPDX-License-Identifier: Apache-2.0
 *
 * Fork and exec of the master's children: the fds of the table get the numbers the child
 * expects, every other one is closed, stdin is /dev/null, stdout and stderr are ours.  The child
 * dies with the master (PR_SET_PDEATHSIG), signals are at their defaults and unblocked.
 */
#pragma once

#include <sys/types.h>

#include "base/why.h"

#define SPAWN_FDS_MAX 128

struct spawn_fd {
	int fd; /* ours */
	int as; /* the child's number, not 0 */
};

/* argv[0] is the program's path.  0 and *ret, or -errno with why (also when exec failed). */
int spawn_program(pid_t *ret, char *const argv[], const struct spawn_fd *fds, unsigned n_fds,
		struct why *why);
