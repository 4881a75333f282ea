/* SPDX-License-Identifier: Apache-2.0
 *
 * The board's layout, compiled for the programs and for the kernel (ebpf/steer.bpf.c reads
 * and writes the same memory).  Offsets are fixed by BOARD_ABI.
 */
#pragma once

#ifdef __bpf__
#include <linux/types.h>
#define BOARD_WORD32 volatile __u32
#define BOARD_WORD64 volatile __u64
typedef __u32 uint32_t;
typedef __u64 uint64_t;
typedef __s64 int64_t;
#else
#include <stdatomic.h>
#include <stdint.h>
#define BOARD_WORD32 _Atomic uint32_t
#define BOARD_WORD64 _Atomic uint64_t
#endif

/* A worker has BOARD_SEATS slots, BOARD_SEATS × its number and the next: one for the process that
 * takes connections, one for the process before or behind it (a replacement overlaps). */
#define BOARD_SEATS 2
#define BOARD_SLOTS_MAX 128
#define BOARD_ABI 3
#define BOARD_SECRET_BYTES 32

enum slot_state { SLOT_EMPTY, SLOT_STARTING, SLOT_READY, SLOT_DRAINING, SLOT_DEAD };

/* master_flags */
#define SLOT_IS_OPEN 1U /* the master lets new connections go there */
#define SLOT_IS_CLOSING \
	2U /* connections of it end with their answers: the node or worker drains \
	    */

/* 128 bytes: the first line is the worker's, the second the master's and the kernel's. */
struct board_slot {
	BOARD_WORD32 state; /* enum slot_state; worker: STARTING → READY → DRAINING */
	BOARD_WORD32 pid;
	BOARD_WORD64 heartbeat_ns; /* monotonic */
	BOARD_WORD64 active;       /* open client connections */
	BOARD_WORD64 accepted;
	/* Of `assigned`, what was accepted: + 1 for each accept, and at least what `assigned` was
	 * a while ago when every queue is empty.  assigned − seen waits here. */
	BOARD_WORD64 seen;
	BOARD_WORD64 generation; /* in force in this worker */
	/* seen − active, stored at once: an accept moves a connection from waiting to open, and the
	 * load (assigned − gone) must not look lower in between. */
	BOARD_WORD64 gone;
	uint64_t worker_pad;
	BOARD_WORD64 assigned; /* steering program: connections, migrated ones too */
	BOARD_WORD64 migrated; /* steering program */
	BOARD_WORD32 restarts; /* master */
	BOARD_WORD32 master_flags;
	uint64_t master_pad[5];
};
_Static_assert(sizeof(struct board_slot) == 128, "shared layout");

struct board {
	uint32_t magic, abi;
	uint32_t n_slots;
	BOARD_WORD32 n_live;          /* slots [0, n_live) are steered to */
	BOARD_WORD64 live_generation; /* committed; workers compare at request start */
	uint64_t ticket_secret[BOARD_SECRET_BYTES /
			       8]; /* of the keys of TLS tickets; since start */
	uint32_t seat_shift;       /* slot >> seat_shift: the worker */
	BOARD_WORD32 n_workers;
	struct board_slot slots[BOARD_SLOTS_MAX];
};
