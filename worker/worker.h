/* SPDX-License-Identifier: Apache-2.0
 *
 * One worker process: what its parts share.  Single-threaded; everything runs from one
 * event loop.
 */
#pragma once

#include <event2/event.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/check.h"
#include "plugin/engine.h"
#include "shm/board.h"
#include "shm/breaker.h"
#include "shm/conf.h"
#include "shm/dict.h"
#include "shm/lat.h"
#include "shm/snapshot.h"
#include "shm/stat.h"
#include "shm/traffic.h"
#include "worker/balancer.h"
#include "worker/dns.h"
#include "worker/h1_scan.h"
#include "worker/real_ip.h"
#include "worker/route.h"
#include "worker/timer.h"
#include "worker/tracing.h"
#include "worker/upconn.h"

#define WORKER_MAGIC SL_MAGIC('W', 'R', 'K', 'R')

struct conn;
struct cosocket_pool;
struct listener;
struct master_link;
struct otlp;

/* conf `headers` and `headers_upstream`, read once. */
struct added_headers {
	bool server_tokens, latency_tokens, request_id, upstream_status;
	bool upstream_request_id;
};

struct worker {
	uint32_t magic;
	unsigned slot;
	struct event_base *base;
	struct conf *conf;
	struct board *board;
	struct board_slot *me;
	struct stat_area *stats;
	struct stat_worker *stat;
	struct dict *dict;
	struct lat_worker *lat;
	struct traffic_worker *traffic;
	struct breaker *breaker;
	struct snapshot *snapshot;
	struct snap_view *view; /* NULL: no generation yet */
	struct engine *engine;  /* NULL: no plugins in this process */
	struct route_table *routes;
	struct dns *dns;
	struct balancers *balancers;
	struct real_ip *real_ip;
	struct upconn_pool *upstreams;
	struct cosocket_pool *plugin_sockets;
	struct upstream_tls *tls;
	struct tls_server *tls_server; /* NULL: no listener is for TLS */
	struct master_link *master;
	struct timer_wheel timers;
	struct h1_limits request_limits;
	struct added_headers added;
	struct tracing tracing;
	struct otlp *otlp; /* NULL: nothing is exported */
	struct listener *listeners;
	unsigned n_listeners;
	uint64_t assigned_before; /* board: at the last listeners_settle() */
	struct conn *conns;       /* open client connections */
	struct conn *dead_conns;  /* closed in this turn of the loop */
	uint32_t n_conns;
	bool is_draining;        /* it ends */
	bool is_closing;         /* SLOT_IS_CLOSING: it may go on later */
	uint64_t real_offset_ns; /* real clock − monotonic clock, of the last tick */
	char date[40];           /* "Sun, 06 Nov 1994 08:49:37 GMT" */
};

/* Connections are not kept for another request. */
static inline bool worker_is_leaving(const struct worker *w)
{
	return w->is_draining || w->is_closing;
}

/* Stop accepting; leave when the last request is done, or after deadline_ms. */
void worker_drain(struct worker *w, uint32_t deadline_ms);
/* This node's id as its file has it; "" = none. */
void worker_node_id(const struct conf *conf, char ret[64]);
/* Takes the newest committed generation into use and tells the master. */
void worker_switch_generation(struct worker *w);
