/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/account.h"

#include "shm/probe.h"
#include "shm/traffic.h"
#include "worker/req.h"
#include "worker/worker.h"

static _Atomic uint64_t *class_counter(struct stat_worker *s, int status)
{
	_Atomic uint64_t *const all[] = {&s->responses_1xx, &s->responses_2xx, &s->responses_3xx,
			&s->responses_4xx, &s->responses_5xx};

	return status >= 100 && status < 600 ? all[status / 100 - 1] : &s->responses_5xx;
}

static struct str name_of(const struct entity_ref *e)
{
	return e->name.n != 0 ? e->name : e->id;
}

/* Looked up once for each compiled copy of a route. */
static struct traffic_row *row_of(struct req *q)
{
	struct route *route = q->match != NULL ? q->match->route : NULL;
	const struct exchange *x = &q->x;

	if (route == NULL)
		return traffic_worker_row(q->w->traffic, STR_NONE, STR_NONE, STR_NONE);
	if (route->traffic == NULL)
		route->traffic = traffic_worker_row(q->w->traffic, route->entity.id,
				name_of(&route->entity), name_of(&x->service));
	return route->traffic;
}

static enum traffic_source source_of(const struct exchange *x)
{
	if (x->response.source == RESPONSE_FROM_SERVICE)
		return TRAFFIC_FROM_SERVICE;
	return x->is_plugin_fault ? TRAFFIC_FROM_CUSTOM : TRAFFIC_FROM_KONG;
}

/* kong.log.serialize()'s latencies: what the service took to its head is the service's, what
 * came before it the gateway's. */
static void take_times(struct traffic_request *r, const struct exchange *x)
{
	uint64_t start_ns = x->request.start_mono_ns;

	r->ns[TRAFFIC_TIME_request] = x->response_end_ns - start_ns;
	r->is_proxied = x->upstream_headers_ns != 0;
	if (r->is_proxied)
		r->ns[TRAFFIC_TIME_service] = x->upstream_headers_ns - x->upstream_start_ns;
	r->ns[TRAFFIC_TIME_gateway] = r->is_proxied ? x->upstream_start_ns - start_ns
						    : r->ns[TRAFFIC_TIME_request];
}

void account_request(struct req *q)
{
	const struct exchange *x = &q->x;
	struct traffic_request r = {.status = (uint32_t)x->response.status,
			.source = source_of(x),
			.bytes_in = x->request.bytes,
			.bytes_out = x->response.bytes_sent};

	stat_add(class_counter(q->w->stat, x->response.status), 1);
	stat_add(&q->w->stat->bytes_out, q->out.sent);
	take_times(&r, x);
	traffic_add(row_of(q), &r);
	PROBE(request_done, x->request.id, exchange_route_name(x), (int)r.status,
			r.ns[TRAFFIC_TIME_request]);
}
