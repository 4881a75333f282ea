/* SPDX-License-Identifier: Apache-2.0
 *
 * A connected socket to "host:port", "[v6]:port" or "unix:/path", without blocking: the name is
 * resolved by evdns, its addresses are tried in turn.
 */
#pragma once

#include "base/cleanup.h"
#include "base/why.h"

struct event_base;
struct dial;

/* Once, from the event loop: fd (the receiver's), or -1 and why.  The dial may be freed here. */
typedef void dial_done_fn(void *arg, int fd, const struct why *why);

int dial_start(struct dial **ret, struct event_base *base, const char *address, dial_done_fn *done,
		void *arg, struct why *why);
/* Also abandons one that is under way. */
void dial_free(struct dial *d);
SL_DEFINE_AUTO(dial);
