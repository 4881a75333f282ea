/* SPDX-License-Identifier: Apache-2.0
 *
 * Recursive descent over the tokens into a tree in one array.
 */
#include "plugin/condition_part.h"

#include <errno.h>

#define DEPTH_MAX 64

struct parser {
	struct condition *c;
	struct condition_lexer lexer;
	struct token token;
	uint32_t depth;
	struct why *why;
};

static int parse_or(struct parser *p, uint16_t *ret);

static int advance(struct parser *p)
{
	return condition_lex(&p->lexer, &p->token, p->why);
}

static bool is_op(const struct parser *p, const char *text)
{
	return p->token.kind == TOKEN_OP && str_eq(p->token.text, str_of(text));
}

static bool is_word(const struct parser *p, const char *text)
{
	return p->token.kind == TOKEN_NAME && str_eq(p->token.text, str_of(text));
}

static int fail_later(struct parser *p, struct str what, uint32_t column)
{
	return condition_fail(p->why, column,
			"'%.*s' at column %u is not supported yet: use ==, !=, <, <=, >, >=, !, "
			"&&, ||, in, "
			"contains(), startsWith(), endsWith()",
			STR_ARG(what), column);
}

static uint16_t add_node(struct parser *p, enum node_op op, uint32_t column)
{
	struct node *node = &p->c->nodes[p->c->n_nodes];

	*node = (struct node){.op = op,
			.left = NODE_NONE,
			.right = NODE_NONE,
			.next = NODE_NONE,
			.column = (uint16_t)column};
	return p->c->n_nodes++;
}

static int expect(struct parser *p, const char *text)
{
	if (is_op(p, text))
		return advance(p);
	if (p->token.kind == TOKEN_END)
		return condition_fail(p->why, p->token.column,
				"the condition ends where '%s' is expected", text);
	return condition_fail(p->why, p->token.column, "expected '%s' at column %u", text,
			p->token.column);
}

static bool is_logical(enum node_op op)
{
	return op == NODE_NOT || (op > NODE_NOT);
}

/* What the node yields whatever the exchange: false when it can never be true or false. */
static bool may_be_boolean(const struct node *node)
{
	return is_logical(node->op) || (node->op == NODE_LITERAL && node->value.kind == CEL_BOOL);
}

static int want_boolean(struct parser *p, uint16_t at)
{
	const struct node *node = &p->c->nodes[at];

	if (may_be_boolean(node))
		return 0;
	return condition_fail(p->why, node->column,
			"expected an expression that is true or false at column %u: compare the "
			"value with == or !=",
			node->column);
}

/* Names of the language that are functions, so that they are told from fields. */
static bool is_later_function(struct str name)
{
	static const char *const functions[] = {"matches", "size", "has", "all", "exists",
			"exists_one", "map", "filter", "default", "int", "uint", "string", "double",
			"bool", "type", "dyn", "timestamp", "duration"};

	for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]); i++) {
		if (str_eq(name, str_of(functions[i])))
			return true;
	}
	return false;
}

static int find_method(struct str name, enum node_op *ret)
{
	static const struct {
		enum node_op op;
		const char *name;
	} methods[] = {
#define X(id, text) {NODE_##id, text},
			NODE_METHOD_TABLE(X)
#undef X
	};

	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
		if (str_eq(name, str_of(methods[i].name))) {
			*ret = methods[i].op;
			return 0;
		}
	}
	return -ENOENT;
}

/* "(arg)" behind receiver.name. */
static int parse_call(struct parser *p, struct str name, uint32_t column, uint16_t *receiver)
{
	enum node_op op;
	uint16_t at, arg;
	int r;

	if (find_method(name, &op) < 0) {
		if (is_later_function(name))
			return fail_later(p, name, column);
		return condition_fail(p->why, column, "Undeclared reference to '%.*s' at column %u",
				STR_ARG(name), column);
	}
	at = add_node(p, op, column);
	r = advance(p);
	if (r == 0)
		r = parse_or(p, &arg);
	if (r == 0)
		r = expect(p, ")");
	if (r < 0)
		return r;
	p->c->nodes[at].left = *receiver;
	p->c->nodes[at].right = arg;
	*receiver = at;
	return 0;
}

static int finish_field(struct parser *p, struct str name, uint32_t column, uint16_t *ret)
{
	const struct condition_field *field = NULL;
	struct str member = STR_NONE;
	struct node *node;

	switch (condition_field_find(name, &field, &member)) {
	case 0:
		*ret = add_node(p, NODE_FIELD, column);
		node = &p->c->nodes[*ret];
		node->field = field;
		node->member = member;
		return 0;
	case 1:
		return condition_fail(p->why, column,
				"'%.*s' at column %u is not supported yet: fields are %s",
				STR_ARG(name), column, condition_field_names());
	default:
		return condition_fail(p->why, column,
				"Undeclared reference to '%.*s' at column %u: fields are %s",
				STR_ARG(name), column, condition_field_names());
	}
}

/* a.b.c as far as it is names; the last one may be a method: it is left as *method. */
static int parse_dotted(struct parser *p, struct str *name, struct token *method)
{
	int r = advance(p);

	method->kind = TOKEN_END;
	while (r == 0 && is_op(p, ".")) {
		r = advance(p);
		if (r < 0)
			return r;
		if (p->token.kind != TOKEN_NAME)
			return condition_fail(p->why, p->token.column,
					"expected a name behind '.' at column %u", p->token.column);
		*method = p->token;
		r = advance(p);
		if (r < 0 || is_op(p, "("))
			return r;
		/* Spaces around dots would become part of the slice: names are contiguous. */
		if (method->text.p != name->p + name->n + 1)
			return condition_fail(p->why, method->column,
					"no space is allowed in the name at column %u",
					method->column);
		name->n = (size_t)(method->text.p + method->text.n - name->p);
		method->kind = TOKEN_END;
	}
	return r;
}

/* .method(arg)… behind a value. */
static int parse_methods(struct parser *p, uint16_t *at)
{
	int r = 0;

	while (r == 0 && is_op(p, ".")) {
		struct token name;

		r = advance(p);
		name = p->token;
		if (r == 0 && name.kind != TOKEN_NAME)
			return condition_fail(p->why, name.column,
					"expected a method behind '.' at column %u", name.column);
		if (r == 0)
			r = advance(p);
		if (r == 0 && !is_op(p, "("))
			return expect(p, "(");
		if (r == 0)
			r = parse_call(p, name.text, name.column, at);
	}
	if (r == 0 && is_op(p, "["))
		return fail_later(p, STR("[]"), p->token.column);
	return r;
}

static int parse_name(struct parser *p, uint16_t *ret)
{
	struct str name = p->token.text;
	uint32_t column = p->token.column;
	struct token method;
	int r = parse_dotted(p, &name, &method);

	if (r < 0)
		return r;
	if (is_op(p, "(") && method.kind == TOKEN_END) {
		if (is_later_function(name))
			return fail_later(p, name, column);
		return condition_fail(p->why, column, "Undeclared reference to '%.*s' at column %u",
				STR_ARG(name), column);
	}
	r = finish_field(p, name, column, ret);
	if (r == 0 && method.kind == TOKEN_NAME)
		r = parse_call(p, method.text, method.column, ret);
	return r;
}

static int parse_list(struct parser *p, uint16_t *ret)
{
	uint16_t at = add_node(p, NODE_LIST, p->token.column);
	uint16_t *link = &p->c->nodes[at].left;
	int r = advance(p);

	while (r == 0 && !is_op(p, "]")) {
		uint16_t item;

		r = parse_or(p, &item);
		if (r < 0)
			return r;
		if (p->c->nodes[item].op == NODE_LIST)
			return condition_fail(p->why, p->c->nodes[item].column,
					"a list in a list is not supported");
		*link = item;
		link = &p->c->nodes[item].next;
		if (!is_op(p, ","))
			break;
		r = advance(p);
	}
	*ret = at;
	return r == 0 ? expect(p, "]") : r;
}

static int add_literal(struct parser *p, struct cel_value value, uint16_t *ret)
{
	*ret = add_node(p, NODE_LITERAL, p->token.column);
	p->c->nodes[*ret].value = value;
	return advance(p);
}

static int parse_minus(struct parser *p, uint16_t *ret)
{
	uint32_t column = p->token.column;
	int r = advance(p);

	if (r < 0)
		return r;
	if (p->token.kind != TOKEN_INT)
		return fail_later(p, STR("-"), column);
	return add_literal(p, (struct cel_value){.kind = CEL_INT, .number = -p->token.number}, ret);
}

static int parse_parenthesis(struct parser *p, uint16_t *ret)
{
	int r = advance(p);

	if (r == 0)
		r = parse_or(p, ret);
	return r == 0 ? expect(p, ")") : r;
}

static int parse_value(struct parser *p, uint16_t *ret)
{
	const struct token *t = &p->token;

	if (t->kind == TOKEN_STRING)
		return add_literal(p, (struct cel_value){.kind = CEL_STRING, .text = t->text}, ret);
	if (t->kind == TOKEN_INT)
		return add_literal(
				p, (struct cel_value){.kind = CEL_INT, .number = t->number}, ret);
	if (is_word(p, "true") || is_word(p, "false"))
		return add_literal(p,
				(struct cel_value){.kind = CEL_BOOL, .boolean = is_word(p, "true")},
				ret);
	if (is_word(p, "null"))
		return add_literal(p, (struct cel_value){.kind = CEL_NULL}, ret);
	if (t->kind == TOKEN_NAME && !is_word(p, "in"))
		return parse_name(p, ret);
	if (is_op(p, "("))
		return parse_parenthesis(p, ret);
	if (is_op(p, "["))
		return parse_list(p, ret);
	if (is_op(p, "-"))
		return parse_minus(p, ret);
	if (is_op(p, "{"))
		return fail_later(p, STR("{}"), t->column);
	if (t->kind == TOKEN_END)
		return condition_fail(
				p->why, t->column, "the condition ends where a value is expected");
	return condition_fail(p->why, t->column, "expected a value at column %u, found '%.*s'",
			t->column, STR_ARG(t->text));
}

static int parse_unary(struct parser *p, uint16_t *ret)
{
	uint32_t column = p->token.column;
	bool is_not = is_op(p, "!");
	uint16_t inner;
	int r;

	if (++p->depth > DEPTH_MAX)
		return condition_fail(p->why, column, "more than %d levels of nesting", DEPTH_MAX);
	r = is_not ? advance(p) : 0;
	if (r == 0)
		r = is_not ? parse_unary(p, &inner) : parse_value(p, ret);
	if (r == 0 && is_not)
		r = want_boolean(p, inner);
	if (r == 0 && is_not) {
		*ret = add_node(p, NODE_NOT, column);
		p->c->nodes[*ret].left = inner;
	}
	if (r == 0 && !is_not)
		r = parse_methods(p, ret);
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
		if (is_op(p, operators[i].text) || is_word(p, operators[i].text)) {
			*ret = operators[i].op;
			return true;
		}
	}
	return false;
}

static int check_operands(struct parser *p, const struct node *node)
{
	bool right_is_list = p->c->nodes[node->right].op == NODE_LIST;
	int r;

	if (node->op == NODE_IN && !right_is_list)
		return condition_fail(p->why, p->c->nodes[node->right].column,
				"'in' needs a list like [\"a\", \"b\"] behind it: lists that are "
				"fields are not supported yet");
	if (p->c->nodes[node->left].op == NODE_LIST || (node->op != NODE_IN && right_is_list))
		return condition_fail(p->why, node->column,
				"a list can only stand behind 'in' at column %u", node->column);
	if (node->op != NODE_OR && node->op != NODE_AND)
		return 0;
	r = want_boolean(p, node->left);
	return r == 0 ? want_boolean(p, node->right) : r;
}

typedef int parse_fn(struct parser *p, uint16_t *ret);

/* Left-associative: inner (op inner)*. */
static int parse_binary(struct parser *p, enum node_op first, enum node_op last, parse_fn *inner,
		uint16_t *ret)
{
	enum node_op op;
	int r = inner(p, ret);

	while (r == 0 && find_binary(p, first, last, &op)) {
		uint32_t column = p->token.column;
		uint16_t right, at;

		r = advance(p);
		if (r == 0)
			r = inner(p, &right);
		if (r < 0)
			return r;
		at = add_node(p, op, column);
		p->c->nodes[at].left = *ret;
		p->c->nodes[at].right = right;
		*ret = at;
		r = check_operands(p, &p->c->nodes[at]);
	}
	return r;
}

/* What the language has at this place and this build has not. */
static bool is_later_operator(const struct parser *p)
{
	static const char *const operators[] = {"+", "-", "*", "/", "%", "?"};

	for (size_t i = 0; i < sizeof(operators) / sizeof(operators[0]); i++) {
		if (is_op(p, operators[i]))
			return true;
	}
	return false;
}

static int parse_relation(struct parser *p, uint16_t *ret)
{
	int r = parse_binary(p, NODE_EQ, NODE_IN, parse_unary, ret);

	return r == 0 && is_later_operator(p) ? fail_later(p, p->token.text, p->token.column) : r;
}

static int parse_and(struct parser *p, uint16_t *ret)
{
	return parse_binary(p, NODE_AND, NODE_AND, parse_relation, ret);
}

static int parse_or(struct parser *p, uint16_t *ret)
{
	return parse_binary(p, NODE_OR, NODE_OR, parse_and, ret);
}

static int parse_all(struct parser *p, uint16_t *ret)
{
	int r = advance(p);

	if (r == 0)
		r = parse_or(p, ret);
	if (r < 0)
		return r;
	if (p->token.kind != TOKEN_END)
		return condition_fail(p->why, p->token.column, "unexpected '%.*s' at column %u",
				STR_ARG(p->token.text), p->token.column);
	if (p->c->nodes[*ret].op == NODE_LIST)
		return condition_fail(p->why, 1, "a condition must be true or false, not a list");
	return want_boolean(p, *ret);
}

int condition_parse(struct condition *c, size_t n, struct why *why)
{
	struct parser p = {.c = c, .why = why};

	p.lexer.source = (struct str){c->text, n};
	p.lexer.pool = c->text + n;
	return parse_all(&p, &c->root);
}
