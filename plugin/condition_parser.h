/* SPDX-License-Identifier: Apache-2.0
 *
 * The state of the parser of conditions, and its parts.  Every condition_parse_*() and
 * condition_check_*(): 0, -EINVAL with p->why, -ENOMEM.  Private to plugin/condition.
 */
#pragma once

#include "plugin/condition_part.h"

struct parser {
	struct condition *c;
	struct condition_lexer lexer;
	struct token token; /* at hand */
	uint32_t depth;
	struct str variables[CEL_VARIABLES_MAX]; /* of the macros around this place */
	cel_kinds variable_kinds[CEL_VARIABLES_MAX];
	uint32_t n_variables;
	struct why *why;
};

/* condition_parse.c */
int condition_parse_expression(struct parser *p, uint16_t *ret);
int condition_advance(struct parser *p);
bool condition_at_op(const struct parser *p, const char *text);
bool condition_at_word(const struct parser *p, const char *text);
int condition_expect(struct parser *p, const char *text);
uint16_t condition_add(struct parser *p, enum node_op op, uint32_t column);

/* condition_member.c: a name, or a call of a function. */
int condition_parse_name(struct parser *p, uint16_t *ret);
/* .member, [index], .method(…) behind *at, which becomes the whole. */
int condition_parse_members(struct parser *p, uint16_t *at);

/* condition_literal.c: […] and {…}, made a literal when every part is one. */
int condition_parse_list(struct parser *p, uint16_t *ret);
int condition_parse_map(struct parser *p, uint16_t *ret);
int condition_parse_scalar(struct parser *p, uint16_t *ret);

/* condition_check.c: what can be known without a request. */
int condition_check_boolean(struct parser *p, uint16_t at);
/* Sets what the node yields. */
int condition_check_binary(struct parser *p, struct node *node);
/* The subject of a method is not of a kind that it has. */
int condition_check_subject(struct parser *p, const struct node *node, cel_kinds wanted,
		const char *name, const char *what);
