/* SPDX-License-Identifier: Apache-2.0
 *
 * shm/dict: the slots that a key may be in, and where a new one goes.
 */
#include "shm/dict_probe.h"

struct dict_place dict_probe_search(const struct dict *d, struct dict_probe *p, uint32_t bucket)
{
	const struct dict_bucket *b = dict_bucket_at(d, dict_stripe_of(p), bucket);

	for (unsigned ways = dict_ways_of(b, dict_tag(p)); ways != 0; ways &= ways - 1) {
		uint32_t way = (uint32_t)__builtin_ctz(ways);
		struct dict_place at = dict_place_in(d, b, bucket, way);

		if (dict_holds(at.slot, b, way, p))
			return at;
	}
	return (struct dict_place){0};
}

/* ---- a slot for a new entry: with the stripe's lock ---- */

enum { RANK_FREE, RANK_EXPIRED, RANK_OWN, RANK_ANY, RANK_NONE };

struct candidate {
	struct dict_place at;
	int rank;
	uint32_t age; /* in units of DICT_TOUCH_MS */
};

static int rank_slot(
		const struct dict_slot *slot, uint32_t tag, struct dict_probe *p, bool is_own_only)
{
	uint64_t what = atomic_load_explicit(&slot->what, memory_order_relaxed);
	bool is_own = dict_what_space(what) == p->space;

	if (tag == 0)
		return is_own_only ? RANK_NONE : RANK_FREE;
	if (is_own_only && !is_own)
		return RANK_NONE;
	if (!dict_slot_is_live(slot, p))
		return RANK_EXPIRED;
	return is_own ? RANK_OWN : RANK_ANY;
}

static uint32_t age_of(const struct dict_slot *slot, struct dict_probe *p)
{
	uint64_t stamp = atomic_load_explicit(&slot->stamp, memory_order_relaxed);

	return dict_stamp_touched(dict_stamp(0, dict_probe_now(p))) - dict_stamp_touched(stamp);
}

/* Among the ways from first on, one size. */
static struct candidate best_of(
		const struct dict *d, struct dict_probe *p, uint32_t bucket, uint32_t first)
{
	uint64_t used = atomic_load_explicit(
			&d->area->spaces[p->space].used_bytes, memory_order_relaxed);
	const struct dict_bucket *b = dict_bucket_at(d, dict_stripe_of(p), bucket);
	struct candidate best = {.rank = RANK_NONE};

	for (uint32_t i = 0; i < DICT_WAYS; i++) {
		uint32_t way = first + ((dict_home(p) + i) & (DICT_WAYS - 1));
		struct candidate c = {.at = dict_place_in(d, b, bucket, way)};

		c.rank = rank_slot(c.at.slot, dict_tag_at(b, way), p,
				used + dict_slot_bytes[c.at.class] > d->quota);
		c.age = age_of(c.at.slot, p);
		if (c.rank < best.rank ||
				(c.rank == best.rank && c.rank != RANK_FREE && c.age > best.age))
			best = c;
	}
	return best;
}

struct dict_place dict_probe_choose(struct dict *d, struct dict_probe *p, enum dict_class class)
{
	uint32_t bucket = class == DICT_LARGE ? dict_large_of(d, p) : dict_pair_of(d, p);
	struct candidate best = best_of(d, p, bucket, class == DICT_SMALL ? DICT_WAYS : 0);
	struct candidate larger;

	/* rather than to throw out what is alive */
	if (class == DICT_TINY && best.rank > RANK_EXPIRED) {
		larger = best_of(d, p, bucket, DICT_WAYS);
		best = larger.rank <= RANK_EXPIRED ? larger : best;
	}
	if (best.rank == RANK_NONE)
		return (struct dict_place){0};
	if (best.rank > RANK_EXPIRED)
		atomic_fetch_add_explicit(&d->area->evictions, 1, memory_order_relaxed);
	return best.at;
}
