/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/source_lex.h"

#include <stdbool.h>

static const char *const keywords[] = {"and", "break", "do", "else", "elseif", "end", "false",
		"for", "function", "goto", "if", "in", "local", "nil", "not", "or", "repeat",
		"return", "then", "true", "until", "while"};

/* Longest first. */
static const char *const symbols[] = {"...", "..", "::", "==", "~=", "<=", ">="};

void source_lex_init(struct source_lex *lex, struct str source)
{
	*lex = (struct source_lex){.at = source.p,
			.end = source.p + source.n,
			.line_start = source.p,
			.line = 1};
	/* As luaL_loadfile does. */
	if (source.n > 0 && source.p[0] == '#')
		while (lex->at < lex->end && *lex->at != '\n')
			lex->at++;
}

static bool is_name_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_' || (unsigned char)c >= 0x80;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static char peek(const struct source_lex *lex, size_t ahead)
{
	return (size_t)(lex->end - lex->at) > ahead ? lex->at[ahead] : '\0';
}

static void step(struct source_lex *lex)
{
	if (*lex->at++ == '\n') {
		lex->line++;
		lex->line_start = lex->at;
	}
}

/* At a '[': the number of = between the brackets of a long string, or -1. */
static int long_level(const struct source_lex *lex)
{
	int n = 0;

	while (peek(lex, (size_t)n + 1) == '=')
		n++;
	return peek(lex, (size_t)n + 1) == '[' ? n : -1;
}

static bool is_long_end(const struct source_lex *lex, int level)
{
	for (int i = 0; i < level; i++)
		if (peek(lex, (size_t)i + 1) != '=')
			return false;
	return *lex->at == ']' && peek(lex, (size_t)level + 1) == ']';
}

/* Behind it; what it holds. */
static struct str skip_long(struct source_lex *lex, int level)
{
	const char *from;
	struct str text;

	lex->at += level + 2;
	from = lex->at;
	while (lex->at < lex->end && !is_long_end(lex, level))
		step(lex);
	text = (struct str){from, (size_t)(lex->at - from)};
	lex->at += lex->at < lex->end ? level + 2 : 0;
	return text;
}

static void skip_comment(struct source_lex *lex)
{
	int level;

	lex->at += 2;
	level = peek(lex, 0) == '[' ? long_level(lex) : -1;
	if (level >= 0)
		(void)skip_long(lex, level);
	else
		while (lex->at < lex->end && *lex->at != '\n')
			lex->at++;
}

static void skip_blank(struct source_lex *lex)
{
	while (lex->at < lex->end) {
		if (strchr(" \t\r\n\v\f", *lex->at) != NULL && *lex->at != '\0')
			step(lex);
		else if (*lex->at == '-' && peek(lex, 1) == '-')
			skip_comment(lex);
		else
			return;
	}
}

static struct str take_quoted(struct source_lex *lex)
{
	char quote = *lex->at++;
	const char *from = lex->at;
	struct str text;

	while (lex->at < lex->end && *lex->at != quote) {
		if (*lex->at == '\\' && lex->at + 1 < lex->end)
			step(lex);
		step(lex);
	}
	text = (struct str){from, (size_t)(lex->at - from)};
	lex->at += lex->at < lex->end;
	return text;
}

static struct str take_number(struct source_lex *lex)
{
	const char *from = lex->at;

	while (lex->at < lex->end) {
		bool is_exponent = strchr("eEpP", *lex->at) != NULL && *lex->at != '\0';

		if (!is_name_char(*lex->at) && *lex->at != '.')
			break;
		lex->at++;
		if (is_exponent && (peek(lex, 0) == '+' || peek(lex, 0) == '-'))
			lex->at++;
	}
	return (struct str){from, (size_t)(lex->at - from)};
}

static void take_name(struct source_lex *lex, struct token *t)
{
	const char *from = lex->at;

	while (lex->at < lex->end && is_name_char(*lex->at))
		lex->at++;
	t->text = (struct str){from, (size_t)(lex->at - from)};
	t->kind = TOKEN_NAME;
	for (size_t i = 0; i < sizeof(keywords) / sizeof(keywords[0]); i++)
		if (str_eq(t->text, str_of(keywords[i])))
			t->kind = TOKEN_KEYWORD;
}

static void take_symbol(struct source_lex *lex, struct token *t)
{
	struct str rest = {lex->at, (size_t)(lex->end - lex->at)};
	size_t n = 1;

	for (size_t i = 0; n == 1 && i < sizeof(symbols) / sizeof(symbols[0]); i++)
		if (str_starts(rest, str_of(symbols[i])))
			n = strlen(symbols[i]);
	t->kind = TOKEN_SYMBOL;
	t->text = str_head(rest, n);
	lex->at += n;
}

struct token source_lex_next(struct source_lex *lex)
{
	struct token t = {.kind = TOKEN_END};
	int level;

	skip_blank(lex);
	t.line = lex->line;
	t.column = (int)(lex->at - lex->line_start) + 1;
	t.text = (struct str){lex->at, 0};
	if (lex->at >= lex->end)
		return t;
	level = *lex->at == '[' ? long_level(lex) : -1;
	t.kind = TOKEN_STRING;
	if (level >= 0) {
		t.text = skip_long(lex, level);
	} else if (*lex->at == '"' || *lex->at == '\'') {
		t.text = take_quoted(lex);
	} else if (is_digit(*lex->at) || (*lex->at == '.' && is_digit(peek(lex, 1)))) {
		t.kind = TOKEN_NUMBER;
		t.text = take_number(lex);
	} else if (is_name_char(*lex->at)) {
		take_name(lex, &t);
	} else {
		take_symbol(lex, &t);
	}
	return t;
}
