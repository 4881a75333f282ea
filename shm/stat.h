/* SPDX-License-Identifier: Apache-2.0
 *
 * Counters, declared once: the rows make the shared struct, the JSON, the Prometheus
 * text and the documentation.  One memfd, one struct per worker slot; single writer each,
 * plain relaxed stores.
 */
#pragma once

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/why.h"
#include "shm/board.h"

enum stat_kind { STAT_COUNTER, STAT_GAUGE };

/* X(field, kind, unit, help) */
/* clang-format off */
#define STAT_WORKER(X) \
	X(connections_accepted, COUNTER, "connections", "Client connections accepted.") \
	X(connections_active,   GAUGE,   "connections", "Client connections open now.") \
	X(connections_waiting,  GAUGE,   "connections", "Idle keep-alive client connections.") \
	X(client_tls_handshakes, COUNTER, "handshakes", "TLS handshakes completed with clients.") \
	X(client_tls_resumed,   COUNTER, "handshakes",  "Of those, resumed sessions.") \
	X(client_tls_failed,    COUNTER, "handshakes",  "TLS handshakes of clients that failed.") \
	X(requests_total,       COUNTER, "requests",    "Requests parsed, whatever their outcome.") \
	X(requests_active,      GAUGE,   "requests",    "Requests between first byte and log.") \
	X(requests_refused,     COUNTER, "requests",    "Requests answered 4xx before routing because they were malformed or over a limit.") \
	X(requests_shed,        COUNTER, "requests",    "Requests answered 503 for lack of memory, descriptors or slots.") \
	X(requests_unrouted,    COUNTER, "requests",    "Requests that matched no route.") \
	X(responses_1xx,        COUNTER, "responses",   "Responses by status class.") \
	X(responses_2xx,        COUNTER, "responses",   "Responses by status class.") \
	X(responses_3xx,        COUNTER, "responses",   "Responses by status class.") \
	X(responses_4xx,        COUNTER, "responses",   "Responses by status class.") \
	X(responses_5xx,        COUNTER, "responses",   "Responses by status class.") \
	X(bytes_in,             COUNTER, "bytes",       "Bytes received from clients.") \
	X(bytes_out,            COUNTER, "bytes",       "Bytes sent to clients.") \
	X(upstream_connects,    COUNTER, "connections", "Connections opened to services.") \
	X(upstream_reused,      COUNTER, "requests",    "Requests sent on a pooled service connection.") \
	X(upstream_tls_handshakes, COUNTER, "handshakes", "TLS handshakes completed with services.") \
	X(upstream_tls_resumed, COUNTER, "handshakes",  "Of those, resumed sessions.") \
	X(upgrades_total,       COUNTER, "connections", "Connections that became tunnels (101).") \
	X(tunnels_active,       GAUGE,   "connections", "Of those, open.") \
	X(upstream_idle,        GAUGE,   "connections", "Pooled service connections.") \
	X(upstream_errors,      COUNTER, "errors",      "Failed tries at a service peer.") \
	X(upstream_retries,     COUNTER, "retries",     "Further tries after a failed one.") \
	X(plugin_runs,          COUNTER, "runs",        "Plugin phases entered.") \
	X(plugin_errors,        COUNTER, "errors",      "Plugin phases that raised an error.") \
	X(plugin_cpu_trips,     COUNTER, "trips",       "Plugin phases ended by the CPU budget.") \
	X(plugin_memory_trips,  COUNTER, "trips",       "Plugin phases ended by the memory budget.") \
	X(plugin_wall_trips,    COUNTER, "trips",       "Plugin phases ended by their wall time.") \
	X(plugin_output_trips,  COUNTER, "trips",       "Plugin phases ended by the output budget.") \
	X(plugin_held,          COUNTER, "requests",    "Requests that came to a suspended plugin.") \
	X(plugin_discards,      COUNTER, "VMs",         "Plugin VMs thrown away whole.") \
	X(plugin_connects,      COUNTER, "connections", "Connections opened by plugins.") \
	X(plugin_sockets,       GAUGE,   "sockets",     "Sockets of plugins: open ones and pooled connections.") \
	X(plugin_egress_denied, COUNTER, "connections", "Connections of plugins refused by plugin_egress.") \
	X(generation_switches,  COUNTER, "switches",    "Generations taken into use.") \
	X(generation_switch_ns, GAUGE,   "nanoseconds", "Duration of the newest generation switch.") \
	X(otlp_spans_exported,  COUNTER, "spans",       "Spans that the collector took.") \
	X(otlp_spans_dropped,   COUNTER, "spans",       "Spans over a request's bounds, or that the collector did not take in time.") \
	X(otlp_logs_exported,   COUNTER, "records",     "Log records of plugins that the collector took.") \
	X(otlp_logs_dropped,    COUNTER, "records",     "Log records of plugins that it did not take in time.") \
	X(otlp_failures,        COUNTER, "failures",    "Batches that the collector did not take at a try.") \
	X(memory_vm_bytes,      GAUGE,   "bytes",       "Live memory of all plugin VMs.")
/* clang-format on */

struct stat_worker {
#define X(name, kind, unit, help) _Atomic uint64_t name;
	STAT_WORKER(X)
#undef X
};

struct stat_area {
	uint32_t magic, abi, n_slots, row_bytes;
	struct stat_worker workers[BOARD_SLOTS_MAX];
};

int stat_create(struct stat_area **ret, int *ret_fd, uint32_t n_slots, struct why *why);
int stat_map(struct stat_area **ret, int fd, struct why *why);
void stat_unmap(struct stat_area *a);

static inline void stat_add(_Atomic uint64_t *counter, uint64_t n)
{
	atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + n,
			memory_order_relaxed);
}

static inline void stat_sub(_Atomic uint64_t *gauge, uint64_t n)
{
	stat_add(gauge, (uint64_t)0 - n);
}

static inline void stat_set(_Atomic uint64_t *gauge, uint64_t n)
{
	atomic_store_explicit(gauge, n, memory_order_relaxed);
}

struct stat_row {
	const char *name, *unit, *help;
	enum stat_kind kind;
};
/* The table as data; *ret_n rows. */
const struct stat_row *stat_rows(size_t *ret_n);
/* Field i of a worker. */
uint64_t stat_read(const struct stat_worker *w, size_t row);
/* A dead worker's counters stay, its gauges are void. */
void stat_reset_gauges(struct stat_worker *w);
/* Field i summed over every slot. */
uint64_t stat_total(const struct stat_area *a, size_t row);
/* [{"worker":0,"connections_accepted":1,…},…] for slots [0, n_slots). */
void stat_json(const struct stat_area *a, uint32_t n_slots, struct buf *out);
