/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/node_link.h"
#include "tools/render.h"
#include "tools/screen.h"
#include "tools/spread.h"
#include "tools/text_table.h"
#include "tools/verbs.h"

#define HISTORY 40 /* lines of the heat map */

/* What is looked at: the rows of the newest documents, and what they were at the last picture. */
struct view {
	const struct ctl *ctl;
	json_t *plugins, *routes; /* {"plugins":[…]}, {"routes":[…]} */
	json_t *plugins_before, *routes_before;
	struct histogram_sum total; /* of the rows shown, in this picture */
	struct histogram_sum history[HISTORY];
	unsigned n_history;
};

static bool is_wanted(const char *option, const char *value)
{
	return option == NULL || (value != NULL && strcmp(option, value) == 0);
}

/* The row with the same words under both keys; NULL: there was none. */
static const json_t *same_row(const json_t *rows, const json_t *row, const char *a, const char *b)
{
	const json_t *other;
	size_t i;

	json_array_foreach (rows, i, other) {
		if (strcmp(render_text(other, a), render_text(row, a)) == 0 &&
				strcmp(render_text(other, b), render_text(row, b)) == 0)
			return other;
	}
	return NULL;
}

static void put_row(struct view *v, struct text_table *t, const char *what, const char *part,
		const struct histogram_sum *sum)
{
	static const double parts[] = {0.5, 0.9, 0.99, 0.999};
	char buf[SPREAD_TIME_MAX], strip[SPREAD_COLUMNS + 1];

	if (sum->count == 0)
		return;
	text_table_cell(t, "%s", what);
	text_table_cell(t, "%s", part);
	text_table_cell(t, "%llu", (unsigned long long)sum->count);
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		text_table_cell(t, "%s",
				spread_time(buf, histogram_quantile_ns(sum, parts[i]), sum->count));
	text_table_cell(t, "%s", spread_time(buf, sum->max_ns, sum->count));
	text_table_cell(t, "|%s|", spread_strip(strip, sum));
	spread_add(&v->total, sum);
}

static void put_plugins(struct view *v, struct text_table *t)
{
	const json_t *before = json_object_get(v->plugins_before, "plugins"), *row;
	struct histogram_sum sum;
	size_t i;

	json_array_foreach (json_object_get(v->plugins, "plugins"), i, row) {
		if (v->ctl->route != NULL ||
				!is_wanted(v->ctl->plugin, render_text(row, "plugin")) ||
				!is_wanted(v->ctl->phase, render_text(row, "phase")))
			continue;
		spread_since(&sum, row, same_row(before, row, "plugin", "phase"));
		put_row(v, t, render_text(row, "plugin"), render_text(row, "phase"), &sum);
	}
}

static void put_routes(struct view *v, struct text_table *t)
{
	static const char *const parts[][2] = {{"request", "request"}, {"service_time", "service"},
			{"gateway", "gateway"}};
	const json_t *before = json_object_get(v->routes_before, "routes"), *row;
	struct histogram_sum sum;
	size_t i;

	json_array_foreach (json_object_get(v->routes, "routes"), i, row) {
		const json_t *old = same_row(before, row, "id", "id");
		const char *name = render_text(row, "route");

		if (v->ctl->plugin != NULL || v->ctl->phase != NULL ||
				!is_wanted(v->ctl->route, name))
			continue;
		for (size_t p = 0; p < sizeof(parts) / sizeof(parts[0]); p++) {
			spread_since(&sum, json_object_get(row, parts[p][0]),
					json_object_get(old, parts[p][0]));
			put_row(v, t, name[0] != '\0' ? name : "(no route)", parts[p][1], &sum);
		}
	}
}

static bool put_table(struct view *v, const char *head,
		void (*fill)(struct view *, struct text_table *), FILE *out)
{
	const char *const heads[] = {head, strcmp(head, "ROUTE") == 0 ? "TIME" : "PHASE", ">RUNS",
			">P50", ">P90", ">P99", ">P99.9", ">MAX", spread_axis(), NULL};
	sl_auto(text_table) t = NULL;
	uint64_t before = v->total.count;

	if (text_table_new(&t, heads) < 0)
		return false;
	fill(v, t);
	if (v->total.count == before)
		return false;
	text_table_print(t, out);
	return true;
}

static void put_all(struct view *v, FILE *out)
{
	bool has_plugins, has_routes;

	memset(&v->total, 0, sizeof(v->total));
	has_plugins = put_table(v, "PLUGIN", put_plugins, out);
	if (!has_plugins || v->ctl->plugin == NULL) {
		if (has_plugins)
			fputc('\n', out);
		has_routes = put_table(v, "ROUTE", put_routes, out);
	} else {
		has_routes = false;
	}
	if (!has_plugins && !has_routes)
		fputs("nothing was counted\n", out);
}

static int ask(struct view *v, struct why *why)
{
	int code, r;

	json_decref(v->plugins_before);
	json_decref(v->routes_before);
	v->plugins_before = v->plugins;
	v->routes_before = v->routes;
	v->plugins = v->routes = NULL;
	r = node_link_ask(v->ctl->prefix, "GET", "/latency", &code, &v->plugins, why);
	return r < 0 ? r : node_link_ask(v->ctl->prefix, "GET", "/traffic", &code, &v->routes, why);
}

static enum ctl_exit fail(const struct why *why)
{
	char buf[1200];

	fprintf(stderr, "sluicectl: %s\n", why_text(why, buf, sizeof(buf)));
	return CTL_UNREACHABLE;
}

static void print_json(const struct view *v)
{
	json_t *doc = json_object();

	json_object_update(doc, v->plugins);
	json_object_update(doc, v->routes);
	json_dumpf(doc, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(doc);
}

/* Newest first: the values of all rows shown, a line for each picture. */
static void put_heat_map(const struct view *v, FILE *out)
{
	char strip[SPREAD_COLUMNS + 1];

	fprintf(out, "\n%10s  %s\n", "RUNS", spread_axis());
	for (unsigned i = 0; i < v->n_history && i < HISTORY; i++) {
		const struct histogram_sum *sum = &v->history[(v->n_history - 1 - i) % HISTORY];

		fprintf(out, "%10llu |%s|\n", (unsigned long long)sum->count,
				spread_strip(strip, sum));
	}
}

static enum ctl_exit watch(struct view *v, int interval_ms)
{
	struct why why = WHY_NONE;
	int r = 0;

	screen_open();
	while (r == 0 && screen_key(interval_ms) != 'q') {
		FILE *picture = screen_begin();

		r = picture != NULL ? ask(v, &why) : -1;
		if (picture == NULL)
			break;
		if (r == 0) {
			put_all(v, picture);
			v->history[v->n_history++ % HISTORY] = v->total;
			put_heat_map(v, picture);
		}
		screen_paint(picture);
	}
	screen_close();
	return r < 0 ? fail(&why) : CTL_OK;
}

enum ctl_exit verb_latency(const struct ctl *ctl)
{
	struct view v = {.ctl = ctl};
	struct why why = WHY_NONE;
	double seconds = ctl->interval != NULL ? strtod(ctl->interval, NULL) : 1;
	enum ctl_exit verdict = CTL_OK;

	if (!(seconds >= 0.1 && seconds <= 3600)) {
		fprintf(stderr, "sluicectl: --interval takes seconds from 0.1 to 3600\n");
		return CTL_USAGE;
	}
	if (ask(&v, &why) < 0)
		verdict = fail(&why);
	else if (ctl->is_json)
		print_json(&v);
	else if (ctl->is_watch)
		verdict = watch(&v, (int)(seconds * 1000));
	else
		put_all(&v, stdout);
	json_decref(v.plugins);
	json_decref(v.routes);
	json_decref(v.plugins_before);
	json_decref(v.routes_before);
	return verdict;
}
