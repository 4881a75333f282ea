/* SPDX-License-Identifier: Apache-2.0 */
#include "shm/board.h"

#include <errno.h>
#include <stddef.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/hex.h"
#include "shm/area.h"

#define BOARD_MAGIC SL_MAGIC('B', 'O', 'R', 'D')

_Static_assert(ATOMIC_LLONG_LOCK_FREE == 2, "shared between processes");
_Static_assert(offsetof(struct board, slots) == 64, "shared layout");
_Static_assert(offsetof(struct board_slot, assigned) == 64, "one line per writer");

static const struct area_head board_head = {BOARD_MAGIC, BOARD_ABI};

static int refuse_slots(uint32_t n_slots, struct why *why)
{
	why_set(why, NULL, 0, "a board has 1 to %d slots, not %u", BOARD_SLOTS_MAX, n_slots);
	return -EINVAL;
}

/* Until the master says otherwise each slot is a worker. */
static void fill(struct board *b, uint32_t n_slots)
{
	b->n_slots = n_slots;
	b->seat_shift = 0;
	atomic_store(&b->n_live, n_slots);
	atomic_store(&b->n_workers, n_slots);
	random_bytes(b->ticket_secret, BOARD_SECRET_BYTES);
}

int board_create(struct board **ret, int *ret_fd, uint32_t n_slots, struct why *why)
{
	void *p = NULL;
	int r;

	if (n_slots == 0 || n_slots > BOARD_SLOTS_MAX)
		return refuse_slots(n_slots, why);
	r = area_create(&p, ret_fd, "board", sizeof(struct board), board_head, why);
	if (r < 0)
		return r;
	*ret = p;
	fill(*ret, n_slots);
	return 0;
}

int board_adopt(struct board **ret, int fd, uint32_t n_slots, struct why *why)
{
	void *p = NULL;
	int r;

	if (n_slots == 0 || n_slots > BOARD_SLOTS_MAX)
		return refuse_slots(n_slots, why);
	r = area_adopt(&p, fd, "board", sizeof(struct board), board_head, why);
	if (r < 0)
		return r;
	*ret = p;
	fill(*ret, n_slots);
	return 0;
}

int board_map(struct board **ret, int fd, struct why *why)
{
	struct board *b;
	void *p = NULL;
	int r;

	r = area_map(&p, fd, "board", sizeof(struct board), board_head, why);
	if (r < 0)
		return r;
	b = p;
	if (b->n_slots == 0 || b->n_slots > BOARD_SLOTS_MAX || b->seat_shift > 1) {
		why_set(why, NULL, 0, "the board on fd %d has %u slots", fd, b->n_slots);
		board_unmap(b);
		return -EBADF;
	}
	*ret = b;
	return 0;
}

void board_unmap(struct board *b)
{
	area_unmap(b, sizeof(*b));
}

void board_slot_reset(struct board_slot *slot, enum slot_state state, uint32_t restarts)
{
	uint64_t assigned = atomic_load(&slot->assigned);

	atomic_store(&slot->active, 0);
	atomic_store(&slot->seen, assigned);
	atomic_store(&slot->gone, assigned);
	atomic_store(&slot->heartbeat_ns, clock_mono_ns());
	atomic_store(&slot->restarts, restarts);
	atomic_store(&slot->state, state);
}
