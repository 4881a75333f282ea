/* SPDX-License-Identifier: Apache-2.0
 *
 * Between the files of plugin/condition: tokens and the tree that they make.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/check.h"
#include "base/str.h"
#include "base/why.h"
#include "plugin/condition_value.h"

enum token_kind {
	TOKEN_END,
	TOKEN_NAME,   /* identifier; also true, false, null, in */
	TOKEN_STRING, /* text = the decoded bytes */
	TOKEN_INT,
	TOKEN_OP, /* text = the operator */
};

struct token {
	enum token_kind kind;
	struct str text;
	uint64_t magnitude; /* at most 2^63 */
	uint32_t column;    /* 1-based */
};

struct condition_lexer {
	struct str source;
	uint32_t at;
	char *pool; /* for decoded strings: as large as the source */
	uint32_t pool_n;
};

/* The next token; 0, or -EINVAL with why. */
int condition_lex(struct condition_lexer *lexer, struct token *ret, struct why *why);
/* why = "condition", the column, text; always -EINVAL. */
int condition_fail(struct why *why, uint32_t column, const char *fmt, ...)
		__attribute__((format(printf, 3, 4)));

#define NODE_NONE UINT16_MAX

/* clang-format off */
/* X(constant, evaluator in condition_run.c or condition_macro.c) */
#define NODE_TABLE(X) \
	X(LITERAL,     literal) \
	X(FIELD,       field) \
	X(VARIABLE,    variable) \
	X(LIST,        list)     /* left = first item, items linked by next */ \
	X(MAP,         map)      /* left = first key, keys and values by turns */ \
	X(NOT,         not) \
	X(OR,          logical) \
	X(AND,         logical) \
	X(EQ,          equal) \
	X(NE,          equal) \
	X(LE,          order) \
	X(GE,          order) \
	X(LT,          order) \
	X(GT,          order) \
	X(IN,          in) \
	X(ADD,         add) \
	X(SELECT,      select)   /* left.text */ \
	X(INDEX,       index)    /* left[right] */ \
	X(CONTAINS,    method) \
	X(STARTS_WITH, method) \
	X(ENDS_WITH,   method) \
	X(MATCHES,     matches)  /* right is a literal; regex */ \
	X(SIZE,        size) \
	X(HAS,         has)      /* of a SELECT or a FIELD */ \
	X(ALL,         quantify) /* left = list, right = body, slot */ \
	X(EXISTS,      quantify) \
	X(MAP_EACH,    transform) \
	X(FILTER,      transform)
/* X(constant, spelling, operands must be true or false) */
#define NODE_BINARY_TABLE(X) \
	X(OR,  "||", true) \
	X(AND, "&&", true) \
	X(EQ,  "==", false) \
	X(NE,  "!=", false) \
	X(LE,  "<=", false) \
	X(GE,  ">=", false) \
	X(LT,  "<",  false) \
	X(GT,  ">",  false) \
	X(IN,  "in", false) \
	X(ADD, "+",  false)
/* X(constant, spelling, is a macro over a list) */
#define NODE_METHOD_TABLE(X) \
	X(CONTAINS,    "contains",   false) \
	X(STARTS_WITH, "startsWith", false) \
	X(ENDS_WITH,   "endsWith",   false) \
	X(MATCHES,     "matches",    false) \
	X(SIZE,        "size",       false) \
	X(ALL,         "all",        true) \
	X(EXISTS,      "exists",     true) \
	X(MAP_EACH,    "map",        true) \
	X(FILTER,      "filter",     true)
/* clang-format on */

enum node_op {
#define X(id, run) NODE_##id,
	NODE_TABLE(X)
#undef X
};

struct condition_regex;

struct node {
	enum node_op op;
	uint16_t left, right, next;
	uint16_t column;
	uint8_t slot;    /* of a variable */
	cel_kinds kinds; /* what it can yield */
	cel_kinds items; /* of a list: what its items can be */
	struct str text; /* a field's own part ("x_a" of http.headers.x_a), a member's name */
	struct cel_value value;
	union {
		const struct condition_field *field;
		struct condition_regex *regex; /* in the condition's list */
	};
};

/* The values of a list or map of literals. */
struct condition_items {
	struct condition_items *next;
	struct cel_value v[];
};

struct condition {
	uint32_t magic;
	char *text; /* the source, then decoded strings */
	struct node *nodes;
	uint16_t n_nodes, root;
	bool has_default, default_value;
	struct condition_items *items;
	struct condition_regex *regexes;
};

#define CONDITION_MAGIC SL_MAGIC('C', 'O', 'N', 'D')

/* Fills c->nodes and c->root from c->text, n bytes; there is room for n nodes. */
int condition_parse(struct condition *c, size_t n, struct why *why);

/* Linear-looking patterns only (the syntax of RE2 and Rust's regex): what PCRE2 has beyond is
 * refused by name.  Joins *list.  0, -ENOMEM, -EINVAL with why at that column. */
int condition_regex_add(struct condition_regex **list, struct str pattern, uint32_t column,
		struct condition_regex **ret, struct why *why);
void condition_regex_free(struct condition_regex *list);
/* 1, 0, -E2BIG: over that many steps of the matcher. */
int condition_regex_match(struct condition_regex *r, struct str s, uint32_t steps_max);
