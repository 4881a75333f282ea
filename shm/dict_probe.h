/* SPDX-License-Identifier: Apache-2.0
 *
 * shm/dict: from a key to its slot.  All inline: this is most of the work of every call.
 */
#pragma once

#include <string.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "base/check.h"
#include "shm/dict_layout.h"

static inline uint64_t dict_mix(uint64_t a, uint64_t b)
{
	__extension__ unsigned __int128 m = (unsigned __int128)a * b;

	return (uint64_t)m ^ (uint64_t)(m >> 64);
}

static inline uint64_t dict_word_at(const char *p)
{
	uint64_t word;

	memcpy(&word, p, sizeof(word));
	return word;
}

/* The last n = 1 to 7 bytes of a key, then zeros. */
static inline uint64_t dict_last_word(struct str key, size_t n)
{
	const char *p = key.p + key.n - n;
	uint64_t word = 0;

	if (key.n >= 8)
		return dict_word_at(key.p + key.n - 8) >> 8 * (8 - n);
	for (size_t i = 0; i < n; i++)
		word |= (uint64_t)(uint8_t)p[i] << 8 * i;
	return word;
}

/* 0, DICT_E_TOO_LONG, DICT_E_ABSENT (there is no such space).  The seeds keep clients from choosing
 * keys that share a bucket. */
__attribute__((always_inline)) static inline int dict_probe_init(
		const struct dict *d, struct dict_probe *p, uint32_t space, struct str key)
{
	uint64_t what = dict_what(space, (uint32_t)key.n, 0, 0), h = d->seed ^ what;
	size_t n = 0, full = key.n / 8;

	sl_check(d, DICT_MAGIC);
	if (__builtin_expect(key.n > DICT_KEY_MAX, 0))
		return DICT_E_TOO_LONG;
	if (__builtin_expect(space >= DICT_SPACES_MAX, 0))
		return DICT_E_ABSENT;
	for (; n + 2 <= full; n += 2) {
		p->words[n] = dict_word_at(key.p + n * 8);
		p->words[n + 1] = dict_word_at(key.p + n * 8 + 8);
		h = dict_mix(h ^ p->words[n], d->seed_2 ^ p->words[n + 1]);
	}
	if (key.n > n * 8) {
		p->words[n] = n < full ? dict_word_at(key.p + n * 8)
				       : dict_last_word(key, key.n % 8);
		p->words[n + 1] = n < full && key.n % 8 != 0 ? dict_last_word(key, key.n % 8) : 0;
		h = dict_mix(h ^ p->words[n], d->seed_2 ^ p->words[n + 1]);
	}
	p->hash = dict_mix(h ^ d->seed_2, d->seed);
	p->n_words = (unsigned)(key.n + 7) / 8;
	p->what = what;
	p->space = space;
	p->now_ms = 0;
	return 0;
}

/* The bucket of tiny and small slots, and that of large ones, in which the key may be. */
static inline uint32_t dict_pair_of(const struct dict *d, const struct dict_probe *p)
{
	return (uint32_t)((p->hash >> 32) * d->n_pairs >> 32);
}

static inline uint32_t dict_large_of(const struct dict *d, const struct dict_probe *p)
{
	return d->n_pairs + (uint32_t)((p->hash >> 32) * d->n_large >> 32);
}

static inline uint32_t dict_tag_at(const struct dict_bucket *b, uint32_t way)
{
	return atomic_load_explicit(&b->tags[way], memory_order_acquire);
}

/* The tag again, behind the stamp: a slot that changed hands has another stamp later. */
static inline bool dict_holds(const struct dict_slot *slot, const struct dict_bucket *b,
		uint32_t way, struct dict_probe *p)
{
	uint64_t stamp = atomic_load_explicit(&slot->stamp, memory_order_acquire);
	unsigned n = p->n_words;

	p->stamp = stamp;
	if ((stamp & 1) != 0 || dict_tag_at(b, way) != dict_tag(p) ||
			(atomic_load_explicit(&slot->what, memory_order_acquire) & DICT_WHAT_KEY) !=
					p->what)
		return false;
	for (unsigned i = 0; i < n; i++)
		if (atomic_load_explicit(&slot->data[i], memory_order_acquire) != p->words[i])
			return false;
	return true;
}

/* One bit for each way with that tag. */
#if defined(__SSE2__) && !defined(__SANITIZE_THREAD__)
static inline unsigned dict_ways_of(const struct dict_bucket *b, uint32_t tag)
{
	const __m128i *tags = (const __m128i *)(const void *)b;
	__m128i wanted = _mm_set1_epi32((int)tag);
	__m128i low = _mm_packs_epi32(
			_mm_cmpeq_epi32(tags[0], wanted), _mm_cmpeq_epi32(tags[1], wanted));
	__m128i high = _mm_packs_epi32(
			_mm_cmpeq_epi32(tags[2], wanted), _mm_cmpeq_epi32(tags[3], wanted));

	return (unsigned)_mm_movemask_epi8(_mm_packs_epi16(low, high));
}
#else
static inline unsigned dict_ways_of(const struct dict_bucket *b, uint32_t tag)
{
	unsigned ways = 0;

	for (unsigned way = 0; way < 2 * DICT_WAYS; way++)
		ways |= (unsigned)(dict_tag_at(b, way) == tag) << way;
	return ways;
}
#endif

static inline bool dict_is_in(const struct dict *d, const struct dict_bucket *b, uint32_t bucket,
		uint32_t way, struct dict_probe *p, struct dict_place *ret)
{
	if (dict_tag_at(b, way) != dict_tag(p))
		return false;
	*ret = dict_place_in(d, b, bucket, way);
	return dict_holds(ret->slot, b, way, p);
}

/* In any way of that bucket. */
struct dict_place dict_probe_search(const struct dict *d, struct dict_probe *p, uint32_t bucket);

/* Where the key is.  Without the stripe's lock: it counts when the slot's stamp is p->stamp
 * afterwards, and that it is nowhere counts when the stripe's seq is as before. */
__attribute__((always_inline)) static inline struct dict_place dict_probe_find(
		const struct dict *d, struct dict_probe *p)
{
	uint32_t bucket = dict_pair_of(d, p);
	const struct dict_bucket *b = dict_bucket_at(d, dict_stripe_of(p), bucket);
	struct dict_place at = dict_place_in(d, b, bucket, dict_home(p));

	/* where it most likely is: both lines come from memory at the same time */
	__builtin_prefetch(at.slot);
	if (dict_is_in(d, b, bucket, dict_home(p), p, &at) ||
			dict_is_in(d, b, bucket, dict_home(p) + DICT_WAYS, p, &at))
		return at;
	at = dict_probe_search(d, p, bucket);
	return at.slot != NULL ? at : dict_probe_search(d, p, dict_large_of(d, p));
}
