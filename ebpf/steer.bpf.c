/* SPDX-License-Identifier: Apache-2.0
 *
 * Picks the worker for every new connection, and for every one that waited at a listener that was
 * closed.  Whatever fails, the kernel's own hash decides (SK_PASS), and it is counted.
 */
#include <linux/bpf.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "ebpf/steer_pick.h"
#include "ebpf/steer_shared.h"

char LICENSE[] SEC("license") = "Apache-2.0";

/* One value: its mapping is the board as the programs know it. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct board);
} sluice_board SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_REUSEPORT_SOCKARRAY);
	__uint(max_entries, STEER_GROUPS_MAX *BOARD_SLOTS_MAX);
	__type(key, __u32);
	__type(value, __u64);
} sluice_socks SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, STEER_GROUPS_MAX);
	__type(key, struct steer_address);
	__type(value, __u32);
} sluice_groups SEC(".maps");

struct steer_tune sluice_tune = {};
struct steer_counts sluice_counts = {};
__u32 sluice_turn = 0;

#define COUNT(field) __sync_fetch_and_add(&sluice_counts.field, 1)

/* By the listener, not by the packet: an IPv4 client of a dual-stack listener is in its group. */
static __u32 *find_group(struct sk_reuseport_md *md)
{
	struct bpf_sock *sk = md->sk, *moving = md->migrating_sk;
	struct steer_address a = {};

	if (sk == NULL)
		return NULL;
	a.family = sk->family;
	a.port = sk->src_port;
	/* a handshake may outlive its listener for so long that this has given its port back */
	if (a.port == 0 && moving != NULL)
		a.port = moving->src_port;
	if (a.family == STEER_AF_INET) {
		a.ip[0] = sk->src_ip4;
	} else {
		a.ip[0] = sk->src_ip6[0];
		a.ip[1] = sk->src_ip6[1];
		a.ip[2] = sk->src_ip6[2];
		a.ip[3] = sk->src_ip6[3];
	}
	return bpf_map_lookup_elem(&sluice_groups, &a);
}

/* 0: there is no packet (a queued connection migrates). */
static __u64 hash_client(struct sk_reuseport_md *md)
{
	__u32 v4 = 0, v6[4] = {};

	if (md->eth_protocol == bpf_htons(STEER_ETH_P_IP)) {
		if (bpf_skb_load_bytes_relative(md, 12, &v4, sizeof(v4), BPF_HDR_START_NET) != 0)
			return 0;
		return steer_mix((__u64)v4 + 1);
	}
	if (bpf_skb_load_bytes_relative(md, 8, v6, sizeof(v6), BPF_HDR_START_NET) != 0)
		return 0;
	return steer_mix(((__u64)v6[0] << 32 | v6[1]) ^ steer_mix((__u64)v6[2] << 32 | v6[3]));
}

static void note_choice(struct steer_pick *p, int is_migrating)
{
	struct board_slot *s;

	if (p->best >= BOARD_SLOTS_MAX)
		return;
	s = &p->board->slots[p->best];
	__sync_fetch_and_add(&s->assigned, 1);
	COUNT(chosen);
	if (p->is_stale)
		COUNT(stale);
	if (is_migrating) {
		__sync_fetch_and_add(&s->migrated, 1);
		COUNT(migrated);
	}
}

static void steer(struct sk_reuseport_md *md, __u32 group, __u32 mode, int is_migrating)
{
	struct steer_pick p = {};
	__u32 zero = 0, key;

	p.board = bpf_map_lookup_elem(&sluice_board, &zero);
	if (p.board == NULL)
		return;
	p.now_ns = bpf_ktime_get_ns();
	p.stale_ns = sluice_tune.stale_ns;
	p.n = p.board->n_live;
	p.shift = p.board->seat_shift;
	p.chance = bpf_get_prandom_u32();
	if (mode == STEER_CPU) {
		p.cpu = bpf_get_smp_processor_id();
		p.n_classes = sluice_tune.n_cpus;
		if (p.n_classes > p.n >> (p.shift & 1))
			p.n_classes = p.n >> (p.shift & 1);
	} else if (mode == STEER_ROUND_ROBIN) {
		p.turn = __sync_fetch_and_add(&sluice_turn, 1);
	} else if (mode == STEER_HASH_IP) {
		p.client = hash_client(md);
		if (p.client == 0)
			mode = STEER_LEAST_CONN;
	}
	steer_choose(&p, mode);
	if (p.best >= BOARD_SLOTS_MAX) {
		COUNT(nobody);
		return;
	}
	key = group * BOARD_SLOTS_MAX + p.best;
	if (bpf_sk_select_reuseport(md, &sluice_socks, &key, 0) != 0)
		COUNT(failed);
	else
		note_choice(&p, is_migrating);
}

SEC("sk_reuseport/migrate")
int sluice_steer(struct sk_reuseport_md *md)
{
	int is_migrating = md->migrating_sk != NULL;
	__u32 mode = sluice_tune.mode;
	__u32 *group = find_group(md);

	if (group == NULL)
		COUNT(unknown);
	else if (mode == STEER_KERNEL && !is_migrating)
		COUNT(kernel);
	else
		steer(md, *group, mode, is_migrating);
	return SK_PASS;
}
