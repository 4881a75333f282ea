/* SPDX-License-Identifier: Apache-2.0
 *
 * What each route's traffic was, by worker: answers by status and source, bytes, and the times
 * of gateway, service and whole request.  A memfd of one page per (worker, route), touched only
 * for routes that have traffic; a worker maps and writes its own rows alone, with plain stores;
 * the master sums them by route and asks no worker.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "base/why.h"
#include "shm/histogram.h"

#define TRAFFIC_ID_MAX 40
#define TRAFFIC_NAME_MAX 128
#define TRAFFIC_CODES 24   /* of a route; those past it are counted under the last one */
#define TRAFFIC_BUCKETS 18 /* of a spread */
#define TRAFFIC_ROUTES_MIN 16
#define TRAFFIC_OTHERS "(others)"

/* Who made the answer, with the words of the label. */
/* clang-format off */
#define TRAFFIC_SOURCES(X) \
	X(SERVICE, "service") /* what was proxied */ \
	X(KONG,    "kong")    /* the gateway, or a plugin's exit() */ \
	X(CUSTOM,  "custom")  /* a plugin that failed */

/* X(field, metric, first bound…): milliseconds, as Kong's exporter has them. */
#define TRAFFIC_SPREADS(X) \
	X(gateway, "kong_kong_latency_ms", "Latency added by Kong and enabled plugins for each service/route in Kong.", \
		1, 2, 5, 7, 10, 15, 20, 30, 50, 75, 100, 200, 500, 750, 1000, 3000, 6000) \
	X(service, "kong_upstream_latency_ms", "Latency added by upstream response for each service/route in Kong.", \
		25, 50, 80, 100, 250, 400, 700, 1000, 2000, 5000, 10000, 30000, 60000) \
	X(request, "kong_request_latency_ms", "Total latency incurred during requests for each service/route in Kong.", \
		25, 50, 80, 100, 250, 400, 700, 1000, 2000, 5000, 10000, 30000, 60000)
/* clang-format on */

enum traffic_source {
#define X(id, word) TRAFFIC_FROM_##id,
	TRAFFIC_SOURCES(X)
#undef X
			TRAFFIC_SOURCE_COUNT
};

enum traffic_time {
#define X(field, ...) TRAFFIC_TIME_##field,
	TRAFFIC_SPREADS(X)
#undef X
			TRAFFIC_TIME_COUNT
};

/* Durations counted up to each bound of their metric; not cumulative. */
struct traffic_spread {
	_Atomic uint64_t sum_ns;
	_Atomic uint64_t n[TRAFFIC_BUCKETS];
};

struct traffic_code {
	_Atomic uint32_t status; /* 0: free */
	_Atomic uint32_t source;
	_Atomic uint64_t n;
};

struct traffic_row {
	_Atomic uint32_t names_seq; /* odd: being written */
	uint32_t pad;
	char route_id[TRAFFIC_ID_MAX]; /* "" = free */
	char route[TRAFFIC_NAME_MAX], service[TRAFFIC_NAME_MAX];
	_Atomic uint64_t bytes_in, bytes_out;
	struct traffic_code codes[TRAFFIC_CODES];
	struct traffic_spread spreads[TRAFFIC_TIME_COUNT];
	struct histogram times[TRAFFIC_TIME_COUNT];
	uint8_t tail[56];
};
_Static_assert(sizeof(struct traffic_row) == 4096, "a row is a page");

struct traffic_shape {
	uint32_t workers;
	uint32_t routes; /* rows of a worker; the first is for routes past that number */
};

/* CLOEXEC.  -errno with why. */
int traffic_create(int *ret_fd, struct traffic_shape shape, struct why *why);

/* ---- worker ---- */

struct traffic_worker;

int traffic_worker_open(struct traffic_worker **ret, int fd, struct traffic_shape shape,
		uint32_t worker, struct why *why);
void traffic_worker_free(struct traffic_worker *t);
SL_DEFINE_AUTO(traffic_worker);

/* The row of a route; never NULL.  id "": requests that no route matched. */
struct traffic_row *traffic_worker_row(
		struct traffic_worker *t, struct str id, struct str route, struct str service);

/* One request that is over. */
struct traffic_request {
	uint32_t status;
	enum traffic_source source;
	uint64_t bytes_in, bytes_out;
	bool is_proxied;
	uint64_t ns[TRAFFIC_TIME_COUNT]; /* service: only when is_proxied */
};
void traffic_add(struct traffic_row *row, const struct traffic_request *r);

/* ---- master ---- */

struct traffic;

int traffic_open(struct traffic **ret, int fd, struct traffic_shape shape, struct why *why);
void traffic_free(struct traffic *t);
SL_DEFINE_AUTO(traffic);

struct traffic_code_sum {
	uint32_t status;
	enum traffic_source source;
	uint64_t n;
};
struct traffic_spread_sum {
	uint64_t count, sum_ns;
	uint64_t n[TRAFFIC_BUCKETS];
};
/* One route, summed over the workers. */
struct traffic_sum {
	char route_id[TRAFFIC_ID_MAX], route[TRAFFIC_NAME_MAX], service[TRAFFIC_NAME_MAX];
	uint64_t bytes_in, bytes_out, requests;
	uint32_t n_codes;
	struct traffic_code_sum codes[TRAFFIC_CODES];
	struct traffic_spread_sum spreads[TRAFFIC_TIME_COUNT];
	struct histogram_sum times[TRAFFIC_TIME_COUNT];
};
typedef void traffic_each_fn(void *arg, const struct traffic_sum *sum);
void traffic_each(const struct traffic *t, traffic_each_fn *fn, void *arg);

/* The bounds of a time's metric in ms; *ret_n of them. */
const uint32_t *traffic_bounds_ms(enum traffic_time time, unsigned *ret_n);
const char *traffic_metric(enum traffic_time time, const char **ret_help);
const char *traffic_source_word(enum traffic_source source);
