/* SPDX-License-Identifier: Apache-2.0
 *
 * POSTs to one collector, one at a time, over a kept connection (http or https).  Never blocks,
 * bounded by a timeout.  Per worker, single-threaded.
 */
#pragma once

#include <stdint.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "base/why.h"

struct worker;
struct otlp_http;

/* status: of the response, or -errno (-EPROTO: it is no HTTP).  retry_after_ms: what the
 * response asked for, an hour at most; 0 = nothing. */
typedef void otlp_http_fn(void *arg, int status, uint32_t retry_after_ms);

/* From conf tracing_otlp_endpoint and _headers.  0, -ENOMEM, -EINVAL with why. */
int otlp_http_new(struct otlp_http **ret, struct worker *w, otlp_http_fn *fn, void *arg,
		struct why *why);
void otlp_http_free(struct otlp_http *h);
SL_DEFINE_AUTO(otlp_http);
/* path: behind the endpoint's own.  body: until fn is called, which is not before this returns.
 * Not while another one is under way. */
void otlp_http_post(struct otlp_http *h, struct str path, struct str body);
