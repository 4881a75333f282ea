/* SPDX-License-Identifier: Apache-2.0
 *
 * Adding to a number of shm/dict: number and version of the slot change as one, without the
 * stripe's lock, so that a process that dies here leaves the old number or the new one.  Where the
 * machine cannot change two words as one, additions take the lock.
 */
#include <string.h>

#include "shm/dict_probe.h"

static inline double as_number(uint64_t bits)
{
	double v;

	memcpy(&v, &bits, sizeof(v));
	return v;
}

static inline uint64_t as_bits(double v)
{
	uint64_t bits;

	memcpy(&bits, &v, sizeof(bits));
	return bits;
}

/* ThreadSanitizer knows no operation on two words. */
#if defined(__x86_64__) && !defined(__SANITIZE_THREAD__)
#define HAVE_PAIRS 1

__extension__ typedef unsigned __int128 pair;

/* Adds to the number as long as the slot's version is that of p->stamp.  False: it changed hands,
 * or was written. */
__attribute__((always_inline, target("cx16"))) static inline bool add(
		struct dict_slot *slot, struct dict_probe *p, double by, double *ret)
{
	uint64_t bits = atomic_load_explicit(&slot->number, memory_order_acquire);
	pair old = (pair)p->stamp << 64 | bits, seen;
	uint64_t stamp = dict_stamp(p->stamp, dict_probe_now(p));

	for (;; old = seen) {
		double v = as_number((uint64_t)old) + by;

		seen = __sync_val_compare_and_swap(
				(pair *)(void *)slot, old, (pair)stamp << 64 | as_bits(v));
		if (__builtin_expect(seen == old, 1)) {
			*ret = v;
			return true;
		}
		if ((uint32_t)(seen >> 64) != (uint32_t)p->stamp)
			return false;
	}
}
#define PAIR_FUNCTION __attribute__((target("cx16")))
#else
#define HAVE_PAIRS 0
#define PAIR_FUNCTION

/* With the stripe's lock. */
static bool add(struct dict_slot *slot, struct dict_probe *p, double by, double *ret)
{
	*ret = as_number(atomic_load_explicit(&slot->number, memory_order_relaxed)) + by;
	atomic_store_explicit(&slot->number, as_bits(*ret), memory_order_release);
	atomic_store_explicit(&slot->stamp, dict_stamp(p->stamp, dict_probe_now(p)),
			memory_order_release);
	return true;
}
#endif

static bool is_live_number(const struct dict_place *at, struct dict_probe *p)
{
	return at->slot != NULL && dict_slot_kind(at->slot) == DICT_NUMBER &&
	       dict_slot_is_live(at->slot, p);
}

PAIR_FUNCTION static int incr_locked(
		struct dict *d, struct dict_probe *p, double by, uint64_t ttl_ms, double *ret)
{
	struct dict_place at = dict_probe_find(d, p);
	struct dict_input first = {.kind = DICT_NUMBER, .number = by};

	if (at.slot == NULL || !dict_slot_is_live(at.slot, p)) {
		*ret = by;
		return dict_probe_write(d, p, &at, &first, as_bits(by), ttl_ms);
	}
	if (dict_slot_kind(at.slot) != DICT_NUMBER)
		return DICT_E_TYPE;
	/* whoever has the lock is the only one to change the version: not so, the memory is bad */
	return add(at.slot, p, by, ret) ? 0 : DICT_E_BUSY;
}

PAIR_FUNCTION int dict_incr(struct dict *d, uint32_t space, struct str key, double by,
		uint64_t ttl_ms, double *ret)
{
	struct dict_probe p;
	struct dict_place at;
	int r = dict_probe_init(d, &p, space, key);

	if (r != 0)
		return r;
	if (HAVE_PAIRS) {
		at = dict_probe_find(d, &p);
		if (is_live_number(&at, &p) && add(at.slot, &p, by, ret))
			return 0;
	}
	r = dict_lock(d, dict_stripe_of(&p));
	if (r != 0)
		return r;
	p.now_ms = 0; /* it may have waited */
	r = incr_locked(d, &p, by, ttl_ms, ret);
	dict_unlock(d, dict_stripe_of(&p));
	return r;
}
