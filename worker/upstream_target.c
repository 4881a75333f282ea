/* SPDX-License-Identifier: Apache-2.0
 *
 * Requests to an upstream: which of its targets each try goes to, and what is heard of it.
 */
#include <errno.h>

#include "base/clock.h"
#include "worker/req.h"
#include "worker/worker.h"

#define TRIED_MAX (sizeof(((struct req_upstream *)0)->tried) / sizeof(uint32_t))

/* A service's is looked for once; what plugins chose, each time. */
static struct balancer *balancer_of(struct req *q)
{
	struct service *s = q->match->route->service;
	struct str host = q->x.upstream.host;

	if (s == NULL || host.p != s->rec->host)
		return balancers_find(q->w->balancers, host);
	if (!s->is_balancer_known)
		s->balancer = balancers_find(q->w->balancers, host);
	s->is_balancer_known = true;
	if (s->balancer != NULL)
		s->balancer->refs++;
	return s->balancer;
}

bool req_find_balancer(struct req *q)
{
	struct req_upstream *up = &q->up;

	balancer_unref(up->balancer);
	up->balancer = balancer_of(q);
	up->n_tried = 0;
	up->has_key = up->balancer != NULL && balancer_key(up->balancer, &q->x, &up->key);
	return up->balancer != NULL;
}

static void on_target_name(void *arg, const struct dns_answer *answer)
{
	struct req *q = arg;

	(void)answer;
	sl_check(q, REQ_MAGIC);
	q->up.state = UP_BALANCE;
	req_drive(q);
}

/* Host: the upstream's own, else the target's, unless the client's is kept or a plugin set one. */
static bool set_host_header(struct req *q)
{
	const struct backend *e = q->up.backend;
	struct exchange_upstream *u = &q->x.upstream;
	struct str own = str_of(q->up.balancer->rec->host_header);
	bool is_usual = e->port == (str_eq(u->scheme, STR("https")) ? 443 : 80);
	bool is_v6 = str_find_char(u->host, ':') >= 0;

	if (u->is_host_header_set ||
			(q->match->route->rec->preserve_host && q->x.request.host.n != 0))
		return true;
	if (own.n != 0) {
		u->host_header = arena_str(q->arena, own);
		return u->host_header.p != NULL;
	}
	u->host_header = is_v6 ? arena_printf(q->arena, "[%.*s]", STR_ARG(u->host)) : u->host;
	if (!is_usual)
		u->host_header =
				arena_printf(q->arena, "%.*s:%u", STR_ARG(u->host_header), e->port);
	return u->host_header.p != NULL;
}

static int take_backend(struct req *q)
{
	struct req_upstream *up = &q->up;
	struct exchange_upstream *u = &q->x.upstream;

	u->host = arena_str(q->arena, str_of(up->backend->host));
	u->port = up->backend->port;
	if (u->host.p == NULL || !set_host_header(q))
		return -ENOMEM;
	up->peers.n = 1;
	up->peers.peers[0] = up->backend->peer;
	up->next_peer = 0;
	return req_compose(q);
}

int req_balance(struct req *q)
{
	struct req_upstream *up = &q->up;
	struct balance_ask ask = {up->has_key, up->key, up->tried, up->n_tried};

	up->wait.fn = on_target_name;
	up->wait.arg = q;
	if (!balancer_resolve(up->balancer, clock_mono_ms(), &up->wait))
		return -EAGAIN;
	backend_release(up->backend);
	up->backend = balancer_pick(up->balancer, &ask);
	return up->backend != NULL ? take_backend(q) : -ENOENT;
}

void req_backend_failed(struct req *q, int error)
{
	struct req_upstream *up = &q->up;
	struct backend *e = up->backend;

	if (e == NULL)
		return;
	backend_report(e, error == -ETIMEDOUT ? BALANCE_TIMED_OUT : BALANCE_TCP_FAILED, 0);
	up->tried[up->n_tried++ % TRIED_MAX] = e->serial;
	if (up->n_tried > TRIED_MAX)
		up->n_tried = TRIED_MAX;
	up->backend = NULL;
	backend_release(e);
}

void req_backend_answered(struct req *q)
{
	const struct exchange *x = &q->x;

	if (q->up.backend == NULL)
		return;
	backend_report(q->up.backend, BALANCE_ANSWERED, q->up.reply.status);
	backend_report_latency(q->up.backend,
			(double)(x->upstream_headers_ns - x->upstream_connected_ns) / 1e6);
}
