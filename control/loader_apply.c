/* SPDX-License-Identifier: Apache-2.0 */
#include "control/loader_apply.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "control/plugin_code.h"
#include "control/plugin_instance.h"
#include "control/write.h"
#include "control/write_index.h"
#include "control/write_input.h"

struct bring {
	struct op *op;
	struct declarative *d;
	json_t *wanted; /* "type:id" of the file → true */
	json_t *failed; /* ids and plugin names whose error is already told */
	bool is_waiting;
};

static const char *text_of(const json_t *entity, const char *field)
{
	const char *s = json_string_value(json_object_get(entity, field));

	return s != NULL ? s : "";
}

/* ---- what is there now ---- */

static int unhook_one(struct bring *b, const struct entity_def *def, const char *id)
{
	json_t *old = NULL;
	int r = read_entity(b->op, def->type, id, &old);

	if (r == 0)
		r = write_index_remove(b->op, def, old);
	if (r == 0 && def->type == ENTITY_CUSTOM_PLUGINS)
		r = plugin_code_remove(b->op, old);
	if (r == 0 && json_object_get(b->wanted, id) == NULL)
		r = op_store(b->op, store_remove(b->op->txn, def->kind, id));
	json_decref(old);
	return r;
}

/* Out of every index, so that names may move between entities; children first. */
static int unhook_all(struct bring *b)
{
	struct store_entity e;
	int r = STORE_E_NONE;

	for (int i = ENTITY_COUNT - 1; i >= 0; i--) {
		const struct entity_def *def = entity_def((enum entity_type)i);
		char at[UUID_TEXT_BYTES] = "";

		while ((r = store_next(b->op->txn, def->kind, at, &e)) == 0) {
			memcpy(at, e.id, sizeof(at));
			r = unhook_one(b, def, at);
			if (r != 0)
				return r;
		}
		if (r < 0)
			return op_store(b->op, r);
	}
	return 0;
}

/* ---- what shall be there ---- */

/* Times that say when, not what: an entity that is otherwise the same keeps its own. */
static void keep_times(json_t *entity, const json_t *input, const json_t *old)
{
	json_t *updated = json_incref(json_object_get(entity, "updated_at"));

	if (json_object_get(input, "created_at") == NULL)
		json_object_set(entity, "created_at", json_object_get(old, "created_at"));
	/* Given or not: the schema stamps it on every pass. */
	json_object_set(entity, "updated_at", json_object_get(old, "updated_at"));
	if (!json_equal(entity, old))
		json_object_set(entity, "updated_at", updated);
	json_decref(updated);
}

static int process(struct bring *b, const struct declarative_entity *e, json_t **ret)
{
	json_t *errors = NULL, *old = NULL;
	int r = write_input_prepare(b->op, entity_def(e->type), e->input);

	if (r == 0 && e->type == ENTITY_PLUGINS) {
		r = plugin_instance_process(b->op, SCHEMA_INSERT, e->input, NULL, ret);
	} else if (r == 0) {
		*ret = schema_process(b->op->model->schemas[e->type], SCHEMA_INSERT, e->input, NULL,
				&errors);
		if (*ret == NULL) {
			fault_schema(&b->op->fault, errors);
			r = OP_E_REFUSED;
		}
	}
	if (r == 0 && read_entity(b->op, e->type, text_of(*ret, "id"), &old) == 0)
		keep_times(*ret, e->input, old);
	json_decref(old);
	return r;
}

static bool is_consequence(const struct bring *b, const struct declarative_entity *e)
{
	static const char *const fields[] = {"service", "route", "consumer", "consumer_group",
			"upstream", "certificate", "client_certificate"};
	int code = fault_code(&b->op->fault);

	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		const char *id = text_of(json_object_get(e->input, fields[i]), "id");

		if (code == FAULT_FOREIGN_KEY_VIOLATION && json_object_get(b->failed, id) != NULL)
			return true;
	}
	return e->type == ENTITY_PLUGINS &&
	       json_object_get(b->failed, text_of(e->input, "name")) != NULL;
}

static void tell(struct bring *b, struct declarative_entity *e)
{
	const json_t *body = b->op->fault.body, *fields = json_object_get(body, "fields");

	json_object_set_new(b->failed, text_of(e->input, "id"), json_true());
	if (e->type == ENTITY_CUSTOM_PLUGINS)
		json_object_set_new(b->failed, text_of(e->input, "name"), json_true());
	if (is_consequence(b, e))
		return;
	if (fault_code(&b->op->fault) == FAULT_SCHEMA_VIOLATION && json_object_size(fields) != 0)
		declarative_errors_of(b->d, e, fields);
	else
		declarative_error(
				b->d, e, NULL, yaml_json_line(e->lines), text_of(body, "message"));
}

static int bring_one(struct bring *b, struct declarative_entity *e)
{
	json_t *entity = NULL;
	int r;

	if (e->is_failed) {
		json_object_set_new(b->failed, text_of(e->input, "id"), json_true());
		return 0;
	}
	r = process(b, e, &entity);
	if (r == 0)
		r = write_processed(b->op, e->type, NULL, entity);
	if (r == OP_E_REFUSED)
		tell(b, e);
	if (r == OP_E_WAIT)
		b->is_waiting = true;
	fault_done(&b->op->fault);
	json_decref(entity);
	return r < 0 ? r : 0;
}

static void note_wanted(struct bring *b)
{
	for (size_t i = 0; i < b->d->n; i++)
		json_object_set_new(b->wanted, text_of(b->d->v[i].input, "id"), json_true());
}

int loader_bring(struct op *op, struct declarative *d)
{
	struct bring b = {op, d, json_object(), json_object(), false};
	size_t errors = json_array_size(d->errors);
	int r;

	note_wanted(&b);
	r = unhook_all(&b);
	for (enum entity_type t = 0; r == 0 && t < ENTITY_COUNT; t++) {
		/* instances of plugins that are still being checked would fail for that alone */
		if (b.is_waiting && t == ENTITY_PLUGINS)
			break;
		for (size_t i = 0; r == 0 && i < d->n; i++) {
			if (d->v[i].type == t)
				r = bring_one(&b, &d->v[i]);
		}
	}
	json_decref(b.wanted);
	json_decref(b.failed);
	if (r != 0)
		return r;
	if (!b.is_waiting)
		return json_array_size(d->errors) != 0 ? OP_E_REFUSED : 0;
	while (json_array_size(d->errors) > errors) /* the next round tells them again */
		json_array_remove(d->errors, json_array_size(d->errors) - 1);
	return OP_E_WAIT;
}
