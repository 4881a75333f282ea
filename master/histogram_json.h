/* SPDX-License-Identifier: Apache-2.0
 *
 * A histogram as the status API tells it.  Master only.
 */
#pragma once

#include <jansson.h>

#include "shm/histogram.h"

/* {"count","sum_ns","max_ns","p50_ns","p90_ns","p99_ns","p999_ns","buckets":[[from_ns,to_ns,
 * count],…]}; buckets that are empty are left out. */
json_t *histogram_json(const struct histogram_sum *sum);
