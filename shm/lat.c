/* SPDX-License-Identifier: Apache-2.0 */
#include "shm/lat.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/check.h"
#include "shm/area.h"

#define LAT_MAGIC SL_MAGIC('L', 'A', 'T', '1')

_Static_assert(sizeof(struct histogram) * LAT_PHASES * LAT_PLUGINS_MIN % 4096 == 0,
		"one worker's rows are whole pages");

struct lat {
	uint32_t magic;
	struct lat_shape shape;
	struct histogram *rows;
	struct lat_name *names;
	bool *is_in_use; /* plugins */
};

struct lat_worker {
	struct lat_shape shape;
	struct histogram *rows; /* this worker's */
	const struct lat_name *names;
};

uint64_t lat_entries(struct lat_shape shape)
{
	return (uint64_t)shape.workers * shape.plugins * LAT_PHASES;
}

static size_t rows_bytes(struct lat_shape shape)
{
	return (size_t)lat_entries(shape) * sizeof(struct histogram);
}

static size_t names_bytes(struct lat_shape shape)
{
	return shape.plugins * sizeof(struct lat_name);
}

int lat_create(int *ret_rows_fd, int *ret_names_fd, struct lat_shape shape, struct why *why)
{
	sl_auto_fd int rows = area_memfd("latency", rows_bytes(shape), why);
	int names = rows >= 0 ? area_memfd("latency names", names_bytes(shape), why) : rows;

	if (names < 0)
		return names;
	*ret_rows_fd = sl_steal_fd(&rows);
	*ret_names_fd = names;
	return 0;
}

static void *map_shared(int fd, size_t bytes, off_t at, int protection)
{
	void *p = mmap(NULL, bytes, protection, MAP_SHARED, fd, at);

	return p != MAP_FAILED ? p : NULL;
}

/* The kernel gives a BPF map's memory in whole pages. */
static size_t whole_pages(size_t bytes)
{
	return (bytes + 4095) & ~(size_t)4095;
}

int lat_open(struct lat **ret, int rows_fd, int names_fd, struct lat_shape shape, struct why *why)
{
	sl_auto(lat) l = calloc(1, sizeof(*l));

	sl_assert(shape.plugins % LAT_PLUGINS_MIN == 0 && shape.plugins != 0);
	if (l == NULL)
		return why_errno(why, ENOMEM, "latency");
	l->magic = LAT_MAGIC;
	l->shape = shape;
	l->is_in_use = calloc(shape.plugins, sizeof(*l->is_in_use));
	if (l->is_in_use == NULL)
		return why_errno(why, ENOMEM, "latency");
	l->rows = map_shared(rows_fd, rows_bytes(shape), 0, PROT_READ | PROT_WRITE);
	if (l->rows == NULL)
		return why_errno(why, errno, "cannot map the latency rows");
	l->names = map_shared(names_fd, whole_pages(names_bytes(shape)), 0, PROT_READ | PROT_WRITE);
	if (l->names == NULL)
		return why_errno(why, errno, "cannot map the latency names");
	memcpy(l->names[shape.plugins - 1].text, LAT_OTHERS, sizeof(LAT_OTHERS));
	*ret = sl_steal(l);
	return 0;
}

void lat_free(struct lat *l)
{
	if (l == NULL)
		return;
	sl_check(l, LAT_MAGIC);
	if (l->rows != NULL)
		munmap(l->rows, rows_bytes(l->shape));
	if (l->names != NULL)
		munmap(l->names, whole_pages(names_bytes(l->shape)));
	free(l->is_in_use);
	l->magic = 0;
	free(l);
}

struct lat_shape lat_shape_of(const struct lat *l)
{
	return l->shape;
}

static bool is_named(const struct lat_name *n, struct str name)
{
	return str_eq((struct str){n->text, strnlen(n->text, sizeof(n->text))}, name);
}

/* Last slot: not found. */
static uint32_t find_name(const struct lat_name *names, struct lat_shape shape, struct str name)
{
	uint32_t slot = 0;

	while (slot + 1 < shape.plugins && !is_named(&names[slot], name))
		slot++;
	return slot;
}

static struct histogram *row_of(const struct lat *l, uint32_t worker, uint32_t slot, uint32_t phase)
{
	sl_assert(worker < l->shape.workers && slot < l->shape.plugins && phase < LAT_PHASES);
	return &l->rows[((uint64_t)worker * l->shape.plugins + slot) * LAT_PHASES + phase];
}

static void clear_slot(struct lat *l, uint32_t slot)
{
	memset(&l->names[slot], 0, sizeof(l->names[slot]));
	for (uint32_t worker = 0; worker < l->shape.workers; worker++)
		memset(row_of(l, worker, slot, 0), 0, LAT_PHASES * sizeof(struct histogram));
}

static uint32_t free_slot(struct lat *l)
{
	uint32_t last = l->shape.plugins - 1;

	for (uint32_t slot = 0; slot < last; slot++)
		if (l->names[slot].text[0] == '\0')
			return slot;
	for (uint32_t slot = 0; slot < last; slot++)
		if (!l->is_in_use[slot]) {
			clear_slot(l, slot);
			return slot;
		}
	return last;
}

static void give_slot(struct lat *l, struct str plugin)
{
	uint32_t last = l->shape.plugins - 1, slot;

	if (plugin.n == 0 || plugin.n >= LAT_NAME_MAX ||
			find_name(l->names, l->shape, plugin) != last)
		return;
	slot = free_slot(l);
	if (slot == last)
		return;
	l->is_in_use[slot] = true;
	memcpy(l->names[slot].text, plugin.p, plugin.n);
}

void lat_assign(struct lat *l, const struct str *plugins, size_t n)
{
	sl_check(l, LAT_MAGIC);
	memset(l->is_in_use, 0, l->shape.plugins * sizeof(*l->is_in_use));
	for (size_t i = 0; i < n; i++)
		l->is_in_use[find_name(l->names, l->shape, plugins[i])] = true;
	for (size_t i = 0; i < n; i++)
		give_slot(l, plugins[i]);
}

const char *lat_slot_name(const struct lat *l, uint32_t slot)
{
	sl_check(l, LAT_MAGIC);
	return slot < l->shape.plugins ? l->names[slot].text : "";
}

void lat_sum_worker(const struct lat *l, uint32_t worker, uint32_t slot, uint32_t phase,
		struct histogram_sum *sum)
{
	histogram_sum_add(sum, row_of(l, worker, slot, phase));
}

bool lat_sum(const struct lat *l, uint32_t slot, uint32_t phase, struct histogram_sum *ret)
{
	memset(ret, 0, sizeof(*ret));
	for (uint32_t worker = 0; worker < l->shape.workers; worker++) {
		/* Most rows were never written: one read tells. */
		const struct histogram *h = row_of(l, worker, slot, phase);

		if (atomic_load_explicit(&h->max_ns, memory_order_relaxed) != 0)
			histogram_sum_add(ret, h);
	}
	return ret->count != 0;
}

int lat_worker_open(struct lat_worker **ret, int rows_fd, int names_fd, struct lat_shape shape,
		uint32_t worker, struct why *why)
{
	const struct lat_shape one = {1, shape.plugins};
	sl_auto(lat_worker) l = calloc(1, sizeof(*l));

	if (l == NULL)
		return why_errno(why, ENOMEM, "latency");
	l->shape = shape;
	l->rows = map_shared(rows_fd, rows_bytes(one), (off_t)(worker * rows_bytes(one)),
			PROT_READ | PROT_WRITE);
	if (l->rows == NULL)
		return why_errno(why, errno, "cannot map this worker's latency rows");
	l->names = map_shared(names_fd, whole_pages(names_bytes(shape)), 0, PROT_READ);
	if (l->names == NULL)
		return why_errno(why, errno, "cannot map the latency names");
	*ret = sl_steal(l);
	return 0;
}

void lat_worker_free(struct lat_worker *l)
{
	if (l == NULL)
		return;
	if (l->rows != NULL)
		munmap(l->rows, rows_bytes((struct lat_shape){1, l->shape.plugins}));
	if (l->names != NULL)
		munmap((void *)(uintptr_t)l->names, whole_pages(names_bytes(l->shape)));
	free(l);
}

struct histogram *lat_worker_rows(
		const struct lat_worker *l, struct str plugin, struct histogram *before)
{
	if (before != NULL && is_named(&l->names[(before - l->rows) / LAT_PHASES], plugin))
		return before;
	return &l->rows[(size_t)find_name(l->names, l->shape, plugin) * LAT_PHASES];
}
