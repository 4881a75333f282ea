/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/top_model.h"

#include <stdbool.h>
#include <string.h>

#include "base/clock.h"
#include "tools/node_link.h"
#include "tools/render.h"
#include "tools/spread.h"

int top_look(struct top_look *ret, const char *prefix, struct why *why)
{
	const struct {
		const char *path;
		json_t **doc;
	} asked[] = {{"/status", &ret->status}, {"/workers", &ret->workers},
			{"/plugins", &ret->plugins}, {"/latency", &ret->latency},
			{"/traffic", &ret->traffic}};
	int r = 0, code;

	ret->at_ns = clock_mono_ns();
	for (size_t i = 0; r == 0 && i < sizeof(asked) / sizeof(asked[0]); i++)
		r = node_link_ask(prefix, "GET", asked[i].path, &code, asked[i].doc, why);
	return r;
}

void top_look_done(struct top_look *l)
{
	json_decref(l->status);
	json_decref(l->workers);
	json_decref(l->plugins);
	json_decref(l->latency);
	json_decref(l->traffic);
	*l = (struct top_look){.at_ns = 0};
}

static json_int_t number(const json_t *o, const char *key)
{
	return json_integer_value(json_object_get(o, key));
}

/* The row of list whose key holds the same value; NULL: none. */
static const json_t *same(const json_t *list, const json_t *row, const char *key)
{
	const json_t *other;
	size_t i;

	json_array_foreach (list, i, other) {
		if (json_equal(json_object_get(other, key), json_object_get(row, key)))
			return other;
	}
	return NULL;
}

/* Per second; what began anew counts from zero. */
static double rate(const json_t *now, const json_t *before, const char *key, double seconds)
{
	json_int_t n = number(now, key) - number(before, key);

	return (double)(n >= 0 ? n : number(now, key)) / seconds;
}

/* ---- workers ---- */

static json_t *workers(const struct top_look *before, const struct top_look *now, double seconds)
{
	const json_t *old_list = json_object_get(before->workers, "workers"), *w;
	json_t *list = json_array();
	size_t i;

	json_array_foreach (json_object_get(now->workers, "workers"), i, w) {
		const json_t *old = same(old_list, w, "slot");
		bool is_same = old != NULL && number(old, "pid") == number(w, "pid");

		json_array_append_new(list,
				json_pack("{s:I, s:I, s:s, s:I, s:f, s:f, s:I, s:I, s:I}", "slot",
						number(w, "slot"), "pid", number(w, "pid"), "state",
						render_text(w, "state"), "connections",
						number(w, "connections_active"),
						"requests_per_second",
						rate(w, old, "requests_total", seconds),
						"cpu_percent",
						is_same ? rate(w, old, "cpu_ms", seconds) / 10
							: 0.0,
						"rss_bytes", number(w, "rss_bytes"), "generation",
						number(w, "generation"), "restarts",
						number(w, "restarts")));
	}
	return list;
}

/* ---- plugins ---- */

/* The time of all its phases in between. */
static void plugin_spread(struct histogram_sum *ret, const struct top_look *before,
		const struct top_look *now, const char *name)
{
	const json_t *old_list = json_object_get(before->latency, "plugins"), *row, *old;
	struct histogram_sum one;
	size_t i, k;

	memset(ret, 0, sizeof(*ret));
	json_array_foreach (json_object_get(now->latency, "plugins"), i, row) {
		const json_t *match = NULL;

		if (strcmp(render_text(row, "plugin"), name) != 0)
			continue;
		json_array_foreach (old_list, k, old) {
			if (strcmp(render_text(old, "plugin"), name) == 0 &&
					strcmp(render_text(old, "phase"),
							render_text(row, "phase")) == 0)
				match = old;
		}
		spread_since(&one, row, match);
		spread_add(ret, &one);
	}
}

static double trips(const json_t *now, const json_t *before, double seconds)
{
	static const char *const limits[] = {
			"cpu_trips", "memory_trips", "wall_trips", "output_trips"};
	double sum = 0;

	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++)
		sum += rate(now, before, limits[i], seconds);
	return sum;
}

static json_t *plugin(const struct top_look *before, const struct top_look *now, const json_t *p,
		double seconds, double *total_ns)
{
	const json_t *counters = json_object_get(p, "counters");
	const json_t *old = json_object_get(
			same(json_object_get(before->plugins, "plugins"), p, "id"), "counters");
	const char *breaker = render_text(p, "breaker");
	struct histogram_sum sum;

	plugin_spread(&sum, before, now, render_text(p, "name"));
	*total_ns += (double)sum.sum_ns;
	return json_pack("{s:s, s:s, s:f, s:f, s:I, s:I, s:f, s:f, s:I, s:s}", "name",
			render_text(p, "name"), "state", render_text(p, "state"), "runs_per_second",
			(double)sum.count / seconds, "busy_ms_per_second",
			(double)sum.sum_ns / 1e6 / seconds, "p50_ns",
			(json_int_t)histogram_quantile_ns(&sum, 0.5), "p99_ns",
			(json_int_t)histogram_quantile_ns(&sum, 0.99), "errors_per_second",
			rate(counters, old, "errors", seconds), "trips_per_second",
			trips(counters, old, seconds), "memory_bytes",
			number(counters, "memory_bytes"), "breaker",
			breaker[0] != '\0' ? breaker : "closed");
}

/* ---- order ---- */

/* X(name of the order, key; "" = the name itself) */
#define TOP_SORTS(X) \
	X("share", "busy_ms_per_second") \
	X("runs", "runs_per_second") \
	X("p99", "p99_ns") \
	X("errors", "errors_per_second") \
	X("name", "")

static const struct {
	const char *name, *key;
} sorts[] = {
#define X(name, key) {name, key},
		TOP_SORTS(X)
#undef X
};
#define SORTS (sizeof(sorts) / sizeof(sorts[0]))

const char *top_next_sort(const char *sort)
{
	for (size_t i = 0; i < SORTS; i++)
		if (strcmp(sorts[i].name, sort) == 0)
			return sorts[(i + 1) % SORTS].name;
	return NULL;
}

static bool is_before(const json_t *a, const json_t *b, const char *key)
{
	if (key[0] == '\0')
		return strcmp(render_text(a, "name"), render_text(b, "name")) < 0;
	return json_number_value(json_object_get(a, key)) >
	       json_number_value(json_object_get(b, key));
}

/* Into its place: lists are short. */
static void insert(json_t *list, json_t *row, const char *sort)
{
	const char *key = sorts[0].key;
	size_t at = 0;

	for (size_t i = 0; i < SORTS; i++)
		if (strcmp(sorts[i].name, sort) == 0)
			key = sorts[i].key;
	while (at < json_array_size(list) && !is_before(row, json_array_get(list, at), key))
		at++;
	json_array_insert_new(list, at, row);
}

static json_t *plugins(const struct top_look *before, const struct top_look *now, double seconds,
		const char *sort)
{
	json_t *list = json_array(), *row;
	double total_ns = 0;
	const json_t *p;
	size_t i;

	json_array_foreach (json_object_get(now->plugins, "plugins"), i, p)
		insert(list, plugin(before, now, p, seconds, &total_ns), sort);
	json_array_foreach (list, i, row) {
		double busy_ns = json_number_value(json_object_get(row, "busy_ms_per_second")) *
				 1e6 * seconds;

		json_object_set_new(row, "share_percent",
				json_real(total_ns > 0 ? 100 * busy_ns / total_ns : 0));
	}
	return list;
}

/* ---- routes ---- */

static double failures(const json_t *route)
{
	const char *status;
	json_t *n;
	double sum = 0;

	json_object_foreach (json_object_get(route, "statuses"), status, n) {
		if (status[0] == '5')
			sum += (double)json_integer_value(n);
	}
	return sum;
}

static json_t *routes(const struct top_look *before, const struct top_look *now, double seconds)
{
	const json_t *old_list = json_object_get(before->traffic, "routes"), *r;
	json_t *list = json_array();
	struct histogram_sum sum;
	size_t i;

	json_array_foreach (json_object_get(now->traffic, "routes"), i, r) {
		const json_t *old = same(old_list, r, "id");
		const char *name = render_text(r, "route");

		spread_since(&sum, json_object_get(r, "request"), json_object_get(old, "request"));
		insert(list,
				json_pack("{s:s, s:s, s:f, s:f, s:I, s:I}", "name",
						name[0] != '\0' ? name : "(no route)", "service",
						render_text(r, "service"), "runs_per_second",
						(double)sum.count / seconds, "failed_per_second",
						(failures(r) - failures(old)) / seconds, "p50_ns",
						(json_int_t)histogram_quantile_ns(&sum, 0.5),
						"p99_ns",
						(json_int_t)histogram_quantile_ns(&sum, 0.99)),
				"runs");
	}
	return list;
}

json_t *top_model(const struct top_look *before, const struct top_look *now, const char *sort)
{
	double seconds = (double)(now->at_ns - before->at_ns) / 1e9;
	const json_t *sluice = json_object_get(now->status, "sluice");

	if (seconds <= 0)
		seconds = 1e-9;
	return json_pack("{s:f, s:O?, s:o, s:o, s:o}", "interval_ms", seconds * 1000, "node",
			sluice, "workers", workers(before, now, seconds), "plugins",
			plugins(before, now, seconds, sort), "routes",
			routes(before, now, seconds));
}
