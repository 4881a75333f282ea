/* SPDX-License-Identifier: Apache-2.0
 *
 * Brings the plugin code of a plan before sluice-check: fetches what the node lacks, asks with
 * every config the code will serve, and takes the verdicts over into the plan.
 */
#pragma once

#include "base/why.h"
#include "master/plan.h"
#include "shm/conf.h"
#include "shm/snapshot_write.h"
#include "stream/sluice.pb-c.h"

struct event_base;
struct review;

struct review_events {
	/* Ask control for these; answers go to review_chunk. */
	void (*fetch)(void *arg, const Sluice__Stream__V1__BlobRequest *request);
	/* Every plugin code of the plan is decided.  r: 0, or the store's error with why. */
	void (*done)(void *arg, int r, const struct why *why);
};

/* program: path of sluice-check; everything is borrowed and must outlive it. */
int review_new(struct review **ret, struct event_base *base, const struct conf *conf,
		const char *program, struct snapshot_writer *w, const struct review_events *events,
		void *arg);
void review_free(struct review *r);
SL_DEFINE_AUTO(review);

/* p and held (NULL: nothing yet) must live until done or cancel.  done() may come from within.
 * -ENOMEM. */
int review_start(struct review *r, struct plan *p, struct snap_view *held);
/* -EPROTO with why: reset the stream. */
int review_chunk(struct review *r, const Sluice__Stream__V1__BlobChunk *chunk, struct why *why);
void review_cancel(struct review *r);
bool review_is_fetching(const struct review *r);
/* As vet_counts. */
void review_counts(const struct review *r, uint64_t *ret_runs, uint64_t *ret_remembered);
