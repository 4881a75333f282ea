/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stddef.h>

#include "ebpf/trace.h"

int trace_new(struct trace **ret, const char *worker_program, const struct trace_filter *filter,
		trace_fn *fn, void *arg, struct why *why)
{
	(void)ret;
	(void)worker_program;
	(void)filter;
	(void)fn;
	(void)arg;
	why_set(why, NULL, 0, "this sluicectl was built --without-bpf: it cannot trace");
	return -ENOTSUP;
}

void trace_free(struct trace *t)
{
	(void)t;
}

int trace_poll(struct trace *t, int wait_ms)
{
	(void)t;
	(void)wait_ms;
	return -ENOTSUP;
}

__u64 trace_lost(const struct trace *t)
{
	(void)t;
	return 0;
}
