/* SPDX-License-Identifier: Apache-2.0 */
#include "shm/dict.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "base/check.h"
#include "shm/dict_layout.h"

#define AREA_NAME "plugin memory"

static const struct area_head dict_head = {DICT_MAGIC, DICT_ABI};

/* A stripe's share: a quarter in large slots, at least one bucket of them; the rest in tiny and
 * small ones. */
static void lay_out(struct dict *d, size_t size)
{
	size_t at = (sizeof(struct dict_area) + 4095) / 4096 * 4096;
	size_t share = (size - at) / DICT_STRIPES, part = DICT_LARGE_BYTES;

	d->size = size;
	d->slots_at = at;
	d->n_large = share / 4 < part ? 1 : (uint32_t)(share / 4 / part);
	d->n_pairs = (uint32_t)((share - d->n_large * part) / DICT_PAIR_BYTES);
	d->stripe_bytes = d->n_pairs * DICT_PAIR_BYTES + d->n_large * part;
}

static int init_locks(struct dict_area *a)
{
	pthread_mutexattr_t attr;
	int r = pthread_mutexattr_init(&attr);

	if (r != 0)
		return r;
	pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
	r = pthread_mutex_init(&a->spaces_lock, &attr);
	for (unsigned i = 0; r == 0 && i < DICT_STRIPES; i++)
		r = pthread_mutex_init(&a->stripes[i].lock, &attr);
	for (unsigned i = 0; r == 0 && i < DICT_OWNERS_MAX; i++)
		r = pthread_mutex_init(&a->owners[i].alive, &attr);
	pthread_mutexattr_destroy(&attr);
	return r;
}

static int fill_area(struct dict *d)
{
	struct dict_area *a = d->area;

	if (getrandom(a->seeds, sizeof(a->seeds), 0) != (ssize_t)sizeof(a->seeds))
		return EAGAIN;
	d->seed = a->seeds[0];
	d->seed_2 = a->seeds[1];
	a->size = d->size;
	a->quota = d->quota;
	a->slots_at = d->slots_at;
	a->stripe_bytes = d->stripe_bytes;
	a->n_pairs = d->n_pairs;
	a->n_large = d->n_large;
	return init_locks(a);
}

int dict_create(struct dict **ret, int *ret_fd, size_t bytes, size_t quota_bytes, struct why *why)
{
	sl_auto(dict) d = calloc(1, sizeof(*d));
	sl_auto_fd int fd = -1;
	void *p = NULL;
	int r;

	if (d == NULL)
		return why_errno(why, ENOMEM, AREA_NAME);
	d->magic = DICT_MAGIC;
	if (bytes < DICT_BYTES_MIN || bytes > DICT_BYTES_MAX) {
		why_set(why, NULL, 0, "%s: between %d and %d bytes, not %zu", AREA_NAME,
				DICT_BYTES_MIN, DICT_BYTES_MAX, bytes);
		return -EINVAL;
	}
	lay_out(d, bytes);
	d->quota = quota_bytes;
	r = area_create(&p, &fd, AREA_NAME, bytes, dict_head, why);
	if (r != 0)
		return r;
	d->area = p;
	r = fill_area(d);
	if (r != 0)
		return why_errno(why, r, AREA_NAME);
	*ret_fd = sl_steal_fd(&fd);
	*ret = sl_steal(d);
	return 0;
}

int dict_map(struct dict **ret, int fd, struct why *why)
{
	sl_auto(dict) d = calloc(1, sizeof(*d));
	const struct dict_area *a;
	struct stat st;
	void *p = NULL;
	int r;

	if (d == NULL)
		return why_errno(why, ENOMEM, AREA_NAME);
	d->magic = DICT_MAGIC;
	if (fstat(fd, &st) != 0 || st.st_size < DICT_BYTES_MIN || st.st_size > DICT_BYTES_MAX) {
		why_set(why, NULL, 0, "fd %d is not the %s", fd, AREA_NAME);
		return -EBADF;
	}
	lay_out(d, (size_t)st.st_size);
	r = area_map(&p, fd, AREA_NAME, d->size, dict_head, why);
	if (r != 0)
		return r;
	a = d->area = p;
	d->seed = a->seeds[0];
	d->seed_2 = a->seeds[1];
	d->quota = a->quota;
	if (a->size != d->size || a->slots_at != d->slots_at ||
			a->stripe_bytes != d->stripe_bytes || a->n_pairs != d->n_pairs ||
			a->n_large != d->n_large) {
		why_set(why, NULL, 0, "the %s on fd %d has another layout", AREA_NAME, fd);
		return -EBADF;
	}
	*ret = sl_steal(d);
	return 0;
}

void dict_free(struct dict *d)
{
	if (d == NULL)
		return;
	sl_check(d, DICT_MAGIC);
	dict_leave(d);
	area_unmap(d->area, d->size);
	d->magic = 0;
	free(d);
}

static bool find_space(const struct dict_area *a, struct str name, uint32_t n, uint32_t *ret)
{
	for (uint32_t i = 0; i < n; i++) {
		const char *have = a->spaces[i].name;

		if (memcmp(have, name.p, name.n) == 0 && have[name.n] == '\0') {
			*ret = i;
			return true;
		}
	}
	return false;
}

/* With the lock of the spaces: rows below the count are never changed again. */
static int add_space(struct dict_area *a, struct str name, uint32_t *ret)
{
	uint32_t n = atomic_load_explicit(&a->n_spaces, memory_order_acquire);

	if (find_space(a, name, n < DICT_SPACES_MAX ? n : DICT_SPACES_MAX, ret))
		return 0;
	if (n >= DICT_SPACES_MAX)
		return DICT_E_FULL;
	memcpy(a->spaces[n].name, name.p, name.n);
	a->spaces[n].name[name.n] = '\0';
	atomic_store_explicit(&a->n_spaces, n + 1, memory_order_release);
	*ret = n;
	return 0;
}

int dict_space(struct dict *d, struct str name, uint32_t *ret)
{
	struct dict_area *a = d->area;
	int r;

	if (name.n == 0 || name.n > DICT_SPACE_MAX)
		return DICT_E_TOO_LONG;
	r = dict_mutex_take(&a->spaces_lock);
	if (r == DICT_E_BUSY)
		return r;
	/* a dead holder left a row that the count does not include: nothing to repair */
	if (r == EOWNERDEAD) {
		atomic_fetch_add_explicit(&a->repairs, 1, memory_order_relaxed);
		pthread_mutex_consistent(&a->spaces_lock);
	}
	r = add_space(a, name, ret);
	pthread_mutex_unlock(&a->spaces_lock);
	return r;
}

void dict_get_stats(const struct dict *d, struct dict_stats *ret)
{
	const struct dict_area *a = d->area;

	sl_check(d, DICT_MAGIC);
	*ret = (struct dict_stats){
			.size_bytes = d->size,
			.used_bytes = atomic_load_explicit(&a->used_bytes, memory_order_relaxed),
			.entries = atomic_load_explicit(&a->entries, memory_order_relaxed),
			.spaces = atomic_load_explicit(&a->n_spaces, memory_order_relaxed),
			.evictions = atomic_load_explicit(&a->evictions, memory_order_relaxed),
			.refusals = atomic_load_explicit(&a->refusals, memory_order_relaxed),
			.repairs = atomic_load_explicit(&a->repairs, memory_order_relaxed),
	};
}
