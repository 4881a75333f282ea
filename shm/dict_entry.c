/* SPDX-License-Identifier: Apache-2.0
 *
 * Entries of shm/dict: found and added to without a lock, written under their stripe's.
 */
#include <string.h>

#include "shm/dict_probe.h"

#define SPINS 1000

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

static void copy_string(const struct dict_place *at, const struct dict_probe *p, size_t n,
		struct dict_value *ret)
{
	size_t room = dict_room(at->class) - (size_t)p->n_words * 8;

	room = room < DICT_VALUE_MAX ? room : DICT_VALUE_MAX;
	ret->n = n < room ? n : room;
	for (size_t i = 0; i < ret->n; i += 8) {
		uint64_t word = atomic_load_explicit(
				&at->slot->data[p->n_words + i / 8], memory_order_acquire);

		memcpy(ret->bytes + i, &word, sizeof(word));
	}
}

/* value or expires_ms may be NULL. */
static inline int read_entry(const struct dict_place *at, struct dict_probe *p,
		struct dict_value *value, uint64_t *expires_ms)
{
	uint64_t what;

	if (at->slot == NULL || !dict_slot_is_live(at->slot, p))
		return DICT_E_ABSENT;
	if (expires_ms != NULL)
		*expires_ms = atomic_load_explicit(&at->slot->expires_ms, memory_order_acquire);
	if (value == NULL)
		return 0;
	what = atomic_load_explicit(&at->slot->what, memory_order_acquire);
	value->kind = dict_what_kind(what);
	value->number = number_of(at->slot);
	value->n = 0;
	if (dict_what_value_n(what) != 0)
		copy_string(at, p, dict_what_value_n(what), value);
	return 0;
}

__attribute__((noinline)) static int read_locked(struct dict *d, struct dict_probe *p,
		struct dict_value *value, uint64_t *expires_ms)
{
	struct dict_place at;
	int r = dict_lock(d, dict_stripe_of(p));

	if (r != 0)
		return r;
	at = dict_probe_find(d, p);
	r = read_entry(&at, p, value, expires_ms);
	dict_unlock(d, dict_stripe_of(p));
	return r;
}

/* Nobody wrote since p looked at the slot; where it found none, to the stripe. */
static inline bool is_unchanged(const struct dict_stripe *s, uint64_t seq,
		const struct dict_place *at, const struct dict_probe *p)
{
	if (at->slot != NULL)
		return atomic_load_explicit(&at->slot->stamp, memory_order_relaxed) == p->stamp;
	return (seq & 1) == 0 && atomic_load_explicit(&s->seq, memory_order_relaxed) == seq;
}

__attribute__((always_inline)) static inline int read_unlocked(struct dict *d, struct dict_probe *p,
		struct dict_value *value, uint64_t *expires_ms)
{
	const struct dict_stripe *s = &d->area->stripes[dict_stripe_of(p)];

	for (unsigned spins = 0; spins < SPINS; spins++) {
		uint64_t seq = atomic_load_explicit(&s->seq, memory_order_acquire);
		struct dict_place at = dict_probe_find(d, p);
		int r = read_entry(&at, p, value, expires_ms);

		if (__builtin_expect(is_unchanged(s, seq, &at, p), 1))
			return r;
	}
	/* a writer died within its write, or is stopped: the lock tells and repairs */
	return read_locked(d, p, value, expires_ms);
}

int dict_get(struct dict *d, uint32_t space, struct str key, struct dict_value *ret)
{
	struct dict_probe p;
	int r = dict_probe_init(d, &p, space, key);

	return r != 0 ? r : read_unlocked(d, &p, ret, NULL);
}

/* A hold may have been prolonged since it was found alive. */
static uint64_t left_ms(uint64_t expires_ms, uint64_t now_ms)
{
	if (expires_ms == 0)
		return UINT64_MAX;
	return expires_ms > now_ms ? expires_ms - now_ms : 0;
}

int dict_ttl(struct dict *d, uint32_t space, struct str key, uint64_t *ret)
{
	uint64_t expires_ms = 0;
	struct dict_probe p;
	int r = dict_probe_init(d, &p, space, key);

	if (r == 0)
		r = read_unlocked(d, &p, NULL, &expires_ms);
	if (r == 0)
		*ret = left_ms(expires_ms, dict_probe_now(&p));
	return r;
}

/* ---- writing: with the stripe's lock ---- */

static inline void put(_Atomic uint64_t *word, uint64_t v)
{
	atomic_store_explicit(word, v, memory_order_release);
}

static void put_string(_Atomic uint64_t *ret, const char *p, size_t n)
{
	uint64_t word = 0;
	size_t at = 0;

	for (; at + 8 <= n; at += 8)
		put(ret++, dict_word_at(p + at));
	if (at < n) {
		memcpy(&word, p + at, n - at);
		put(ret, word);
	}
}

/* All but the key. */
static inline void fill(struct dict_slot *slot, struct dict_probe *p,
		const struct dict_input *value, uint64_t bits, uint64_t ttl_ms)
{
	size_t n = value->kind == DICT_STRING ? value->text.n : 0;

	put(&slot->what, p->what | dict_what(0, 0, value->kind, n));
	put(&slot->expires_ms, ttl_ms != 0 ? dict_probe_now(p) + ttl_ms : 0);
	put(&slot->number, bits);
	if (n != 0)
		put_string(&slot->data[p->n_words], value->text.p, n);
}

static void count_in(struct dict *d, uint32_t space, enum dict_class class)
{
	uint64_t n = dict_slot_bytes[class];

	atomic_fetch_add_explicit(&d->area->entries, 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&d->area->used_bytes, n, memory_order_relaxed);
	atomic_fetch_add_explicit(&d->area->spaces[space].used_bytes, n, memory_order_relaxed);
}

void dict_probe_drop(struct dict *d, struct dict_probe *p, const struct dict_place *at)
{
	struct dict_stripe *s = &d->area->stripes[dict_stripe_of(p)];

	dict_write_begin(s, at);
	dict_slot_clear(d, dict_stripe_of(p), at);
	dict_write_end(s, at, dict_probe_now(p));
}

/* The smallest slot that has room. */
static enum dict_class class_for(size_t n)
{
	enum dict_class class = DICT_TINY;

	while (class < DICT_LARGE && n > dict_room(class))
		class ++;
	return class;
}

static enum dict_class class_of(const struct dict_probe *p, const struct dict_input *value)
{
	return class_for(p->n_words * 8 + (value->kind == DICT_STRING ? value->text.n : 0));
}

/* In a slot of its own, rather than where it is. */
static int write_anew(struct dict *d, struct dict_probe *p, const struct dict_place *have,
		const struct dict_input *value, uint64_t bits, uint64_t ttl_ms)
{
	struct dict_stripe *s = &d->area->stripes[dict_stripe_of(p)];
	struct dict_place at = dict_probe_choose(d, p, class_of(p, value));

	if (at.slot == NULL) {
		atomic_fetch_add_explicit(&d->area->refusals, 1, memory_order_relaxed);
		return DICT_E_FULL;
	}
	if (have->slot != NULL)
		dict_probe_drop(d, p, have);
	dict_write_begin(s, &at);
	dict_slot_clear(d, dict_stripe_of(p), &at);
	for (unsigned i = 0; i < p->n_words; i++)
		put(&at.slot->data[i], p->words[i]);
	fill(at.slot, p, value, bits, ttl_ms);
	/* what the tag leads to is there */
	atomic_store_explicit(
			dict_tag_of(d, dict_stripe_of(p), &at), dict_tag(p), memory_order_release);
	count_in(d, p->space, at.class);
	dict_write_end(s, &at, dict_probe_now(p));
	return 0;
}

int dict_probe_write(struct dict *d, struct dict_probe *p, const struct dict_place *have,
		const struct dict_input *value, uint64_t bits, uint64_t ttl_ms)
{
	struct dict_stripe *s = &d->area->stripes[dict_stripe_of(p)];
	enum dict_class class = class_of(p, value);

	/* a tiny one may be in a small slot, and stays there */
	if (have->slot == NULL || have->class < class ||
			(have->class == DICT_LARGE && class != DICT_LARGE))
		return write_anew(d, p, have, value, bits, ttl_ms);
	dict_write_begin(s, have);
	fill(have->slot, p, value, bits, ttl_ms);
	dict_write_end(s, have, dict_probe_now(p));
	return 0;
}

static int store(struct dict *d, uint32_t space, struct str key, const struct dict_input *value,
		uint64_t ttl_ms, bool is_add)
{
	struct dict_probe p;
	struct dict_place have;
	int r = dict_probe_init(d, &p, space, key);

	if (r == 0 && value->kind == DICT_STRING && value->text.n > DICT_VALUE_MAX)
		r = DICT_E_TOO_LONG;
	if (r == 0)
		r = dict_lock(d, dict_stripe_of(&p));
	if (r != 0)
		return r;
	have = dict_probe_find(d, &p);
	if (is_add && have.slot != NULL && dict_slot_is_live(have.slot, &p))
		r = DICT_E_EXISTS;
	else
		r = dict_probe_write(d, &p, &have, value, bits_of(value->number), ttl_ms);
	dict_unlock(d, dict_stripe_of(&p));
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

int dict_delete(struct dict *d, uint32_t space, struct str key)
{
	struct dict_probe p;
	struct dict_place at;
	int r = dict_probe_init(d, &p, space, key);

	if (r == 0)
		r = dict_lock(d, dict_stripe_of(&p));
	if (r != 0)
		return r;
	at = dict_probe_find(d, &p);
	r = at.slot != NULL && dict_slot_is_live(at.slot, &p) ? 0 : DICT_E_ABSENT;
	if (at.slot != NULL)
		dict_probe_drop(d, &p, &at);
	dict_unlock(d, dict_stripe_of(&p));
	return r;
}
