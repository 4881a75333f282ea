/* SPDX-License-Identifier: Apache-2.0
 *
 * Locks in shm/dict that a plugin holds in one request, so that they end with it whatever ends it:
 * a kill within a callback, a client that went away, a discarded VM.
 */
#pragma once

#include "plugin/pdk.h"

enum pdk_held_until {
	PDK_HELD_RUN,     /* kong.cache: let go when the run of the phase ends */
	PDK_HELD_REQUEST, /* resty.lock: when the request ends */
};

/* Remembers it in the request at hand; outside of one nothing does.  -ENOMEM. */
int pdk_held_add(struct pdk_host *host, uint32_t space, struct str key, uint64_t token,
		enum pdk_held_until until);
/* Lets go of those that last until then. */
void pdk_held_release(struct pdk_slot *slot, enum pdk_held_until until);
