/* SPDX-License-Identifier: Apache-2.0
 *
 * What it costs to time a plugin phase and to count it (shm/lat, shm/traffic), ns per operation:
 * best of several rounds, over as many rows as a busy worker touches.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "shm/lat.h"
#include "shm/traffic.h"

#define TIMES 1000000
#define BEST_OF 7

static struct histogram *rows[8];
static struct traffic_row *route;
static volatile uint64_t sink;

static uint64_t lcg(uint64_t *state)
{
	*state = *state * 6364136223846793005ULL + 1442695040888963407ULL;
	return *state >> 33;
}

static void nothing(uint64_t *state)
{
	sink = lcg(state);
}

static void read_clock(uint64_t *state)
{
	sink = lcg(state) + clock_mono_ns();
}

static void record(uint64_t *state)
{
	uint64_t r = lcg(state);

	histogram_add(&rows[r & 7][r >> 3 & 3], r >> 8 & 0xffff);
}

static void record_with_clock(uint64_t *state)
{
	static uint64_t before_ns;
	uint64_t r = lcg(state), now_ns = clock_mono_ns();

	histogram_add(&rows[r & 7][r >> 3 & 3], now_ns - before_ns);
	before_ns = now_ns;
}

static void count_request(uint64_t *state)
{
	uint64_t r = lcg(state);
	const struct traffic_request t = {.status = 200,
			.source = TRAFFIC_FROM_SERVICE,
			.bytes_in = 100,
			.bytes_out = 1000,
			.is_proxied = true,
			.ns = {r & 0xffff, r >> 4 & 0xfffff, r >> 2 & 0x1fffff}};

	traffic_add(route, &t);
}

static double ns_of(void (*fn)(uint64_t *))
{
	double best = 1e9;

	for (int round = 0; round < BEST_OF; round++) {
		uint64_t state = 1, start = clock_mono_ns();
		double ns;

		for (int i = 0; i < TIMES; i++)
			fn(&state);
		ns = (double)(clock_mono_ns() - start) / TIMES;
		best = ns < best ? ns : best;
	}
	return best;
}

int main(void)
{
	const struct lat_shape shape = {1, LAT_PLUGINS_MIN};
	const struct traffic_shape routes = {1, TRAFFIC_ROUTES_MIN};
	int rows_fd = -1, names_fd = -1, traffic_fd = -1;
	struct lat *lat = NULL;
	struct lat_worker *worker = NULL;
	struct traffic_worker *traffic = NULL;
	struct why why = WHY_NONE;
	struct str names[8];
	static char text[8][8];
	double loop;

	if (lat_create(&rows_fd, &names_fd, shape, &why) != 0 ||
			lat_open(&lat, rows_fd, names_fd, shape, &why) != 0 ||
			lat_worker_open(&worker, rows_fd, names_fd, shape, 0, &why) != 0 ||
			traffic_create(&traffic_fd, routes, &why) != 0 ||
			traffic_worker_open(&traffic, traffic_fd, routes, 0, &why) != 0) {
		fprintf(stderr, "lat_bench: %s\n", why.text);
		return 1;
	}
	for (int i = 0; i < 8; i++) {
		snprintf(text[i], sizeof(text[i]), "p%d", i);
		names[i] = str_of(text[i]);
	}
	lat_assign(lat, names, 8);
	for (int i = 0; i < 8; i++)
		rows[i] = lat_worker_rows(worker, names[i], NULL);
	route = traffic_worker_row(traffic, STR("id"), STR("route"), STR("service"));
	loop = ns_of(nothing);
	printf("clock reading                        %6.1f ns\n", ns_of(read_clock) - loop);
	printf("a phase counted                      %6.1f ns\n", ns_of(record) - loop);
	printf("a phase timed and counted            %6.1f ns\n", ns_of(record_with_clock) - loop);
	printf("a request counted (3 times, 2 kinds) %6.1f ns\n", ns_of(count_request) - loop);
	traffic_worker_free(traffic);
	lat_worker_free(worker);
	lat_free(lat);
	close(rows_fd);
	close(names_fd);
	close(traffic_fd);
	return 0;
}
