/* SPDX-License-Identifier: Apache-2.0
 *
 * The CPU budget: one lazily armed one-shot timer for the thread, whose signal makes the
 * running VM leave its compiled code and yield away (tier 1), and 15 ms later discards the
 * VM (tier 2).  For libvm only.  Single-threaded; per process.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/why.h"
#include "plugin/vm.h"

/* Finds hookmask, starts the profiler anchor, makes the timer.  Again: 0 at once.
 * 0, or -ENOTSUP/-errno with why. */
int budget_process_init(struct why *why);

/* At VM creation, before any code is compiled: PROF guards in every trace. */
void budget_prepare(struct vm *vm);

/* Around lua_resume: budget_ns is what this segment may use, 0 = no limit; now_ns: the monotonic
 * clock as just read, 0 = to be read here. */
void budget_enter(struct vm *vm, uint64_t budget_ns, uint64_t now_ns);
/* Returns the segment's CPU time in ns, and takes the kill hook off; *ret_now_ns: the clock. */
uint64_t budget_leave(struct vm *vm, uint64_t *ret_now_ns);

/* What is left of the running segment's budget; UINT64_MAX: it has none. */
uint64_t budget_left_ns(const struct vm *vm);

/* From the allocator and the signal handler: the running coroutine is to yield away. */
void budget_kill(struct vm *vm, enum vm_status reason);
/* Leaves everything by siglongjmp to the VM's `escape`; only while it runs. */
_Noreturn void budget_discard(struct vm *vm, enum vm_status reason);
/* The VM whose code runs in this thread, NULL between runs.  Written by budget_enter(),
 * budget_leave() and a discard only. */
extern struct vm *volatile budget_running;
static inline bool budget_is_running(const struct vm *vm)
{
	return budget_running == vm;
}
