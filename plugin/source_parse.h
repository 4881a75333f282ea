/* SPDX-License-Identifier: Apache-2.0
 *
 * The state of reading one source: shared by source_parse.c (statements) and
 * source_expression.c.  See plugin/source_scan.h.
 */
#pragma once

#include "plugin/source_lex.h"
#include "plugin/source_scan.h"

#define PARSE_DEPTH_MAX 150
#define PARSE_LOCALS_MAX 4000

struct parser {
	struct scan *scan;
	struct source_lex lex;
	struct token now, ahead;
	int function; /* the one being read */
	int depth;
	bool is_lost; /* no sense in it: everything ends */
	int n_locals;
	struct parser_local {
		struct str name;
		int variable;
	} locals[PARSE_LOCALS_MAX];
};

/* An expression that was read, not yet said what becomes of it. */
struct expression {
	struct scan_ref ref;
	struct token place; /* of its last name */
	bool is_call;       /* a call: its use is noted */
	bool is_list;       /* a call or …: it may be several values */
};

void parser_next(struct parser *p);
bool parser_is(const struct parser *p, const char *text);
/* Takes it if it is the one; parser_expect() gives up if not. */
bool parser_take(struct parser *p, const char *text);
void parser_expect(struct parser *p, const char *text);
void parser_lose(struct parser *p);

/* A new local of that name, in scope from now on. */
int parser_declare(struct parser *p, struct str name);
void parser_assign(struct parser *p, int variable, struct scan_ref value);
int parser_note(struct parser *p, enum scan_use_kind kind, const struct expression *e, int call);

/* source_expression.c */
struct expression parse_expression(struct parser *p);
struct expression parse_suffixed(struct parser *p);
/* Notes that its value is used so, if it was not noted as a call. */
void parser_use(struct parser *p, enum scan_use_kind kind, const struct expression *e);

/* source_parse.c: parameters, body, `end`; its index.  self: what is the first, unnamed parameter
 * (NULL = none). */
int parse_body(struct parser *p, const struct scan_ref *self, int line);
