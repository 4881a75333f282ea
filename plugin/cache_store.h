/* SPDX-License-Identifier: Apache-2.0
 *
 * Cached values of a plugin in shm/dict: longer than an entry of it takes, and still there for a
 * while after they expired, for when they cannot be made anew.  Worker only; knows no Lua.
 */
#pragma once

#include "base/buf.h"
#include "shm/dict.h"

#define CACHE_VALUE_MAX (240 * 1024) /* bytes of a value */
#define CACHE_KEY_MAX (DICT_KEY_MAX - 8)

struct cache_time {
	uint64_t expires_ms; /* of cache_now_ms(); 0 = never */
	uint64_t ttl_ms;     /* it was written with; 0 = never expires */
};

/* The clock that values expire by. */
uint64_t cache_now_ms(void);

/* Appends the value, expired or not.  0, DICT_E_ABSENT, or another DICT_E_…. */
int cache_store_get(struct dict *d, uint32_t space, struct str key, struct buf *ret,
		struct cache_time *ret_time);
/* ttl_ms 0 = never expires; keep_ms: how long the value is found after it expired.  0,
 * DICT_E_TOO_LONG, DICT_E_FULL, DICT_E_BUSY. */
int cache_store_put(struct dict *d, uint32_t space, struct str key, struct str value,
		uint64_t ttl_ms, uint64_t keep_ms);
int cache_store_delete(struct dict *d, uint32_t space, struct str key);
