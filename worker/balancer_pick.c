/* SPDX-License-Identifier: Apache-2.0
 *
 * The choice among the backends of an upstream, and what their answers say of their health.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "worker/balancer.h"

#define LATENCY_WEIGHT 0.2 /* of the newest answer in the average */

static bool was_tried(const struct backend *e, const struct balance_ask *ask)
{
	for (size_t i = 0; i < ask->n_tried; i++)
		if (ask->tried[i] == e->serial)
			return true;
	return false;
}

/* Each is owed its weight per turn; who is owed the most is next, and owes the whole round. */
static struct backend *pick_round_robin(struct backend **v, size_t n)
{
	struct backend *best = NULL;
	int64_t total = 0;

	for (size_t i = 0; i < n; i++) {
		v[i]->turn += v[i]->weight;
		total += v[i]->weight;
		if (best == NULL || v[i]->turn > best->turn)
			best = v[i];
	}
	if (best != NULL)
		best->turn -= total;
	return best;
}

/* Weighted rendezvous: the highest of weight / −ln(hash of key and backend).  When a backend goes
 * only what it had moves; the order of the others is the same for every worker and node. */
static struct backend *pick_hash(struct backend **v, size_t n, uint64_t key)
{
	struct backend *best = NULL;
	double highest = 0;

	for (size_t i = 0; i < n; i++) {
		uint64_t h = balancer_hash(key ^ v[i]->hash,
				(struct str){(const char *)&v[i]->hash, sizeof(v[i]->hash)});
		double at = ((double)(h >> 11) + 0.5) / 9007199254740992.0;
		double score = v[i]->weight / -log(at);

		if (best == NULL || score > highest) {
			best = v[i];
			highest = score;
		}
	}
	return best;
}

/* The lowest of (cost + 1) / weight; of equals the one whose turn it is. */
static struct backend *pick_cheapest(
		struct backend **v, size_t n, double (*cost)(const struct backend *e))
{
	struct backend *equal[64];
	size_t n_equal = 0;
	double lowest = 0;

	for (size_t i = 0; i < n; i++) {
		double c = cost(v[i]) / v[i]->weight;

		if (n_equal == 0 || c < lowest) {
			n_equal = 0;
			lowest = c;
		}
		if (c <= lowest && n_equal < sizeof(equal) / sizeof(equal[0]))
			equal[n_equal++] = v[i];
	}
	return pick_round_robin(equal, n_equal);
}

static double cost_connections(const struct backend *e)
{
	return e->n_active + 1.0;
}

static double cost_latency(const struct backend *e)
{
	return e->latency_ms * (e->n_active + 1.0);
}

static struct backend *choose(const struct balancer *b, struct backend **v, size_t n,
		const struct balance_ask *ask)
{
	const char *algorithm = b->rec->algorithm;

	if (strcmp(algorithm, "consistent-hashing") == 0 && ask->has_key)
		return pick_hash(v, n, ask->key);
	if (strcmp(algorithm, "least-connections") == 0)
		return pick_cheapest(v, n, cost_connections);
	if (strcmp(algorithm, "latency") == 0)
		return pick_cheapest(v, n, cost_latency);
	return pick_round_robin(v, n);
}

/* The share of weight that is healthy is below healthchecks.threshold. */
static bool is_below_threshold(const struct balancer *b)
{
	uint64_t total = 0, healthy = 0;

	for (size_t i = 0; i < b->n_backends; i++) {
		total += b->backends[i]->weight;
		healthy += b->backends[i]->is_unhealthy ? 0 : b->backends[i]->weight;
	}
	return (double)healthy * 100 < b->rec->threshold_percent * (double)total;
}

static size_t collect(const struct balancer *b, const struct balance_ask *ask, bool is_fresh_only,
		struct backend **v)
{
	size_t n = 0;

	for (size_t i = 0; i < b->n_backends; i++) {
		struct backend *e = b->backends[i];

		if (!e->is_unhealthy && !(is_fresh_only && was_tried(e, ask)))
			v[n++] = e;
	}
	return n;
}

struct backend *balancer_pick(struct balancer *b, const struct balance_ask *ask)
{
	struct backend *few[32], **v = few, *e = NULL;
	size_t n;

	if (b->rec == NULL || b->n_backends == 0 || is_below_threshold(b))
		return NULL;
	if (b->n_backends > sizeof(few) / sizeof(few[0]))
		v = malloc(b->n_backends * sizeof(*v));
	if (v == NULL)
		return NULL;
	n = collect(b, ask, true, v);
	if (n == 0)
		n = collect(b, ask, false, v);
	if (n != 0)
		e = choose(b, v, n, ask);
	if (v != few)
		free(v);
	if (e != NULL) {
		e->refs++;
		e->n_active++;
	}
	return e;
}

void backend_release(struct backend *e)
{
	if (e == NULL)
		return;
	e->n_active--;
	backend_unref(e);
}

/* ---- health ---- */

void backend_text(const struct backend *e, char ret[HEALTH_ADDRESS_MAX])
{
	char ip[INET6_ADDRSTRLEN];

	ip[peer_text(&e->peer, ip, sizeof(ip) - 1)] = '\0';
	snprintf(ret, HEALTH_ADDRESS_MAX, strchr(ip, ':') != NULL ? "[%s]:%u" : "%s:%u", ip,
			e->port);
}

static void set_unhealthy(struct backend *e, bool is_unhealthy, const char *by)
{
	char address[HEALTH_ADDRESS_MAX];

	e->is_unhealthy = is_unhealthy;
	health_set(e->row, is_unhealthy ? HEALTH_UNHEALTHY : HEALTH_HEALTHY);
	backend_text(e, address);
	log_warn(is_unhealthy ? "target is unhealthy" : "target is healthy",
			"upstream=%s host=%s address=%s by=%s",
			e->balancer != NULL ? e->balancer->name : "", e->host, address, by);
}

static bool has_status(const Sluice__Record__HealthSide *side, int status)
{
	for (size_t i = 0; i < side->n_http_statuses; i++)
		if ((int)side->http_statuses[i] == status)
			return true;
	return false;
}

static bool reaches(uint32_t *count, uint32_t threshold)
{
	++*count;
	return threshold != 0 && *count >= threshold;
}

static bool fails(struct backend *e, const Sluice__Record__HealthSide *side,
		enum balance_outcome outcome)
{
	e->n_successes = 0;
	if (outcome == BALANCE_TCP_FAILED)
		return reaches(&e->n_tcp_failures, side->tcp_failures);
	if (outcome == BALANCE_TIMED_OUT)
		return reaches(&e->n_timeouts, side->timeouts);
	return reaches(&e->n_http_failures, side->http_failures);
}

static bool recovers(struct backend *e, const Sluice__Record__HealthSide *side)
{
	e->n_http_failures = e->n_tcp_failures = e->n_timeouts = 0;
	return reaches(&e->n_successes, side->successes);
}

bool backend_judge(struct backend *e, const Sluice__Record__HealthCheck *check,
		enum balance_outcome outcome, int status)
{
	bool is_unhealthy = e->is_unhealthy;

	if (check == NULL || check->healthy == NULL || check->unhealthy == NULL)
		return false;
	if (outcome != BALANCE_ANSWERED || has_status(check->unhealthy, status)) {
		if (fails(e, check->unhealthy, outcome))
			is_unhealthy = true;
	} else if (status == 0 || has_status(check->healthy, status)) {
		if (recovers(e, check->healthy))
			is_unhealthy = false;
	}
	if (is_unhealthy == e->is_unhealthy)
		return false;
	set_unhealthy(e, is_unhealthy, "check");
	return true;
}

static void set_by_operator(struct backend *e, bool is_unhealthy)
{
	e->n_successes = e->n_http_failures = e->n_tcp_failures = e->n_timeouts = 0;
	if (e->is_unhealthy != is_unhealthy)
		set_unhealthy(e, is_unhealthy, "operator");
}

void balancers_set_health(struct balancers *all, struct str upstream, struct str target,
		struct str address, bool is_healthy)
{
	struct balancer *b = balancers_find(all, upstream);
	char text[HEALTH_ADDRESS_MAX];

	for (size_t i = 0; b != NULL && i < b->n_targets; i++) {
		const struct balanced_target *t = &b->targets[i];

		for (uint32_t k = 0; k < t->n && str_eq(target, str_of(t->text)); k++) {
			backend_text(t->backends[k], text);
			if (address.n == 0 || str_eq(address, str_of(text)))
				set_by_operator(t->backends[k], !is_healthy);
		}
	}
	balancer_unref(b);
}

void backend_report(struct backend *e, enum balance_outcome outcome, int status)
{
	if (e->balancer == NULL || e->balancer->rec == NULL)
		return;
	backend_judge(e, e->balancer->rec->passive, outcome, status);
}

void backend_report_latency(struct backend *e, double ms)
{
	if (e->latency_ms == 0)
		e->latency_ms = ms;
	else
		e->latency_ms += (ms - e->latency_ms) * LATENCY_WEIGHT;
}
