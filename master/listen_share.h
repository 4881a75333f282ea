/* SPDX-License-Identifier: Apache-2.0
 *
 * Which workers new connections go to where no steering program is: a classic socket filter on
 * each address, for which no capability is needed.  It knows a listener by its place in the
 * kernel's group, which is the worker's number as long as listeners are added and closed at the
 * end only (never renewed).  Master only.
 */
#pragma once

#include <stdint.h>

#include "base/why.h"
#include "shm/conf.h"

struct listeners;

_Static_assert(CONF_WORKERS_MAX <= 64, "a bit for each worker");

/* Bit w of `out`: worker w, whether its listeners are open yet or not, gets no new connection;
 * handshakes that have begun still end in its queue.  The others get equal shares by chance.  No
 * bit, or nobody else there: the kernel's own choice (hash, SO_INCOMING_CPU).  -errno with why. */
int listeners_share(const struct listeners *l, uint64_t out, struct why *why);
/* How long a handshake that began before may still end, in this network namespace
 * (net.ipv4.tcp_synack_retries). */
uint32_t listeners_handshake_ms(void);
