/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stddef.h>

#include "ebpf/tracer.h"

int tracer_new(struct tracer **ret, const char *worker_program, const struct trace_filter *filter,
		tracer_fn *fn, void *arg, struct why *why)
{
	(void)ret;
	(void)worker_program;
	(void)filter;
	(void)fn;
	(void)arg;
	why_set(why, NULL, 0, "this sluicectl was built --without-bpf: it cannot trace");
	return -ENOTSUP;
}

void tracer_free(struct tracer *t)
{
	(void)t;
}

int tracer_poll(struct tracer *t, int wait_ms)
{
	(void)t;
	(void)wait_ms;
	return -ENOTSUP;
}

__u64 tracer_lost(const struct tracer *t)
{
	(void)t;
	return 0;
}
