/* SPDX-License-Identifier: Apache-2.0
 *
 * The gateway's own spans of a request, by the names and attributes that Kong has, and the
 * headers traceparent and tracestate (W3C Trace Context).  Every function but tracing_start() and
 * tracing_end() does nothing for a request without a trace.
 */
#pragma once

#include "base/why.h"
#include "plugin/trace.h"

struct conf;
struct req;
struct upconn;

/* conf tracing_*, read once. */
struct tracing {
	uint32_t parts; /* TRACE_BITs; 0 = off */
	double rate;
};

/* Of one request, beside its struct trace. */
struct req_trace {
	struct span *router, *dns, *try, *first_byte, *read; /* NULL: none */
	uint8_t outgoing[SPAN_ID_BYTES];                     /* what the service is told */
	bool has_parent;                                     /* the client sent a traceparent */
	uint32_t n_tries;
};

void tracing_read(struct tracing *ret, const struct conf *conf);

/* A request was parsed: its trace, by the client's traceparent, and its root span. */
void tracing_start(struct req *q);
void tracing_router(struct req *q, bool is_over);
/* Sets traceparent for the service, unless a plugin did.  0, -ENOMEM */
int tracing_propagate(struct req *q);
void tracing_dns_begin(struct req *q);
void tracing_dns_end(struct req *q);
/* u NULL: no connection could be made. */
void tracing_try(struct req *q, const struct upconn *u);
void tracing_try_failed(struct req *q, int status, const char *what);
void tracing_connected(struct req *q);
void tracing_replied(struct req *q);
/* Done with the peer. */
void tracing_upstream_over(struct req *q);
/* Before and behind the log phase. */
void tracing_finish(struct req *q);
void tracing_end(struct req *q);
