/* SPDX-License-Identifier: Apache-2.0
 *
 * What the nodes do: /clustering, /custom-plugins/{name}/status.
 */
#include <string.h>

#include "base/hex.h"
#include "control/admin_path.h"
#include "control/feed.h"
#include "control/write.h"
#include "shm/record.pb-c.h"

static json_t *nodes_of(const struct admin_call *call)
{
	return call->parts->feed != NULL ? feed_nodes(call->parts->feed) : json_array();
}

void admin_cluster_nodes(struct admin_call *call)
{
	admin_reply(call, 200, json_pack("{s:o, s:n}", "data", nodes_of(call), "next"));
}

void admin_cluster_status(struct admin_call *call)
{
	json_t *nodes = nodes_of(call), *by_id = json_object(), *node;
	size_t i;

	json_array_foreach (nodes, i, node)
		json_object_set(by_id, json_string_value(json_object_get(node, "id")), node);
	json_decref(nodes);
	admin_reply(call, 200, by_id);
}

struct plugin_status {
	struct str name;
	char id[UUID_TEXT_BYTES];
	uint64_t version;
	char version_text[65];
};

static int find_plugin(struct op *op, void *arg)
{
	struct plugin_status *s = arg;
	Sluice__Record__PluginCode *spec;
	struct store_entity e;
	int r = read_id(op, ENTITY_CUSTOM_PLUGINS, s->name, s->id);

	if (r != 0)
		return r;
	r = store_get(op->txn, entity_def(ENTITY_CUSTOM_PLUGINS)->kind, s->id, &e);
	if (r != 0)
		return op_store(op, r);
	s->version = e.version;
	spec = sluice__record__plugin_code__unpack(NULL, e.spec.n, (const uint8_t *)e.spec.p);
	if (spec != NULL && spec->version_sha256.len == STORE_SHA_BYTES)
		hex_encode(spec->version_sha256.data, STORE_SHA_BYTES, s->version_text);
	sluice__record__plugin_code__free_unpacked(spec, NULL);
	return 0;
}

void admin_cluster_plugin(struct admin_call *call)
{
	struct plugin_status s = {.name = call->seg[1]};
	bool is_active = false;
	json_t *nodes;
	struct op op;
	int r = op_read(call->parts->model, find_plugin, &s, &op);

	if (r != 0) {
		admin_refuse(call, &op.fault);
		op_done(&op);
		return;
	}
	op_done(&op);
	nodes = call->parts->feed != NULL
				? feed_plugin(call->parts->feed, s.id, s.version, &is_active)
				: json_array();
	admin_reply(call, 200,
			json_pack("{s:b, s:s, s:o}", "active", is_active, "version", s.version_text,
					"nodes", nodes));
}
