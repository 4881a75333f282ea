/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/group_find.h"

#include "shm/record.pb-c.h"
#include "shm/snapshot.h"

struct found {
	const struct snap_view *view;
	struct arena *arena;
	struct group_list *list;
	uint32_t cap;
	bool is_short; /* of memory */
};

static bool add(struct found *f, const Sluice__Record__ConsumerGroup *group)
{
	struct group_list *list = f->list;
	struct entity_ref *ref;

	if (list->n == f->cap) {
		uint32_t cap = f->cap != 0 ? 2 * f->cap : 4;

		ref = arena_grow(f->arena, list->v, f->cap * sizeof(*ref), cap * sizeof(*ref));
		if (ref == NULL)
			return false;
		list->v = ref;
		f->cap = cap;
	}
	ref = &list->v[list->n++];
	ref->id = arena_str(f->arena, str_of(group->id));
	ref->name = arena_str(f->arena, str_of(group->name));
	ref->json = arena_str(
			f->arena, (struct str){(const char *)group->json.data, group->json.len});
	return ref->id.p != NULL && ref->name.p != NULL && ref->json.p != NULL;
}

/* A membership whose group the node refused leads nowhere. */
static void take_group(struct found *f, const char *id)
{
	struct str record = snap_get(f->view, SLUICE__RECORD__KIND__CONSUMER_GROUP, str_of(id));
	Sluice__Record__ConsumerGroup *group = NULL;

	if (record.n != 0)
		group = sluice__record__consumer_group__unpack(
				NULL, record.n, (const uint8_t *)record.p);
	if (group == NULL)
		return;
	f->is_short = !add(f, group);
	sluice__record__consumer_group__free_unpacked(group, NULL);
}

/* snap_id_fn */
static bool take(void *arg, struct str id)
{
	struct found *f = arg;
	struct str record = snap_get(f->view, SLUICE__RECORD__KIND__CONSUMER_GROUP_CONSUMER, id);
	Sluice__Record__ConsumerGroupConsumer *member = NULL;

	if (record.n != 0)
		member = sluice__record__consumer_group_consumer__unpack(
				NULL, record.n, (const uint8_t *)record.p);
	if (member == NULL)
		return true;
	take_group(f, member->consumer_group_id);
	sluice__record__consumer_group_consumer__free_unpacked(member, NULL);
	return !f->is_short;
}

bool group_find(const struct snap_view *view, struct arena *a, struct str consumer_id,
		struct group_list *ret)
{
	const uint32_t kind = SLUICE__RECORD__KIND__CONSUMER_GROUP_CONSUMER;
	struct found f = {.view = view, .arena = a, .list = ret};

	*ret = (struct group_list){.n = 0};
	if (snap_count(view, kind) != 0)
		snap_each_child(view, kind, consumer_id, take, &f);
	return !f.is_short;
}
