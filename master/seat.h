/* SPDX-License-Identifier: Apache-2.0
 *
 * One process of a worker: started with its listeners and shared memory on a slot of the board,
 * heard, told, drained.  A worker has BOARD_SEATS of these seats (master/supervise), so that the
 * next process can start while the one before it still finishes; each has counters of its own.
 * Master only; single-threaded.
 */
#pragma once

#include "base/cleanup.h"
#include "base/why.h"
#include "master/supervise.h"
#include "shm/ipc.h"

struct seat;

struct seat_events {
	/* It said READY; nothing is steered to it yet. */
	void (*ready)(void *arg, struct seat *s, uint64_t generation);
	/* It asks to be replaced. */
	void (*worn_out)(void *arg, struct seat *s, uint64_t discards);
	/* The process is gone; what it counted stays.  is_last: no other follows by itself. */
	void (*ended)(void *arg, struct seat *s, bool is_last);
};

/* What all seats of a node share; the owner's. */
struct seat_shared {
	struct event_base *base;
	struct supervise_conf conf;
	struct board *board;
	struct stat_area *stat;
	int stat_fd, conf_fd;
	const struct seat_events *events;
	void *arg;
	/* What a worker says that needs no decision goes straight there. */
	const struct supervise_events *heard;
	void *heard_arg;
};

int seat_new(struct seat **ret, const struct seat_shared *shared, uint32_t slot, struct why *why);
/* Kills what still runs. */
void seat_free(struct seat *s);
SL_DEFINE_AUTO(seat);

/* Starts a process, and another one whenever it ends by itself, until it is drained or killed. */
void seat_start(struct seat *s);
/* What the image of sluiced before this one left there (master/handover): the process goes on. */
struct handover_seat;
int seat_adopt(struct seat *s, const struct handover_seat *before, struct why *why);
/* The same the other way: what the next image has to know.  False: there is no process. */
bool seat_hand_over(const struct seat *s, struct handover_seat *ret);
/* No new connection from now on; its requests finish within drain_ms; none follows. */
void seat_drain(struct seat *s, uint32_t drain_ms);
/* signal now, SIGKILL after a second; none follows.  False: nothing ran. */
bool seat_end(struct seat *s, int signal);
/* The same for one that hangs or lies: another follows, unless it was draining. */
void seat_kill(struct seat *s, int signal);
/* Held: it serves on, and is none of the node's workers; what it says is not told on. */
void seat_hold(struct seat *s, bool is_held);
/* A message; a broken channel costs the worker its life. */
void seat_tell(struct seat *s, const struct ipc_out *out);
/* A generation is committed. */
void seat_wake(struct seat *s);

uint32_t seat_slot(const struct seat *s);
uint32_t seat_worker(const struct seat *s);
pid_t seat_pid(const struct seat *s); /* 0 = not running */
bool seat_is_ready(const struct seat *s);
bool seat_is_draining(const struct seat *s);
/* It had a configuration; until it is drained or ended, also through a crash. */
bool seat_has_served(const struct seat *s);
/* The configuration that its process has; 0 = none. */
uint64_t seat_generation(const struct seat *s);
uint32_t seat_starts(const struct seat *s);
/* Since its last sign of life; 0 when it does not run. */
uint64_t seat_silent_ms(const struct seat *s);
/* What it said when it could not start; "" = nothing. */
const char *seat_failure(const struct seat *s);
