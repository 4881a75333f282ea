/* SPDX-License-Identifier: Apache-2.0
 *
 * What the tracer's kernel side and its reader share.  Compiled for both.
 */
#pragma once

#include <linux/types.h>

#define TRACE_ID_MAX 40
#define TRACE_NAME_MAX 64
#define TRACE_PHASE_ANY 0xffffffffU

enum trace_kind {
	TRACE_PLUGIN, /* plugin_done */
	TRACE_REQUEST,
	TRACE_TRIP,
	TRACE_RELOAD,
};

struct trace_event {
	__u64 at_ns; /* monotonic, of the end */
	__u64 took_ns;
	__u64 number; /* generation; status */
	__u32 kind, pid, phase, is_failed;
	char id[TRACE_ID_MAX];
	char plugin[TRACE_NAME_MAX];
	char route[TRACE_NAME_MAX]; /* TRIP: the limit */
};

/* What is wanted; the kernel side drops the rest. */
struct trace_filter {
	__u64 slower_than_ns;
	__u32 phase;                     /* enum phase, or TRACE_PHASE_ANY */
	__u32 plugin_bytes, route_bytes; /* with the NUL; 0: any */
	__u32 pad;
	char plugin[TRACE_NAME_MAX];
	char route[TRACE_NAME_MAX];
};
