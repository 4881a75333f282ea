/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/engine_instance.h"

#include <stdlib.h>

#include "base/check.h"
#include "base/log.h"
#include "plugin/value_lua.h"
#include "plugin/vault.h"
#include "shm/record.pb-c.h"

static uint64_t next_sequence = 1;

/* None listed = all. */
static uint32_t protocols_of(const Sluice__Record__PluginInstance *rec)
{
	uint32_t set = 0;

	if (rec->n_protocols == 0)
		return PROTOCOL_HTTP | PROTOCOL_HTTPS;
	for (size_t i = 0; i < rec->n_protocols; i++) {
		if (strcmp(rec->protocols[i], "http") == 0)
			set |= PROTOCOL_HTTP;
		if (strcmp(rec->protocols[i], "https") == 0)
			set |= PROTOCOL_HTTPS;
	}
	return set;
}

static void resolve_limits(struct engine_instance *i, const Sluice__Record__Limits *wanted)
{
	const struct limits_policy policy = {
			.by_default = i->version->limits, .max = i->version->conf->limits.max};

	(void)limits_resolve(&policy, NULL, wanted, &i->limits);
}

static bool fill(struct engine_instance *i, const Sluice__Record__PluginInstance *rec)
{
	i->id = strdup(rec->id);
	i->name = strdup(rec->instance_name);
	i->route_id = strdup(rec->route_id);
	i->service_id = strdup(rec->service_id);
	i->consumer_id = strdup(rec->consumer_group_id[0] == '\0' ? rec->consumer_id : "");
	i->group_id = strdup(rec->consumer_group_id);
	i->config_n = rec->config.len;
	i->config = malloc(rec->config.len + 1);
	if (i->config != NULL && rec->config.len != 0)
		memcpy(i->config, rec->config.data, rec->config.len);
	i->protocols = protocols_of(rec);
	i->is_open = strcmp(rec->on_error, "open") == 0;
	resolve_limits(i, rec->limits);
	if (rec->condition[0] != '\0')
		i->is_condition_bad =
				condition_new(&i->condition, str_of(rec->condition), &i->why) != 0;
	return i->id != NULL && i->name != NULL && i->route_id != NULL && i->service_id != NULL &&
	       i->consumer_id != NULL && i->group_id != NULL && i->config != NULL;
}

struct engine_instance *engine_instance_new(
		struct engine_version *v, struct str record, uint64_t resource_version)
{
	Sluice__Record__PluginInstance *rec = sluice__record__plugin_instance__unpack(
			NULL, record.n, (const uint8_t *)record.p);
	struct engine_instance *i = rec != NULL ? calloc(1, sizeof(*i)) : NULL;
	bool is_filled = false;

	if (i != NULL) {
		i->magic = ENGINE_INSTANCE_MAGIC;
		i->refs = 1;
		i->version = engine_version_ref(v);
		i->resource_version = resource_version;
		i->sequence = next_sequence++;
		is_filled = fill(i, rec);
	}
	if (rec != NULL)
		sluice__record__plugin_instance__free_unpacked(rec, NULL);
	if (is_filled)
		return i;
	engine_instance_unref(i);
	return NULL;
}

struct engine_instance *engine_instance_ref(struct engine_instance *i)
{
	sl_check(i, ENGINE_INSTANCE_MAGIC);
	i->refs++;
	return i;
}

static void drop_conf(struct engine_instance *i)
{
	struct engine_box *b = i->version->box;

	if (b != NULL && b->serial == i->box_serial && !b->is_dead)
		luaL_unref(vm_main(b->vm), LUA_REGISTRYINDEX, i->conf_ref);
}

void engine_instance_unref(struct engine_instance *i)
{
	if (i == NULL || --i->refs != 0)
		return;
	sl_check(i, ENGINE_INSTANCE_MAGIC);
	drop_conf(i);
	condition_free(i->condition);
	engine_version_unref(i->version);
	free(i->id);
	free(i->name);
	free(i->route_id);
	free(i->service_id);
	free(i->consumer_id);
	free(i->group_id);
	free(i->config);
	i->magic = 0;
	free(i);
}

bool engine_instance_has_secrets(const struct engine_instance *i)
{
	return str_find((struct str){i->config, i->config_n}, STR("{vault://")) >= 0;
}

static void set_field(lua_State *L, const char *key, const char *value)
{
	if (value[0] == '\0')
		return;
	lua_pushstring(L, key);
	lua_pushstring(L, value);
	lua_rawset(L, -3);
}

/* What the handler contract adds to the declared fields. */
static void add_hidden(const struct engine_instance *i, lua_State *L)
{
	set_field(L, "route_id", i->route_id);
	set_field(L, "service_id", i->service_id);
	set_field(L, "consumer_id", i->consumer_id);
	set_field(L, "consumer_group_id", i->group_id);
	set_field(L, "plugin_instance_name", i->name);
	set_field(L, "__plugin_id", i->id);
	set_field(L, "__ws_id", ENGINE_WORKSPACE);
	lua_pushstring(L, "__key__");
	lua_pushfstring(L, "plugins:%s:%s:%s:%s:%s:%s", i->version->name, i->route_id,
			i->service_id, i->consumer_id, i->group_id, ENGINE_WORKSPACE);
	lua_rawset(L, -3);
	lua_pushstring(L, "__seq__");
	lua_pushnumber(L, (double)i->sequence);
	lua_rawset(L, -3);
}

static void report_reference(void *arg, const char *field, const char *reference, const char *why)
{
	const struct engine_instance *i = arg;
	char quoted[2][300];

	log_warn("unable to resolve a reference",
			"plugin=%s instance=%s field=%s reference=%s error=%s", i->version->name,
			i->id, field, log_quote(quoted[0], sizeof(quoted[0]), str_of(reference)),
			log_quote(quoted[1], sizeof(quoted[1]), str_of(why)));
}

void engine_instance_push_conf(struct engine_instance *i, struct engine_box *b,
		const struct snap_view *view, lua_State *L)
{
	json_t *config;

	if (i->box_serial == b->serial) {
		lua_rawgeti(L, LUA_REGISTRYINDEX, i->conf_ref);
		return;
	}
	value_check_stack(L);
	config = json_loadb(i->config, i->config_n, 0, NULL);
	vault_resolve_config(view, config, i->version->schema, report_reference, i);
	value_push_config(L, config, i->version->schema);
	json_decref(config);
	add_hidden(i, L);
	lua_pushvalue(L, -1);
	i->conf_ref = luaL_ref(L, LUA_REGISTRYINDEX);
	i->box_serial = b->serial;
}
