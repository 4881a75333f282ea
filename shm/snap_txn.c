/* SPDX-License-Identifier: Apache-2.0 */
#include "shm/snap_txn.h"

#include <errno.h>
#include <stdlib.h>

#include "base/check.h"
#include "shm/snap_record.h"
#include "shm/snap_view.h"
#include "shm/snap_writer.h"

#define SNAP_TXN_MAGIC SL_MAGIC('S', 'T', 'X', 'N')

int snap_txn_begin(struct snapshot_writer *w, struct snap_txn **ret, struct why *why)
{
	struct snap_txn *t;
	int r;

	sl_check(w, SNAPSHOT_WRITER_MAGIC);
	if (w->txn != NULL) {
		why_set(why, NULL, 0, "snapshot: a transaction is open already");
		return -EBUSY;
	}
	t = calloc(1, sizeof(*t));
	if (t == NULL)
		return -ENOMEM;
	r = snap_env_error(mdb_txn_begin(w->env.mdb, NULL, 0, &t->mdb), "begin writing", why);
	if (r != 0) {
		free(t);
		return r;
	}
	t->magic = SNAP_TXN_MAGIC;
	t->writer = w;
	snap_env_meta_fixed(&w->env, t->mdb, "state", &t->state, sizeof(t->state));
	snap_env_meta_fixed(&w->env, t->mdb, "summary", &t->summary, sizeof(t->summary));
	w->txn = t;
	*ret = t;
	return 0;
}

void snap_txn_free(struct snap_txn *t)
{
	if (t == NULL)
		return;
	sl_check(t, SNAP_TXN_MAGIC);
	if (t->mdb != NULL)
		mdb_txn_abort(t->mdb);
	t->writer->txn = NULL;
	t->magic = 0;
	free(t);
}

static int txn_result(struct snap_txn *t, int rc, const char *what, struct why *why)
{
	int r = snap_env_error(rc, what, why);

	if (r != 0 && t->failed == 0)
		t->failed = r;
	return r;
}

int snap_txn_store(struct snap_txn *t, enum snap_db db, struct snap_key *key, struct str value,
		bool *ret_is_new, struct why *why)
{
	MDB_val k = snap_key_val(key), old = snap_val(value), fresh = old;
	bool is_new;
	int rc;

	sl_check(t, SNAP_TXN_MAGIC);
	if (key->is_too_long) {
		why_set(why, NULL, 0, "snapshot: an id or name is longer than the index can hold");
		return -EINVAL;
	}
	rc = mdb_put(t->mdb, t->writer->env.db[db], &k, &old, MDB_NOOVERWRITE);
	is_new = rc != MDB_KEYEXIST;
	if (!is_new) {
		t->state.sums[db] -= snap_hash_entry(snap_str(k), snap_str(old));
		rc = mdb_put(t->mdb, t->writer->env.db[db], &k, &fresh, 0);
	}
	t->state.sums[db] += snap_hash_entry(snap_str(k), value);
	if (ret_is_new != NULL)
		*ret_is_new = is_new;
	return txn_result(t, rc, "store an entry", why);
}

int snap_txn_drop(struct snap_txn *t, enum snap_db db, struct snap_key *key, bool *ret_existed,
		struct why *why)
{
	struct str old = snap_txn_find(t, db, key);
	MDB_val k = snap_key_val(key);

	if (ret_existed != NULL)
		*ret_existed = old.p != NULL;
	if (old.p == NULL)
		return 0;
	t->state.sums[db] -= snap_hash_entry(snap_str(k), old);
	return txn_result(
			t, mdb_del(t->mdb, t->writer->env.db[db], &k, NULL), "drop an entry", why);
}

struct str snap_txn_find(struct snap_txn *t, enum snap_db db, struct snap_key *key)
{
	MDB_val k = snap_key_val(key), value;

	sl_check(t, SNAP_TXN_MAGIC);
	if (key->is_too_long || mdb_get(t->mdb, t->writer->env.db[db], &k, &value) != 0)
		return STR_NONE;
	return snap_str(value);
}

int snap_txn_clear(struct snap_txn *t, struct why *why)
{
	sl_check(t, SNAP_TXN_MAGIC);
	for (int db = 0; db < SNAP_DBS; db++) {
		int rc;

		if (db == SNAP_DB_META || db == SNAP_DB_BLOB)
			continue;
		rc = mdb_drop(t->mdb, t->writer->env.db[db], 0);
		if (rc != 0)
			return txn_result(t, rc, "clear a database", why);
	}
	t->state = (struct snap_state){.generation = t->state.generation};
	t->summary = (struct route_summary){.exact = 0};
	t->is_code_changed = true;
	return 0;
}

static bool is_key(uint32_t kind, struct str id)
{
	return kind >= 1 && kind <= UINT8_MAX && id.n != 0 && id.n <= SNAP_ID_MAX &&
	       str_find_char(id, '\0') < 0;
}

static bool is_known(uint32_t kind, struct str id)
{
	return snap_record_kind(kind) != NULL && is_key(kind, id);
}

static int refuse_id(uint32_t kind, struct str id, struct why *why)
{
	why_set(why, NULL, 0, "no record can have kind %u and an id of %zu bytes (1 to %d)", kind,
			id.n, SNAP_ID_MAX);
	return -EINVAL;
}

static int store_record(struct snap_txn *t, uint32_t kind, struct str id, uint64_t version,
		struct str record, struct why *why)
{
	struct buf *value = &t->writer->scratch;
	struct snap_key key;
	bool is_new = false;
	int r;

	buf_clear(value);
	buf_add(value, &version, sizeof(version));
	buf_add_str(value, record);
	if (value->is_failed)
		return -ENOMEM;
	snap_key_record(&key, kind, id);
	r = snap_txn_store(t, SNAP_DB_RECORD, &key, buf_str(value), &is_new, why);
	t->state.counts[kind] += is_new;
	return r;
}

static int drop_refusal(struct snap_txn *t, uint32_t kind, struct str id, struct why *why)
{
	struct snap_key key;

	snap_key_record(&key, kind, id);
	return snap_txn_drop(t, SNAP_DB_REFUSAL, &key, NULL, why);
}

/* The record as parsed, NULL when absent.  What the writer stored parses. */
static int find_parsed(struct snap_txn *t, uint32_t kind, struct str id, ProtobufCMessage **ret)
{
	uint64_t version;
	struct str record = snap_txn_get(t, kind, id, &version);

	*ret = NULL;
	return record.p == NULL ? 0 : snap_record_parse(kind, record, ret, NULL);
}

int snap_txn_put(struct snap_txn *t, uint32_t kind, struct str id, uint64_t version,
		struct str record, struct why *why)
{
	const struct snap_record_kind *k = snap_record_kind(kind);
	sl_auto_message ProtobufCMessage *fresh = NULL, *old = NULL;
	struct str known;
	uint64_t old_version;
	int r;

	sl_check(t, SNAP_TXN_MAGIC);
	if (!is_known(kind, id))
		return refuse_id(kind, id, why);
	r = snap_record_parse(kind, record, &fresh, why);
	if (r == 0)
		r = drop_refusal(t, kind, id, why);
	if (r != 0)
		return r;
	known = snap_txn_get(t, kind, id, &old_version);
	if (known.p != NULL && str_eq(known, record))
		return store_record(t, kind, id, version, record, why);
	t->is_code_changed |= k->is_code;
	r = find_parsed(t, kind, id, &old);
	if (r == 0 && old != NULL)
		r = snap_record_unindex(t, kind, id, old, why);
	if (r == 0)
		r = store_record(t, kind, id, version, record, why);
	return r == 0 ? snap_record_index(t, kind, id, fresh, why) : r;
}

int snap_txn_delete(struct snap_txn *t, uint32_t kind, struct str id, struct why *why)
{
	const struct snap_record_kind *k = snap_record_kind(kind);
	sl_auto_message ProtobufCMessage *old = NULL;
	struct snap_key key;
	int r;

	sl_check(t, SNAP_TXN_MAGIC);
	if (!is_key(kind, id))
		return refuse_id(kind, id, why);
	r = drop_refusal(t, kind, id, why);
	if (k == NULL)
		return r;
	if (r == 0)
		r = find_parsed(t, kind, id, &old);
	if (r != 0 || old == NULL)
		return r;
	t->is_code_changed |= k->is_code;
	t->state.counts[kind]--;
	snap_key_record(&key, kind, id);
	r = snap_txn_drop(t, SNAP_DB_RECORD, &key, NULL, why);
	return r == 0 ? snap_record_unindex(t, kind, id, old, why) : r;
}

int snap_txn_refuse(struct snap_txn *t, uint32_t kind, struct str id,
		const struct snap_refusal *refusal, struct why *why)
{
	struct buf *value = &t->writer->scratch;
	struct refusal_head head = {
			.version = refusal->version,
			.line = refusal->line,
			.code_n = (uint32_t)refusal->code.n,
			.file_n = (uint32_t)refusal->file.n,
			.text_n = (uint32_t)refusal->text.n,
	};
	struct snap_key key;

	sl_check(t, SNAP_TXN_MAGIC);
	if (!is_key(kind, id))
		return refuse_id(kind, id, why);
	buf_clear(value);
	buf_add(value, &head, sizeof(head));
	buf_add_str(value, refusal->code);
	buf_add_str(value, refusal->file);
	buf_add_str(value, refusal->text);
	buf_add_str(value, refusal->spec_sha256);
	if (value->is_failed)
		return -ENOMEM;
	snap_key_record(&key, kind, id);
	return snap_txn_store(t, SNAP_DB_REFUSAL, &key, buf_str(value), NULL, why);
}

struct str snap_txn_get(struct snap_txn *t, uint32_t kind, struct str id, uint64_t *ret_version)
{
	struct snap_key key;
	struct str value;

	*ret_version = 0;
	snap_key_record(&key, kind, id);
	value = snap_txn_find(t, SNAP_DB_RECORD, &key);
	if (value.n < sizeof(*ret_version))
		return STR_NONE;
	memcpy(ret_version, value.p, sizeof(*ret_version));
	return str_from(value, sizeof(*ret_version));
}

bool snap_txn_refusal(struct snap_txn *t, uint32_t kind, struct str id, struct snap_refusal *ret)
{
	struct snap_key key;

	snap_key_record(&key, kind, id);
	return snap_refusal_parse(snap_txn_find(t, SNAP_DB_REFUSAL, &key), ret);
}

uint64_t snap_meta_sum(const struct snap_state *state, const struct route_summary *summary,
		struct str epoch, struct str digest)
{
	struct snap_state rest = *state;
	uint64_t h;

	rest.sums[SNAP_DB_META] = 0;
	h = snap_hash(3, (struct str){(const char *)&rest, sizeof(rest)});
	h = snap_hash(h, (struct str){(const char *)summary, sizeof(*summary)});
	return snap_hash(snap_hash(h, epoch), digest);
}

static int put_meta(struct snap_txn *t, const char *name, const void *p, size_t n, struct why *why)
{
	MDB_val key = snap_val(str_of(name)), value = {n, (void *)(uintptr_t)p};

	return txn_result(t, mdb_put(t->mdb, t->writer->env.db[SNAP_DB_META], &key, &value, 0),
			"stamp the generation", why);
}

static int stamp(struct snap_txn *t, struct str epoch, struct str digest, struct why *why)
{
	int r;

	t->state.sums[SNAP_DB_META] = snap_meta_sum(&t->state, &t->summary, epoch, digest);
	r = put_meta(t, "state", &t->state, sizeof(t->state), why);
	if (r == 0)
		r = put_meta(t, "summary", &t->summary, sizeof(t->summary), why);
	if (r == 0)
		r = put_meta(t, "epoch", epoch.p, epoch.n, why);
	if (r == 0)
		r = put_meta(t, "digest", digest.p, digest.n, why);
	return r;
}

int snap_txn_commit(struct snap_txn *t, struct str epoch, uint64_t generation, struct str digest,
		struct why *why)
{
	MDB_txn *mdb;
	int r = 0;

	sl_check(t, SNAP_TXN_MAGIC);
	if (generation == 0) {
		why_set(why, NULL, 0, "snapshot: generations are counted from 1");
		return -EINVAL;
	}
	if (t->failed != 0 || t->mdb == NULL) {
		why_set(why, NULL, 0, "snapshot: the transaction failed before");
		return t->failed != 0 ? t->failed : -EINVAL;
	}
	if (t->is_code_changed || t->writer->has_loose_blobs)
		r = snap_blob_collect(t, why);
	t->state.generation = generation;
	if (r == 0)
		r = stamp(t, epoch, digest, why);
	if (r != 0)
		return r;
	mdb = sl_steal(t->mdb); /* gone after commit, whatever it returns */
	r = snap_env_commit(&t->writer->env, mdb, "commit the generation", why);
	if (r != 0)
		t->failed = r;
	else
		t->writer->has_loose_blobs = false;
	return r;
}
