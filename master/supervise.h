/* SPDX-License-Identifier: Apache-2.0
 *
 * The workers of this node: started, watched (end, heartbeat), replaced, drained.  Says what they
 * say: the owner hears of every READY, GENERATION_DONE and PLUGIN_STATE.  libevent;
 * single-threaded.
 *
 * A worker is a number and its listeners.  Its processes sit on BOARD_SEATS slots of the board
 * (master/seat): one takes connections; while a replacement overlaps, the other starts or
 * finishes.  Both accept from the same listeners, so none is lost in between.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/str.h"
#include "base/why.h"
#include "shm/board.h"
#include "shm/conf.h"
#include "shm/stat.h"

struct event_base;
struct handover;
struct listeners;
struct steering;
struct supervise;

/* What one worker says of one plugin; borrowed for the call. */
struct plugin_report {
	struct str id;
	uint64_t version;
	bool is_active;
	uint64_t version_in_force;
	struct str file;
	uint32_t line;
	struct str text;
};

struct plugin_counts {
	struct str plugin;         /* name */
	struct str version_sha256; /* 32 bytes */
	uint64_t runs, errors, cpu_trips, memory_trips, wall_trips, output_trips, discards, held;
	uint64_t cpu_ns, memory_bytes;
};

struct supervise_events {
	void (*ready)(void *arg, uint32_t slot, uint64_t generation);
	void (*generation_done)(void *arg, uint32_t slot, uint64_t generation);
	void (*plugin_state)(void *arg, uint32_t slot, const struct plugin_report *r);
	void (*plugin_counts)(void *arg, uint32_t slot, const struct plugin_counts *c);
	/* It drains: it counts on, and no longer among the workers. */
	void (*left)(void *arg, uint32_t slot);
	/* The process is gone. */
	void (*gone)(void *arg, uint32_t slot);
	/* So many workers there are now. */
	void (*scaled)(void *arg, uint32_t n_workers);
	/* After supervise_stop: the last one is gone. */
	void (*stopped)(void *arg);
};

struct ipc_out;
struct supervise_conf {
	const struct conf *conf;
	struct listeners *listeners; /* must outlive the workers */
	struct steering *steering;   /* likewise; has taken the listeners */
	uint32_t n_workers, workers_max;
	int dict_fd;              /* shm/dict; borrowed */
	int lat_fd, lat_names_fd; /* shm/lat; borrowed */
	int traffic_fd;           /* shm/traffic; borrowed */
	int breaker_fd;           /* shm/breaker; borrowed */
	int health_fd;            /* shm/health; borrowed */
	char *program;            /* path of sluice-worker; borrowed */
	/* A replacement that is not ready by then is given up, and the old process goes on; 0 =
	 * 30 s. */
	uint32_t overlap_ms;
	/* What the image before this one left: its workers go on.  NULL: there was none; borrowed
	 * for the call. */
	const struct handover *before;
};

int supervise_new(struct supervise **ret, struct event_base *base,
		const struct supervise_conf *conf, const struct supervise_events *events, void *arg,
		struct why *why);
/* Kills what still runs. */
void supervise_free(struct supervise *s);
SL_DEFINE_AUTO(supervise);

/* Adopted workers that are ready are told to the owner, the others are started. */
void supervise_start(struct supervise *s);
/* A replacement that is not ready yet is given up, and waits for its turn again. */
void supervise_give_up_replacing(struct supervise *s);
/* For another image of sluiced, after supervise_give_up_replacing(). */
void supervise_hand_over(const struct supervise *s, struct handover *h);
/* Workers finish their requests within drain_ms, then end; 0 = at once. */
void supervise_stop(struct supervise *s, uint32_t drain_ms);

/* A generation is committed: tells board and workers. */
void supervise_publish(struct supervise *s, uint64_t generation);
void supervise_set_log_level(struct supervise *s, enum log_level level);
/* To the process of a slot; SUPERVISE_ALL: to all. */
void supervise_tell(struct supervise *s, uint32_t slot, const struct ipc_out *out);

/* Of workers, since the start. */
struct supervise_replacements {
	uint32_t waiting; /* asked for, and not ready to take over */
	uint64_t done, failed;
};
void supervise_replacements(const struct supervise *s, struct supervise_replacements *ret);

#define SUPERVISE_ALL UINT32_MAX
/* Overlapping, one worker after the other; the state is told by supervise_process_at().  -ENOENT
 * with why: there is no such worker; -ESHUTDOWN: the node stops. */
int supervise_restart(struct supervise *s, uint32_t worker, struct why *why);

/* So many workers from now on: new ones start, those with the highest numbers drain.  -ERANGE: more
 * than workers_max; -EBUSY, -ESHUTDOWN, -errno; with why.  Without steering one that is taken away
 * accepts, and nothing new is sent to it, until handshakes that have begun are over
 * (listeners_handshake_ms). */
int supervise_scale(struct supervise *s, uint32_t n_workers, struct why *why);

/* SUPERVISE_ALL, the node: it goes on taking connections, so that none is lost until nobody sends
 * any, and ends each with its answer; it is not ready (supervise_serving).  One worker: nothing new
 * comes to it, its connections end likewise, and it stays so, also when its process is replaced by
 * itself, until the end of the drain, or supervise_restart() of this worker.  After timeout_ms the
 * log says what is left; nothing is cut off.  -ENOENT: no such worker; -EBUSY: it is the last that
 * takes connections; -ESHUTDOWN; with why. */
int supervise_drain(struct supervise *s, uint32_t worker, uint32_t timeout_ms, struct why *why);
/* As if it had not been. */
int supervise_undrain(struct supervise *s, uint32_t worker, struct why *why);

struct supervise_drain {
	bool is_on;
	uint64_t since_ms; /* CLOCK_MONOTONIC */
	uint32_t timeout_ms;
};
void supervise_get_drain(const struct supervise *s, uint32_t worker, struct supervise_drain *ret);

struct supervise_serving {
	uint32_t now;      /* take connections and have a configuration */
	uint32_t expected; /* that should: none that drains or was added and is not there yet */
	uint32_t unborn;   /* of those from the start, never had a configuration */
};
void supervise_serving(const struct supervise *s, struct supervise_serving *ret);

uint32_t supervise_count(const struct supervise *s);
/* Of the board, the counters, the histograms: every process has one. */
uint32_t supervise_slots(const struct supervise *s);
/* Workers that said READY and take connections. */
uint32_t supervise_ready(const struct supervise *s);
/* Of the one that takes connections; 0 = not running. */
pid_t supervise_pid(const struct supervise *s, uint32_t worker);
/* Its slot, and "starting", "ready", "draining", "drained" or "down". */
uint32_t supervise_slot(const struct supervise *s, uint32_t worker);
const char *supervise_state(const struct supervise *s, uint32_t worker);
uint32_t supervise_restarts(const struct supervise *s, uint32_t worker);
const struct stat_area *supervise_stat(const struct supervise *s);
/* Workers there are or were: so many have counters. */
uint32_t supervise_count_ever(const struct supervise *s);

struct supervise_process {
	uint32_t worker, slot;
	pid_t pid;         /* 0 = not running */
	const char *state; /* "starting", "ready", "draining", "drained", "down" */
	uint32_t restarts; /* of the worker */
	/* What it said when it could not start; "" = nothing. */
	const char *failure;
	/* Of its worker, the slots whose counters have no process to be told with. */
	bool has_others_counters;
};
/* Process i, by worker; a worker without one is told as "down".  False past the last. */
bool supervise_process_at(const struct supervise *s, uint32_t i, struct supervise_process *ret);
