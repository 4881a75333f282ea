/* SPDX-License-Identifier: Apache-2.0
 *
 * A snapshot in a temporary directory, and records to put into it, for unit tests.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "shm/record.pb-c.h"
#include "shm/route_index.h"
#include "shm/snapshot_write.h"

enum {
	SERVICE = SLUICE__RECORD__KIND__SERVICE,
	ROUTE = SLUICE__RECORD__KIND__ROUTE,
	INSTANCE = SLUICE__RECORD__KIND__PLUGIN_INSTANCE,
	CODE = SLUICE__RECORD__KIND__PLUGIN_CODE,
	CONSUMER = SLUICE__RECORD__KIND__CONSUMER,
};

struct fixture {
	char root[64], dir[96];
};

static inline int fixture_new(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	if (f == NULL)
		return -1;
	strcpy(f->root, "/tmp/sluice-snap-XXXXXX");
	if (mkdtemp(f->root) == NULL)
		return -1;
	snprintf(f->dir, sizeof(f->dir), "%s/snapshot", f->root);
	*state = f;
	return 0;
}

static inline void remove_below(const char *dir)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	sl_auto_mem char *path = NULL;

	while (d != NULL && (e = readdir(d)) != NULL) {
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		free(path);
		if (asprintf(&path, "%s/%s", dir, e->d_name) < 0)
			abort();
		if (e->d_type == DT_DIR)
			remove_below(path);
		else
			unlink(path);
	}
	if (d != NULL)
		closedir(d);
	rmdir(dir);
}

static inline int fixture_free(void **state)
{
	struct fixture *f = *state;

	remove_below(f->root);
	free(f);
	return 0;
}

static inline struct snapshot_writer *open_writer(const struct fixture *f)
{
	struct snapshot_writer *w = NULL;
	struct why why = WHY_NONE;

	if (snapshot_writer_open(&w, f->dir, (unsigned)-1, &why) != 0)
		fail_msg("writer: %s", why.text);
	return w;
}

static inline struct snap_txn *begin(struct snapshot_writer *w)
{
	struct snap_txn *t = NULL;
	struct why why = WHY_NONE;

	if (snap_txn_begin(w, &t, &why) != 0)
		fail_msg("begin: %s", why.text);
	return t;
}

static inline void commit(struct snap_txn *t, uint64_t generation)
{
	struct why why = WHY_NONE;

	if (snap_txn_commit(t, STR("0123456789abcdef"), generation, STR("digest"), &why) != 0)
		fail_msg("commit: %s", why.text);
	snap_txn_free(t);
}

static inline struct snap_view *view_of(struct snapshot_writer *w)
{
	struct snap_view *v = NULL;
	struct why why = WHY_NONE;

	if (snapshot_writer_view(w, &v, &why) != 0)
		fail_msg("view: %s", why.text);
	return v;
}

static inline int put_message(struct snap_txn *t, uint32_t kind, const char *id, uint64_t version,
		const ProtobufCMessage *m)
{
	static uint8_t bytes[1 << 20];
	struct why why = WHY_NONE;
	size_t n = protobuf_c_message_get_packed_size(m);

	assert_true(n <= sizeof(bytes));
	protobuf_c_message_pack(m, bytes);
	return snap_txn_put(t, kind, str_of(id), version, (struct str){(char *)bytes, n}, &why);
}

static inline void put_service(
		struct snap_txn *t, const char *id, const char *name, bool is_enabled)
{
	Sluice__Record__Service s = SLUICE__RECORD__SERVICE__INIT;

	s.id = (char *)(uintptr_t)id;
	s.name = (char *)(uintptr_t)name;
	s.enabled = is_enabled;
	assert_int_equal(put_message(t, SERVICE, id, 1, &s.base), 0);
}

/* hosts and paths: comma-separated, "" = none. */
struct route_spec {
	const char *id, *service_id, *hosts, *paths, *methods;
	int64_t regex_priority;
};

static inline size_t split(char *text, char **ret)
{
	size_t n = 0;

	for (char *p = strtok(text, ","); p != NULL; p = strtok(NULL, ","))
		ret[n++] = p;
	return n;
}

static inline int try_route(struct snap_txn *t, struct route_spec spec)
{
	Sluice__Record__Route r = SLUICE__RECORD__ROUTE__INIT;
	char *hosts[64], *paths[64], *methods[8], *copies[3];
	int result;

	copies[0] = strdup(spec.hosts != NULL ? spec.hosts : "");
	copies[1] = strdup(spec.paths != NULL ? spec.paths : "");
	copies[2] = strdup(spec.methods != NULL ? spec.methods : "");
	r.id = (char *)(uintptr_t)spec.id;
	r.service_id = (char *)(uintptr_t)(spec.service_id != NULL ? spec.service_id : "");
	r.n_hosts = split(copies[0], r.hosts = hosts);
	r.n_paths = split(copies[1], r.paths = paths);
	r.n_methods = split(copies[2], r.methods = methods);
	r.regex_priority = spec.regex_priority;
	r.created_at = 1000;
	result = put_message(t, ROUTE, spec.id, 1, &r.base);
	for (size_t i = 0; i < 3; i++)
		free(copies[i]);
	return result;
}

#define put_route(t, ...) assert_int_equal(try_route(t, (struct route_spec){__VA_ARGS__}), 0)
