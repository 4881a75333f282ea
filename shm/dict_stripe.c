/* SPDX-License-Identifier: Apache-2.0
 *
 * One stripe of shm/dict: its lock, and what is left by a process that died with it.
 */
#include <errno.h>

#include "base/check.h"
#include "base/clock.h"
#include "shm/dict_layout.h"

/* A holder that lost its CPU is waited for; one that is stopped is not. */
#define LOCK_PATIENCE_NS 1000000000U

/* ThreadSanitizer knows no clocklock. */
#ifdef __SANITIZE_THREAD__
#define pthread_mutex_clocklock(m, clock, until) ((void)(until), pthread_mutex_lock(m))
#endif

int dict_mutex_take(pthread_mutex_t *m)
{
	int r = pthread_mutex_trylock(m);
	struct timespec until;
	uint64_t ns;

	if (r == EBUSY) {
		ns = clock_mono_ns() + LOCK_PATIENCE_NS;
		until = (struct timespec){.tv_sec = (time_t)(ns / 1000000000U),
				.tv_nsec = (long)(ns % 1000000000U)};
		r = pthread_mutex_clocklock(m, CLOCK_MONOTONIC, &until);
	}
	return r == 0 || r == EOWNERDEAD ? r : DICT_E_BUSY;
}

/* Never below zero: the memory is not trusted, and a crash may lose one addition. */
static void take_off(_Atomic uint64_t *gauge, uint64_t n)
{
	uint64_t v = atomic_load_explicit(gauge, memory_order_relaxed);

	while (!atomic_compare_exchange_weak_explicit(
			gauge, &v, v > n ? v - n : 0, memory_order_relaxed, memory_order_relaxed))
		;
}

void dict_slot_clear(struct dict *d, unsigned stripe, uint32_t index)
{
	enum dict_class class = dict_slot_class(d, index);
	struct dict_bucket *b = dict_bucket_at(d, stripe, index / DICT_WAYS, class);
	struct dict_slot *slot = dict_slot_of(b, index % DICT_WAYS, class);
	uint32_t space = atomic_load_explicit(&slot->space, memory_order_relaxed);

	if (atomic_load_explicit(&b->tags[index % DICT_WAYS], memory_order_relaxed) == 0)
		return;
	take_off(&d->area->entries, 1);
	take_off(&d->area->used_bytes, dict_slot_bytes[class]);
	if (space < DICT_SPACES_MAX)
		take_off(&d->area->spaces[space].used_bytes, dict_slot_bytes[class]);
	/* last: a death before it counts the slot off twice, one behind it would never */
	atomic_store_explicit(&b->tags[index % DICT_WAYS], 0, memory_order_release);
}

void dict_write_begin(struct dict_stripe *s, uint32_t index)
{
	atomic_store_explicit(&s->dirty, index + 1, memory_order_relaxed);
	atomic_store_explicit(&s->seq, atomic_load_explicit(&s->seq, memory_order_relaxed) | 1,
			memory_order_release);
}

void dict_write_end(struct dict_stripe *s)
{
	atomic_store_explicit(&s->seq,
			(atomic_load_explicit(&s->seq, memory_order_relaxed) | 1) + 1,
			memory_order_release);
	atomic_store_explicit(&s->dirty, 0, memory_order_release);
}

static void repair(struct dict *d, unsigned stripe)
{
	struct dict_stripe *s = &d->area->stripes[stripe];
	uint32_t dirty = atomic_load_explicit(&s->dirty, memory_order_relaxed);
	uint32_t n = (d->buckets[DICT_SMALL] + d->buckets[DICT_LARGE]) * DICT_WAYS;

	if (dirty != 0 && dirty <= n) {
		dict_write_begin(s, dirty - 1);
		dict_slot_clear(d, stripe, dirty - 1);
	}
	dict_write_end(s);
	atomic_fetch_add_explicit(&d->area->repairs, 1, memory_order_relaxed);
}

int dict_lock(struct dict *d, unsigned stripe)
{
	struct dict_stripe *s = &d->area->stripes[stripe];
	int r = dict_mutex_take(&s->lock);

	if (r != EOWNERDEAD)
		return r;
	repair(d, stripe);
	pthread_mutex_consistent(&s->lock);
	return 0;
}

void dict_unlock(struct dict *d, unsigned stripe)
{
	pthread_mutex_unlock(&d->area->stripes[stripe].lock);
}
