/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/clock.h"
#include "master/account.h"
#include "master/child.h"
#include "master/expiry.h"
#include "master/latency.h"
#include "master/metric.h"
#include "master/metrics_workers.h"
#include "master/status_docs.h"
#include "master/targets.h"
#include "master/upgrade.h"
#include "shm/breaker.h"
#include "shm/dict.h"
#include "shm/record.pb-c.h"

/* ---- Kong's names ---- */

struct totals {
	uint64_t accepted, active, waiting, writing, requests;
};

static void sum(const struct status_sources *s, struct totals *t)
{
	const struct stat_area *area = supervise_stat(s->workers);

	for (uint32_t i = 0; i < supervise_slots(s->workers); i++) {
		const struct stat_worker *w = &area->workers[i];

		t->accepted += atomic_load(&w->connections_accepted);
		t->active += atomic_load(&w->connections_active);
		t->waiting += atomic_load(&w->connections_waiting);
		t->writing += atomic_load(&w->requests_active);
		t->requests += atomic_load(&w->requests_total);
	}
}

static void put_connections(const struct status_sources *s, struct buf *out)
{
	struct totals t = {.accepted = 0};

	sum(s, &t);
	const struct {
		const char *state;
		uint64_t n;
	} rows[] = {{"accepted", t.accepted}, {"active", t.active}, {"handled", t.accepted},
			{"reading", 0}, {"total", t.requests}, {"waiting", t.waiting},
			{"writing", t.writing}};

	metric_head(out, METRIC_kong_nginx_connections_total);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		metric_line(out, METRIC_kong_nginx_connections_total, rows[i].n, s->node->id,
				"http", rows[i].state);
	metric_head(out, METRIC_kong_nginx_requests_total);
	metric_line(out, METRIC_kong_nginx_requests_total, t.requests, s->node->id, "http");
	metric_head(out, METRIC_kong_nginx_timers);
	metric_line(out, METRIC_kong_nginx_timers, 0, "running");
	metric_line(out, METRIC_kong_nginx_timers, 0, "pending");
	/* a scrape is whole, or answered 500 */
	metric_only(out, METRIC_kong_nginx_metric_errors_total, 0);
}

static void put_memory(const struct status_sources *s, struct buf *out)
{
	const struct stat_area *area = supervise_stat(s->workers);
	struct supervise_process p;
	struct dict_stats d;
	char pid[16];

	metric_head(out, METRIC_kong_memory_workers_lua_vms_bytes);
	for (uint32_t i = 0; supervise_process_at(s->workers, i, &p); i++) {
		if (p.pid == 0)
			continue;
		snprintf(pid, sizeof(pid), "%d", (int)p.pid);
		metric_line(out, METRIC_kong_memory_workers_lua_vms_bytes,
				atomic_load(&area->workers[p.slot].memory_vm_bytes), s->node->id,
				pid, "http");
	}
	dict_get_stats(s->dict, &d);
	metric_head(out, METRIC_kong_memory_lua_shared_dict_bytes);
	metric_line(out, METRIC_kong_memory_lua_shared_dict_bytes, d.used_bytes, s->node->id,
			"sluice.dict", "http");
	metric_head(out, METRIC_kong_memory_lua_shared_dict_total_bytes);
	metric_line(out, METRIC_kong_memory_lua_shared_dict_total_bytes, d.size_bytes, s->node->id,
			"sluice.dict", "http");
}

static void put_kong(const struct status_sources *s, struct buf *out)
{
	struct follow_link l;

	metric_head(out, METRIC_kong_node_info);
	metric_line(out, METRIC_kong_node_info, 1, s->node->id, PACKAGE_VERSION);
	if (s->control != NULL)
		metric_only(out, METRIC_kong_datastore_reachable, child_pid(s->control) != 0);
	if (s->follow == NULL)
		return;
	follow_get_link(s->follow, &l);
	metric_only(out, METRIC_kong_control_plane_connected, l.is_connected);
	put_connections(s, out);
	put_memory(s, out);
}

/* ---- ours ---- */

static void put_node(const struct status_sources *s, struct buf *out)
{
	const struct snap_view *v = follow_view(s->follow);
	uint64_t committed, refused, rejected, used, map;
	struct follow_link l;

	history_counts(s->history, &committed, &refused, &rejected);
	snapshot_writer_usage(s->writer, &used, &map);
	follow_get_link(s->follow, &l);
	metric_only(out, METRIC_sluice_generation, v != NULL ? snap_view_generation(v) : 0);
	metric_only(out, METRIC_sluice_workers, supervise_count(s->workers));
	metric_only(out, METRIC_sluice_workers_ready, supervise_ready(s->workers));
	metric_only(out, METRIC_sluice_upgrades_total, upgrade_count(s->upgrade));
	metric_only(out, METRIC_sluice_draining, status_is_draining(s));
	metric_only(out, METRIC_sluice_updates_committed_total, committed);
	metric_only(out, METRIC_sluice_updates_refused_total, refused);
	metric_only(out, METRIC_sluice_resources_rejected_total, rejected);
	metric_only(out, METRIC_sluice_plugin_checks_total, l.checks_run);
	metric_only(out, METRIC_sluice_snapshot_used_bytes, used);
	metric_only(out, METRIC_sluice_snapshot_map_bytes, map);
}

static void put_plugin_rows(
		const struct status_sources *s, struct buf *out, enum metric_id id, size_t offset)
{
	struct plugin_total t;
	uint64_t v;

	metric_head(out, id);
	for (size_t i = 0; counts_at(s->counts, i, &t); i++) {
		memcpy(&v, (const char *)&t + offset, sizeof(v));
		metric_line(out, id, v, t.plugin);
	}
}

struct breaker_lines {
	const struct breaker *breaker;
	struct buf *states, *opens;
};

static bool add_breaker(void *arg, struct str id, uint64_t version, struct str record)
{
	struct breaker_lines *l = arg;
	Sluice__Record__PluginCode *c = sluice__record__plugin_code__unpack(
			NULL, record.n, (const uint8_t *)record.p);
	struct breaker_show b;

	(void)version;
	if (c == NULL)
		return true;
	breaker_show(l->breaker, id, clock_mono_ms(), &b);
	metric_line(l->states, METRIC_sluice_plugin_breaker_state, (uint64_t)b.state, c->name);
	metric_line(l->opens, METRIC_sluice_plugin_breaker_opens_total, b.opens, c->name);
	sluice__record__plugin_code__free_unpacked(c, NULL);
	return true;
}

static void put_breakers(const struct status_sources *s, struct buf *out)
{
	struct buf opens = {.p = NULL};
	struct breaker_lines l = {.breaker = s->breaker, .states = out, .opens = &opens};
	const struct snap_view *v = follow_view(s->follow);

	metric_head(out, METRIC_sluice_plugin_breaker_state);
	metric_head(&opens, METRIC_sluice_plugin_breaker_opens_total);
	if (v != NULL)
		snap_each(v, SLUICE__RECORD__KIND__PLUGIN_CODE, add_breaker, &l);
	buf_add(out, opens.p, opens.n);
	buf_done(&opens);
}

static void put_dict(const struct dict *d, struct buf *out)
{
	struct dict_stats t;

	dict_get_stats(d, &t);
#define X(field, kind, help) metric_only(out, METRIC_dict_##field, t.field);
	DICT_STATS(X)
#undef X
}

void status_metrics(const struct status_sources *s, struct buf *out)
{
	put_kong(s, out);
	metric_only(out, METRIC_sluice_uptime_seconds,
			(clock_mono_ms() - s->node->started_ms) / 1000);
	expiry_prometheus(s->expiry, s->follow != NULL ? follow_view(s->follow) : NULL, out);
	if (s->workers == NULL)
		return;
	put_node(s, out);
	metrics_workers(s->workers, s->steering, out);
	metrics_steering(s->steering, out);
	put_dict(s->dict, out);
	put_breakers(s, out);
#define X(field, type, help) \
	put_plugin_rows(s, out, METRIC_plugin_##field, offsetof(struct plugin_total, field));
	COUNTS_TABLE(X)
#undef X
	targets_prometheus(s->targets, s->workers, follow_view(s->follow), out);
	account_prometheus(s->account, out);
	latency_prometheus(s->latency, out);
}
