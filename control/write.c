/* SPDX-License-Identifier: Apache-2.0 */
#include "control/write.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "control/certificate.h"
#include "control/key.h"
#include "control/plugin_code.h"
#include "control/plugin_instance.h"
#include "control/spec.h"
#include "control/upstream.h"
#include "control/write_index.h"
#include "control/write_input.h"

/* ---- reading ---- */

int read_entity(struct op *op, enum entity_type type, const char *id, json_t **ret)
{
	struct store_entity e;
	int r = store_get(op->txn, entity_def(type)->kind, id, &e);

	if (r != 0)
		return r == STORE_E_NONE ? OP_E_NONE : op_store(op, r);
	*ret = json_loadb(e.json.p, e.json.n, 0, NULL);
	return *ret != NULL ? 0 : op_store(op, -EIO);
}

int read_id(struct op *op, enum entity_type type, struct str id_or_key, char ret[UUID_TEXT_BYTES])
{
	const struct entity_def *def = entity_def(type);
	struct store_entity e;
	int r;

	if (uuid_is_valid(id_or_key)) {
		for (size_t i = 0; i < UUID_TEXT_BYTES - 1; i++)
			ret[i] = ascii_lower(id_or_key.p[i]);
		ret[UUID_TEXT_BYTES - 1] = '\0';
		r = store_get(op->txn, def->kind, ret, &e);
		if (r != STORE_E_NONE)
			return op_store(op, r);
	}
	if (type == ENTITY_CERTIFICATES)
		return certificate_id_by_sni(op, id_or_key, ret);
	r = store_unique_get(op->txn, def->kind, 0, id_or_key, ret);
	return r == STORE_E_NONE ? OP_E_NONE : op_store(op, r);
}

/* ---- the schema ---- */

static int process(struct op *op, enum entity_type type, enum schema_mode mode, const json_t *input,
		const json_t *given, json_t **ret)
{
	json_t *errors = NULL;

	if (type == ENTITY_PLUGINS)
		return plugin_instance_process(op, mode, input, given, ret);
	*ret = schema_process(op->model->schemas[type], mode, input, given, &errors);
	if (*ret != NULL)
		return 0;
	fault_schema(&op->fault, errors);
	return OP_E_REFUSED;
}

/* ---- putting ---- */

static int make_spec(struct op *op, enum entity_type type, const json_t *old, const json_t *entity,
		struct str json, struct buf *ret)
{
	struct str spec;
	int r;

	if (type != ENTITY_CUSTOM_PLUGINS)
		return op_store(op, spec_make(type, entity, json, ret));
	r = plugin_code_write(op, old, entity, &spec);
	if (r != 0)
		return r;
	buf_add(ret, spec.p, spec.n);
	free((char *)(uintptr_t)spec.p);
	return ret->is_failed ? op_store(op, -ENOMEM) : 0;
}

int write_processed(struct op *op, enum entity_type type, const json_t *old, json_t *entity)
{
	const struct entity_def *def = entity_def(type);
	const char *id = json_string_value(json_object_get(entity, "id"));
	sl_auto_mem char *text = NULL;
	sl_auto_buf spec = {0};
	int r = certificate_check(op, type, entity);

	if (r == 0)
		r = upstream_check(op, type, entity);
	if (r == 0)
		r = key_check(op, type, entity);
	if (r == 0)
		r = write_index_check(op, def, old, entity);
	if (r == 0 && type == ENTITY_PLUGINS)
		r = plugin_instance_check(op, entity);
	if (r != 0)
		return r;
	text = json_dumps(entity, JSON_COMPACT);
	if (text == NULL)
		return op_store(op, -ENOMEM);
	r = make_spec(op, type, old, entity, str_of(text), &spec);
	if (r == 0)
		r = op_store(op, store_put(op->txn, def->kind, id, str_of(text), buf_str(&spec)));
	if (r == 0 && old != NULL)
		r = write_index_remove(op, def, old);
	if (r == 0)
		r = write_index_put(op, def, entity);
	return r;
}

/* snis: of a certificate, NULL: none were given. */
static int finish(struct op *op, enum entity_type type, const json_t *old, json_t *entity,
		const json_t *snis, json_t **ret)
{
	int r = write_processed(op, type, old, entity);

	if (r == 0)
		r = certificate_snis_put(
				op, json_string_value(json_object_get(entity, "id")), snis);
	if (r == 0)
		r = certificate_show(op, type, entity);
	if (r != 0)
		json_decref(entity);
	else
		*ret = entity;
	return r;
}

int write_insert(struct op *op, enum entity_type type, const json_t *input, json_t **ret)
{
	const struct entity_def *def = entity_def(type);
	json_t *copy = json_deep_copy(input), *entity = NULL, *snis = NULL;
	struct store_entity there;
	const char *id;
	int r = write_input_prepare(op, def, copy);

	if (r == 0)
		r = certificate_snis_take(op, type, copy, &snis);
	if (r == 0)
		r = process(op, type, SCHEMA_INSERT, copy, NULL, &entity);
	json_decref(copy);
	if (r != 0) {
		json_decref(snis);
		return r;
	}
	id = json_string_value(json_object_get(entity, "id"));
	if (id != NULL && store_get(op->txn, def->kind, id, &there) == 0) {
		fault_set(&op->fault, FAULT_PRIMARY_KEY_VIOLATION, json_pack("{s:s}", "id", id),
				"primary key violation on key '{id=\"%s\"}'", id);
		json_decref(entity);
		json_decref(snis);
		return OP_E_REFUSED;
	}
	r = finish(op, type, NULL, entity, snis, ret);
	json_decref(snis);
	return r;
}

int write_upsert(struct op *op, enum entity_type type, const char *id, const json_t *input,
		json_t **ret)
{
	json_t *copy = json_deep_copy(input), *entity = NULL, *old = NULL, *snis = NULL;
	int r = read_entity(op, type, id, &old);

	if (r == OP_E_NONE)
		r = 0;
	if (r == 0) {
		json_object_set_new(copy, "id", json_string(id));
		if (old != NULL && json_object_get(copy, "created_at") == NULL)
			json_object_set(copy, "created_at", json_object_get(old, "created_at"));
		r = write_input_prepare(op, entity_def(type), copy);
	}
	if (r == 0)
		r = certificate_snis_take(op, type, copy, &snis);
	if (r == 0)
		r = process(op, type, SCHEMA_INSERT, copy, NULL, &entity);
	if (r == 0)
		r = finish(op, type, old, entity, snis, ret);
	json_decref(snis);
	json_decref(copy);
	json_decref(old);
	return r;
}

/* The schema that says what of old and given merges and what is replaced. */
static const struct schema *merge_schema(
		struct op *op, enum entity_type type, const json_t *old, const json_t *given)
{
	const json_t *name = json_object_get(given, "name");
	const struct schema *schema = NULL;

	if (type == ENTITY_PLUGINS)
		schema = plugin_instance_schema(op, json_is_string(name) ? given : old);
	return schema != NULL ? schema : op->model->schemas[type];
}

static int merge(struct op *op, enum entity_type type, const json_t *old, const json_t *given,
		json_t **ret)
{
	json_t *errors = NULL;

	*ret = schema_merge(merge_schema(op, type, old, given), old, given, &errors);
	if (*ret != NULL)
		return 0;
	fault_schema(&op->fault, errors);
	return OP_E_REFUSED;
}

int write_update(struct op *op, enum entity_type type, const char *id, const json_t *given,
		json_t **ret)
{
	json_t *copy = json_deep_copy(given), *merged = NULL, *entity = NULL, *old = NULL;
	json_t *snis = NULL;
	int r = read_entity(op, type, id, &old);

	json_object_del(copy, "id");
	if (r == 0)
		r = write_input_prepare(op, entity_def(type), copy);
	if (r == 0)
		r = certificate_snis_take(op, type, copy, &snis);
	if (r == 0)
		r = merge(op, type, old, copy, &merged);
	if (r == 0)
		r = process(op, type, SCHEMA_UPDATE, merged, copy, &entity);
	if (r == 0)
		r = finish(op, type, old, entity, snis, ret);
	json_decref(snis);
	json_decref(merged);
	json_decref(copy);
	json_decref(old);
	return r;
}

/* ---- removing ---- */

static int remove_children(struct op *op, const struct entity_def *child,
		const struct entity_foreign *f, const char *id)
{
	const struct entity_def *parent = entity_def(f->to);
	struct store_ref ref = {child->kind, (uint8_t)(f - child->foreign), id};
	char at[UUID_TEXT_BYTES] = "";
	int r;

	while ((r = store_ref_next(op->txn, &ref, at, at)) == 0) {
		if (f->on_delete == ENTITY_RESTRICT) {
			fault_set(&op->fault, FAULT_FOREIGN_KEY_VIOLATION,
					json_pack("{s:s}", "@referenced_by", child->name),
					"an existing '%s' entity references this '%s' entity",
					child->name, parent->name);
			return OP_E_REFUSED;
		}
		r = write_delete(op, child->type, at);
		if (r != 0 && r != OP_E_NONE)
			return r;
	}
	return r == STORE_E_NONE ? 0 : op_store(op, r);
}

static int remove_all_children(struct op *op, const struct entity_def *def, const char *id)
{
	int r = 0;

	for (enum entity_type i = 0; r == 0 && i < ENTITY_COUNT; i++) {
		const struct entity_def *child = entity_def(i);

		for (const struct entity_foreign *f = child->foreign; r == 0 && f->field != NULL;
				f++) {
			if (f->to == def->type)
				r = remove_children(op, child, f, id);
		}
	}
	return r;
}

int write_delete(struct op *op, enum entity_type type, const char *id)
{
	const struct entity_def *def = entity_def(type);
	json_t *old = NULL;
	int r = read_entity(op, type, id, &old);

	if (r == 0 && type == ENTITY_CUSTOM_PLUGINS)
		r = plugin_code_remove(op, old);
	if (r == 0)
		r = certificate_check_unused(op, type, id);
	if (r == 0)
		r = remove_all_children(op, def, id);
	if (r == 0)
		r = write_index_remove(op, def, old);
	if (r == 0)
		r = op_store(op, store_remove(op->txn, def->kind, id));
	json_decref(old);
	return r;
}
