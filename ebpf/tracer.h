/* SPDX-License-Identifier: Apache-2.0
 *
 * Events of a node's workers as they happen, by their USDT probes (shm/probe.h): attached while
 * this exists, and gone with it.  For sluicectl; needs CAP_SYS_ADMIN (or root).  Built
 * --without-bpf the same functions exist, and tracer_new() says what is missing.
 */
#pragma once

#include <stdbool.h>

#include "base/cleanup.h"
#include "base/why.h"
#include "ebpf/tracer_shared.h"

struct tracer;

typedef void tracer_fn(void *arg, const struct trace_event *event);

/* worker_program: path of the running sluice-worker.  0 or -errno with why. */
int tracer_new(struct tracer **ret, const char *worker_program, const struct trace_filter *filter,
		tracer_fn *fn, void *arg, struct why *why);
void tracer_free(struct tracer *t);
SL_DEFINE_AUTO(tracer);

/* Hands over what is there, after waiting for at most wait_ms.  0, or -errno (-EINTR). */
int tracer_poll(struct tracer *t, int wait_ms);
/* Events that found no room. */
__u64 tracer_lost(const struct tracer *t);
