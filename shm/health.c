/* SPDX-License-Identifier: Apache-2.0 */
#include "shm/health.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/check.h"
#include "shm/area.h"

#define HEALTH_MAGIC SL_MAGIC('H', 'L', 'T', 'H')
#define STATE_BITS 2U

struct health_row {
	_Atomic uint64_t word; /* state; above it a number that grows with each use of the row */
	uint64_t target;
	char address[HEALTH_ADDRESS_MAX];
	uint8_t tail[8];
};
_Static_assert(sizeof(struct health_row) == HEALTH_ROW_BYTES, "rows fill pages");

struct region {
	_Atomic uint32_t n_rows; /* ever in use */
	uint8_t pad[4092];
	struct health_row rows[HEALTH_ROWS];
};
_Static_assert(sizeof(struct region) % 4096 == 0, "a worker maps its own alone");

/* FNV-1a over both names. */
uint64_t health_target(struct str upstream, struct str target)
{
	uint64_t h = 14695981039346656037ULL;

	for (size_t i = 0; i < upstream.n; i++)
		h = (h ^ (uint8_t)upstream.p[i]) * 1099511628211ULL;
	h = (h ^ '\n') * 1099511628211ULL;
	for (size_t i = 0; i < target.n; i++)
		h = (h ^ (uint8_t)target.p[i]) * 1099511628211ULL;
	return h;
}

int health_create(int *ret_fd, uint32_t n_slots, struct why *why)
{
	int fd = area_memfd("health of targets", sizeof(struct region) * n_slots, why);

	if (fd < 0)
		return fd;
	*ret_fd = fd;
	return 0;
}

/* ---- worker ---- */

struct health_worker {
	struct region *region;
	uint32_t hint; /* no row before this is free */
};

int health_worker_open(struct health_worker **ret, int fd, uint32_t slot, struct why *why)
{
	sl_auto(health_worker) h = calloc(1, sizeof(*h));
	void *p;

	if (h == NULL)
		return why_errno(why, ENOMEM, "health of targets");
	p = mmap(NULL, sizeof(struct region), PROT_READ | PROT_WRITE, MAP_SHARED, fd,
			(off_t)(slot * sizeof(struct region)));
	if (p == MAP_FAILED)
		return why_errno(why, errno, "cannot map this worker's health of targets");
	h->region = p;
	for (uint32_t i = 0; i < h->region->n_rows && i < HEALTH_ROWS; i++)
		health_set(&h->region->rows[i], HEALTH_FREE);
	*ret = sl_steal(h);
	return 0;
}

void health_worker_free(struct health_worker *h)
{
	if (h == NULL)
		return;
	if (h->region != NULL)
		munmap(h->region, sizeof(*h->region));
	free(h);
}

static enum health_state state_of(uint64_t word)
{
	return (enum health_state)(word & ((1U << STATE_BITS) - 1));
}

static uint64_t load(const struct health_row *row)
{
	return atomic_load_explicit(&row->word, memory_order_acquire);
}

static void store(struct health_row *row, uint64_t use, enum health_state state)
{
	atomic_store_explicit(&row->word, use << STATE_BITS | state, memory_order_release);
}

static struct health_row *find_free(struct health_worker *h)
{
	uint32_t i = h->hint;

	while (i < HEALTH_ROWS && state_of(load(&h->region->rows[i])) != HEALTH_FREE)
		i++;
	h->hint = i;
	if (i == HEALTH_ROWS)
		return NULL;
	if (i >= h->region->n_rows)
		atomic_store_explicit(&h->region->n_rows, i + 1, memory_order_release);
	return &h->region->rows[i];
}

struct health_row *health_add(struct health_worker *h, uint64_t target, const char *address,
		enum health_state state)
{
	struct health_row *row = h != NULL ? find_free(h) : NULL;
	uint64_t use;

	if (row == NULL)
		return NULL;
	/* a reader that saw the same use before and after has one row, not parts of two */
	use = (load(row) >> STATE_BITS) + 1;
	store(row, use, HEALTH_FREE);
	atomic_thread_fence(memory_order_release);
	row->target = target;
	memset(row->address, 0, sizeof(row->address));
	memcpy(row->address, address, strnlen(address, sizeof(row->address) - 1));
	store(row, use, state);
	return row;
}

void health_set(struct health_row *row, enum health_state state)
{
	if (row != NULL)
		store(row, load(row) >> STATE_BITS, state);
}

void health_remove(struct health_worker *h, struct health_row *row)
{
	uint32_t at;

	if (row == NULL)
		return;
	health_set(row, HEALTH_FREE);
	at = (uint32_t)(row - h->region->rows);
	h->hint = at < h->hint ? at : h->hint;
}

/* ---- master ---- */

struct health {
	uint32_t magic, n_slots;
	struct region *regions;
};

int health_open(struct health **ret, int fd, uint32_t n_slots, struct why *why)
{
	struct health *h = calloc(1, sizeof(*h));
	void *p;

	if (h == NULL)
		return why_errno(why, ENOMEM, "health of targets");
	p = mmap(NULL, sizeof(struct region) * n_slots, PROT_READ, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED) {
		free(h);
		return why_errno(why, errno, "cannot map the health of targets");
	}
	h->magic = HEALTH_MAGIC;
	h->n_slots = n_slots;
	h->regions = p;
	*ret = h;
	return 0;
}

void health_free(struct health *h)
{
	if (h == NULL)
		return;
	sl_check(h, HEALTH_MAGIC);
	munmap(h->regions, sizeof(*h->regions) * h->n_slots);
	h->magic = 0;
	free(h);
}

/* False: free, or being written; whoever asks again sees it. */
static bool read_row(const struct health_row *row, struct health_seen *ret)
{
	uint64_t word = load(row);

	*ret = (struct health_seen){.state = state_of(word), .target = row->target};
	memcpy(ret->address, row->address, sizeof(ret->address) - 1);
	atomic_thread_fence(memory_order_acquire);
	ret->n_healthy = ret->state == HEALTH_HEALTHY;
	ret->n_unhealthy = ret->state == HEALTH_UNHEALTHY;
	return ret->state != HEALTH_FREE && load(row) == word;
}

static int by_target(const void *a, const void *b)
{
	const struct health_seen *x = a, *y = b;

	if (x->target != y->target)
		return x->target < y->target ? -1 : 1;
	return strcmp(x->address, y->address);
}

static uint32_t rows_of(const struct health *h, uint32_t slot)
{
	uint32_t n = slot < h->n_slots ? atomic_load(&h->regions[slot].n_rows) : 0;

	return n < HEALTH_ROWS ? n : HEALTH_ROWS;
}

/* What several workers say of one address becomes one; any number of workers without an address
 * are nothing beside one that has some. */
static size_t merge(struct health_seen *v, size_t n)
{
	size_t kept = 0;

	for (size_t i = 0; i < n; i++) {
		struct health_seen *last = kept != 0 ? &v[kept - 1] : NULL;

		if (last != NULL && last->target == v[i].target && last->address[0] == '\0') {
			*last = v[i];
		} else if (last == NULL || by_target(last, &v[i]) != 0) {
			v[kept++] = v[i];
		} else {
			last->n_healthy += v[i].n_healthy;
			last->n_unhealthy += v[i].n_unhealthy;
			if (v[i].state == HEALTH_UNHEALTHY)
				last->state = HEALTH_UNHEALTHY;
		}
	}
	return kept;
}

int health_look(const struct health *h, const uint32_t *slots, size_t n_slots,
		struct health_seen **ret, size_t *ret_n)
{
	struct health_seen *v;
	size_t n = 0, cap = 1;

	sl_check(h, HEALTH_MAGIC);
	for (size_t i = 0; i < n_slots; i++)
		cap += rows_of(h, slots[i]);
	v = calloc(cap, sizeof(*v));
	if (v == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < n_slots; i++)
		for (uint32_t k = 0; k < rows_of(h, slots[i]) && n + 1 < cap; k++)
			n += read_row(&h->regions[slots[i]].rows[k], &v[n]);
	qsort(v, n, sizeof(*v), by_target);
	*ret = v;
	*ret_n = merge(v, n);
	return 0;
}

const struct health_seen *health_find(
		const struct health_seen *seen, size_t n, uint64_t target, size_t *ret_n)
{
	size_t from = 0, to = n;

	while (from < to) {
		size_t middle = from + (to - from) / 2;

		if (seen[middle].target < target)
			from = middle + 1;
		else
			to = middle;
	}
	*ret_n = 0;
	while (from + *ret_n < n && seen[from + *ret_n].target == target)
		++*ret_n;
	return *ret_n != 0 ? &seen[from] : NULL;
}
