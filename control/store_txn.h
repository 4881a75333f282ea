/* SPDX-License-Identifier: Apache-2.0
 *
 * Inside of the store: what store.c, store_index.c and store_log.c share.
 */
#pragma once

#include <lmdb.h>

#include "base/check.h"
#include "control/store.h"
#include "stream/digest.h"

/* X(field, name in the file) */
/* clang-format off */
#define STORE_DBI_TABLE(X) \
	X(entity, "entity") \
	X(uniq, "unique") \
	X(ref, "ref") \
	X(tag, "tag") \
	X(blob, "blob") \
	X(change, "change") \
	X(note, "note")
/* clang-format on */

#define STORE_ID_BYTES 36
#define STORE_KEY_BYTES (1 + STORE_ID_BYTES)
#define STORE_LOG_ENTRIES_MAX 65536

struct store {
	uint32_t magic;
	MDB_env *env;
#define X(field, name) MDB_dbi field;
	STORE_DBI_TABLE(X)
#undef X
	uint8_t epoch[STORE_EPOCH_BYTES];
	uint64_t generation;
	struct stream_digest digest; /* of the last commit */
};
#define STORE_MAGIC SL_MAGIC('S', 'T', 'O', 'R')

struct store_txn {
	uint32_t magic;
	struct store *store;
	MDB_txn *txn;
	bool is_write, is_changed;
	uint64_t generation;
	struct stream_digest digest;
	uint32_t changes;  /* logged by this transaction */
	bool is_log_reset; /* … too many to be sent one by one */
};
#define STORE_TXN_MAGIC SL_MAGIC('S', 'T', 'X', 'N')

/* 0, STORE_E_NONE for MDB_NOTFOUND, or -errno. */
int store_fold(int mdb_r);
MDB_val store_val(const void *p, size_t n);
/* kind, id. */
void store_key(uint8_t kind, const char *id, uint8_t ret[STORE_KEY_BYTES]);
void store_id_out(const uint8_t *key, char ret[UUID_TEXT_BYTES]);
/* The first key in dbi >= key (> key when is_above) that starts with its first prefix_n bytes. */
struct store_seek {
	MDB_dbi dbi;
	const uint8_t *key;
	size_t key_n, prefix_n;
	bool is_above;
};
int store_seek(struct store_txn *t, const struct store_seek *seek, MDB_val *ret_key,
		MDB_val *ret_value);
/* Notes a change of the generation being made. */
int store_log_add(struct store_txn *t, uint8_t kind, const char *id, bool is_removed);
/* Before commit: keeps the log within its bound. */
int store_log_trim(struct store_txn *t);
/* Of everything there is. */
int store_digest_compute(struct store_txn *t, struct stream_digest *ret);
void store_put_u64(uint8_t *p, uint64_t v);
uint64_t store_get_u64(const uint8_t *p);
