/* SPDX-License-Identifier: Apache-2.0 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/render.h"
#include "tools/screen.h"
#include "tools/spread.h"
#include "tools/text_table.h"
#include "tools/top_model.h"
#include "tools/verbs.h"

struct top {
	const struct ctl *ctl;
	int interval_ms;
	const char *sort;
	bool is_paused;
	struct top_look before, now;
};

static double number(const json_t *o, const char *key)
{
	return json_number_value(json_object_get(o, key));
}

static double sum_of(const json_t *list, const char *key)
{
	const json_t *row;
	double sum = 0;
	size_t i;

	json_array_foreach (list, i, row)
		sum += number(row, key);
	return sum;
}

static void put_head(const json_t *doc, FILE *out)
{
	const json_t *list = json_object_get(doc, "workers");

	fprintf(out,
			"%.0f req/s   %.0f failed/s   %.0f connections   %zu workers   CPU %.0f %% "
			"  "
			"generation %.0f\n\n",
			sum_of(list, "requests_per_second"),
			sum_of(json_object_get(doc, "routes"), "failed_per_second"),
			sum_of(list, "connections"), json_array_size(list),
			sum_of(list, "cpu_percent"),
			number(json_object_get(doc, "node"), "generation"));
}

static void put_hints(const struct top *t, FILE *out)
{
	fprintf(out, "\nplugins by %s", t->sort);
	if (!t->ctl->is_once)
		fprintf(out, "   each %.2g s%s   (s: order, p: pause, + -: interval, q: quit)",
				t->interval_ms / 1000.0, t->is_paused ? ", PAUSED" : "");
	fputc('\n', out);
}

static void put_workers(const json_t *doc, FILE *out)
{
	static const char *const heads[] = {">WORKER", ">PID", "STATE", ">CONNS", ">REQ/S",
			">CPU %", ">RSS MB", ">GENERATION", ">RESTARTS", NULL};
	sl_auto(text_table) table = NULL;
	const json_t *w;
	size_t i;

	if (text_table_new(&table, heads) < 0)
		return;
	json_array_foreach (json_object_get(doc, "workers"), i, w) {
		text_table_cell(table, "%.0f", number(w, "slot"));
		text_table_cell(table, "%.0f", number(w, "pid"));
		text_table_cell(table, "%s", render_text(w, "state"));
		text_table_cell(table, "%.0f", number(w, "connections"));
		text_table_cell(table, "%.0f", number(w, "requests_per_second"));
		text_table_cell(table, "%.0f", number(w, "cpu_percent"));
		text_table_cell(table, "%.1f", number(w, "rss_bytes") / 1048576);
		text_table_cell(table, "%.0f", number(w, "generation"));
		text_table_cell(table, "%.0f", number(w, "restarts"));
	}
	text_table_print(table, out);
}

static void put_time(struct text_table *table, const json_t *row, const char *key)
{
	char buf[SPREAD_TIME_MAX];
	double ns = number(row, key);

	text_table_cell(table, "%s", spread_time(buf, (uint64_t)ns, ns > 0));
}

static void put_plugins(const json_t *doc, FILE *out)
{
	static const char *const heads[] = {"PLUGIN", ">SHARE %", ">RUNS/S", ">BUSY MS/S", ">P50",
			">P99", ">ERRORS/S", ">TRIPS/S", ">MEM KB", "BREAKER", NULL};
	sl_auto(text_table) table = NULL;
	const json_t *p;
	size_t i;

	if (json_array_size(json_object_get(doc, "plugins")) == 0 ||
			text_table_new(&table, heads) < 0)
		return;
	json_array_foreach (json_object_get(doc, "plugins"), i, p) {
		text_table_cell(table, "%s", render_text(p, "name"));
		text_table_cell(table, "%.1f", number(p, "share_percent"));
		text_table_cell(table, "%.0f", number(p, "runs_per_second"));
		text_table_cell(table, "%.2f", number(p, "busy_ms_per_second"));
		put_time(table, p, "p50_ns");
		put_time(table, p, "p99_ns");
		text_table_cell(table, "%.1f", number(p, "errors_per_second"));
		text_table_cell(table, "%.1f", number(p, "trips_per_second"));
		text_table_cell(table, "%.0f", number(p, "memory_bytes") / 1024);
		text_table_cell(table, "%s", render_text(p, "breaker"));
	}
	text_table_print(table, out);
}

static void put_routes(const json_t *doc, FILE *out)
{
	static const char *const heads[] = {
			"ROUTE", "SERVICE", ">REQ/S", ">FAILED/S", ">P50", ">P99", NULL};
	sl_auto(text_table) table = NULL;
	const json_t *r;
	size_t i;

	if (json_array_size(json_object_get(doc, "routes")) == 0 ||
			text_table_new(&table, heads) < 0)
		return;
	json_array_foreach (json_object_get(doc, "routes"), i, r) {
		text_table_cell(table, "%s", render_text(r, "name"));
		text_table_cell(table, "%s", render_text(r, "service"));
		text_table_cell(table, "%.0f", number(r, "runs_per_second"));
		text_table_cell(table, "%.1f", number(r, "failed_per_second"));
		put_time(table, r, "p50_ns");
		put_time(table, r, "p99_ns");
	}
	fputc('\n', out);
	text_table_print(table, out);
}

static void put_all(const struct top *t, const json_t *doc, FILE *out)
{
	if (t->ctl->is_json) {
		json_dumpf(doc, out, JSON_INDENT(2));
		fputc('\n', out);
		return;
	}
	put_head(doc, out);
	put_workers(doc, out);
	put_hints(t, out);
	put_plugins(doc, out);
	put_routes(doc, out);
}

static int show(struct top *t, FILE *out)
{
	json_t *doc = top_model(&t->before, &t->now, t->sort);

	if (doc == NULL)
		return -1;
	put_all(t, doc, out);
	json_decref(doc);
	return 0;
}

static int look(struct top *t, struct why *why)
{
	top_look_done(&t->before);
	t->before = t->now;
	t->now = (struct top_look){.at_ns = 0};
	return top_look(&t->now, t->ctl->prefix, why);
}

static void take_key(struct top *t, int key)
{
	if (key == 's')
		t->sort = top_next_sort(t->sort);
	else if (key == 'p')
		t->is_paused = !t->is_paused;
	else if (key == '+' && t->interval_ms < 60000)
		t->interval_ms *= 2;
	else if (key == '-' && t->interval_ms > 250)
		t->interval_ms /= 2;
}

static int watch(struct top *t, struct why *why)
{
	int key, r = 0;

	screen_open();
	while (r == 0 && (key = screen_key(t->interval_ms)) != 'q') {
		FILE *picture;

		take_key(t, key);
		if (key == 0 && !t->is_paused)
			r = look(t, why);
		picture = r == 0 ? screen_begin() : NULL;
		if (picture == NULL)
			break;
		show(t, picture);
		screen_paint(picture);
	}
	screen_close();
	return r;
}

static bool read_options(struct top *t)
{
	double seconds = t->ctl->interval != NULL ? strtod(t->ctl->interval, NULL) : 1;

	t->sort = t->ctl->sort != NULL ? t->ctl->sort : "share";
	t->interval_ms = (int)(seconds * 1000);
	if (!(seconds >= 0.1 && seconds <= 3600))
		fprintf(stderr, "sluicectl: --interval takes seconds from 0.1 to 3600\n");
	else if (top_next_sort(t->sort) == NULL)
		fprintf(stderr, "sluicectl: --sort takes share, runs, p99, errors or name\n");
	else
		return true;
	return false;
}

enum ctl_exit verb_top(const struct ctl *ctl)
{
	struct top t = {.ctl = ctl};
	struct why why = WHY_NONE;
	char buf[1200];
	int r;

	if (!read_options(&t))
		return CTL_USAGE;
	r = look(&t, &why);
	if (r == 0 && (ctl->is_once || ctl->is_json)) {
		poll(NULL, 0, t.interval_ms);
		r = look(&t, &why);
		if (r == 0)
			show(&t, stdout);
	} else if (r == 0) {
		r = watch(&t, &why);
	}
	if (r < 0)
		fprintf(stderr, "sluicectl: %s\n", why_text(&why, buf, sizeof(buf)));
	top_look_done(&t.before);
	top_look_done(&t.now);
	return r < 0 ? CTL_UNREACHABLE : CTL_OK;
}
