/* SPDX-License-Identifier: Apache-2.0 */
#include "master/metrics_workers.h"

#include <string.h>

#include "base/clock.h"
#include "master/metric.h"
#include "master/proc.h"

struct slot_view {
	char name[12];
	const struct board_slot *board;  /* of the process that takes connections */
	const struct board_slot *boards; /* BOARD_SEATS of them */
	const struct stat_worker *stats;
	const char *state;
	uint32_t restarts;
	struct proc_usage usage;
};

static const char *const states[] = {"starting", "ready", "draining", "drained", "down"};

static void look(const struct supervise *w, const struct steering *s, uint32_t i,
		struct slot_view *ret)
{
	*ret = (struct slot_view){.board = &steering_board(s)->slots[supervise_slot(w, i)],
			.boards = &steering_board(s)->slots[i * BOARD_SEATS],
			.stats = &supervise_stat(w)->workers[i * BOARD_SEATS],
			.state = supervise_state(w, i),
			.restarts = supervise_restarts(w, i)};
	snprintf(ret->name, sizeof(ret->name), "%u", i);
	proc_read(&ret->usage, supervise_pid(w, i));
}

static void put_states(const struct slot_view *v, uint32_t n, struct buf *out)
{
	metric_head(out, METRIC_sluice_worker_state);
	for (uint32_t i = 0; i < n; i++)
		for (size_t k = 0; k < sizeof(states) / sizeof(states[0]); k++)
			metric_line(out, METRIC_sluice_worker_state,
					strcmp(v[i].state, states[k]) == 0, v[i].name, states[k]);
}

static void put_heartbeats(const struct slot_view *v, uint32_t n, struct buf *out)
{
	uint64_t now = clock_mono_ns();

	metric_head(out, METRIC_sluice_worker_heartbeat_age_seconds);
	for (uint32_t i = 0; i < n; i++) {
		uint64_t beat = atomic_load(&v[i].board->heartbeat_ns);

		if (beat != 0)
			metric_line_f(out, METRIC_sluice_worker_heartbeat_age_seconds,
					beat < now ? (double)(now - beat) / 1e9 : 0, v[i].name);
	}
}

/* One line per worker. */
#define PUT_EACH(id, value) \
	do { \
		metric_head(out, id); \
		for (uint32_t i = 0; i < n; i++) \
			metric_line(out, id, value, v[i].name); \
	} while (0)

static uint64_t sum_assigned(const struct board_slot *b)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < BOARD_SEATS; i++)
		n += atomic_load(&b[i].assigned);
	return n;
}

static uint64_t sum_waiting(const struct board_slot *b)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < BOARD_SEATS; i++) {
		uint64_t assigned = atomic_load(&b[i].assigned), seen = atomic_load(&b[i].seen);

		n += assigned > seen ? assigned - seen : 0;
	}
	return n;
}

static void put_life(const struct slot_view *v, uint32_t n, struct buf *out)
{
	metric_head(out, METRIC_sluice_worker_cpu_seconds_total);
	for (uint32_t i = 0; i < n; i++)
		metric_line_f(out, METRIC_sluice_worker_cpu_seconds_total,
				(double)v[i].usage.cpu_ms / 1e3, v[i].name);
	PUT_EACH(METRIC_sluice_worker_resident_memory_bytes, v[i].usage.rss_bytes);
	PUT_EACH(METRIC_sluice_worker_restarts_total, v[i].restarts);
	PUT_EACH(METRIC_sluice_worker_generation, atomic_load(&v[i].board->generation));
	PUT_EACH(METRIC_sluice_steering_assigned_total, sum_assigned(v[i].boards));
	PUT_EACH(METRIC_sluice_steering_waiting, sum_waiting(v[i].boards));
}

static void put_counters(const struct slot_view *v, uint32_t n, struct buf *out)
{
#define X(field, kind, unit, help) \
	PUT_EACH(METRIC_worker_##field, \
			atomic_load(&v[i].stats[0].field) + atomic_load(&v[i].stats[1].field));
	STAT_WORKER(X)
#undef X
}

void metrics_workers(const struct supervise *w, const struct steering *s, struct buf *out)
{
	struct slot_view v[BOARD_SLOTS_MAX];
	uint32_t n = supervise_count_ever(w);

	for (uint32_t i = 0; i < n; i++)
		look(w, s, i, &v[i]);
	put_states(v, n, out);
	put_heartbeats(v, n, out);
	put_life(v, n, out);
	put_counters(v, n, out);
}

void metrics_steering(const struct steering *s, struct buf *out)
{
	struct steering_report r;

	steering_report(s, &r);
	metric_head(out, METRIC_sluice_steering_info);
	metric_line(out, METRIC_sluice_steering_info, 1, steer_mode_name(r.mode),
			steer_mode_name(r.wanted), r.is_bpf ? "true" : "false", r.migration);
#define X(field, help) metric_only(out, METRIC_steering_##field, r.counts.field);
	STEER_COUNTS(X)
#undef X
}
