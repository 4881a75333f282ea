/* SPDX-License-Identifier: Apache-2.0
 *
 * Code by its hash: storing it ahead of the generation that refers to it, and dropping what
 * nothing refers to any more.
 */
#include <errno.h>
#include <openssl/sha.h>
#include <stdlib.h>

#include "base/check.h"
#include "shm/snap_record.h"
#include "shm/snap_writer.h"

#define HASH_BYTES 32

static bool is_hash_of(const uint8_t sha256[HASH_BYTES], struct str bytes)
{
	uint8_t found[HASH_BYTES];

	SHA256((const uint8_t *)bytes.p, bytes.n, found);
	return memcmp(found, sha256, HASH_BYTES) == 0;
}

bool snapshot_has_blob(struct snapshot_writer *w, const uint8_t sha256[32])
{
	MDB_val key = {HASH_BYTES, (void *)(uintptr_t)sha256}, value;
	MDB_txn *txn = NULL;
	bool is_there;

	sl_check(w, SNAPSHOT_WRITER_MAGIC);
	if (mdb_txn_begin(w->env.mdb, NULL, MDB_RDONLY, &txn) != 0)
		return false;
	is_there = mdb_get(txn, w->env.db[SNAP_DB_BLOB], &key, &value) == 0;
	mdb_txn_abort(txn);
	return is_there;
}

static int put_into(struct snap_txn *t, MDB_val *key, MDB_val *value, struct why *why)
{
	int rc = mdb_put(t->mdb, t->writer->env.db[SNAP_DB_BLOB], key, value, MDB_NOOVERWRITE);
	int r = rc == MDB_KEYEXIST ? 0 : snap_env_error(rc, "store code", why);

	if (r != 0 && t->failed == 0)
		t->failed = r;
	t->is_code_changed = true;
	return r;
}

int snapshot_put_blob(struct snapshot_writer *w, const uint8_t sha256[32], struct str bytes,
		struct why *why)
{
	MDB_val key = {HASH_BYTES, (void *)(uintptr_t)sha256}, value = snap_val(bytes);
	MDB_txn *txn = NULL;
	int rc;

	sl_check(w, SNAPSHOT_WRITER_MAGIC);
	if (!is_hash_of(sha256, bytes)) {
		why_set(why, NULL, 0, "%zu bytes of code do not have the hash they came under",
				bytes.n);
		return -EBADMSG;
	}
	if (w->txn != NULL)
		return put_into(w->txn, &key, &value, why);
	rc = mdb_txn_begin(w->env.mdb, NULL, 0, &txn);
	if (rc != 0)
		return snap_env_error(rc, "begin writing", why);
	rc = mdb_put(txn, w->env.db[SNAP_DB_BLOB], &key, &value, MDB_NOOVERWRITE);
	if (rc != 0) {
		mdb_txn_abort(txn);
		return rc == MDB_KEYEXIST ? 0 : snap_env_error(rc, "store code", why);
	}
	w->has_loose_blobs = true;
	return snap_env_commit(&w->env, txn, "commit code", why);
}

static int compare_hashes(const void *a, const void *b)
{
	return memcmp(a, b, HASH_BYTES);
}

static void add_hash(struct buf *list, ProtobufCBinaryData hash)
{
	if (hash.len == HASH_BYTES)
		buf_add(list, hash.data, HASH_BYTES);
}

/* Sorted hashes of everything that a PLUGIN_CODE record refers to. */
static int list_referred(struct snap_txn *t, struct buf *ret)
{
	uint32_t kind = SLUICE__RECORD__KIND__PLUGIN_CODE;
	uint8_t tag = (uint8_t)kind;
	MDB_val key = {1, &tag}, value;
	MDB_cursor *c = NULL;
	int r = 0, rc = mdb_cursor_open(t->mdb, t->writer->env.db[SNAP_DB_RECORD], &c);

	if (rc != 0)
		return snap_env_error(rc, "list code", NULL);
	rc = mdb_cursor_get(c, &key, &value, MDB_SET_RANGE);
	for (; rc == 0 && r == 0; rc = mdb_cursor_get(c, &key, &value, MDB_NEXT)) {
		sl_auto_message ProtobufCMessage *m = NULL;
		const Sluice__Record__PluginCode *code;

		if (*(const uint8_t *)key.mv_data != tag)
			break;
		r = snap_record_parse(kind, str_from(snap_str(value), sizeof(uint64_t)), &m, NULL);
		if (r != 0)
			break;
		code = (const Sluice__Record__PluginCode *)m;
		add_hash(ret, code->handler_sha256);
		add_hash(ret, code->schema_sha256);
		add_hash(ret, code->handler_bytecode_sha256);
	}
	mdb_cursor_close(c);
	if (r == 0 && ret->n != 0)
		qsort(ret->p, ret->n / HASH_BYTES, HASH_BYTES, compare_hashes);
	return ret->is_failed ? -ENOMEM : r;
}

int snap_blob_collect(struct snap_txn *t, struct why *why)
{
	sl_auto_buf referred = {.p = NULL};
	MDB_cursor *c = NULL;
	MDB_val key, value;
	int rc, r = list_referred(t, &referred);

	if (r == 0)
		r = snap_env_error(mdb_cursor_open(t->mdb, t->writer->env.db[SNAP_DB_BLOB], &c),
				"list blobs", why);
	if (r != 0)
		return r;
	rc = mdb_cursor_get(c, &key, &value, MDB_FIRST);
	for (; rc == 0 && r == 0; rc = mdb_cursor_get(c, &key, &value, MDB_NEXT)) {
		if (referred.n != 0 && bsearch(key.mv_data, referred.p, referred.n / HASH_BYTES,
						       HASH_BYTES, compare_hashes) != NULL)
			continue;
		/* The cursor then stands before the next entry: MDB_NEXT goes to it. */
		r = snap_env_error(mdb_cursor_del(c, 0), "drop code", why);
	}
	mdb_cursor_close(c);
	return r;
}
