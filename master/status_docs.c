/* SPDX-License-Identifier: Apache-2.0 */
#include "master/status_docs.h"

#include <string.h>

#include "base/clock.h"
#include "base/hex.h"
#include "master/child.h"
#include "master/image.h"
#include "master/proc.h"
#include "master/upgrade.h"
#include "plugin/phase.h"
#include "shm/dict.h"
#include "shm/record.pb-c.h"

static const struct snap_view *view_of(const struct status_sources *s)
{
	return s->follow != NULL ? follow_view(s->follow) : NULL;
}

static uint32_t n_workers(const struct status_sources *s)
{
	return s->workers != NULL ? supervise_count(s->workers) : 0;
}

static const struct stat_worker *stat_of(const struct status_sources *s, uint32_t slot)
{
	return &supervise_stat(s->workers)->workers[slot];
}

/* bytes as lower-case hexadecimal, at most `digits` of it. */
static json_t *hex_json(const void *p, size_t n, size_t digits)
{
	char text[2 * 64 + 1];

	hex_encode(p, n <= 64 ? n : 64, text);
	return json_stringn(text, strlen(text) < digits ? strlen(text) : digits);
}

static json_t *epoch_json(const struct snap_view *v)
{
	struct str epoch = v != NULL ? snap_view_epoch(v) : STR_NONE;

	return hex_json(epoch.p, epoch.n, 128);
}

bool status_is_draining(const struct status_sources *s)
{
	struct supervise_drain d = {.is_on = false};

	if (s->workers != NULL)
		supervise_get_drain(s->workers, SUPERVISE_ALL, &d);
	return s->is_stopping || d.is_on;
}

/* ---- /status ---- */

struct traffic {
#define X(name, kind, unit, help) uint64_t name;
	STAT_WORKER(X)
#undef X
};

static void sum_traffic(const struct status_sources *s, struct traffic *ret)
{
	*ret = (struct traffic){.requests_total = 0};
	for (uint32_t i = 0; s->workers != NULL && i < supervise_slots(s->workers); i++) {
		const struct stat_worker *w = stat_of(s, i);

#define X(name, kind, unit, help) ret->name += atomic_load_explicit(&w->name, memory_order_relaxed);
		STAT_WORKER(X)
#undef X
	}
}

static json_t *server_json(const struct status_sources *s)
{
	struct traffic t;

	sum_traffic(s, &t);
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "connections_accepted",
			(json_int_t)t.connections_accepted, "connections_active",
			(json_int_t)t.connections_active, "connections_handled",
			(json_int_t)t.connections_accepted, "connections_reading", (json_int_t)0,
			"connections_waiting", (json_int_t)t.connections_waiting,
			"connections_writing", (json_int_t)t.requests_active, "total_requests",
			(json_int_t)t.requests_total);
}

static json_t *memory_json(const struct status_sources *s)
{
	json_t *vms = json_array();
	struct supervise_process p;
	char size[32];

	for (uint32_t i = 0; s->workers != NULL && supervise_process_at(s->workers, i, &p); i++) {
		uint64_t bytes = atomic_load_explicit(
				&stat_of(s, p.slot)->memory_vm_bytes, memory_order_relaxed);

		snprintf(size, sizeof(size), "%.2f MiB", (double)bytes / (1024.0 * 1024.0));
		json_array_append_new(vms, json_pack("{s:i, s:s}", "pid", (int)p.pid,
							   "http_allocated_gc", size));
	}
	return json_pack("{s:o, s:{}}", "workers_lua_vms", vms, "lua_shared_dicts");
}

static json_t *link_json(const struct status_sources *s)
{
	struct follow_link l;

	if (s->follow == NULL)
		return json_null();
	follow_get_link(s->follow, &l);
	return json_pack("{s:b, s:s, s:I, s:s, s:b, s:I, s:I}", "connected", l.is_connected, "peer",
			l.peer, "since_ms", (json_int_t)l.since_ms, "last_error", l.last_error,
			"updating", l.is_updating, "checks_run", (json_int_t)l.checks_run,
			"checks_remembered", (json_int_t)l.checks_remembered);
}

static json_t *control_json(const struct status_sources *s)
{
	if (s->control == NULL)
		return json_null();
	return json_pack("{s:i, s:i}", "pid", (int)child_pid(s->control), "restarts",
			(int)child_restarts(s->control));
}

static json_t *snapshot_json(const struct status_sources *s)
{
	const struct snap_view *v = view_of(s);
	uint64_t used = 0, map = 0;
	json_t *counts = json_object();
	static const struct {
		const char *name;
		uint32_t kind;
	} kinds[] = {{"services", SLUICE__RECORD__KIND__SERVICE},
			{"routes", SLUICE__RECORD__KIND__ROUTE},
			{"plugins", SLUICE__RECORD__KIND__PLUGIN_INSTANCE},
			{"custom_plugins", SLUICE__RECORD__KIND__PLUGIN_CODE},
			{"consumers", SLUICE__RECORD__KIND__CONSUMER},
			{"consumer_groups", SLUICE__RECORD__KIND__CONSUMER_GROUP},
			{"consumer_group_consumers", SLUICE__RECORD__KIND__CONSUMER_GROUP_CONSUMER},
			{"certificates", SLUICE__RECORD__KIND__CERTIFICATE},
			{"snis", SLUICE__RECORD__KIND__SNI},
			{"ca_certificates", SLUICE__RECORD__KIND__CA_CERTIFICATE},
			{"upstreams", SLUICE__RECORD__KIND__UPSTREAM},
			{"targets", SLUICE__RECORD__KIND__TARGET},
			{"key_sets", SLUICE__RECORD__KIND__KEY_SET},
			{"keys", SLUICE__RECORD__KIND__KEY},
			{"vaults", SLUICE__RECORD__KIND__VAULT}};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		json_object_set_new(counts, kinds[i].name,
				json_integer(v != NULL ? (json_int_t)snap_count(v, kinds[i].kind)
						       : 0));
	if (s->writer != NULL)
		snapshot_writer_usage(s->writer, &used, &map);
	return json_pack("{s:I, s:I, s:o}", "used_bytes", (json_int_t)used, "map_bytes",
			(json_int_t)map, "entities", counts);
}

static json_t *dict_json(const struct status_sources *s)
{
	struct dict_stats t;
	json_t *doc = json_object();

	if (s->dict == NULL)
		return doc;
	dict_get_stats(s->dict, &t);
#define X(field, kind, help) json_object_set_new(doc, #field, json_integer((json_int_t)t.field));
	DICT_STATS(X)
#undef X
	return doc;
}

static json_t *sluice_json(const struct status_sources *s)
{
	const struct snap_view *v = view_of(s);
	json_t *doc = json_pack("{s:s, s:s, s:s, s:s, s:s, s:I, s:i, s:I, s:o, s:b, s:b}",
			"version", PACKAGE_VERSION, "build", image_self()->build, "node_id",
			s->node->id, "hostname", s->node->hostname, "role", s->node->conf->role,
			"uptime_ms", (json_int_t)(clock_mono_ms() - s->node->started_ms), "pid",
			(int)getpid(), "generation",
			(json_int_t)(v != NULL ? snap_view_generation(v) : 0), "epoch",
			epoch_json(v), "draining", status_is_draining(s), "stopping",
			s->is_stopping);

	json_object_set_new(doc, "workers",
			json_pack("{s:i, s:i}", "total", (int)n_workers(s), "ready",
					s->workers != NULL ? (int)supervise_ready(s->workers) : 0));
	json_object_set_new(doc, "control_stream", link_json(s));
	json_object_set_new(doc, "control", control_json(s));
	json_object_set_new(doc, "upgrade", upgrade_json(s->upgrade));
	json_object_set_new(doc, "snapshot", snapshot_json(s));
	json_object_set_new(doc, "dict", dict_json(s));
	json_object_set_new(doc, "steering", status_doc_steering(s));
	return doc;
}

json_t *status_doc_status(const struct status_sources *s)
{
	const struct snap_view *v = view_of(s);
	struct str digest = v != NULL ? snap_view_digest(v) : STR_NONE;
	json_t *doc = json_pack("{s:o, s:o, s:o}", "server", server_json(s), "memory",
			memory_json(s), "configuration_hash",
			digest.n != 0 ? hex_json(digest.p, digest.n, 32)
				      : json_string("00000000000000000000000000000000"));
	struct follow_link l = {.is_connected = true};

	if (s->follow != NULL)
		follow_get_link(s->follow, &l);
	if (s->control != NULL && strcmp(s->node->conf->database, "off") != 0)
		json_object_set_new(doc, "database",
				json_pack("{s:b}", "reachable",
						child_pid(s->control) != 0 && l.is_connected));
	json_object_set_new(doc, "sluice", sluice_json(s));
	return doc;
}

/* ---- /status/ready ---- */

static bool is_empty(const struct snap_view *v)
{
	for (uint32_t kind = 1; kind <= SLUICE__RECORD__KIND__CONSUMER_GROUP_CONSUMER; kind++) {
		if (snap_count(v, kind) != 0)
			return false;
	}
	return true;
}

/* Kong calls an empty configuration unready only where there is no database. */
static bool is_fed(const struct status_sources *s)
{
	return strcmp(s->node->conf->role, "data_plane") == 0 ||
	       strcmp(s->node->conf->database, "off") == 0;
}

static const char *unready_reason(const struct status_sources *s, char *buf, size_t size)
{
	const struct snap_view *v = view_of(s);
	struct supervise_serving serving;

	if (status_is_draining(s))
		return "draining";
	if (s->workers == NULL)
		return NULL;
	if (v == NULL)
		return "no configuration available (configuration hash is not initialized)";
	if (is_fed(s) && is_empty(v))
		return "no configuration available (empty configuration present)";
	supervise_serving(s->workers, &serving);
	if (serving.unborn != 0)
		snprintf(buf, size,
				"router builds not yet complete, router ready in %u of %u workers",
				serving.now, n_workers(s));
	else if (serving.now == 0 || 2 * serving.now < serving.expected)
		snprintf(buf, size, "only %u of %u workers take traffic", serving.now,
				serving.expected);
	else
		return NULL;
	return buf;
}

json_t *status_doc_ready(const struct status_sources *s, int *ret_code)
{
	char buf[128];
	const char *reason = unready_reason(s, buf, sizeof(buf));

	*ret_code = reason == NULL ? 200 : 503;
	return json_pack("{s:s}", "message", reason == NULL ? "ready" : reason);
}

/* ---- /workers ---- */

/* Its own, and what the worker's processes before it counted where that is told nowhere else. */
static json_int_t count_of(
		const struct status_sources *s, const struct supervise_process *p, size_t offset)
{
	const struct stat_worker *w = supervise_stat(s->workers)->workers;
	json_int_t n = 0;

	for (uint32_t slot = p->worker * BOARD_SEATS; slot < (p->worker + 1) * BOARD_SEATS;
			slot++) {
		if (slot == p->slot || p->has_others_counters)
			n += (json_int_t)atomic_load((const _Atomic uint64_t *)(const void
							*)((const char *)&w[slot] + offset));
	}
	return n;
}

static json_t *worker_json(const struct status_sources *s, const struct supervise_process *p)
{
	const struct board_slot *b = &steering_board(s->steering)->slots[p->slot];
	uint64_t now = clock_mono_ns(), beat = atomic_load(&b->heartbeat_ns);
	struct proc_usage usage;

	proc_read(&usage, p->pid);
	return json_pack("{s:i, s:i, s:s, s:i, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:s}",
			"slot", (int)p->worker, "pid", (int)p->pid, "state", p->state, "restarts",
			(int)p->restarts, "generation", (json_int_t)atomic_load(&b->generation),
			"heartbeat_age_ms", (json_int_t)(beat < now ? (now - beat) / 1000000 : 0),
			"connections_active",
			count_of(s, p, offsetof(struct stat_worker, connections_active)),
			"connections_accepted",
			count_of(s, p, offsetof(struct stat_worker, connections_accepted)),
			"requests_total",
			count_of(s, p, offsetof(struct stat_worker, requests_total)),
			"requests_active",
			count_of(s, p, offsetof(struct stat_worker, requests_active)), "cpu_ms",
			(json_int_t)usage.cpu_ms, "rss_bytes", (json_int_t)usage.rss_bytes, "error",
			p->failure);
}

json_t *status_doc_workers(const struct status_sources *s)
{
	json_t *data = json_array();
	struct supervise_replacements r = {.waiting = 0};
	struct supervise_process p;

	if (s->workers != NULL)
		supervise_replacements(s->workers, &r);
	for (uint32_t i = 0; s->workers != NULL && supervise_process_at(s->workers, i, &p); i++)
		json_array_append_new(data, worker_json(s, &p));
	return json_pack("{s:o, s:b, s:{s:i, s:I, s:I}}", "workers", data, "draining",
			status_is_draining(s), "replacements", "waiting", (int)r.waiting, "done",
			(json_int_t)r.done, "failed", (json_int_t)r.failed);
}

/* ---- /generations ---- */

static json_t *rejection_json(const struct history_rejection *x)
{
	return json_pack("{s:i, s:s, s:s, s:s, s:I, s:I, s:s, s:i, s:s}", "kind", (int)x->kind,
			"id", x->id, "name", x->name, "code", x->code, "version",
			(json_int_t)x->version, "version_in_force", (json_int_t)x->version_in_force,
			"file", x->why.file, "line", x->why.line, "message", x->why.text);
}

static json_t *generation_json(const struct history_entry *e)
{
	json_t *rejected = json_array();

	for (uint32_t i = 0; i < e->n_rejections; i++)
		json_array_append_new(rejected, rejection_json(&e->rejections[i]));
	return json_pack("{s:I, s:I, s:I, s:b, s:i, s:i, s:i, s:i, s:i, s:s, s:s, s:o}",
			"generation", (json_int_t)e->generation, "at_ms",
			(json_int_t)(e->at_ns / 1000000), "duration_ms", (json_int_t)e->duration_ms,
			"full", e->is_full, "resources", (int)e->n_resources, "removed",
			(int)e->n_removed, "rejected", (int)e->n_rejected, "workers_active",
			(int)e->workers_active, "workers_total", (int)e->workers_total,
			"refused_for", e->refused_for, "error", e->text, "rejections", rejected);
}

json_t *status_doc_generations(const struct status_sources *s)
{
	json_t *data = json_array();
	const struct history_entry *e;

	for (uint32_t i = 0; (e = history_at(s->history, i)) != NULL; i++)
		json_array_append_new(data, generation_json(e));
	return json_pack("{s:o}", "generations", data);
}
