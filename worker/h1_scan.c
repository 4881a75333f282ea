/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/h1_scan.h"

/* Classes of a byte, one table look-up on the hot path. */
#define TCHAR 1  /* RFC 9110 5.6.2 token */
#define VALUE 2  /* in a field value */
#define TARGET 4 /* in a request target: visible ASCII but '#' */

#define ALNUM (TCHAR | VALUE | TARGET)
#define MARK (TCHAR | VALUE | TARGET)
#define OTHER (VALUE | TARGET)

/* clang-format off */
static const uint8_t classes[256] = {
	['\t'] = VALUE, [' '] = VALUE,
	['0' ... '9'] = ALNUM, ['a' ... 'z'] = ALNUM, ['A' ... 'Z'] = ALNUM,
	['!'] = MARK, ['$'] = MARK, ['%'] = MARK, ['&'] = MARK, ['\''] = MARK, ['*'] = MARK,
	['+'] = MARK, ['-'] = MARK, ['.'] = MARK, ['^'] = MARK, ['_'] = MARK, ['`'] = MARK,
	['|'] = MARK, ['~'] = MARK, ['#'] = TCHAR | VALUE,
	['"'] = OTHER, ['('] = OTHER, [')'] = OTHER, [','] = OTHER, ['/'] = OTHER, [':'] = OTHER,
	[';'] = OTHER, ['<'] = OTHER, ['='] = OTHER, ['>'] = OTHER, ['?'] = OTHER, ['@'] = OTHER,
	['['] = OTHER, ['\\'] = OTHER, [']'] = OTHER, ['{'] = OTHER, ['}'] = OTHER,
	[0x80 ... 0xff] = VALUE,
};
/* clang-format on */

bool h1_is_tchar(unsigned char c)
{
	return (classes[c] & TCHAR) != 0;
}

bool h1_is_value_char(unsigned char c)
{
	return (classes[c] & VALUE) != 0;
}

/* How many leading bytes of s are of the class. */
static size_t run_of(struct str s, uint8_t class)
{
	size_t i = 0;

	while (i < s.n && (classes[(unsigned char)s.p[i]] & class) != 0)
		i++;
	return i;
}

/* Is every byte one of a field's value?  Eight at a time where none is a tab. */
static bool is_value(struct str s)
{
	while (s.n >= 8 && str_is_plain8(s.p))
		s = str_from(s, 8);
	return run_of(s, VALUE) == s.n;
}

bool h1_field_is_clean(struct str name, struct str value)
{
	return name.n != 0 && run_of(name, TCHAR) == name.n && is_value(value);
}

static bool is_version(struct str s)
{
	return s.n == 8 && memcmp(s.p, "HTTP/1.", 7) == 0 && (s.p[7] == '0' || s.p[7] == '1');
}

/* method SP request-target SP HTTP-version, single spaces */
static bool is_request_line(struct str line)
{
	size_t method = run_of(line, TCHAR), target;

	if (method == 0 || method == line.n || line.p[method] != ' ')
		return false;
	line = str_from(line, method + 1);
	target = run_of(line, TARGET);
	if (target == 0 || target == line.n || line.p[target] != ' ')
		return false;
	return is_version(str_from(line, target + 1));
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* HTTP-version SP 3DIGIT [SP reason]; the last space is often left out */
static bool is_status_line(struct str line)
{
	if (line.n < 12 || !is_version(str_head(line, 8)) || line.p[8] != ' ')
		return false;
	if (!is_digit(line.p[9]) || !is_digit(line.p[10]) || !is_digit(line.p[11]) ||
			line.p[9] < '1' || line.p[9] > '5')
		return false;
	if (line.n == 12)
		return true;
	return line.p[12] == ' ' && is_value(line);
}

/* token ":" OWS value OWS; a line that starts with space or tab would be a fold. */
static bool is_field(struct str line)
{
	size_t name = run_of(line, TCHAR);

	if (name == 0 || name == line.n || line.p[name] != ':')
		return false;
	return is_value(str_from(line, name + 1));
}

/* One empty line before a request is skipped (RFC 9112 2.2), never before a response.
 * 0 = go on, 1 = more bytes are needed, -400. */
static int skip_empty_line(struct h1_scan *s, const char *p, size_t n)
{
	if (n == 0)
		return 1;
	if (!s->is_response && s->line == 0 && p[0] == '\r') {
		if (n == 1)
			return 1;
		if (p[1] != '\n')
			return -400;
		s->start = s->line = s->searched = 2;
	}
	if (s->first_end == 0 && n > s->start && !h1_is_tchar((unsigned char)p[s->start]))
		return -400; /* not HTTP at all: no use in waiting for a line end */
	return 0;
}

/* A whole line without its CRLF, which ends at offset end.  0 or the negated status. */
static int take_line(struct h1_scan *s, const struct h1_limits *limits, struct str line, size_t end)
{
	if (s->first_end == 0) {
		s->first_end = end;
		return (s->is_response ? is_status_line(line) : is_request_line(line)) ? 0 : -400;
	}
	if (!is_field(line))
		return -400;
	return ++s->n_fields > limits->count_max ? -431 : 0;
}

/* Bytes up to `end` are within the limits of the part they belong to. */
static int check_limits(const struct h1_scan *s, const struct h1_limits *limits, size_t end)
{
	if (s->first_end == 0)
		return end - s->start > limits->line_max ? -414 : 0;
	return end - s->first_end > limits->head_max ? -431 : 0;
}

ptrdiff_t h1_scan(struct h1_scan *s, const struct h1_limits *limits, const char *p, size_t n)
{
	int r = skip_empty_line(s, p, n);

	if (r != 0)
		return r < 0 ? r : H1_INCOMPLETE;
	while (s->searched < n) {
		const char *lf = memchr(p + s->searched, '\n', n - s->searched);
		size_t end = lf == NULL ? n : (size_t)(lf - p) + 1;

		r = check_limits(s, limits, end);
		if (r != 0)
			return r;
		s->searched = end;
		if (lf == NULL)
			return H1_INCOMPLETE;
		if (end - s->line < 2 || lf[-1] != '\r')
			return -400;
		if (end - s->line == 2 && s->first_end != 0)
			return (ptrdiff_t)end;
		r = take_line(s, limits, (struct str){p + s->line, end - s->line - 2}, end);
		if (r != 0)
			return r;
		s->line = end;
	}
	return H1_INCOMPLETE;
}
