/* SPDX-License-Identifier: Apache-2.0
 *
 * A client that goes away while the service is at work: the service is told by closing its
 * connection.  A reset is the end at once.  A FIN may be a client that only sends no more:
 * it gets its answer if that comes soon.
 */
#include "worker/req.h"
#include "worker/worker.h"

#define HALF_CLOSED_MS 1000

static void cancel(struct req *q)
{
	req_release_upstream(q, false);
	q->is_client_gone = q->is_aborted = true;
	if (!q->is_head_made)
		q->x.response.status = 499;
}

bool req_client_left(struct req *q)
{
	enum conn_presence presence;

	if (!q->conn->io.is_readable || !q->body.is_over)
		return false;
	presence = conn_presence(q->conn);
	if (presence == CONN_GONE) {
		cancel(q);
		return true;
	}
	if (presence == CONN_HALF_CLOSED && !q->is_half_closed) {
		q->is_half_closed = true;
		timer_set(&q->w->timers, &q->conn->timer, HALF_CLOSED_MS);
	}
	return false;
}

bool req_half_closed_is_over(struct req *q)
{
	if (!q->is_half_closed || q->is_tunnel || !out_is_empty(&q->out) || q->x.answer.is_set)
		return false;
	if (!q->is_parked && q->up.state == UP_START)
		return false;
	q->is_parked = false;
	cancel(q);
	return true;
}
