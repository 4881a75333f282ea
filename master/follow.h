/* SPDX-License-Identifier: Apache-2.0
 *
 * Follows the control stream: every Update becomes one generation of the snapshot, or is refused
 * with a reason; workers are told, and control hears what became of each resource.  The only user
 * of the snapshot writer.  libevent; single-threaded.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/why.h"
#include "master/history.h"
#include "master/node.h"
#include "master/rollout.h"
#include "shm/snapshot_write.h"

struct breaker;
struct event_base;
struct follow;

struct follow_conf {
	const struct node *node;
	struct snapshot_writer *writer;
	const char *check_program;   /* path of sluice-check */
	uint32_t n_workers, n_slots; /* slots: of the board */
	struct history *history;
	const struct breaker *breaker;
	/* A generation is committed. */
	void (*committed)(void *arg, uint64_t generation);
	void *arg;
};

/* Reads what the snapshot holds; dials nothing yet.  Everything in conf is borrowed. */
int follow_new(struct follow **ret, struct event_base *base, const struct follow_conf *conf,
		struct why *why);
void follow_free(struct follow *f);
SL_DEFINE_AUTO(follow);

/* Dials control, for good. */
int follow_start(struct follow *f, struct why *why);

/* An Update is under way. */
bool follow_is_busy(const struct follow *f);
/* Drops what is not committed; it comes again with the next stream. */
void follow_drop_update(struct follow *f);

/* What supervise hears from workers. */
void follow_worker_at(struct follow *f, uint32_t slot, uint64_t generation);
/* So many workers count as all of them. */
void follow_set_workers(struct follow *f, uint32_t n_workers);
void follow_worker_gone(struct follow *f, uint32_t slot);
void follow_plugin_report(struct follow *f, uint32_t slot, const struct plugin_report *report);

/* What the workers run, or a breaker, is not as control was told last: it is told soon. */
void follow_changed(struct follow *f);

/* The generation in force; NULL: none yet.  Borrowed until the next turn of the event loop. */
const struct snap_view *follow_view(const struct follow *f);
const struct rollout *follow_rollout(const struct follow *f);

struct follow_link {
	bool is_connected;
	const char *peer;       /* "" when not connected */
	const char *last_error; /* of the newest loss; "" = none */
	uint64_t since_ms;      /* in this state for so long */
	uint64_t checks_run, checks_remembered;
	bool is_updating; /* an Update is under way */
};
void follow_get_link(const struct follow *f, struct follow_link *ret);
