/* SPDX-License-Identifier: Apache-2.0
 *
 * What is where in the snapshot's LMDB environment: shared by its reader and writer, and
 * by nobody else.  Numbers are in the machine's byte order unless said otherwise.
 *
 *	meta      "format" u32 · "state" struct snap_state · "summary" struct route_summary ·
 *	          "epoch" · "digest" · "lock" struct snap_lock
 *	record    kind, id                        → u64 version, record
 *	name      kind, name                      → id
 *	          0x80 | kind, field, value       → id
 *	          0x80 | kind, 'f' name, in lower case, NUL id → id
 *	          0x80 | kind, 'p' parent, NUL id → id
 *	blob      sha256                          → bytes
 *	route     'p' host-hash path NUL id …     → struct route_entry
 *	          'r' host-hash id path-hash      → struct route_entry (regex paths)
 *	          's' service id NUL route id     → (empty)
 *	instance  'i' plugin NUL route NUL service NUL consumer → id
 *	          'i' plugin NUL route NUL service NUL NUL group → id
 *	          'g' plugin                      → u32 enabled instances scoped by a group
 *	          'c' plugin                      → u32 enabled instances scoped by a consumer
 *	refusal   kind, id                        → struct refusal_head, code, file, text,
 *spec_sha256
 */
#pragma once

#include <lmdb.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/str.h"

#define SNAP_KEY_MAX 511  /* LMDB's */
#define SNAP_ID_MAX 96    /* bytes of an id */
#define SNAP_NAME_MAX 200 /* bytes of a name that is looked up */
#define SNAP_SHA_BYTES 32
#define SNAP_KINDS 32 /* room for kinds 1 … 31 */

/* X(constant, name of the LMDB database) */
#define SNAP_DB_TABLE(X) \
	X(META, "meta") \
	X(RECORD, "record") \
	X(NAME, "name") \
	X(BLOB, "blob") \
	X(ROUTE, "route") \
	X(INSTANCE, "instance") \
	X(REFUSAL, "refusal")

enum snap_db {
#define X(id, name) SNAP_DB_##id,
	SNAP_DB_TABLE(X)
#undef X
			SNAP_DBS
};

/* Counts and, per database, the sum over all entries of snap_hash_entry(): what a walk
 * must find again.  Blobs are checked by their own sha256. */
struct snap_state {
	uint64_t generation;
	uint64_t counts[SNAP_KINDS];
	uint64_t sums[SNAP_DBS];
};

/* Which lock file the writer uses. */
struct snap_lock {
	uint64_t dev, ino;
};

/* Which host patterns exist, so that a look-up skips those that do not. */
#define ROUTE_LABELS 16
struct route_summary {
	uint32_t any_host, exact, with_port, regex;
	uint32_t suffix[ROUTE_LABELS]; /* `*.a.b`: by labels behind the star; the last: or more */
	uint32_t prefix[ROUTE_LABELS]; /* `a.b.*` */
};

#define ROUTE_PATH_KEY_MAX 300 /* longer paths are cut in the key, whole in the entry */

enum { ROUTE_IS_REGEX = 1, ROUTE_HOST_IS_SET = 2, ROUTE_HOST_IS_WILDCARD = 4 };

/* Then id, host pattern, path. */
struct route_entry {
	uint64_t priority;
	int64_t created_at;
	uint32_t path_n;
	uint16_t host_n;
	uint8_t id_n;
	uint8_t flags;
};
_Static_assert(sizeof(struct route_entry) == 24, "no padding in the file");

struct refusal_head {
	uint64_t version;
	uint32_t line, code_n, file_n, text_n;
};
_Static_assert(sizeof(struct refusal_head) == 24, "no padding in the file");

struct snap_key {
	uint8_t bytes[SNAP_KEY_MAX];
	bool is_too_long;
	size_t n;
};

static inline void snap_key_begin(struct snap_key *k, uint8_t tag)
{
	k->bytes[0] = tag;
	k->n = 1;
	k->is_too_long = false;
}

static inline void snap_key_add(struct snap_key *k, struct str s)
{
	if (s.n > SNAP_KEY_MAX - k->n) {
		k->is_too_long = true;
		return;
	}
	if (s.n != 0)
		memcpy(k->bytes + k->n, s.p, s.n);
	k->n += s.n;
}

/* Most significant byte first, so that keys of one hash stay together and in order. */
static inline void snap_key_add_u64(struct snap_key *k, uint64_t v)
{
	char be[8];

	v = __builtin_bswap64(v);
	memcpy(be, &v, sizeof(be));
	snap_key_add(k, (struct str){be, sizeof(be)});
}

static inline void snap_key_add_z(struct snap_key *k, struct str s)
{
	snap_key_add(k, s);
	snap_key_add(k, (struct str){"", 1});
}

static inline MDB_val snap_key_val(struct snap_key *k)
{
	return (MDB_val){k->n, k->bytes};
}

static inline MDB_val snap_val(struct str s)
{
	return (MDB_val){s.n, (void *)(uintptr_t)s.p};
}

static inline struct str snap_str(MDB_val v)
{
	return (struct str){v.mv_data, v.mv_size};
}

/* Not against attackers: against bad disks, and to spread keys.  What is found by it is
 * compared in full. */
static inline uint64_t snap_hash(uint64_t h, struct str s)
{
	const uint64_t k = 0x9e3779b97f4a7c15;
	uint64_t word;
	size_t i = 0;

	h ^= s.n * k;
	for (; i + 8 <= s.n; i += 8) {
		memcpy(&word, s.p + i, 8);
		h = (h ^ word) * k;
		h ^= h >> 32;
	}
	word = 0;
	if (i < s.n)
		memcpy(&word, s.p + i, s.n - i);
	h = (h ^ word) * k;
	return h ^ h >> 29;
}

static inline uint64_t snap_hash_entry(struct str key, struct str value)
{
	return snap_hash(snap_hash(1, key), value);
}

static inline void snap_key_record(struct snap_key *k, uint32_t kind, struct str id)
{
	snap_key_begin(k, (uint8_t)kind);
	snap_key_add(k, id);
}

/* Of a longer one the beginning and a hash. */
static inline void snap_key_value(struct snap_key *k, struct str value)
{
	snap_key_add(k, value.n > SNAP_NAME_MAX ? str_head(value, SNAP_NAME_MAX) : value);
	if (value.n > SNAP_NAME_MAX)
		snap_key_add_u64(k, snap_hash(3, value));
}

/* field: enum snap_field */
static inline void snap_key_field(
		struct snap_key *k, uint32_t kind, uint8_t field, struct str value)
{
	snap_key_begin(k, (uint8_t)(0x80 | kind));
	snap_key_add(k, (struct str){(const char *)&field, 1});
	snap_key_value(k, value);
}

/* Without an id: where all of that parent begin. */
static inline void snap_key_child(
		struct snap_key *k, uint32_t kind, struct str parent, struct str id)
{
	snap_key_field(k, kind, 'p', parent);
	snap_key_add_z(k, STR_NONE);
	snap_key_add(k, id);
}

/* Without an id: where all of that name begin. */
static inline void snap_key_folded(
		struct snap_key *k, uint32_t kind, struct str name, struct str id)
{
	snap_key_field(k, kind, 'f', name);
	for (size_t i = 2; i < k->n; i++)
		if (k->bytes[i] >= 'A' && k->bytes[i] <= 'Z')
			k->bytes[i] = (uint8_t)(k->bytes[i] + ('a' - 'A'));
	snap_key_add_z(k, STR_NONE);
	snap_key_add(k, id);
}

static inline void snap_key_instance(struct snap_key *k, struct str plugin, struct str route,
		struct str service, struct str consumer)
{
	snap_key_begin(k, 'i');
	snap_key_add_z(k, plugin);
	snap_key_add_z(k, route);
	snap_key_add_z(k, service);
	snap_key_add(k, consumer);
}

/* No key of a consumer's instance ends so: ids hold no NUL. */
static inline void snap_key_group_instance(struct snap_key *k, struct str plugin, struct str route,
		struct str service, struct str group)
{
	snap_key_instance(k, plugin, route, service, STR_NONE);
	snap_key_add_z(k, STR_NONE);
	snap_key_add(k, group);
}

static inline void snap_key_group_scope(struct snap_key *k, struct str plugin)
{
	snap_key_begin(k, 'g');
	snap_key_add(k, plugin);
}

/* Where every key of the plugin's instances begins. */
static inline void snap_key_instances(struct snap_key *k, struct str plugin)
{
	snap_key_begin(k, 'i');
	snap_key_add_z(k, plugin);
}

static inline void snap_key_consumer_scope(struct snap_key *k, struct str plugin)
{
	snap_key_begin(k, 'c');
	snap_key_add(k, plugin);
}

/* Where every path of a host pattern begins. */
static inline void snap_key_host(struct snap_key *k, uint8_t tag, struct str pattern)
{
	snap_key_begin(k, tag);
	snap_key_add_u64(k, snap_hash(2, pattern));
}
