/* SPDX-License-Identifier: Apache-2.0
 *
 * Upgrade in place: this process becomes another binary of sluiced by exec (master/image), with
 * everything that serves taken over, and replaces its workers with that binary's.
 *
 *	CHECKING ── the binary says no, or nothing ──▶ REFUSED         (nothing has changed)
 *	   └─▶ WAITING (for an Update that is under way) ── exec ──▶ REPLACING ──▶ DONE
 *	                                                    │            └─▶ FAILED
 *	                                                    └─▶ FAILED
 *
 * FAILED is told by the old image, which has the process back: the new one could not begin, or its
 * first worker did not become ready.
 *
 * libevent; single-threaded.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "base/cleanup.h"
#include "base/why.h"
#include "shm/conf.h"

struct event_base;
struct handover;
struct upgrade;

struct upgrade_events {
	/* Fills in what another image has to know; descriptors are borrowed.  False: no memory. */
	bool (*collect)(void *arg, struct handover *h);
	/* Something is under way that would be lost. */
	bool (*is_busy)(void *arg);
	/* What cannot be handed over ends now: exec is next. */
	void (*before_leap)(void *arg);
	/* In the new image: ends the others, program by program. */
	void (*replace_workers)(void *arg);
	void (*replace_control)(void *arg);
	/* Of workers: waiting for their replacement, done and failed since the node started. */
	void (*progress)(
			void *arg, uint32_t *ret_waiting, uint64_t *ret_done, uint64_t *ret_failed);
};

/* before, failure: as image_inherited() told; borrowed for the call.  -errno with why. */
int upgrade_new(struct upgrade **ret, struct event_base *base, const struct conf *conf,
		const char *conf_file, const struct handover *before, const char *failure,
		const struct upgrade_events *events, void *arg, struct why *why);
/* Ends a check that runs. */
void upgrade_free(struct upgrade *u);
SL_DEFINE_AUTO(upgrade);

/* In an image that took over: it serves, and now replaces what is old. */
void upgrade_go_on(struct upgrade *u);

/* binary: an absolute path; "" = where this one came from.  How it goes on is told by
 * upgrade_json().  -EBUSY: one is under way; -ESHUTDOWN: sluiced stops; -EINVAL, -ENOENT, -EACCES;
 * with why. */
#define UPGRADE_TIMEOUT_MS 10000
#define UPGRADE_TIMEOUT_MAX_MS 600000
int upgrade_start(struct upgrade *u, const char *binary, uint32_t timeout_ms, struct why *why);
/* sluiced stops: none begins, one that has not come to exec ends. */
void upgrade_stop(struct upgrade *u);

/* Since the node was started. */
uint64_t upgrade_count(const struct upgrade *u);
/* {"state":"done","from":{"version","build","program"},"to":{…},"reason":"","upgrades":2}: state is
 * idle, checking, waiting, replacing, done, refused or failed; of the newest. */
json_t *upgrade_json(const struct upgrade *u);
