/* SPDX-License-Identifier: Apache-2.0 */
#include "shm/snap_record.h"

#include <errno.h>

#include "shm/instance_index_write.h"
#include "shm/route_index_write.h"

#define NAME_KEYS_MAX 4

/* A disabled service takes its routes out; whatever replaces it starts from enabled. */
static int service_index(
		struct snap_txn *t, struct str id, const ProtobufCMessage *m, struct why *why)
{
	const Sluice__Record__Service *s = (const Sluice__Record__Service *)m;

	return s->enabled ? 0 : route_index_service(t, id, false, why);
}

static int service_unindex(
		struct snap_txn *t, struct str id, const ProtobufCMessage *m, struct why *why)
{
	const Sluice__Record__Service *s = (const Sluice__Record__Service *)m;

	return s->enabled ? 0 : route_index_service(t, id, true, why);
}

static int route_index(
		struct snap_txn *t, struct str id, const ProtobufCMessage *m, struct why *why)
{
	return route_index_put(t, id, (const Sluice__Record__Route *)m, why);
}

static int route_unindex(
		struct snap_txn *t, struct str id, const ProtobufCMessage *m, struct why *why)
{
	return route_index_delete(t, id, (const Sluice__Record__Route *)m, why);
}

static const struct snap_record_kind kinds[] = {
		[SLUICE__RECORD__KIND__SERVICE] =
				{
						.descriptor = &sluice__record__service__descriptor,
						.name = offsetof(Sluice__Record__Service, name),
						.is_named = true,
						.index = service_index,
						.unindex = service_unindex,
				},
		[SLUICE__RECORD__KIND__ROUTE] =
				{
						.descriptor = &sluice__record__route__descriptor,
						.name = offsetof(Sluice__Record__Route, name),
						.is_named = true,
						.index = route_index,
						.unindex = route_unindex,
				},
		[SLUICE__RECORD__KIND__PLUGIN_INSTANCE] =
				{
						.descriptor = &sluice__record__plugin_instance__descriptor,
						.name = offsetof(Sluice__Record__PluginInstance,
								name),
						.field = offsetof(Sluice__Record__PluginInstance,
								instance_name),
						.field_letter = SNAP_FIELD_INSTANCE_NAME,
						.index = instance_index_put,
						.unindex = instance_index_delete,
				},
		[SLUICE__RECORD__KIND__PLUGIN_CODE] =
				{
						.descriptor = &sluice__record__plugin_code__descriptor,
						.name = offsetof(Sluice__Record__PluginCode, name),
						.is_named = true,
						.is_code = true,
				},
		[SLUICE__RECORD__KIND__CONSUMER] =
				{
						.descriptor = &sluice__record__consumer__descriptor,
						.name = offsetof(
								Sluice__Record__Consumer, username),
						.is_named = true,
						.is_folded = true,
						.field = offsetof(Sluice__Record__Consumer,
								custom_id),
						.field_letter = SNAP_FIELD_CUSTOM_ID,
				},
		[SLUICE__RECORD__KIND__CONSUMER_GROUP] =
				{
						.descriptor = &sluice__record__consumer_group__descriptor,
						.name = offsetof(Sluice__Record__ConsumerGroup,
								name),
						.is_named = true,
				},
		[SLUICE__RECORD__KIND__CONSUMER_GROUP_CONSUMER] =
				{
						.descriptor = &sluice__record__consumer_group_consumer__descriptor,
						.name = offsetof(
								Sluice__Record__ConsumerGroupConsumer,
								id),
						.parent = offsetof(
								Sluice__Record__ConsumerGroupConsumer,
								consumer_id),
				},
		[SLUICE__RECORD__KIND__CERTIFICATE] =
				{
						.descriptor = &sluice__record__certificate__descriptor,
						.name = offsetof(Sluice__Record__Certificate, id),
				},
		[SLUICE__RECORD__KIND__SNI] =
				{
						.descriptor = &sluice__record__sni__descriptor,
						.name = offsetof(Sluice__Record__Sni, name),
						.is_named = true,
				},
		[SLUICE__RECORD__KIND__CA_CERTIFICATE] =
				{
						.descriptor = &sluice__record__ca_certificate__descriptor,
						.name = offsetof(Sluice__Record__CaCertificate, id),
				},
		[SLUICE__RECORD__KIND__UPSTREAM] =
				{
						.descriptor = &sluice__record__upstream__descriptor,
						.name = offsetof(Sluice__Record__Upstream, name),
						.is_named = true,
				},
		[SLUICE__RECORD__KIND__KEY_SET] =
				{
						.descriptor = &sluice__record__key_set__descriptor,
						.name = offsetof(Sluice__Record__KeySet, name),
						.is_named = true,
				},
		[SLUICE__RECORD__KIND__KEY] =
				{
						.descriptor = &sluice__record__key__descriptor,
						.name = offsetof(Sluice__Record__Key, name),
						.is_named = true,
						.field = offsetof(Sluice__Record__Key, set_and_kid),
						.field_letter = SNAP_FIELD_SET_AND_KID,
				},
		[SLUICE__RECORD__KIND__VAULT] =
				{
						.descriptor = &sluice__record__vault__descriptor,
						.name = offsetof(Sluice__Record__Vault, prefix),
						.is_named = true,
				},
		[SLUICE__RECORD__KIND__TARGET] =
				{
						.descriptor = &sluice__record__target__descriptor,
						.name = offsetof(Sluice__Record__Target, target),
						.is_folded = true,
						.parent = offsetof(Sluice__Record__Target,
								upstream_id),
				},
};

_Static_assert(sizeof(kinds) / sizeof(kinds[0]) <= SNAP_KINDS, "counts have a place for each");

const struct snap_record_kind *snap_record_kind(uint32_t kind)
{
	if (kind >= sizeof(kinds) / sizeof(kinds[0]) || kinds[kind].descriptor == NULL)
		return NULL;
	return &kinds[kind];
}

static struct str text_at(const ProtobufCMessage *m, size_t offset)
{
	char *const *text = (char *const *)((uintptr_t)m + offset);

	return str_of(*text);
}

static struct str record_name(uint32_t kind, const ProtobufCMessage *m)
{
	return text_at(m, kinds[kind].name);
}

/* The keys of the database of names under which the record is found. */
static unsigned name_keys(uint32_t kind, struct str id, const ProtobufCMessage *m,
		struct snap_key keys[NAME_KEYS_MAX])
{
	const struct snap_record_kind *k = &kinds[kind];
	struct str name = record_name(kind, m);
	struct str value = k->field != 0 ? text_at(m, k->field) : STR_NONE;
	unsigned n = 0;

	if (k->is_named && name.n != 0)
		snap_key_record(&keys[n++], kind, name);
	if (k->is_folded && name.n != 0)
		snap_key_folded(&keys[n++], kind, name, id);
	if (k->parent != 0)
		snap_key_child(&keys[n++], kind, text_at(m, k->parent), id);
	if (value.n != 0)
		snap_key_field(&keys[n++], kind, (uint8_t)k->field_letter, value);
	return n;
}

int snap_record_index(struct snap_txn *t, uint32_t kind, struct str id, const ProtobufCMessage *m,
		struct why *why)
{
	const struct snap_record_kind *k = &kinds[kind];
	struct snap_key keys[NAME_KEYS_MAX];
	unsigned n = name_keys(kind, id, m, keys);
	int r = 0;

	for (unsigned i = 0; r == 0 && i < n; i++)
		r = snap_txn_store(t, SNAP_DB_NAME, &keys[i], id, NULL, why);
	return r == 0 && k->index != NULL ? k->index(t, id, m, why) : r;
}

int snap_record_unindex(struct snap_txn *t, uint32_t kind, struct str id, const ProtobufCMessage *m,
		struct why *why)
{
	const struct snap_record_kind *k = &kinds[kind];
	struct snap_key keys[NAME_KEYS_MAX];
	unsigned n = name_keys(kind, id, m, keys);
	int r = 0;

	/* A name that another record took over in the meantime stays with it. */
	for (unsigned i = 0; r == 0 && i < n; i++)
		if (str_eq(snap_txn_find(t, SNAP_DB_NAME, &keys[i]), id))
			r = snap_txn_drop(t, SNAP_DB_NAME, &keys[i], NULL, why);
	return r == 0 && k->unindex != NULL ? k->unindex(t, id, m, why) : r;
}

static int check_indexable(uint32_t kind, const ProtobufCMessage *m, struct why *why)
{
	struct str name = record_name(kind, m);

	if (name.n > SNAP_NAME_MAX) {
		why_set(why, NULL, 0, "the name \"%.40s…\" is %zu bytes long; at most %d", name.p,
				name.n, SNAP_NAME_MAX);
		return -EINVAL;
	}
	if (kind == SLUICE__RECORD__KIND__ROUTE)
		return route_index_check((const Sluice__Record__Route *)m, why);
	if (kind == SLUICE__RECORD__KIND__PLUGIN_INSTANCE)
		return instance_index_check((const Sluice__Record__PluginInstance *)m, why);
	return 0;
}

int snap_record_parse(uint32_t kind, struct str record, ProtobufCMessage **ret, struct why *why)
{
	const struct snap_record_kind *k = snap_record_kind(kind);
	sl_auto_message ProtobufCMessage *m = NULL;
	int r;

	if (k != NULL)
		m = protobuf_c_message_unpack(
				k->descriptor, NULL, record.n, (const uint8_t *)record.p);
	if (m == NULL) {
		why_set(why, NULL, 0, "%zu bytes are not a record of kind %u", record.n, kind);
		return -EINVAL;
	}
	r = check_indexable(kind, m, why);
	if (r != 0)
		return r;
	*ret = sl_steal(m);
	return 0;
}
