/* SPDX-License-Identifier: Apache-2.0
 *
 * The part of /metrics that is about workers and steering.  Reads shared memory and /proc; asks no
 * worker.  Master only.
 */
#pragma once

#include "base/buf.h"
#include "master/steering.h"
#include "master/supervise.h"

/* State, life, CPU, memory and counters by worker: the sum of its slots. */
void metrics_workers(const struct supervise *w, const struct steering *s, struct buf *out);
void metrics_steering(const struct steering *s, struct buf *out);
