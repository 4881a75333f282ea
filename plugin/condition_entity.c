/* SPDX-License-Identifier: Apache-2.0
 *
 * Who and what belongs to a request: tags, groups, what plugins shared, the plugins.
 */
#include "plugin/condition_value.h"

#include <errno.h>
#include <jansson.h>

#include "plugin/exchange.h"
#include "plugin/groups.h"
#include "plugin/value.h"

static int set_null(struct cel_value *ret)
{
	*ret = (struct cel_value){.kind = CEL_NULL};
	return 0;
}

/* A string of JSON as a value that lives as long as the request. */
static int copy_text(struct cel_eval *e, const json_t *from, struct cel_value *ret)
{
	size_t n = json_string_length(from);
	char *text;

	set_null(ret);
	if (!json_is_string(from))
		return 0;
	text = cel_alloc(e, n);
	if (text == NULL)
		return -EINVAL;
	memcpy(text, json_string_value(from), n);
	*ret = (struct cel_value){.kind = CEL_STRING, .text = {text, n}};
	return 0;
}

static int copy_list(struct cel_eval *e, const json_t *from, struct cel_value *ret)
{
	size_t n = json_array_size(from);
	struct cel_value *items;
	int r = 0;

	set_null(ret);
	if (!json_is_array(from))
		return 0;
	items = cel_alloc(e, n * sizeof(*items));
	if (items == NULL)
		return -EINVAL;
	for (size_t i = 0; i < n && r == 0; i++)
		r = copy_text(e, json_array_get(from, i), &items[i]);
	*ret = (struct cel_value){.kind = CEL_LIST, .shape = SHAPE_ITEMS, .items = items, .n = n};
	return r;
}

/* Once per evaluation: the entity is kept as its JSON. */
static int read_entity(struct cel_eval *e, const struct entity_ref *ref, struct cel_entity *ret)
{
	json_t *all;
	int r = cel_step(e, ref->json.n / 16);

	if (r < 0 || ret->is_read)
		return r;
	all = ref->id.n != 0 && ref->json.n != 0 ? json_loadb(ref->json.p, ref->json.n, 0, NULL)
						 : NULL;
	r = copy_list(e, json_object_get(all, "tags"), &ret->tags);
	if (r == 0)
		r = copy_text(e, json_object_get(all, "custom_id"), &ret->custom_id);
	json_decref(all);
	ret->is_read = r == 0;
	return r;
}

CEL_READ(cel_read_route_tags)
{
	int r = read_entity(e, &e->x->route, &e->route);

	if (r == 0)
		*ret = e->route.tags;
	return r;
}

CEL_READ(cel_read_service_tags)
{
	int r = read_entity(e, &e->x->service, &e->service);

	if (r == 0)
		*ret = e->service.tags;
	return r;
}

CEL_READ(cel_read_consumer_tags)
{
	int r = read_entity(e, &e->x->consumer, &e->consumer);

	if (r == 0)
		*ret = e->consumer.tags;
	return r;
}

CEL_READ(cel_read_custom_id)
{
	int r = read_entity(e, &e->x->consumer, &e->consumer);

	if (r == 0)
		*ret = e->consumer.custom_id;
	return r;
}

/* Those of the consumer: what is looked up is kept, which is no change of the request. */
static int read_consumer_groups(struct cel_eval *e, bool is_name, struct cel_value *ret)
{
	const struct group_list *list = groups_of((struct exchange *)(uintptr_t)e->x);
	struct cel_value *items;
	int r = cel_step(e, list != NULL ? list->n : 0);

	if (r < 0)
		return r;
	if (list == NULL)
		return cel_over(e, "out of request memory");
	if (list->n == 0)
		return 0;
	items = cel_alloc(e, list->n * sizeof(*items));
	if (items == NULL)
		return -EINVAL;
	for (uint32_t i = 0; i < list->n; i++)
		items[i] = (struct cel_value){.kind = CEL_STRING,
				.text = is_name ? list->v[i].name : list->v[i].id};
	*ret = (struct cel_value){
			.kind = CEL_LIST, .shape = SHAPE_ITEMS, .items = items, .n = list->n};
	return 0;
}

/* As kong.client.set_authenticated_consumer_groups() left them, else those of the consumer. */
static int read_groups(struct cel_eval *e, const char *in_group, struct cel_value *ret)
{
	const struct value *groups = groups_set(e->x);

	set_null(ret);
	if (groups == NULL)
		return read_consumer_groups(e, in_group[0] == 'n', ret);
	if (groups->table->n == 0)
		return 0;
	*ret = (struct cel_value){.kind = CEL_LIST,
			.shape = SHAPE_GROUPS,
			.table = groups->table,
			.in_group = in_group};
	return 0;
}

CEL_READ(cel_read_group_names)
{
	return read_groups(e, "name", ret);
}

CEL_READ(cel_read_group_ids)
{
	return read_groups(e, "id", ret);
}

CEL_READ(cel_read_shared)
{
	const struct value *shared = e->x->ctx_shared;

	*ret = (struct cel_value){.kind = CEL_MAP, .shape = SHAPE_ITEMS, .n = 0};
	if (shared != NULL && shared->type == VALUE_TABLE && shared->table->n != 0)
		*ret = (struct cel_value){
				.kind = CEL_MAP, .shape = SHAPE_TABLE, .table = shared->table};
	return 0;
}

static bool find_plugin(const struct cel_eval *e, struct str name, struct exchange_plugin *ret)
{
	const struct exchange *x = e->x;

	return x->find_plugin != NULL && x->find_plugin(x, name, ret);
}

CEL_READ(cel_read_is_matched)
{
	struct exchange_plugin plugin;

	set_null(ret);
	if (find_plugin(e, part, &plugin))
		*ret = (struct cel_value){.kind = CEL_BOOL, .boolean = plugin.is_matched};
	return 0;
}

CEL_READ(cel_read_priority)
{
	struct exchange_plugin plugin;

	set_null(ret);
	if (find_plugin(e, part, &plugin))
		*ret = (struct cel_value){.kind = CEL_INT, .number = plugin.priority};
	return 0;
}

CEL_READ(cel_read_has_executed)
{
	struct exchange_plugin plugin;

	set_null(ret);
	if (find_plugin(e, part, &plugin))
		*ret = (struct cel_value){.kind = CEL_BOOL, .boolean = plugin.access_has_executed};
	return 0;
}
