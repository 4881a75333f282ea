/* SPDX-License-Identifier: Apache-2.0
 *
 * The reading side: for each host pattern that could cover the host, a walk down the
 * sorted paths.  The greatest path not above the request's either is a prefix of it, or
 * shares one with it, and then no longer prefix can exist: the walk goes on from there.
 * That is a few seeks, however many routes there are.
 */
#include "shm/route_index.h"

#include <stdio.h>

#include "shm/snap_view.h"

#define HOST_BYTES_MAX 255

struct find {
	MDB_cursor *cursor;
	const struct route_summary *summary;
	struct str host, path;
	char port[8]; /* ":8000" */
	route_candidate_fn *fn;
	void *arg;
};

/* Takes an entry apart; false on one that is not whole. */
static bool entry_read(struct str value, struct str *ret_host, struct route_candidate *ret)
{
	struct route_entry e;

	if (value.n < sizeof(e))
		return false;
	memcpy(&e, value.p, sizeof(e));
	value = str_from(value, sizeof(e));
	if ((uint64_t)e.id_n + e.host_n + e.path_n != value.n)
		return false;
	ret->route_id = str_head(value, e.id_n);
	*ret_host = str_head(str_from(value, e.id_n), e.host_n);
	ret->path = str_from(value, (size_t)e.id_n + e.host_n);
	ret->is_regex = (e.flags & ROUTE_IS_REGEX) != 0;
	ret->host_is_set = (e.flags & ROUTE_HOST_IS_SET) != 0;
	ret->host_is_wildcard = (e.flags & ROUTE_HOST_IS_WILDCARD) != 0;
	ret->priority = e.priority;
	ret->created_at = e.created_at;
	return true;
}

/* False = the caller's fn has seen enough. */
static bool entry_emit(const struct find *f, MDB_val value, struct str pattern)
{
	struct route_candidate c;
	struct str host;

	if (!entry_read(snap_str(value), &host, &c) || !str_eq(host, pattern))
		return true;
	if (!c.is_regex && !str_starts(f->path, c.path))
		return true;
	return f->fn(f->arg, &c);
}

static size_t common_bytes(struct str a, struct str b)
{
	size_t n = a.n < b.n ? a.n : b.n, i = 0;

	while (i < n && a.p[i] == b.p[i])
		i++;
	return i;
}

/* The path inside a key, or false when the key is of another host pattern. */
static bool key_path(MDB_val key, const struct snap_key *host, struct str *ret)
{
	struct str k = snap_str(key);
	ptrdiff_t end;

	if (k.n <= host->n || memcmp(k.p, host->bytes, host->n) != 0)
		return false;
	k = str_from(k, host->n);
	end = str_find_char(k, '\0');
	if (end < 0)
		return false;
	*ret = str_head(k, (size_t)end);
	return true;
}

/* The cursor to the last entry whose path is not above `path`. */
static int seek_below(const struct find *f, const struct snap_key *host, struct str path,
		MDB_val *key, MDB_val *value)
{
	struct snap_key above = *host;

	snap_key_add(&above, path);
	snap_key_add(&above, STR("\x01"));
	*key = snap_key_val(&above);
	if (mdb_cursor_get(f->cursor, key, value, MDB_SET_RANGE) == MDB_NOTFOUND)
		return mdb_cursor_get(f->cursor, key, value, MDB_LAST);
	return mdb_cursor_get(f->cursor, key, value, MDB_PREV);
}

static bool find_prefixes(const struct find *f, struct str pattern)
{
	struct str path = str_head(f->path, ROUTE_PATH_KEY_MAX), found;
	struct snap_key host;
	MDB_val key, value;
	int rc;

	snap_key_host(&host, 'p', pattern);
	rc = seek_below(f, &host, path, &key, &value);
	while (rc == 0 && key_path(key, &host, &found)) {
		size_t common = common_bytes(found, path);

		if (common == found.n) {
			if (!entry_emit(f, value, pattern))
				return false;
			rc = mdb_cursor_get(f->cursor, &key, &value, MDB_PREV);
		} else {
			path = str_head(path, common);
			rc = seek_below(f, &host, path, &key, &value);
		}
	}
	return true;
}

static bool find_regexes(const struct find *f, struct str pattern)
{
	struct snap_key host;
	MDB_val key, value;
	int rc;

	snap_key_host(&host, 'r', pattern);
	key = snap_key_val(&host);
	rc = mdb_cursor_get(f->cursor, &key, &value, MDB_SET_RANGE);
	while (rc == 0 && str_starts(snap_str(key), snap_str(snap_key_val(&host)))) {
		if (!entry_emit(f, value, pattern))
			return false;
		rc = mdb_cursor_get(f->cursor, &key, &value, MDB_NEXT);
	}
	return true;
}

static bool find_pattern(const struct find *f, struct str pattern)
{
	return find_prefixes(f, pattern) && (f->summary->regex == 0 || find_regexes(f, pattern));
}

static size_t text_add(char *text, size_t n, struct str s)
{
	memcpy(text + n, s.p, s.n);
	return n + s.n;
}

/* before, middle, after: "*." and a suffix, a prefix and ".*", or the host alone. */
static bool find_host(const struct find *f, struct str before, struct str middle, struct str after)
{
	char text[HOST_BYTES_MAX + 16];
	size_t n = text_add(text, 0, before);

	n = text_add(text, n, middle);
	n = text_add(text, n, after);
	if (!find_pattern(f, (struct str){text, n}))
		return false;
	if (f->summary->with_port == 0)
		return true;
	n = text_add(text, n, str_of(f->port));
	return find_pattern(f, (struct str){text, n});
}

static uint32_t labels_known(const uint32_t counts[ROUTE_LABELS], unsigned labels)
{
	return counts[labels < ROUTE_LABELS ? labels : ROUTE_LABELS - 1];
}

static bool find_wildcards(const struct find *f)
{
	unsigned dots = 0, before = 0;

	for (size_t i = 0; i < f->host.n; i++)
		dots += f->host.p[i] == '.';
	for (size_t i = 0; i < f->host.n; i++) {
		if (f->host.p[i] != '.')
			continue;
		/* i splits `before + 1` labels from `dots - before`. */
		if (i + 1 < f->host.n && labels_known(f->summary->suffix, dots - before) != 0 &&
				!find_host(f, STR("*."), str_from(f->host, i + 1), STR("")))
			return false;
		before++;
		if (i > 0 && labels_known(f->summary->prefix, before) != 0 &&
				!find_host(f, STR(""), str_head(f->host, i), STR(".*")))
			return false;
	}
	return true;
}

void route_index_find(const struct snap_view *v, struct str host, uint16_t port, struct str path,
		route_candidate_fn *fn, void *arg)
{
	ptrdiff_t nul = str_find_char(path, '\0');
	struct find f = {
			.cursor = v->route,
			.summary = &v->summary,
			.host = host,
			.path = nul >= 0 ? str_head(path, (size_t)nul) : path,
			.fn = fn,
			.arg = arg,
	};

	if (v->summary.with_port != 0)
		snprintf(f.port, sizeof(f.port), ":%u", port);
	if (v->summary.any_host != 0 && !find_pattern(&f, STR("")))
		return;
	if (host.n == 0 || host.n > HOST_BYTES_MAX || str_find_char(host, '\0') >= 0)
		return;
	if (v->summary.exact != 0 && !find_host(&f, STR(""), host, STR("")))
		return;
	find_wildcards(&f);
}
