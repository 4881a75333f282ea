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
#define DICT_ABI 1

enum dict_class { DICT_SMALL, DICT_LARGE, DICT_CLASSES };

/* Every field is read while somebody may write it: atomics, and the stripe's count tells
 * whether what was read belongs together. */
struct dict_slot {
	_Atomic uint64_t tag; /* hash of space and key; 0 = free */
	_Atomic uint64_t expires_ms;
	_Atomic uint64_t touched_ms; /* last write */
	_Atomic uint64_t number;     /* bits of the double */
	_Atomic uint32_t space, kind, key_n, value_n;
	_Atomic uint64_t data[]; /* the key, then the string from the next full word on */
};

struct dict_stripe {
	pthread_mutex_t lock;
	_Atomic uint64_t seq;   /* odd: a write is on its way */
	_Atomic uint32_t dirty; /* 1 + index of the slot being written; 0 = none */
} __attribute__((aligned(64)));

struct dict_space_row {
	_Atomic uint64_t used_bytes;
	char name[DICT_SPACE_MAX + 1];
};

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
	struct dict_stripe stripes[DICT_STRIPES];
};

struct dict {
	uint32_t magic;
	struct dict_area *area;
	size_t size;
	/* copies of what the area says, checked once: a hostile worker cannot change these */
	uint32_t buckets[DICT_CLASSES];
	uint64_t stripe_bytes, slots_at, seed, quota;
};
#define DICT_MAGIC SL_MAGIC('D', 'I', 'C', 'T')

static const uint32_t dict_slot_bytes[DICT_CLASSES] = {256, 4096};

static inline uint32_t dict_room(enum dict_class class)
{
	return dict_slot_bytes[class] - (uint32_t)sizeof(struct dict_slot);
}

/* Slots of a stripe are numbered small ones first. */
struct dict_slot *dict_slot_at(const struct dict *d, unsigned stripe, uint32_t index);
enum dict_class dict_slot_class(const struct dict *d, uint32_t index);

/* 0 or DICT_E_BUSY.  Repairs what a dead holder left. */
int dict_lock(struct dict *d, unsigned stripe);
void dict_unlock(struct dict *d, unsigned stripe);
/* Between these the slot may be in any state; the lock is held. */
void dict_write_begin(struct dict_stripe *s, uint32_t index);
void dict_write_end(struct dict_stripe *s);
/* The slot becomes free; between begin and end. */
void dict_slot_clear(struct dict *d, struct dict_slot *slot, enum dict_class class);
/* As pthread_mutex_lock, for a bounded time.  0, EOWNERDEAD, DICT_E_BUSY. */
int dict_mutex_take(pthread_mutex_t *m);
