/* SPDX-License-Identifier: Apache-2.0
 *
 * What the node is: /, /status, /endpoints, /plugins/enabled, /tags.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/hex.h"
#include "base/log.h"
#include "control/admin_path.h"
#include "control/node_status.h"
#include "control/write.h"
#include "shm/record.pb-c.h"

/* ---- the configuration, without secrets ---- */

#define SHOW_STRING(v) json_string(v)
#define SHOW_LIST(v) show_list(v)
#define SHOW_UINT(v) json_integer((json_int_t)(v))
#define SHOW_SIZE(v) json_integer((json_int_t)(v))
#define SHOW_BOOL(v) json_boolean(v)

static json_t *show_list(const char *list)
{
	json_t *array = json_array();
	struct str one;

	while (conf_list_next(&list, &one))
		json_array_append_new(array, json_stringn(one.p, one.n));
	return array;
}

static json_t *show_conf(const struct conf *c)
{
	json_t *o = json_object();

#define X(name, type, ...) json_object_set_new(o, #name, SHOW_##type(c->name));
	CONF_TABLE(X)
#undef X
	if (c->cluster_cert_key != NULL && c->cluster_cert_key[0] != '\0')
		json_object_set_new(o, "cluster_cert_key", json_string("******"));
	/* the key's name before it was released: some clients look for it */
	json_object_set_new(o, "custom_plugins_enabled",
			json_boolean(c->custom_plugin_streaming_enabled));
	json_object_set_new(o, "plugins", json_pack("[s]", "bundled"));
	return o;
}

/* ---- plugins ---- */

struct plugin_lists {
	json_t *available, *enabled;
};

static int list_plugins(struct op *op, void *arg)
{
	struct plugin_lists *lists = arg;
	struct store_entity e;
	char at[UUID_TEXT_BYTES] = "";
	int r;

	while ((r = store_next(op->txn, entity_def(ENTITY_CUSTOM_PLUGINS)->kind, at, &e)) == 0) {
		Sluice__Record__PluginCode *spec = sluice__record__plugin_code__unpack(
				NULL, e.spec.n, (const uint8_t *)e.spec.p);

		memcpy(at, e.id, sizeof(at));
		if (spec == NULL)
			continue;
		json_object_set_new(lists->available, spec->name,
				json_pack("{s:s, s:i}", "version", spec->plugin_version, "priority",
						spec->priority));
		json_array_append_new(lists->enabled, json_string(spec->name));
		sluice__record__plugin_code__free_unpacked(spec, NULL);
	}
	return r == STORE_E_NONE ? 0 : op_store(op, r);
}

static json_t *enabled_plugins(struct model *m, json_t **ret_available)
{
	struct plugin_lists lists = {json_object(), json_array()};
	struct op op;

	op_read(m, list_plugins, &lists, &op);
	op_done(&op);
	*ret_available = lists.available;
	return lists.enabled;
}

void admin_info_enabled(struct admin_call *call)
{
	json_t *available, *enabled = enabled_plugins(call->parts->model, &available);

	json_decref(available);
	admin_reply(call, 200, json_pack("{s:o}", "enabled_plugins", enabled));
}

/* ---- / and /status ---- */

static void root_reply(void *arg, json_t *workers)
{
	struct admin_call *call = arg;
	char hostname[256] = "";
	json_t *available, *enabled = enabled_plugins(call->parts->model, &available);
	json_t *pids = json_array(), *worker;
	size_t i;

	gethostname(hostname, sizeof(hostname) - 1);
	json_array_foreach (json_object_get(workers, "workers"), i, worker) {
		if (json_is_integer(json_object_get(worker, "pid")))
			json_array_append(pids, json_object_get(worker, "pid"));
	}
	admin_reply(call, 200,
			json_pack("{s:s, s:s, s:s, s:s, s:s, s:{s:i, s:i}, s:{s:o, s:o}, s:s, s:o, "
				  "s:{s:i, s:o}}",
					"tagline", "Welcome to sluice", "version", PACKAGE_VERSION,
					"edition", "community", "hostname", hostname, "node_id",
					call->parts->node_id, "timers", "running", 0, "pending", 0,
					"plugins", "available_on_server", available,
					"enabled_in_cluster", enabled, "lua_version", "LuaJIT 2.1",
					"configuration", show_conf(call->parts->model->conf),
					"pids", "master", (int)getppid(), "workers", pids));
}

void admin_info_root(struct admin_call *call)
{
	node_status_get(call->parts->base, call->parts->model->conf, "/workers", root_reply, call);
}

static void status_reply(void *arg, json_t *node)
{
	struct admin_call *call = arg;
	struct store *store = call->parts->model->store;
	char hash[33];
	json_t *body = json_is_object(node)
				       ? json_deep_copy(node)
				       : json_pack("{s:{s:i, s:i, s:i, s:i, s:i, s:i, s:i}, "
						   "s:{s:[], s:{}}}",
							 "server", "connections_accepted", 0,
							 "connections_active", 0,
							 "connections_handled", 0,
							 "connections_reading", 0,
							 "connections_waiting", 0,
							 "connections_writing", 0, "total_requests",
							 0, "memory", "workers_lua_vms",
							 "lua_shared_dicts");

	hex_encode(store_epoch(store), 8, hash);
	snprintf(hash + 16, sizeof(hash) - 16, "%016llx",
			(unsigned long long)store_generation(store));
	if (model_is_read_only(call->parts->model))
		json_object_set_new(body, "configuration_hash", json_string(hash));
	else
		json_object_set_new(body, "database", json_pack("{s:b}", "reachable", 1));
	json_object_set_new(body, "control",
			json_pack("{s:I, s:s}", "generation", (json_int_t)store_generation(store),
					"configuration_hash", hash));
	admin_reply(call, 200, body);
}

void admin_info_status(struct admin_call *call)
{
	node_status_get(call->parts->base, call->parts->model->conf, "/status", status_reply, call);
}

void admin_info_endpoints(struct admin_call *call)
{
	json_t *list = admin_path_list();

	admin_reply(call, 200, json_pack("{s:o, s:n}", "data", list, "next"));
}

/* ---- tags ---- */

struct tags {
	json_t *data;
	struct str only; /* p == NULL: all */
};

static int list_tags(struct op *op, void *arg)
{
	struct tags *tags = arg;
	struct store_tag_at at = {.key_n = 0};
	int r;

	while ((r = store_tag_walk(op->txn, &at)) == 0) {
		const struct entity_def *def = entity_by_kind(at.kind);

		if (def == NULL || (tags->only.p != NULL && !str_eq(at.tag, tags->only)))
			continue;
		json_array_append_new(tags->data,
				json_pack("{s:s%, s:s, s:s}", "tag", at.tag.p, at.tag.n,
						"entity_name", def->name, "entity_id", at.id));
	}
	return r == STORE_E_NONE ? 0 : op_store(op, r);
}

static void tags_reply(struct admin_call *call, struct str only)
{
	struct tags tags = {json_array(), only};
	struct op op;
	int r = op_read(call->parts->model, list_tags, &tags, &op);

	if (r == 0)
		admin_reply(call, 200, json_pack("{s:O, s:n}", "data", tags.data, "next"));
	else
		admin_refuse(call, &op.fault);
	op_done(&op);
	json_decref(tags.data);
}

void admin_tags_all(struct admin_call *call)
{
	tags_reply(call, STR_NONE);
}

void admin_tags_one(struct admin_call *call)
{
	tags_reply(call, call->seg[1]);
}
