/* SPDX-License-Identifier: Apache-2.0 */
#include "shm/stat.h"

#include <errno.h>
#include <inttypes.h>

#include "base/check.h"
#include "shm/area.h"

#define STAT_MAGIC SL_MAGIC('S', 'T', 'A', 'T')
#define STAT_ABI 1

static const struct area_head stat_head = {STAT_MAGIC, STAT_ABI};

static const struct stat_row rows[] = {
#define X(name, kind, unit, help) {#name, unit, help, STAT_##kind},
		STAT_WORKER(X)
#undef X
};

#define STAT_ROWS (sizeof(rows) / sizeof(rows[0]))
_Static_assert(sizeof(struct stat_worker) == STAT_ROWS * sizeof(uint64_t), "rows are all there is");

int stat_create(struct stat_area **ret, int *ret_fd, uint32_t n_slots, struct why *why)
{
	void *p = NULL;
	int r;

	if (n_slots == 0 || n_slots > BOARD_SLOTS_MAX) {
		why_set(why, NULL, 0, "counters exist for 1 to %d workers, not %u", BOARD_SLOTS_MAX,
				n_slots);
		return -EINVAL;
	}
	r = area_create(&p, ret_fd, "counters", sizeof(struct stat_area), stat_head, why);
	if (r < 0)
		return r;
	*ret = p;
	(*ret)->n_slots = n_slots;
	(*ret)->row_bytes = sizeof(struct stat_worker);
	return 0;
}

int stat_map(struct stat_area **ret, int fd, struct why *why)
{
	struct stat_area *a;
	void *p = NULL;
	int r;

	r = area_map(&p, fd, "counters", sizeof(struct stat_area), stat_head, why);
	if (r < 0)
		return r;
	a = p;
	if (a->n_slots == 0 || a->n_slots > BOARD_SLOTS_MAX ||
			a->row_bytes != sizeof(struct stat_worker)) {
		why_set(why, NULL, 0, "the counters on fd %d have another layout", fd);
		stat_unmap(a);
		return -EBADF;
	}
	*ret = a;
	return 0;
}

void stat_unmap(struct stat_area *a)
{
	area_unmap(a, sizeof(*a));
}

const struct stat_row *stat_rows(size_t *ret_n)
{
	*ret_n = STAT_ROWS;
	return rows;
}

void stat_reset_gauges(struct stat_worker *w)
{
	_Atomic uint64_t *row = (_Atomic uint64_t *)w;

	for (size_t i = 0; i < STAT_ROWS; i++)
		if (rows[i].kind == STAT_GAUGE)
			stat_set(&row[i], 0);
}

uint64_t stat_read(const struct stat_worker *w, size_t row)
{
	const _Atomic uint64_t *counters = (const _Atomic uint64_t *)w;

	sl_assert(row < STAT_ROWS);
	return atomic_load_explicit(&counters[row], memory_order_relaxed);
}

uint64_t stat_total(const struct stat_area *a, size_t row)
{
	uint64_t sum = 0;

	for (uint32_t slot = 0; slot < a->n_slots; slot++)
		sum += stat_read(&a->workers[slot], row);
	return sum;
}

void stat_json(const struct stat_area *a, uint32_t n_slots, struct buf *out)
{
	n_slots = n_slots < a->n_slots ? n_slots : a->n_slots;
	buf_add_str(out, STR("["));
	for (uint32_t slot = 0; slot < n_slots; slot++) {
		buf_printf(out, "%s{\"worker\":%u", slot != 0 ? "," : "", slot);
		for (size_t i = 0; i < STAT_ROWS; i++)
			buf_printf(out, ",\"%s\":%" PRIu64, rows[i].name,
					stat_read(&a->workers[slot], i));
		buf_add_str(out, STR("}"));
	}
	buf_add_str(out, STR("]"));
}
