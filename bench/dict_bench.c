/* SPDX-License-Identifier: Apache-2.0
 *
 * Nanoseconds per operation of shm/dict, beside a plain hash table behind one mutex (private
 * memory, no expiry, no quotas, nothing survives a crash) in the same run.
 */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "shm/dict.h"

#define KEYS 8192
#define HOT 64
#define ROUNDS 200
#define BEST_OF 5
#define VALUE_BYTES 56

static char key_text[KEYS][16];
static struct str keys[KEYS];
static struct dict *dict;
static uint32_t space;
static volatile double sink;

/* ---- the peer ---- */

struct row {
	char key[16];
	size_t key_n, n;
	double number;
	char bytes[VALUE_BYTES];
};
static struct row *rows;
static pthread_mutex_t rows_lock = PTHREAD_MUTEX_INITIALIZER;
#define ROWS (KEYS * 4)

static struct row *row_of(struct str key)
{
	uint64_t h = 14695981039346656037U;

	for (size_t i = 0; i < key.n; i++)
		h = (h ^ (uint8_t)key.p[i]) * 1099511628211U;
	for (size_t at = h % ROWS;; at = (at + 1) % ROWS) {
		struct row *r = &rows[at];

		if (r->key_n == 0 || (r->key_n == key.n && memcmp(r->key, key.p, key.n) == 0))
			return r;
	}
}

static void peer_get(struct str key)
{
	char out[VALUE_BYTES];

	pthread_mutex_lock(&rows_lock);
	memcpy(out, row_of(key)->bytes, sizeof(out));
	pthread_mutex_unlock(&rows_lock);
	sink = out[3];
}

static void peer_set(struct str key)
{
	static const char value[VALUE_BYTES] = "value";
	struct row *r;

	pthread_mutex_lock(&rows_lock);
	r = row_of(key);
	memcpy(r->key, key.p, key.n);
	r->key_n = key.n;
	memcpy(r->bytes, value, sizeof(value));
	r->n = sizeof(value);
	pthread_mutex_unlock(&rows_lock);
}

static void peer_incr(struct str key)
{
	pthread_mutex_lock(&rows_lock);
	row_of(key)->number += 1;
	pthread_mutex_unlock(&rows_lock);
}

/* ---- shm/dict ---- */

static void our_get(struct str key)
{
	struct dict_value v;

	if (dict_get(dict, space, key, &v) == 0)
		sink = v.bytes[3];
}

static void our_set(struct str key)
{
	static const char value[VALUE_BYTES] = "value";
	const struct dict_input in = {.kind = DICT_STRING, .text = {value, sizeof(value)}};

	dict_set(dict, space, key, &in, 60000);
}

static void our_set_number(struct str key)
{
	const struct dict_input in = {.kind = DICT_NUMBER, .number = 1};

	dict_set(dict, space, key, &in, 60000);
}

static void our_incr(struct str key)
{
	double now = 0;

	dict_incr(dict, space, key, 1, 60000, &now);
	sink = now;
}

static void our_miss(struct str key)
{
	struct dict_value v;

	dict_get(dict, space + 1, key, &v);
}

/* ---- measuring ---- */

typedef void op_fn(struct str key);

static double measure(op_fn *op, unsigned mask)
{
	double best = 0;

	for (int run = 0; run < BEST_OF; run++) {
		uint64_t start = clock_mono_ns();
		double ns;

		for (unsigned i = 0; i < ROUNDS * KEYS / 8; i++)
			op(keys[(i * 2654435761U >> 7) & mask]);
		ns = (double)(clock_mono_ns() - start) / (ROUNDS * KEYS / 8.0);
		best = run == 0 || ns < best ? ns : best;
	}
	return best;
}

/* The same while another process does it too. */
static double measure_beside(op_fn *op, unsigned mask)
{
	pid_t pid = fork();
	double ns;

	if (pid == 0)
		for (;;)
			op(keys[(unsigned)rand() & mask]);
	ns = measure(op, mask);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	return ns;
}

static const struct {
	const char *name;
	op_fn *ours, *peer;
} ops[] = {
		{"get, 56-byte string", our_get, peer_get},
		{"get, absent", our_miss, NULL},
		{"set, 56-byte string", our_set, peer_set},
		{"set, number", our_set_number, NULL},
		{"incr", our_incr, peer_incr},
};

static int prepare(void)
{
	struct why why = WHY_NONE;
	uint32_t other;
	int fd;

	rows = calloc(ROWS, sizeof(*rows));
	if (rows == NULL || dict_create(&dict, &fd, 16U << 20, 16U << 20, &why) != 0 ||
			dict_space(dict, STR("bench"), &space) != 0 ||
			dict_space(dict, STR("other"), &other) != 0)
		return -1;
	for (unsigned i = 0; i < KEYS; i++) {
		keys[i].n = (size_t)snprintf(key_text[i], sizeof(key_text[i]), "client:%u", i);
		keys[i].p = key_text[i];
		our_set(keys[i]);
		peer_set(keys[i]);
	}
	return 0;
}

int main(void)
{
	if (prepare() != 0) {
		fprintf(stderr, "dict_bench: cannot make the tables\n");
		return 1;
	}
	printf("%-20s %8s %8s %8s %8s %8s %8s\n%-20s %8s %8s %8s %8s %8s %8s\n", "ns per operation",
			"dict", "dict", "peer", "peer", "2 procs", "2 procs", "keys", "64", "8192",
			"64", "8192", "8192", "1");
	for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
		printf("%-20s %8.0f %8.0f ", ops[i].name, measure(ops[i].ours, HOT - 1),
				measure(ops[i].ours, KEYS - 1));
		if (ops[i].peer != NULL)
			printf("%8.0f %8.0f ", measure(ops[i].peer, HOT - 1),
					measure(ops[i].peer, KEYS - 1));
		else
			printf("%8s %8s ", "", "");
		printf("%8.0f %8.0f\n", measure_beside(ops[i].ours, KEYS - 1),
				measure_beside(ops[i].ours, 0));
	}
	return 0;
}
