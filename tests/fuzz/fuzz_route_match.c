/* SPDX-License-Identifier: Apache-2.0
 *
 * Any method, host, target and header finds the same route twice (searched, then
 * remembered) or none, and what is found applies.  Input: those four, a line each.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/check.h"
#include "shm/snapshot_write.h"
#include "worker/route.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static struct route_table *table;

struct pattern {
	const char *id, *host, *path, *value;
};

static const struct pattern patterns[] = {
		{"root", "", "/", ""},
		{"deep", "", "/a/b%20c/", ""},
		{"host", "a.b.com", "/a", ""},
		{"left", "*.b.com", "", ""},
		{"right", "a.*", "/a/", ""},
		{"port", "a.b.com:81", "/", ""},
		{"regex", "", "~/(\\w+)/(?<id>[0-9]+)$", ""},
		{"slow", "", "~/(a+)+b", ""},
		{"header", "", "/h", "~*^(v|w)+[0-9]$"},
};

static void put(struct snap_txn *t, const struct pattern *p)
{
	Sluice__Record__HeaderMatch header = SLUICE__RECORD__HEADER_MATCH__INIT, *headers = &header;
	Sluice__Record__Route r = SLUICE__RECORD__ROUTE__INIT;
	char name[] = "x-a", http[] = "http", *protocols = http;
	char *host = (char *)(uintptr_t)p->host, *path = (char *)(uintptr_t)p->path;
	char *value = (char *)(uintptr_t)p->value;
	uint8_t bytes[1024];
	size_t n;

	r.id = (char *)(uintptr_t)p->id;
	r.protocols = &protocols;
	r.n_protocols = 1;
	r.hosts = &host;
	r.n_hosts = host[0] != '\0';
	r.paths = &path;
	r.n_paths = path[0] != '\0';
	header.name = name;
	header.values = &value;
	header.n_values = 1;
	r.headers = &headers;
	r.n_headers = value[0] != '\0';
	r.strip_path = true;
	sl_assert(protobuf_c_message_get_packed_size(&r.base) <= sizeof(bytes));
	n = protobuf_c_message_pack(&r.base, bytes);
	sl_assert(snap_txn_put(t, SLUICE__RECORD__KIND__ROUTE, str_of(p->id), 1,
				  (struct str){(char *)bytes, n}, NULL) == 0);
}

static void table_make(void)
{
	char root[] = "/tmp/sluice-fuzz-XXXXXX", dir[64];
	struct snapshot_writer *w = NULL;
	struct snap_txn *t = NULL;
	struct snap_view *v = NULL;

	sl_assert(mkdtemp(root) != NULL);
	snprintf(dir, sizeof(dir), "%s/snapshot", root);
	sl_assert(snapshot_writer_open(&w, dir, (unsigned)-1, NULL) == 0);
	sl_assert(snap_txn_begin(w, &t, NULL) == 0);
	for (size_t i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++)
		put(t, &patterns[i]);
	sl_assert(snap_txn_commit(t, STR("0123456789abcdef"), 1, STR("digest"), NULL) == 0);
	snap_txn_free(t);
	sl_assert(snapshot_writer_view(w, &v, NULL) == 0);
	sl_assert(route_table_new(&table, NULL) == 0);
	route_table_set_view(table, v);
}

static struct str line(struct str *rest)
{
	ptrdiff_t end = str_find_char(*rest, '\n');
	struct str one = end < 0 ? *rest : str_head(*rest, (size_t)end);

	*rest = end < 0 ? STR_NONE : str_from(*rest, (size_t)end + 1);
	return one;
}

/* The id of what takes the request; n == 0: nothing. */
static struct str find(struct exchange *x, bool applies)
{
	struct route_match *m = route_find(table, x);
	struct str id = STR_NONE;

	sl_assert(m != NULL);
	if (m->route != NULL) {
		id = arena_str(x->arena, str_of(m->route->rec->id));
		sl_assert(!applies || route_apply(m, x) == 0);
		sl_assert(m->prefix_bytes <= x->request.path.n);
	}
	route_match_unref(m);
	return id;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct str rest = {(const char *)data, n}, first;
	sl_auto(arena) a = NULL;
	struct exchange x;

	if (table == NULL)
		table_make();
	sl_assert(arena_new(&a, 1 << 24) == 0);
	exchange_init(&x, a, NULL, NULL);
	x.request.scheme = STR("http");
	x.request.client.ip = STR("127.0.0.1");
	x.request.method = line(&rest);
	x.request.host = line(&rest);
	x.request.host_port = n % 2 != 0 ? 81 : 0;
	if (exchange_set_target(&x, line(&rest)) != 0)
		return 0;
	headers_add(&x.request.headers, STR("X-A"), line(&rest));
	first = find(&x, false);
	sl_assert(str_eq(first, find(&x, true)));
	return 0;
}
