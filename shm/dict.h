/* SPDX-License-Identifier: Apache-2.0
 *
 * Values and counters that all workers of a node share: a hash table in a memfd, made by the
 * master, mapped by every worker.  An entry belongs to a space (one per plugin name): nobody
 * finds another space's entries, and a space holds at most its quota.
 *
 * Readers take no lock, nor does an addition to a number that is there: a slot's version tells
 * whether what was read, or is changed, still belongs to the key.  Other writers take the robust
 * mutex of the key's stripe.  A process that dies while it writes costs the entry that it wrote,
 * nothing else.  Entries sit in slots of three sizes; when the slots a key may use are taken,
 * expired entries go first, then the space's own oldest, then the oldest.
 *
 * What is in the memory is not trusted: a worker may be hostile.  Sizes read from it are
 * bounded before use.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "base/why.h"

#define DICT_KEY_MAX 192    /* bytes of a key */
#define DICT_VALUE_MAX 3840 /* bytes of a string */
#define DICT_SPACE_MAX 127  /* bytes of a space's name */
#define DICT_SPACES_MAX 2048
#define DICT_BYTES_MIN (8 << 20)
#define DICT_BYTES_MAX (1 << 30)

#define DICT_E_ABSENT 1   /* no such entry, or it expired */
#define DICT_E_EXISTS 2   /* dict_add: there is one */
#define DICT_E_FULL 3     /* the quota is used up and no slot is the space's own */
#define DICT_E_TOO_LONG 4 /* key or value */
#define DICT_E_BUSY 5     /* another process holds the stripe for long (stopped, not dead) */
#define DICT_E_TYPE 6     /* dict_incr: the value is no number */

struct dict;

/* Master: *ret_fd is CLOEXEC.  bytes in all, quota_bytes of slots per space.  -errno with why. */
int dict_create(struct dict **ret, int *ret_fd, size_t bytes, size_t quota_bytes, struct why *why);
/* Worker: an inherited fd; -EBADF with why when it is no dict of this version. */
int dict_map(struct dict **ret, int fd, struct why *why);
void dict_free(struct dict *d); /* unmaps; NULL allowed */
SL_DEFINE_AUTO(dict);

/* The number of the space of that name, made where absent; names are never given back.
 * 0, DICT_E_TOO_LONG, DICT_E_FULL (DICT_SPACES_MAX names), DICT_E_BUSY. */
int dict_space(struct dict *d, struct str name, uint32_t *ret);

enum dict_kind { DICT_STRING = 1, DICT_NUMBER, DICT_BOOLEAN, DICT_HELD /* dict_hold */ };
struct dict_value {
	enum dict_kind kind;
	double number; /* DICT_BOOLEAN: 0 or 1 */
	size_t n;      /* DICT_STRING */
	char bytes[DICT_VALUE_MAX];
};

/* The calls below: any mapped process, any thread.  ttl_ms: 0 = never expires. */
int dict_get(struct dict *d, uint32_t space, struct str key, struct dict_value *ret);
/* A number or boolean (number), or a string (text). */
struct dict_input {
	enum dict_kind kind;
	double number;
	struct str text;
};
int dict_set(struct dict *d, uint32_t space, struct str key, const struct dict_input *value,
		uint64_t ttl_ms);
/* As dict_set, DICT_E_EXISTS when there is a live entry. */
int dict_add(struct dict *d, uint32_t space, struct str key, const struct dict_input *value,
		uint64_t ttl_ms);
/* Adds by to the number; an absent one starts at 0 and gets ttl_ms, a present one keeps its. */
int dict_incr(struct dict *d, uint32_t space, struct str key, double by, uint64_t ttl_ms,
		double *ret);
int dict_delete(struct dict *d, uint32_t space, struct str key);
/* *ret: milliseconds left; UINT64_MAX = never expires. */
int dict_ttl(struct dict *d, uint32_t space, struct str key, uint64_t *ret);

/* An entry as a lock: held by one process of the node until dict_release(), its ttl_ms, or the
 * death of the process, whichever comes first.  0, DICT_E_EXISTS (somebody alive holds it),
 * DICT_E_TYPE (the key is a value's), DICT_E_FULL, DICT_E_BUSY.  *ret names this holding.  From one
 * thread per process, the one that lives as long as it; not across fork. */
int dict_hold(struct dict *d, uint32_t space, struct str key, uint64_t ttl_ms, uint64_t *ret);
/* 0, DICT_E_ABSENT: it was no longer that holding's. */
int dict_release(struct dict *d, uint32_t space, struct str key, uint64_t token);
/* It ends ttl_ms from now.  As dict_release. */
int dict_prolong(struct dict *d, uint32_t space, struct str key, uint64_t token, uint64_t ttl_ms);

/* A number per space that everybody sees: changed by dict_epoch_next() only. */
uint64_t dict_epoch(const struct dict *d, uint32_t space);
void dict_epoch_next(struct dict *d, uint32_t space);

/* X(field, kind, help) */
/* clang-format off */
#define DICT_STATS(X) \
	X(size_bytes,  gauge,   "Bytes of the memory shared by plugins (sluice.dict, sluice.counter).") \
	X(used_bytes,  gauge,   "Of those, bytes in slots that hold an entry.") \
	X(entries,     gauge,   "Entries, expired ones that nobody replaced yet included.") \
	X(spaces,      gauge,   "Plugin names that have entries or had some.") \
	X(evictions,   counter, "Live entries that made room for others.") \
	X(refusals,    counter, "Writes refused because of a plugin's quota.") \
	X(repairs,     counter, "Locks taken over from a process that died.")
/* clang-format on */
struct dict_stats {
#define X(field, kind, help) uint64_t field;
	DICT_STATS(X)
#undef X
};
void dict_get_stats(const struct dict *d, struct dict_stats *ret);
