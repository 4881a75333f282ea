/* SPDX-License-Identifier: Apache-2.0
 *
 * The heartbeat of one link, the same on both ends: one per interval while nothing else
 * waits to be sent, and the verdict that the other side is dead: no byte from it for three
 * intervals, or none taken by it for six while some wait.  Time in which this process itself did
 * not run does not count.
 */
#pragma once

#include <stdint.h>

#include "base/cleanup.h"
#include "stream/grpc_link.h"

struct beat;

/* send(arg, sequence) queues one Heartbeat. */
typedef void beat_send_fn(void *arg, uint64_t sequence);

/* Started with beat_start(); kills the link when the other side is dead.  Free it before the
 * link. */
int beat_new(struct beat **ret, struct event_base *base, struct grpc_link *l, beat_send_fn *send,
		void *arg);
void beat_free(struct beat *b);
SL_DEFINE_AUTO(beat);

/* (Re)starts with this interval, kept within 50 ms … 10 min. */
void beat_start(struct beat *b, uint32_t interval_ms);
