/* SPDX-License-Identifier: Apache-2.0 */
#include "control/store.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <openssl/sha.h>

#include "base/buf.h"
#include "control/store_txn.h"

#define STORE_MAP_BYTES ((size_t)16 << 30)
#define STORE_HEAD_BYTES 12 /* version, length of the JSON */

int store_fold(int mdb_r)
{
	if (mdb_r == MDB_NOTFOUND)
		return STORE_E_NONE;
	if (mdb_r == MDB_MAP_FULL || mdb_r == MDB_TXN_FULL)
		return -ENOSPC;
	if (mdb_r < 0)
		return -EIO;
	return -mdb_r;
}

MDB_val store_val(const void *p, size_t n)
{
	union {
		const void *in;
		void *out;
	} u = {.in = p};

	return (MDB_val){.mv_size = n, .mv_data = u.out};
}

void store_put_u64(uint8_t *p, uint64_t v)
{
	for (int i = 7; i >= 0; i--, v >>= 8)
		p[i] = (uint8_t)v;
}

uint64_t store_get_u64(const uint8_t *p)
{
	uint64_t v = 0;

	for (int i = 0; i < 8; i++)
		v = v << 8 | p[i];
	return v;
}

void store_key(uint8_t kind, const char *id, uint8_t ret[STORE_KEY_BYTES])
{
	size_t n = strnlen(id, STORE_ID_BYTES);

	ret[0] = kind;
	memset(ret + 1, 0, STORE_ID_BYTES);
	memcpy(ret + 1, id, n);
}

void store_id_out(const uint8_t *key, char ret[UUID_TEXT_BYTES])
{
	memcpy(ret, key, STORE_ID_BYTES);
	ret[STORE_ID_BYTES] = '\0';
}

/* ---- opening ---- */

static int open_tables(struct store *s, MDB_txn *txn)
{
	int r = 0;

#define X(field, name) \
	if (r == 0) \
		r = mdb_dbi_open(txn, name, MDB_CREATE, &s->field);
	STORE_DBI_TABLE(X)
#undef X
	return r;
}

static int read_or_make_facts(struct store *s, struct store_txn *t, struct why *why)
{
	struct str v;
	uint8_t number[8];
	int r = store_note_get(t, "format", &v);

	if (r == STORE_E_NONE) {
		random_bytes(s->epoch, sizeof(s->epoch));
		store_put_u64(number, STORE_FORMAT);
		r = store_note_put(t, "format", (struct str){(char *)number, 8});
		if (r == 0)
			r = store_note_put(t, "epoch",
					(struct str){(char *)s->epoch, sizeof(s->epoch)});
		s->generation = 1; /* the empty configuration: a node may be brought to it */
		store_put_u64(number, s->generation);
		return r != 0 ? r
			      : store_note_put(t, "generation", (struct str){(char *)number, 8});
	}
	if (r != 0)
		return r;
	if (v.n != 8 || store_get_u64((const uint8_t *)v.p) != STORE_FORMAT) {
		why_set(why, NULL, 0,
				"the store was written by a newer version of sluice-control "
				"(format %llu, this one knows %d)",
				v.n == 8 ? (unsigned long long)store_get_u64((const uint8_t *)v.p)
					 : 0ULL,
				STORE_FORMAT);
		return -EPROTONOSUPPORT;
	}
	r = store_note_get(t, "epoch", &v);
	if (r != 0 || v.n != sizeof(s->epoch))
		return r < 0 ? r : -EIO;
	memcpy(s->epoch, v.p, sizeof(s->epoch));
	r = store_note_get(t, "generation", &v);
	if (r == 0 && v.n == 8)
		s->generation = store_get_u64((const uint8_t *)v.p);
	if (r >= 0)
		r = store_note_get(t, "digest", &v);
	if (r == 0 && v.n == sizeof(s->digest.sum))
		memcpy(s->digest.sum, v.p, v.n);
	else if (r >= 0)
		r = store_digest_compute(t, &s->digest);
	return r;
}

static int open_env(struct store *s, const char *dir, struct why *why)
{
	int r;

	if (mkdir(dir, 0700) != 0 && errno != EEXIST)
		return why_errno(why, errno, "cannot make the directory of the store %s", dir);
	r = mdb_env_create(&s->env);
	if (r == 0)
		r = mdb_env_set_maxdbs(s->env, 16);
	if (r == 0)
		r = mdb_env_set_mapsize(s->env, STORE_MAP_BYTES);
	if (r == 0)
		r = mdb_env_open(s->env, dir, MDB_NOTLS, 0600);
	if (r != 0) {
		why_set(why, dir, 0, "cannot open the store: %s", mdb_strerror(r));
		return store_fold(r) == 0 ? -EIO : err_fold(store_fold(r));
	}
	return 0;
}

static int open_contents(struct store *s, struct why *why)
{
	struct store_txn t = {.magic = STORE_TXN_MAGIC, .store = s, .is_write = true};
	int r = mdb_txn_begin(s->env, NULL, 0, &t.txn);

	if (r != 0) {
		why_set(why, NULL, 0, "cannot read the store: %s", mdb_strerror(r));
		return err_fold(store_fold(r));
	}
	r = store_fold(open_tables(s, t.txn));
	if (r == 0)
		r = read_or_make_facts(s, &t, why);
	if (r != 0) {
		mdb_txn_abort(t.txn);
		if (why->text[0] == '\0')
			why_set(why, NULL, 0, "the store is damaged");
		return err_fold(r);
	}
	r = mdb_txn_commit(t.txn);
	if (r != 0)
		why_set(why, NULL, 0, "cannot write the store: %s", mdb_strerror(r));
	return err_fold(store_fold(r));
}

int store_open(struct store **ret, const char *dir, struct why *why)
{
	sl_auto(store) s = calloc(1, sizeof(*s));
	struct why local = WHY_NONE;
	int r, stale;

	if (s == NULL)
		return why_errno(why, ENOMEM, "cannot open the store");
	s->magic = STORE_MAGIC;
	r = open_env(s, dir, &local);
	if (r == 0)
		mdb_reader_check(s->env, &stale);
	if (r == 0)
		r = open_contents(s, &local);
	if (r != 0) {
		why_set(why, local.file[0] != '\0' ? local.file : dir, 0, "%s", local.text);
		return r;
	}
	*ret = sl_steal(s);
	return 0;
}

void store_free(struct store *s)
{
	if (s == NULL)
		return;
	if (s->env != NULL)
		mdb_env_close(s->env);
	s->magic = 0;
	free(s);
}

const uint8_t *store_epoch(const struct store *s)
{
	return s->epoch;
}

uint64_t store_generation(const struct store *s)
{
	return s->generation;
}

/* ---- transactions ---- */

int store_begin(struct store *s, bool is_write, struct store_txn **ret, struct why *why)
{
	struct store_txn *t = calloc(1, sizeof(*t));
	int r;

	sl_check(s, STORE_MAGIC);
	if (t == NULL)
		return why_errno(why, ENOMEM, "cannot read the store");
	t->magic = STORE_TXN_MAGIC;
	t->store = s;
	t->is_write = is_write;
	t->generation = s->generation + (is_write ? 1 : 0);
	t->digest = s->digest;
	r = mdb_txn_begin(s->env, NULL, is_write ? 0 : MDB_RDONLY, &t->txn);
	if (r != 0) {
		free(t);
		why_set(why, NULL, 0, "cannot read the store: %s", mdb_strerror(r));
		return err_fold(store_fold(r));
	}
	*ret = t;
	return 0;
}

int store_commit(struct store_txn *t, struct why *why)
{
	struct store *s = t->store;
	uint64_t generation = t->generation;
	struct stream_digest digest = t->digest;
	bool is_changed = t->is_changed;
	uint8_t number[8];
	int r = 0;

	sl_check(t, STORE_TXN_MAGIC);
	if (is_changed) {
		store_put_u64(number, generation);
		r = store_note_put(t, "generation", (struct str){(char *)number, 8});
		if (r == 0)
			r = store_note_put(t, "digest",
					(struct str){(char *)digest.sum, sizeof(digest.sum)});
		if (r == 0)
			r = store_log_trim(t);
	}
	if (r == 0) {
		r = store_fold(mdb_txn_commit(t->txn));
		t->txn = NULL;
	}
	store_txn_free(t);
	if (r != 0)
		return why_errno(why, r < 0 ? -r : EIO, "cannot write the store");
	if (is_changed) {
		s->generation = generation;
		s->digest = digest;
	}
	return 0;
}

void store_txn_free(struct store_txn *t)
{
	if (t == NULL)
		return;
	sl_check(t, STORE_TXN_MAGIC);
	if (t->txn != NULL)
		mdb_txn_abort(t->txn);
	t->magic = 0;
	free(t);
}

uint64_t store_txn_generation(const struct store_txn *t)
{
	return t->generation;
}

bool store_txn_is_changed(const struct store_txn *t)
{
	return t->is_changed;
}

/* ---- entities ---- */

/* value: version, JSON length, JSON, spec */
static int entity_parse(const MDB_val *v, struct store_entity *ret)
{
	const uint8_t *p = v->mv_data;
	size_t json_n;

	if (v->mv_size < STORE_HEAD_BYTES)
		return -EIO;
	json_n = (size_t)p[8] << 24 | (size_t)p[9] << 16 | (size_t)p[10] << 8 | p[11];
	if (json_n > v->mv_size - STORE_HEAD_BYTES)
		return -EIO;
	ret->version = store_get_u64(p);
	ret->json = (struct str){(const char *)p + STORE_HEAD_BYTES, json_n};
	ret->spec = (struct str){ret->json.p + json_n, v->mv_size - STORE_HEAD_BYTES - json_n};
	return 0;
}

int store_get(struct store_txn *t, uint8_t kind, const char *id, struct store_entity *ret)
{
	uint8_t key[STORE_KEY_BYTES];
	MDB_val k, v;
	int r;

	store_key(kind, id, key);
	k = store_val(key, sizeof(key));
	r = store_fold(mdb_get(t->txn, t->store->entity, &k, &v));
	if (r != 0)
		return r;
	store_id_out(key + 1, ret->id);
	return entity_parse(&v, ret);
}

static int write_entity(struct store_txn *t, MDB_val *k, struct str json, struct str spec)
{
	MDB_val v = {.mv_size = STORE_HEAD_BYTES + json.n + spec.n};
	uint8_t *p;
	int r = mdb_put(t->txn, t->store->entity, k, &v, MDB_RESERVE);

	if (r != 0)
		return store_fold(r);
	p = v.mv_data;
	store_put_u64(p, t->generation);
	for (int i = 0; i < 4; i++)
		p[8 + i] = (uint8_t)(json.n >> (24 - 8 * i));
	memcpy(p + STORE_HEAD_BYTES, json.p, json.n);
	if (spec.n != 0)
		memcpy(p + STORE_HEAD_BYTES + json.n, spec.p, spec.n);
	return 0;
}

static void digest_forget(struct store_txn *t, uint8_t kind, const struct store_entity *old)
{
	uint8_t sha[STORE_SHA_BYTES];

	store_sha256(old->spec, sha);
	stream_digest_remove(&t->digest, kind, old->id, sha);
}

int store_put(struct store_txn *t, uint8_t kind, const char *id, struct str json, struct str spec)
{
	uint8_t key[STORE_KEY_BYTES], sha[STORE_SHA_BYTES];
	struct store_entity old;
	MDB_val k;
	int r;

	sl_check(t, STORE_TXN_MAGIC);
	r = store_get(t, kind, id, &old);
	if (r == 0 && str_eq(old.json, json) && str_eq(old.spec, spec))
		return 0;
	if (r < 0)
		return r;
	if (json.n > UINT32_MAX)
		return -EFBIG;
	if (r == 0)
		digest_forget(t, kind, &old);
	store_key(kind, id, key);
	k = store_val(key, sizeof(key));
	r = write_entity(t, &k, json, spec);
	if (r != 0)
		return r;
	store_sha256(spec, sha);
	stream_digest_add(&t->digest, kind, id, sha);
	return store_log_add(t, kind, id, false);
}

int store_remove(struct store_txn *t, uint8_t kind, const char *id)
{
	uint8_t key[STORE_KEY_BYTES];
	struct store_entity old;
	MDB_val k;
	int r;

	sl_check(t, STORE_TXN_MAGIC);
	r = store_get(t, kind, id, &old);
	if (r != 0)
		return r;
	digest_forget(t, kind, &old);
	store_key(kind, id, key);
	k = store_val(key, sizeof(key));
	r = store_fold(mdb_del(t->txn, t->store->entity, &k, NULL));
	return r != 0 ? r : store_log_add(t, kind, id, true);
}

int store_seek(struct store_txn *t, const struct store_seek *seek, MDB_val *ret_key,
		MDB_val *ret_value)
{
	MDB_cursor *cursor;
	int r = mdb_cursor_open(t->txn, seek->dbi, &cursor);

	if (r != 0)
		return store_fold(r);
	*ret_key = store_val(seek->key, seek->key_n);
	r = mdb_cursor_get(cursor, ret_key, ret_value, MDB_SET_RANGE);
	if (r == 0 && seek->is_above && ret_key->mv_size == seek->key_n &&
			memcmp(ret_key->mv_data, seek->key, seek->key_n) == 0)
		r = mdb_cursor_get(cursor, ret_key, ret_value, MDB_NEXT);
	mdb_cursor_close(cursor);
	if (r != 0)
		return store_fold(r);
	if (ret_key->mv_size < seek->prefix_n ||
			memcmp(ret_key->mv_data, seek->key, seek->prefix_n) != 0)
		return STORE_E_NONE;
	return 0;
}

int store_next(struct store_txn *t, uint8_t kind, const char *after, struct store_entity *ret)
{
	uint8_t key[STORE_KEY_BYTES];
	MDB_val k, v;
	int r;

	store_key(kind, after, key);
	r = store_seek(t,
			&(struct store_seek){.dbi = t->store->entity,
					.key = key,
					.key_n = sizeof(key),
					.prefix_n = 1,
					.is_above = true},
			&k, &v);
	if (r != 0)
		return r;
	if (k.mv_size != STORE_KEY_BYTES)
		return -EIO;
	store_id_out((const uint8_t *)k.mv_data + 1, ret->id);
	return entity_parse(&v, ret);
}

int store_walk(struct store_txn *t, uint8_t kind, const char *after, uint8_t *ret_kind,
		struct store_entity *ret)
{
	uint8_t key[STORE_KEY_BYTES];
	const struct store_seek seek = {.dbi = t->store->entity,
			.key = key,
			.key_n = sizeof(key),
			.is_above = true};
	MDB_val k, v;
	int r;

	store_key(kind, after, key);
	r = store_seek(t, &seek, &k, &v);
	if (r != 0)
		return r;
	if (k.mv_size != STORE_KEY_BYTES)
		return -EIO;
	*ret_kind = *(const uint8_t *)k.mv_data;
	store_id_out((const uint8_t *)k.mv_data + 1, ret->id);
	return entity_parse(&v, ret);
}

void store_sha256(struct str bytes, uint8_t ret[STORE_SHA_BYTES])
{
	SHA256((const unsigned char *)bytes.p, bytes.n, ret);
}
