/* SPDX-License-Identifier: Apache-2.0 */
#include "control/plugin_code.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/check.h"
#include "control/plugin_form.h"
#include "control/plugin_instance.h"
#include "control/plugin_source.h"
#include "control/spec.h"
#include "control/write.h"
#include "control/write_index.h"
#include "shm/record.pb-c.h"

#define PLUGIN_CODES_MAX 512 /* compiled schemas kept */

/* ---- the schemas of streamed plugins ---- */

static void code_free(struct plugin_code *code)
{
	json_decref(code->form);
	if (code->schema != NULL)
		schema_free(code->schema);
	free(code->name);
	free(code);
}

void plugin_code_forget(struct model *m)
{
	while (m->codes != NULL) {
		struct plugin_code *next = m->codes->next;

		code_free(m->codes);
		m->codes = next;
	}
	m->codes_n = 0;
}

static const struct plugin_code *cached(struct model *m, const Sluice__Record__PluginCode *spec)
{
	for (const struct plugin_code *c = m->codes; c != NULL; c = c->next) {
		if (strcmp(c->id, spec->id) == 0 && strcmp(c->name, spec->name) == 0 &&
				memcmp(c->schema_sha256, spec->schema_sha256.data,
						STORE_SHA_BYTES) == 0)
			return c;
	}
	return NULL;
}

/* A stored plugin was accepted once; a schema that does not compile now is a damaged store. */
static int code_compile(struct op *op, const Sluice__Record__PluginCode *spec,
		const struct plugin_code **ret)
{
	struct model *m = op->model;
	struct plugin_code *code = calloc(1, sizeof(*code));
	json_t *errors = NULL;
	int r;

	if (code == NULL)
		return op_store(op, -ENOMEM);
	snprintf(code->id, sizeof(code->id), "%s", spec->id);
	code->name = strdup(spec->name);
	memcpy(code->schema_sha256, spec->schema_sha256.data, STORE_SHA_BYTES);
	code->form = json_loadb(
			(const char *)spec->schema_json.data, spec->schema_json.len, 0, NULL);
	r = code->form == NULL || code->name == NULL
			    ? -EIO
			    : plugin_form_compile(code->form, &code->schema, &errors);
	json_decref(errors);
	if (r != 0) {
		code_free(code);
		why_set(&op->why, NULL, 0, "the stored schema of plugin '%s' does not compile",
				spec->name);
		return -EIO;
	}
	if (m->codes_n >= PLUGIN_CODES_MAX)
		plugin_code_forget(m);
	code->next = m->codes;
	m->codes = code;
	m->codes_n++;
	*ret = code;
	return 0;
}

static int read_spec(struct op *op, const char *id, Sluice__Record__PluginCode **ret)
{
	struct store_entity e;
	int r = store_get(op->txn, entity_def(ENTITY_CUSTOM_PLUGINS)->kind, id, &e);

	if (r != 0)
		return r == STORE_E_NONE ? OP_E_NONE : op_store(op, r);
	*ret = sluice__record__plugin_code__unpack(NULL, e.spec.n, (const uint8_t *)e.spec.p);
	if (*ret != NULL && (*ret)->schema_sha256.len == STORE_SHA_BYTES &&
			(*ret)->handler_sha256.len == STORE_SHA_BYTES)
		return 0;
	sluice__record__plugin_code__free_unpacked(*ret, NULL);
	return op_store(op, -EIO);
}

int plugin_code_find(struct op *op, struct str name, const struct plugin_code **ret)
{
	Sluice__Record__PluginCode *spec;
	char id[UUID_TEXT_BYTES];
	int r;

	if (name.p == NULL)
		return OP_E_NONE;
	r = store_unique_get(op->txn, entity_def(ENTITY_CUSTOM_PLUGINS)->kind, 0, name, id);
	if (r != 0)
		return r == STORE_E_NONE ? OP_E_NONE : op_store(op, r);
	r = read_spec(op, id, &spec);
	if (r != 0)
		return r;
	*ret = cached(op->model, spec);
	if (*ret == NULL)
		r = code_compile(op, spec, ret);
	sluice__record__plugin_code__free_unpacked(spec, NULL);
	return r;
}

/* ---- instances under a new schema ---- */

static void name_the_instance(struct op *op, const json_t *instance)
{
	const char *name = json_string_value(json_object_get(instance, "instance_name"));
	json_t *message = json_incref(json_object_get(op->fault.body, "message"));

	fault_field(&op->fault, "schema",
			"the plugin's instance '%s' no longer fits: %s; change or delete the "
			"instance first, or give the field a default",
			name != NULL ? name : json_string_value(json_object_get(instance, "id")),
			json_string_value(message));
	json_decref(message);
}

static int bring_over(struct op *op, const struct plugin_form_change *change, const char *id)
{
	json_t *old = NULL, *input, *fresh = NULL;
	int r = read_entity(op, ENTITY_PLUGINS, id, &old);

	if (r != 0)
		return r;
	input = json_deep_copy(old);
	plugin_form_drop_gone(change, input);
	r = plugin_instance_process_with(op, change->schema, SCHEMA_INSERT, input, NULL, &fresh);
	if (r == 0) {
		json_object_set(fresh, "updated_at", json_object_get(old, "updated_at"));
		r = write_processed(op, ENTITY_PLUGINS, old, fresh);
	}
	if (r == OP_E_REFUSED)
		name_the_instance(op, old);
	json_decref(fresh);
	json_decref(input);
	json_decref(old);
	return r;
}

static int bring_all_over(
		struct op *op, const struct plugin_form_change *change, const char *code_id)
{
	struct store_ref ref = {entity_def(ENTITY_PLUGINS)->kind, PLUGIN_CODE_REF_FIELD, code_id};
	char at[UUID_TEXT_BYTES] = "";
	int r;

	while ((r = store_ref_next(op->txn, &ref, at, at)) == 0) {
		r = bring_over(op, change, at);
		if (r != 0)
			return r;
	}
	return r == STORE_E_NONE ? 0 : op_store(op, r);
}

static bool is_used(struct op *op, const char *code_id)
{
	struct store_ref ref = {entity_def(ENTITY_PLUGINS)->kind, PLUGIN_CODE_REF_FIELD, code_id};
	char child[UUID_TEXT_BYTES];

	return store_ref_next(op->txn, &ref, "", child) == 0;
}

/* ---- writing ---- */

static struct str text_field(const json_t *entity, const char *field)
{
	const json_t *v = json_object_get(entity, field);

	return (struct str){json_string_value(v), json_string_length(v)};
}

/* Schema and instances; the sources are already found good. */
static int take_schema(
		struct op *op, const json_t *old, const json_t *entity, const json_t *verdict)
{
	struct plugin_form_change change = {.form = json_object_get(verdict, "schema")};
	const char *id = json_string_value(json_object_get(entity, "id"));
	json_t *errors = NULL;
	sl_auto_mem char *text = NULL;
	Sluice__Record__PluginCode *spec = NULL;
	int r = plugin_form_compile(change.form, &change.schema, &errors);

	if (r != 0) {
		text = errors != NULL ? schema_error_text(errors) : NULL;
		json_decref(errors);
		fault_field(&op->fault, "schema", "schema.lua: %s",
				text != NULL ? text : "the schema does not compile");
		return OP_E_REFUSED;
	}
	if (old != NULL) {
		r = read_spec(op, id, &spec);
		if (r == 0)
			change.old_form = json_loadb((const char *)spec->schema_json.data,
					spec->schema_json.len, 0, NULL);
		if (r == 0)
			r = bring_all_over(op, &change, id);
		json_decref(change.old_form);
		sluice__record__plugin_code__free_unpacked(spec, NULL);
	}
	schema_free(change.schema);
	return r;
}

static int put_code(struct op *op, const json_t *entity, const json_t *verdict, struct str *ret)
{
	uint8_t handler_sha[STORE_SHA_BYTES], schema_sha[STORE_SHA_BYTES];
	struct str handler = text_field(entity, "handler"), schema = text_field(entity, "schema");
	struct buf spec = {0};
	int r = store_blob_put(op->txn, handler, handler_sha);

	if (r == 0)
		r = store_blob_put(op->txn, schema, schema_sha);
	if (r == 0)
		r = spec_make_code(
				&(struct spec_code){
						.id = text_field(entity, "id").p,
						.name = text_field(entity, "name").p,
						.handler_sha256 = handler_sha,
						.schema_sha256 = schema_sha,
						.handler_bytes = handler.n,
						.schema_bytes = schema.n,
						.verdict = verdict,
						.entity = entity,
				},
				&spec);
	if (r != 0) {
		buf_done(&spec);
		return op_store(op, r);
	}
	*ret = (struct str){spec.p, spec.n};
	return 0;
}

static int release_blobs(struct op *op, const char *id)
{
	Sluice__Record__PluginCode *spec;
	int r = read_spec(op, id, &spec);

	if (r != 0)
		return r;
	r = store_blob_release(op->txn, spec->handler_sha256.data);
	if (r == 0)
		r = store_blob_release(op->txn, spec->schema_sha256.data);
	if (r == 0)
		r = store_blob_sweep(op->txn);
	sluice__record__plugin_code__free_unpacked(spec, NULL);
	return op_store(op, r);
}

static bool is_renamed(const json_t *old, const json_t *entity)
{
	return old != NULL &&
	       !json_equal(json_object_get(old, "name"), json_object_get(entity, "name"));
}

/* Only tags, times or limits changed: what sluice-check said still holds. */
static bool is_same_code(const json_t *old, const json_t *entity)
{
	return old != NULL && !is_renamed(old, entity) &&
	       str_eq(text_field(old, "handler"), text_field(entity, "handler")) &&
	       str_eq(text_field(old, "schema"), text_field(entity, "schema"));
}

static int keep_code(struct op *op, const json_t *entity, struct str *ret_spec)
{
	const char *id = text_field(entity, "id").p;
	struct buf spec = {0};
	struct store_entity e;
	int r = store_get(op->txn, entity_def(ENTITY_CUSTOM_PLUGINS)->kind, id, &e);

	if (r != 0)
		return op_store(op, r == STORE_E_NONE ? -EIO : r);
	r = spec_remake_code(e.spec, entity, &spec);
	if (r != 0) {
		buf_done(&spec);
		return op_store(op, r);
	}
	*ret_spec = (struct str){spec.p, spec.n};
	return 0;
}

int plugin_code_write(struct op *op, const json_t *old, const json_t *entity, struct str *ret_spec)
{
	const char *id = text_field(entity, "id").p;
	const json_t *verdict = NULL;
	int r;

	if (is_same_code(old, entity))
		return keep_code(op, entity, ret_spec);
	if (is_renamed(old, entity) && is_used(op, id)) {
		fault_field(&op->fault, "name",
				"cannot be renamed while plugin instances use it: create a plugin "
				"with the new name and move the instances to it");
		return OP_E_REFUSED;
	}
	r = plugin_source_check(op, entity, &verdict);
	if (r == 0)
		r = take_schema(op, old, entity, verdict);
	if (r == 0 && old != NULL)
		r = release_blobs(op, id);
	return r == 0 ? put_code(op, entity, verdict, ret_spec) : r;
}

int plugin_code_remove(struct op *op, const json_t *entity)
{
	const char *id = text_field(entity, "id").p;

	if (is_used(op, id)) {
		fault_set(&op->fault, FAULT_REFERENCED_BY_OTHERS,
				json_pack("{s:s}", "@referenced_by", "plugins"),
				"plugin schema is currently in use");
		return OP_E_REFUSED;
	}
	return release_blobs(op, id);
}
