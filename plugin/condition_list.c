/* SPDX-License-Identifier: Apache-2.0
 *
 * The parts of a request that come several times: path segments, headers, queries.
 */
#include "plugin/condition_value.h"

#include <errno.h>

#include "plugin/exchange.h"
#include "plugin/path.h"

static int set_null(struct cel_value *ret)
{
	*ret = (struct cel_value){.kind = CEL_NULL};
	return 0;
}

static int set_text(struct cel_value *ret, struct str text)
{
	*ret = (struct cel_value){.kind = CEL_STRING, .text = text};
	return 1;
}

CEL_READ(cel_read_segments)
{
	*ret = (struct cel_value){
			.kind = CEL_LIST, .shape = SHAPE_SEGMENTS, .text = e->x->request.path};
	return 0;
}

/* "/a/b" and "/a/b/" have two, "/" has none. */
int cel_next_segment(struct cel_iter *it, struct cel_value *ret)
{
	struct str rest = str_from(it->of->text, it->at);
	ptrdiff_t end;

	if (rest.n > 0 && it->at == 0 && rest.p[0] == '/') {
		rest = str_from(rest, 1);
		it->at++;
	}
	if (rest.n == 0)
		return 0;
	end = str_find_char(rest, '/');
	if (end >= 0)
		rest = str_head(rest, (size_t)end);
	it->at += rest.n + 1;
	return set_text(ret, rest);
}

/* name: lower-case, with '_' for '-'. */
static bool is_named(const struct header *h, struct str name)
{
	if (h->name.n != name.n)
		return false;
	for (size_t i = 0; i < name.n; i++) {
		char c = h->name.p[i];

		if ((c == '-' ? '_' : ascii_lower(c)) != name.p[i])
			return false;
	}
	return true;
}

/* From at on; n where there is none. */
static size_t find_header(const struct headers *h, struct str name, size_t at)
{
	while (at < h->n && !is_named(&h->v[at], name))
		at++;
	return at;
}

CEL_READ(cel_read_header)
{
	const struct headers *h = &e->x->request.headers;
	size_t at = find_header(h, part, 0);
	int r = cel_step(e, h->n / 8);

	if (r < 0)
		return r;
	if (at >= h->n)
		return set_null(ret);
	set_text(ret, h->v[at].value);
	return 0;
}

CEL_READ(cel_read_headers)
{
	const struct headers *h = &e->x->request.headers;
	int r = cel_step(e, h->n / 8);

	if (r < 0)
		return r;
	if (find_header(h, part, 0) >= h->n)
		return set_null(ret);
	*ret = (struct cel_value){.kind = CEL_LIST, .shape = SHAPE_HEADERS, .text = part};
	return 0;
}

int cel_next_header(struct cel_eval *e, struct cel_iter *it, struct cel_value *ret)
{
	const struct headers *h = &e->x->request.headers;
	size_t at = find_header(h, it->of->text, it->at);
	int r = cel_step(e, (at - it->at) / 8);

	if (r < 0)
		return r;
	it->at = at + 1;
	return at < h->n ? set_text(ret, h->v[at].value) : 0;
}

/* The byte at *at of a query component, decoded; *at moves behind it. */
static char next_decoded(struct str s, size_t *at)
{
	char c = s.p[*at];
	int byte = c == '%' ? percent_byte(s, *at) : -1;

	*at += byte >= 0 ? 3 : 1;
	if (byte >= 0)
		return (char)byte;
	return c == '+' ? ' ' : c;
}

static bool decodes_to(struct str encoded, struct str name)
{
	size_t at = 0;

	for (size_t i = 0; i < name.n; i++) {
		if (at >= encoded.n || next_decoded(encoded, &at) != name.p[i])
			return false;
	}
	return at == encoded.n;
}

static int set_decoded(struct cel_eval *e, struct cel_value *ret, struct str encoded)
{
	char *text;
	size_t at = 0;
	size_t n = 0;

	if (str_find_char(encoded, '%') < 0 && str_find_char(encoded, '+') < 0)
		return set_text(ret, encoded);
	text = cel_alloc(e, encoded.n);
	if (text == NULL)
		return -EINVAL;
	while (at < encoded.n)
		text[n++] = next_decoded(encoded, &at);
	return set_text(ret, (struct str){text, n});
}

/* The next value of that name, encoded, from *at on; false: none. */
static bool find_query(struct str query, struct str name, size_t *at, struct str *ret)
{
	while (*at < query.n) {
		struct str rest = str_from(query, *at);
		ptrdiff_t end = str_find_char(rest, '&');
		struct str pair = end < 0 ? rest : str_head(rest, (size_t)end);
		ptrdiff_t eq = str_find_char(pair, '=');

		*at += pair.n + 1;
		if (pair.n == 0 || !decodes_to(eq < 0 ? pair : str_head(pair, (size_t)eq), name))
			continue;
		*ret = str_from(pair, eq < 0 ? pair.n : (size_t)eq + 1);
		return true;
	}
	return false;
}

CEL_READ(cel_read_query)
{
	struct str encoded;
	size_t at = 0;
	bool is_found = find_query(e->x->request.raw_query, part, &at, &encoded);
	int r = cel_step(e, at / 32);

	if (r == 0)
		r = is_found ? set_decoded(e, ret, encoded) : set_null(ret);
	return r < 0 ? r : 0;
}

CEL_READ(cel_read_queries)
{
	struct str encoded;
	size_t at = 0;
	bool is_found = find_query(e->x->request.raw_query, part, &at, &encoded);
	int r = cel_step(e, at / 32);

	if (r < 0)
		return r;
	if (!is_found)
		return set_null(ret);
	*ret = (struct cel_value){.kind = CEL_LIST, .shape = SHAPE_QUERIES, .text = part};
	return 0;
}

int cel_next_query(struct cel_eval *e, struct cel_iter *it, struct cel_value *ret)
{
	struct str encoded;
	size_t from = it->at;
	bool is_found = find_query(e->x->request.raw_query, it->of->text, &it->at, &encoded);
	int r = cel_step(e, (it->at - from) / 32);

	if (r < 0)
		return r;
	return is_found ? set_decoded(e, ret, encoded) : 0;
}
