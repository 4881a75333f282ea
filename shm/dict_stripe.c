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

/* After a trylock that gave r. */
static int wait_for(pthread_mutex_t *m, int r)
{
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

int dict_mutex_take(pthread_mutex_t *m)
{
	return wait_for(m, pthread_mutex_trylock(m));
}

/* Never below zero: the memory is not trusted, and a crash may lose one addition. */
static void take_off(_Atomic uint64_t *gauge, uint64_t n)
{
	uint64_t v = atomic_load_explicit(gauge, memory_order_relaxed);

	while (!atomic_compare_exchange_weak_explicit(
			gauge, &v, v > n ? v - n : 0, memory_order_relaxed, memory_order_relaxed))
		;
}

void dict_slot_clear(struct dict *d, unsigned stripe, const struct dict_place *at)
{
	_Atomic uint32_t *tag = dict_tag_of(d, stripe, at);
	uint64_t what = atomic_load_explicit(&at->slot->what, memory_order_relaxed);
	uint32_t space = dict_what_space(what), n = dict_slot_bytes[at->class];

	if (atomic_load_explicit(tag, memory_order_relaxed) == 0)
		return;
	take_off(&d->area->entries, 1);
	take_off(&d->area->used_bytes, n);
	if (space < DICT_SPACES_MAX)
		take_off(&d->area->spaces[space].used_bytes, n);
	/* last: a death before it counts the slot off twice, one behind it would never */
	atomic_store_explicit(tag, 0, memory_order_release);
}

static void repair(struct dict *d, unsigned stripe)
{
	struct dict_stripe *s = &d->area->stripes[stripe];
	uint32_t dirty = atomic_load_explicit(&s->dirty, memory_order_relaxed);
	uint32_t bucket = (dirty - 1) / (2 * DICT_WAYS);
	struct dict_place at;

	if (dirty != 0 && bucket < d->n_pairs + d->n_large) {
		at = dict_place_in(d, dict_bucket_at(d, stripe, bucket), bucket,
				(dirty - 1) % (2 * DICT_WAYS));
		dict_write_begin(s, &at);
		dict_slot_clear(d, stripe, &at);
		dict_write_end(s, &at, 0);
	} else if ((atomic_load_explicit(&s->seq, memory_order_relaxed) & 1) != 0) {
		atomic_fetch_add_explicit(&s->seq, 1, memory_order_release);
	}
	atomic_fetch_add_explicit(&d->area->repairs, 1, memory_order_relaxed);
}

int dict_lock_slowly(struct dict *d, unsigned stripe, int r)
{
	struct dict_stripe *s = &d->area->stripes[stripe];

	r = wait_for(&s->lock, r);
	if (r != EOWNERDEAD)
		return r;
	repair(d, stripe);
	pthread_mutex_consistent(&s->lock);
	return 0;
}
