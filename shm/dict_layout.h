/* SPDX-License-Identifier: Apache-2.0
 *
 * shm/dict from inside: what is in the shared memory, and the lock of a stripe.
 */
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "shm/area.h"
#include "shm/dict.h"

#define DICT_STRIPES 128
#define DICT_WAYS 8 /* slots a key may use, per size */
#define DICT_ABI 2
#define DICT_OWNERS_MAX 256

enum dict_class { DICT_SMALL, DICT_LARGE, DICT_CLASSES };

/* Every field is read while somebody may write it: atomics, and the stripe's count tells
 * whether what was read belongs together. */
struct dict_slot {
	_Atomic uint64_t expires_ms;
	_Atomic uint64_t touched_ms; /* last write */
	_Atomic uint64_t number;     /* bits of the double */
	_Atomic uint32_t space, kind, key_n, value_n;
	_Atomic uint64_t data[]; /* the key, then the string from the next full word on */
};

/* One line of memory tells which of a bucket's slots a key may be in; the slots follow. */
struct dict_bucket {
	_Atomic uint64_t tags[DICT_WAYS]; /* hash of space and key; 0 = free */
};

struct dict_stripe {
	pthread_mutex_t lock;
	_Atomic uint64_t seq;   /* odd: a write is on its way */
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
	uint64_t size, quota, seed;
	uint64_t stripe_bytes;          /* of slots */
	uint32_t buckets[DICT_CLASSES]; /* per stripe, of DICT_WAYS slots each */
	uint64_t slots_at;              /* offset of the first stripe's slots */
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
	uint32_t buckets[DICT_CLASSES];
	uint64_t stripe_bytes, slots_at, seed, quota;
	/* of this process, once it holds entries; incarnation 0 = not yet */
	uint32_t owner, serial;
	uint64_t incarnation;
};
#define DICT_MAGIC SL_MAGIC('D', 'I', 'C', 'T')

static const uint32_t dict_slot_bytes[DICT_CLASSES] = {256, 4096};

static inline uint32_t dict_room(enum dict_class class)
{
	return dict_slot_bytes[class] - (uint32_t)sizeof(struct dict_slot);
}

static inline uint64_t dict_bucket_bytes(enum dict_class class)
{
	return sizeof(struct dict_bucket) + DICT_WAYS * (uint64_t)dict_slot_bytes[class];
}

/* Buckets of a stripe are numbered small ones first, and so their slots: bucket * DICT_WAYS +
 * way. */
static inline struct dict_bucket *dict_bucket_at(
		const struct dict *d, unsigned stripe, uint32_t bucket, enum dict_class class)
{
	uint32_t n_small = d->buckets[DICT_SMALL];
	char *p = (char *)d->area + d->slots_at + stripe * d->stripe_bytes;

	if (class == DICT_SMALL)
		p += bucket * dict_bucket_bytes(DICT_SMALL);
	else
		p += n_small * dict_bucket_bytes(DICT_SMALL) +
		     (bucket - n_small) * dict_bucket_bytes(DICT_LARGE);
	return (struct dict_bucket *)(void *)p;
}

static inline struct dict_slot *dict_slot_of(
		struct dict_bucket *b, uint32_t way, enum dict_class class)
{
	return (struct dict_slot *)(void *)((char *)(b + 1) + way * dict_slot_bytes[class]);
}

static inline enum dict_class dict_slot_class(const struct dict *d, uint32_t index)
{
	return index < d->buckets[DICT_SMALL] * DICT_WAYS ? DICT_SMALL : DICT_LARGE;
}

/* 0 or DICT_E_BUSY.  Repairs what a dead holder left. */
int dict_lock(struct dict *d, unsigned stripe);
void dict_unlock(struct dict *d, unsigned stripe);
/* Between these the slot may be in any state; the lock is held. */
void dict_write_begin(struct dict_stripe *s, uint32_t index);
void dict_write_end(struct dict_stripe *s);
/* The slot becomes free; between begin and end. */
void dict_slot_clear(struct dict *d, unsigned stripe, uint32_t index);
/* Before the memory goes: this process holds nothing any more. */
void dict_leave(struct dict *d);

/* A key on its way through the table. */
#define DICT_KEY_WORDS (DICT_KEY_MAX / 8)
struct dict_probe {
	uint64_t tag, now_ms;
	uint32_t space, key_n;
	unsigned stripe, n_words;
	uint64_t words[DICT_KEY_WORDS];
};
/* 0, DICT_E_TOO_LONG, DICT_E_ABSENT (there is no such space). */
int dict_probe_init(const struct dict *d, struct dict_probe *p, uint32_t space, struct str key);
/* The key's slot and its number; NULL = none. */
struct dict_slot *dict_probe_find(
		const struct dict *d, const struct dict_probe *p, uint32_t *ret_index);
/* With the stripe's lock.  have: the key's slot, NULL = none.  bits: for DICT_HELD. */
int dict_probe_write(struct dict *d, const struct dict_probe *p, struct dict_slot *have,
		uint32_t have_index, const struct dict_input *value, uint64_t bits,
		uint64_t ttl_ms);
void dict_probe_drop(struct dict *d, const struct dict_probe *p, uint32_t index);

static inline bool dict_slot_is_live(const struct dict_slot *slot, uint64_t now_ms)
{
	uint64_t expires = atomic_load_explicit(&slot->expires_ms, memory_order_acquire);

	return expires == 0 || expires > now_ms;
}

/* As pthread_mutex_lock, for a bounded time.  0, EOWNERDEAD, DICT_E_BUSY. */
int dict_mutex_take(pthread_mutex_t *m);
