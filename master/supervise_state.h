/* SPDX-License-Identifier: Apache-2.0
 *
 * What master/supervise, supervise_scale and supervise_show share of its insides.
 */
#pragma once

#include <event2/util.h>

#include "master/seat.h"
#include "master/supervise.h"

/* How often heartbeats are looked at where no program does. */
#define SUPERVISE_LOOK_MS 20

#define SUPERVISE_MAGIC SL_MAGIC('S', 'U', 'P', 'V')

/* Of the node, or of one worker: [first, end). */
struct drain {
	const struct supervise *of;
	uint32_t first, end;
	bool is_on;
	uint64_t since_ms;
	uint32_t timeout_ms;
	struct event *deadline; /* says in the log what is left */
};

struct worker {
	uint32_t number;
	struct drain drain; /* of this worker alone */
	bool restart_ends_drain;
	bool is_stale;          /* without the program: its heartbeat is */
	uint64_t held_until_ms; /* taken away, and still accepts; 0 = it does not */
	bool is_added;          /* at run time: nobody counts on it before it is there */
	struct seat *seats[BOARD_SEATS];
	unsigned current; /* the seat whose process takes connections */
	bool wants_restart;
};

struct supervise {
	uint32_t magic;
	struct seat_shared shared;
	const struct supervise_events *events;
	void *arg;

	struct event *heartbeats;
	struct event *impatience; /* with `starting` */
	struct worker *starting;  /* its other seat starts a replacement; NULL: none does */
	struct event *holds;      /* a hold is over */
	bool is_stopping;
	struct drain drain; /* of the node */
	uint32_t n_workers, n_ever;
	uint64_t n_replaced, n_failed;
	struct worker workers[CONF_WORKERS_MAX];
};

static inline struct steering *steering_of(const struct supervise *v)
{
	return v->shared.conf.steering;
}

static inline struct seat *seat_now(const struct worker *w)
{
	return w->seats[w->current];
}

static inline struct seat *seat_other(const struct worker *w)
{
	return w->seats[!w->current];
}

/* supervise_drain.c: the board says what state says: who is steered to, whose connections end. */
void supervise_settle(struct supervise *v, struct worker *w);
/* -ESHUTDOWN: the node stops, -ENOENT: there is no such worker, with why; 0. */
int supervise_refuse(const struct supervise *v, uint32_t worker, struct why *why);
/* What the program does by itself, where there is none: a worker that does not beat gets nothing
 * new. */
void supervise_leave_out_stale(struct supervise *v);
int supervise_drains_new(struct supervise *v);
void supervise_drains_free(struct supervise *v);
/* supervise_scale.c: a worker that was taken away, or its process, may be gone now. */
void supervise_drop_surplus(struct supervise *v);
void supervise_arm_holds(struct supervise *v);
void supervise_on_holds(evutil_socket_t fd, short what, void *arg);
struct handover_drain;
void supervise_adopt_drain(struct supervise *v, const struct handover_drain *before);
void supervise_hand_over_drains(const struct supervise *v, struct handover *h);
/* A fresh process has the worker's place, as asked for. */
void supervise_end_drain(struct supervise *v, struct worker *w);

/* Takes over what another image of sluiced left; v is new. */
int supervise_adopt(struct supervise *v, const struct handover *h, struct why *why);
/* The replacement that starts, if one does, is none any more. */
void supervise_end_overlap(struct supervise *v);
/* It finishes what it has and is no longer counted among the workers. */
void supervise_leave(struct supervise *v, struct seat *old, uint32_t drain_ms);
