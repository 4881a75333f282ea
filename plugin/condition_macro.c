/* SPDX-License-Identifier: Apache-2.0
 *
 * all, exists, map, filter: over the items of a list, or the keys of a map.
 */
#include <errno.h>

#include "plugin/condition_run.h"

static int run_range(struct cel_eval *e, const struct node *node, struct cel_value *ret)
{
	int r = condition_run(e, node->left, ret);

	if (r == 0 && ret->kind != CEL_LIST && ret->kind != CEL_MAP)
		return cel_fail(e, "No such overload: a macro needs a list or a map");
	return r;
}

/* The body with the item in hand; it must be true or false. */
static int run_predicate(struct cel_eval *e, const struct node *node, bool *ret)
{
	struct cel_value value;
	int r = condition_run(e, node->right, &value);

	if (r == 0 && value.kind != CEL_BOOL)
		return cel_fail(e, "No such overload: the macro's expression must be true or "
				   "false");
	*ret = r == 0 && value.boolean;
	return r;
}

int condition_run_quantify(struct cel_eval *e, const struct node *node, struct cel_value *ret)
{
	bool decides = node->op == NODE_EXISTS, is_true = !decides;
	struct cel_value range, item;
	struct cel_iter it = {.of = &range};
	struct why *why = e->why;
	int r_first = 0, r = run_range(e, node, &range);

	while (r == 0 && is_true != decides && (r = cel_next(e, &it, &item)) > 0) {
		e->variables[node->slot] = item;
		r = run_predicate(e, node, &is_true);
		if (r == 0 || e->over != NULL)
			continue;
		/* The first error is the one told, if no item decides. */
		is_true = !decides;
		e->why = NULL;
		r_first = r;
		r = 0;
	}
	e->why = why;
	if (r == 0 && is_true != decides)
		r = r_first;
	*ret = (struct cel_value){.kind = CEL_BOOL, .boolean = is_true};
	return r;
}

int condition_run_transform(struct cel_eval *e, const struct node *node, struct cel_value *ret)
{
	struct cel_value range, item;
	struct cel_iter it = {.of = &range};
	struct cel_value *made = NULL;
	size_t n_most = 0, n = 0;
	int r = run_range(e, node, &range);

	if (r == 0)
		r = cel_count(e, &range, &n_most);
	if (r < 0)
		return r;
	made = cel_alloc(e, n_most * sizeof(*made));
	if (made == NULL)
		return -EINVAL;
	while ((r = cel_next(e, &it, &item)) > 0) {
		bool is_taken = true;

		e->variables[node->slot] = item;
		if (node->op == NODE_FILTER)
			r = run_predicate(e, node, &is_taken);
		else
			r = condition_run(e, node->right, &item);
		if (r < 0)
			return r;
		if (is_taken)
			made[n++] = item;
	}
	*ret = (struct cel_value){.kind = CEL_LIST, .shape = SHAPE_ITEMS, .items = made, .n = n};
	return r;
}
