/* SPDX-License-Identifier: Apache-2.0
 *
 * Routes in the index, then a lookup: the index may name too many, never too few.  Lines:
 * "host path" of the request, then one route each, "host path", "-" for none.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "shm/record.pb-c.h"
#include "shm/route_index.h"
#include "shm/snap_txn.h"
#include "shm/snapshot_write.h"

#define ROUTES_MAX 8

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

struct place {
	char *host, *path; /* NULL: none */
};

struct routes {
	struct place at[ROUTES_MAX];
	bool is_stored[ROUTES_MAX], is_found[ROUTES_MAX];
	size_t n;
};

static struct snapshot_writer *open_writer(void)
{
	struct snapshot_writer *w = NULL;
	char root[] = "/tmp/sluice-fuzz-XXXXXX";

	sl_assert(mkdtemp(root) != NULL);
	sl_assert(snapshot_writer_open_sized(&w, root, (unsigned)-1, 64 << 20, NULL) == 0);
	return w;
}

static struct place read_place(char *line)
{
	struct place p = {.host = line, .path = strchr(line, ' ')};

	if (p.path != NULL)
		*p.path++ = '\0';
	if (p.path != NULL && (p.path[0] == '\0' || strcmp(p.path, "-") == 0))
		p.path = NULL;
	if (p.host[0] == '\0' || strcmp(p.host, "-") == 0)
		p.host = NULL;
	for (char *c = p.host; c != NULL && *c != '\0'; c++)
		*c = (char)tolower((unsigned char)*c);
	return p;
}

static bool put_route(struct snap_txn *t, size_t i, const struct place *p)
{
	Sluice__Record__Route r = SLUICE__RECORD__ROUTE__INIT;
	char id[2] = {(char)('0' + i), '\0'};
	char *host = p->host, *path = p->path;
	uint8_t bytes[8192];
	size_t n;

	r.id = id;
	r.n_hosts = host != NULL;
	r.hosts = &host;
	r.n_paths = path != NULL;
	r.paths = &path;
	n = protobuf_c_message_get_packed_size(&r.base);
	if (n > sizeof(bytes))
		return false;
	protobuf_c_message_pack(&r.base, bytes);
	return snap_txn_put(t, SLUICE__RECORD__KIND__ROUTE, str_of(id), 1,
			       (struct str){(char *)bytes, n}, NULL) == 0;
}

static bool found(void *arg, const struct route_candidate *c)
{
	struct routes *routes = arg;
	size_t i;

	sl_assert(c->route_id.n == 1);
	i = (size_t)(c->route_id.p[0] - '0');
	sl_assert(i < routes->n && routes->is_stored[i]);
	routes->is_found[i] = true;
	return true;
}

/* The plain cases: exact host or none, prefix path or none. */
static bool must_match(const struct place *route, const struct place *request)
{
	if (route->host != NULL && (request->host == NULL || strpbrk(route->host, "*:") != NULL ||
						   strcmp(route->host, request->host) != 0))
		return false;
	if (route->path == NULL)
		return true;
	return route->path[0] == '/' && request->path != NULL &&
	       strncmp(route->path, request->path, strlen(route->path)) == 0;
}

static void look_up(struct snapshot_writer *w, struct routes *routes, const struct place *request)
{
	struct snap_view *v = NULL;

	sl_assert(snapshot_writer_view(w, &v, NULL) == 0);
	route_index_find(v, str_of(request->host), 80, str_of(request->path), found, routes);
	snap_view_unref(v);
	for (size_t i = 0; i < routes->n; i++)
		if (routes->is_stored[i] && must_match(&routes->at[i], request))
			sl_assert(routes->is_found[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static struct snapshot_writer *w;
	static uint64_t generation;
	struct routes routes = {.n = 0};
	struct place request;
	struct snap_txn *t = NULL;
	char *text = strndup((const char *)data, n), *rest = text, *line;

	if (w == NULL)
		w = open_writer();
	sl_assert(text != NULL && snap_txn_begin(w, &t, NULL) == 0);
	sl_assert(snap_txn_clear(t, NULL) == 0);
	request = read_place(strsep(&rest, "\n"));
	while (routes.n < ROUTES_MAX && (line = strsep(&rest, "\n")) != NULL) {
		size_t i = routes.n++;

		routes.at[i] = read_place(line);
		routes.is_stored[i] = put_route(t, i, &routes.at[i]);
	}
	sl_assert(snap_txn_commit(t, STR("e"), ++generation, STR("d"), NULL) == 0);
	snap_txn_free(t);
	look_up(w, &routes, &request);
	free(text);
	return 0;
}
