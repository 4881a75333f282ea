/* SPDX-License-Identifier: Apache-2.0
 *
 * Lua source text as tokens with their places, for `sluicectl plugin lint`.  No Lua state; what
 * LuaJIT would refuse ends in TOKEN_END, never in an error: that is the compiler's to say.
 */
#pragma once

#include "base/str.h"

enum token_kind { TOKEN_END, TOKEN_NAME, TOKEN_KEYWORD, TOKEN_STRING, TOKEN_NUMBER, TOKEN_SYMBOL };

/* text: as written; of a string what stands between its quotes, escapes and all. */
struct token {
	enum token_kind kind;
	struct str text;
	int line, column; /* from 1, in bytes */
};

struct source_lex {
	const char *at, *end, *line_start;
	int line;
};

void source_lex_init(struct source_lex *lex, struct str source);
/* At the end (or at what is no Lua): TOKEN_END, again and again. */
struct token source_lex_next(struct source_lex *lex);
