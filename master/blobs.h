/* SPDX-License-Identifier: Apache-2.0
 *
 * Code on its way from control: asked for by sha256, assembled from chunks in order, verified
 * before anybody reads it.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "base/why.h"
#include "stream/sluice.pb-c.h"

struct blobs;

int blobs_new(struct blobs **ret);
void blobs_free(struct blobs *b);
SL_DEFINE_AUTO(blobs);

/* Expects sha256 with that many bytes; asking twice is asking once.  -ENOMEM. */
int blobs_want(struct blobs *b, const uint8_t sha256[32], uint64_t bytes);
/* The request for all of them; its array is borrowed until the next call.  false: none. */
bool blobs_request(struct blobs *b, Sluice__Stream__V1__BlobRequest *ret);
/* -EPROTO with why: not asked for, out of order, wrong size.  A blob that control does not
 * have or whose bytes do not hash ends as refused, see blobs_get. */
int blobs_chunk(struct blobs *b, const Sluice__Stream__V1__BlobChunk *chunk, struct why *why);
/* Everything asked for has come or was refused. */
bool blobs_are_complete(const struct blobs *b);
/* A verified blob; STR_NONE with *ret_refusal set when it was refused (or never wanted: NULL). */
struct str blobs_get(const struct blobs *b, const uint8_t sha256[32], const char **ret_refusal);
