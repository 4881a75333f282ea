/* SPDX-License-Identifier: Apache-2.0 */
#include "shm/snapshot.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/check.h"
#include "shm/snap_view.h"

#define SNAPSHOT_MAGIC SL_MAGIC('S', 'N', 'A', 'P')
#define SNAP_VIEW_MAGIC SL_MAGIC('V', 'I', 'E', 'W')

struct snapshot {
	uint32_t magic;
	struct snap_env env;
};

static int snapshot_check_lock(
		const struct snap_env *e, MDB_txn *txn, const char *dir, struct why *why)
{
	struct snap_lock writers, now;

	if (!snap_env_meta_fixed(e, txn, "lock", &writers, sizeof(writers)))
		return 0;
	if (snap_env_lock_file(dir, &now) == 0 && now.dev == writers.dev && now.ino == writers.ino)
		return 0;
	why_set(why, NULL, 0,
			"snapshot: %s/lock.mdb is not the one its writer uses (deleted, or the "
			"directory was copied); restart sluiced",
			dir);
	return -ESTALE;
}

static int snapshot_prepare(struct snapshot *s, const char *dir, struct why *why)
{
	MDB_txn *txn = NULL;
	int r;

	r = snap_env_error(mdb_txn_begin(s->env.mdb, NULL, MDB_RDONLY, &txn), "begin reading", why);
	if (r != 0)
		return r;
	r = snap_env_open_dbs(&s->env, txn, 0, why);
	if (r == 0)
		r = snap_env_check_format(&s->env, txn, why);
	if (r == 0)
		r = snapshot_check_lock(&s->env, txn, dir, why);
	if (r != 0) {
		mdb_txn_abort(txn);
		return r;
	}
	/* Aborting would take the handles back. */
	return snap_env_error(mdb_txn_commit(txn), "keep its databases", why);
}

int snapshot_open(struct snapshot **ret, const char *dir, struct why *why)
{
	sl_auto(snapshot) s = calloc(1, sizeof(*s));
	int r;

	if (s == NULL)
		return -ENOMEM;
	s->magic = SNAPSHOT_MAGIC;
	r = snap_env_open(&s->env, dir, MDB_RDONLY, 0, why);
	if (r == 0 && !snap_env_is_whole(&s->env)) {
		why_set(why, NULL, 0, "snapshot: %s/data.mdb is cut short", dir);
		r = SNAP_E_CORRUPT;
	}
	if (r == 0)
		r = snapshot_prepare(s, dir, why);
	if (r != 0)
		return r;
	*ret = sl_steal(s);
	return 0;
}

void snapshot_free(struct snapshot *s)
{
	if (s == NULL)
		return;
	sl_check(s, SNAPSHOT_MAGIC);
	snap_env_close(&s->env);
	s->magic = 0;
	free(s);
}

void snapshot_usage(const struct snapshot *s, uint64_t *ret_used, uint64_t *ret_map)
{
	sl_check(s, SNAPSHOT_MAGIC);
	snap_env_usage(&s->env, ret_used, ret_map);
}

int snapshot_view(struct snapshot *s, struct snap_view **ret, struct why *why)
{
	sl_check(s, SNAPSHOT_MAGIC);
	return snap_view_open(ret, &s->env, why);
}

static int view_load(struct snap_view *v)
{
	const struct snap_env *e = v->env;

	if (!snap_env_meta_fixed(e, v->txn, "state", &v->state, sizeof(v->state)) ||
			!snap_env_meta_fixed(
					e, v->txn, "summary", &v->summary, sizeof(v->summary)) ||
			v->state.generation == 0)
		return SNAP_E_NONE_YET;
	v->epoch = snap_env_meta(e, v->txn, "epoch");
	v->digest = snap_env_meta(e, v->txn, "digest");
	return 0;
}

int snap_view_open(struct snap_view **ret, const struct snap_env *e, struct why *why)
{
	struct snap_view *v;
	int r;

	sl_assert(e->pid == getpid());
	v = calloc(1, sizeof(*v));
	if (v == NULL)
		return -ENOMEM;
	v->magic = SNAP_VIEW_MAGIC;
	v->refs = 1;
	v->env = e;
	r = snap_env_error(mdb_txn_begin(e->mdb, NULL, MDB_RDONLY, &v->txn), "begin reading", why);
	if (r == 0 && !snap_env_is_whole(e)) {
		why_set(why, NULL, 0, "snapshot: the file was cut short while in use");
		r = -EIO;
	}
	if (r == 0)
		r = view_load(v);
	if (r == 0)
		r = snap_env_error(mdb_cursor_open(v->txn, e->db[SNAP_DB_ROUTE], &v->route),
				"read routes", why);
	if (r != 0) {
		snap_view_unref(v);
		return r;
	}
	*ret = v;
	return 0;
}

struct snap_view *snap_view_ref(struct snap_view *v)
{
	sl_check(v, SNAP_VIEW_MAGIC);
	v->refs++;
	return v;
}

void snap_view_unref(struct snap_view *v)
{
	if (v == NULL)
		return;
	sl_check(v, SNAP_VIEW_MAGIC);
	if (--v->refs != 0)
		return;
	if (v->route != NULL)
		mdb_cursor_close(v->route);
	if (v->txn != NULL)
		mdb_txn_abort(v->txn);
	v->magic = 0;
	free(v);
}

uint64_t snap_view_generation(const struct snap_view *v)
{
	sl_check(v, SNAP_VIEW_MAGIC);
	return v->state.generation;
}

uint64_t snap_view_commit(const struct snap_view *v)
{
	sl_check(v, SNAP_VIEW_MAGIC);
	return mdb_txn_id(v->txn);
}

struct str snap_view_epoch(const struct snap_view *v)
{
	sl_check(v, SNAP_VIEW_MAGIC);
	return v->epoch;
}

struct str snap_view_digest(const struct snap_view *v)
{
	sl_check(v, SNAP_VIEW_MAGIC);
	return v->digest;
}

struct str snap_view_find(const struct snap_view *v, enum snap_db db, struct snap_key *key)
{
	MDB_val k = snap_key_val(key), value;

	sl_check(v, SNAP_VIEW_MAGIC);
	if (key->is_too_long || mdb_get(v->txn, v->env->db[db], &k, &value) != 0)
		return STR_NONE;
	return snap_str(value);
}

/* "u64 version, record" apart. */
static struct str record_split(struct str value, uint64_t *ret_version)
{
	*ret_version = 0;
	if (value.n < sizeof(uint64_t))
		return STR_NONE;
	memcpy(ret_version, value.p, sizeof(uint64_t));
	return str_from(value, sizeof(uint64_t));
}

static struct str record_find(
		const struct snap_view *v, uint32_t kind, struct str id, uint64_t *ret_version)
{
	struct snap_key key;

	snap_key_record(&key, kind, id);
	return record_split(snap_view_find(v, SNAP_DB_RECORD, &key), ret_version);
}

struct str snap_get(const struct snap_view *v, uint32_t kind, struct str id)
{
	uint64_t version;

	return record_find(v, kind, id, &version);
}

struct str snap_get_by_name(const struct snap_view *v, uint32_t kind, struct str name)
{
	struct snap_key key;
	struct str id;

	snap_key_record(&key, kind, name);
	id = snap_view_find(v, SNAP_DB_NAME, &key);
	return id.n != 0 ? snap_get(v, kind, id) : STR_NONE;
}

struct str snap_get_by_field(
		const struct snap_view *v, uint32_t kind, enum snap_field field, struct str value)
{
	struct snap_key key;
	struct str id;

	snap_key_field(&key, kind, (uint8_t)field, value);
	id = snap_view_find(v, SNAP_DB_NAME, &key);
	return id.n != 0 ? snap_get(v, kind, id) : STR_NONE;
}

/* The ids of every name that begins with start. */
static void each_name(const struct snap_view *v, struct snap_key *start, snap_id_fn *fn, void *arg)
{
	MDB_val key = snap_key_val(start), value;
	MDB_cursor *c = NULL;
	int rc;

	if (mdb_cursor_open(v->txn, v->env->db[SNAP_DB_NAME], &c) != 0)
		return;
	rc = mdb_cursor_get(c, &key, &value, MDB_SET_RANGE);
	for (; rc == 0; rc = mdb_cursor_get(c, &key, &value, MDB_NEXT)) {
		struct str prefix = {(const char *)start->bytes, start->n};

		if (!str_starts(snap_str(key), prefix) || !fn(arg, snap_str(value)))
			break;
	}
	mdb_cursor_close(c);
}

void snap_each_by_folded_name(const struct snap_view *v, uint32_t kind, struct str name,
		snap_id_fn *fn, void *arg)
{
	struct snap_key start;

	sl_check(v, SNAP_VIEW_MAGIC);
	snap_key_folded(&start, kind, name, STR_NONE);
	each_name(v, &start, fn, arg);
}

void snap_each_child(const struct snap_view *v, uint32_t kind, struct str parent, snap_id_fn *fn,
		void *arg)
{
	struct snap_key start;

	sl_check(v, SNAP_VIEW_MAGIC);
	snap_key_child(&start, kind, parent, STR_NONE);
	each_name(v, &start, fn, arg);
}

uint64_t snap_version(const struct snap_view *v, uint32_t kind, struct str id)
{
	uint64_t version;

	record_find(v, kind, id, &version);
	return version;
}

struct str snap_blob(const struct snap_view *v, const uint8_t sha256[32])
{
	struct str hash = {(const char *)sha256, 32};
	MDB_val key = snap_val(hash), value;

	sl_check(v, SNAP_VIEW_MAGIC);
	if (mdb_get(v->txn, v->env->db[SNAP_DB_BLOB], &key, &value) != 0)
		return STR_NONE;
	return snap_str(value);
}

void snap_each(const struct snap_view *v, uint32_t kind, snap_each_fn *fn, void *arg)
{
	uint8_t tag = (uint8_t)kind;
	MDB_val key = {1, &tag}, value;
	MDB_cursor *c = NULL;
	uint64_t version;
	int rc;

	sl_check(v, SNAP_VIEW_MAGIC);
	if (mdb_cursor_open(v->txn, v->env->db[SNAP_DB_RECORD], &c) != 0)
		return;
	rc = mdb_cursor_get(c, &key, &value, MDB_SET_RANGE);
	for (; rc == 0; rc = mdb_cursor_get(c, &key, &value, MDB_NEXT)) {
		struct str id = snap_str(key), record;

		if (id.n == 0 || (uint8_t)id.p[0] != tag)
			break;
		record = record_split(snap_str(value), &version);
		if (!fn(arg, str_from(id, 1), version, record))
			break;
	}
	mdb_cursor_close(c);
}

uint64_t snap_count(const struct snap_view *v, uint32_t kind)
{
	sl_check(v, SNAP_VIEW_MAGIC);
	return kind < SNAP_KINDS ? v->state.counts[kind] : 0;
}

struct str snap_instance(const struct snap_view *v, struct str plugin, struct str route_id,
		struct str service_id, struct str consumer_id)
{
	struct snap_key key;

	snap_key_instance(&key, plugin, route_id, service_id, consumer_id);
	return snap_view_find(v, SNAP_DB_INSTANCE, &key);
}

struct str snap_group_instance(const struct snap_view *v, struct str plugin, struct str route_id,
		struct str service_id, struct str group_id)
{
	struct snap_key key;

	snap_key_group_instance(&key, plugin, route_id, service_id, group_id);
	return snap_view_find(v, SNAP_DB_INSTANCE, &key);
}

bool snap_has_instance(const struct snap_view *v, struct str plugin)
{
	struct snap_key prefix;
	MDB_val key, value;
	MDB_cursor *c = NULL;
	bool has;

	sl_check(v, SNAP_VIEW_MAGIC);
	snap_key_instances(&prefix, plugin);
	key = (MDB_val){prefix.n, prefix.bytes};
	if (mdb_cursor_open(v->txn, v->env->db[SNAP_DB_INSTANCE], &c) != 0)
		return false;
	has = mdb_cursor_get(c, &key, &value, MDB_SET_RANGE) == 0 &&
	      str_starts(snap_str(key), (struct str){(const char *)prefix.bytes, prefix.n});
	mdb_cursor_close(c);
	return has;
}

bool snap_has_consumer_scope(const struct snap_view *v, struct str plugin)
{
	struct snap_key key;

	snap_key_consumer_scope(&key, plugin);
	return snap_view_find(v, SNAP_DB_INSTANCE, &key).n != 0;
}

bool snap_has_group_scope(const struct snap_view *v, struct str plugin)
{
	struct snap_key key;

	snap_key_group_scope(&key, plugin);
	return snap_view_find(v, SNAP_DB_INSTANCE, &key).n != 0;
}

bool snap_refusal_parse(struct str value, struct snap_refusal *ret)
{
	struct refusal_head head;
	uint64_t texts;

	if (value.n < sizeof(head))
		return false;
	memcpy(&head, value.p, sizeof(head));
	value = str_from(value, sizeof(head));
	texts = (uint64_t)head.code_n + head.file_n + head.text_n;
	if (texts != value.n && texts + SNAP_SHA_BYTES != value.n)
		return false;
	ret->version = head.version;
	ret->line = head.line;
	ret->code = str_head(value, head.code_n);
	ret->file = str_head(str_from(value, head.code_n), head.file_n);
	ret->text = str_head(str_from(value, (size_t)head.code_n + head.file_n), head.text_n);
	ret->spec_sha256 = str_from(value, texts);
	return true;
}

bool snap_refusal(const struct snap_view *v, uint32_t kind, struct str id, struct snap_refusal *ret)
{
	struct snap_key key;

	snap_key_record(&key, kind, id);
	return snap_refusal_parse(snap_view_find(v, SNAP_DB_REFUSAL, &key), ret);
}

void snap_each_refusal(const struct snap_view *v, snap_refusal_fn *fn, void *arg)
{
	MDB_val key, value;
	MDB_cursor *c = NULL;
	struct snap_refusal refusal;
	int rc;

	sl_check(v, SNAP_VIEW_MAGIC);
	if (mdb_cursor_open(v->txn, v->env->db[SNAP_DB_REFUSAL], &c) != 0)
		return;
	rc = mdb_cursor_get(c, &key, &value, MDB_FIRST);
	for (; rc == 0; rc = mdb_cursor_get(c, &key, &value, MDB_NEXT)) {
		struct str id = snap_str(key);

		if (id.n != 0 && snap_refusal_parse(snap_str(value), &refusal) &&
				!fn(arg, (uint8_t)id.p[0], &refusal))
			break;
	}
	mdb_cursor_close(c);
}
