/* SPDX-License-Identifier: Apache-2.0
 *
 * One supervised process of the master: started, watched by its pidfd, started again with back-off
 * when it ends by itself, stopped with a deadline.  libevent; single-threaded.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/cleanup.h"
#include "base/why.h"

struct child;
struct event_base;

struct child_events {
	/* Fork and exec (spawn_program). */
	int (*start)(void *arg, pid_t *ret, struct why *why);
	/* Reaped.  status as of waitpid(2); is_last: stopped on purpose, it stays down. */
	void (*ended)(void *arg, int status, bool is_last);
};

/* name: for the log, e.g. "sluice-worker 3"; copied. */
int child_new(struct child **ret, struct event_base *base, const char *name,
		const struct child_events *events, void *arg);
/* Kills it (SIGKILL) if it runs. */
void child_free(struct child *c);
SL_DEFINE_AUTO(child);

/* How long before it is started again the first time it ends by itself. */
void child_set_delay(struct child *c, uint32_t first_ms);
/* Starts it now, and again after every end until child_stop(). */
void child_start(struct child *c);
/* One that runs already, a child of this process too: it was started by the image of the program
 * before this one, `starts` times so far, the last time at started_ms (monotonic).  -errno: it is
 * no child of ours. */
int child_adopt(struct child *c, pid_t pid, uint32_t starts, uint64_t started_ms);
/* signal (0 = none: it was told otherwise) now, SIGKILL after grace_ms; ended(is_last).
 * When nothing runs: false, and ended() is not called. */
bool child_stop(struct child *c, int signal, uint32_t grace_ms);
/* The same, but it is started again. */
void child_replace(struct child *c, int signal, uint32_t grace_ms);

pid_t child_pid(const struct child *c); /* 0 = not running */
uint32_t child_restarts(const struct child *c);
uint32_t child_starts(const struct child *c);
uint64_t child_started_ms(const struct child *c); /* monotonic */
/* Milliseconds that it has until SIGKILL; 0 = nobody waits for its end. */
uint32_t child_grace_ms(const struct child *c);
/* Milliseconds since the newest start. */
uint64_t child_age_ms(const struct child *c);
