/* SPDX-License-Identifier: Apache-2.0
 *
 * shm/dict from inside: what is in the shared memory, and the lock of a stripe.
 */
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "base/clock.h"
#include "shm/area.h"
#include "shm/dict.h"

#define DICT_STRIPES 128
#define DICT_WAYS 8 /* slots a key may use, per size */
#define DICT_ABI 3
#define DICT_OWNERS_MAX 256

enum dict_class { DICT_TINY, DICT_SMALL, DICT_LARGE, DICT_CLASSES };

/* Every field is read while somebody may write it: atomics, and the version tells whether what
 * was read belongs together.  Number and version are changed as one (dict_incr). */
struct dict_slot {
	_Atomic uint64_t number; /* bits of the double */
	_Atomic uint64_t stamp; /* version, odd: a write is on its way; when it was touched above */
	_Atomic uint64_t expires_ms;
	_Atomic uint64_t what;   /* dict_what() */
	_Atomic uint64_t data[]; /* the key, then the string from the next full word on */
} __attribute__((aligned(16)));

/* One line of memory tells which of a bucket's slots a key may be in; the slots follow: DICT_WAYS
 * tiny ones and as many small ones, or DICT_WAYS large ones. */
struct dict_bucket {
	_Atomic uint32_t tags[2 * DICT_WAYS]; /* part of the key's hash; 0 = free */
} __attribute__((aligned(64)));

/* Space, length of the key, kind and length of the string in one word. */
#define DICT_WHAT_KEY UINT64_C(0x00ffffffff000000)
static inline uint64_t dict_what(uint32_t space, uint32_t key_n, enum dict_kind kind, size_t n)
{
	return (uint64_t)space << 32 | (uint64_t)key_n << 24 | (uint64_t)kind << 16 | n;
}
static inline uint32_t dict_what_space(uint64_t what)
{
	return (uint32_t)(what >> 32) & 0xffffff;
}
static inline enum dict_kind dict_what_kind(uint64_t what)
{
	return (enum dict_kind)(what >> 16 & 0xff);
}
static inline uint32_t dict_what_value_n(uint64_t what)
{
	return (uint32_t)what & 0xffff;
}

/* A stamp's upper half: when the slot was last written, in units that wrap after two years. */
#define DICT_TOUCH_MS 16
static inline uint32_t dict_stamp_touched(uint64_t stamp)
{
	return (uint32_t)(stamp >> 32);
}
static inline uint64_t dict_stamp(uint64_t version, uint64_t now_ms)
{
	return (uint64_t)(uint32_t)(now_ms / DICT_TOUCH_MS) << 32 | (uint32_t)version;
}

struct dict_stripe {
	pthread_mutex_t lock;
	_Atomic uint64_t seq;   /* odd: a write is on its way, entries may come or go */
	_Atomic uint32_t dirty; /* 1 + index of the slot being written; 0 = none */
} __attribute__((aligned(64)));

struct dict_space_row {
	_Atomic uint64_t used_bytes;
	_Atomic uint64_t epoch;
	char name[DICT_SPACE_MAX + 1];
};

/* A process that may hold entries: it keeps the mutex locked for life, so that the kernel tells
 * everybody of its death. */
struct dict_owner {
	pthread_mutex_t alive;
	_Atomic uint64_t incarnation; /* which of the processes that had this row */
} __attribute__((aligned(64)));

struct dict_area {
	struct area_head head;
	uint64_t size, quota, seeds[2];
	uint64_t stripe_bytes;     /* of slots */
	uint32_t n_pairs, n_large; /* buckets per stripe: of tiny and small slots, of large ones */
	uint64_t slots_at;         /* offset of the first stripe's slots */
	_Atomic uint64_t used_bytes, entries, evictions, refusals, repairs;
	_Atomic uint32_t n_spaces;
	pthread_mutex_t spaces_lock;
	struct dict_space_row spaces[DICT_SPACES_MAX];
	struct dict_owner owners[DICT_OWNERS_MAX];
	struct dict_stripe stripes[DICT_STRIPES];
};

struct dict {
	uint32_t magic;
	struct dict_area *area;
	size_t size;
	/* copies of what the area says, checked once: a hostile worker cannot change these */
	uint32_t n_pairs, n_large;
	uint64_t stripe_bytes, slots_at, quota;
	uint64_t seed, seed_2;
	/* of this process, once it holds entries; incarnation 0 = not yet */
	uint32_t owner, serial;
	uint64_t incarnation;
};
#define DICT_MAGIC SL_MAGIC('D', 'I', 'C', 'T')

static const uint32_t dict_slot_bytes[DICT_CLASSES] = {64, 256, 4096};

static inline uint32_t dict_room(enum dict_class class)
{
	return dict_slot_bytes[class] - (uint32_t)sizeof(struct dict_slot);
}

#define DICT_PAIR_BYTES (sizeof(struct dict_bucket) + DICT_WAYS * (64 + 256))
#define DICT_LARGE_BYTES (sizeof(struct dict_bucket) + DICT_WAYS * 4096)

/* The buckets of a stripe are numbered, large ones last; slots by bucket and way. */
static inline struct dict_bucket *dict_bucket_at(
		const struct dict *d, unsigned stripe, uint32_t bucket)
{
	char *p = (char *)d->area + d->slots_at + stripe * d->stripe_bytes;

	if (bucket < d->n_pairs)
		p += bucket * DICT_PAIR_BYTES;
	else
		p += d->n_pairs * DICT_PAIR_BYTES + (bucket - d->n_pairs) * DICT_LARGE_BYTES;
	return (struct dict_bucket *)(void *)p;
}

/* Where a slot is. */
struct dict_place {
	struct dict_slot *slot; /* NULL: nowhere */
	uint32_t index;         /* in its stripe: bucket * 2 * DICT_WAYS + way */
	enum dict_class class;
};

static inline struct dict_place dict_place_in(
		const struct dict *d, const struct dict_bucket *b, uint32_t bucket, uint32_t way)
{
	struct dict_place at = {.index = bucket * 2 * DICT_WAYS + way, .class = DICT_LARGE};
	uintptr_t p = (uintptr_t)(b + 1);

	if (__builtin_expect(bucket >= d->n_pairs, 0)) {
		p += way % DICT_WAYS * dict_slot_bytes[DICT_LARGE];
	} else if (way < DICT_WAYS) {
		at.class = DICT_TINY;
		p += way * dict_slot_bytes[DICT_TINY];
	} else {
		at.class = DICT_SMALL;
		p += DICT_WAYS * dict_slot_bytes[DICT_TINY] +
		     (way - DICT_WAYS) * dict_slot_bytes[DICT_SMALL];
	}
	at.slot = (struct dict_slot *)p;
	return at;
}

static inline _Atomic uint32_t *dict_tag_of(
		const struct dict *d, unsigned stripe, const struct dict_place *at)
{
	struct dict_bucket *b = dict_bucket_at(d, stripe, at->index / (2 * DICT_WAYS));

	return &b->tags[at->index % (2 * DICT_WAYS)];
}

/* r: what pthread_mutex_trylock() said, not 0. */
int dict_lock_slowly(struct dict *d, unsigned stripe, int r);
/* 0 or DICT_E_BUSY.  Repairs what a dead holder left. */
static inline int dict_lock(struct dict *d, unsigned stripe)
{
	int r = pthread_mutex_trylock(&d->area->stripes[stripe].lock);

	return __builtin_expect(r == 0, 1) ? 0 : dict_lock_slowly(d, stripe, r);
}

static inline void dict_unlock(struct dict *d, unsigned stripe)
{
	pthread_mutex_unlock(&d->area->stripes[stripe].lock);
}

/* Between these the slot may be in any state; the lock is held. */
static inline void dict_write_begin(struct dict_stripe *s, const struct dict_place *at)
{
	atomic_store_explicit(&s->dirty, at->index + 1, memory_order_relaxed);
	atomic_store_explicit(&s->seq, atomic_load_explicit(&s->seq, memory_order_relaxed) | 1,
			memory_order_release);
	/* an addition without the lock is before this, or fails */
	atomic_store_explicit(&at->slot->stamp,
			atomic_load_explicit(&at->slot->stamp, memory_order_relaxed) | 1,
			memory_order_release);
}

static inline void dict_write_end(
		struct dict_stripe *s, const struct dict_place *at, uint64_t now_ms)
{
	uint64_t version = atomic_load_explicit(&at->slot->stamp, memory_order_relaxed) | 1;

	atomic_store_explicit(
			&at->slot->stamp, dict_stamp(version + 1, now_ms), memory_order_release);
	atomic_store_explicit(&s->seq,
			(atomic_load_explicit(&s->seq, memory_order_relaxed) | 1) + 1,
			memory_order_release);
	atomic_store_explicit(&s->dirty, 0, memory_order_release);
}

/* The slot becomes free; between begin and end. */
void dict_slot_clear(struct dict *d, unsigned stripe, const struct dict_place *at);
/* Before the memory goes: this process holds nothing any more. */
void dict_leave(struct dict *d);

/* A key on its way through the table. */
#define DICT_KEY_WORDS (DICT_KEY_MAX / 8)
struct dict_probe {
	uint64_t what;   /* space and length of the key */
	uint64_t now_ms; /* 0: not read yet */
	uint64_t stamp;  /* dict_probe_find: of the slot, from before it was looked at */
	uint64_t hash;
	uint32_t space;
	unsigned n_words;
	uint64_t words[DICT_KEY_WORDS + 1];
};

static inline uint32_t dict_tag(const struct dict_probe *p)
{
	return (uint32_t)p->hash | 1;
}

/* The way that is tried first. */
static inline uint32_t dict_home(const struct dict_probe *p)
{
	return p->hash >> 16 & (DICT_WAYS - 1);
}

static inline unsigned dict_stripe_of(const struct dict_probe *p)
{
	return p->hash >> 1 & (DICT_STRIPES - 1);
}

/* The place for a new entry of that size: with the stripe's lock.  Nowhere: the quota leaves
 * none. */
struct dict_place dict_probe_choose(struct dict *d, struct dict_probe *p, enum dict_class class);
/* With the stripe's lock.  have: where the key is.  bits: for DICT_HELD. */
int dict_probe_write(struct dict *d, struct dict_probe *p, const struct dict_place *have,
		const struct dict_input *value, uint64_t bits, uint64_t ttl_ms);
void dict_probe_drop(struct dict *d, struct dict_probe *p, const struct dict_place *at);

static inline uint64_t dict_probe_now(struct dict_probe *p)
{
	if (p->now_ms == 0)
		p->now_ms = clock_read_ns(CLOCK_MONOTONIC_COARSE) / 1000000U;
	return p->now_ms;
}

static inline bool dict_slot_is_live(const struct dict_slot *slot, struct dict_probe *p)
{
	uint64_t expires = atomic_load_explicit(&slot->expires_ms, memory_order_acquire);

	return expires == 0 || expires > dict_probe_now(p);
}

static inline enum dict_kind dict_slot_kind(const struct dict_slot *slot)
{
	return dict_what_kind(atomic_load_explicit(&slot->what, memory_order_acquire));
}

/* As pthread_mutex_lock, for a bounded time.  0, EOWNERDEAD, DICT_E_BUSY. */
int dict_mutex_take(pthread_mutex_t *m);
