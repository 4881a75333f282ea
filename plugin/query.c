/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/query.h"

#include "plugin/path.h"

bool query_next(struct str *rest, struct query_item *ret)
{
	while (rest->n != 0) {
		ptrdiff_t amp = str_find_char(*rest, '&');
		struct str item = amp < 0 ? *rest : str_head(*rest, (size_t)amp);
		ptrdiff_t eq = str_find_char(item, '=');

		*rest = amp < 0 ? STR_NONE : str_from(*rest, (size_t)amp + 1);
		ret->name = eq < 0 ? item : str_head(item, (size_t)eq);
		ret->value = eq < 0 ? STR_NONE : str_from(item, (size_t)eq + 1);
		if (ret->name.n != 0)
			return true;
	}
	return false;
}

/* The byte that s stands for at *at, which moves behind it.  A '%' without digits is itself. */
static char next_byte(struct str s, size_t *at)
{
	char c = s.p[*at];
	int byte = c == '%' ? percent_byte(s, *at) : -1;

	*at += byte >= 0 ? 3 : 1;
	if (byte >= 0)
		return (char)byte;
	return c == '+' ? ' ' : c;
}

struct str query_unescape(struct arena *a, struct str s)
{
	size_t at = 0, n = 0;
	char *p;

	if (str_find_char(s, '%') < 0 && str_find_char(s, '+') < 0)
		return s;
	p = arena_alloc(a, s.n + 1);
	if (p == NULL)
		return STR_NONE;
	while (at < s.n)
		p[n++] = next_byte(s, &at);
	return (struct str){p, n};
}

bool query_name_is(struct str escaped, struct str plain)
{
	size_t at = 0, n = 0;

	while (at < escaped.n) {
		if (n == plain.n || next_byte(escaped, &at) != plain.p[n])
			return false;
		n++;
	}
	return n == plain.n;
}
