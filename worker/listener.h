/* SPDX-License-Identifier: Apache-2.0
 *
 * The inherited listeners: accepts, or sheds with 503 when the worker is full.
 */
#pragma once

#include "base/why.h"

struct worker;

/* Starts accepting on fds IPC_FD_LISTENERS … + n_listeners.  0, -errno with why. */
int listeners_open(struct worker *w, unsigned n, struct why *why);
/* Every LISTENERS_SETTLE_MS: puts right what the board counts as waiting here, where
 * connections were assigned that never came. */
#define LISTENERS_SETTLE_MS 200
void listeners_settle(struct worker *w);
/* Takes what waits (drain). */
void listeners_empty(struct worker *w);
/* Stops accepting; the sockets live on in the master. */
void listeners_stop(struct worker *w);
void listeners_free(struct worker *w);
