/* SPDX-License-Identifier: Apache-2.0
 *
 * One node as control knows it: what it holds, what it was sent, what it said.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include <jansson.h>

#include "base/hex.h"
#include "control/store.h"
#include "stream/server.h"

#define FEED_NONCE_BYTES 16
#define FEED_BLOBS_QUEUED_MAX 4096

struct event;
struct feed;
struct feed_update;

struct feed_node {
	TAILQ_ENTRY(feed_node) entry;
	struct feed *feed;
	char id[64];
	char *hostname, *version, *address;
	json_t *labels;
	int64_t seen_s;
	struct stream_peer *peer;   /* NULL = not connected */
	uint64_t held;              /* generation the node has taken; 0 = unknown: full next */
	uint64_t said;              /* generation it last named itself */
	struct feed_update *update; /* being sent; NULL: none, or all of it is */
	/* the Update in flight */
	bool is_in_flight, is_full;
	uint8_t nonce[FEED_NONCE_BYTES];
	uint64_t sent;
	/* refusals of whole Updates */
	bool is_rolled_back;
	uint32_t refusals; /* in a row; delays the next attempt */
	char *refused_for;
	struct event *again;
	json_t *verdicts; /* "kind:id" → the last verdict */
	/* blobs asked for, in order */
	uint8_t (*blobs)[STORE_SHA_BYTES];
	size_t blobs_n, blobs_at;
	uint64_t blob_offset;
};

int feed_node_new(struct feed_node **ret, struct feed *feed, const char *id);
void feed_node_free(struct feed_node *n);

/* Takes over what a Hello says of the node itself. */
void feed_node_describe(
		struct feed_node *n, const Sluice__Stream__V1__Hello *hello, const char *address);
/* Keeps a verdict; false when it says nothing new. */
bool feed_node_judge(struct feed_node *n, const Sluice__Stream__V1__ResourceVerdict *v);
/* Verdicts on all but plugin code go; id NULL: of every resource.  The Ack to an Update in parts
 * names only what is not active. */
void feed_node_forget(struct feed_node *n, uint32_t kind, const char *id);
/* The last verdict, borrowed; NULL. */
const json_t *feed_node_verdict(const struct feed_node *n, uint8_t kind, const char *id);
/* As /clustering/data-planes shows it; wanted: the generation of the store. */
json_t *feed_node_json(const struct feed_node *n, uint64_t wanted);
/* The node's line in /custom-plugins/{name}/status. */
json_t *feed_node_plugin(const struct feed_node *n, const char *plugin_id, uint64_t version,
		bool *ret_active);

/* Appends to the blobs to send; what is too much is dropped with the rest of the node's list. */
int feed_node_want(struct feed_node *n, const Sluice__Stream__V1__BlobRequest *request);
/* Sends chunks until the peer's queue is full or all are sent. */
void feed_node_send_blobs(struct feed_node *n, struct store *store);
