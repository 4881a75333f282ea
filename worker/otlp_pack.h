/* SPDX-License-Identifier: Apache-2.0
 *
 * Spans and log records as OTLP protobuf: pieces that are joined into a batch, and the request
 * around a batch.  Text that is not UTF-8 is mended: a collector refuses a whole batch for it.
 */
#pragma once

#include "base/buf.h"
#include "plugin/telemetry.h"
#include "plugin/trace.h"

/* Appends the spans that are to be sampled; *ret_n of them.  Temporary memory is the trace's
 * arena's.  0, -ENOMEM (out as before) */
int otlp_pack_spans(const struct trace *t, struct buf *out, uint32_t *ret_n);
int otlp_pack_log(const struct telemetry_record *r, struct buf *out);
/* The body to POST.  0, -ENOMEM */
int otlp_pack_request(struct str batch, struct str node_id, struct str hostname, struct buf *out);
