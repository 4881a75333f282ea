/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/groups.h"

#include <stdlib.h>

#include "plugin/value.h"

static int name_order(const void *a, const void *b)
{
	const struct entity_ref *x = a, *y = b;
	size_t n = x->name.n < y->name.n ? x->name.n : y->name.n;
	int r = n != 0 ? memcmp(x->name.p, y->name.p, n) : 0;

	return r != 0 ? r : x->name.n < y->name.n ? -1 : x->name.n > y->name.n;
}

static struct str field(const struct value *group, const char *name)
{
	const struct value *v = value_get(group->table, value_of_str(str_of(name)));

	return v != NULL && v->type == VALUE_STRING ? v->string : STR_NONE;
}

const struct value *groups_set(const struct exchange *x)
{
	const struct value *all = x->client_values;
	const struct value *v =
			all != NULL ? value_get(all->table, value_of_str(STR("groups"))) : NULL;

	return v != NULL && v->type == VALUE_TABLE ? v : NULL;
}

static bool take_set(struct exchange *x, const struct value_table *set)
{
	struct group_list *list = &x->groups;

	list->n = 0;
	list->v = arena_calloc(x->arena, (set->n + 1) * sizeof(*list->v));
	for (uint32_t i = 0; list->v != NULL && i < set->n; i++) {
		const struct value *group = &set->v[i].value;

		if (group->type == VALUE_TABLE)
			list->v[list->n++] = (struct entity_ref){
					.id = field(group, "id"), .name = field(group, "name")};
	}
	return list->v != NULL;
}

static bool look_up(struct exchange *x, struct str consumer_id)
{
	x->groups = (struct group_list){.n = 0};
	if (consumer_id.n == 0 || x->ops == NULL || x->ops->find_groups == NULL)
		return true;
	return x->ops->find_groups(x, consumer_id, &x->groups);
}

const struct group_list *groups_with(struct exchange *x, struct str consumer_id)
{
	const struct value *set = groups_set(x);
	struct str owner = x->group_owner.n != 0 ? x->group_owner : consumer_id;

	if (x->has_groups && (set != NULL || str_eq(x->groups_of, owner)))
		return &x->groups;
	x->has_groups = set != NULL ? take_set(x, set->table) : look_up(x, owner);
	x->groups_of = owner;
	if (!x->has_groups)
		return NULL;
	if (x->groups.n > 1)
		qsort(x->groups.v, x->groups.n, sizeof(x->groups.v[0]), name_order);
	return &x->groups;
}

const struct group_list *groups_of(struct exchange *x)
{
	return groups_with(x, x->consumer.id);
}

void groups_forget(struct exchange *x)
{
	x->has_groups = false;
}
