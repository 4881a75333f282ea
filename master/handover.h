/* SPDX-License-Identifier: Apache-2.0
 *
 * What one image of sluiced leaves to the next when it replaces itself by exec: the numbers of the
 * descriptors that stay open, the processes, and what is counted in the master alone.  A record of
 * lines of text with a format number, because the two images may be of different versions.  Master
 * only; parsing has no side effect, so that a new binary can try it before anything happens.
 *
 *	sluice-handover 1
 *	text version 0.9.1          number n_workers 4          fd board 17
 *	same proxy_listen 0.0.0.0:8000     what must not differ between the two images
 *	listener 3 0 42             of worker 3, address 0
 *	status 44                   listening for the status API
 *	seat 6 4711 23 24 1 0 1 2 7 85711 0
 *	worker 3 0 1 0              the seat that takes connections; added by hand; held until
 *	drain 3 85711 30000         taken out of use: worker ("-": the node), since, for how many ms
 *	count request-limit 6 <sha256> runs=10 errors=0 …   slot "-": of processes that are gone
 *	end
 *
 * Counts go by name, so that one may be added; for any other change the format gets another number.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/str.h"
#include "base/why.h"
#include "master/counts.h"
#include "shm/board_layout.h"
#include "shm/conf.h"

#define HANDOVER_FORMAT 1
#define HANDOVER_BYTES_MAX (4U << 20)
#define HANDOVER_LISTENERS_MAX (CONF_WORKERS_MAX * 32)
#define HANDOVER_STATUS_MAX 32
#define HANDOVER_SAME_MAX 64
#define HANDOVER_COUNTS_MAX 65536
/* Of a count that belongs to no process any more. */
#define HANDOVER_PAST UINT32_MAX

/* clang-format off */
#define HANDOVER_TEXTS(X) \
	X(version)          /* of the image that wrote this */ \
	X(build) \
	X(program)          /* its path */ \
	X(to_version) X(to_build) X(to_program) /* of the image that is to follow, or has failed */ \
	X(steering_reason)  /* why there is no BPF */ \
	X(steering_step) \
	X(targets)          /* those that an operator took out: JSON */
#define HANDOVER_NUMBERS(X) \
	X(started_ms)       /* the node, monotonic */ \
	X(upgrades)         /* before this one */ \
	X(n_workers) X(n_listening) X(n_ever) X(n_replaced) X(n_failed) \
	X(n_addresses)      /* of proxy_listen */ \
	X(has_program)      /* board, socks, groups and tune are BPF maps */ \
	X(steering_mode) X(steering_errno) \
	X(control_pid) X(control_starts) X(control_started_ms)
#define HANDOVER_FDS(X) \
	X(binary)           /* of the image that wrote this, for the way back */ \
	X(conf)             /* what that image was configured with; likewise */ \
	X(lock) X(pins) \
	X(board) X(socks) X(groups) X(tune) \
	X(stat) X(dict) X(lat_rows) X(lat_names) X(traffic) X(breaker) X(health) \
	X(operators)        /* listening: sluiced.sock */
/* clang-format on */

struct handover_same {
	char *name, *value;
};

struct handover_listener {
	uint32_t worker, address;
	int fd;
};

struct handover_seat {
	uint32_t slot;
	pid_t pid; /* 0: no process */
	int channel, wake;
	bool is_ready, is_draining, has_served;
	uint32_t starts;
	uint64_t generation, started_ms;
	uint32_t drain_ms; /* left */
};

struct handover_worker {
	uint8_t current;
	bool is_added;
	uint64_t held_until_ms;
};

#define HANDOVER_NODE UINT32_MAX
struct handover_drain {
	uint32_t worker; /* HANDOVER_NODE */
	uint64_t since_ms;
	uint32_t timeout_ms;
};

struct handover_count {
	uint32_t slot; /* HANDOVER_PAST */
	uint8_t version[32];
	struct plugin_total total;
};

struct handover {
#define X(name) char *name;
	HANDOVER_TEXTS(X)
#undef X
#define X(name) uint64_t name;
	HANDOVER_NUMBERS(X)
#undef X
#define X(name) int name##_fd; /* -1: none */
	HANDOVER_FDS(X)
#undef X
	size_t n_same, n_listeners, n_status, n_seats, n_counts;
	struct handover_same same[HANDOVER_SAME_MAX];
	struct handover_listener listeners[HANDOVER_LISTENERS_MAX];
	int status[HANDOVER_STATUS_MAX];
	struct handover_seat seats[BOARD_SLOTS_MAX];
	struct handover_worker workers[CONF_WORKERS_MAX];
	size_t n_drains;
	struct handover_drain drains[CONF_WORKERS_MAX + 1];
	struct handover_count *counts;
};

/* Empty.  -ENOMEM. */
int handover_new(struct handover **ret);
/* Closes no descriptor. */
void handover_free(struct handover *h);
SL_DEFINE_AUTO(handover);

/* A copy of value; one with a newline is cut there.  False: no memory, or too many. */
bool handover_set_text(char **field, const char *value);
bool handover_add_same(struct handover *h, const char *name, const char *value);
bool handover_put_same(struct handover *h, struct str name, struct str value);
struct handover_count *handover_add_count(struct handover *h);

void handover_write(const struct handover *h, struct buf *out);
/* -EPROTO with why: another format, or no record at all. */
int handover_parse(struct handover **ret, struct str text, struct why *why);

/* A memfd with the record; CLOEXEC.  -errno with why. */
int handover_to_fd(const struct handover *h, struct why *why);
int handover_from_fd(struct handover **ret, int fd, struct why *why);

/* Whether the descriptors of the record outlive exec.  -EBADF with why: one is not open. */
int handover_let_inherit(const struct handover *h, bool is_inherited, struct why *why);
/* Closes them: everything that is needed was taken. */
void handover_close(const struct handover *h);
/* A copy of one of them, CLOEXEC, the caller's; -errno (-EBADF for -1). */
int handover_take(int fd);

/* The process of a slot; NULL: it has none. */
const struct handover_seat *handover_seat(const struct handover *h, uint32_t slot);
