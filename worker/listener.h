/* SPDX-License-Identifier: Apache-2.0
 *
 * The inherited listeners: accepts, or sheds with 503 when the worker is full.
 */
#pragma once

#include "base/why.h"

struct worker;

/* Starts accepting on fds IPC_FD_LISTENERS … + n_listeners.  0, -errno with why. */
int listeners_open(struct worker *w, unsigned n, struct why *why);
/* Stops accepting; the sockets stay open (the master holds them too). */
void listeners_stop(struct worker *w);
void listeners_free(struct worker *w);
