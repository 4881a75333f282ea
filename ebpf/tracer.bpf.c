/* SPDX-License-Identifier: Apache-2.0
 *
 * The tracer's kernel side: one program per probe of shm/probe.h, each makes an event of what
 * passes the filter.  Attached by sluicectl trace only while it runs.
 */
#include <stdbool.h>

#include <linux/ptrace.h>

#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <bpf/usdt.bpf.h>

#include "ebpf/tracer_shared.h"

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4 * 1024 * 1024);
} events SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} lost SEC(".maps");

const volatile struct trace_filter filter = {.phase = TRACE_PHASE_ANY};

static void count_lost(void)
{
	__u32 zero = 0;
	__u64 *n = bpf_map_lookup_elem(&lost, &zero);

	if (n)
		__sync_fetch_and_add(n, 1);
}

static __always_inline bool is_wanted(const char *have, const volatile char *wanted, __u32 bytes)
{
	for (__u32 i = 0; i < TRACE_NAME_MAX; i++) {
		if (i >= bytes)
			break;
		if (have[i] != wanted[i])
			return false;
	}
	return true;
}

static __always_inline struct trace_event *begin(enum trace_kind kind)
{
	struct trace_event *e = bpf_ringbuf_reserve(&events, sizeof(*e), 0);

	if (!e) {
		count_lost();
		return 0;
	}
	__builtin_memset(e, 0, sizeof(*e));
	e->at_ns = bpf_ktime_get_ns();
	e->pid = bpf_get_current_pid_tgid() >> 32;
	e->kind = kind;
	return e;
}

static __always_inline void read_text(struct pt_regs *ctx, int arg, char *to, __u32 size)
{
	long p = 0;

	if (bpf_usdt_arg(ctx, arg, &p) == 0 && p)
		bpf_probe_read_user_str(to, size, (const void *)p);
}

static __always_inline __u64 read_number(struct pt_regs *ctx, int arg)
{
	long n = 0;

	bpf_usdt_arg(ctx, arg, &n);
	return n;
}

static __always_inline int end(struct trace_event *e, bool is_dropped)
{
	if (is_dropped)
		bpf_ringbuf_discard(e, 0);
	else
		bpf_ringbuf_submit(e, 0);
	return 0;
}

SEC("usdt")
int on_plugin_done(struct pt_regs *ctx)
{
	__u64 took_ns = read_number(ctx, 3);
	__u32 phase = read_number(ctx, 2);
	struct trace_event *e;

	if (took_ns < filter.slower_than_ns ||
			(filter.phase != TRACE_PHASE_ANY && phase != filter.phase))
		return 0;
	e = begin(TRACE_PLUGIN);
	if (!e)
		return 0;
	e->took_ns = took_ns;
	e->phase = phase;
	e->is_failed = read_number(ctx, 5);
	read_text(ctx, 0, e->id, sizeof(e->id));
	read_text(ctx, 1, e->plugin, sizeof(e->plugin));
	read_text(ctx, 4, e->route, sizeof(e->route));
	return end(e, !is_wanted(e->plugin, filter.plugin, filter.plugin_bytes) ||
					!is_wanted(e->route, filter.route, filter.route_bytes));
}

SEC("usdt")
int on_request_done(struct pt_regs *ctx)
{
	__u64 took_ns = read_number(ctx, 3);
	struct trace_event *e;

	if (took_ns < filter.slower_than_ns || filter.phase != TRACE_PHASE_ANY ||
			filter.plugin_bytes)
		return 0;
	e = begin(TRACE_REQUEST);
	if (!e)
		return 0;
	e->took_ns = took_ns;
	e->number = read_number(ctx, 2);
	read_text(ctx, 0, e->id, sizeof(e->id));
	read_text(ctx, 1, e->route, sizeof(e->route));
	return end(e, !is_wanted(e->route, filter.route, filter.route_bytes));
}

SEC("usdt")
int on_budget_trip(struct pt_regs *ctx)
{
	__u32 phase = read_number(ctx, 2);
	struct trace_event *e;

	if (filter.phase != TRACE_PHASE_ANY && phase != filter.phase)
		return 0;
	e = begin(TRACE_TRIP);
	if (!e)
		return 0;
	e->phase = phase;
	read_text(ctx, 0, e->id, sizeof(e->id));
	read_text(ctx, 1, e->plugin, sizeof(e->plugin));
	read_text(ctx, 3, e->route, sizeof(e->route));
	return end(e, !is_wanted(e->plugin, filter.plugin, filter.plugin_bytes) ||
					!is_wanted(e->route, filter.route, filter.route_bytes));
}

/* Of no plugin and no route: who asks for some does not ask for it. */
SEC("usdt")
int on_reload(struct pt_regs *ctx)
{
	__u64 took_ns = read_number(ctx, 1);
	struct trace_event *e;

	if (took_ns < filter.slower_than_ns || filter.phase != TRACE_PHASE_ANY ||
			filter.plugin_bytes || filter.route_bytes)
		return 0;
	e = begin(TRACE_RELOAD);
	if (!e)
		return 0;
	e->number = read_number(ctx, 0);
	e->took_ns = took_ns;
	return end(e, false);
}

char LICENSE[] SEC("license") = "GPL";
