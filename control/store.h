/* SPDX-License-Identifier: Apache-2.0
 *
 * The store of sluice-control: one LMDB environment, synchronous commits, one process.
 * Every committed write transaction that changed anything is one generation.
 *
 * Holds entities by (kind, id) with a version each, unique and foreign-key and tag
 * indexes, code blobs by sha256, and a bounded log of changes from which a delta
 * against an earlier generation is made.  What the bytes of an entity mean is the
 * caller's business.  Ids are UUIDs as 36 lower-case characters.
 *
 * Functions return 0, STORE_E_NONE where documented, or -errno (MDB errors folded:
 * map or disk full -ENOSPC, corruption -EIO) after which the transaction must be freed.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/hex.h"
#include "base/str.h"
#include "base/why.h"

#define STORE_EPOCH_BYTES 16
#define STORE_SHA_BYTES 32
#define STORE_FORMAT 1

enum { STORE_E_NONE = 1 };

struct store;
struct store_txn;

/* Opens or creates the environment in directory dir (made with mode 0700).  A file of a newer
 * format is refused. */
int store_open(struct store **ret, const char *dir, struct why *why);
void store_free(struct store *s);
SL_DEFINE_AUTO(store);

/* Random bytes made when the store was created. */
const uint8_t *store_epoch(const struct store *s);
/* Of the last commit; an empty new store has generation 1. */
uint64_t store_generation(const struct store *s);

/* One write transaction at a time; read transactions see the last commit before them. */
int store_begin(struct store *s, bool is_write, struct store_txn **ret, struct why *why);
/* Frees t whatever happens.  A transaction that changed no entity adds no generation. */
int store_commit(struct store_txn *t, struct why *why);
/* Aborts.  NULL allowed. */
void store_txn_free(struct store_txn *t);
SL_DEFINE_AUTO(store_txn);

/* The generation that t sees, or in a write transaction is making. */
uint64_t store_txn_generation(const struct store_txn *t);
bool store_txn_is_changed(const struct store_txn *t);

/* Slices are borrowed until the next write or the end of the transaction. */
struct store_entity {
	char id[UUID_TEXT_BYTES];
	uint64_t version; /* the generation of its last change */
	struct str json;  /* as the Admin API shows it */
	struct str spec;  /* what nodes get: a sluice.record message */
};

/* STORE_E_NONE when there is none. */
int store_get(struct store_txn *t, uint8_t kind, const char *id, struct store_entity *ret);
/* Inserts or replaces; bytes that are equal to what is stored change nothing. */
int store_put(struct store_txn *t, uint8_t kind, const char *id, struct str json, struct str spec);
int store_remove(struct store_txn *t, uint8_t kind, const char *id);
/* The first with an id above `after` ("" = from the start); STORE_E_NONE at the end. */
int store_next(struct store_txn *t, uint8_t kind, const char *after, struct store_entity *ret);

/* The first of any kind above (kind, id) in the order of both; 0 and "" = from the start. */
int store_walk(struct store_txn *t, uint8_t kind, const char *after, uint8_t *ret_kind,
		struct store_entity *ret);

/* ---- indexes: field is the caller's number of a unique or foreign field ---- */
int store_unique_get(struct store_txn *t, uint8_t kind, uint8_t field, struct str value,
		char ret_id[UUID_TEXT_BYTES]);
int store_unique_put(
		struct store_txn *t, uint8_t kind, uint8_t field, struct str value, const char *id);
int store_unique_remove(struct store_txn *t, uint8_t kind, uint8_t field, struct str value);

struct store_ref {
	uint8_t kind; /* of the child */
	uint8_t field;
	const char *parent;
};
int store_ref_put(struct store_txn *t, const struct store_ref *ref, const char *child);
int store_ref_remove(struct store_txn *t, const struct store_ref *ref, const char *child);
int store_ref_next(struct store_txn *t, const struct store_ref *ref, const char *after,
		char ret_child[UUID_TEXT_BYTES]);

int store_tag_put(struct store_txn *t, struct str tag, uint8_t kind, const char *id);
int store_tag_remove(struct store_txn *t, struct str tag, uint8_t kind, const char *id);
int store_tag_next(struct store_txn *t, struct str tag, uint8_t kind, const char *after,
		char ret_id[UUID_TEXT_BYTES]);

/* Walks every (tag, kind, id) in an order of its own; zero-initialise, then repeat. */
struct store_tag_at {
	uint8_t key[STORE_SHA_BYTES + 1 + UUID_TEXT_BYTES];
	size_t key_n;
	struct str tag;
	uint8_t kind;
	char id[UUID_TEXT_BYTES];
};
int store_tag_walk(struct store_txn *t, struct store_tag_at *at);

/* ---- code ---- */
void store_sha256(struct str bytes, uint8_t ret[STORE_SHA_BYTES]);
/* Adds one user of these bytes. */
int store_blob_put(struct store_txn *t, struct str bytes, uint8_t ret_sha[STORE_SHA_BYTES]);
int store_blob_get(struct store_txn *t, const uint8_t sha[STORE_SHA_BYTES], struct str *ret);
/* One user less.  Bytes without users stay for 64 generations: a node may be about to ask. */
int store_blob_release(struct store_txn *t, const uint8_t sha[STORE_SHA_BYTES]);
/* Drops what has had no user for that long. */
int store_blob_sweep(struct store_txn *t);

/* ---- what changed ---- */
struct store_change {
	uint8_t kind;
	bool is_removed;
	char id[UUID_TEXT_BYTES];
};
/* Calls fn for each change above generation `since`, oldest first (the same entity may come
 * several times).  STORE_E_NONE when the log does not reach back that far. */
int store_changes(struct store_txn *t, uint64_t since,
		int (*fn)(void *arg, const struct store_change *change), void *arg);
/* Of every entity (stream/digest.h); kept with every change. */
void store_digest(const struct store_txn *t, uint8_t ret[STORE_SHA_BYTES]);

/* ---- small facts beside the entities; they make no generation ---- */
int store_note_get(struct store_txn *t, const char *name, struct str *ret);
int store_note_put(struct store_txn *t, const char *name, struct str value);
