/* SPDX-License-Identifier: Apache-2.0 */
#include "ebpf/tracer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "base/check.h"
#include "ebpf/tracer.skel.h"

#define TRACE_MAGIC SL_MAGIC('T', 'R', 'C', 'E')
#define TRACE_LINKS 4

struct tracer {
	uint32_t magic;
	struct tracer_bpf *skel;
	struct bpf_link *links[TRACE_LINKS];
	struct ring_buffer *events;
	tracer_fn *fn;
	void *arg;
};

static int stay_silent(enum libbpf_print_level level, const char *format, va_list args)
{
	(void)level;
	(void)format;
	(void)args;
	return 0;
}

static int on_event(void *arg, void *data, size_t n)
{
	const struct tracer *t = arg;

	if (n >= sizeof(struct trace_event))
		t->fn(t->arg, data);
	return 0;
}

static int load(struct tracer *t, const struct trace_filter *filter, struct why *why)
{
	int r;

	libbpf_set_print(stay_silent);
	t->skel = tracer_bpf__open();
	if (t->skel == NULL)
		return why_errno(why, errno, "cannot open the tracer's programs");
	memcpy((void *)(uintptr_t)&t->skel->rodata->filter, filter, sizeof(*filter));
	r = tracer_bpf__load(t->skel);
	if (r < 0)
		return why_errno(why, -r, "cannot load the tracer's programs%s",
				r == -EPERM || r == -EACCES
						? " (needs CAP_BPF and CAP_PERFMON, or root)"
						: "");
	return 0;
}

static int attach(struct tracer *t, const char *worker_program, struct why *why)
{
	const struct {
		struct bpf_program *program;
		const char *probe;
	} rows[TRACE_LINKS] = {{t->skel->progs.on_plugin_done, "plugin_done"},
			{t->skel->progs.on_request_done, "request_done"},
			{t->skel->progs.on_budget_trip, "budget_trip"},
			{t->skel->progs.on_reload, "reload"}};

	for (unsigned i = 0; i < TRACE_LINKS; i++) {
		t->links[i] = bpf_program__attach_usdt(
				rows[i].program, -1, worker_program, "sluice", rows[i].probe, NULL);
		if (t->links[i] == NULL)
			return why_errno(why, errno, "cannot attach to the probe %s of %s%s",
					rows[i].probe, worker_program,
					errno == EPERM || errno == EACCES
							? " (needs CAP_SYS_ADMIN, or root)"
					: errno == ENOENT ? " (it was built without probes)"
							  : "");
	}
	return 0;
}

int tracer_new(struct tracer **ret, const char *worker_program, const struct trace_filter *filter,
		tracer_fn *fn, void *arg, struct why *why)
{
	sl_auto(tracer) t = calloc(1, sizeof(*t));
	int r;

	if (t == NULL)
		return why_errno(why, ENOMEM, "tracer");
	t->magic = TRACE_MAGIC;
	t->fn = fn;
	t->arg = arg;
	r = load(t, filter, why);
	if (r < 0)
		return r;
	t->events = ring_buffer__new(bpf_map__fd(t->skel->maps.events), on_event, t, NULL);
	if (t->events == NULL)
		return why_errno(why, errno, "cannot read the tracer's events");
	r = attach(t, worker_program, why);
	if (r == 0)
		*ret = sl_steal(t);
	return r;
}

void tracer_free(struct tracer *t)
{
	if (t == NULL)
		return;
	sl_check(t, TRACE_MAGIC);
	for (unsigned i = 0; i < TRACE_LINKS; i++)
		bpf_link__destroy(t->links[i]);
	ring_buffer__free(t->events);
	tracer_bpf__destroy(t->skel);
	t->magic = 0;
	free(t);
}

int tracer_poll(struct tracer *t, int wait_ms)
{
	int r = ring_buffer__poll(t->events, wait_ms);

	sl_check(t, TRACE_MAGIC);
	return r < 0 ? r : 0;
}

__u64 tracer_lost(const struct tracer *t)
{
	__u32 zero = 0;
	__u64 n = 0;

	sl_check(t, TRACE_MAGIC);
	return bpf_map_lookup_elem(bpf_map__fd(t->skel->maps.lost), &zero, &n) == 0 ? n : 0;
}
