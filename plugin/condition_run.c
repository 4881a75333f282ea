/* SPDX-License-Identifier: Apache-2.0
 *
 * An error in a logical operand is absorbed when the other operand decides (CEL language
 * definition, "Logical Operators"); being over a limit never is.
 */
#include "plugin/condition_run.h"

#include <errno.h>

#include "plugin/exchange.h"

static int set_bool(struct cel_value *ret, bool value)
{
	*ret = (struct cel_value){.kind = CEL_BOOL, .boolean = value};
	return 0;
}

static int run_literal(struct cel_eval *e, const struct node *node, struct cel_value *ret)
{
	(void)e;
	*ret = node->value;
	return 0;
}

static int run_field(struct cel_eval *e, const struct node *node, struct cel_value *ret)
{
	return condition_field_read(e, node->field, node->text, ret);
}

static int run_variable(struct cel_eval *e, const struct node *node, struct cel_value *ret)
{
	*ret = e->variables[node->slot];
	return 0;
}

/* The items of a list or map that is not all literals. */
static int run_items(struct cel_eval *e, const struct node *node, struct cel_value *ret)
{
	struct cel_value *items;
	size_t n = 0;
	int r = 0;

	for (uint16_t at = node->left; at != NODE_NONE; at = e->c->nodes[at].next)
		n++;
	items = cel_alloc(e, n * sizeof(*items));
	if (items == NULL)
		return -EINVAL;
	ret->items = items;
	ret->n = n;
	for (uint16_t at = node->left; at != NODE_NONE && r == 0; at = e->c->nodes[at].next)
		r = condition_run(e, at, items++);
	return r;
}

static int run_list(struct cel_eval *e, const struct node *node, struct cel_value *ret)
{
	*ret = (struct cel_value){.kind = CEL_LIST, .shape = SHAPE_ITEMS};
	return run_items(e, node, ret);
}

static bool is_key(const struct cel_value *v)
{
	return v->kind == CEL_STRING || v->kind == CEL_INT || v->kind == CEL_BOOL;
}

static int run_map(struct cel_eval *e, const struct node *node, struct cel_value *ret)
{
	struct cel_value seen, ignored;
	int r;

	*ret = (struct cel_value){.kind = CEL_MAP, .shape = SHAPE_ITEMS};
	r = run_items(e, node, ret);
	seen = *ret;
	for (size_t i = 0; r == 0 && i < ret->n; i += 2) {
		seen.n = i;
		if (!is_key(&ret->items[i]))
			return cel_fail(e, "No such overload: a key is a string, a number or a "
					   "boolean");
		r = cel_find(e, &seen, &ret->items[i], &ignored);
		if (r > 0)
			return cel_fail(e, "a key is twice in a map");
	}
	return r;
}

static int run_not(struct cel_eval *e, const struct node *node, struct cel_value *ret)
{
	int r = condition_run(e, node->left, ret);

	if (r == 0 && ret->kind != CEL_BOOL)
		return cel_fail(e, "No such overload: ! needs true or false");
	return r < 0 ? r : set_bool(ret, !ret->boolean);
}

/* An operand of && or ||. */
static int run_boolean(struct cel_eval *e, uint16_t at, struct cel_value *ret)
{
	int r = condition_run(e, at, ret);

	if (r == 0 && ret->kind != CEL_BOOL)
		return cel_fail(e, "No such overload: && and || need true or false");
	return r;
}

/* The side that decides wins over an error of the other. */
static int run_logical(struct cel_eval *e, const struct node *node, struct cel_value *ret)
{
	bool decides = node->op == NODE_OR;
	struct cel_value left, right;
	struct why *why = e->why;
	int r_left = run_boolean(e, node->left, &left);
	int r_right;

	if (e->over != NULL)
		return -EINVAL;
	if (r_left == 0 && left.boolean == decides)
		return set_bool(ret, decides);
	if (r_left < 0)
		e->why = NULL;
	r_right = run_boolean(e, node->right, &right);
	e->why = why;
	if (e->over != NULL)
		return -EINVAL;
	if (r_right == 0 && right.boolean == decides)
		return set_bool(ret, decides);
	if (r_left < 0)
		return r_left;
	return r_right < 0 ? r_right : set_bool(ret, !decides);
}

static int run_both(struct cel_eval *e, const struct node *node, struct cel_value *left,
		struct cel_value *right)
{
	int r = condition_run(e, node->left, left);

	return r == 0 ? condition_run(e, node->right, right) : r;
}

static int run_equal(struct cel_eval *e, const struct node *node, struct cel_value *ret)
{
	struct cel_value left, right;
	int r = run_both(e, node, &left, &right);

	if (r == 0)
		r = cel_equal(e, &left, &right);
	return r < 0 ? r : set_bool(ret, (r > 0) == (node->op == NODE_EQ));
}

static int run_order(struct cel_eval *e, const struct node *node, struct cel_value *ret)
{
	struct cel_value left, right;
	int r = run_both(e, node, &left, &right);
	int order;

	if (r < 0)
		return r;
	if (!cel_order(&left, &right, &order))
		return cel_fail(e, "No such overload: only two strings, two numbers or two "
				   "booleans have an order");
	if (order == 2)
		return set_bool(ret, false);
	if (node->op == NODE_LT || node->op == NODE_LE)
		return set_bool(ret, order < (node->op == NODE_LE ? 1 : 0));
	return set_bool(ret, order > (node->op == NODE_GE ? -1 : 0));
}

static int run_in(struct cel_eval *e, const struct node *node, struct cel_value *ret)
{
	struct cel_value what, in;
	int r = run_both(e, node, &what, &in);

	if (r < 0)
		return r;
	if (in.kind != CEL_LIST && in.kind != CEL_MAP)
		return cel_fail(e, "No such overload: 'in' needs a list or a map");
	r = cel_contains(e, &in, &what);
	return r < 0 ? r : set_bool(ret, r > 0);
}

static int run_add(struct cel_eval *e, const struct node *node, struct cel_value *ret)
{
	struct cel_value left, right;
	int r = run_both(e, node, &left, &right);
	char *joined;

	if (r < 0)
		return r;
	if (left.kind != CEL_STRING || right.kind != CEL_STRING)
		return cel_fail(e, "No such overload: + joins two strings");
	joined = cel_alloc(e, left.text.n + right.text.n);
	if (joined == NULL)
		return -EINVAL;
	*ret = (struct cel_value){.kind = CEL_STRING, .text = {joined, left.text.n + right.text.n}};
	if (left.text.n > 0)
		memcpy(joined, left.text.p, left.text.n);
	if (right.text.n > 0)
		memcpy(joined + left.text.n, right.text.p, right.text.n);
	return 0;
}

static int no_such_key(struct cel_eval *e, struct str name)
{
	return cel_fail(e, "No such key: %.*s", (int)(name.n < 256 ? name.n : 256), name.p);
}

static int run_select(struct cel_eval *e, const struct node *node, struct cel_value *ret)
{
	struct cel_value key = {.kind = CEL_STRING, .text = node->text};
	struct cel_value map;
	int r = condition_run(e, node->left, &map);

	if (r == 0 && map.kind == CEL_MAP)
		r = cel_find(e, &map, &key, ret);
	if (r == 0)
		return no_such_key(e, node->text);
	return r < 0 ? r : 0;
}

static int run_index(struct cel_eval *e, const struct node *node, struct cel_value *ret)
{
	struct cel_value of, key;
	int r = run_both(e, node, &of, &key);

	if (r < 0)
		return r;
	if (of.kind == CEL_LIST && key.kind == CEL_INT) {
		r = cel_item(e, &of, key.number, ret);
		if (r == 0)
			return cel_fail(e, "Index out of bounds: %lld", (long long)key.number);
		return r < 0 ? r : 0;
	}
	if (of.kind != CEL_MAP || !is_key(&key))
		return cel_fail(e, "No such overload: [] needs a list and a number, or a map and a "
				   "key");
	r = cel_find(e, &of, &key, ret);
	if (r != 0)
		return r < 0 ? r : 0;
	if (key.kind == CEL_INT)
		return cel_fail(e, "No such key: %lld", (long long)key.number);
	if (key.kind == CEL_BOOL)
		return cel_fail(e, "No such key: %s", key.boolean ? "true" : "false");
	return no_such_key(e, key.text);
}

static int run_method(struct cel_eval *e, const struct node *node, struct cel_value *ret)
{
	struct cel_value subject, arg;
	int r = run_both(e, node, &subject, &arg);

	if (r < 0)
		return r;
	if (subject.kind != CEL_STRING || arg.kind != CEL_STRING)
		return cel_fail(e, "No such overload: a string is needed on both sides");
	if (node->op == NODE_STARTS_WITH)
		return set_bool(ret, str_starts(subject.text, arg.text));
	if (node->op == NODE_ENDS_WITH)
		return set_bool(ret, str_ends(subject.text, arg.text));
	r = cel_step(e, (subject.text.n + arg.text.n) / 8);
	return r < 0 ? r : set_bool(ret, arg.text.n == 0 || str_find(subject.text, arg.text) >= 0);
}

/* All matches of an evaluation together take about log(n) times what one may take. */
#define MATCH_STEPS_MAX 100000

static int run_matches(struct cel_eval *e, const struct node *node, struct cel_value *ret)
{
	struct cel_value subject;
	int r = condition_run(e, node->left, &subject);

	if (r < 0)
		return r;
	if (subject.kind != CEL_STRING)
		return cel_fail(e, "No such overload: matches() needs a string");
	r = cel_step(e, 100 + subject.text.n / 16);
	if (r < 0)
		return r;
	r = condition_regex_match(node->regex, subject.text, MATCH_STEPS_MAX / ++e->n_matches);
	if (r < 0)
		return cel_over(e, "matches() takes too many steps on this text");
	return set_bool(ret, r > 0);
}

static int run_size(struct cel_eval *e, const struct node *node, struct cel_value *ret)
{
	struct cel_value of;
	size_t n = 0;
	int r = condition_run(e, node->left, &of);

	if (r < 0)
		return r;
	if (of.kind == CEL_STRING) {
		n = cel_length(of.text);
		r = cel_step(e, of.text.n / 64);
	} else if (of.kind == CEL_LIST || of.kind == CEL_MAP) {
		r = cel_count(e, &of, &n);
	} else {
		return cel_fail(e, "No such overload: size() needs a string, a list or a map");
	}
	*ret = (struct cel_value){.kind = CEL_INT, .number = (int64_t)n};
	return r;
}

static int run_has(struct cel_eval *e, const struct node *node, struct cel_value *ret)
{
	const struct node *of = &e->c->nodes[node->left];
	struct cel_value key = {.kind = CEL_STRING, .text = of->text};
	struct cel_value map, value;
	int r;

	if (of->op == NODE_FIELD) {
		r = run_field(e, of, &value);
		return r < 0 ? r : set_bool(ret, value.kind != CEL_NULL);
	}
	r = condition_run(e, of->left, &map);
	if (r == 0 && map.kind == CEL_MAP)
		r = cel_find(e, &map, &key, &value);
	return r < 0 ? r : set_bool(ret, r > 0);
}

#define run_quantify condition_run_quantify
#define run_transform condition_run_transform

int condition_run(struct cel_eval *e, uint16_t at, struct cel_value *ret)
{
	static condition_run_fn *const evaluators[] = {
#define X(id, run) run_##run,
			NODE_TABLE(X)
#undef X
	};
	const struct node *node = &e->c->nodes[at];
	int r = cel_step(e, 1);

	return r < 0 ? r : evaluators[node->op](e, node, ret);
}
