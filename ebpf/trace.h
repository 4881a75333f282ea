/* SPDX-License-Identifier: Apache-2.0
 *
 * Events of a node's workers as they happen, by their USDT probes (shm/probe.h): attached while
 * this exists, and gone with it.  For sluicectl; needs CAP_SYS_ADMIN (or root).  Built
 * --without-bpf the same functions exist, and trace_new() says what is missing.
 */
#pragma once

#include <stdbool.h>

#include "base/cleanup.h"
#include "base/why.h"
#include "ebpf/trace_shared.h"

struct trace;

typedef void trace_fn(void *arg, const struct trace_event *event);

/* worker_program: path of the running sluice-worker.  0 or -errno with why. */
int trace_new(struct trace **ret, const char *worker_program, const struct trace_filter *filter,
		trace_fn *fn, void *arg, struct why *why);
void trace_free(struct trace *t);
SL_DEFINE_AUTO(trace);

/* Hands over what is there, after waiting for at most wait_ms.  0, or -errno (-EINTR). */
int trace_poll(struct trace *t, int wait_ms);
/* Events that found no room. */
__u64 trace_lost(const struct trace *t);
