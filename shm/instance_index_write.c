/* SPDX-License-Identifier: Apache-2.0 */
#include "shm/instance_index_write.h"

#include <errno.h>

int instance_index_check(const Sluice__Record__PluginInstance *i, struct why *why)
{
	if (strlen(i->route_id) <= SNAP_ID_MAX && strlen(i->service_id) <= SNAP_ID_MAX &&
			strlen(i->consumer_id) <= SNAP_ID_MAX &&
			strlen(i->consumer_group_id) <= SNAP_ID_MAX)
		return 0;
	why_set(why, NULL, 0, "the instance is scoped by an id longer than %d bytes", SNAP_ID_MAX);
	return -EINVAL;
}

static void scope_key(const Sluice__Record__PluginInstance *i, struct snap_key *key)
{
	if (i->consumer_group_id[0] != '\0') {
		snap_key_group_instance(key, str_of(i->name), str_of(i->route_id),
				str_of(i->service_id), str_of(i->consumer_group_id));
		return;
	}
	snap_key_instance(key, str_of(i->name), str_of(i->route_id), str_of(i->service_id),
			str_of(i->consumer_id));
}

/* How many enabled instances of a plugin are scoped by a consumer, how many by a group; no key =
 * none. */
static int count_scope(struct snap_txn *t, const Sluice__Record__PluginInstance *i, int step,
		struct why *why)
{
	struct snap_key key;
	struct str value;
	uint32_t n = 0;

	if (i->consumer_group_id[0] != '\0')
		snap_key_group_scope(&key, str_of(i->name));
	else if (i->consumer_id[0] != '\0')
		snap_key_consumer_scope(&key, str_of(i->name));
	else
		return 0;
	value = snap_txn_find(t, SNAP_DB_INSTANCE, &key);
	if (value.n == sizeof(n))
		memcpy(&n, value.p, sizeof(n));
	n += (uint32_t)step;
	if (n == 0)
		return snap_txn_drop(t, SNAP_DB_INSTANCE, &key, NULL, why);
	value = (struct str){(const char *)&n, sizeof(n)};
	return snap_txn_store(t, SNAP_DB_INSTANCE, &key, value, NULL, why);
}

int instance_index_put(
		struct snap_txn *t, struct str id, const ProtobufCMessage *m, struct why *why)
{
	const Sluice__Record__PluginInstance *i = (const Sluice__Record__PluginInstance *)m;
	struct snap_key key;
	int r;

	if (!i->enabled)
		return 0;
	scope_key(i, &key);
	r = snap_txn_store(t, SNAP_DB_INSTANCE, &key, id, NULL, why);
	return r == 0 ? count_scope(t, i, 1, why) : r;
}

int instance_index_delete(
		struct snap_txn *t, struct str id, const ProtobufCMessage *m, struct why *why)
{
	const Sluice__Record__PluginInstance *i = (const Sluice__Record__PluginInstance *)m;
	struct snap_key key;
	int r = 0;

	if (!i->enabled)
		return 0;
	scope_key(i, &key);
	if (str_eq(snap_txn_find(t, SNAP_DB_INSTANCE, &key), id))
		r = snap_txn_drop(t, SNAP_DB_INSTANCE, &key, NULL, why);
	return r == 0 ? count_scope(t, i, -1, why) : r;
}
