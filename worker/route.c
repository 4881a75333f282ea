/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/route_part.h"

#include <errno.h>

#include "plugin/path.h"
#include "shm/route_index.h"
#include "worker/upstream_path.h"

#define MATCH_SETS 1024 /* × 4 remembered answers */
#define ROUTE_SETS 512
#define SERVICE_SETS 256
#define SWEEP_SETS 64

struct route_table {
	struct engine *engine;
	struct snap_view *view; /* NULL: no configuration yet */
	uint64_t generation;
	struct assoc *matches, *routes, *services;
	unsigned to_sweep;
};

static void match_ref(void *value)
{
	((struct route_match *)value)->refs++;
}

static void match_unref(void *value)
{
	route_match_unref(value);
}

static void compiled_ref(void *value)
{
	((struct route *)value)->refs++;
}

static void compiled_unref(void *value)
{
	route_unref(value);
}

static const struct assoc_kind match_kind = {match_ref, match_unref};
static const struct assoc_kind compiled_kind = {compiled_ref, compiled_unref};

void route_match_unref(struct route_match *m)
{
	if (m == NULL || --m->refs != 0)
		return;
	route_unref(m->route);
	free(m);
}

int route_table_new(struct route_table **ret, struct engine *engine)
{
	sl_auto(route_table) t = calloc(1, sizeof(*t));

	if (t == NULL)
		return -ENOMEM;
	t->engine = engine;
	if (assoc_new(&t->matches, MATCH_SETS, &match_kind) != 0 ||
			assoc_new(&t->routes, ROUTE_SETS, &compiled_kind) != 0 ||
			assoc_new(&t->services, SERVICE_SETS, &route_service_kind) != 0)
		return -ENOMEM;
	*ret = sl_steal(t);
	return 0;
}

void route_table_free(struct route_table *t)
{
	if (t->matches != NULL)
		assoc_free(t->matches);
	if (t->routes != NULL)
		assoc_free(t->routes);
	if (t->services != NULL)
		assoc_free(t->services);
	snap_view_unref(t->view);
	free(t);
}

void route_table_set_view(struct route_table *t, struct snap_view *view)
{
	snap_view_unref(t->view);
	t->view = snap_view_ref(view);
	t->generation++;
	t->to_sweep = 3;
}

void route_table_sweep(struct route_table *t)
{
	struct assoc *const all[] = {NULL, t->services, t->routes, t->matches};

	if (t->to_sweep != 0 && assoc_sweep(all[t->to_sweep], t->generation, SWEEP_SETS))
		t->to_sweep--;
}

/* The candidates of one request, in the request's arena while they are weighed. */
struct search {
	struct route_table *t;
	struct exchange *x;
	struct route_candidate *v;
	size_t n, cap;
	bool is_out_of_memory;
};

static bool add_candidate(void *arg, const struct route_candidate *c)
{
	struct search *s = arg;

	if (s->n == s->cap) {
		size_t cap = s->cap != 0 ? s->cap * 2 : 16;
		void *v = arena_grow(s->x->arena, s->v, s->n * sizeof(*c), cap * sizeof(*c));

		if (v == NULL) {
			s->is_out_of_memory = true;
			return false;
		}
		s->v = v;
		s->cap = cap;
	}
	s->v[s->n++] = *c;
	return true;
}

/* Higher priority, then older, then smaller id first. */
static int by_priority(const void *a, const void *b)
{
	const struct route_candidate *x = a, *y = b;

	if (x->priority != y->priority)
		return x->priority > y->priority ? -1 : 1;
	if (x->created_at != y->created_at)
		return x->created_at < y->created_at ? -1 : 1;
	return str_cmp(x->route_id, y->route_id);
}

static struct route *compiled(struct route_table *t, struct str id)
{
	struct route *r = assoc_get(t->routes, id, t->generation);
	struct str record;

	if (r != NULL)
		return r;
	record = snap_get(t->view, SLUICE__RECORD__KIND__ROUTE, id);
	if (record.n == 0)
		return NULL;
	r = route_load(record, t->engine, t->view, t->services, t->generation);
	if (r != NULL)
		assoc_put(t->routes, id, t->generation, r);
	return r;
}

/* Does this candidate take the request?  Fills m but for its route. */
static bool candidate_matches(const struct route_candidate *c, struct route *r,
		const struct exchange *x, struct route_match *m)
{
	m->regex = NULL;
	m->prefix_bytes = 0;
	if (!route_attributes_match(r, x))
		return false;
	if (!c->is_regex) {
		m->prefix_bytes = c->path.n;
		return str_starts(x->request.path, c->path);
	}
	m->regex = route_regex_get(r, c->path, true);
	if (m->regex == NULL)
		return false;
	return route_regex_match(m->regex, x->request.path) >= 0;
}

/* The best match into m; false in *ret_cacheable when more than method, host, path counted. */
static void search_run(struct search *s, struct route_match *m, bool *ret_cacheable)
{
	const struct exchange_request *q = &s->x->request;

	*ret_cacheable = true;
	route_index_find(s->t->view, q->host, q->server.port, q->path, add_candidate, s);
	if (s->n > 1)
		qsort(s->v, s->n, sizeof(*s->v), by_priority);
	for (size_t i = 0; i < s->n; i++) {
		struct route *r = compiled(s->t, s->v[i].route_id);

		if (r == NULL)
			continue;
		if (!r->is_content_free)
			*ret_cacheable = false;
		if (candidate_matches(&s->v[i], r, s->x, m)) {
			m->route = r;
			return;
		}
		route_unref(r);
	}
}

/* method, NUL or 1 for https, host port NUL path; n == 0 when it is too long to be remembered. */
static struct str match_key(const struct exchange_request *q, char buf[ASSOC_KEY_MAX])
{
	size_t n = q->method.n + q->host.n + q->path.n + 2 + sizeof(q->server.port);
	char *p = buf;

	if (n > ASSOC_KEY_MAX)
		return STR_NONE;
	memcpy(p, &q->server.port, sizeof(q->server.port));
	p += sizeof(q->server.port);
	memcpy(p, q->method.p, q->method.n);
	p += q->method.n;
	*p++ = str_eq(q->scheme, STR("https")) ? '\1' : '\0';
	if (q->host.n != 0)
		memcpy(p, q->host.p, q->host.n);
	p += q->host.n;
	*p++ = '\0';
	memcpy(p, q->path.p, q->path.n);
	return (struct str){buf, n};
}

struct route_match *route_find(struct route_table *t, struct exchange *x)
{
	char buf[ASSOC_KEY_MAX];
	struct str key = match_key(&x->request, buf);
	struct search s = {.t = t, .x = x};
	struct route_match *m = NULL;
	bool is_cacheable = false;

	if (key.n != 0)
		m = assoc_get(t->matches, key, t->generation);
	if (m != NULL)
		return m;
	m = calloc(1, sizeof(*m));
	if (m == NULL)
		return NULL;
	m->refs = 1;
	if (t->view != NULL)
		search_run(&s, m, &is_cacheable);
	if (s.is_out_of_memory) {
		route_match_unref(m);
		return NULL;
	}
	if (key.n != 0 && is_cacheable)
		assoc_put(t->matches, key, t->generation, m);
	return m;
}

static void apply_service(const struct route *r, struct exchange *x)
{
	const struct service *s = r->service;
	struct exchange_upstream *u = &x->upstream;

	x->service = s->entity;
	u->scheme = str_of(s->rec->protocol);
	u->host = str_of(s->rec->host);
	u->port = (uint16_t)s->rec->port;
	u->retries = s->rec->retries;
	u->connect_timeout_ms = s->rec->connect_timeout_ms;
	u->write_timeout_ms = s->rec->write_timeout_ms;
	u->read_timeout_ms = s->rec->read_timeout_ms;
	u->host_header = s->host_header;
	if (u->tls.cert_pem.n == 0) {
		u->tls.cert_pem = s->tls.cert_pem;
		u->tls.key_pem = s->tls.key_pem;
	}
	if (u->tls.ca_pem.n == 0)
		u->tls.ca_pem = s->tls.ca_pem;
}

int route_apply(const struct route_match *m, struct exchange *x)
{
	const struct route *r = m->route;
	struct upstream_path path = {.request = x->request.path, .matched = m->prefix_bytes};

	x->route = r->entity;
	x->route_protocols = r->protocols;
	x->upstream.method = x->request.method;
	x->upstream.path = x->request.path;
	if (m->regex != NULL) {
		ptrdiff_t n = route_regex_match(m->regex, x->request.path);

		path.matched = n > 0 ? (size_t)n : 0;
		x->uri_captures_json = route_regex_captures(m->regex, x->request.path, x->arena);
	}
	path.strips = r->rec->strip_path && path.matched != 0;
	if (path.strips)
		x->matched_prefix = path_escape(x->arena, str_head(x->request.path, path.matched));
	if (r->service == NULL)
		return 0;
	apply_service(r, x);
	if (r->rec->preserve_host && x->request.host.n != 0)
		x->upstream.host_header = headers_get_id(&x->request.headers, HEADER_HOST);
	path.service = str_of(r->service->rec->path);
	path.is_v1 = strcmp(r->rec->path_handling, "v1") == 0;
	x->upstream.path = upstream_path_make(x->arena, &path);
	if (x->upstream.path.p != NULL)
		x->upstream.path = path_escape(x->arena, x->upstream.path);
	return x->upstream.path.p != NULL ? 0 : -ENOMEM;
}
