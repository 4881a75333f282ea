/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>

#include "control/store_txn.h"

#define CHANGE_KEY_BYTES 12 /* generation, number within it */
#define BLOB_HEAD_BYTES 16  /* users, the generation of the last put or release */
#define BLOB_KEEP_GENERATIONS 64

/* ---- notes ---- */

int store_note_get(struct store_txn *t, const char *name, struct str *ret)
{
	MDB_val k = store_val(name, strlen(name)), v;
	int r = store_fold(mdb_get(t->txn, t->store->note, &k, &v));

	if (r == 0)
		*ret = (struct str){v.mv_data, v.mv_size};
	return r;
}

int store_note_put(struct store_txn *t, const char *name, struct str value)
{
	MDB_val k = store_val(name, strlen(name)), v = store_val(value.p, value.n);

	return store_fold(mdb_put(t->txn, t->store->note, &k, &v, 0));
}

/* ---- changes ---- */

/* So much at once goes to every node whole: the log begins after it. */
static int log_reset(struct store_txn *t)
{
	uint8_t number[8];
	int r = store_fold(mdb_drop(t->txn, t->store->change, 0));

	t->is_log_reset = true;
	store_put_u64(number, t->generation);
	return r != 0 ? r : store_note_put(t, "log_base", (struct str){(char *)number, 8});
}

int store_log_add(struct store_txn *t, uint8_t kind, const char *id, bool is_removed)
{
	uint8_t key[CHANGE_KEY_BYTES] = {0}, value[1 + STORE_KEY_BYTES] = {0};
	MDB_val k = store_val(key, sizeof(key)), v = store_val(value, sizeof(value));

	t->is_changed = true;
	if (t->is_log_reset)
		return 0;
	if (t->changes == STORE_LOG_ENTRIES_MAX)
		return log_reset(t);
	store_put_u64(key, t->generation);
	for (int i = 0; i < 4; i++)
		key[8 + i] = (uint8_t)(t->changes >> (24 - 8 * i));
	value[0] = is_removed;
	store_key(kind, id, value + 1);
	t->changes++;
	return store_fold(mdb_put(t->txn, t->store->change, &k, &v, 0));
}

static uint64_t log_base(struct store_txn *t)
{
	struct str v;

	return store_note_get(t, "log_base", &v) == 0 && v.n == 8
			       ? store_get_u64((const uint8_t *)v.p)
			       : 0;
}

static int log_drop(struct store_txn *t, size_t count)
{
	MDB_cursor *cursor;
	uint64_t base = 0;
	uint8_t number[8];
	MDB_val k, v;
	int r = mdb_cursor_open(t->txn, t->store->change, &cursor);

	if (r != 0)
		return store_fold(r);
	while (r == 0) {
		r = mdb_cursor_get(cursor, &k, &v, MDB_FIRST);
		if (r != 0)
			break;
		/* a generation goes whole: half of one would be a wrong delta */
		if (count == 0 && store_get_u64(k.mv_data) != base)
			break;
		base = store_get_u64(k.mv_data);
		r = mdb_cursor_del(cursor, 0);
		count -= count != 0;
	}
	mdb_cursor_close(cursor);
	if (r != 0 && r != MDB_NOTFOUND)
		return store_fold(r);
	store_put_u64(number, base);
	return store_note_put(t, "log_base", (struct str){(char *)number, 8});
}

int store_log_trim(struct store_txn *t)
{
	MDB_stat stat;
	int r = mdb_stat(t->txn, t->store->change, &stat);

	if (r != 0)
		return store_fold(r);
	if (stat.ms_entries <= STORE_LOG_ENTRIES_MAX)
		return 0;
	return log_drop(t, stat.ms_entries - STORE_LOG_ENTRIES_MAX);
}

int store_changes(struct store_txn *t, uint64_t since,
		int (*fn)(void *arg, const struct store_change *change), void *arg)
{
	uint8_t key[CHANGE_KEY_BYTES] = {0};
	MDB_cursor *cursor;
	MDB_val k = store_val(key, sizeof(key)), v;
	struct store_change change;
	int r;

	if (since < log_base(t) || since > t->generation)
		return STORE_E_NONE;
	store_put_u64(key, since + 1);
	r = mdb_cursor_open(t->txn, t->store->change, &cursor);
	if (r != 0)
		return store_fold(r);
	r = mdb_cursor_get(cursor, &k, &v, MDB_SET_RANGE);
	while (r == 0) {
		const uint8_t *p = v.mv_data;

		change.is_removed = p[0] != 0;
		change.kind = p[1];
		store_id_out(p + 2, change.id);
		r = fn(arg, &change);
		if (r == 0)
			r = mdb_cursor_get(cursor, &k, &v, MDB_NEXT);
	}
	mdb_cursor_close(cursor);
	return r == MDB_NOTFOUND ? 0 : r < 0 ? r : store_fold(r);
}

void store_digest(const struct store_txn *t, uint8_t ret[STORE_SHA_BYTES])
{
	memcpy(ret, t->digest.sum, STORE_SHA_BYTES);
}

int store_digest_compute(struct store_txn *t, struct stream_digest *ret)
{
	struct store_entity e = {.id = ""};
	uint8_t kind = 0, sha[STORE_SHA_BYTES];
	int r;

	*ret = (struct stream_digest){{0}};
	while ((r = store_walk(t, kind, e.id, &kind, &e)) == 0) {
		store_sha256(e.spec, sha);
		stream_digest_add(ret, kind, e.id, sha);
	}
	return r == STORE_E_NONE ? 0 : r;
}

/* ---- code blobs: sha256 → users, generation, bytes ---- */

static int blob_write(struct store_txn *t, const uint8_t sha[STORE_SHA_BYTES], struct str bytes,
		uint64_t users)
{
	MDB_val k = store_val(sha, STORE_SHA_BYTES), v = {.mv_size = BLOB_HEAD_BYTES + bytes.n};
	int r = mdb_put(t->txn, t->store->blob, &k, &v, MDB_RESERVE);

	if (r != 0)
		return store_fold(r);
	store_put_u64(v.mv_data, users);
	store_put_u64((uint8_t *)v.mv_data + 8, t->generation);
	if (bytes.n != 0)
		memcpy((uint8_t *)v.mv_data + BLOB_HEAD_BYTES, bytes.p, bytes.n);
	return 0;
}

static int blob_read(struct store_txn *t, const uint8_t sha[STORE_SHA_BYTES], struct str *ret,
		uint64_t *ret_users)
{
	MDB_val k = store_val(sha, STORE_SHA_BYTES), v;
	int r = store_fold(mdb_get(t->txn, t->store->blob, &k, &v));

	if (r != 0)
		return r;
	if (v.mv_size < BLOB_HEAD_BYTES)
		return -EIO;
	*ret = (struct str){(char *)v.mv_data + BLOB_HEAD_BYTES, v.mv_size - BLOB_HEAD_BYTES};
	*ret_users = store_get_u64(v.mv_data);
	return 0;
}

int store_blob_put(struct store_txn *t, struct str bytes, uint8_t ret_sha[STORE_SHA_BYTES])
{
	struct str old;
	uint64_t users = 0;
	int r;

	store_sha256(bytes, ret_sha);
	r = blob_read(t, ret_sha, &old, &users);
	return r < 0 ? r : blob_write(t, ret_sha, bytes, users + 1);
}

int store_blob_get(struct store_txn *t, const uint8_t sha[STORE_SHA_BYTES], struct str *ret)
{
	uint64_t users;

	return blob_read(t, sha, ret, &users);
}

int store_blob_release(struct store_txn *t, const uint8_t sha[STORE_SHA_BYTES])
{
	sl_auto_mem char *copy = NULL;
	uint64_t users;
	struct str old;
	int r = blob_read(t, sha, &old, &users);

	if (r != 0)
		return r == STORE_E_NONE ? 0 : r;
	copy = malloc(old.n + 1); /* the put may move the page that the bytes are in */
	if (copy == NULL)
		return -ENOMEM;
	memcpy(copy, old.p, old.n);
	return blob_write(t, sha, (struct str){copy, old.n}, users != 0 ? users - 1 : 0);
}

static bool blob_is_stale(const struct store_txn *t, const MDB_val *v)
{
	const uint8_t *p = v->mv_data;

	return v->mv_size >= BLOB_HEAD_BYTES && store_get_u64(p) == 0 &&
	       store_get_u64(p + 8) + BLOB_KEEP_GENERATIONS < t->generation;
}

int store_blob_sweep(struct store_txn *t)
{
	MDB_cursor *cursor;
	MDB_val k, v;
	int r = mdb_cursor_open(t->txn, t->store->blob, &cursor);

	if (r != 0)
		return store_fold(r);
	r = mdb_cursor_get(cursor, &k, &v, MDB_FIRST);
	while (r == 0) {
		if (blob_is_stale(t, &v))
			r = mdb_cursor_del(cursor, 0);
		if (r == 0)
			r = mdb_cursor_get(cursor, &k, &v, MDB_NEXT);
	}
	mdb_cursor_close(cursor);
	return r == MDB_NOTFOUND ? 0 : store_fold(r);
}
