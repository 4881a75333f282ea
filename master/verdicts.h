/* SPDX-License-Identifier: Apache-2.0
 *
 * What is told to control: the Ack of an Update, one verdict per resource, and the state of
 * every plugin whenever workers change; and what history keeps of it.
 */
#pragma once

#include "master/history.h"
#include "master/plan.h"
#include "master/rollout.h"
#include "shm/breaker.h"
#include "shm/snapshot.h"
#include "stream/client.h"

/* The final Ack of a plan that was committed.  As stream_client_send, -ENOMEM. */
int verdicts_ack(struct stream_client *client, const struct plan *p, const struct rollout *r);
/* The final Ack of an Update that was refused as a whole; generation: in force. */
int verdicts_refuse(struct stream_client *client, const Sluice__Stream__V1__Update *update,
		uint64_t generation, const char *refused_for, const struct why *why);
/* NodeStatus: every plugin code the node holds or refused, and the state of its breaker. */
int verdicts_status(struct stream_client *client, const struct snap_view *held,
		const struct rollout *r, const struct breaker *breaker);

void verdicts_remember(struct history *h, const struct plan *p, const struct rollout *r);
void verdicts_remember_refusal(struct history *h, const Sluice__Stream__V1__Update *update,
		const char *refused_for, const struct why *why);
