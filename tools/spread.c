/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/spread.h"

#include <string.h>

#define FIRST_SHIFT 9 /* 512 ns: what is faster is in the first column */

void spread_read(struct histogram_sum *ret, const json_t *doc)
{
	const json_t *bucket;
	size_t i;

	memset(ret, 0, sizeof(*ret));
	ret->sum_ns = (uint64_t)json_integer_value(json_object_get(doc, "sum_ns"));
	ret->max_ns = (uint64_t)json_integer_value(json_object_get(doc, "max_ns"));
	json_array_foreach (json_object_get(doc, "buckets"), i, bucket) {
		json_int_t from = json_integer_value(json_array_get(bucket, 0));
		json_int_t n = json_integer_value(json_array_get(bucket, 2));

		if (from < 0 || n < 0)
			continue;
		ret->bucket[histogram_bucket((uint64_t)from)] += (uint64_t)n;
		ret->count += (uint64_t)n;
	}
}

void spread_since(struct histogram_sum *ret, const json_t *doc, const json_t *before)
{
	struct histogram_sum earlier;

	spread_read(ret, doc);
	if (before == NULL)
		return;
	spread_read(&earlier, before);
	histogram_sum_since(ret, &earlier);
}

void spread_add(struct histogram_sum *to, const struct histogram_sum *sum)
{
	for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
		to->bucket[i] += sum->bucket[i];
	to->count += sum->count;
	to->sum_ns += sum->sum_ns;
	if (sum->max_ns > to->max_ns)
		to->max_ns = sum->max_ns;
}

const char *spread_time(char buf[SPREAD_TIME_MAX], uint64_t ns, uint64_t count)
{
	static const char *const units[] = {"ns", "µs", "ms", "s"};
	double v = (double)ns;
	unsigned u = 0;

	for (; v >= 999.5 && u < 3; u++)
		v /= 1000;
	if (count == 0)
		return "-";
	snprintf(buf, SPREAD_TIME_MAX,
			u == 0 || v >= 99.95 ? "%.0f %s"
			: v >= 9.995         ? "%.1f %s"
					     : "%.2f %s",
			v, units[u]);
	return buf;
}

static unsigned column_of(unsigned bucket)
{
	uint64_t from = histogram_from_ns(bucket);
	unsigned shift = from == 0 ? 0 : 63U - (unsigned)__builtin_clzll(from);

	if (shift <= FIRST_SHIFT)
		return 0;
	return shift - FIRST_SHIFT < SPREAD_COLUMNS ? shift - FIRST_SHIFT : SPREAD_COLUMNS - 1;
}

const char *spread_strip(char buf[SPREAD_COLUMNS + 1], const struct histogram_sum *sum)
{
	static const char shades[] = ".:-=+*#%@";
	uint64_t columns[SPREAD_COLUMNS] = {0}, most = 1;

	for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
		columns[column_of(i)] += sum->bucket[i];
	for (unsigned c = 0; c < SPREAD_COLUMNS; c++)
		most = columns[c] > most ? columns[c] : most;
	for (unsigned c = 0; c < SPREAD_COLUMNS; c++)
		buf[c] = columns[c] == 0 ? ' ' : shades[(columns[c] * (sizeof(shades) - 2)) / most];
	buf[SPREAD_COLUMNS] = '\0';
	return buf;
}

const char *spread_axis(void)
{
	/* 2^10 ns is column 1, 2^20 column 11, 2^30 column 21 */
	return " 1us       1ms       1s ";
}
