/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/pdk_multipart.h"
#include "plugin/pdk_query.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "plugin/pdk_body.h"

/* RFC 2046 5.1.1 */
#define BOUNDARY_MAX 70

/* The value of `name=` among "a=b; c=\"d\"", unquoted. */
static struct str parameter(struct str params, struct str name)
{
	while (params.n != 0) {
		ptrdiff_t at = str_find_char(params, ';');
		struct str one = str_trim(at < 0 ? params : str_head(params, (size_t)at));

		params = at < 0 ? STR_NONE : str_from(params, (size_t)at + 1);
		if (one.n <= name.n || one.p[name.n] != '=' ||
				!str_ieq(str_head(one, name.n), name))
			continue;
		one = str_trim(str_from(one, name.n + 1));
		if (one.n >= 2 && one.p[0] == '"' && one.p[one.n - 1] == '"')
			one = str_head(str_from(one, 1), one.n - 2);
		return one;
	}
	return STR_NONE;
}

struct str multipart_boundary(struct str content_type)
{
	struct str b = parameter(content_type, STR("boundary"));

	return b.n <= BOUNDARY_MAX ? b : STR_NONE;
}

/* Where "--boundary" begins a line in s, from `from` on; -1 = nowhere. */
static ptrdiff_t find_delimiter(struct str s, size_t from, struct str boundary)
{
	while (from < s.n) {
		struct str rest = str_from(s, from);
		ptrdiff_t at = str_find(rest, STR("--"));
		size_t place;

		if (at < 0)
			return -1;
		place = from + (size_t)at;
		if ((place == 0 || s.p[place - 1] == '\n') &&
				str_starts(str_from(s, place + 2), boundary))
			return (ptrdiff_t)place;
		from = place + 1;
	}
	return -1;
}

/* The name of Content-Disposition among a part's header lines. */
static struct str part_name(struct str head)
{
	while (head.n != 0) {
		ptrdiff_t eol = str_find_char(head, '\n');
		struct str line = eol < 0 ? head : str_head(head, (size_t)eol);
		const struct str field = STR("content-disposition:");

		head = eol < 0 ? STR_NONE : str_from(head, (size_t)eol + 1);
		if (line.n != 0 && line.p[line.n - 1] == '\r')
			line.n--;
		if (str_ieq(str_head(line, field.n), field))
			return parameter(str_from(line, field.n), STR("name"));
	}
	return STR_NONE;
}

/* Splits a part at its empty line. */
static bool split_part(struct str part, struct multipart_part *ret)
{
	ptrdiff_t crlf = str_find(part, STR("\r\n\r\n"));
	ptrdiff_t lf = str_find(part, STR("\n\n"));

	if (str_starts(part, STR("\r\n"))) {
		*ret = (struct multipart_part){.content = str_from(part, 2)};
		return true;
	}
	if (crlf >= 0 && (lf < 0 || crlf < lf)) {
		ret->name = part_name(str_head(part, (size_t)crlf));
		ret->content = str_from(part, (size_t)crlf + 4);
		return true;
	}
	if (lf < 0)
		return false;
	ret->name = part_name(str_head(part, (size_t)lf));
	ret->content = str_from(part, (size_t)lf + 2);
	return true;
}

int multipart_next(struct str *rest, struct str boundary, struct multipart_part *ret)
{
	ptrdiff_t start = find_delimiter(*rest, 0, boundary), end;
	struct str part;

	if (start < 0)
		return -EINVAL;
	part = str_from(*rest, (size_t)start + 2 + boundary.n);
	if (str_starts(part, STR("--")))
		return 0;
	end = str_find_char(part, '\n');
	if (end < 0)
		return -EINVAL;
	part = str_from(part, (size_t)end + 1);
	/* From the line break before it: an empty part has its delimiter at once. */
	end = find_delimiter((struct str){part.p - 1, part.n + 1}, 1, boundary);
	if (end < 0)
		return -EINVAL;
	*rest = str_from(part, (size_t)end - 1);
	part = str_head(part, (size_t)end - 1);
	if (part.n != 0 && part.p[part.n - 1] == '\n')
		part.n--;
	if (part.n != 0 && part.p[part.n - 1] == '\r')
		part.n--;
	return split_part(part, ret) ? 1 : -EINVAL;
}

bool pdk_push_multipart(lua_State *L, struct arena *a, struct str body, struct str content_type)
{
	struct str boundary = multipart_boundary(content_type);
	struct multipart_part part;
	int r = -EINVAL;

	(void)a;
	if (boundary.n == 0)
		return false;
	lua_createtable(L, 0, 4);
	for (int n = 0; n < PDK_MULTIPART_PARTS_MAX; n++) {
		r = multipart_next(&body, boundary, &part);
		if (r <= 0)
			break;
		if (part.name.n == 0)
			continue;
		lua_pushlstring(L, part.content.p, part.content.n);
		pdk_add_field(L, part.name);
	}
	if (r < 0)
		lua_pop(L, 1);
	return r >= 0;
}

static int pair_order(const void *a, const void *b)
{
	const struct value_pair *x = a, *y = b;

	return str_cmp(x->key.string, y->key.string);
}

static bool has_line_break(struct str s)
{
	return str_find_char(s, '\r') >= 0 || str_find_char(s, '\n') >= 0 ||
	       str_find_char(s, '"') >= 0;
}

/* Its keys are strings, its values scalars.  NULL, or the text to raise. */
static const char *check(const struct value_table *t)
{
	for (uint32_t i = 0; i < t->n; i++) {
		const struct value_pair *pair = &t->v[i];

		if (has_line_break(pair->key.string))
			return "invalid value of a multipart body: a key holds a quote or line "
			       "break";
	}
	return NULL;
}

static struct str text_of(const struct value *v, char *buf, size_t size)
{
	if (v->type == VALUE_STRING)
		return v->string;
	if (v->type == VALUE_BOOL)
		return v->boolean ? STR("true") : STR("false");
	return (struct str){buf, (size_t)snprintf(buf, size, "%.14g", v->number)};
}

int multipart_encode(struct arena *a, const struct value *table, struct str boundary,
		struct str *ret, const char **ret_text)
{
	struct value_table *t = table->table;
	const char *wrong = check(t);
	size_t cap = boundary.n + 16, n = 0;
	char number[32], *p;

	if (wrong != NULL) {
		*ret_text = wrong;
		return -EINVAL;
	}
	if (t->n != 0)
		qsort(t->v, t->n, sizeof(*t->v), pair_order);
	for (uint32_t i = 0; i < t->n; i++)
		cap += boundary.n + t->v[i].key.string.n + 64 +
		       text_of(&t->v[i].value, number, sizeof(number)).n;
	p = arena_alloc(a, cap);
	if (p == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < t->n; i++) {
		struct str text = text_of(&t->v[i].value, number, sizeof(number));

		n += (size_t)snprintf(p + n, cap - n,
				"--%.*s\r\nContent-Disposition: form-data; name=\"%.*s\"\r\n\r\n",
				STR_ARG(boundary), STR_ARG(t->v[i].key.string));
		if (text.n != 0)
			memcpy(p + n, text.p, text.n);
		n += text.n;
		p[n++] = '\r';
		p[n++] = '\n';
	}
	n += (size_t)snprintf(p + n, cap - n, "--%.*s--\r\n", STR_ARG(boundary));
	*ret = (struct str){p, n};
	return 0;
}
