/* SPDX-License-Identifier: Apache-2.0
 *
 * Upstreams as the worker uses them: which target a request goes to.  A balancer is made when an
 * upstream is first asked for, lives across generations, and takes its targets anew only when the
 * upstream or one of them changed; what it knows of a target (turns, connections, health) stays
 * with the target.  State is the worker's own.  Single-threaded.
 */
#pragma once

#include "plugin/exchange.h"
#include "shm/health.h"
#include "shm/record.pb-c.h"
#include "shm/snapshot.h"
#include "worker/dns.h"
#include "worker/io.h"
#include "worker/timer.h"
#include "worker/upstream_tls.h"

struct balancer;
struct balancers;
struct worker;

/* One probe at a time (worker/balancer_probe.c). */
struct probe {
	struct io io;
	struct timer timer;    /* to the next one, or the time limit of this */
	struct tls_link *link; /* https: over io, from its connection on */
	bool is_running;
	size_t sent, got;
	char answer[16]; /* the beginning of the status line */
};

/* One address of a target. */
struct backend {
	unsigned refs;
	uint32_t serial; /* its own, for tries */
	struct peer peer;
	char host[DNS_NAME_MAX + 1]; /* as the target names it, without port and brackets */
	uint16_t port;
	uint32_t weight;
	uint64_t hash;
	int64_t turn; /* round-robin: what is due to it */
	uint32_t n_active;
	double latency_ms; /* a moving average; 0 = none was seen */
	bool is_unhealthy, is_gone;
	uint32_t n_successes, n_http_failures, n_tcp_failures, n_timeouts; /* in a row */
	struct balancer *balancer; /* NULL once it is gone */
	struct health_row *row;    /* what the master sees of it; NULL: nothing */
	struct probe probe;
};

struct balanced_target {
	char text[DNS_NAME_MAX + 10];
	struct str host;
	uint16_t port;
	uint32_t weight;
	uint64_t fresh_until_ms;    /* names: ask again then */
	struct health_row *nowhere; /* tells that its name has no address; NULL: it has */
	uint32_t n;
	struct backend *backends[DNS_ADDRESSES_MAX];
};

struct balancer {
	unsigned refs;
	struct balancer *next; /* of all */
	struct balancers *all; /* NULL once they are gone */
	uint64_t generation, fingerprint;
	char *name;
	Sluice__Record__Upstream *rec; /* NULL: there is no such upstream any more */
	struct balanced_target *targets;
	size_t n_targets;
	struct backend **backends; /* of every target with a weight */
	size_t n_backends, cap;
};

struct balancers {
	struct event_base *base;
	struct dns *dns;
	struct timer_wheel *timers;
	struct upstream_tls *tls;
	struct health_worker *health;
	struct snap_view *view;
	uint64_t generation;
	struct balancer *first;
};

/* Of w's base, dns, timers, tls and slot, which must outlive it. */
int balancers_new(struct balancers **ret, struct worker *w, struct why *why);
void balancers_free(struct balancers *all);
SL_DEFINE_AUTO(balancers);

/* Takes a reference to the view; every balancer is looked at again when it is next used. */
void balancers_set_view(struct balancers *all, struct snap_view *view);
/* On an idle tick: lets go of upstreams that are no more. */
void balancers_sweep(struct balancers *all);
/* The balancer of an upstream, as a new reference; NULL: no upstream has that name. */
struct balancer *balancers_find(struct balancers *all, struct str name);
void balancer_unref(struct balancer *b); /* NULL allowed */
/* An operator's word on the addresses of a target, or on one ("ip:port"; empty: all); the health
 * checks may change it again. */
void balancers_set_health(struct balancers *all, struct str upstream, struct str target,
		struct str address, bool is_healthy);

/* Brings the addresses of names up to date.  False: none is known yet, wait's fn is called. */
bool balancer_resolve(struct balancer *b, uint64_t now_ms, struct dns_wait *wait);

/* What the request's turn depends on; the first of hash_on and hash_fallback that the request has.
 * False: neither.  Makes the cookie of hash_on_cookie where it is missing. */
bool balancer_key(const struct balancer *b, struct exchange *x, uint64_t *ret);

struct balance_ask {
	bool has_key;
	uint64_t key;
	const uint32_t *tried; /* serials: others first */
	size_t n_tried;
};

/* The backend of the next try, as a new reference whose connection counts until
 * backend_release(); NULL: none is healthy. */
struct backend *balancer_pick(struct balancer *b, const struct balance_ask *ask);
void backend_release(struct backend *e);
void backend_unref(struct backend *e);

enum balance_outcome { BALANCE_ANSWERED, BALANCE_TCP_FAILED, BALANCE_TIMED_OUT };
/* What became of a try, for passive health checks.  status: with ANSWERED. */
void backend_report(struct backend *e, enum balance_outcome outcome, int status);
void backend_report_latency(struct backend *e, double ms);

/* ---- between the files of the balancer ---- */

uint64_t balancer_hash(uint64_t seed, struct str s);
/* Counts it by check's thresholds; true when the backend's health changed. */
bool backend_judge(struct backend *e, const Sluice__Record__HealthCheck *check,
		enum balance_outcome outcome, int status);
/* "ip:port", "[ip6]:port" */
void backend_text(const struct backend *e, char ret[HEALTH_ADDRESS_MAX]);
/* Starts, or ends, the probing of a backend. */
void backend_probe_start(struct backend *e);
void backend_probe_stop(struct backend *e);
