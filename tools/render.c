/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/render.h"

#include <stdint.h>
#include <string.h>
#include <time.h>

#include "tools/text_table.h"

/* A field of a document by a path of keys, "a.b". */
static const json_t *at(const json_t *o, const char *path)
{
	const char *dot;

	for (; (dot = strchr(path, '.')) != NULL; path = dot + 1)
		o = json_object_getn(o, path, (size_t)(dot - path));
	return json_object_get(o, path);
}

const char *render_text(const json_t *o, const char *path)
{
	const char *s = json_string_value(at(o, path));

	return s != NULL ? s : "";
}

static long long number_at(const json_t *o, const char *path)
{
	return (long long)json_integer_value(at(o, path));
}

static void duration(char *buf, size_t size, long long ms)
{
	long long s = ms / 1000;

	if (ms < 10000)
		snprintf(buf, size, "%lld ms", ms);
	else if (s < 120)
		snprintf(buf, size, "%lld s", s);
	else if (s < 7200)
		snprintf(buf, size, "%lld min", s / 60);
	else if (s < 172800)
		snprintf(buf, size, "%lld h", s / 3600);
	else
		snprintf(buf, size, "%lld days", s / 86400);
}

static void bytes(char *buf, size_t size, long long n)
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
	double v = (double)n;
	size_t u = 0;

	for (; v >= 1024 && u + 1 < sizeof(units) / sizeof(units[0]); u++)
		v /= 1024;
	snprintf(buf, size, u == 0 ? "%.0f %s" : "%.1f %s", v, units[u]);
}

/* ---- status ---- */

static void render_stream(const json_t *s, FILE *out)
{
	const json_t *link = at(s, "control_stream");
	char since[32];

	if (!json_is_object(link))
		return;
	duration(since, sizeof(since), number_at(link, "since_ms"));
	if (json_is_true(at(link, "connected")))
		fprintf(out, "control     connected to %s for %s%s\n", render_text(link, "peer"),
				since, json_is_true(at(link, "updating")) ? ", updating" : "");
	else
		fprintf(out, "control     NOT connected for %s: %s\n", since,
				render_text(link, "last_error"));
}

/* Of the kinds that there are any of. */
static void render_entities(const json_t *s, FILE *out)
{
	const json_t *entities = at(s, "snapshot.entities"), *count;
	const char *name, *comma = "";

	fprintf(out, "entities    ");
	json_object_foreach ((json_t *)(uintptr_t)entities, name, count) {
		if (json_integer_value(count) == 0)
			continue;
		fprintf(out, "%s%lld %s", comma, (long long)json_integer_value(count), name);
		comma = ", ";
	}
	fputs(comma[0] == '\0' ? "none\n" : "\n", out);
}

static void render_steering(const json_t *s, FILE *out)
{
	const char *reason = render_text(s, "reason"), *step = render_text(s, "failed_step");

	fprintf(out, "steering    %s, %s", render_text(s, "mode"),
			json_is_true(at(s, "bpf")) ? "by eBPF" : "without eBPF");
	if (reason[0] != '\0')
		fprintf(out, " (%s%s%s)", reason, step[0] != '\0' ? "; step: " : "", step);
	fputc('\n', out);
}

/* What only a node that serves traffic has. */
static void render_data_plane(const json_t *doc, const json_t *s, FILE *out)
{
	char used[32], map[32];

	bytes(used, sizeof(used), number_at(s, "snapshot.used_bytes"));
	bytes(map, sizeof(map), number_at(s, "snapshot.map_bytes"));
	fprintf(out, "workers     %lld of %lld ready\n", number_at(s, "workers.ready"),
			number_at(s, "workers.total"));
	fprintf(out, "generation  %lld (epoch %.8s, hash %.8s)\n", number_at(s, "generation"),
			render_text(s, "epoch"), render_text(doc, "configuration_hash"));
	render_stream(s, out);
	fprintf(out, "snapshot    %s of %s\n", used, map);
	render_entities(s, out);
	fprintf(out, "traffic     %lld requests, %lld connections open\n",
			number_at(doc, "server.total_requests"),
			number_at(doc, "server.connections_active"));
	render_steering(at(s, "steering"), out);
}

void render_status(const json_t *doc, FILE *out)
{
	const json_t *s = at(doc, "sluice");
	char up[32];

	duration(up, sizeof(up), number_at(s, "uptime_ms"));
	fprintf(out, "node        %s (%s)\n", render_text(s, "node_id"),
			render_text(s, "hostname"));
	fprintf(out, "version     sluice %s (build %s), role %s, pid %lld, up %s%s\n",
			render_text(s, "version"), render_text(s, "build"), render_text(s, "role"),
			number_at(s, "pid"), up,
			json_is_true(at(s, "stopping"))   ? ", STOPPING"
			: json_is_true(at(s, "draining")) ? ", DRAINING"
							  : "");
	if (number_at(s, "upgrade.upgrades") > 0)
		fprintf(out, "upgrades    %lld; the newest %s, from sluice %s (build %s)\n",
				number_at(s, "upgrade.upgrades"), render_text(s, "upgrade.state"),
				render_text(s, "upgrade.from.version"),
				render_text(s, "upgrade.from.build"));
	if (strcmp(render_text(s, "role"), "control_plane") == 0)
		fprintf(out, "traffic     none here; the nodes it feeds: GET "
			     "/clustering/data-planes on the Admin API\n");
	else
		render_data_plane(doc, s, out);
}

/* ---- tables ---- */

void render_workers(const json_t *doc, FILE *out)
{
	static const char *const heads[] = {">SLOT", ">PID", "STATE", ">GENERATION", ">RESTARTS",
			">CONNECTIONS", ">REQUESTS", "HEARTBEAT", "ERROR", NULL};
	sl_auto(text_table) t = NULL;
	const json_t *w;
	char beat[32];
	size_t i;

	if (text_table_new(&t, heads) < 0)
		return;
	json_array_foreach (at(doc, "workers"), i, w) {
		duration(beat, sizeof(beat), number_at(w, "heartbeat_age_ms"));
		text_table_cell(t, "%lld", number_at(w, "slot"));
		text_table_cell(t, "%lld", number_at(w, "pid"));
		text_table_cell(t, "%s", render_text(w, "state"));
		text_table_cell(t, "%lld", number_at(w, "generation"));
		text_table_cell(t, "%lld", number_at(w, "restarts"));
		text_table_cell(t, "%lld", number_at(w, "connections_active"));
		text_table_cell(t, "%lld", number_at(w, "requests_total"));
		text_table_cell(t, "%s ago", beat);
		text_table_cell(t, "%s", render_text(w, "error"));
	}
	text_table_print(t, out);
}

static void plugin_row(struct text_table *t, const json_t *p)
{
	const json_t *phases = at(p, "phases"), *phase;
	char names[256] = "", memory[32];
	size_t i;

	json_array_foreach (phases, i, phase) {
		size_t n = strlen(names);

		snprintf(names + n, sizeof(names) - n, "%s%s", n != 0 ? "," : "",
				json_string_value(phase));
	}
	bytes(memory, sizeof(memory), number_at(p, "counters.memory_bytes"));
	text_table_cell(t, "%s", render_text(p, "name"));
	text_table_cell(t, "%.12s", render_text(p, "version"));
	text_table_cell(t, "%s", render_text(p, "state"));
	text_table_cell(t, "%lld/%lld", number_at(p, "workers_active"),
			number_at(p, "workers_total"));
	text_table_cell(t, "%lld", number_at(p, "priority"));
	text_table_cell(t, "%s", names);
	text_table_cell(t, "%lld", number_at(p, "counters.runs"));
	text_table_cell(t, "%lld", number_at(p, "counters.errors"));
	text_table_cell(t, "%lld",
			number_at(p, "counters.cpu_trips") + number_at(p, "counters.memory_trips") +
					number_at(p, "counters.wall_trips") +
					number_at(p, "counters.output_trips"));
	text_table_cell(t, "%s", render_text(p, "breaker.state"));
	text_table_cell(t, "%s", memory);
}

static void print_reason(const char *what, const json_t *r, FILE *out)
{
	const char *file = render_text(r, "file");

	if (file[0] != '\0')
		fprintf(out, "  %s: %s:%lld: %s\n", what, file, number_at(r, "line"),
				render_text(r, "message"));
	else
		fprintf(out, "  %s: %s\n", what, render_text(r, "message"));
}

static void print_suspension(const json_t *p, FILE *out)
{
	char when[32];

	duration(when, sizeof(when), number_at(p, "breaker.retry_in_ms"));
	if (strcmp(render_text(p, "breaker.state"), "open") == 0)
		fprintf(out, "  %s: suspended after too many trips; tried again in %s\n",
				render_text(p, "name"), when);
}

/* "p: cpu_ms capped at 1000"; of an instance: with its id. */
static void print_capped(const char *plugin, const char *instance, const json_t *limits, FILE *out)
{
	const json_t *name;
	size_t i;

	json_array_foreach (at(limits, "capped"), i, name)
		fprintf(out, "  %s%s%s: %s capped at %lld by the node\n", plugin,
				instance[0] != '\0' ? " instance " : "", instance,
				json_string_value(name),
				number_at(limits, json_string_value(name)));
}

void render_plugins(const json_t *doc, FILE *out)
{
	static const char *const heads[] = {"NAME", "VERSION", "STATE", ">WORKERS", ">PRIORITY",
			"PHASES", ">RUNS", ">ERRORS", ">TRIPS", "BREAKER", ">MEMORY", NULL};
	const json_t *data = at(doc, "plugins"), *p, *instance;
	sl_auto(text_table) t = NULL;
	size_t i, k;

	if (text_table_new(&t, heads) < 0)
		return;
	json_array_foreach (data, i, p) {
		plugin_row(t, p);
	}
	text_table_print(t, out);
	json_array_foreach (data, i, p) {
		if (json_is_object(at(p, "refusal")))
			print_reason(render_text(p, "name"), at(p, "refusal"), out);
		print_suspension(p, out);
		print_capped(render_text(p, "name"), "", at(p, "limits"), out);
		json_array_foreach (at(p, "limits.instances"), k, instance)
			print_capped(render_text(p, "name"), render_text(instance, "id"), instance,
					out);
	}
}

static void generation_row(struct text_table *t, const json_t *g)
{
	time_t seconds = (time_t)(number_at(g, "at_ms") / 1000);
	struct tm tm;
	char when[32] = "";

	if (localtime_r(&seconds, &tm) != NULL)
		strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S", &tm);
	text_table_cell(t, "%lld", number_at(g, "generation"));
	text_table_cell(t, "%s", when);
	text_table_cell(t, "%s", json_is_true(at(g, "full")) ? "full" : "delta");
	text_table_cell(t, "%lld", number_at(g, "resources"));
	text_table_cell(t, "%lld", number_at(g, "removed"));
	text_table_cell(t, "%lld", number_at(g, "rejected"));
	text_table_cell(t, "%lld/%lld", number_at(g, "workers_active"),
			number_at(g, "workers_total"));
	text_table_cell(t, "%lld", number_at(g, "duration_ms"));
	if (render_text(g, "refused_for")[0] != '\0')
		text_table_cell(t, "refused (%s): %s", render_text(g, "refused_for"),
				render_text(g, "error"));
	else
		text_table_cell(t, "in force");
}

void render_generations(const json_t *doc, FILE *out)
{
	static const char *const heads[] = {">GENERATION", "TIME", "KIND", ">CHANGED", ">REMOVED",
			">REJECTED", ">WORKERS", ">MS", "OUTCOME", NULL};
	const json_t *data = at(doc, "generations"), *g, *r;
	sl_auto(text_table) t = NULL;
	size_t i, k;

	if (text_table_new(&t, heads) < 0)
		return;
	json_array_foreach (data, i, g) {
		generation_row(t, g);
	}
	text_table_print(t, out);
	json_array_foreach (data, i, g) {
		json_array_foreach (at(g, "rejections"), k, r) {
			fprintf(out, "  generation %lld, %s", number_at(g, "generation"),
					render_text(r, "code"));
			print_reason(render_text(r, "name")[0] != '\0' ? render_text(r, "name")
								       : render_text(r, "id"),
					r, out);
		}
	}
}
