/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/assoc.h"

#include <errno.h>

#include "base/hex.h"

#define WAYS 4

struct assoc_entry {
	uint64_t hash, generation, used;
	char *key; /* NULL: free */
	size_t key_n;
	void *value;
};

struct assoc {
	const struct assoc_kind *kind;
	uint32_t n_sets, sweep_at;
	uint64_t swept_for; /* the generation of sweep_at */
	uint64_t seed, clock;
	struct assoc_entry entries[];
};

int assoc_new(struct assoc **ret, uint32_t n_sets, const struct assoc_kind *kind)
{
	struct assoc *a = calloc(1, sizeof(*a) + sizeof(a->entries[0]) * WAYS * n_sets);

	if (a == NULL)
		return -ENOMEM;
	a->kind = kind;
	a->n_sets = n_sets;
	random_bytes(&a->seed, sizeof(a->seed));
	*ret = a;
	return 0;
}

static void entry_drop(struct assoc *a, struct assoc_entry *e)
{
	if (e->key == NULL)
		return;
	a->kind->unref(e->value);
	free(e->key);
	*e = (struct assoc_entry){.key = NULL};
}

void assoc_free(struct assoc *a)
{
	for (uint32_t i = 0; i < a->n_sets * WAYS; i++)
		entry_drop(a, &a->entries[i]);
	free(a);
}

static uint64_t mix(uint64_t h, uint64_t v)
{
	h = (h ^ v) * 0x9e3779b97f4a7c15U;
	return h ^ h >> 29;
}

static uint64_t hash_of(const struct assoc *a, struct str key)
{
	uint64_t h = mix(a->seed, key.n), v;

	for (; key.n >= sizeof(v); key = str_from(key, sizeof(v))) {
		memcpy(&v, key.p, sizeof(v));
		h = mix(h, v);
	}
	v = 0;
	if (key.n != 0)
		memcpy(&v, key.p, key.n);
	h = mix(h, v);
	return h ^ h >> 32;
}

static struct assoc_entry *set_of(struct assoc *a, uint64_t hash)
{
	return &a->entries[(hash & (a->n_sets - 1)) * WAYS];
}

static struct assoc_entry *find(struct assoc *a, struct str key, uint64_t hash)
{
	struct assoc_entry *e = set_of(a, hash);

	for (int i = 0; i < WAYS; i++, e++)
		if (e->key != NULL && e->hash == hash &&
				str_eq((struct str){e->key, e->key_n}, key))
			return e;
	return NULL;
}

void *assoc_get(struct assoc *a, struct str key, uint64_t generation)
{
	struct assoc_entry *e = find(a, key, hash_of(a, key));

	if (e == NULL || e->generation != generation)
		return NULL;
	e->used = ++a->clock;
	a->kind->ref(e->value);
	return e->value;
}

void assoc_put(struct assoc *a, struct str key, uint64_t generation, void *value)
{
	uint64_t hash = hash_of(a, key);
	struct assoc_entry *e = find(a, key, hash), *set = set_of(a, hash);
	char *copy;

	if (key.n > ASSOC_KEY_MAX)
		return;
	copy = malloc(key.n + 1);
	if (copy == NULL)
		return;
	memcpy(copy, key.p, key.n);
	for (int i = 0; e == NULL && i < WAYS; i++)
		if (set[i].key == NULL)
			e = &set[i];
	if (e == NULL) {
		e = set;
		for (int i = 1; i < WAYS; i++)
			if (set[i].used < e->used)
				e = &set[i];
	}
	a->kind->ref(value);
	entry_drop(a, e);
	*e = (struct assoc_entry){hash, generation, ++a->clock, copy, key.n, value};
}

bool assoc_sweep(struct assoc *a, uint64_t generation, uint32_t n_sets)
{
	/* sets that were swept for an older one may hold what was new then */
	if (a->swept_for != generation) {
		a->swept_for = generation;
		a->sweep_at = 0;
	}
	for (; n_sets != 0; n_sets--) {
		struct assoc_entry *e = &a->entries[a->sweep_at * WAYS];

		for (int i = 0; i < WAYS; i++)
			if (e[i].key != NULL && e[i].generation != generation)
				entry_drop(a, &e[i]);
		if (++a->sweep_at == a->n_sets) {
			a->sweep_at = 0;
			return true;
		}
	}
	return false;
}
