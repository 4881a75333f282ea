/* SPDX-License-Identifier: Apache-2.0
 *
 * A breaker per plugin, shared by all workers of a node: after so many budget trips within so
 * long the plugin is suspended; then single requests try it, ever more seldom, until one goes
 * well.  A memfd, made by the master, mapped by every worker; no locks.
 *
 *	CLOSED ── trips ──▶ OPEN ── its time is over ──▶ HALF_OPEN (one request tries)
 *	   ▲                 ▲────────── it tripped ──────────┤
 *	   └──────────────────────────── it went well ────────┘
 *
 * All of a breaker's state is one word, so that each change of it is one compare-and-swap that
 * somebody wins.  A row belongs to a plugin's id and never moves while a worker stays with it.
 * What is in the memory is not trusted: a hostile worker can suspend plugins, nothing more.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "base/why.h"

#define BREAKER_TRIPS_MAX 64
#define BREAKER_ROWS 4096

enum breaker_state { BREAKER_CLOSED, BREAKER_OPEN, BREAKER_HALF_OPEN };

struct breaker_conf {
	uint32_t trips;     /* that many … ; 0 = never; at most BREAKER_TRIPS_MAX */
	uint32_t window_ms; /* … within so long suspend a plugin */
	uint32_t retry_ms;  /* until it is tried; doubles up to 64 times with each try that trips */
};

struct breaker;
struct breaker_row {
	_Atomic uint64_t word; /* lowest bits: enum breaker_state */
	_Atomic uint64_t content;
	_Atomic uint64_t seen_ms;   /* a worker stays with it */
	_Atomic uint64_t closed_ms; /* trips before it do not count */
	_Atomic uint64_t opens;     /* so far */
	_Atomic uint64_t n_trips;
	_Atomic uint64_t trips_ms[BREAKER_TRIPS_MAX];
};

/* Master: *ret_fd is CLOEXEC.  Worker: an inherited fd; -EBADF with why when it is no such
 * memory of this version. */
int breaker_create(struct breaker **ret, int *ret_fd, const struct breaker_conf *conf,
		struct why *why);
int breaker_map(struct breaker **ret, int fd, const struct breaker_conf *conf, struct why *why);
void breaker_free(struct breaker *b); /* unmaps; NULL allowed */
SL_DEFINE_AUTO(breaker);
const struct breaker_conf *breaker_conf_of(const struct breaker *b);

/* For `content`; start: 0, or what an earlier call returned.  Never 0. */
uint64_t breaker_hash(uint64_t start, const void *p, size_t n);

/* Worker: the row of a plugin whose code or limits it takes into use; another content than the
 * row's closes the breaker.  NULL: no breakers, or no row is left. */
struct breaker_row *breaker_join(struct breaker *b, struct str plugin_id, uint64_t content);
/* Each second while it is in use: the row stays the plugin's.  Changes no state. */
struct breaker_row *breaker_stay(struct breaker *b, struct str plugin_id, uint64_t content);

/* What a request pays: one relaxed load. */
static inline bool breaker_is_closed(const struct breaker_row *row)
{
	return row == NULL ||
	       (atomic_load_explicit(&row->word, memory_order_relaxed) & 3) == BREAKER_CLOSED;
}

enum breaker_answer {
	BREAKER_PASS, /* the breaker is closed */
	BREAKER_TRY,  /* this request tries the plugin: *ret_ticket is to be settled */
	BREAKER_HOLD, /* the plugin is suspended */
};
/* For a request that comes to the plugin. */
enum breaker_answer breaker_ask(
		struct breaker *b, struct breaker_row *row, uint64_t now_ms, uint64_t *ret_ticket);

/* The plugin tripped, under that content.  ticket: of the request, 0 = none.  *ret_wait_ms: until
 * it is tried.  True: this suspended it, or suspended it again. */
bool breaker_trip(struct breaker *b, struct breaker_row *row, uint64_t content, uint64_t ticket,
		uint64_t now_ms, uint64_t *ret_wait_ms);
/* A request with a ticket is over and did not trip.  is_good: the plugin ran; else the next
 * request may try.  True: the breaker is closed now, by this.  Should a request that tries be
 * longer than the wait, another one tries beside it; the first word counts. */
bool breaker_settle(struct breaker *b, struct breaker_row *row, uint64_t ticket, bool is_good,
		uint64_t now_ms);

/* Of a plugin, for showing. */
struct breaker_show {
	enum breaker_state state;
	uint64_t opens;       /* how often it was suspended */
	uint64_t retry_in_ms; /* OPEN: until a request tries it */
};
void breaker_show(const struct breaker *b, struct str plugin_id, uint64_t now_ms,
		struct breaker_show *ret);
/* "closed", "open", "half_open" */
const char *breaker_state_name(enum breaker_state state);
/* Grows with every change of any state. */
uint64_t breaker_changes(const struct breaker *b);
