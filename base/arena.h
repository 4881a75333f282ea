/* SPDX-License-Identifier: Apache-2.0
 *
 * Memory that dies together: one arena per request (or per load, per parse).
 * Allocation is a pointer bump; nothing is freed alone.  Foreign handles join with
 * arena_on_clear() and are released, newest first, by arena_clear()/arena_free().
 *
 * Out of memory: every allocation has a limit set by arena_new(); past it (or when
 * the system refuses) arena_alloc() returns NULL and arena_is_exhausted() stays
 * true until the arena is cleared, so that a driver may check once per step.
 * Chunks of up to ARENA_CHUNK_BYTES are recycled in a small process-wide cache.
 * Single-threaded.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/cleanup.h"
#include "base/str.h"

#define ARENA_CHUNK_BYTES 8192

struct arena;

/* limit_bytes: the most the arena may hold in all; 0 = no limit. */
int arena_new(struct arena **ret, size_t limit_bytes);
/* NULL allowed. */
void arena_free(struct arena *a);
/* Runs the hooks and gives everything back but the first chunk. */
void arena_clear(struct arena *a);

/* 16-byte aligned, uninitialised / zeroed.  NULL when exhausted. */
void *arena_alloc(struct arena *a, size_t n);
void *arena_calloc(struct arena *a, size_t n);
/* A NUL-terminated copy of n bytes; NULL when exhausted. */
char *arena_strndup(struct arena *a, const char *p, size_t n);
/* A copied slice (NUL-terminated too); STR_NONE when exhausted. */
struct str arena_str(struct arena *a, struct str s);
struct str arena_printf(struct arena *a, const char *fmt, ...)
		__attribute__((format(printf, 2, 3)));
/* The last allocation grows in place where it can, else it is copied.  old may be NULL. */
void *arena_grow(struct arena *a, void *old, size_t old_n, size_t new_n);

typedef void arena_clear_fn(void *what);
/* Calls fn(what) at clear/free.  0, or -ENOMEM (then nothing was registered). */
int arena_on_clear(struct arena *a, arena_clear_fn *fn, void *what);

bool arena_is_exhausted(const struct arena *a);
/* Bytes held in chunks, for limits and metrics. */
size_t arena_bytes(const struct arena *a);

SL_DEFINE_AUTO(arena);
