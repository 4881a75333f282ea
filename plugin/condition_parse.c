/* SPDX-License-Identifier: Apache-2.0
 *
 * Recursive descent over the tokens into a tree in one array.
 */
#include "plugin/condition_parser.h"

#include <errno.h>

#define DEPTH_MAX 64

int condition_advance(struct parser *p)
{
	return condition_lex(&p->lexer, &p->token, p->why);
}

bool condition_at_op(const struct parser *p, const char *text)
{
	return p->token.kind == TOKEN_OP && str_eq(p->token.text, str_of(text));
}

bool condition_at_word(const struct parser *p, const char *text)
{
	return p->token.kind == TOKEN_NAME && str_eq(p->token.text, str_of(text));
}

uint16_t condition_add(struct parser *p, enum node_op op, uint32_t column)
{
	struct node *node = &p->c->nodes[p->c->n_nodes];

	*node = (struct node){.op = op,
			.left = NODE_NONE,
			.right = NODE_NONE,
			.next = NODE_NONE,
			.column = (uint16_t)column,
			.kinds = KIND_ANY,
			.items = KIND_ANY};
	return p->c->n_nodes++;
}

int condition_expect(struct parser *p, const char *text)
{
	if (condition_at_op(p, text))
		return condition_advance(p);
	if (p->token.kind == TOKEN_END)
		return condition_fail(p->why, p->token.column,
				"the condition ends where '%s' is expected", text);
	return condition_fail(p->why, p->token.column, "expected '%s' at column %u", text,
			p->token.column);
}

static int parse_parenthesis(struct parser *p, uint16_t *ret)
{
	int r = condition_advance(p);

	if (r == 0)
		r = condition_parse_expression(p, ret);
	return r == 0 ? condition_expect(p, ")") : r;
}

static int parse_value(struct parser *p, uint16_t *ret)
{
	bool is_word = condition_at_word(p, "true") || condition_at_word(p, "false") ||
		       condition_at_word(p, "null") || condition_at_word(p, "in");

	if (p->token.kind == TOKEN_NAME && !is_word)
		return condition_parse_name(p, ret);
	if (condition_at_op(p, "("))
		return parse_parenthesis(p, ret);
	if (condition_at_op(p, "["))
		return condition_parse_list(p, ret);
	if (condition_at_op(p, "{"))
		return condition_parse_map(p, ret);
	return condition_parse_scalar(p, ret);
}

static int parse_unary(struct parser *p, uint16_t *ret);

static int parse_not(struct parser *p, uint32_t column, uint16_t *ret)
{
	uint16_t inner;
	int r = condition_advance(p);

	if (r == 0)
		r = parse_unary(p, &inner);
	if (r == 0)
		r = condition_check_boolean(p, inner);
	if (r < 0)
		return r;
	*ret = condition_add(p, NODE_NOT, column);
	p->c->nodes[*ret].left = inner;
	p->c->nodes[*ret].kinds = KIND(BOOL);
	return 0;
}

static int parse_unary(struct parser *p, uint16_t *ret)
{
	uint32_t column = p->token.column;
	int r;

	if (++p->depth > DEPTH_MAX)
		return condition_fail(p->why, column, "more than %d levels of nesting", DEPTH_MAX);
	if (condition_at_op(p, "!")) {
		r = parse_not(p, column, ret);
	} else {
		r = parse_value(p, ret);
		if (r == 0)
			r = condition_parse_members(p, ret);
	}
	p->depth--;
	return r;
}

/* The binary operator at hand, if it is one of `first`..`last`. */
static bool find_binary(
		const struct parser *p, enum node_op first, enum node_op last, enum node_op *ret)
{
	static const struct {
		enum node_op op;
		const char *text;
	} operators[] = {
#define X(id, text, is_logical) {NODE_##id, text},
			NODE_BINARY_TABLE(X)
#undef X
	};

	for (size_t i = 0; i < sizeof(operators) / sizeof(operators[0]); i++) {
		if (operators[i].op < first || operators[i].op > last)
			continue;
		if (condition_at_op(p, operators[i].text) ||
				condition_at_word(p, operators[i].text)) {
			*ret = operators[i].op;
			return true;
		}
	}
	return false;
}

typedef int parse_fn(struct parser *p, uint16_t *ret);

static int parse_binary(struct parser *p, enum node_op first, enum node_op last, parse_fn *operand,
		uint16_t *ret)
{
	enum node_op op;
	int r = operand(p, ret);

	while (r == 0 && find_binary(p, first, last, &op)) {
		uint16_t at = condition_add(p, op, p->token.column), right;

		r = condition_advance(p);
		if (r == 0)
			r = operand(p, &right);
		if (r < 0)
			return r;
		p->c->nodes[at].left = *ret;
		p->c->nodes[at].right = right;
		*ret = at;
		r = condition_check_binary(p, &p->c->nodes[at]);
	}
	return r;
}

/* What CEL has at this place and this language has not. */
static int refuse_arithmetic(struct parser *p)
{
	static const char *const operators[] = {"-", "*", "/", "%", "?"};

	for (size_t i = 0; i < sizeof(operators) / sizeof(operators[0]); i++) {
		if (condition_at_op(p, operators[i]))
			return condition_fail(p->why, p->token.column,
					"'%s' at column %u is not an operator of conditions: they "
					"have ==, !=, <, <=, >, >=, in, +, !, && and ||",
					operators[i], p->token.column);
	}
	return 0;
}

static int parse_sum(struct parser *p, uint16_t *ret)
{
	int r = parse_binary(p, NODE_ADD, NODE_ADD, parse_unary, ret);

	return r == 0 ? refuse_arithmetic(p) : r;
}

static int parse_relation(struct parser *p, uint16_t *ret)
{
	return parse_binary(p, NODE_EQ, NODE_IN, parse_sum, ret);
}

static int parse_and(struct parser *p, uint16_t *ret)
{
	return parse_binary(p, NODE_AND, NODE_AND, parse_relation, ret);
}

int condition_parse_expression(struct parser *p, uint16_t *ret)
{
	return parse_binary(p, NODE_OR, NODE_OR, parse_and, ret);
}

/* Behind the name: (expression, true|false). */
static int parse_default(struct parser *p, uint16_t *ret)
{
	int r = condition_expect(p, "(");

	if (r == 0)
		r = condition_parse_expression(p, ret);
	if (r == 0)
		r = condition_expect(p, ",");
	if (r < 0)
		return r;
	p->c->has_default = true;
	p->c->default_value = condition_at_word(p, "true");
	if (!p->c->default_value && !condition_at_word(p, "false"))
		return condition_fail(p->why, p->token.column,
				"the second argument of default() is true or false");
	r = condition_advance(p);
	if (r == 0)
		r = condition_expect(p, ")");
	if (r == 0 && p->token.kind != TOKEN_END)
		return condition_fail(p->why, p->token.column,
				"default() must hold the whole condition: nothing may stand behind "
				"it at column %u",
				p->token.column);
	return r;
}

static int parse_all(struct parser *p, uint16_t *ret)
{
	int r = condition_advance(p);

	if (r == 0 && condition_at_word(p, "default")) {
		r = condition_advance(p);
		if (r == 0)
			r = parse_default(p, ret);
	} else if (r == 0) {
		r = condition_parse_expression(p, ret);
	}
	if (r < 0)
		return r;
	if (p->token.kind != TOKEN_END)
		return condition_fail(p->why, p->token.column, "unexpected '%.*s' at column %u",
				STR_ARG(p->token.text), p->token.column);
	return condition_check_boolean(p, *ret);
}

int condition_parse(struct condition *c, size_t n, struct why *why)
{
	struct parser p = {.c = c, .why = why};

	p.lexer.source = (struct str){c->text, n};
	p.lexer.pool = c->text + n;
	return parse_all(&p, &c->root);
}
