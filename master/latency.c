/* SPDX-License-Identifier: Apache-2.0 */
#include "master/latency.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "master/histogram_json.h"
#include "master/metric.h"
#include "plugin/phase.h"
#include "shm/lat.h"
#include "shm/record.pb-c.h"
#include "shm/snapshot.h"

#define LATENCY_MAGIC SL_MAGIC('L', 'T', 'N', 'C')
/* Prometheus gets one bucket to each power of two from 1 µs to 4.3 s. */
#define LE_SHIFT_MIN 10
#define LE_SHIFT_MAX 32

struct latency {
	uint32_t magic;
	int rows_fd, names_fd;
	struct lat *lat;
	uint64_t codes; /* a hash over the plugin codes that were named last */
};

int latency_new(struct latency **ret, const struct conf *conf, uint32_t n_workers, struct why *why)
{
	const struct lat_shape shape = {n_workers, lat_plugins_round(conf->plugin_latency_slots)};
	sl_auto(latency) l = calloc(1, sizeof(*l));
	int r;

	if (l == NULL)
		return why_errno(why, ENOMEM, "latency");
	l->magic = LATENCY_MAGIC;
	l->rows_fd = l->names_fd = -1;
	r = lat_create(&l->rows_fd, &l->names_fd, shape, why);
	if (r == 0)
		r = lat_open(&l->lat, l->rows_fd, l->names_fd, shape, why);
	if (r == 0)
		*ret = sl_steal(l);
	return r;
}

void latency_free(struct latency *l)
{
	if (l == NULL)
		return;
	sl_check(l, LATENCY_MAGIC);
	lat_free(l->lat);
	sl_close_fd(&l->rows_fd);
	sl_close_fd(&l->names_fd);
	l->magic = 0;
	free(l);
}

int latency_rows_fd(const struct latency *l)
{
	return l->rows_fd;
}

int latency_names_fd(const struct latency *l)
{
	return l->names_fd;
}

/* ---- names ---- */

struct naming {
	uint64_t hash;
	struct str *names; /* owned texts */
	size_t n, cap;
};

/* snap_each_fn */
static bool hash_code(void *arg, struct str id, uint64_t version, struct str record)
{
	struct naming *n = arg;

	(void)record;
	n->hash = (n->hash ^ version) * 1099511628211ULL;
	for (size_t i = 0; i < id.n; i++)
		n->hash = (n->hash ^ (uint8_t)id.p[i]) * 1099511628211ULL;
	n->cap++;
	return true;
}

/* snap_each_fn */
static bool take_name(void *arg, struct str id, uint64_t version, struct str record)
{
	struct naming *n = arg;
	Sluice__Record__PluginCode *code = sluice__record__plugin_code__unpack(
			NULL, record.n, (const uint8_t *)record.p);
	char *name = code != NULL ? strdup(code->name) : NULL;

	(void)id;
	(void)version;
	if (name != NULL && n->n < n->cap)
		n->names[n->n++] = str_of(name);
	else
		free(name);
	sluice__record__plugin_code__free_unpacked(code, NULL);
	return true;
}

void latency_name_plugins(struct latency *l, const struct snap_view *view)
{
	const uint32_t kind = SLUICE__RECORD__KIND__PLUGIN_CODE;
	struct naming n = {.hash = 14695981039346656037ULL};

	sl_check(l, LATENCY_MAGIC);
	if (view == NULL)
		return;
	snap_each(view, kind, hash_code, &n);
	if (n.hash == l->codes)
		return; /* most generations change no code */
	n.names = calloc(n.cap + 1, sizeof(*n.names));
	if (n.names == NULL)
		return;
	snap_each(view, kind, take_name, &n);
	lat_assign(l->lat, n.names, n.n);
	l->codes = n.hash;
	for (size_t i = 0; i < n.n; i++)
		free((void *)(uintptr_t)n.names[i].p);
	free(n.names);
}

/* ---- what is told ---- */

typedef void each_fn(
		void *arg, const char *plugin, const char *phase, const struct histogram_sum *sum);

static void each(const struct latency *l, each_fn *fn, void *arg)
{
	struct histogram_sum sum;

	for (uint32_t slot = 0; slot < lat_shape_of(l->lat).plugins; slot++) {
		const char *name = lat_slot_name(l->lat, slot);

		for (uint32_t phase = 0; name[0] != '\0' && phase < LAT_PHASES; phase++)
			if (lat_sum(l->lat, slot, phase, &sum))
				fn(arg, name, phase_name((enum phase)phase), &sum);
	}
}

static void add_json(
		void *arg, const char *plugin, const char *phase, const struct histogram_sum *sum)
{
	json_t *row = histogram_json(sum);

	json_object_set_new(row, "plugin", json_string(plugin));
	json_object_set_new(row, "phase", json_string(phase));
	json_array_append_new(arg, row);
}

json_t *latency_json(const struct latency *l)
{
	json_t *list = json_array();

	sl_check(l, LATENCY_MAGIC);
	each(l, add_json, list);
	return json_pack("{s:o}", "plugins", list);
}

/* 64 bits in decimal; returns where they begin. */
#define DIGITS_MAX 21
static const char *digits(char ret[DIGITS_MAX], uint64_t v)
{
	char *p = ret + DIGITS_MAX - 1;

	*p = '\0';
	do
		*--p = (char)('0' + v % 10);
	while ((v /= 10) != 0);
	return p;
}

/* What one histogram's lines have in common; a node has thousands of them. */
struct series {
	struct buf *out;
	struct metric metric;
	struct buf before;                                /* name_bucket{labels,le=" */
	char bounds[LE_SHIFT_MAX - LE_SHIFT_MIN + 1][24]; /* "0.001048576"} " */
};

static void add_line(struct series *s, const char *bound, uint64_t n)
{
	char text[DIGITS_MAX];

	buf_add(s->out, s->before.p, s->before.n);
	buf_add_str(s->out, str_of(bound));
	buf_add_str(s->out, str_of(digits(text, n)));
	buf_add(s->out, "\n", 1);
}

static void add_prometheus(
		void *arg, const char *plugin, const char *phase, const struct histogram_sum *sum)
{
	struct series *s = arg;
	sl_auto_buf set = {.p = NULL};
	const char *labels;
	uint64_t below = 0;
	unsigned i = 0;

	metric_labels(&set, METRIC_sluice_plugin_phase_duration_seconds, plugin, phase);
	labels = buf_z(&set);
	if (labels == NULL)
		return;
	buf_clear(&s->before);
	buf_printf(&s->before, "%s_bucket{%s,le=\"", s->metric.name, labels);
	for (unsigned shift = LE_SHIFT_MIN; shift <= LE_SHIFT_MAX; shift++) {
		for (; i < HISTOGRAM_BUCKETS && histogram_to_ns(i) <= 1ULL << shift; i++)
			below += sum->bucket[i];
		add_line(s, s->bounds[shift - LE_SHIFT_MIN], below);
	}
	add_line(s, "+Inf\"} ", sum->count);
	buf_printf(s->out, "%s_sum{%s} %.9f\n%s_count{%s} %" PRIu64 "\n", s->metric.name, labels,
			(double)sum->sum_ns / 1e9, s->metric.name, labels, sum->count);
}

void latency_prometheus(const struct latency *l, struct buf *out)
{
	struct series s = {.out = out};

	sl_check(l, LATENCY_MAGIC);
	metric_get(METRIC_sluice_plugin_phase_duration_seconds, &s.metric);
	for (unsigned shift = LE_SHIFT_MIN; shift <= LE_SHIFT_MAX; shift++)
		snprintf(s.bounds[shift - LE_SHIFT_MIN], sizeof(s.bounds[0]), "%.9g\"} ",
				(double)(1ULL << shift) / 1e9);
	metric_head(out, METRIC_sluice_plugin_phase_duration_seconds);
	each(l, add_prometheus, &s);
	buf_done(&s.before);
}
