/* SPDX-License-Identifier: Apache-2.0
 *
 * Histograms as the status API tells them (master/histogram_json.h), read back: quantiles,
 * differences, and a strip of characters that shows the shape.
 */
#pragma once

#include <jansson.h>
#include <stdio.h>

#include "shm/histogram.h"

/* Zeros when doc is not one. */
void spread_read(struct histogram_sum *ret, const json_t *doc);
/* What was counted in doc and not in before (which may be NULL). */
void spread_since(struct histogram_sum *ret, const json_t *doc, const json_t *before);
/* Both together. */
void spread_add(struct histogram_sum *to, const struct histogram_sum *sum);

/* "12.3 µs", "870 ns", "1.20 s"; "-" for nothing counted. */
#define SPREAD_TIME_MAX 16
const char *spread_time(char buf[SPREAD_TIME_MAX], uint64_t ns, uint64_t count);

/* A column to each power of two from 0.5 µs to 4 s, darker where more of the values are. */
#define SPREAD_COLUMNS 24
const char *spread_strip(char buf[SPREAD_COLUMNS + 1], const struct histogram_sum *sum);
/* What the columns of a strip stand for, under it: "1µs … 1ms … 1s". */
const char *spread_axis(void);
