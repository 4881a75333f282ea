/* SPDX-License-Identifier: Apache-2.0
 *
 * The newest Updates and what became of them, for operators.  A ring; lives as long as sluiced.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/why.h"

#define HISTORY_ENTRIES 64
#define HISTORY_REJECTIONS 16

struct history_rejection {
	uint32_t kind;
	char id[40];
	char name[64]; /* of a plugin; else "" */
	char code[16];
	struct why why;
	uint64_t version, version_in_force;
};

struct history_entry {
	uint64_t generation;
	uint64_t at_ns; /* real time */
	uint64_t duration_ms;
	bool is_full;
	uint32_t n_resources, n_removed, n_rejected;
	uint32_t workers_active, workers_total;
	char refused_for[16];  /* "" = committed */
	char text[256];        /* why it was refused */
	uint32_t n_rejections; /* kept below */
	struct history_rejection rejections[HISTORY_REJECTIONS];
};

struct history;

int history_new(struct history **ret);
void history_free(struct history *h);
SL_DEFINE_AUTO(history);

/* A zeroed entry (over the oldest), stamped with the time. */
struct history_entry *history_add(struct history *h);
/* i = 0: the newest; NULL past the oldest. */
const struct history_entry *history_at(const struct history *h, uint32_t i);
/* Updates since the start: committed, refused as a whole; resources rejected. */
void history_counts(const struct history *h, uint64_t *ret_committed, uint64_t *ret_refused,
		uint64_t *ret_rejected);
