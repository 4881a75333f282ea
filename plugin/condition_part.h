/* SPDX-License-Identifier: Apache-2.0
 *
 * Between the files of plugin/condition: the tokens, the tree and the fields.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/check.h"
#include "base/str.h"
#include "base/why.h"

struct exchange;

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
	int64_t number;
	uint32_t column; /* 1-based */
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

enum cel_kind { CEL_NULL, CEL_BOOL, CEL_INT, CEL_STRING };

struct cel_value {
	enum cel_kind kind;
	bool boolean;
	int64_t number;
	struct str text;
};

/* A field of an exchange: one row of condition_field.c. */
struct condition_field;
/* name: dotted, whole ("http.headers.x_a"); *ret_member: what is behind a prefix row ("x_a").
 * 0; 1 = known to the language and not to this build; 2 = nobody knows it. */
int condition_field_find(
		struct str name, const struct condition_field **ret, struct str *ret_member);
/* The type when there is a value; CEL_STRING or CEL_INT. */
enum cel_kind condition_field_kind(const struct condition_field *field);
/* 0, or -ENOMEM when the request's arena is exhausted. */
int condition_field_read(const struct condition_field *field, struct str member,
		const struct exchange *x, struct cel_value *ret);
/* "http.method, http.host, …" for error texts. */
const char *condition_field_names(void);

#define NODE_NONE UINT16_MAX

/* clang-format off */
/* X(constant, spelling, takes two booleans) */
#define NODE_BINARY_TABLE(X) \
	X(OR,  "||", true) \
	X(AND, "&&", true) \
	X(EQ,  "==", false) \
	X(NE,  "!=", false) \
	X(LE,  "<=", false) \
	X(GE,  ">=", false) \
	X(LT,  "<",  false) \
	X(GT,  ">",  false) \
	X(IN,  "in", false)
/* X(constant, spelling) */
#define NODE_METHOD_TABLE(X) \
	X(CONTAINS,    "contains") \
	X(STARTS_WITH, "startsWith") \
	X(ENDS_WITH,   "endsWith")
/* clang-format on */

enum node_op {
	NODE_LITERAL,
	NODE_FIELD,
	NODE_LIST, /* left = first item, items linked by next */
	NODE_NOT,
#define X(id, text, is_logical) NODE_##id,
	NODE_BINARY_TABLE(X)
#undef X
#define X(id, text) NODE_##id,
			NODE_METHOD_TABLE(X)
#undef X
};

struct node {
	enum node_op op;
	uint16_t left, right, next;
	uint16_t column;
	struct cel_value value;
	const struct condition_field *field;
	struct str member;
};

struct condition {
	uint32_t magic;
	char *text; /* the source, then decoded strings */
	struct node *nodes;
	uint16_t n_nodes, root;
};

#define CONDITION_MAGIC SL_MAGIC('C', 'O', 'N', 'D')

/* Fills c->nodes and c->root from c->text, n bytes; there is room for n nodes. */
int condition_parse(struct condition *c, size_t n, struct why *why);
