/* SPDX-License-Identifier: Apache-2.0
 *
 * What control wants this node to hold, accepted here or not: (kind, id) → spec_sha256, in
 * the order of the digest.  A table never changes; an Update makes a new one that shares the
 * unchanged entries, so that a digest can be compared before anything is committed.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"

#define WANT_ID_MAX 64

struct snap_view;
struct wants;

struct want_change {
	uint32_t kind; /* 1 … 255 */
	const char *id;
	const uint8_t *spec_sha256; /* NULL: removed */
};

/* changes: sorted by want_change_cmp, none twice.  base NULL: from nothing.  -ENOMEM. */
int wants_apply(struct wants **ret, const struct wants *base, const struct want_change *changes,
		size_t n);
/* From the records of a generation.  Complete only if nothing had been refused: compare
 * wants_digest with the snapshot's. */
int wants_load(struct wants **ret, const struct snap_view *view);
void wants_free(struct wants *w);
SL_DEFINE_AUTO(wants);

/* (kind, id) byte order; for qsort(3). */
int want_change_cmp(const void *a, const void *b);

/* stream Update.digest_after.  0 or -ENOMEM. */
int wants_digest(const struct wants *w, uint8_t ret[32]);
size_t wants_count(const struct wants *w);
