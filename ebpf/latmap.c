/* SPDX-License-Identifier: Apache-2.0 */
#include "ebpf/latmap.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"
#include "ebpf/latmap.skel.h"
#include "ebpf/latmap_shared.h"

#define LATMAP_MAGIC SL_MAGIC('L', 'M', 'A', 'P')

_Static_assert(LATMAP_PHASES == LAT_PHASES, "shared with the kernel side");
_Static_assert(LATMAP_NAME_MAX == LAT_NAME_MAX, "shared with the kernel side");
_Static_assert(LATMAP_SHIFT_MIN == HISTOGRAM_SHIFT_MIN, "shared with the kernel side");
_Static_assert(LATMAP_BUCKETS == HISTOGRAM_BUCKETS, "shared with the kernel side");
_Static_assert(sizeof(struct histogram) == (2 + LATMAP_BUCKETS + LATMAP_PAD) * sizeof(uint64_t),
		"shared with the kernel side");

enum iteration { WITHOUT_ITERATOR, BY_ELEMENT, BY_NUMBER };

struct latmap {
	uint32_t magic;
	struct latmap_bpf *skel;
	struct bpf_link *iterator;
	enum iteration iteration; /* whose program is loaded */
};

static int stay_silent(enum libbpf_print_level level, const char *format, va_list args)
{
	(void)level;
	(void)format;
	(void)args;
	return 0;
}

static struct bpf_program *program_of(const struct latmap *m)
{
	struct bpf_program *const programs[] = {
			NULL, m->skel->progs.print_by_element, m->skel->progs.print_by_number};

	return programs[m->iteration];
}

static int open_skeleton(struct latmap *m, struct lat_shape shape, const char *const phases[],
		enum iteration iteration)
{
	latmap_bpf__destroy(m->skel);
	m->skel = latmap_bpf__open();
	if (m->skel == NULL)
		return -errno;
	m->iteration = iteration;
	bpf_map__set_max_entries(m->skel->maps.plugin_latency, (uint32_t)lat_entries(shape));
	bpf_map__set_max_entries(m->skel->maps.plugin_names, shape.plugins);
	bpf_program__set_autoload(m->skel->progs.print_by_element, iteration == BY_ELEMENT);
	bpf_program__set_autoload(m->skel->progs.print_by_number, iteration == BY_NUMBER);
	*(uint32_t *)(uintptr_t)&m->skel->rodata->n_plugins = shape.plugins;
	*(uint32_t *)(uintptr_t)&m->skel->rodata->n_rows = (uint32_t)lat_entries(shape);
	for (unsigned p = 0; p < LATMAP_PHASES; p++)
		snprintf((char *)(uintptr_t)m->skel->rodata->phase_names[p],
				sizeof(m->skel->rodata->phase_names[p]), "%s", phases[p]);
	return latmap_bpf__load(m->skel);
}

int latmap_new(struct latmap **ret, struct lat_shape shape, const char *const phases[],
		struct why *why)
{
	sl_auto(latmap) m = calloc(1, sizeof(*m));
	int r;

	if (m == NULL)
		return why_errno(why, ENOMEM, "latency map");
	m->magic = LATMAP_MAGIC;
	libbpf_set_print(stay_silent);
	/* CAP_BPF is enough for maps, an iterator wants CAP_PERFMON beside it */
	r = open_skeleton(m, shape, phases, BY_ELEMENT);
	if (r < 0)
		r = open_skeleton(m, shape, phases, BY_NUMBER);
	if (r < 0)
		r = open_skeleton(m, shape, phases, WITHOUT_ITERATOR);
	if (r < 0) {
		why_errno(why, -r, "cannot create the latency map");
		return LATMAP_E_UNAVAILABLE;
	}
	*ret = sl_steal(m);
	return 0;
}

void latmap_free(struct latmap *m)
{
	if (m == NULL)
		return;
	sl_check(m, LATMAP_MAGIC);
	bpf_link__destroy(m->iterator);
	latmap_bpf__destroy(m->skel);
	m->magic = 0;
	free(m);
}

int latmap_rows_fd(const struct latmap *m)
{
	return bpf_map__fd(m->skel->maps.plugin_latency);
}

int latmap_names_fd(const struct latmap *m)
{
	return bpf_map__fd(m->skel->maps.plugin_names);
}

static int pin_map(struct bpf_map *map, const char *dir, const char *name, struct why *why)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	if (bpf_obj_pin(bpf_map__fd(map), path) < 0)
		return why_errno(why, errno, "cannot pin %s", path);
	return 0;
}

static int attach(struct latmap *m)
{
	union bpf_iter_link_info info = {.map.map_fd = (uint32_t)latmap_rows_fd(m)};
	LIBBPF_OPTS(bpf_iter_attach_opts, opts, .link_info = &info, .link_info_len = sizeof(info));

	m->iterator = bpf_program__attach_iter(
			program_of(m), m->iteration == BY_ELEMENT ? &opts : NULL);
	return m->iterator != NULL ? 0 : -errno;
}

static int pin_iterator(struct latmap *m, const char *dir, const struct latmap_access *access,
		struct why *why)
{
	char path[4096];
	int r = attach(m);

	if (r < 0)
		return why_errno(why, -r, "cannot attach the latency iterator");
	snprintf(path, sizeof(path), "%s/plugin_latency_prom", dir);
	r = bpf_link__pin(m->iterator, path);
	if (r < 0)
		return why_errno(why, -r, "cannot pin %s", path);
	if (chmod(path, access->mode) < 0 ||
			(access->gid >= 0 && chown(path, (uid_t)-1, (gid_t)access->gid) < 0))
		return why_errno(why, errno, "%s", path);
	return 0;
}

int latmap_pin(struct latmap *m, const char *dir, const struct latmap_access *access,
		bool *ret_has_iterator, struct why *why)
{
	int r;

	sl_check(m, LATMAP_MAGIC);
	*ret_has_iterator = false;
	r = pin_map(m->skel->maps.plugin_latency, dir, "plugin_latency", why);
	if (r == 0)
		r = pin_map(m->skel->maps.plugin_names, dir, "plugin_names", why);
	if (r == 0 && m->iteration != WITHOUT_ITERATOR) {
		r = pin_iterator(m, dir, access, why);
		*ret_has_iterator = r == 0;
	}
	return r;
}
