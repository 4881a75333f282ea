/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/clock.h"
#include "master/account.h"
#include "master/child.h"
#include "master/exposition.h"
#include "master/latency.h"
#include "master/status_docs.h"
#include "shm/breaker.h"
#include "shm/dict.h"
#include "shm/record.pb-c.h"

static void put(struct buf *out, const char *name, const char *type, const char *help, uint64_t v)
{
	exposition_head(out, name, type, help);
	buf_printf(out, "%s %llu\n", name, (unsigned long long)v);
}

/* ---- Kong's names ---- */

struct totals {
	uint64_t accepted, active, waiting, writing, requests;
};

static void sum(const struct status_sources *s, struct totals *t)
{
	const struct stat_area *area = supervise_stat(s->workers);

	for (uint32_t i = 0; i < supervise_count(s->workers); i++) {
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
	exposition_head(out, "kong_nginx_connections_total", "gauge",
			"Number of connections by subsystem.");
	const struct {
		const char *state;
		uint64_t n;
	} rows[] = {{"accepted", t.accepted}, {"active", t.active}, {"handled", t.accepted},
			{"reading", 0}, {"total", t.requests}, {"waiting", t.waiting},
			{"writing", t.writing}};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		buf_printf(out,
				"kong_nginx_connections_total{node_id=\"%s\",subsystem=\"http\","
				"state=\"%s\"} %llu\n",
				s->node->id, rows[i].state, (unsigned long long)rows[i].n);
	exposition_head(out, "kong_nginx_requests_total", "counter", "Number of requests total.");
	buf_printf(out, "kong_nginx_requests_total{node_id=\"%s\",subsystem=\"http\"} %llu\n",
			s->node->id, (unsigned long long)t.requests);
}

static void put_kong(const struct status_sources *s, struct buf *out)
{
	struct follow_link l;

	exposition_head(out, "kong_node_info", "gauge", "Node metadata information.");
	buf_printf(out, "kong_node_info{node_id=\"%s\",version=\"%s\"} 1\n", s->node->id,
			PACKAGE_VERSION);
	if (s->control != NULL)
		put(out, "kong_datastore_reachable", "gauge",
				"Datastore reachable, 0 is unreachable.",
				child_pid(s->control) != 0);
	if (s->follow == NULL)
		return;
	follow_get_link(s->follow, &l);
	put(out, "kong_control_plane_connected", "gauge",
			"Connected to control plane, 0 is unconnected.", l.is_connected);
	put_connections(s, out);
}

/* ---- ours ---- */

static void put_node(const struct status_sources *s, struct buf *out)
{
	const struct snap_view *v = follow_view(s->follow);
	uint64_t committed, refused, rejected, used, map, restarts = 0;
	struct follow_link l;

	for (uint32_t i = 0; i < supervise_count(s->workers); i++)
		restarts += supervise_restarts(s->workers, i);
	history_counts(s->history, &committed, &refused, &rejected);
	snapshot_writer_usage(s->writer, &used, &map);
	follow_get_link(s->follow, &l);
	put(out, "sluice_uptime_seconds", "gauge", "Seconds since sluiced started.",
			(clock_mono_ms() - s->node->started_ms) / 1000);
	put(out, "sluice_generation", "gauge", "Generation of the configuration in force.",
			v != NULL ? snap_view_generation(v) : 0);
	put(out, "sluice_workers", "gauge", "Worker processes configured.",
			supervise_count(s->workers));
	put(out, "sluice_workers_ready", "gauge", "Worker processes that take traffic.",
			supervise_ready(s->workers));
	put(out, "sluice_worker_restarts_total", "counter", "Workers started again.", restarts);
	put(out, "sluice_updates_committed_total", "counter",
			"Updates of the configuration committed.", committed);
	put(out, "sluice_updates_refused_total", "counter",
			"Updates of the configuration refused as a whole.", refused);
	put(out, "sluice_resources_rejected_total", "counter",
			"Resources rejected in committed updates.", rejected);
	put(out, "sluice_plugin_checks_total", "counter", "Runs of sluice-check.", l.checks_run);
	put(out, "sluice_snapshot_used_bytes", "gauge", "Bytes of the snapshot in use.", used);
	put(out, "sluice_snapshot_map_bytes", "gauge", "Bytes the snapshot may grow to.", map);
}

static void put_plugin_rows(const struct status_sources *s, struct buf *out, const char *field,
		const char *type, const char *help, size_t offset)
{
	struct plugin_total t;
	char name[64];
	uint64_t v;

	snprintf(name, sizeof(name), "sluice_plugin_%s%s", field,
			strcmp(type, "counter") == 0 ? "_total" : "");
	exposition_head(out, name, type, help);
	for (size_t i = 0; counts_at(s->counts, i, &t); i++) {
		memcpy(&v, (const char *)&t + offset, sizeof(v));
		buf_printf(out, "%s{plugin=\"", name);
		exposition_label(out, t.plugin);
		buf_printf(out, "\"} %llu\n", (unsigned long long)v);
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
	buf_printf(l->states, "sluice_plugin_breaker_state{plugin=\"");
	exposition_label(l->states, c->name);
	buf_printf(l->states, "\"} %d\n", (int)b.state);
	buf_printf(l->opens, "sluice_plugin_breaker_opens_total{plugin=\"");
	exposition_label(l->opens, c->name);
	buf_printf(l->opens, "\"} %llu\n", (unsigned long long)b.opens);
	sluice__record__plugin_code__free_unpacked(c, NULL);
	return true;
}

static void put_breakers(const struct status_sources *s, struct buf *out)
{
	struct buf opens = {.p = NULL};
	struct breaker_lines l = {.breaker = s->breaker, .states = out, .opens = &opens};
	const struct snap_view *v = follow_view(s->follow);

	exposition_head(out, "sluice_plugin_breaker_state", "gauge",
			"Breaker of the plugin: 0 closed, 1 open (suspended), 2 half open (one "
			"request tries it).");
	exposition_head(&opens, "sluice_plugin_breaker_opens_total", "counter",
			"How often the plugin was suspended.");
	if (v != NULL)
		snap_each(v, SLUICE__RECORD__KIND__PLUGIN_CODE, add_breaker, &l);
	buf_add(out, opens.p, opens.n);
	buf_done(&opens);
}

static void put_dict(const struct dict *d, struct buf *out)
{
	struct dict_stats t;

	dict_get_stats(d, &t);
#define X(field, kind, help) \
	put(out, \
			strcmp(#kind, "counter") == 0 ? "sluice_dict_" #field "_total" \
						      : "sluice_dict_" #field, \
			#kind, help, t.field);
	DICT_STATS(X)
#undef X
}

void status_metrics(const struct status_sources *s, struct buf *out)
{
	put_kong(s, out);
	if (s->workers == NULL)
		return;
	put_node(s, out);
	put_dict(s->dict, out);
	put_breakers(s, out);
#define X(field, type, help) \
	put_plugin_rows(s, out, #field, type, help, offsetof(struct plugin_total, field));
	COUNTS_TABLE(X)
#undef X
	account_prometheus(s->account, out);
	latency_prometheus(s->latency, out);
	stat_prometheus(supervise_stat(s->workers), supervise_count(s->workers), out);
}
