/* SPDX-License-Identifier: Apache-2.0 */
#include "master/latency.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
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

static json_t *buckets_json(const struct histogram_sum *sum)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
		uint64_t to = histogram_to_ns(i);

		if (sum->bucket[i] == 0)
			continue;
		if (to == UINT64_MAX)
			to = sum->max_ns + 1;
		json_array_append_new(
				list, json_pack("[I, I, I]", (json_int_t)histogram_from_ns(i),
						      (json_int_t)to, (json_int_t)sum->bucket[i]));
	}
	return list;
}

static void add_json(
		void *arg, const char *plugin, const char *phase, const struct histogram_sum *sum)
{
	json_array_append_new(arg,
			json_pack("{s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o}", "plugin",
					plugin, "phase", phase, "count", (json_int_t)sum->count,
					"sum_ns", (json_int_t)sum->sum_ns, "max_ns",
					(json_int_t)sum->max_ns, "p50_ns",
					(json_int_t)histogram_quantile_ns(sum, 0.5), "p90_ns",
					(json_int_t)histogram_quantile_ns(sum, 0.9), "p99_ns",
					(json_int_t)histogram_quantile_ns(sum, 0.99), "p999_ns",
					(json_int_t)histogram_quantile_ns(sum, 0.999), "buckets",
					buckets_json(sum)));
}

json_t *latency_json(const struct latency *l)
{
	json_t *list = json_array();

	sl_check(l, LATENCY_MAGIC);
	each(l, add_json, list);
	return json_pack("{s:o}", "plugins", list);
}

struct exposition {
	struct buf *out;
	char labels[2 * LAT_NAME_MAX + 64];
};

/* plugin="…",phase="…": plugin names are letters, digits, dot, dash and underscore, but what
 * stands in shared memory is not believed. */
static void word_labels(struct exposition *e, const char *plugin, const char *phase)
{
	size_t n = 0;

	n += (size_t)snprintf(e->labels, sizeof(e->labels), "plugin=\"");
	for (const char *p = plugin; *p != '\0' && p < plugin + LAT_NAME_MAX; p++) {
		if (*p == '"' || *p == '\\' || (unsigned char)*p < ' ')
			e->labels[n++] = '\\';
		e->labels[n++] = (unsigned char)*p < ' ' ? 'n' : *p;
	}
	snprintf(e->labels + n, sizeof(e->labels) - n, "\",phase=\"%s\"", phase);
}

#define SERIES "sluice_plugin_phase_duration_seconds"

static void add_prometheus(
		void *arg, const char *plugin, const char *phase, const struct histogram_sum *sum)
{
	struct exposition *e = arg;
	uint64_t below = 0;
	unsigned i = 0;

	word_labels(e, plugin, phase);
	for (unsigned shift = LE_SHIFT_MIN; shift <= LE_SHIFT_MAX; shift++) {
		for (; i < HISTOGRAM_BUCKETS && histogram_to_ns(i) <= 1ULL << shift; i++)
			below += sum->bucket[i];
		buf_printf(e->out, SERIES "_bucket{%s,le=\"%.9g\"} %" PRIu64 "\n", e->labels,
				(double)(1ULL << shift) / 1e9, below);
	}
	buf_printf(e->out,
			SERIES "_bucket{%s,le=\"+Inf\"} %" PRIu64 "\n" SERIES
			       "_sum{%s} %.9f\n" SERIES "_count{%s} %" PRIu64 "\n",
			e->labels, sum->count, e->labels, (double)sum->sum_ns / 1e9, e->labels,
			sum->count);
}

void latency_prometheus(const struct latency *l, struct buf *out)
{
	struct exposition e = {.out = out};

	sl_check(l, LATENCY_MAGIC);
	buf_printf(out, "# HELP " SERIES " Time from entering a phase of a plugin to leaving it, "
			"waiting included.\n# TYPE " SERIES " histogram\n");
	each(l, add_prometheus, &e);
}
