/* SPDX-License-Identifier: Apache-2.0 */
#include "shm/route_index_write.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "shm/snap_writer.h"

#define HOST_PATTERN_MAX 262 /* 255 and ":65535" */
#define CANDIDATES_MAX 65536
#define PATH_BYTES_MAX 65536

/* One (route, host pattern, path): one key. */
struct candidate {
	struct str id, host, path;
	uint64_t priority;
	int64_t created_at;
	uint8_t flags;
};

uint64_t route_priority(const Sluice__Record__Route *r, const char *path)
{
	int kinds = (r->n_methods != 0U) + (r->n_hosts != 0U) + (r->n_paths != 0U) +
		    (r->n_headers != 0U) + (r->n_snis != 0U) + (r->n_sources != 0U) +
		    (r->n_destinations != 0U);
	uint64_t headers = r->n_headers < 255 ? r->n_headers : 255;
	bool is_plain = r->n_hosts != 0, is_regex = path != NULL && path[0] == '~';
	uint64_t length = path != NULL && !is_regex ? strlen(path) & 0x7ffff : 0;
	int64_t order = r->regex_priority;
	uint64_t regex_priority = order < 0 ? 0 : order > UINT32_MAX ? UINT32_MAX : (uint64_t)order;

	for (size_t i = 0; i < r->n_hosts; i++)
		is_plain = is_plain && strchr(r->hosts[i], '*') == NULL;
	return (uint64_t)kinds << 61 | (uint64_t)is_plain << 60 | headers << 52 |
	       (uint64_t)is_regex << 51 | (is_regex ? regex_priority << 19 : 0) | length;
}

/* One star at most, as the first or last label; a port of digits behind a colon. */
static bool is_pattern(struct str host)
{
	ptrdiff_t star = str_find_char(host, '*');
	struct str name = host;

	for (size_t i = host.n; i > 0 && host.p[i - 1] != ']'; i--) {
		uint64_t port;

		if (host.p[i - 1] != ':')
			continue;
		if (!str_to_u64(str_from(host, i), &port) || port > 65535)
			return false;
		name = str_head(host, i - 1);
		break;
	}
	if (name.n == 0 || name.n > 255)
		return false;
	if (star < 0)
		return true;
	if (str_find_char(str_from(host, (size_t)star + 1), '*') >= 0 || name.n < 3)
		return false;
	return str_starts(name, STR("*.")) || str_ends(name, STR(".*"));
}

int route_index_check(const Sluice__Record__Route *route, struct why *why)
{
	size_t hosts = route->n_hosts != 0 ? route->n_hosts : 1;

	for (size_t i = 0; i < route->n_hosts; i++) {
		if (is_pattern(str_of(route->hosts[i])))
			continue;
		why_set(why, NULL, 0, "hosts: \"%.100s\" is not a host, *.domain or name.*",
				route->hosts[i]);
		return -EINVAL;
	}
	for (size_t i = 0; i < route->n_paths; i++) {
		if (strlen(route->paths[i]) <= PATH_BYTES_MAX)
			continue;
		why_set(why, NULL, 0, "paths: \"%.40s…\" is longer than %d bytes", route->paths[i],
				PATH_BYTES_MAX);
		return -EINVAL;
	}
	if (route->n_paths <= CANDIDATES_MAX / hosts)
		return 0;
	why_set(why, NULL, 0, "a route of %zu hosts and %zu paths is too large: at most %d pairs",
			route->n_hosts, route->n_paths, CANDIDATES_MAX);
	return -EINVAL;
}

static unsigned count_dots(struct str s)
{
	unsigned n = 0;

	for (size_t i = 0; i < s.n; i++)
		n += s.p[i] == '.';
	return n;
}

/* Which kind of host pattern a candidate counts as. */
static uint32_t *summary_of(struct route_summary *s, const struct candidate *c)
{
	unsigned labels = count_dots(c->host); /* the star's own dot stands for one */

	labels = labels < ROUTE_LABELS ? labels : ROUTE_LABELS - 1;
	if (c->host.n == 0)
		return &s->any_host;
	if ((c->flags & ROUTE_HOST_IS_WILDCARD) == 0)
		return &s->exact;
	return c->host.p[0] == '*' ? &s->suffix[labels] : &s->prefix[labels];
}

static bool has_port(struct str host)
{
	for (size_t i = host.n; i > 0 && host.p[i - 1] != ']'; i--)
		if (host.p[i - 1] == ':')
			return true;
	return false;
}

static void summary_count(struct snap_txn *t, const struct candidate *c, uint32_t step)
{
	*summary_of(&t->summary, c) += step;
	if ((c->flags & ROUTE_IS_REGEX) != 0)
		t->summary.regex += step;
	if (has_port(c->host))
		t->summary.with_port += step;
}

static void candidate_key(const struct candidate *c, struct snap_key *key)
{
	bool is_regex = (c->flags & ROUTE_IS_REGEX) != 0;

	snap_key_host(key, is_regex ? 'r' : 'p', c->host);
	if (!is_regex)
		snap_key_add_z(key, str_head(c->path, ROUTE_PATH_KEY_MAX));
	snap_key_add(key, c->id);
	if (is_regex || c->path.n > ROUTE_PATH_KEY_MAX)
		snap_key_add_u64(key, snap_hash(4, c->path));
}

static int candidate_put(struct snap_txn *t, const struct candidate *c, struct why *why)
{
	struct buf *value = &t->writer->scratch;
	struct route_entry e = {
			.priority = c->priority,
			.created_at = c->created_at,
			.path_n = (uint32_t)c->path.n,
			.host_n = (uint16_t)c->host.n,
			.id_n = (uint8_t)c->id.n,
			.flags = c->flags,
	};
	struct snap_key key;
	bool is_new = false;
	int r;

	buf_clear(value);
	buf_add(value, &e, sizeof(e));
	buf_add_str(value, c->id);
	buf_add_str(value, c->host);
	buf_add_str(value, c->path);
	if (value->is_failed)
		return -ENOMEM;
	candidate_key(c, &key);
	r = snap_txn_store(t, SNAP_DB_ROUTE, &key, buf_str(value), &is_new, why);
	if (r == 0 && is_new)
		summary_count(t, c, 1);
	return r;
}

static int candidate_delete(struct snap_txn *t, const struct candidate *c, struct why *why)
{
	struct snap_key key;
	bool existed = false;
	int r;

	candidate_key(c, &key);
	r = snap_txn_drop(t, SNAP_DB_ROUTE, &key, &existed, why);
	if (r == 0 && existed)
		summary_count(t, c, (uint32_t)-1);
	return r;
}

typedef int candidate_fn(struct snap_txn *t, const struct candidate *c, struct why *why);

static int each_path(struct snap_txn *t, struct candidate *c, const Sluice__Record__Route *route,
		candidate_fn *fn, struct why *why)
{
	uint8_t host_flags = c->flags;
	int r = 0;

	if (route->n_paths == 0) {
		c->path = STR("");
		c->priority = route_priority(route, NULL);
		return fn(t, c, why);
	}
	for (size_t i = 0; r == 0 && i < route->n_paths; i++) {
		struct str path = str_of(route->paths[i]);
		bool is_regex = path.n != 0 && path.p[0] == '~';

		c->path = str_from(path, is_regex);
		c->flags = (uint8_t)(host_flags | (is_regex ? ROUTE_IS_REGEX : 0));
		c->priority = route_priority(route, route->paths[i]);
		r = fn(t, c, why);
	}
	return r;
}

static int each_candidate(struct snap_txn *t, struct str id, const Sluice__Record__Route *route,
		candidate_fn *fn, struct why *why)
{
	char host[HOST_PATTERN_MAX];
	int r = 0;

	if (route->n_hosts == 0) {
		struct candidate any = {.id = id, .host = STR(""), .created_at = route->created_at};

		return each_path(t, &any, route, fn, why);
	}
	for (size_t i = 0; r == 0 && i < route->n_hosts; i++) {
		size_t n = strlen(route->hosts[i]);
		bool is_wild = strchr(route->hosts[i], '*') != NULL;
		struct candidate c = {.id = id, .created_at = route->created_at};

		for (size_t j = 0; j < n && j < sizeof(host); j++)
			host[j] = ascii_lower(route->hosts[i][j]);
		c.host = (struct str){host, n};
		c.flags = (uint8_t)(ROUTE_HOST_IS_SET | (is_wild ? ROUTE_HOST_IS_WILDCARD : 0));
		r = each_path(t, &c, route, fn, why);
	}
	return r;
}

static void link_key(struct snap_key *key, const char *service_id, struct str route_id)
{
	snap_key_begin(key, 's');
	snap_key_add_z(key, str_of(service_id));
	snap_key_add(key, route_id);
}

static bool is_service_enabled(struct snap_txn *t, const char *service_id)
{
	sl_auto_message ProtobufCMessage *m = NULL;
	uint32_t kind = SLUICE__RECORD__KIND__SERVICE;
	uint64_t version;
	struct str record = snap_txn_get(t, kind, str_of(service_id), &version);

	if (record.p == NULL || snap_record_parse(kind, record, &m, NULL) != 0)
		return true;
	return ((const Sluice__Record__Service *)m)->enabled;
}

int route_index_put(struct snap_txn *t, struct str id, const Sluice__Record__Route *route,
		struct why *why)
{
	struct snap_key key;
	int r;

	if (route->service_id[0] != '\0') {
		link_key(&key, route->service_id, id);
		r = snap_txn_store(t, SNAP_DB_ROUTE, &key, STR(""), NULL, why);
		if (r != 0)
			return r;
		if (!is_service_enabled(t, route->service_id))
			return 0;
	}
	return each_candidate(t, id, route, candidate_put, why);
}

int route_index_delete(struct snap_txn *t, struct str id, const Sluice__Record__Route *route,
		struct why *why)
{
	struct snap_key key;
	int r = 0;

	if (route->service_id[0] != '\0') {
		link_key(&key, route->service_id, id);
		r = snap_txn_drop(t, SNAP_DB_ROUTE, &key, NULL, why);
	}
	return r == 0 ? each_candidate(t, id, route, candidate_delete, why) : r;
}

/* The ids of a service's routes, each with a NUL behind it: the index changes under a walk. */
static int linked_routes(struct snap_txn *t, struct str service_id, struct buf *ret)
{
	struct snap_key prefix;
	MDB_cursor *c = NULL;
	MDB_val key, value;
	int rc = mdb_cursor_open(t->mdb, t->writer->env.db[SNAP_DB_ROUTE], &c);

	if (rc != 0)
		return snap_env_error(rc, "list routes", NULL);
	snap_key_begin(&prefix, 's');
	snap_key_add_z(&prefix, service_id);
	key = snap_key_val(&prefix);
	rc = mdb_cursor_get(c, &key, &value, MDB_SET_RANGE);
	for (; rc == 0; rc = mdb_cursor_get(c, &key, &value, MDB_NEXT)) {
		struct str k = snap_str(key);

		if (!str_starts(k, snap_str(snap_key_val(&prefix))))
			break;
		buf_add_str(ret, str_from(k, prefix.n));
		buf_add(ret, "", 1);
	}
	mdb_cursor_close(c);
	return ret->is_failed ? -ENOMEM : 0;
}

int route_index_service(struct snap_txn *t, struct str service_id, bool is_enabled, struct why *why)
{
	sl_auto_buf ids = {.p = NULL};
	int r = linked_routes(t, service_id, &ids);

	for (size_t at = 0; r == 0 && at < ids.n;) {
		struct str id = str_of(ids.p + at);
		sl_auto_message ProtobufCMessage *m = NULL;
		uint32_t kind = SLUICE__RECORD__KIND__ROUTE;
		uint64_t version;
		struct str record = snap_txn_get(t, kind, id, &version);

		at += id.n + 1;
		if (record.p != NULL)
			r = snap_record_parse(kind, record, &m, why);
		if (r == 0 && m != NULL)
			r = each_candidate(t, id, (const Sluice__Record__Route *)m,
					is_enabled ? candidate_put : candidate_delete, why);
	}
	return r;
}
