/* SPDX-License-Identifier: Apache-2.0 */
#include "shm/histogram.h"

#include <stddef.h>

uint64_t histogram_from_ns(unsigned i)
{
	unsigned e, quarter;

	if (i == 0)
		return 0;
	e = HISTOGRAM_SHIFT_MIN + (i - 1) / 4;
	quarter = (i - 1) % 4;
	return (uint64_t)(4 + quarter) << (e - 2);
}

uint64_t histogram_to_ns(unsigned i)
{
	return i + 1 < HISTOGRAM_BUCKETS ? histogram_from_ns(i + 1) : UINT64_MAX;
}

void histogram_sum_add(struct histogram_sum *sum, const struct histogram *h)
{
	uint64_t max_ns = atomic_load_explicit(&h->max_ns, memory_order_relaxed);

	for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
		uint64_t n = atomic_load_explicit(&h->bucket[i], memory_order_relaxed);

		sum->bucket[i] += n;
		sum->count += n;
	}
	sum->sum_ns += atomic_load_explicit(&h->sum_ns, memory_order_relaxed);
	sum->max_ns = max_ns > sum->max_ns ? max_ns : sum->max_ns;
}

/* A counter that began anew has no past. */
static uint64_t since(uint64_t later, uint64_t earlier)
{
	return later >= earlier ? later - earlier : later;
}

void histogram_sum_since(struct histogram_sum *later, const struct histogram_sum *earlier)
{
	later->count = 0;
	for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
		later->bucket[i] = since(later->bucket[i], earlier->bucket[i]);
		later->count += later->bucket[i];
	}
	later->sum_ns = since(later->sum_ns, earlier->sum_ns);
}

static uint64_t middle_ns(unsigned i, uint64_t max_ns)
{
	uint64_t from = histogram_from_ns(i), to = histogram_to_ns(i), middle;

	if (to == UINT64_MAX)
		return max_ns;
	middle = from + (to - from) / 2;
	return middle < max_ns || max_ns == 0 ? middle : max_ns;
}

uint64_t histogram_quantile_ns(const struct histogram_sum *sum, double part)
{
	uint64_t seen = 0;
	double wanted = part * (double)sum->count;

	for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
		seen += sum->bucket[i];
		if (sum->bucket[i] != 0 && (double)seen >= wanted)
			return middle_ns(i, sum->max_ns);
	}
	return 0;
}

uint64_t histogram_count_below(const struct histogram_sum *sum, uint64_t ns)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < HISTOGRAM_BUCKETS && histogram_to_ns(i) <= ns; i++)
		n += sum->bucket[i];
	return n;
}
