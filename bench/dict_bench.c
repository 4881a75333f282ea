/* SPDX-License-Identifier: Apache-2.0
 *
 * Nanoseconds per operation of shm/dict, beside two peers in the same run: a plain hash table in
 * shared memory behind one mutex (no expiry, no quotas, nothing survives a crash), and nothing but
 * an atomic addition to a word of an array.  Prints a Markdown table.
 *
 * One process: CPU time of the thread, the best of many short rounds, contenders by turns.
 * Two processes: wall time, since waiting for the other counts; the median of the rounds in which
 * both ran.
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "shm/dict.h"

#define FEW 1000
#define MANY 1000000
#define ROUNDS 120
#define ROUNDS_MAX 6000
#define OPS 2000 /* per round */
#define VALUE_BYTES 56
#define DICT_BYTES (16 << 20) /* the default of plugin_dict_size */

struct row {
	char key[16];
	size_t key_n;
	double number;
	char bytes[VALUE_BYTES];
};

/* What the operations work on: one for up to FEW keys, one for MANY. */
struct store {
	struct dict *dict;
	uint32_t space;
	struct row *rows;
	size_t n_rows;
	_Atomic uint64_t *words;
	pthread_mutex_t *lock;
};
static struct store few, many;
static const struct store *now;
static char (*key_text)[16];
static struct str *keys;
static volatile double sink;
static struct {
	atomic_bool is_over;
	_Atomic uint64_t n_ops;
} * beside; /* the other process */
static const char value[VALUE_BYTES] = "value";

static void *shared(size_t n)
{
	void *p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		exit(1);
	return p;
}

/* ---- a mutex and a hash table ---- */

static struct row *row_of(struct str key)
{
	uint64_t h = 14695981039346656037U;

	for (size_t i = 0; i < key.n; i++)
		h = (h ^ (uint8_t)key.p[i]) * 1099511628211U;
	for (size_t at = h % now->n_rows;; at = (at + 1) % now->n_rows) {
		struct row *r = &now->rows[at];

		if (r->key_n == 0 || (r->key_n == key.n && memcmp(r->key, key.p, key.n) == 0))
			return r;
	}
}

static struct row *take_row(struct str key)
{
	struct row *r;

	pthread_mutex_lock(now->lock);
	r = row_of(key);
	if (r->key_n == 0) {
		memcpy(r->key, key.p, key.n);
		r->key_n = key.n;
	}
	return r;
}

static void peer_get_number(uint32_t i)
{
	sink = take_row(keys[i])->number;
	pthread_mutex_unlock(now->lock);
}

static void peer_get_string(uint32_t i)
{
	char out[VALUE_BYTES];

	memcpy(out, take_row(keys[i])->bytes, sizeof(out));
	pthread_mutex_unlock(now->lock);
	sink = out[3];
}

static void peer_set_number(uint32_t i)
{
	take_row(keys[i])->number = 1;
	pthread_mutex_unlock(now->lock);
}

static void peer_set_string(uint32_t i)
{
	memcpy(take_row(keys[i])->bytes, value, sizeof(value));
	pthread_mutex_unlock(now->lock);
}

static void peer_incr(uint32_t i)
{
	sink = take_row(keys[i])->number += 1;
	pthread_mutex_unlock(now->lock);
}

/* ---- an atomic addition ---- */

static void bare_incr(uint32_t i)
{
	sink = (double)atomic_fetch_add(&now->words[(uint64_t)i * 8], 1);
}

/* ---- shm/dict ---- */

static void our_get(uint32_t i)
{
	struct dict_value v;

	if (dict_get(now->dict, now->space, keys[i], &v) == 0)
		sink = v.kind == DICT_NUMBER ? v.number : v.bytes[3];
}

static void our_miss(uint32_t i)
{
	struct dict_value v;

	sink = dict_get(now->dict, now->space + 1, keys[i], &v);
}

static void our_set_string(uint32_t i)
{
	const struct dict_input in = {.kind = DICT_STRING, .text = {value, sizeof(value)}};

	dict_set(now->dict, now->space, keys[i], &in, 60000);
}

static void our_set_number(uint32_t i)
{
	const struct dict_input in = {.kind = DICT_NUMBER, .number = 1};

	dict_set(now->dict, now->space, keys[i], &in, 600000);
}

static void our_incr(uint32_t i)
{
	double v = 0;

	dict_incr(now->dict, now->space, keys[i], 1, 600000, &v);
	sink = v;
}

/* ---- measuring ---- */

typedef void op_fn(uint32_t i);

static double round_ns(op_fn *op, uint32_t n_keys, clockid_t clock)
{
	static uint32_t at;
	uint64_t start = clock_read_ns(clock);

	for (unsigned i = 0; i < OPS; i++) {
		op((uint32_t)((uint64_t)at * n_keys >> 32));
		at = at * 1664525U + 1013904223U;
	}
	return (double)(clock_read_ns(clock) - start) / OPS;
}

static int by_size(const void *a, const void *b)
{
	return *(const double *)a < *(const double *)b ? -1 : 1;
}

static void pin(size_t cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

/* Until the parent says so, and killed by no signal: it may hold the mutex. */
_Noreturn static void go_beside(op_fn *op, uint32_t n_keys)
{
	pin(1);
	while (!atomic_load(&beside->is_over)) {
		for (unsigned i = 0; i < OPS / 20; i++)
			op((uint32_t)((uint64_t)(i * 2654435761U) * n_keys >> 32));
		atomic_fetch_add(&beside->n_ops, OPS / 20);
	}
	_exit(0);
}

/* Median of the rounds in which another process, on another CPU, did it as well: half as often at
 * least.  0: there were too few. */
static double beside_ns(op_fn *op, uint32_t n_keys)
{
	double all[ROUNDS];
	unsigned n = 0;
	pid_t pid;

	atomic_store(&beside->is_over, false);
	pid = fork();
	if (pid == 0)
		go_beside(op, n_keys);
	for (unsigned i = 0; i < ROUNDS_MAX && n < ROUNDS; i++) {
		uint64_t before = atomic_load(&beside->n_ops);
		double ns = round_ns(op, n_keys, CLOCK_MONOTONIC);

		if (atomic_load(&beside->n_ops) - before >= OPS / 2)
			all[n++] = ns;
	}
	atomic_store(&beside->is_over, true);
	waitpid(pid, NULL, 0);
	qsort(all, n, sizeof(*all), by_size);
	return n >= ROUNDS / 4 ? all[n / 2] : 0;
}

#define CONTENDERS 3
static const char *const contenders[CONTENDERS] = {"dict", "mutex + hash", "atomic add alone"};
static const struct {
	const char *name;
	op_fn *prepare; /* before it, for each key; NULL = as it is */
	op_fn *ops[CONTENDERS];
} rows[] = {
		{"get, number", our_set_number, {our_get, peer_get_number, NULL}},
		{"set, number", NULL, {our_set_number, peer_set_number, NULL}},
		{"incr", NULL, {our_incr, peer_incr, bare_incr}},
		{"get, absent", NULL, {our_miss, NULL, NULL}},
		{"set, 56-byte string", our_set_string, {our_set_string, peer_set_string, NULL}},
		{"get, 56-byte string", NULL, {our_get, peer_get_string, NULL}},
};

static void best_ns(op_fn *const *ops, const struct store *s, uint32_t n_keys, double *ret)
{
	now = s;
	for (int c = 0; c < CONTENDERS; c++)
		ret[c] = 1e9;
	for (int i = 0; i < ROUNDS; i++)
		for (int c = 0; c < CONTENDERS; c++) {
			double ns = ops[c] != NULL ? round_ns(ops[c], n_keys,
								     CLOCK_THREAD_CPUTIME_ID)
						   : 0;

			ret[c] = ns < ret[c] ? ns : ret[c];
		}
}

static void set_up(struct store *s, size_t bytes, uint32_t n_keys)
{
	struct why why = WHY_NONE;
	pthread_mutexattr_t attr;
	uint32_t other;
	int fd;

	if (dict_create(&s->dict, &fd, bytes, bytes, &why) != 0 ||
			dict_space(s->dict, STR("bench"), &s->space) != 0 ||
			dict_space(s->dict, STR("other"), &other) != 0)
		exit(1);
	s->n_rows = (size_t)n_keys * 4;
	s->rows = shared(s->n_rows * sizeof(*s->rows));
	s->words = shared((size_t)n_keys * 64);
	s->lock = shared(sizeof(*s->lock));
	pthread_mutexattr_init(&attr);
	pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	pthread_mutex_init(s->lock, &attr);
	now = s;
	for (uint32_t i = 0; i < n_keys; i++)
		peer_set_string(i);
}

static void make_keys(void)
{
	key_text = calloc(MANY, sizeof(*key_text));
	keys = calloc(MANY, sizeof(*keys));
	if (key_text == NULL || keys == NULL)
		exit(1);
	for (unsigned i = 0; i < MANY; i++) {
		keys[i].n = (size_t)snprintf(key_text[i], sizeof(key_text[i]), "client:%u", i);
		keys[i].p = key_text[i];
	}
}

static void prepare(op_fn *op)
{
	if (op == NULL)
		return;
	now = &few;
	for (uint32_t i = 0; i < FEW; i++)
		op(i);
	now = &many;
	for (uint32_t i = 0; i < MANY; i++)
		op(i);
}

int main(void)
{
	beside = shared(sizeof(*beside));
	make_keys();
	set_up(&few, DICT_BYTES, FEW);
	set_up(&many, DICT_BYTES_MAX, MANY);
	pin(0);
	printf("| ns per operation | | one key | 1,000 keys | 1,000,000 keys | "
	       "2 processes, 1,000 keys | 2 processes, one key |\n|---|---|---|---|---|---|---|\n");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		double ns[3][CONTENDERS];

		prepare(rows[i].prepare);
		best_ns(rows[i].ops, &few, 1, ns[0]);
		best_ns(rows[i].ops, &few, FEW, ns[1]);
		best_ns(rows[i].ops, &many, MANY, ns[2]);
		now = &few;
		for (int c = 0; c < CONTENDERS; c++) {
			op_fn *op = rows[i].ops[c];

			if (op != NULL)
				printf("| %s | %s | %.0f | %.0f | %.0f | %.0f | %.0f |\n",
						rows[i].name, contenders[c], ns[0][c], ns[1][c],
						ns[2][c], beside_ns(op, FEW), beside_ns(op, 1));
		}
	}
	return 0;
}
