/* SPDX-License-Identifier: Apache-2.0
 *
 * Rest for HTTP servers of libevent when file descriptors run out: their listeners stay
 * readable, so that without it the loop spins and writes a line per turn.  For programs of one
 * event loop and one thread.
 */
#pragma once

#include <event2/event.h>
#include <event2/http.h>

#include "base/why.h"

struct accept_pause;

/* For every socket that http is bound to now.  name: for the log; a literal.  0, -ENOMEM. */
int accept_pause_new(struct accept_pause **ret, struct event_base *base, struct evhttp *http,
		const char *name, struct why *why);
/* Before its evhttp goes. */
void accept_pause_free(struct accept_pause *p);
