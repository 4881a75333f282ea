/* SPDX-License-Identifier: Apache-2.0
 *
 * Which worker gets a connection: the choice alone, without a socket, compiled for the kernel
 * (ebpf/steer.bpf.c) and for the host (tests/unit/test_steer_pick).  No state of its own; what
 * differs from run to run (time, chance, turn, client) comes in.
 */
#pragma once

#include "ebpf/steer_table.h"
#include "shm/board_layout.h"

#ifdef __bpf__
/* Bounded for-loops over 64 slots cost the verifier a million steps; bpf_loop costs hundreds. */
#define STEER_LOOP(n, visit, pick) bpf_loop(n, visit, pick, 0)
#define STEER_READ(word) (word)
#else
struct steer_pick;
static inline void steer_loop(
		uint32_t n, long (*visit)(uint32_t, struct steer_pick *), struct steer_pick *pick)
{
	for (uint32_t k = 0; k < n && visit(k, pick) == 0; k++)
		;
}
#define STEER_LOOP(n, visit, pick) steer_loop(n, visit, pick)
#define STEER_READ(word) atomic_load_explicit(&(word), memory_order_relaxed)
#endif

/* Up to so many workers all are compared; above, the better of two open ones drawn by chance. */
#define STEER_SCAN_MAX 16
#define STEER_PROBES 32
#define STEER_NOBODY BOARD_SLOTS_MAX

struct steer_pick {
	/* in */
	struct board *board;
	uint64_t now_ns, stale_ns;
	uint64_t client; /* hash of the client's address */
	uint32_t n;      /* slots [0, n) are looked at */
	uint32_t shift;  /* slot >> shift: the worker (board seat_shift) */
	uint32_t chance; /* any number: where a scan starts, what is drawn */
	uint32_t turn;   /* counts up with every connection */
	uint32_t cpu, n_classes;
	/* between: the highest rank wins */
	uint64_t rank;
	uint32_t n_fresh, n_open;
	/* out */
	uint32_t best;
	uint32_t is_stale; /* best, because every one was */
};

/* Ranks: fresh before stale, of the wanted class before others, then what the mode compares. */
#define STEER_FRESH (1ULL << 63)
#define STEER_OF_CLASS (1ULL << 62)
#define STEER_RANK_MAX (STEER_OF_CLASS - 1)

static inline uint64_t steer_mix(uint64_t x)
{
	x ^= x >> 33;
	x *= 0xff51afd7ed558ccdULL;
	x ^= x >> 33;
	x *= 0xc4ceb9fe1a85ec53ULL;
	return x ^ x >> 33;
}

static inline int steer_is_open(const struct board_slot *s)
{
	return STEER_READ(s->state) == SLOT_READY &&
	       (STEER_READ(s->master_flags) & SLOT_IS_OPEN) != 0;
}

/* A beat newer than `now` makes the age negative: fresh. */
static inline uint64_t steer_freshness(const struct steer_pick *p, const struct board_slot *s)
{
	int64_t age_ns = (int64_t)(p->now_ns - STEER_READ(s->heartbeat_ns));

	return age_ns <= (int64_t)p->stale_ns ? STEER_FRESH : 0;
}

/* What a worker has in hand and what waits in its queues: the less, the higher. */
static inline uint64_t steer_idleness(const struct board_slot *s)
{
	uint64_t load = STEER_READ(s->assigned) - STEER_READ(s->gone);

	if ((int64_t)load < 0)
		load = 0;
	return STEER_RANK_MAX - (load & (STEER_RANK_MAX >> 1));
}

static inline void steer_consider(struct steer_pick *p, uint32_t i, uint64_t rank)
{
	if (p->best < STEER_NOBODY && rank <= p->rank)
		return;
	p->best = i;
	p->rank = rank;
	p->is_stale = (rank & STEER_FRESH) == 0;
}

/* A scan starts anywhere, so that equals do not all go to the first. */
static long steer_see_least(uint32_t k, struct steer_pick *p)
{
	uint32_t i = p->chance % p->n + k;
	const struct board_slot *s;

	if (i >= p->n)
		i -= p->n;
	if (i >= BOARD_SLOTS_MAX)
		return 1;
	s = &p->board->slots[i];
	if (steer_is_open(s))
		steer_consider(p, i,
				steer_idleness(s) | steer_freshness(p, s) |
						((i >> (p->shift & 1)) % p->n_classes == p->cpu
										? STEER_OF_CLASS
										: 0));
	return 0;
}

/* Until two fresh ones were drawn. */
static long steer_see_drawn(uint32_t k, struct steer_pick *p)
{
	uint32_t drawn = (uint32_t)steer_mix((uint64_t)p->chance << 8 | k);
	uint32_t i = (uint32_t)((uint64_t)drawn * p->n >> 32);
	const struct board_slot *s;

	if (i >= BOARD_SLOTS_MAX)
		return 1;
	s = &p->board->slots[i];
	if (i == p->best || !steer_is_open(s) || steer_freshness(p, s) == 0)
		return 0;
	steer_consider(p, i, steer_idleness(s) | STEER_FRESH);
	p->n_fresh++;
	return p->n_fresh >= 2;
}

/* Rendezvous: the slot with the highest weight for this client.  One that closes moves its own
 * clients only. */
static long steer_see_weight(uint32_t i, struct steer_pick *p)
{
	const struct board_slot *s;

	if (i >= BOARD_SLOTS_MAX)
		return 1;
	s = &p->board->slots[i];
	if (steer_is_open(s))
		steer_consider(p, i,
				(steer_mix(p->client ^ steer_mix((i >> (p->shift & 1)) + 1)) &
						STEER_RANK_MAX) |
						steer_freshness(p, s));
	return 0;
}

static long steer_see_count(uint32_t i, struct steer_pick *p)
{
	const struct board_slot *s;

	if (i >= BOARD_SLOTS_MAX)
		return 1;
	s = &p->board->slots[i];
	if (!steer_is_open(s))
		return 0;
	p->n_open++;
	p->n_fresh += steer_freshness(p, s) != 0;
	return 0;
}

/* Of those that count, the one whose turn it is: a closed one leaves its share to all.  rank
 * counts down to it. */
static long steer_see_turn(uint32_t i, struct steer_pick *p)
{
	const struct board_slot *s;

	if (i >= BOARD_SLOTS_MAX)
		return 1;
	s = &p->board->slots[i];
	if (!steer_is_open(s) || (!p->is_stale && steer_freshness(p, s) == 0))
		return 0;
	p->best = i;
	return p->rank-- == 0;
}

static inline void steer_take_turn(struct steer_pick *p)
{
	STEER_LOOP(p->n, steer_see_count, p);
	if (p->n_open == 0)
		return;
	p->is_stale = p->n_fresh == 0;
	p->rank = p->turn % (p->is_stale ? p->n_open : p->n_fresh);
	STEER_LOOP(p->n, steer_see_turn, p);
}

/* Fills p->best: a slot, or STEER_NOBODY.  A stale worker is taken only when every one is: then
 * the machine is to blame, not the worker. */
static inline void steer_choose(struct steer_pick *p, uint32_t mode)
{
	if (p->n > BOARD_SLOTS_MAX)
		p->n = BOARD_SLOTS_MAX;
	p->best = STEER_NOBODY;
	p->rank = p->n_fresh = p->n_open = p->is_stale = 0;
	if (p->n == 0)
		return;
	if (mode != STEER_CPU || p->n_classes == 0)
		p->n_classes = 1;
	p->cpu %= p->n_classes;
	if (mode == STEER_HASH_IP) {
		STEER_LOOP(p->n, steer_see_weight, p);
	} else if (mode == STEER_ROUND_ROBIN) {
		steer_take_turn(p);
	} else {
		if (mode == STEER_LEAST_CONN && p->n >> (p->shift & 1) > STEER_SCAN_MAX)
			STEER_LOOP(STEER_PROBES, steer_see_drawn, p);
		if (p->n_fresh == 0)
			STEER_LOOP(p->n, steer_see_least, p);
	}
}
