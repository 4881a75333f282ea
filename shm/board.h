/* SPDX-License-Identifier: Apache-2.0
 *
 * Liveness and generation, shared by the master and its workers: one memfd (a BPF
 * map later), one line per worker slot that only that worker writes and one that only
 * the master writes.  Relaxed stores, publish last; offsets fixed by the ABI.
 */
#pragma once

#include <stdatomic.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/why.h"

#define BOARD_SLOTS_MAX 64
#define BOARD_ABI 1

enum slot_state { SLOT_EMPTY, SLOT_STARTING, SLOT_READY, SLOT_DRAINING, SLOT_DEAD };

/* 128 bytes: the first line is the worker's, the second the master's. */
struct board_slot {
	_Atomic uint32_t state; /* enum slot_state; worker: STARTING → READY → DRAINING */
	_Atomic uint32_t pid;
	_Atomic uint64_t heartbeat_ns; /* monotonic */
	_Atomic uint64_t active;       /* open client connections */
	_Atomic uint64_t accepted;
	_Atomic uint64_t seen;       /* steering: see ebpf/ */
	_Atomic uint64_t generation; /* in force in this worker */
	uint64_t worker_pad[2];
	_Atomic uint64_t assigned; /* steering program */
	_Atomic uint64_t migrated;
	_Atomic uint32_t restarts; /* master */
	_Atomic uint32_t master_flags;
	uint64_t master_pad[5];
};
_Static_assert(sizeof(struct board_slot) == 128, "shared layout");

struct board {
	uint32_t magic, abi;
	uint32_t n_slots, pad;
	_Atomic uint64_t live_generation; /* committed; workers compare at request start */
	uint64_t header_pad[5];
	struct board_slot slots[BOARD_SLOTS_MAX];
};

/* Master: creates and maps; *ret_fd is inheritable by dup2 only (CLOEXEC). */
int board_create(struct board **ret, int *ret_fd, uint32_t n_slots, struct why *why);
/* Worker or tool: maps an inherited fd, after checking size, magic and abi. */
int board_map(struct board **ret, int fd, struct why *why);
void board_unmap(struct board *b);
