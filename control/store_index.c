/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>

#include "control/store_txn.h"

/* Values are hashed: LMDB keys end at 511 bytes, names do not. */
#define UNIQUE_KEY_BYTES (2 + STORE_SHA_BYTES)
#define REF_PREFIX_BYTES (2 + STORE_ID_BYTES)
#define REF_KEY_BYTES (REF_PREFIX_BYTES + STORE_ID_BYTES)
#define TAG_PREFIX_BYTES (STORE_SHA_BYTES + 1)
#define TAG_KEY_BYTES (TAG_PREFIX_BYTES + STORE_ID_BYTES)

static int put(struct store_txn *t, MDB_dbi dbi, struct str key, struct str value)
{
	MDB_val k = store_val(key.p, key.n), v = store_val(value.p, value.n);

	return store_fold(mdb_put(t->txn, dbi, &k, &v, 0));
}

/* An entry that is not there is as good as removed. */
static int del(struct store_txn *t, MDB_dbi dbi, const void *key, size_t n)
{
	MDB_val k = store_val(key, n);
	int r = store_fold(mdb_del(t->txn, dbi, &k, NULL));

	return r == STORE_E_NONE ? 0 : r;
}

static void unique_key(uint8_t kind, uint8_t field, struct str value, uint8_t ret[UNIQUE_KEY_BYTES])
{
	ret[0] = kind;
	ret[1] = field;
	store_sha256(value, ret + 2);
}

int store_unique_get(struct store_txn *t, uint8_t kind, uint8_t field, struct str value,
		char ret_id[UUID_TEXT_BYTES])
{
	uint8_t key[UNIQUE_KEY_BYTES];
	MDB_val k, v;
	int r;

	unique_key(kind, field, value, key);
	k = store_val(key, sizeof(key));
	r = store_fold(mdb_get(t->txn, t->store->uniq, &k, &v));
	if (r != 0)
		return r;
	if (v.mv_size != STORE_ID_BYTES)
		return -EIO;
	store_id_out(v.mv_data, ret_id);
	return 0;
}

int store_unique_put(
		struct store_txn *t, uint8_t kind, uint8_t field, struct str value, const char *id)
{
	uint8_t key[UNIQUE_KEY_BYTES], id_key[STORE_KEY_BYTES];

	unique_key(kind, field, value, key);
	store_key(kind, id, id_key);
	return put(t, t->store->uniq, (struct str){(char *)key, sizeof(key)},
			(struct str){(char *)id_key + 1, STORE_ID_BYTES});
}

int store_unique_remove(struct store_txn *t, uint8_t kind, uint8_t field, struct str value)
{
	uint8_t key[UNIQUE_KEY_BYTES];

	unique_key(kind, field, value, key);
	return del(t, t->store->uniq, key, sizeof(key));
}

/* ---- foreign keys: kind, field, parent, child ---- */

static void ref_key(const struct store_ref *ref, const char *child, uint8_t ret[REF_KEY_BYTES])
{
	uint8_t id[STORE_KEY_BYTES];

	ret[0] = ref->kind;
	ret[1] = ref->field;
	store_key(0, ref->parent, id);
	memcpy(ret + 2, id + 1, STORE_ID_BYTES);
	store_key(0, child, id);
	memcpy(ret + REF_PREFIX_BYTES, id + 1, STORE_ID_BYTES);
}

int store_ref_put(struct store_txn *t, const struct store_ref *ref, const char *child)
{
	uint8_t key[REF_KEY_BYTES];

	ref_key(ref, child, key);
	return put(t, t->store->ref, (struct str){(char *)key, sizeof(key)}, STR(""));
}

int store_ref_remove(struct store_txn *t, const struct store_ref *ref, const char *child)
{
	uint8_t key[REF_KEY_BYTES];

	ref_key(ref, child, key);
	return del(t, t->store->ref, key, sizeof(key));
}

int store_ref_next(struct store_txn *t, const struct store_ref *ref, const char *after,
		char ret_child[UUID_TEXT_BYTES])
{
	uint8_t key[REF_KEY_BYTES];
	MDB_val k, v;
	int r;

	ref_key(ref, after, key);
	r = store_seek(t,
			&(struct store_seek){.dbi = t->store->ref,
					.key = key,
					.key_n = sizeof(key),
					.prefix_n = REF_PREFIX_BYTES,
					.is_above = true},
			&k, &v);
	if (r != 0)
		return r;
	if (k.mv_size != REF_KEY_BYTES)
		return -EIO;
	store_id_out((const uint8_t *)k.mv_data + REF_PREFIX_BYTES, ret_child);
	return 0;
}

/* ---- tags: sha256(tag), kind, id → tag ---- */

static void tag_key(struct str tag, uint8_t kind, const char *id, uint8_t ret[TAG_KEY_BYTES])
{
	store_sha256(tag, ret);
	store_key(kind, id, ret + STORE_SHA_BYTES);
}

int store_tag_put(struct store_txn *t, struct str tag, uint8_t kind, const char *id)
{
	uint8_t key[TAG_KEY_BYTES];

	tag_key(tag, kind, id, key);
	return put(t, t->store->tag, (struct str){(char *)key, sizeof(key)}, tag);
}

int store_tag_remove(struct store_txn *t, struct str tag, uint8_t kind, const char *id)
{
	uint8_t key[TAG_KEY_BYTES];

	tag_key(tag, kind, id, key);
	return del(t, t->store->tag, key, sizeof(key));
}

int store_tag_next(struct store_txn *t, struct str tag, uint8_t kind, const char *after,
		char ret_id[UUID_TEXT_BYTES])
{
	uint8_t key[TAG_KEY_BYTES];
	MDB_val k, v;
	int r;

	tag_key(tag, kind, after, key);
	r = store_seek(t,
			&(struct store_seek){.dbi = t->store->tag,
					.key = key,
					.key_n = sizeof(key),
					.prefix_n = TAG_PREFIX_BYTES,
					.is_above = true},
			&k, &v);
	if (r != 0)
		return r;
	if (k.mv_size != TAG_KEY_BYTES)
		return -EIO;
	store_id_out((const uint8_t *)k.mv_data + TAG_PREFIX_BYTES, ret_id);
	return 0;
}

int store_tag_walk(struct store_txn *t, struct store_tag_at *at)
{
	static const uint8_t first[1];
	bool is_first = at->key_n == 0;
	MDB_val k, v;
	int r;

	r = store_seek(t,
			&(struct store_seek){.dbi = t->store->tag,
					.key = is_first ? first : at->key,
					.key_n = is_first ? 1 : at->key_n,
					.is_above = !is_first},
			&k, &v);
	if (r != 0)
		return r;
	if (k.mv_size != TAG_KEY_BYTES)
		return -EIO;
	memcpy(at->key, k.mv_data, k.mv_size);
	at->key_n = k.mv_size;
	at->tag = (struct str){v.mv_data, v.mv_size};
	at->kind = at->key[STORE_SHA_BYTES];
	store_id_out(at->key + TAG_PREFIX_BYTES, at->id);
	return 0;
}
