/* SPDX-License-Identifier: Apache-2.0
 *
 * What the steering program and its loader share besides the board.
 */
#pragma once

#include "ebpf/steer_table.h"
#include "shm/board_layout.h"

/* One per listening address. */
#define STEER_GROUPS_MAX 32
#define STEER_AF_INET 2
#define STEER_ETH_P_IP 0x0800

/* A listener's own address; ip in network order, an IPv4 one in the first word. */
struct steer_address {
	uint32_t family, port;
	uint32_t ip[4];
};

/* Written by the loader while connections come in: single words, each valid by itself. */
struct steer_tune {
	volatile uint32_t mode; /* enum steer_mode */
	volatile uint32_t n_cpus;
	volatile uint64_t stale_ns; /* a heartbeat older than this closes a slot */
};

struct steer_counts {
#define X(field, help) uint64_t field;
	STEER_COUNTS(X)
#undef X
};
