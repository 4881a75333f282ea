/* SPDX-License-Identifier: Apache-2.0
 *
 * Entries of shm/dict that are held as locks, and whether their holder is still alive.
 */
#include <errno.h>

#include "shm/dict_probe.h"

#define INCARNATION_MASK 0xffffffU

/* owner's row, its incarnation, a serial number */
static uint64_t token_of(uint32_t owner, uint64_t incarnation, uint32_t serial)
{
	return (uint64_t)owner << 56 | (incarnation & INCARNATION_MASK) << 32 | serial;
}

/* True: the row is ours from here on, whoever had it is gone. */
static bool take_row(struct dict_owner *o)
{
	int r = pthread_mutex_trylock(&o->alive);

	if (r == EOWNERDEAD)
		pthread_mutex_consistent(&o->alive);
	else if (r != 0)
		return false;
	atomic_fetch_add_explicit(&o->incarnation, 1, memory_order_acq_rel);
	return true;
}

static int join(struct dict *d)
{
	for (uint32_t i = 0; i < DICT_OWNERS_MAX; i++) {
		struct dict_owner *o = &d->area->owners[i];

		if (!take_row(o))
			continue;
		d->owner = i;
		d->incarnation = atomic_load_explicit(&o->incarnation, memory_order_relaxed);
		return 0;
	}
	return DICT_E_FULL;
}

void dict_leave(struct dict *d)
{
	if (d->area != NULL && d->incarnation != 0)
		pthread_mutex_unlock(&d->area->owners[d->owner].alive);
}

static bool is_alive(struct dict *d, uint64_t token)
{
	struct dict_owner *o = &d->area->owners[token >> 56];
	uint64_t incarnation;

	if (token >> 56 != d->owner && take_row(o))
		pthread_mutex_unlock(&o->alive);
	incarnation = atomic_load_explicit(&o->incarnation, memory_order_acquire);
	return (incarnation & INCARNATION_MASK) == (token >> 32 & INCARNATION_MASK);
}

static uint64_t holder_of(const struct dict_slot *slot)
{
	return atomic_load_explicit(&slot->number, memory_order_acquire);
}

static bool is_held(const struct dict_slot *slot, struct dict_probe *p)
{
	return slot != NULL && dict_slot_is_live(slot, p) && dict_slot_kind(slot) == DICT_HELD;
}

static int hold_locked(struct dict *d, struct dict_probe *p, uint64_t ttl_ms, uint64_t *ret)
{
	struct dict_place at = dict_probe_find(d, p);
	const struct dict_input in = {.kind = DICT_HELD};

	if (at.slot != NULL && dict_slot_is_live(at.slot, p)) {
		if (!is_held(at.slot, p))
			return DICT_E_TYPE;
		if (is_alive(d, holder_of(at.slot)))
			return DICT_E_EXISTS;
	}
	*ret = token_of(d->owner, d->incarnation, ++d->serial);
	return dict_probe_write(d, p, &at, &in, *ret, ttl_ms);
}

int dict_hold(struct dict *d, uint32_t space, struct str key, uint64_t ttl_ms, uint64_t *ret)
{
	struct dict_probe p;
	int r = dict_probe_init(d, &p, space, key);

	if (r == 0 && d->incarnation == 0)
		r = join(d);
	if (r == 0)
		r = dict_lock(d, dict_stripe_of(&p));
	if (r != 0)
		return r;
	r = hold_locked(d, &p, ttl_ms, ret);
	dict_unlock(d, dict_stripe_of(&p));
	return r;
}

/* ttl_ms 0: it ends now. */
static int change(struct dict *d, uint32_t space, struct str key, uint64_t token, uint64_t ttl_ms)
{
	struct dict_probe p;
	struct dict_place at;
	int r = dict_probe_init(d, &p, space, key);

	if (r == 0)
		r = dict_lock(d, dict_stripe_of(&p));
	if (r != 0)
		return r;
	at = dict_probe_find(d, &p);
	if (!is_held(at.slot, &p) || holder_of(at.slot) != token)
		r = DICT_E_ABSENT;
	else if (ttl_ms == 0)
		dict_probe_drop(d, &p, &at);
	else
		atomic_store_explicit(&at.slot->expires_ms, dict_probe_now(&p) + ttl_ms,
				memory_order_release);
	dict_unlock(d, dict_stripe_of(&p));
	return r;
}

int dict_release(struct dict *d, uint32_t space, struct str key, uint64_t token)
{
	return change(d, space, key, token, 0);
}

int dict_prolong(struct dict *d, uint32_t space, struct str key, uint64_t token, uint64_t ttl_ms)
{
	return change(d, space, key, token, ttl_ms != 0 ? ttl_ms : 1);
}

uint64_t dict_epoch(const struct dict *d, uint32_t space)
{
	return space < DICT_SPACES_MAX ? atomic_load_explicit(&d->area->spaces[space].epoch,
							 memory_order_acquire)
				       : 0;
}

void dict_epoch_next(struct dict *d, uint32_t space)
{
	if (space < DICT_SPACES_MAX)
		atomic_fetch_add_explicit(&d->area->spaces[space].epoch, 1, memory_order_acq_rel);
}
