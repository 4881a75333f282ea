/* SPDX-License-Identifier: Apache-2.0
 *
 * Tokens of the expression language (CEL, "Syntax").
 */
#include "plugin/condition_part.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "plugin/condition.h"

int condition_fail(struct why *why, uint32_t column, const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	why_set(why, "condition", (int)column, "%s", text);
	return -EINVAL;
}

static bool is_name_start(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static int hex_value(char c)
{
	if (is_digit(c))
		return c - '0';
	c = ascii_lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static char peek(const struct condition_lexer *l, uint32_t ahead)
{
	return l->at + ahead < l->source.n ? l->source.p[l->at + ahead] : '\0';
}

static int lex_number(struct condition_lexer *l, struct token *ret, struct why *why)
{
	bool is_hex = peek(l, 0) == '0' && (peek(l, 1) == 'x' || peek(l, 1) == 'X');
	uint64_t base = is_hex ? 16 : 10;
	uint64_t number = 0;
	uint32_t n_digits = 0;

	l->at += is_hex ? 2 : 0;
	for (;; l->at++, n_digits++) {
		int digit = hex_value(peek(l, 0));

		if (digit < 0 || digit >= (int)base)
			break;
		if (number > ((uint64_t)INT64_MAX + 1 - (uint64_t)digit) / base)
			return condition_fail(why, ret->column, "the number is too large");
		number = number * base + (uint64_t)digit;
	}
	if (n_digits == 0 || is_name_start(peek(l, 0)) ||
			(peek(l, 0) == '.' && is_digit(peek(l, 1))))
		return condition_fail(why, ret->column,
				"not a number: only integers (12, 0x1f) are supported");
	ret->kind = TOKEN_INT;
	ret->magnitude = number;
	return 0;
}

static void put(struct condition_lexer *l, char c)
{
	l->pool[l->pool_n++] = c;
}

static void put_utf8(struct condition_lexer *l, uint32_t c)
{
	if (c < 0x80) {
		put(l, (char)c);
	} else if (c < 0x800) {
		put(l, (char)(0xc0 | c >> 6));
		put(l, (char)(0x80 | (c & 0x3f)));
	} else {
		if (c < 0x10000) {
			put(l, (char)(0xe0 | c >> 12));
		} else {
			put(l, (char)(0xf0 | c >> 18));
			put(l, (char)(0x80 | (c >> 12 & 0x3f)));
		}
		put(l, (char)(0x80 | (c >> 6 & 0x3f)));
		put(l, (char)(0x80 | (c & 0x3f)));
	}
}

static int lex_code_point(
		struct condition_lexer *l, uint32_t n_digits, uint32_t base, struct why *why)
{
	uint32_t c = 0;

	for (uint32_t i = 0; i < n_digits; i++) {
		int digit = hex_value(peek(l, i));

		if (digit < 0 || digit >= (int)base)
			return condition_fail(why, l->at + 1, "expected %u %s digits", n_digits,
					base == 16 ? "hexadecimal" : "octal");
		c = c * base + (uint32_t)digit;
	}
	if ((c >= 0xd800 && c <= 0xdfff) || c > 0x10ffff)
		return condition_fail(why, l->at + 1, "not a Unicode character");
	l->at += n_digits;
	put_utf8(l, c);
	return 0;
}

/* Behind the backslash. */
static int lex_escape(struct condition_lexer *l, struct why *why)
{
	static const char from[] = "ntrabfv\\\"'`?";
	static const char to[] = "\n\t\r\a\b\f\v\\\"'`?";
	char c = peek(l, 0);
	const char *at = c != '\0' ? strchr(from, c) : NULL;

	l->at++;
	if (c == 'x' || c == 'X')
		return lex_code_point(l, 2, 16, why);
	if (c == 'u')
		return lex_code_point(l, 4, 16, why);
	if (c == 'U')
		return lex_code_point(l, 8, 16, why);
	if (c >= '0' && c <= '3') {
		l->at--;
		return lex_code_point(l, 3, 8, why);
	}
	if (at == NULL)
		return condition_fail(why, l->at - 1, "unknown escape in a string");
	put(l, to[at - from]);
	return 0;
}

static bool at_quote(const struct condition_lexer *l, char quote, uint32_t n_quotes)
{
	for (uint32_t i = 0; i < n_quotes; i++) {
		if (peek(l, i) != quote)
			return false;
	}
	return true;
}

static int lex_string(struct condition_lexer *l, bool is_raw, struct token *ret, struct why *why)
{
	char quote = peek(l, 0);
	uint32_t n_quotes = at_quote(l, quote, 3) ? 3 : 1;
	uint32_t start = l->pool_n;

	l->at += n_quotes;
	while (!at_quote(l, quote, n_quotes)) {
		char c = peek(l, 0);
		int r = 0;

		if (l->at >= l->source.n || (n_quotes == 1 && c == '\n'))
			return condition_fail(why, ret->column, "the string does not end");
		l->at++;
		if (c == '\\' && !is_raw)
			r = lex_escape(l, why);
		else
			put(l, c);
		if (r < 0)
			return r;
	}
	l->at += n_quotes;
	ret->kind = TOKEN_STRING;
	ret->text = (struct str){l->pool + start, l->pool_n - start};
	return 0;
}

static int lex_operator(struct condition_lexer *l, struct token *ret, struct why *why)
{
	static const char *const operators[] = {"&&", "||", "==", "!=", "<=", ">=", "<", ">", "!",
			"(", ")", "[", "]", ",", ".", "+", "-", "*", "/", "%", "?", ":", "{", "}"};

	for (size_t i = 0; i < sizeof(operators) / sizeof(operators[0]); i++) {
		struct str text = str_of(operators[i]);

		if (!str_starts(str_from(l->source, l->at), text))
			continue;
		ret->kind = TOKEN_OP;
		ret->text = text;
		l->at += (uint32_t)text.n;
		return 0;
	}
	if ((unsigned char)peek(l, 0) < 0x20 || (unsigned char)peek(l, 0) >= 0x7f)
		return condition_fail(why, ret->column, "unexpected byte 0x%02x",
				(unsigned int)(unsigned char)peek(l, 0));
	return condition_fail(why, ret->column, "unexpected '%c'", peek(l, 0));
}

static void skip_space(struct condition_lexer *l)
{
	while (l->at < l->source.n && memchr(" \t\r\n", peek(l, 0), 4) != NULL)
		l->at++;
}

int condition_lex(struct condition_lexer *l, struct token *ret, struct why *why)
{
	char c, next;
	uint32_t start;

	skip_space(l);
	*ret = (struct token){.kind = TOKEN_END, .column = l->at + 1};
	if (l->at >= l->source.n)
		return 0;
	c = peek(l, 0);
	next = peek(l, 1);
	if ((c == 'r' || c == 'R') && (next == '"' || next == '\'')) {
		l->at++;
		return lex_string(l, true, ret, why);
	}
	if (c == '"' || c == '\'')
		return lex_string(l, false, ret, why);
	if (is_digit(c))
		return lex_number(l, ret, why);
	if (!is_name_start(c))
		return lex_operator(l, ret, why);
	start = l->at;
	while (is_name_start(peek(l, 0)) || is_digit(peek(l, 0)))
		l->at++;
	ret->kind = TOKEN_NAME;
	ret->text = (struct str){l->source.p + start, l->at - start};
	return 0;
}
