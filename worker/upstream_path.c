/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/upstream_path.h"

static struct str join(struct arena *a, struct str left, struct str middle, struct str right)
{
	struct str to = {NULL, left.n + middle.n + right.n};
	char *p = arena_alloc(a, to.n + 1);

	if (p == NULL)
		return STR_NONE;
	if (left.n != 0)
		memcpy(p, left.p, left.n);
	if (middle.n != 0)
		memcpy(p + left.n, middle.p, middle.n);
	if (right.n != 0)
		memcpy(p + left.n + middle.n, right.p, right.n);
	p[to.n] = '\0';
	to.p = p;
	return to;
}

/* What stays behind the stripped prefix, when it would read as a dot segment once joined. */
static struct str sanitize(struct str rest)
{
	static const struct str dots[] = {{"..", 2}, {".", 1}};

	for (size_t i = 0; i < 2; i++)
		if (str_starts(rest, dots[i]) && (rest.n == dots[i].n || rest.p[dots[i].n] == '/'))
			return str_from(rest, dots[i].n + (rest.n > dots[i].n ? 1 : 0));
	return rest;
}

static struct str without_last(struct str s)
{
	return str_head(s, s.n - 1);
}

static struct str stripped_v0(struct arena *a, const struct upstream_path *u, struct str s)
{
	struct str rest = sanitize(str_from(u->request, u->matched));
	bool request_ends = str_ends(u->request, STR("/"));

	if (str_ends(s, STR("/"))) {
		if (rest.n == 0)
			return s.n == 1 || request_ends ? s : without_last(s);
		if (rest.p[0] == '/')
			return join(a, without_last(s), rest, STR_NONE);
		return join(a, s, rest, STR_NONE);
	}
	if (rest.n == 0)
		return u->request.n > 1 && request_ends ? join(a, s, STR("/"), STR_NONE) : s;
	if (rest.p[0] == '/')
		return join(a, s, rest, STR_NONE);
	return join(a, s, STR("/"), rest);
}

static struct str make_v0(struct arena *a, const struct upstream_path *u, struct str s)
{
	if (u->strips)
		return stripped_v0(a, u, s);
	if (s.n == 1)
		return u->request;
	if (str_ends(s, STR("/")))
		return join(a, s, str_from(u->request, 1), STR_NONE);
	if (str_eq(u->request, STR("/")))
		return s;
	return join(a, s, u->request, STR_NONE);
}

/* v1: the service's path without its last slash, then what is left of the request's. */
static struct str make_v1(struct arena *a, const struct upstream_path *u, struct str s)
{
	struct str rest = u->strips ? sanitize(str_from(u->request, u->matched)) : u->request;

	if (str_ends(s, STR("/")))
		s = without_last(s);
	if (rest.n == 0)
		return s.n == 0 ? STR("/") : s;
	return join(a, s, rest.p[0] == '/' ? STR_NONE : STR("/"), rest);
}

struct str upstream_path_make(struct arena *a, const struct upstream_path *u)
{
	struct str s = u->service.n != 0 ? u->service : STR("/");

	return u->is_v1 ? make_v1(a, u, s) : make_v0(a, u, s);
}
