/* SPDX-License-Identifier: Apache-2.0 */
#include "master/latency.h"

#include <errno.h>
#include <grp.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"
#include "base/log.h"
#include "ebpf/latmap.h"
#include "master/handover.h"
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
	struct latmap *map; /* NULL: memfds */
	struct lat *lat;
	uint64_t codes; /* a hash over the plugin codes that were named last */
};

/* The directory too must let readers of the iterator in. */
static int pin(struct latency *l, const struct conf *conf, const char *dir, struct why *why)
{
	struct latmap_access access = {
			.mode = (unsigned)strtoul(conf->bpf_pin_mode, NULL, 8), .gid = -1};
	const struct group *group =
			conf->bpf_pin_group[0] != '\0' ? getgrnam(conf->bpf_pin_group) : NULL;
	bool has_iterator = false;
	int r;

	if (conf->bpf_pin_group[0] != '\0' && group == NULL) {
		why_set(why, "bpf_pin_group", 0, "there is no group %s", conf->bpf_pin_group);
		return -ENOENT;
	}
	access.gid = group != NULL ? (int)group->gr_gid : -1;
	r = latmap_pin(l->map, dir, &access, &has_iterator, why);
	if (r == 0 && (chmod(dir, 0700 | (access.mode & 044) >> 2) < 0 ||
				      (group != NULL && chown(dir, (uid_t)-1, group->gr_gid) < 0)))
		r = why_errno(why, errno, "%s", dir);
	if (r == 0 && !has_iterator)
		log_notice("plugin_latency_prom is not there: the iterator needs CAP_PERFMON",
				NULL);
	return r;
}

/* 0: the rows are a BPF map.  Where that cannot be, memfds are as good but for bpftool. */
static int make_map(struct latency *l, const struct conf *conf, struct lat_shape shape,
		const char *pin_dir, struct why *why)
{
	const char *phases[LAT_PHASES];
	int r;

	for (unsigned p = 0; p < LAT_PHASES; p++)
		phases[p] = phase_name((enum phase)p);
	r = latmap_new(&l->map, shape, phases, why);
	if (r != 0)
		return r;
	l->rows_fd = latmap_rows_fd(l->map);
	l->names_fd = latmap_names_fd(l->map);
	return pin(l, conf, pin_dir, why);
}

int latency_new(struct latency **ret, const struct conf *conf, uint32_t n_slots,
		const char *pin_dir, struct why *why)
{
	const struct lat_shape shape = {n_slots, lat_plugins_round(conf->plugin_latency_slots)};
	sl_auto(latency) l = calloc(1, sizeof(*l));
	struct why reason = WHY_NONE;
	char text[1200], quoted[1300];
	int r = 0;

	if (l == NULL)
		return why_errno(why, ENOMEM, "latency");
	l->magic = LATENCY_MAGIC;
	l->rows_fd = l->names_fd = -1;
	if (pin_dir[0] != '\0' && make_map(l, conf, shape, pin_dir, &reason) != 0)
		log_notice("plugin latencies cannot be read by bpftool", "error=%s",
				log_quote(quoted, sizeof(quoted),
						str_of(why_text(&reason, text, sizeof(text)))));
	if (l->map == NULL)
		r = lat_create(&l->rows_fd, &l->names_fd, shape, why);
	if (r == 0)
		r = lat_open(&l->lat, l->rows_fd, l->names_fd, shape, why);
	if (r == 0)
		*ret = sl_steal(l);
	return r;
}

int latency_adopt(struct latency **ret, const struct conf *conf, uint32_t n_slots,
		const struct handover *before, struct why *why)
{
	const struct lat_shape shape = {n_slots, lat_plugins_round(conf->plugin_latency_slots)};
	sl_auto(latency) l = calloc(1, sizeof(*l));
	int r;

	if (l == NULL)
		return why_errno(why, ENOMEM, "latency");
	l->magic = LATENCY_MAGIC;
	l->rows_fd = handover_take(before->lat_rows_fd);
	l->names_fd = handover_take(before->lat_names_fd);
	if (l->rows_fd < 0 || l->names_fd < 0)
		return why_errno(why, EBADF, "latency");
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
	if (l->map == NULL) {
		sl_close_fd(&l->rows_fd);
		sl_close_fd(&l->names_fd);
	}
	latmap_free(l->map);
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

/* What one histogram's lines have in common; a node has thousands of them. */
struct series {
	struct buf *out;
	struct metric metric;
	struct buf before;                                /* name_bucket{labels,le=" */
	char bounds[LE_SHIFT_MAX - LE_SHIFT_MIN + 1][24]; /* "0.001048576"} " */
};

static void add_line(struct series *s, const char *bound, uint64_t n)
{
	buf_add(s->out, s->before.p, s->before.n);
	buf_add_str(s->out, str_of(bound));
	metric_number(s->out, n);
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
