/* SPDX-License-Identifier: Apache-2.0 */
#include "shm/traffic.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/check.h"
#include "shm/area.h"

#define TRAFFIC_MAGIC SL_MAGIC('T', 'R', 'F', 'C')
#define UNROUTED STR("-") /* the id of requests that no route matched */

/* What a worker's rows start with: a page, so that rows never used are never touched. */
struct region_head {
	_Atomic uint32_t n_rows; /* in use */
	uint8_t pad[4092];
};
_Static_assert(sizeof(struct region_head) == sizeof(struct traffic_row), "a page");

#define X(field, metric, help, ...) \
	static const uint32_t bounds_##field[] = {__VA_ARGS__}; \
	_Static_assert(sizeof(bounds_##field) / sizeof(uint32_t) < TRAFFIC_BUCKETS, "room");
TRAFFIC_SPREADS(X)
#undef X

static const struct {
	const uint32_t *bounds_ms;
	unsigned n;
	const char *metric, *help;
} spreads[TRAFFIC_TIME_COUNT] = {
#define X(field, metric, help, ...) \
	{bounds_##field, sizeof(bounds_##field) / sizeof(uint32_t), metric, help},
		TRAFFIC_SPREADS(X)
#undef X
};

const uint32_t *traffic_bounds_ms(enum traffic_time time, unsigned *ret_n)
{
	*ret_n = spreads[time].n;
	return spreads[time].bounds_ms;
}

const char *traffic_metric(enum traffic_time time, const char **ret_help)
{
	*ret_help = spreads[time].help;
	return spreads[time].metric;
}

const char *traffic_source_word(enum traffic_source source)
{
	static const char *const words[] = {
#define X(id, word) word,
			TRAFFIC_SOURCES(X)
#undef X
	};

	return (unsigned)source < TRAFFIC_SOURCE_COUNT ? words[source] : "kong";
}

static size_t region_bytes(struct traffic_shape shape)
{
	return sizeof(struct region_head) + (size_t)shape.routes * sizeof(struct traffic_row);
}

int traffic_create(int *ret_fd, struct traffic_shape shape, struct why *why)
{
	int fd = area_memfd("traffic counters", region_bytes(shape) * shape.workers, why);

	if (fd < 0)
		return fd;
	*ret_fd = fd;
	return 0;
}

/* ---- worker ---- */

struct traffic_worker {
	struct traffic_shape shape;
	struct region_head *head;
	struct traffic_row *rows;
	uint32_t mask;
	uint32_t *index; /* row + 1 by hash of the route's id; 0: nothing */
};

/* FNV-1a. */
static uint32_t hash_of(struct str id)
{
	uint32_t h = 2166136261U;

	for (size_t i = 0; i < id.n; i++)
		h = (h ^ (uint8_t)id.p[i]) * 16777619U;
	return h;
}

static struct str id_of(const struct traffic_row *row)
{
	return (struct str){row->route_id, strnlen(row->route_id, sizeof(row->route_id))};
}

/* Where the id is in the index, or belongs. */
static uint32_t *index_find(struct traffic_worker *t, struct str id)
{
	uint32_t at = hash_of(id) & t->mask;

	while (t->index[at] != 0 && !str_eq(id_of(&t->rows[t->index[at] - 1]), id))
		at = (at + 1) & t->mask;
	return &t->index[at];
}

/* What an earlier worker of this slot counted goes on. */
static int make_index(struct traffic_worker *t)
{
	uint32_t n = t->head->n_rows < t->shape.routes ? t->head->n_rows : t->shape.routes;

	t->mask = 1;
	while (t->mask < 2 * t->shape.routes)
		t->mask *= 2;
	t->index = calloc(t->mask--, sizeof(*t->index));
	if (t->index == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++)
		*index_find(t, id_of(&t->rows[i])) = i + 1;
	return 0;
}

int traffic_worker_open(struct traffic_worker **ret, int fd, struct traffic_shape shape,
		uint32_t worker, struct why *why)
{
	sl_auto(traffic_worker) t = calloc(1, sizeof(*t));
	size_t bytes = region_bytes(shape);
	void *p;

	if (t == NULL)
		return why_errno(why, ENOMEM, "traffic counters");
	t->shape = shape;
	p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)(worker * bytes));
	if (p == MAP_FAILED)
		return why_errno(why, errno, "cannot map this worker's traffic counters");
	t->head = p;
	t->rows = (struct traffic_row *)(t->head + 1);
	if (make_index(t) < 0)
		return why_errno(why, ENOMEM, "traffic counters");
	if (t->head->n_rows == 0)
		traffic_worker_row(t, STR(TRAFFIC_OTHERS), STR(TRAFFIC_OTHERS), STR_NONE);
	*ret = sl_steal(t);
	return 0;
}

void traffic_worker_free(struct traffic_worker *t)
{
	if (t == NULL)
		return;
	if (t->head != NULL)
		munmap(t->head, region_bytes(t->shape));
	free(t->index);
	free(t);
}

static bool holds(const char *field, size_t size, struct str s)
{
	return str_eq((struct str){field, strnlen(field, size)}, str_head(s, size - 1));
}

static void put(char *field, size_t size, struct str s)
{
	size_t n = s.n < size - 1 ? s.n : size - 1;

	memset(field, 0, size);
	if (n != 0)
		memcpy(field, s.p, n);
}

/* A reader that saw the same even number before and after has whole names. */
static void write_names(
		struct traffic_row *row, struct str id, struct str route, struct str service)
{
	uint32_t seq = atomic_load_explicit(&row->names_seq, memory_order_relaxed) | 1;

	atomic_store_explicit(&row->names_seq, seq, memory_order_relaxed);
	atomic_thread_fence(memory_order_release);
	put(row->route_id, sizeof(row->route_id), id);
	put(row->route, sizeof(row->route), route);
	put(row->service, sizeof(row->service), service);
	atomic_store_explicit(&row->names_seq, seq + 1, memory_order_release);
}

/* Published last: a row that is counted has its names. */
static struct traffic_row *claim(struct traffic_worker *t, uint32_t *index)
{
	uint32_t n = t->head->n_rows;

	if (n >= t->shape.routes)
		return NULL;
	*index = n + 1;
	return &t->rows[n];
}

struct traffic_row *traffic_worker_row(
		struct traffic_worker *t, struct str id, struct str route, struct str service)
{
	struct traffic_row *row;
	uint32_t *index;

	id = id.n != 0 ? str_head(id, TRAFFIC_ID_MAX - 1) : UNROUTED;
	index = index_find(t, id);
	row = *index != 0 ? &t->rows[*index - 1] : claim(t, index);
	if (row == NULL)
		return &t->rows[0];
	if (!holds(row->route_id, sizeof(row->route_id), id) ||
			!holds(row->route, sizeof(row->route), route) ||
			!holds(row->service, sizeof(row->service), service))
		write_names(row, id, route, service);
	if (row == &t->rows[t->head->n_rows])
		atomic_store_explicit(&t->head->n_rows, t->head->n_rows + 1, memory_order_release);
	return row;
}

static struct traffic_code *code_of(struct traffic_row *row, uint32_t status, uint32_t source)
{
	struct traffic_code *c = row->codes;

	for (; c < &row->codes[TRAFFIC_CODES - 1]; c++) {
		if (c->status == 0) {
			c->source = source;
			c->status = status;
		}
		if (c->status == status && c->source == source)
			return c;
	}
	if (c->status == 0) {
		c->source = source;
		c->status = status;
	}
	return c;
}

static void spread_add(struct traffic_row *row, enum traffic_time time, uint64_t ns)
{
	struct traffic_spread *s = &row->spreads[time];
	unsigned i = 0;

	while (i < spreads[time].n && ns > (uint64_t)spreads[time].bounds_ms[i] * 1000000U)
		i++;
	histogram_bump(&s->n[i], 1);
	histogram_bump(&s->sum_ns, ns);
	histogram_add(&row->times[time], ns);
}

void traffic_add(struct traffic_row *row, const struct traffic_request *r)
{
	histogram_bump(&code_of(row, r->status, r->source)->n, 1);
	histogram_bump(&row->bytes_in, r->bytes_in);
	histogram_bump(&row->bytes_out, r->bytes_out);
	spread_add(row, TRAFFIC_TIME_gateway, r->ns[TRAFFIC_TIME_gateway]);
	spread_add(row, TRAFFIC_TIME_request, r->ns[TRAFFIC_TIME_request]);
	if (r->is_proxied)
		spread_add(row, TRAFFIC_TIME_service, r->ns[TRAFFIC_TIME_service]);
}

/* ---- master ---- */

struct traffic {
	uint32_t magic;
	struct traffic_shape shape;
	const uint8_t *regions;
	const struct traffic_row **found; /* room for every row of every worker */
};

int traffic_open(struct traffic **ret, int fd, struct traffic_shape shape, struct why *why)
{
	sl_auto(traffic) t = calloc(1, sizeof(*t));
	void *p;

	if (t == NULL)
		return why_errno(why, ENOMEM, "traffic counters");
	t->magic = TRAFFIC_MAGIC;
	t->shape = shape;
	t->found = calloc((size_t)shape.workers * shape.routes, sizeof(*t->found));
	if (t->found == NULL)
		return why_errno(why, ENOMEM, "traffic counters");
	p = mmap(NULL, region_bytes(shape) * shape.workers, PROT_READ, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED)
		return why_errno(why, errno, "cannot map the traffic counters");
	t->regions = p;
	*ret = sl_steal(t);
	return 0;
}

void traffic_free(struct traffic *t)
{
	if (t == NULL)
		return;
	sl_check(t, TRAFFIC_MAGIC);
	if (t->regions != NULL)
		munmap((void *)(uintptr_t)t->regions, region_bytes(t->shape) * t->shape.workers);
	free(t->found);
	t->magic = 0;
	free(t);
}

/* False: it has no names, or they are being written. */
static bool read_names(const struct traffic_row *row, struct traffic_sum *ret)
{
	uint32_t seq = atomic_load_explicit(&row->names_seq, memory_order_acquire);

	if (seq == 0 || (seq & 1) != 0)
		return false;
	memcpy(ret->route_id, row->route_id, sizeof(ret->route_id));
	memcpy(ret->route, row->route, sizeof(ret->route));
	memcpy(ret->service, row->service, sizeof(ret->service));
	ret->route_id[TRAFFIC_ID_MAX - 1] = '\0';
	ret->route[TRAFFIC_NAME_MAX - 1] = ret->service[TRAFFIC_NAME_MAX - 1] = '\0';
	atomic_thread_fence(memory_order_acquire);
	return atomic_load_explicit(&row->names_seq, memory_order_relaxed) == seq;
}

static void sum_code(struct traffic_sum *sum, const struct traffic_code *c)
{
	uint32_t status = c->status, source = c->source, i = 0;

	if (status == 0 || source >= TRAFFIC_SOURCE_COUNT)
		return;
	while (i < sum->n_codes && (sum->codes[i].status != status ||
						   (uint32_t)sum->codes[i].source != source))
		i++;
	if (i == TRAFFIC_CODES)
		i--;
	else if (i == sum->n_codes)
		sum->codes[sum->n_codes++] =
				(struct traffic_code_sum){status, (enum traffic_source)source, 0};
	sum->codes[i].n += c->n;
	sum->requests += c->n;
}

static void sum_row(struct traffic_sum *sum, const struct traffic_row *row)
{
	sum->bytes_in += row->bytes_in;
	sum->bytes_out += row->bytes_out;
	for (unsigned i = 0; i < TRAFFIC_CODES; i++)
		sum_code(sum, &row->codes[i]);
	for (unsigned time = 0; time < TRAFFIC_TIME_COUNT; time++) {
		const struct traffic_spread *s = &row->spreads[time];

		for (unsigned i = 0; i < TRAFFIC_BUCKETS; i++) {
			sum->spreads[time].n[i] += s->n[i];
			sum->spreads[time].count += s->n[i];
		}
		sum->spreads[time].sum_ns += s->sum_ns;
		histogram_sum_add(&sum->times[time], &row->times[time]);
	}
}

/* The order of ids; rows of the same route stand together. */
static int by_id(const void *a, const void *b)
{
	const struct traffic_row *x = *(const struct traffic_row *const *)a;
	const struct traffic_row *y = *(const struct traffic_row *const *)b;

	return strncmp(x->route_id, y->route_id, TRAFFIC_ID_MAX);
}

static size_t find_rows(const struct traffic *t)
{
	size_t n = 0;

	for (uint32_t w = 0; w < t->shape.workers; w++) {
		const struct region_head *head =
				(const void *)(t->regions + w * region_bytes(t->shape));
		const struct traffic_row *rows = (const struct traffic_row *)(head + 1);
		uint32_t in_use = atomic_load_explicit(&head->n_rows, memory_order_acquire);

		for (uint32_t i = 0; i < in_use && i < t->shape.routes; i++)
			t->found[n++] = &rows[i];
	}
	qsort(t->found, n, sizeof(*t->found), by_id);
	return n;
}

void traffic_each(const struct traffic *t, traffic_each_fn *fn, void *arg)
{
	struct traffic_sum *sum = malloc(sizeof(*sum));
	size_t n, i = 0;

	sl_check(t, TRAFFIC_MAGIC);
	n = sum != NULL ? find_rows(t) : 0;
	while (i < n) {
		const struct traffic_row *const *first = &t->found[i];
		bool is_named;

		memset(sum, 0, sizeof(*sum));
		is_named = read_names(*first, sum);
		do
			sum_row(sum, t->found[i++]);
		while (i < n && by_id(first, &t->found[i]) == 0);
		if (str_eq(str_of(sum->route_id), UNROUTED))
			sum->route_id[0] = '\0';
		if (is_named && sum->requests != 0)
			fn(arg, sum);
	}
	free(sum);
}
