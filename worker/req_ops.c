/* SPDX-License-Identifier: Apache-2.0
 *
 * What a request does for the plugins that run on it (exchange_ops).
 */
#include "plugin/group_find.h"
#include "worker/client_tls.h"
#include "worker/cosocket.h"
#include "worker/req.h"
#include "worker/worker.h"

static void on_sleep_over(evutil_socket_t fd, short what, void *arg)
{
	struct req *q = arg;

	(void)fd;
	(void)what;
	sl_check(q, REQ_MAGIC);
	q->is_resumable = true;
	req_drive(q);
}

static void op_sleep(struct exchange *x, uint32_t ms)
{
	struct req *q = x->host;
	const struct timeval in = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};

	if (!q->has_sleep)
		evtimer_assign(&q->sleep, q->w->base, on_sleep_over, q);
	q->has_sleep = true;
	evtimer_add(&q->sleep, &in);
}

static void on_wait_limit(void *arg)
{
	struct req *q = arg;

	sl_check(q, REQ_MAGIC);
	if (!q->is_parked)
		return;
	q->is_resumable = true;
	req_drive(q);
}

static void op_limit_wait(struct exchange *x, uint32_t ms)
{
	struct req *q = x->host;

	timer_init(&q->wait_limit, on_wait_limit, q);
	/* the wheel's now may be a tick old, and to be early is to end the wait as if it were over
	 */
	timer_set(&q->w->timers, &q->wait_limit, ms + TIMER_TICK_MS);
}

static void op_stop_wait(struct exchange *x)
{
	struct req *q = x->host;

	if (q->has_sleep)
		evtimer_del(&q->sleep);
	if (x->request.body.state == BODY_READING)
		x->request.body.state = BODY_UNREAD;
}

static void op_net_ready(struct exchange *x)
{
	on_sleep_over(-1, 0, x->host);
}

static void op_wake(struct exchange *x)
{
	struct req *q = x->host;

	if (!q->has_sleep)
		evtimer_assign(&q->sleep, q->w->base, on_sleep_over, q);
	q->has_sleep = true;
	event_active(&q->sleep, EV_TIMEOUT, 0);
}

static bool op_find_consumer(
		struct exchange *x, struct str key, bool by_username, struct entity_ref *ret)
{
	const struct req *q = x->host;
	Sluice__Record__Consumer *rec;
	struct str bytes = STR_NONE;

	if (q->w->view != NULL)
		bytes = by_username ? snap_get_by_name(q->w->view, SLUICE__RECORD__KIND__CONSUMER,
						      key)
				    : snap_get(q->w->view, SLUICE__RECORD__KIND__CONSUMER, key);
	if (bytes.n == 0)
		return false;
	rec = sluice__record__consumer__unpack(NULL, bytes.n, (const uint8_t *)bytes.p);
	if (rec == NULL)
		return false;
	ret->id = arena_str(x->arena, str_of(rec->id));
	ret->name = arena_str(x->arena, str_of(rec->username));
	ret->json = arena_str(x->arena, (struct str){(const char *)rec->json.data, rec->json.len});
	sluice__record__consumer__free_unpacked(rec, NULL);
	return ret->id.p != NULL && ret->json.p != NULL;
}

static bool op_find_groups(struct exchange *x, struct str consumer_id, struct group_list *ret)
{
	const struct req *q = x->host;

	return q->w->view == NULL || group_find(q->w->view, x->arena, consumer_id, ret);
}

static struct str op_client_cert(struct exchange *x, enum exchange_client_cert what)
{
	const struct req *q = x->host;

	return q->conn->tls != NULL ? client_tls_cert(q->conn->tls, what, x->arena) : STR_NONE;
}

const struct exchange_ops req_ops = {.want_body = req_want_body,
		.sleep = op_sleep,
		.limit_wait = op_limit_wait,
		.stop_wait = op_stop_wait,
		.wake = op_wake,
		.net = &cosocket_ops,
		.net_ready = op_net_ready,
		.find_consumer = op_find_consumer,
		.find_groups = op_find_groups,
		.client_cert = op_client_cert};
