/* SPDX-License-Identifier: Apache-2.0 */
#include "master/apply.h"

#include <errno.h>
#include <string.h>

#include <jansson.h>

#include "master/intake.h"
#include "plugin/schema.h"
#include "shm/record.pb-c.h"

#define KIND(name) SLUICE__RECORD__KIND__##name

/* ---- verdicts of sluice-check ---- */

static void set_binary(ProtobufCBinaryData *d, const void *p, size_t n)
{
	free(d->data);
	d->data = malloc(n + 1);
	d->len = d->data != NULL ? n : 0;
	if (d->data != NULL && n != 0)
		memcpy(d->data, p, n);
}

/* An empty string of protobuf-c is static, any other is from malloc. */
static void set_string(char **field, const char *value)
{
	char *copy = strdup(value);

	if (copy == NULL)
		return;
	if (*field != protobuf_c_empty_string)
		free(*field);
	*field = copy;
}

int apply_verdict(struct plan_item *item, const struct vet_verdict *v, struct snapshot_writer *w,
		struct why *why)
{
	Sluice__Record__PluginCode *c = item->plugin;
	int r = 0;

	if (!v->is_ok) {
		plan_reject_why(item, v->code, &v->why);
		return 0;
	}
	if (v->n_bytecode != 0)
		r = snapshot_put_blob(w, v->bytecode_sha256,
				(struct str){(const char *)v->bytecode, v->n_bytecode}, why);
	if (r != 0)
		return r;
	c->priority = v->priority;
	c->phases = v->phases;
	set_string(&c->plugin_version, v->version);
	set_binary(&c->schema_json, v->schema_json, strlen(v->schema_json));
	set_binary(&c->handler_bytecode_sha256, v->bytecode_sha256, v->n_bytecode != 0 ? 32 : 0);
	set_string(&c->handler_bytecode_library, v->library != NULL ? v->library : "");
	item->state = PLAN_ACCEPTED;
	return 0;
}

static Sluice__Record__PluginCode *held_plugin(const struct snap_view *held, struct str id)
{
	struct str record = snap_get(held, KIND(PLUGIN_CODE), id);

	return record.p == NULL ? NULL
				: sluice__record__plugin_code__unpack(
						  NULL, record.n, (const uint8_t *)record.p);
}

bool apply_known(struct plan_item *item, const struct snap_view *held)
{
	Sluice__Record__PluginCode *c = item->plugin, *old;
	bool is_known;

	old = held_plugin(held, str_of(item->id));
	if (old == NULL)
		return false;
	is_known = old->version_sha256.len == 32 && old->handler_bytecode_sha256.len == 32 &&
		   memcmp(old->version_sha256.data, c->version_sha256.data, 32) == 0 &&
		   strcmp(old->name, c->name) == 0;
	if (is_known) {
		c->priority = old->priority;
		c->phases = old->phases;
		set_string(&c->plugin_version, old->plugin_version);
		set_binary(&c->schema_json, old->schema_json.data, old->schema_json.len);
		set_binary(&c->handler_bytecode_sha256, old->handler_bytecode_sha256.data, 32);
		set_string(&c->handler_bytecode_library, old->handler_bytecode_library);
		item->state = PLAN_ACCEPTED;
	}
	sluice__record__plugin_code__free_unpacked(old, NULL);
	return is_known;
}

/* ---- instances whose plugin's new code was refused ---- */

static void reject_misfit(struct plan_item *item, const json_t *errors)
{
	sl_auto_mem char *text = schema_error_text(errors);

	plan_reject(item, "config", NULL, 0,
			"does not fit the code in force of plugin \"%s\" (the new code was "
			"refused): %s",
			item->instance->name, text != NULL ? text : "out of memory");
}

/* The config as control validated it, against the schema of the code in force. */
static void try_config(struct plan_item *item, const Sluice__Record__PluginCode *code)
{
	const Sluice__Record__PluginInstance *i = item->instance;
	sl_auto(schema) schema = NULL;
	json_t *form = json_loadb(
			(const char *)code->schema_json.data, code->schema_json.len, 0, NULL);
	json_t *config = json_loadb((const char *)i->config.data, i->config.len, 0, NULL);
	json_t *entity = json_pack("{s:O?}", "config", config), *errors = NULL, *out = NULL;

	if (form != NULL && entity != NULL && schema_new(&schema, form, &errors) == 0)
		out = schema_process(schema, SCHEMA_INSERT, entity, NULL, &errors);
	if (out == NULL)
		reject_misfit(item, errors);
	json_decref(out);
	json_decref(errors);
	json_decref(entity);
	json_decref(config);
	json_decref(form);
}

static bool is_refused(const struct snap_view *held, const char *id)
{
	struct snap_refusal refusal;

	return snap_refusal(held, KIND(PLUGIN_CODE), str_of(id), &refusal);
}

static Sluice__Record__PluginCode *held_plugin_by_name(
		const struct snap_view *held, const char *name)
{
	struct str record = snap_get_by_name(held, KIND(PLUGIN_CODE), str_of(name));

	return record.p == NULL ? NULL
				: sluice__record__plugin_code__unpack(
						  NULL, record.n, (const uint8_t *)record.p);
}

static void judge_instance(
		const struct plan *p, struct plan_item *item, const struct snap_view *held)
{
	const char *name = item->instance->name;
	const struct plan_item *code = plan_find_plugin(p, name);
	Sluice__Record__PluginCode *old;

	if (code != NULL && code->state == PLAN_ACCEPTED)
		return; /* sluice-check saw its config */
	old = held != NULL && (code != NULL || !p->is_full) ? held_plugin_by_name(held, name)
							    : NULL;
	if (old == NULL)
		plan_reject(item, "reference", NULL, 0, "this node has no code for plugin \"%s\"",
				name);
	else if (code != NULL || is_refused(held, old->id))
		try_config(item, old);
	sluice__record__plugin_code__free_unpacked(old, NULL);
}

/* ---- references ---- */

static bool will_exist(
		const struct plan *p, const struct snap_view *held, uint32_t kind, const char *id)
{
	const struct plan_item *item;
	uint64_t version;
	bool is_held;

	if (id[0] == '\0')
		return true;
	if (p->intake != NULL)
		return snap_txn_get(p->intake->txn, kind, str_of(id), &version).p != NULL;
	item = plan_find(p, kind, id);
	is_held = held != NULL && snap_get(held, kind, str_of(id)).p != NULL;
	if (item == NULL)
		return is_held && !p->is_full;
	if (item->state == PLAN_REJECTED)
		return is_held;
	return item->state != PLAN_REMOVED;
}

static const char *missing_of_route(
		const struct plan *p, const struct snap_view *held, const struct plan_item *item)
{
	Sluice__Record__Route *route = sluice__record__route__unpack(
			NULL, item->spec.n, (const uint8_t *)item->spec.p);
	const char *missing = NULL;

	if (route != NULL && !will_exist(p, held, KIND(SERVICE), route->service_id))
		missing = "service";
	sluice__record__route__free_unpacked(route, NULL);
	return missing;
}

static const char *missing_of_instance(
		const struct plan *p, const struct snap_view *held, const struct plan_item *item)
{
	const Sluice__Record__PluginInstance *i = item->instance;

	if (!will_exist(p, held, KIND(ROUTE), i->route_id))
		return "route";
	if (!will_exist(p, held, KIND(SERVICE), i->service_id))
		return "service";
	if (i->consumer_group_id[0] != '\0')
		return will_exist(p, held, KIND(CONSUMER_GROUP), i->consumer_group_id)
				       ? NULL
				       : "consumer group";
	return will_exist(p, held, KIND(CONSUMER), i->consumer_id) ? NULL : "consumer";
}

static void judge_references(
		const struct plan *p, struct plan_item *item, const struct snap_view *held)
{
	const char *missing = NULL;

	if (item->kind == KIND(ROUTE))
		missing = missing_of_route(p, held, item);
	else if (item->kind == KIND(PLUGIN_INSTANCE))
		missing = missing_of_instance(p, held, item);
	if (missing != NULL)
		plan_reject(item, "reference", NULL, 0, "the %s it refers to does not exist",
				missing);
}

/* Routes before instances, as the kinds are ordered. */
static void judge_all(struct plan *p, const struct snap_view *held)
{
	for (size_t i = 0; i < p->n; i++) {
		struct plan_item *item = &p->items[i];

		if (item->state != PLAN_PENDING)
			continue;
		judge_references(p, item, held);
		if (item->state == PLAN_PENDING && item->instance != NULL)
			judge_instance(p, item, held);
		if (item->state == PLAN_PENDING)
			item->state = PLAN_ACCEPTED;
	}
}

/* ---- the transaction ---- */

static int put_plugin(struct snap_txn *t, struct plan_item *item, struct why *why)
{
	Sluice__Record__PluginCode *c = item->plugin;
	sl_auto_mem uint8_t *bytes = NULL;
	size_t n;

	set_binary(&c->spec_sha256, item->spec_sha256, 32);
	n = sluice__record__plugin_code__get_packed_size(c);
	bytes = malloc(n + 1);
	if (bytes == NULL)
		return why_errno(why, ENOMEM, "plugin %s", c->name);
	sluice__record__plugin_code__pack(c, bytes);
	return snap_txn_put(t, item->kind, str_of(item->id), item->version,
			(struct str){(const char *)bytes, n}, why);
}

static int refuse(struct snap_txn *t, const struct plan_item *item, struct why *why)
{
	const struct snap_refusal refusal = {.version = item->version,
			.spec_sha256 = {(const char *)item->spec_sha256, 32},
			.code = str_of(item->code),
			.file = str_of(item->why != NULL ? item->why->file : ""),
			.text = str_of(item->why != NULL ? item->why->text : ""),
			.line = item->why != NULL ? (uint32_t)item->why->line : 0};

	return snap_txn_refuse(t, item->kind, str_of(item->id), &refusal, why);
}

/* A full Update cleared the table: put back what the rejected resource had. */
static int restore(struct snap_txn *t, const struct plan_item *item, const struct snap_view *held,
		struct why *why)
{
	struct str record = STR_NONE;

	if (held != NULL && item->kind <= KIND(CONSUMER))
		record = snap_get(held, item->kind, str_of(item->id));
	if (record.p == NULL)
		return 0;
	return snap_txn_put(t, item->kind, str_of(item->id), item->in_force, record, why);
}

static int write_item(struct snap_txn *t, const struct plan *p, struct plan_item *item,
		const struct snap_view *held, struct why *why)
{
	struct why reason = WHY_NONE;
	int r = 0;

	if (item->state == PLAN_REMOVED)
		return snap_txn_delete(t, item->kind, str_of(item->id), why);
	if (held != NULL && item->kind <= KIND(CONSUMER))
		item->in_force = snap_version(held, item->kind, str_of(item->id));
	if (item->state == PLAN_ACCEPTED) {
		r = item->plugin != NULL ? put_plugin(t, item, &reason)
					 : snap_txn_put(t, item->kind, str_of(item->id),
							   item->version, item->spec, &reason);
		if (r == -EINVAL)
			plan_reject_why(item, "format", &reason);
		else if (r != 0 && why != NULL)
			*why = reason;
		else
			item->in_force = item->version;
	}
	if (item->state != PLAN_REJECTED)
		return r;
	r = p->is_full ? restore(t, item, held, why) : 0;
	return r != 0 ? r : refuse(t, item, why);
}

int apply_item(struct plan *p, struct plan_item *item, const struct snap_view *held,
		struct why *why)
{
	if (item->state == PLAN_PENDING)
		judge_references(p, item, held);
	if (item->state == PLAN_PENDING)
		item->state = PLAN_ACCEPTED;
	item->is_written = true;
	return write_item(p->intake->txn, p, item, held, why);
}

static int write_all(
		struct snap_txn *t, struct plan *p, const struct snap_view *held, struct why *why)
{
	int r = p->is_full && p->intake == NULL ? snap_txn_clear(t, why) : 0;

	/* removals first: their names may be taken over */
	for (size_t i = 0; r == 0 && i < p->n; i++) {
		if (p->items[i].state == PLAN_REMOVED)
			r = write_item(t, p, &p->items[i], held, why);
	}
	for (size_t i = 0; r == 0 && i < p->n; i++) {
		if (p->items[i].state != PLAN_REMOVED && !p->items[i].is_written)
			r = write_item(t, p, &p->items[i], held, why);
	}
	return r;
}

int apply_commit(struct plan *p, struct snapshot_writer *w, struct why *why)
{
	const Sluice__Stream__V1__Update *u = p->update;
	struct snap_view *held = NULL;
	sl_auto(snap_txn) t = NULL;
	int r = snapshot_writer_view(w, &held, why);

	if (r != 0 && r != SNAP_E_NONE_YET)
		return r;
	r = 0;
	judge_all(p, held);
	if (p->intake != NULL)
		t = sl_steal(p->intake->txn);
	else
		r = snap_txn_begin(w, &t, why);
	if (t != NULL)
		r = write_all(t, p, held, why);
	if (r == 0)
		r = snap_txn_commit(t, (struct str){(const char *)u->epoch.data, u->epoch.len},
				u->generation,
				(struct str){(const char *)u->digest_after.data,
						u->digest_after.len},
				why);
	snap_view_unref(held);
	return r;
}
