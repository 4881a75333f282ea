/* SPDX-License-Identifier: Apache-2.0
 *
 * The coroutines of one method that waits: the method itself and its light threads
 * (ngx.thread.spawn), all in one VM, on one budget.  Each waits for something of its own; the
 * method is over when all have ended.  Private to the chain.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "plugin/pdk.h"
#include "plugin/vm.h"

#define CHAIN_THREADS_MAX 128 /* light threads of a method at one time */

struct chain_thread {
	struct chain_thread *next;
	struct vm_run *run; /* owned */
	struct pdk_pending pending;
	int id;        /* 0: the method */
	bool is_fresh; /* has not run yet */
	bool is_woken; /* a wake came since it parked */
};

struct chain_threads {
	struct chain_thread *first; /* NULL: no method waits */
	struct chain_thread method;
	struct vm_run *payer; /* the method's run, kept until the last thread ended */
	uint32_t n;           /* light threads */
	int last_id;
};

/* The method's own run, which has parked for the first time.  Takes it over. */
struct chain_thread *chain_threads_begin(struct chain_threads *all, struct vm_run *run);
/* It yielded: keeps what it waits for, and does what it wants of us. */
void chain_thread_park(struct chain_threads *all, struct chain_thread *t,
		const struct pdk_pending *pending, struct vm *vm);
/* It returned. */
void chain_thread_end(struct chain_threads *all, struct chain_thread *t);
/* The host woke the chain: deadlines are looked at again. */
void chain_threads_wake(struct chain_threads *all);
/* The next one that can go on; NULL: all wait. */
struct chain_thread *chain_thread_ready(struct chain_threads *all, struct exchange *x);
/* One segment of it; the host of the VM is set. */
enum vm_status chain_thread_run(struct exchange *x, struct chain_thread *t, struct why *why);
/* A wake at the first deadline. */
void chain_threads_set_timer(const struct chain_threads *all, struct exchange *x);
/* Ends them all. */
void chain_threads_drop(struct chain_threads *all);
