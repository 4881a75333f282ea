/* SPDX-License-Identifier: Apache-2.0
 *
 * The exporter: spans and log records in batches to a collector (OTLP over HTTP, protobuf).
 * Requests never wait for it: what has no room in its queue is dropped and counted.  A batch
 * that the collector did not take is tried again, later each time.  Per worker, single-threaded.
 */
#pragma once

#include "base/cleanup.h"
#include "base/why.h"
#include "plugin/telemetry.h"
#include "plugin/trace.h"

struct worker;
struct otlp;

/* 0 with NULL in *ret when no endpoint is configured. */
int otlp_new(struct otlp **ret, struct worker *w, struct why *why);
void otlp_free(struct otlp *o);
SL_DEFINE_AUTO(otlp);
/* What kong.telemetry.log() writes to; NULL: nothing is exported. */
const struct telemetry_sink *otlp_sink(struct otlp *o);
/* The spans of a request that is over. */
void otlp_add_trace(struct otlp *o, const struct trace *t);
/* Send what is there now; true: it is on its way still, and worth to wait for. */
bool otlp_flush(struct otlp *o);
