/* SPDX-License-Identifier: Apache-2.0
 *
 * The status API: HTTP and JSON on status_listen, and the same with operators' verbs on
 * <prefix>/sluiced.sock (mode 0600), which sluicectl and sluice-control use.  libevent.
 *
 *	GET /status /status/ready /workers /plugins /generations /latency /traffic /metrics
 *	/steering /upgrade /upstreams/health
 *	POST /steering /workers/restart /workers/scale /upgrade /reload /upstreams/health (socket
 *only)
 */
#pragma once

#include <stdbool.h>

#include "base/cleanup.h"
#include "base/why.h"
#include "master/counts.h"
#include "master/follow.h"
#include "master/history.h"
#include "master/node.h"
#include "master/steering.h"
#include "master/supervise.h"

struct account;
struct targets;
struct child;
struct expiry;
struct latency;
struct event_base;
struct handover;
struct status;
struct upgrade;

/* What there is to tell; everything is borrowed. */
struct status_sources {
	const struct node *node;
	const struct follow *follow;          /* NULL: role control_plane */
	struct supervise *workers;            /* NULL: role control_plane */
	struct steering *steering;            /* NULL: role control_plane */
	const struct snapshot_writer *writer; /* NULL: role control_plane */
	const struct history *history;
	const struct counts *counts;
	const struct dict *dict;       /* NULL: role control_plane */
	const struct account *account; /* NULL: role control_plane */
	const struct latency *latency; /* NULL: role control_plane */
	struct targets *targets;       /* NULL: role control_plane */
	const struct breaker *breaker; /* NULL: role control_plane */
	struct expiry *expiry;
	struct upgrade *upgrade;
	const struct child *control; /* sluice-control; NULL: role data_plane */
	bool is_stopping;
	/* POST /reload: notes for the operator, one per line; malloc'd, NULL with why. */
	char *(*reload)(void *arg, struct why *why);
	void *arg;
};

/* sources: borrowed, read at every request.  before: the image of sluiced before this one, whose
 * listening sockets go on; NULL: there was none. */
int status_new(struct status **ret, struct event_base *base, const struct status_sources *sources,
		const struct handover *before, struct why *why);
/* For the next image. */
void status_hand_over(const struct status *s, struct handover *h);
void status_free(struct status *s);
SL_DEFINE_AUTO(status);
