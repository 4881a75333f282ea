/* SPDX-License-Identifier: Apache-2.0
 *
 * Evaluation walks the tree.  An error in a logical operand is absorbed when the other
 * operand decides (CEL language definition, "Logical Operators").
 */
#include "plugin/condition.h"

#include <errno.h>
#include <stdlib.h>

#include "base/check.h"
#include "plugin/condition_part.h"
#include "plugin/exchange.h"

int condition_new(struct condition **ret, struct str text, struct why *why)
{
	sl_auto(condition) c = NULL;
	int r;

	if (text.n > CONDITION_TEXT_MAX)
		return condition_fail(why, CONDITION_TEXT_MAX + 1, "length must be at most %d",
				CONDITION_TEXT_MAX);
	c = calloc(1, sizeof(*c));
	if (c == NULL)
		return -ENOMEM;
	c->magic = CONDITION_MAGIC;
	c->text = malloc(2 * text.n + 1);
	/* Every token makes at most one node. */
	c->nodes = calloc(text.n + 1, sizeof(*c->nodes));
	if (c->text == NULL || c->nodes == NULL)
		return -ENOMEM;
	if (text.n > 0)
		memcpy(c->text, text.p, text.n);
	r = condition_parse(c, text.n, why);
	if (r < 0)
		return r;
	*ret = sl_steal(c);
	return 0;
}

void condition_free(struct condition *c)
{
	if (c == NULL)
		return;
	sl_check(c, CONDITION_MAGIC);
	c->magic = 0;
	free(c->nodes);
	free(c->text);
	free(c);
}

struct eval {
	const struct condition *c;
	const struct exchange *x;
	struct why *why; /* of the error that comes first */
};

static int eval(struct eval *e, uint16_t at, struct cel_value *ret);

static bool is_same(const struct cel_value *a, const struct cel_value *b)
{
	if (a->kind != b->kind)
		return false;
	if (a->kind == CEL_STRING)
		return str_eq(a->text, b->text);
	if (a->kind == CEL_INT)
		return a->number == b->number;
	return a->kind == CEL_NULL || a->boolean == b->boolean;
}

static int set_bool(struct cel_value *ret, bool value)
{
	*ret = (struct cel_value){.kind = CEL_BOOL, .boolean = value};
	return 0;
}

static int fail_overload(struct eval *e, const struct node *node, const char *what)
{
	return condition_fail(e->why, node->column, "No such overload: %s", what);
}

/* The side that decides wins over an error of the other. */
static int eval_logical(struct eval *e, const struct node *node, struct cel_value *ret)
{
	bool decides = node->op == NODE_OR;
	struct cel_value left, right;
	struct why *why = e->why;
	int r_left = eval(e, node->left, &left);
	int r_right;

	if (r_left == 0 && left.boolean == decides)
		return set_bool(ret, decides);
	if (r_left < 0)
		e->why = NULL;
	r_right = eval(e, node->right, &right);
	e->why = why;
	if (r_right == 0 && right.boolean == decides)
		return set_bool(ret, decides);
	if (r_left < 0)
		return r_left;
	return r_right < 0 ? r_right : set_bool(ret, !decides);
}

static int eval_in(struct eval *e, const struct node *node, struct cel_value *ret)
{
	struct cel_value value, item;
	bool is_found = false;
	int r = eval(e, node->left, &value);

	for (uint16_t at = e->c->nodes[node->right].left; r == 0 && at != NODE_NONE;
			at = e->c->nodes[at].next) {
		r = eval(e, at, &item);
		is_found = is_found || (r == 0 && is_same(&value, &item));
	}
	return r < 0 ? r : set_bool(ret, is_found);
}

static int eval_method(struct eval *e, const struct node *node, struct cel_value *ret)
{
	struct cel_value subject, arg;
	int r = eval(e, node->left, &subject);

	if (r == 0)
		r = eval(e, node->right, &arg);
	if (r < 0)
		return r;
	if (subject.kind != CEL_STRING || arg.kind != CEL_STRING)
		return fail_overload(e, node, "a string is needed on both sides");
	if (node->op == NODE_STARTS_WITH)
		return set_bool(ret, str_starts(subject.text, arg.text));
	if (node->op == NODE_ENDS_WITH)
		return set_bool(ret, str_ends(subject.text, arg.text));
	return set_bool(ret, arg.text.n == 0 || str_find(subject.text, arg.text) >= 0);
}

static int eval_equal(struct eval *e, const struct node *node, struct cel_value *ret)
{
	struct cel_value left, right;
	int r = eval(e, node->left, &left);

	if (r == 0)
		r = eval(e, node->right, &right);
	return r < 0 ? r : set_bool(ret, is_same(&left, &right) == (node->op == NODE_EQ));
}

/* Below 0, 0 or above: both of one kind that has an order; bytes of UTF-8 sort as its code
 * points do. */
static int order_of(const struct cel_value *a, const struct cel_value *b)
{
	size_t n = a->text.n < b->text.n ? a->text.n : b->text.n;
	int r;

	if (a->kind == CEL_BOOL)
		return (int)a->boolean - (int)b->boolean;
	if (a->kind == CEL_INT)
		return (a->number > b->number) - (a->number < b->number);
	r = n > 0 ? memcmp(a->text.p, b->text.p, n) : 0;
	return r != 0 ? (r > 0) - (r < 0) : (a->text.n > b->text.n) - (a->text.n < b->text.n);
}

static int eval_order(struct eval *e, const struct node *node, struct cel_value *ret)
{
	struct cel_value left, right;
	int r = eval(e, node->left, &left);
	int order;

	if (r == 0)
		r = eval(e, node->right, &right);
	if (r < 0)
		return r;
	if (left.kind != right.kind || left.kind == CEL_NULL)
		return fail_overload(e, node,
				"only two strings, two numbers or two booleans have "
				"an order");
	order = order_of(&left, &right);
	if (node->op == NODE_LT || node->op == NODE_LE)
		return set_bool(ret, order < (node->op == NODE_LE ? 1 : 0));
	return set_bool(ret, order > (node->op == NODE_GE ? -1 : 0));
}

static int eval(struct eval *e, uint16_t at, struct cel_value *ret)
{
	const struct node *node = &e->c->nodes[at];
	int r;

	if (node->op == NODE_LITERAL) {
		*ret = node->value;
		return 0;
	}
	if (node->op == NODE_FIELD) {
		r = condition_field_read(node->field, node->member, e->x, ret);
		return r < 0 ? condition_fail(e->why, node->column, "out of request memory") : 0;
	}
	if (node->op == NODE_NOT) {
		r = eval(e, node->left, ret);
		return r < 0 ? r : set_bool(ret, !ret->boolean);
	}
	if (node->op == NODE_OR || node->op == NODE_AND)
		return eval_logical(e, node, ret);
	if (node->op == NODE_EQ || node->op == NODE_NE)
		return eval_equal(e, node, ret);
	if (node->op >= NODE_LE && node->op <= NODE_GT)
		return eval_order(e, node, ret);
	if (node->op == NODE_IN)
		return eval_in(e, node, ret);
	return eval_method(e, node, ret);
}

int condition_eval(const struct condition *c, const struct exchange *x, struct why *why)
{
	struct eval e = {c, x, why};
	struct cel_value value;
	int r;

	sl_check(c, CONDITION_MAGIC);
	r = eval(&e, c->root, &value);
	return r < 0 ? r : value.boolean;
}
