/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/condition_parser.h"

#define NUMBERS (KIND(INT) | KIND(DOUBLE))

int condition_check_boolean(struct parser *p, uint16_t at)
{
	const struct node *node = &p->c->nodes[at];

	if ((node->kinds & KIND(BOOL)) != 0)
		return 0;
	return condition_fail(p->why, node->column,
			"expected an expression that is true or false at column %u: compare the "
			"value with == or !=",
			node->column);
}

int condition_check_subject(struct parser *p, const struct node *node, cel_kinds wanted,
		const char *name, const char *what)
{
	if ((node->kinds & wanted) != 0)
		return 0;
	return condition_fail(
			p->why, node->column, "%s needs %s at column %u", name, what, node->column);
}

static bool have_an_order(cel_kinds a, cel_kinds b)
{
	cel_kinds both = a & b & (KIND(STRING) | KIND(BOOL));

	return both != 0 || ((a & NUMBERS) != 0 && (b & NUMBERS) != 0);
}

static int check_order(struct parser *p, const struct node *node)
{
	const struct node *nodes = p->c->nodes;

	if (have_an_order(nodes[node->left].kinds, nodes[node->right].kinds))
		return 0;
	return condition_fail(p->why, node->column,
			"the two sides at column %u have no order: it takes two strings, two "
			"numbers or two booleans",
			node->column);
}

int condition_check_binary(struct parser *p, struct node *node)
{
	const struct node *nodes = p->c->nodes;
	int r;

	node->kinds = KIND(BOOL);
	if (node->op == NODE_EQ || node->op == NODE_NE)
		return 0;
	if (node->op == NODE_OR || node->op == NODE_AND) {
		r = condition_check_boolean(p, node->left);
		return r == 0 ? condition_check_boolean(p, node->right) : r;
	}
	if (node->op == NODE_IN)
		return condition_check_subject(p, &nodes[node->right], KIND(LIST) | KIND(MAP),
				"'in'", "a list or a map behind it");
	if (node->op != NODE_ADD)
		return check_order(p, node);
	node->kinds = KIND(STRING);
	r = condition_check_subject(p, &nodes[node->left], KIND(STRING), "'+'", "two strings");
	if (r == 0)
		r = condition_check_subject(
				p, &nodes[node->right], KIND(STRING), "'+'", "two strings");
	return r;
}
