/* SPDX-License-Identifier: Apache-2.0
 *
 * Liveness and generation, shared by the master, its workers and the steering program: a memfd, or
 * a BPF map of the same layout.  One line per worker slot that only that worker writes, and one
 * that only the master and the kernel write.  Relaxed stores, publish last.
 */
#pragma once

#include "base/cleanup.h"
#include "base/why.h"
#include "shm/board_layout.h"

/* How often a worker that is not busy stores its heartbeat. */
#define BOARD_BEAT_MS 25

/* Master: creates and maps; *ret_fd is inheritable by dup2 only (CLOEXEC). */
int board_create(struct board **ret, int *ret_fd, uint32_t n_slots, struct why *why);
/* Master: the same on a zeroed BPF map that the caller holds (ebpf/steer). */
int board_adopt(struct board **ret, int fd, uint32_t n_slots, struct why *why);
/* Worker or tool: maps an inherited fd, after checking size, magic and abi. */
int board_map(struct board **ret, int fd, struct why *why);
void board_unmap(struct board *b);

/* Master: no process, or one that has not begun: what the last one counted is void. */
void board_slot_reset(struct board_slot *slot, enum slot_state state, uint32_t restarts);

/* Worker: after its connections or what it has seen changed. */
static inline void board_slot_settle(struct board_slot *me)
{
	uint64_t seen = atomic_load_explicit(&me->seen, memory_order_relaxed);
	uint64_t active = atomic_load_explicit(&me->active, memory_order_relaxed);

	atomic_store_explicit(&me->gone, seen - active, memory_order_relaxed);
}
