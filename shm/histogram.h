/* SPDX-License-Identifier: Apache-2.0
 *
 * Durations in log-linear buckets: four to each power of two, so that a value and the middle of
 * its bucket differ by 12.5 % at most.  Pure arithmetic on memory that may be shared: one writer
 * with plain relaxed stores, any number of readers.  The kernel side (ebpf/) counts on the
 * layout.  Any process.
 */
#pragma once

#include <stdatomic.h>
#include <stdint.h>

#define HISTOGRAM_SHIFT_MIN 7  /* below 128 ns: one bucket */
#define HISTOGRAM_SHIFT_MAX 35 /* from 34.4 s on: one bucket */
#define HISTOGRAM_BUCKETS ((HISTOGRAM_SHIFT_MAX - HISTOGRAM_SHIFT_MIN) * 4 + 2)

/* 960 bytes: fifteen cache lines.  The number of values is the sum of the buckets. */
struct histogram {
	_Atomic uint64_t sum_ns, max_ns;
	_Atomic uint64_t bucket[HISTOGRAM_BUCKETS];
	uint64_t pad[4];
};
_Static_assert(sizeof(struct histogram) == 960, "shared layout");

static inline unsigned histogram_bucket(uint64_t ns)
{
	unsigned e;

	if (ns < 1U << HISTOGRAM_SHIFT_MIN)
		return 0;
	if (ns >> HISTOGRAM_SHIFT_MAX != 0)
		return HISTOGRAM_BUCKETS - 1;
	e = 63U - (unsigned)__builtin_clzll(ns);
	return 1U + (e - HISTOGRAM_SHIFT_MIN) * 4U + (unsigned)(ns >> (e - 2) & 3U);
}

static inline void histogram_bump(_Atomic uint64_t *counter, uint64_t n)
{
	atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + n,
			memory_order_relaxed);
}

/* Its only writer. */
static inline void histogram_add(struct histogram *h, uint64_t ns)
{
	histogram_bump(&h->bucket[histogram_bucket(ns)], 1);
	histogram_bump(&h->sum_ns, ns);
	if (ns > atomic_load_explicit(&h->max_ns, memory_order_relaxed))
		atomic_store_explicit(&h->max_ns, ns, memory_order_relaxed);
}

/* The values of bucket i are in [from, to). */
uint64_t histogram_from_ns(unsigned i);
uint64_t histogram_to_ns(unsigned i); /* UINT64_MAX for the last */

/* A reader's copy, and sums of such. */
struct histogram_sum {
	uint64_t count, sum_ns, max_ns;
	uint64_t bucket[HISTOGRAM_BUCKETS];
};
void histogram_sum_add(struct histogram_sum *sum, const struct histogram *h);
/* later − earlier, bucket by bucket: what came in between (max_ns: later's). */
void histogram_sum_since(struct histogram_sum *later, const struct histogram_sum *earlier);
/* The duration that `part` (0 … 1) of the values do not exceed: the middle of its bucket, never
 * above max_ns; 0 when there are none. */
uint64_t histogram_quantile_ns(const struct histogram_sum *sum, double part);
/* Values below `ns`, which is a power of two that bounds buckets (see HISTOGRAM_SHIFT_*). */
uint64_t histogram_count_below(const struct histogram_sum *sum, uint64_t ns);
