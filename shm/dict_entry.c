/* SPDX-License-Identifier: Apache-2.0
 *
 * Entries of shm/dict: found without a lock, written under their stripe's.
 */
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "shm/dict_layout.h"

#define SPINS 1000
#define MIX 0x9e3779b97f4a7c15U

static inline uint64_t mix(uint64_t h, uint64_t word)
{
	__extension__ unsigned __int128 m = (unsigned __int128)(h ^ word) * MIX;

	return (uint64_t)m ^ (uint64_t)(m >> 64);
}

static inline uint64_t word_at(const char *p)
{
	uint64_t word;

	memcpy(&word, p, sizeof(word));
	return word;
}

/* Up to seven bytes, then zeros. */
static inline uint64_t last_word(const char *p, size_t n)
{
	uint64_t word = 0;

	for (size_t i = 0; i < n; i++)
		word |= (uint64_t)(uint8_t)p[i] << 8 * i;
	return word;
}

/* The seed keeps clients from choosing keys that share a bucket. */
int dict_probe_init(const struct dict *d, struct dict_probe *p, uint32_t space, struct str key)
{
	uint64_t h = d->seed ^ (((uint64_t)space << 32) | key.n);
	unsigned n = 0;
	size_t at = 0;

	sl_check(d, DICT_MAGIC);
	if (key.n > DICT_KEY_MAX)
		return DICT_E_TOO_LONG;
	if (space >= DICT_SPACES_MAX)
		return DICT_E_ABSENT;
	for (; at + 8 <= key.n; at += 8, n++)
		h = mix(h + d->seed, p->words[n] = word_at(key.p + at));
	if (at < key.n) {
		p->words[n] = last_word(key.p + at, key.n - at);
		h = mix(h + d->seed, p->words[n++]);
	}
	h = mix(h, d->seed);
	p->n_words = n;
	p->tag = h != 0 ? h : 1;
	p->stripe = (unsigned)(h >> 40) % DICT_STRIPES;
	p->space = space;
	p->key_n = (uint32_t)key.n;
	p->now_ms = clock_read_ns(CLOCK_MONOTONIC_COARSE) / 1000000U;
	return 0;
}

/* The one bucket of that size in which the key may be. */
static inline uint32_t bucket_of(
		const struct dict *d, const struct dict_probe *p, enum dict_class class)
{
	uint32_t bucket = (uint32_t)((uint64_t)(uint32_t)p->tag * d->buckets[class] >> 32);

	return class == DICT_LARGE ? bucket + d->buckets[DICT_SMALL] : bucket;
}

static bool holds(const struct dict_slot *slot, const struct dict_probe *p)
{
	if (atomic_load_explicit(&slot->space, memory_order_acquire) != p->space ||
			atomic_load_explicit(&slot->key_n, memory_order_acquire) != p->key_n)
		return false;
	for (unsigned i = 0; i < p->n_words; i++)
		if (atomic_load_explicit(&slot->data[i], memory_order_acquire) != p->words[i])
			return false;
	return true;
}

struct dict_slot *dict_probe_find(
		const struct dict *d, const struct dict_probe *p, uint32_t *ret_index)
{
	for (enum dict_class class = 0; class < DICT_CLASSES; class ++) {
		uint32_t bucket = bucket_of(d, p, class);
		struct dict_bucket *b = dict_bucket_at(d, p->stripe, bucket, class);

		for (uint32_t i = 0; i < DICT_WAYS; i++) {
			struct dict_slot *slot = dict_slot_of(b, i, class);

			if (atomic_load_explicit(&b->tags[i], memory_order_acquire) != p->tag ||
					!holds(slot, p))
				continue;
			*ret_index = bucket * DICT_WAYS + i;
			return slot;
		}
	}
	return NULL;
}

static double number_of(const struct dict_slot *slot)
{
	uint64_t bits = atomic_load_explicit(&slot->number, memory_order_acquire);
	double v;

	memcpy(&v, &bits, sizeof(v));
	return v;
}

static uint64_t bits_of(double v)
{
	uint64_t bits;

	memcpy(&bits, &v, sizeof(bits));
	return bits;
}

/* ---- reading ---- */

static int read_value(const struct dict *d, const struct dict_probe *p, struct dict_value *ret)
{
	uint32_t index;
	const struct dict_slot *slot = dict_probe_find(d, p, &index);
	size_t room;

	if (slot == NULL || !dict_slot_is_live(slot, p->now_ms))
		return DICT_E_ABSENT;
	ret->kind = (enum dict_kind)atomic_load_explicit(&slot->kind, memory_order_acquire);
	ret->number = number_of(slot);
	ret->n = atomic_load_explicit(&slot->value_n, memory_order_acquire);
	room = dict_room(dict_slot_class(d, index)) - (size_t)p->n_words * 8;
	room = room < DICT_VALUE_MAX ? room : DICT_VALUE_MAX;
	ret->n = ret->n < room ? ret->n : room;
	for (size_t at = 0; at < ret->n; at += 8) {
		uint64_t word = atomic_load_explicit(
				&slot->data[p->n_words + at / 8], memory_order_acquire);

		memcpy(ret->bytes + at, &word, sizeof(word));
	}
	return 0;
}

int dict_get(struct dict *d, uint32_t space, struct str key, struct dict_value *ret)
{
	struct dict_probe p;
	const struct dict_stripe *s;
	int r = dict_probe_init(d, &p, space, key);

	if (r != 0)
		return r;
	s = &d->area->stripes[p.stripe];
	for (unsigned spins = 0; spins < SPINS; spins++) {
		uint64_t seq = atomic_load_explicit(&s->seq, memory_order_acquire);

		if ((seq & 1) != 0)
			continue;
		r = read_value(d, &p, ret);
		if (atomic_load_explicit(&s->seq, memory_order_relaxed) == seq)
			return r;
	}
	/* a writer died within its write, or is stopped: the lock tells and repairs */
	r = dict_lock(d, p.stripe);
	if (r != 0)
		return r;
	r = read_value(d, &p, ret);
	dict_unlock(d, p.stripe);
	return r;
}

int dict_ttl(struct dict *d, uint32_t space, struct str key, uint64_t *ret)
{
	const struct dict_slot *slot;
	struct dict_probe p;
	uint64_t expires;
	uint32_t index;
	int r = dict_probe_init(d, &p, space, key);

	if (r == 0)
		r = dict_lock(d, p.stripe);
	if (r != 0)
		return r;
	slot = dict_probe_find(d, &p, &index);
	if (slot == NULL || !dict_slot_is_live(slot, p.now_ms)) {
		r = DICT_E_ABSENT;
	} else {
		expires = atomic_load_explicit(&slot->expires_ms, memory_order_relaxed);
		*ret = expires == 0 ? UINT64_MAX : expires - p.now_ms;
	}
	dict_unlock(d, p.stripe);
	return r;
}

/* ---- writing: with the stripe's lock ---- */

enum { RANK_FREE, RANK_EXPIRED, RANK_OWN, RANK_ANY, RANK_NONE };

static int rank_slot(const struct dict_slot *slot, uint64_t tag, const struct dict_probe *p,
		bool is_own_only)
{
	bool is_own = atomic_load_explicit(&slot->space, memory_order_relaxed) == p->space;

	if (tag == 0)
		return is_own_only ? RANK_NONE : RANK_FREE;
	if (is_own_only && !is_own)
		return RANK_NONE;
	if (!dict_slot_is_live(slot, p->now_ms))
		return RANK_EXPIRED;
	return is_own ? RANK_OWN : RANK_ANY;
}

/* A slot for a new entry; NULL when the quota leaves none. */
static struct dict_slot *choose(struct dict *d, const struct dict_probe *p, enum dict_class class,
		uint32_t *ret_index)
{
	const struct dict_space_row *row = &d->area->spaces[p->space];
	uint64_t used = atomic_load_explicit(&row->used_bytes, memory_order_relaxed), oldest = 0;
	bool is_own_only = used + dict_slot_bytes[class] > d->quota;
	struct dict_slot *best = NULL;
	uint32_t bucket = bucket_of(d, p, class);
	struct dict_bucket *b = dict_bucket_at(d, p->stripe, bucket, class);
	int best_rank = RANK_NONE;

	for (uint32_t i = 0; i < DICT_WAYS; i++) {
		struct dict_slot *slot = dict_slot_of(b, i, class);
		uint64_t tag = atomic_load_explicit(&b->tags[i], memory_order_relaxed);
		uint64_t age = atomic_load_explicit(&slot->touched_ms, memory_order_relaxed);
		int rank = rank_slot(slot, tag, p, is_own_only);

		if (rank > best_rank || rank == RANK_NONE || (rank == best_rank && age >= oldest))
			continue;
		best = slot;
		best_rank = rank;
		oldest = age;
		*ret_index = bucket * DICT_WAYS + i;
	}
	if (best_rank == RANK_OWN || best_rank == RANK_ANY)
		atomic_fetch_add_explicit(&d->area->evictions, 1, memory_order_relaxed);
	return best;
}

static void number_store(struct dict_slot *slot, double v)
{
	atomic_store_explicit(&slot->number, bits_of(v), memory_order_release);
}

/* What the tag leads to, before the tag. */
static void fill(struct dict_slot *slot, const struct dict_probe *p, const struct dict_input *value,
		uint64_t bits, uint64_t ttl_ms)
{
	size_t n = value->kind == DICT_STRING ? value->text.n : 0;

	atomic_store_explicit(&slot->space, p->space, memory_order_release);
	atomic_store_explicit(&slot->key_n, p->key_n, memory_order_release);
	atomic_store_explicit(&slot->kind, value->kind, memory_order_release);
	atomic_store_explicit(&slot->value_n, (uint32_t)n, memory_order_release);
	atomic_store_explicit(&slot->expires_ms, ttl_ms != 0 ? p->now_ms + ttl_ms : 0,
			memory_order_release);
	atomic_store_explicit(&slot->touched_ms, p->now_ms, memory_order_release);
	atomic_store_explicit(&slot->number, bits, memory_order_release);
	for (unsigned i = 0; i < p->n_words; i++)
		atomic_store_explicit(&slot->data[i], p->words[i], memory_order_release);
	for (size_t at = 0; at < n; at += 8) {
		uint64_t word = 0;

		memcpy(&word, value->text.p + at, n - at < 8 ? n - at : 8);
		atomic_store_explicit(&slot->data[p->n_words + at / 8], word, memory_order_release);
	}
}

static void publish(
		struct dict *d, const struct dict_probe *p, uint32_t index, enum dict_class class)
{
	struct dict_bucket *b = dict_bucket_at(d, p->stripe, index / DICT_WAYS, class);

	atomic_store_explicit(&b->tags[index % DICT_WAYS], p->tag, memory_order_release);
}

static void count_in(struct dict *d, uint32_t space, enum dict_class class)
{
	uint64_t n = dict_slot_bytes[class];

	atomic_fetch_add_explicit(&d->area->entries, 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&d->area->used_bytes, n, memory_order_relaxed);
	atomic_fetch_add_explicit(&d->area->spaces[space].used_bytes, n, memory_order_relaxed);
}

void dict_probe_drop(struct dict *d, const struct dict_probe *p, uint32_t index)
{
	struct dict_stripe *s = &d->area->stripes[p->stripe];

	dict_write_begin(s, index);
	dict_slot_clear(d, p->stripe, index);
	dict_write_end(s);
}

int dict_probe_write(struct dict *d, const struct dict_probe *p, struct dict_slot *have,
		uint32_t have_index, const struct dict_input *value, uint64_t bits, uint64_t ttl_ms)
{
	size_t n = p->n_words * 8 + (value->kind == DICT_STRING ? value->text.n : 0);
	enum dict_class class = n <= dict_room(DICT_SMALL) ? DICT_SMALL : DICT_LARGE;
	struct dict_stripe *s = &d->area->stripes[p->stripe];
	struct dict_slot *slot = have;
	uint32_t index = have_index;
	bool is_new = have == NULL || dict_slot_class(d, have_index) != class;

	if (is_new) {
		slot = choose(d, p, class, &index);
		if (slot == NULL) {
			atomic_fetch_add_explicit(&d->area->refusals, 1, memory_order_relaxed);
			return DICT_E_FULL;
		}
		if (have != NULL)
			dict_probe_drop(d, p, have_index);
	}
	dict_write_begin(s, index);
	if (is_new)
		dict_slot_clear(d, p->stripe, index);
	fill(slot, p, value, bits, ttl_ms);
	if (is_new) {
		publish(d, p, index, class);
		count_in(d, p->space, class);
	}
	dict_write_end(s);
	return 0;
}

static int store(struct dict *d, uint32_t space, struct str key, const struct dict_input *value,
		uint64_t ttl_ms, bool is_add)
{
	struct dict_probe p;
	struct dict_slot *have;
	uint32_t index = 0;
	int r = dict_probe_init(d, &p, space, key);

	if (r == 0 && value->kind == DICT_STRING && value->text.n > DICT_VALUE_MAX)
		r = DICT_E_TOO_LONG;
	if (r == 0)
		r = dict_lock(d, p.stripe);
	if (r != 0)
		return r;
	have = dict_probe_find(d, &p, &index);
	if (is_add && have != NULL && dict_slot_is_live(have, p.now_ms))
		r = DICT_E_EXISTS;
	else
		r = dict_probe_write(d, &p, have, index, value, bits_of(value->number), ttl_ms);
	dict_unlock(d, p.stripe);
	return r;
}

int dict_set(struct dict *d, uint32_t space, struct str key, const struct dict_input *value,
		uint64_t ttl_ms)
{
	return store(d, space, key, value, ttl_ms, false);
}

int dict_add(struct dict *d, uint32_t space, struct str key, const struct dict_input *value,
		uint64_t ttl_ms)
{
	return store(d, space, key, value, ttl_ms, true);
}

/* The number is one word: a death beside its store leaves the old or the new one. */
static int incr_locked(
		struct dict *d, const struct dict_probe *p, double by, uint64_t ttl_ms, double *ret)
{
	uint32_t index = 0;
	struct dict_slot *slot = dict_probe_find(d, p, &index);
	struct dict_input first = {.kind = DICT_NUMBER, .number = by};

	*ret = by;
	if (slot == NULL || !dict_slot_is_live(slot, p->now_ms))
		return dict_probe_write(d, p, slot, index, &first, bits_of(by), ttl_ms);
	if (atomic_load_explicit(&slot->kind, memory_order_relaxed) != DICT_NUMBER)
		return DICT_E_TYPE;
	*ret = number_of(slot) + by;
	number_store(slot, *ret);
	atomic_store_explicit(&slot->touched_ms, p->now_ms, memory_order_relaxed);
	return 0;
}

int dict_incr(struct dict *d, uint32_t space, struct str key, double by, uint64_t ttl_ms,
		double *ret)
{
	struct dict_probe p;
	int r = dict_probe_init(d, &p, space, key);

	if (r == 0)
		r = dict_lock(d, p.stripe);
	if (r != 0)
		return r;
	r = incr_locked(d, &p, by, ttl_ms, ret);
	dict_unlock(d, p.stripe);
	return r;
}

int dict_delete(struct dict *d, uint32_t space, struct str key)
{
	struct dict_probe p;
	struct dict_slot *slot;
	uint32_t index = 0;
	int r = dict_probe_init(d, &p, space, key);

	if (r == 0)
		r = dict_lock(d, p.stripe);
	if (r != 0)
		return r;
	slot = dict_probe_find(d, &p, &index);
	r = slot != NULL && dict_slot_is_live(slot, p.now_ms) ? 0 : DICT_E_ABSENT;
	if (slot != NULL)
		dict_probe_drop(d, &p, index);
	dict_unlock(d, p.stripe);
	return r;
}
