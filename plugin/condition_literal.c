/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>

#include "plugin/condition_parser.h"

static int add(struct parser *p, struct cel_value value, uint32_t column, uint16_t *ret)
{
	*ret = condition_add(p, NODE_LITERAL, column);
	p->c->nodes[*ret].value = value;
	p->c->nodes[*ret].kinds = (cel_kinds)(1U << value.kind);
	return condition_advance(p);
}

static int add_int(struct parser *p, bool is_negative, uint32_t column, uint16_t *ret)
{
	uint64_t magnitude = p->token.magnitude;

	if (!is_negative && magnitude > INT64_MAX)
		return condition_fail(p->why, column, "the number is too large");
	return add(p,
			(struct cel_value){.kind = CEL_INT,
					.number = (int64_t)(is_negative ? -magnitude : magnitude)},
			column, ret);
}

static int parse_minus(struct parser *p, uint16_t *ret)
{
	uint32_t column = p->token.column;
	int r = condition_advance(p);

	if (r < 0)
		return r;
	if (p->token.kind != TOKEN_INT)
		return condition_fail(p->why, column,
				"'-' at column %u can only stand before a number: the language has "
				"no arithmetic",
				column);
	return add_int(p, true, column, ret);
}

int condition_parse_scalar(struct parser *p, uint16_t *ret)
{
	const struct token *t = &p->token;
	bool is_true = condition_at_word(p, "true");

	if (t->kind == TOKEN_STRING)
		return add(p, (struct cel_value){.kind = CEL_STRING, .text = t->text}, t->column,
				ret);
	if (t->kind == TOKEN_INT)
		return add_int(p, false, t->column, ret);
	if (is_true || condition_at_word(p, "false"))
		return add(p, (struct cel_value){.kind = CEL_BOOL, .boolean = is_true}, t->column,
				ret);
	if (condition_at_word(p, "null"))
		return add(p, (struct cel_value){.kind = CEL_NULL}, t->column, ret);
	if (condition_at_op(p, "-"))
		return parse_minus(p, ret);
	if (t->kind == TOKEN_END)
		return condition_fail(
				p->why, t->column, "the condition ends where a value is expected");
	return condition_fail(p->why, t->column, "expected a value at column %u, found '%.*s'",
			t->column, STR_ARG(t->text));
}

/* Links an item behind what *link says. */
static int parse_item(struct parser *p, uint16_t *link, uint16_t *ret)
{
	int r = condition_parse_expression(p, ret);

	if (r == 0)
		*link = *ret;
	return r;
}

static bool is_constant(const struct parser *p, uint16_t at, size_t *ret_n)
{
	*ret_n = 0;
	for (; at != NODE_NONE; at = p->c->nodes[at].next) {
		if (p->c->nodes[at].op != NODE_LITERAL)
			return false;
		++*ret_n;
	}
	return true;
}

/* The parts of a list or map of literals become its value now. */
static int fold(struct parser *p, struct node *node)
{
	struct condition_items *made;
	size_t n, i = 0;

	if (!is_constant(p, node->left, &n))
		return 0;
	made = malloc(sizeof(*made) + n * sizeof(made->v[0]));
	if (made == NULL)
		return -ENOMEM;
	made->next = p->c->items;
	p->c->items = made;
	for (uint16_t at = node->left; at != NODE_NONE; at = p->c->nodes[at].next)
		made->v[i++] = p->c->nodes[at].value;
	node->value = (struct cel_value){.kind = node->op == NODE_MAP ? CEL_MAP : CEL_LIST,
			.shape = SHAPE_ITEMS,
			.items = made->v,
			.n = n};
	node->op = NODE_LITERAL;
	return 0;
}

int condition_parse_list(struct parser *p, uint16_t *ret)
{
	uint16_t at = condition_add(p, NODE_LIST, p->token.column), item;
	struct node *node = &p->c->nodes[at];
	uint16_t *link = &node->left;
	int r = condition_advance(p);

	node->kinds = KIND(LIST);
	node->items = 0;
	while (r == 0 && !condition_at_op(p, "]")) {
		r = parse_item(p, link, &item);
		if (r < 0)
			return r;
		link = &p->c->nodes[item].next;
		node->items |= p->c->nodes[item].kinds;
		if (!condition_at_op(p, ","))
			break;
		r = condition_advance(p);
	}
	*ret = at;
	if (r == 0)
		r = condition_expect(p, "]");
	return r == 0 ? fold(p, node) : r;
}

static int check_key(struct parser *p, uint16_t link, const struct node *key)
{
	if ((key->kinds & (KIND(STRING) | KIND(INT) | KIND(BOOL))) == 0)
		return condition_fail(p->why, key->column,
				"a key is a string, a number or a boolean, at column %u",
				key->column);
	if (key->op != NODE_LITERAL)
		return 0;
	for (const struct node *k = &p->c->nodes[link]; k != key;
			k = &p->c->nodes[p->c->nodes[k->next].next]) {
		const struct cel_value *a = &k->value, *b = &key->value;
		bool is_same = k->op == NODE_LITERAL && a->kind == b->kind;

		if (is_same && a->kind == CEL_STRING)
			is_same = str_eq(a->text, b->text);
		else if (is_same)
			is_same = a->kind == CEL_INT ? a->number == b->number
						     : a->boolean == b->boolean;
		if (is_same)
			return condition_fail(p->why, key->column,
					"the key at column %u is twice in the map", key->column);
	}
	return 0;
}

int condition_parse_map(struct parser *p, uint16_t *ret)
{
	uint16_t at = condition_add(p, NODE_MAP, p->token.column), item;
	struct node *node = &p->c->nodes[at];
	uint16_t *link = &node->left;
	int r = condition_advance(p);

	node->kinds = KIND(MAP);
	node->items = KIND(STRING) | KIND(INT) | KIND(BOOL);
	while (r == 0 && !condition_at_op(p, "}")) {
		r = parse_item(p, link, &item);
		if (r == 0)
			r = check_key(p, node->left, &p->c->nodes[item]);
		if (r == 0)
			r = condition_expect(p, ":");
		if (r == 0)
			r = parse_item(p, &p->c->nodes[item].next, &item);
		if (r < 0)
			return r;
		link = &p->c->nodes[item].next;
		if (!condition_at_op(p, ","))
			break;
		r = condition_advance(p);
	}
	*ret = at;
	if (r == 0)
		r = condition_expect(p, "}");
	return r == 0 ? fold(p, node) : r;
}
