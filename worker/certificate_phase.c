/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/certificate_phase.h"

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "plugin/chain.h"
#include "plugin/value.h"
#include "worker/client_tls.h"
#include "worker/conn.h"
#include "worker/cosocket.h"
#include "worker/worker.h"

#define ARENA_BYTES_MAX (1024UL * 1024)

struct certificate_phase {
	struct exchange x;
	struct conn *c;
	struct client_tls *tls;
	struct arena *arena;
	struct chain *chain; /* NULL: over */
	struct event sleep;
	struct timer wait_limit; /* of plugin_limits_wall_ms */
	bool has_sleep, is_begun, is_resumable;
};

/* ---- what plugins may ask of us ---- */

static void resume(struct certificate_phase *p)
{
	p->is_resumable = true;
	event_active(&p->c->io.event, EV_TIMEOUT, 0);
}

static void on_sleep_over(evutil_socket_t fd, short what, void *arg)
{
	struct certificate_phase *p = arg;

	(void)fd;
	(void)what;
	resume(p);
}

static void op_sleep(struct exchange *x, uint32_t ms)
{
	struct certificate_phase *p = x->host;
	const struct timeval in = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};

	if (!p->has_sleep)
		evtimer_assign(&p->sleep, p->c->w->base, on_sleep_over, p);
	p->has_sleep = true;
	evtimer_add(&p->sleep, &in);
}

static void on_wait_limit(void *arg)
{
	resume(arg);
}

static void op_limit_wait(struct exchange *x, uint32_t ms)
{
	struct certificate_phase *p = x->host;

	timer_set(&p->c->w->timers, &p->wait_limit, ms + TIMER_TICK_MS);
}

static void op_stop_wait(struct exchange *x)
{
	struct certificate_phase *p = x->host;

	if (p->has_sleep)
		evtimer_del(&p->sleep);
}

/* Of the event loop, not of its caller: both may be. */
static void op_wake(struct exchange *x)
{
	resume(x->host);
}

static const char *op_request_client_cert(struct exchange *x, struct str ca_pem)
{
	struct certificate_phase *p = x->host;

	return client_tls_request_cert(p->tls, ca_pem);
}

static void op_disable_session_reuse(struct exchange *x)
{
	struct certificate_phase *p = x->host;

	client_tls_disable_reuse(p->tls);
}

static const struct exchange_ops ops = {
		.sleep = op_sleep,
		.limit_wait = op_limit_wait,
		.stop_wait = op_stop_wait,
		.wake = op_wake,
		.net = &cosocket_ops,
		.net_ready = op_wake,
		.request_client_cert = op_request_client_cert,
		.disable_session_reuse = op_disable_session_reuse,
};

/* ---- its life ---- */

bool certificate_phase_is_wanted(const struct worker *w)
{
	return w->engine != NULL &&
	       (engine_global_phases(w->engine) & PHASE_BIT(PHASE_CERTIFICATE)) != 0;
}

static void request_fill(struct certificate_phase *p)
{
	struct exchange_request *r = &p->x.request;
	const struct conn *c = p->c;

	r->start_mono_ns = clock_mono_ns();
	r->start_real_ns = r->start_mono_ns + c->w->real_offset_ns;
	r->scheme = STR("https");
	r->client = (struct endpoint){{c->client_ip, c->client_ip_n}, c->client_port};
	r->server = (struct endpoint){{c->server_ip, c->server_ip_n}, c->server_port};
	r->real_client = r->client;
	client_tls_tell(p->tls, r);
}

struct certificate_phase *certificate_phase_new(struct conn *c, struct client_tls *t)
{
	struct certificate_phase *p = calloc(1, sizeof(*p));

	if (p == NULL || arena_new(&p->arena, ARENA_BYTES_MAX) != 0) {
		free(p);
		return NULL;
	}
	p->c = c;
	p->tls = t;
	exchange_init(&p->x, p->arena, &ops, p);
	p->x.worker = c->w;
	timer_init(&p->wait_limit, on_wait_limit, p);
	request_fill(p);
	p->chain = chain_new(c->w->engine, &p->x);
	if (p->chain != NULL)
		return p;
	certificate_phase_free(p);
	return NULL;
}

void certificate_phase_free(struct certificate_phase *p)
{
	if (p == NULL)
		return;
	if (p->has_sleep)
		evtimer_del(&p->sleep);
	timer_clear(&p->wait_limit);
	chain_free(p->chain);
	arena_free(p->arena);
	free(p);
}

int certificate_phase_run(struct certificate_phase *p)
{
	enum chain_verdict v;

	if (p->is_begun && !p->is_resumable)
		return -1;
	timer_clear(&p->wait_limit);
	p->is_resumable = false; /* what runs now may ask for another turn */
	v = p->is_begun ? chain_resume(p->chain) : chain_certificate(p->chain);
	p->is_begun = true;
	if (v == CHAIN_WAIT)
		return -1;
	chain_keep_ctx(p->chain);
	chain_free(p->chain);
	p->chain = NULL;
	return v == CHAIN_GO_ON;
}

/* ---- handing on ---- */

static int copy(struct arena *a, const struct value *from, struct value *ret)
{
	int r = 0;

	*ret = *from;
	if (from->type == VALUE_STRING) {
		ret->string = arena_str(a, from->string);
		return ret->string.p != NULL ? 0 : -ENOMEM;
	}
	if (from->type != VALUE_TABLE)
		return 0;
	*ret = value_table_make(a);
	if (ret->table == NULL)
		return -ENOMEM;
	ret->table->is_array = from->table->is_array;
	for (uint32_t i = 0; r == 0 && i < from->table->n; i++) {
		struct value key, value;

		r = copy(a, &from->table->v[i].key, &key);
		if (r == 0)
			r = copy(a, &from->table->v[i].value, &value);
		if (r == 0)
			r = value_append(a, ret->table, key, value);
	}
	return r;
}

static int hand_on(struct arena *a, const struct value *from, struct value **ret)
{
	struct value *made;

	if (from == NULL)
		return 0;
	made = arena_alloc(a, sizeof(*made));
	if (made == NULL)
		return -ENOMEM;
	*ret = made;
	return copy(a, from, made);
}

int certificate_phase_hand_on(const struct certificate_phase *p, struct exchange *x)
{
	int r;

	if (p == NULL)
		return 0;
	r = hand_on(x->arena, p->x.ctx_shared, &x->ctx_shared);
	if (r == 0)
		r = hand_on(x->arena, p->x.ctx_plugins, &x->ctx_plugins);
	return r == 0 ? hand_on(x->arena, p->x.ngx_ctx, &x->ngx_ctx) : r;
}
