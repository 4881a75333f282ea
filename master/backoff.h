/* SPDX-License-Identifier: Apache-2.0
 *
 * When to start a process again that ended by itself: 10 ms the first time, doubling to
 * 5 s, from the beginning again once it has run for BACKOFF_STABLE_MS.
 */
#pragma once

#include <stdint.h>

#define BACKOFF_FIRST_MS 10
#define BACKOFF_MAX_MS 5000
#define BACKOFF_STABLE_MS 10000

/* Zero-initialised = never failed. */
struct backoff {
	uint32_t first_ms; /* 0 = BACKOFF_FIRST_MS */
	uint32_t last_ms;
};

/* The process ended after ran_ms: milliseconds to wait before the next start. */
uint32_t backoff_next(struct backoff *b, uint64_t ran_ms);
