/* SPDX-License-Identifier: Apache-2.0
 *
 * Plugin latencies (shm/lat) as a BPF map that bpftool prints, and an iterator over it whose
 * pinned file `cat` reads as Prometheus text.  The kernel formats no fractions: durations are
 * nanoseconds here.
 */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "ebpf/latmap_shared.h"

/* What is used of the kernel's own types; found by name when the program is loaded. */
#define RELOCATED __attribute__((preserve_access_index))
struct bpf_iter_meta {
	__u64 seq_num;
	struct seq_file *seq;
} RELOCATED;
struct bpf_iter__bpf_map_elem {
	struct bpf_iter_meta *meta;
	struct bpf_map *map;
	void *key;
	void *value;
} RELOCATED;

struct bpf_iter__ksym {
	struct bpf_iter_meta *meta;
} RELOCATED;

struct histogram_row {
	__u64 sum_ns, max_ns;
	__u64 bucket[LATMAP_BUCKETS];
	__u64 pad[LATMAP_PAD];
};

struct slot_name {
	char text[LATMAP_NAME_MAX];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct histogram_row);
} plugin_latency SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct slot_name);
} plugin_names SEC(".maps");

const volatile __u32 n_plugins = 1, n_rows = 1;
const volatile char phase_names[LATMAP_PHASES][16] = {};

#define SERIES "sluice_plugin_phase_duration_nanoseconds"
#define LABELS "{worker=\"%u\",plugin=\"%s\",phase=\"%s\""
#define BUCKET SERIES "_bucket" LABELS ",le="

static void print_head(struct seq_file *seq)
{
	BPF_SEQ_PRINTF(seq, "# HELP " SERIES " Time from entering a phase of a plugin to leaving "
			    "it, waiting included.\n");
	BPF_SEQ_PRINTF(seq, "# TYPE " SERIES " histogram\n");
}

static __always_inline void print_row(
		struct seq_file *seq, __u32 at, const struct histogram_row *row)
{
	__u32 phase = at % LATMAP_PHASES, slot, worker;
	const char *phase_name = (const char *)phase_names[phase & (LATMAP_PHASES - 1)];
	struct slot_name *name;
	__u64 below = row->bucket[0];

	if (n_plugins == 0)
		return;
	slot = at / LATMAP_PHASES % n_plugins;
	worker = at / LATMAP_PHASES / n_plugins;
	name = bpf_map_lookup_elem(&plugin_names, &slot);
	if (!name)
		return;
	for (int i = 1, shift = LATMAP_SHIFT_MIN; shift < LATMAP_LE_SHIFT_MAX; i += 4, shift++) {
		below += row->bucket[i] + row->bucket[i + 1] + row->bucket[i + 2] +
			 row->bucket[i + 3];
		if (shift + 1 >= LATMAP_LE_SHIFT_MIN)
			BPF_SEQ_PRINTF(seq, BUCKET "\"%llu\"} %llu\n", worker, name->text,
					phase_name, 1ULL << (shift + 1), below);
	}
	for (int i = 1 + 4 * (LATMAP_LE_SHIFT_MAX - LATMAP_SHIFT_MIN); i < LATMAP_BUCKETS; i++)
		below += row->bucket[i];
	BPF_SEQ_PRINTF(seq, BUCKET "\"+Inf\"} %llu\n", worker, name->text, phase_name, below);
	BPF_SEQ_PRINTF(seq, SERIES "_sum" LABELS "} %llu\n", worker, name->text, phase_name,
			row->sum_ns);
	BPF_SEQ_PRINTF(seq, SERIES "_count" LABELS "} %llu\n", worker, name->text, phase_name,
			below);
}

SEC("iter/bpf_map_elem")
int print_by_element(struct bpf_iter__bpf_map_elem *ctx)
{
	struct histogram_row *row = ctx->value;
	__u32 *key = ctx->key;

	if (ctx->meta->seq_num == 0)
		print_head(ctx->meta->seq);
	if (row && key && row->max_ns != 0)
		print_row(ctx->meta->seq, *key, row);
	return 0;
}

/* Some kernels refuse iterators over the elements of a map.  Any other that is called often enough
 * serves: it is asked for its n-th object and prints row n.  There are always more kernel symbols
 * than rows. */
SEC("iter/ksym")
int print_by_number(struct bpf_iter__ksym *ctx)
{
	__u64 n = ctx->meta->seq_num;
	__u32 at = n;
	struct histogram_row *row;

	if (n == 0)
		print_head(ctx->meta->seq);
	if (n >= n_rows)
		return 0;
	row = bpf_map_lookup_elem(&plugin_latency, &at);
	if (row && row->max_ns != 0)
		print_row(ctx->meta->seq, at, row);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
