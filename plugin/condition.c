/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/condition.h"

#include <errno.h>
#include <stdlib.h>

#include "plugin/condition_part.h"
#include "plugin/condition_run.h"
#include "plugin/exchange.h"

/* The program keeps what it needs of the room made for the longest one. */
static void trim(struct condition *c)
{
	struct node *nodes = realloc(c->nodes, c->n_nodes * sizeof(*nodes));

	if (nodes != NULL)
		c->nodes = nodes;
}

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
	trim(c);
	*ret = sl_steal(c);
	return 0;
}

void condition_free(struct condition *c)
{
	if (c == NULL)
		return;
	sl_check(c, CONDITION_MAGIC);
	c->magic = 0;
	while (c->items != NULL) {
		struct condition_items *next = c->items->next;

		free(c->items);
		c->items = next;
	}
	condition_regex_free(c->regexes);
	free(c->nodes);
	free(c->text);
	free(c);
}

int condition_eval(const struct condition *c, const struct exchange *x, struct why *why)
{
	struct cel_eval e;
	struct cel_value value;
	int r;

	sl_check(c, CONDITION_MAGIC);
	/* The variables are written before they are read. */
	e.c = c;
	e.x = x;
	e.why = c->has_default ? NULL : why;
	e.over = NULL;
	e.steps = e.n_matches = 0;
	e.scratch_bytes = 0;
	e.route.is_read = e.service.is_read = e.consumer.is_read = false;
	r = condition_run(&e, c->root, &value);
	if (r == 0 && value.kind != CEL_BOOL)
		r = cel_fail(&e, "No such overload: the condition is neither true nor false");
	if (r == 0)
		return value.boolean;
	if (c->has_default)
		return c->default_value;
	if (e.over != NULL)
		why_set(why, "condition", 0, "%s", e.over);
	return r;
}
