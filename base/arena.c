/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include "base/check.h"

#define ARENA_MAGIC SL_MAGIC('A', 'R', 'E', 'N')
#define ARENA_CACHED_MAX 64

struct chunk {
	struct chunk *next;
	size_t size; /* usable bytes behind the header */
	size_t pad[2];
};

struct hook {
	struct hook *next;
	arena_clear_fn *fn;
	void *what;
};

struct arena {
	uint32_t magic;
	bool is_exhausted;
	struct chunk *chunks; /* newest first; the oldest holds this struct */
	struct hook *hooks;
	char *at, *end;
	char *last; /* start of the newest allocation, for arena_grow */
	size_t bytes, limit_bytes;
};

static struct chunk *chunk_cache;
static size_t chunk_cached;

static struct chunk *chunk_new(size_t usable)
{
	struct chunk *c = chunk_cache;

	if (usable == ARENA_CHUNK_BYTES - sizeof(*c) && c != NULL) {
		chunk_cache = c->next;
		chunk_cached--;
		return c;
	}
	c = malloc(sizeof(*c) + usable);
	if (c != NULL)
		c->size = usable;
	return c;
}

static void chunk_drop(struct chunk *c)
{
	if (c->size == ARENA_CHUNK_BYTES - sizeof(*c) && chunk_cached < ARENA_CACHED_MAX) {
		c->next = chunk_cache;
		chunk_cache = c;
		chunk_cached++;
	} else {
		free(c);
	}
}

static char *chunk_data(struct chunk *c)
{
	return (char *)(c + 1);
}

static size_t align16(size_t n)
{
	return (n + 15) & ~(size_t)15;
}

/* The arena lives in its own first chunk; everything behind it is free again. */
static void arena_rewind(struct arena *a)
{
	struct chunk *first = a->chunks;

	a->at = chunk_data(first) + align16(sizeof(*a));
	a->end = chunk_data(first) + first->size;
	a->last = NULL;
	a->bytes = first->size;
	a->is_exhausted = false;
}

int arena_new(struct arena **ret, size_t limit_bytes)
{
	struct chunk *c = chunk_new(ARENA_CHUNK_BYTES - sizeof(struct chunk));
	struct arena *a;

	if (c == NULL)
		return -ENOMEM;
	c->next = NULL;
	a = (struct arena *)(void *)chunk_data(c);
	*a = (struct arena){.magic = ARENA_MAGIC, .chunks = c, .limit_bytes = limit_bytes};
	arena_rewind(a);
	*ret = a;
	return 0;
}

void arena_clear(struct arena *a)
{
	sl_check(a, ARENA_MAGIC);
	while (a->hooks != NULL) {
		struct hook *h = a->hooks;

		a->hooks = h->next;
		h->fn(h->what);
	}
	while (a->chunks->next != NULL) {
		struct chunk *c = a->chunks;

		a->chunks = c->next;
		chunk_drop(c);
	}
	arena_rewind(a);
}

void arena_free(struct arena *a)
{
	if (a == NULL)
		return;
	arena_clear(a);
	a->magic = 0;
	chunk_drop(a->chunks);
}

static void *arena_fail(struct arena *a)
{
	a->is_exhausted = true;
	return NULL;
}

static void *arena_alloc_chunk(struct arena *a, size_t n)
{
	size_t usable = ARENA_CHUNK_BYTES - sizeof(struct chunk);
	struct chunk *c;

	if (n > usable)
		usable = n;
	if (a->limit_bytes != 0 && a->bytes + usable > a->limit_bytes)
		return arena_fail(a);
	c = chunk_new(usable);
	if (c == NULL)
		return arena_fail(a);
	a->bytes += usable;
	c->next = a->chunks;
	a->chunks = c;
	a->last = chunk_data(c);
	a->at = a->last + n;
	a->end = a->last + usable;
	return a->last;
}

void *arena_alloc(struct arena *a, size_t n)
{
	if (n > SIZE_MAX / 2)
		return arena_fail(a);
	n = align16(n != 0 ? n : 1);
	if ((size_t)(a->end - a->at) < n)
		return arena_alloc_chunk(a, n);
	a->last = a->at;
	a->at += n;
	return a->last;
}

void *arena_calloc(struct arena *a, size_t n)
{
	void *p = arena_alloc(a, n);

	return p != NULL ? memset(p, 0, n) : NULL;
}

char *arena_strndup(struct arena *a, const char *p, size_t n)
{
	char *copy = arena_alloc(a, n + 1);

	if (copy == NULL)
		return NULL;
	if (n != 0)
		memcpy(copy, p, n);
	copy[n] = '\0';
	return copy;
}

struct str arena_str(struct arena *a, struct str s)
{
	char *copy = arena_strndup(a, s.p, s.n);

	return copy != NULL ? (struct str){copy, s.n} : STR_NONE;
}

struct str arena_printf(struct arena *a, const char *fmt, ...)
{
	va_list ap;
	char *p;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	p = n < 0 ? NULL : arena_alloc(a, (size_t)n + 1);
	if (p == NULL)
		return STR_NONE;
	va_start(ap, fmt);
	vsnprintf(p, (size_t)n + 1, fmt, ap);
	va_end(ap);
	return (struct str){p, (size_t)n};
}

void *arena_grow(struct arena *a, void *old, size_t old_n, size_t new_n)
{
	void *fresh;

	if (old != NULL && new_n <= SIZE_MAX / 2 && old == a->last &&
			(size_t)(a->end - a->last) >= align16(new_n)) {
		a->at = a->last + align16(new_n);
		return old;
	}
	fresh = arena_alloc(a, new_n);
	if (fresh != NULL && old != NULL && old_n != 0)
		memcpy(fresh, old, old_n < new_n ? old_n : new_n);
	return fresh;
}

int arena_on_clear(struct arena *a, arena_clear_fn *fn, void *what)
{
	struct hook *h = arena_alloc(a, sizeof(*h));

	if (h == NULL)
		return -ENOMEM;
	*h = (struct hook){.next = a->hooks, .fn = fn, .what = what};
	a->hooks = h;
	return 0;
}

bool arena_is_exhausted(const struct arena *a)
{
	return a->is_exhausted;
}

size_t arena_bytes(const struct arena *a)
{
	return a->bytes;
}
