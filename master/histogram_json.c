/* SPDX-License-Identifier: Apache-2.0 */
#include "master/histogram_json.h"

static json_t *buckets_json(const struct histogram_sum *sum)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
		uint64_t to = histogram_to_ns(i);

		if (sum->bucket[i] == 0)
			continue;
		if (to == UINT64_MAX)
			to = sum->max_ns + 1;
		json_array_append_new(
				list, json_pack("[I, I, I]", (json_int_t)histogram_from_ns(i),
						      (json_int_t)to, (json_int_t)sum->bucket[i]));
	}
	return list;
}

json_t *histogram_json(const struct histogram_sum *sum)
{
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o}", "count",
			(json_int_t)sum->count, "sum_ns", (json_int_t)sum->sum_ns, "max_ns",
			(json_int_t)sum->max_ns, "p50_ns",
			(json_int_t)histogram_quantile_ns(sum, 0.5), "p90_ns",
			(json_int_t)histogram_quantile_ns(sum, 0.9), "p99_ns",
			(json_int_t)histogram_quantile_ns(sum, 0.99), "p999_ns",
			(json_int_t)histogram_quantile_ns(sum, 0.999), "buckets",
			buckets_json(sum));
}
