/* SPDX-License-Identifier: Apache-2.0
 *
 * POST a collection; GET, PUT, PATCH, DELETE an item; nested ones too.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "control/admin_path.h"
#include "control/certificate.h"
#include "control/plugin_code.h"
#include "control/plugin_instance.h"
#include "control/upstream.h"
#include "control/write.h"

struct crud {
	struct admin_call *call;
	struct admin_target target; /* slices into the call */
	int status;
	json_t *result;
};

/* ---- finding what the path names ---- */

static const char *foreign_id(const json_t *entity, const char *field)
{
	return json_string_value(json_object_get(json_object_get(entity, field), "id"));
}

/* The id behind /routes/{child}/service. */
static int find_through(struct op *op, const struct admin_target *t, char ret[UUID_TEXT_BYTES])
{
	char child[UUID_TEXT_BYTES];
	json_t *entity = NULL;
	const char *id;
	int r = read_id(op, t->other->type, t->other_key, child);

	if (r == 0)
		r = read_entity(op, t->other->type, child, &entity);
	if (r != 0)
		return r;
	id = foreign_id(entity, t->through->field);
	if (id != NULL)
		snprintf(ret, UUID_TEXT_BYTES, "%s", id);
	json_decref(entity);
	return id != NULL ? 0 : OP_E_NONE;
}

/* An item below a parent must be the parent's. */
static int check_belongs(struct op *op, const struct admin_target *t, const char *id)
{
	char parent[UUID_TEXT_BYTES];
	json_t *entity = NULL;
	const char *is;
	int r = read_id(op, t->other->type, t->other_key, parent);

	if (r == 0)
		r = read_entity(op, t->def->type, id, &entity);
	if (r != 0)
		return r;
	is = foreign_id(entity, t->of->field);
	r = is != NULL && strcmp(is, parent) == 0 ? 0 : OP_E_NONE;
	json_decref(entity);
	return r;
}

/* A target's text is its own within its upstream only. */
static int item_id(struct op *op, const struct admin_target *t, char ret[UUID_TEXT_BYTES])
{
	char parent[UUID_TEXT_BYTES];
	int r;

	if (t->def->type != ENTITY_TARGETS || t->of == NULL || uuid_is_valid(t->key))
		return read_id(op, t->def->type, t->key, ret);
	r = read_id(op, t->other->type, t->other_key, parent);
	return r == 0 ? upstream_target_id(op, parent, t->key, ret) : r;
}

static int find_item(struct op *op, const struct admin_target *t, char ret[UUID_TEXT_BYTES])
{
	int r;

	if (t->through != NULL)
		return find_through(op, t, ret);
	r = item_id(op, t, ret);
	return r == 0 && t->of != NULL ? check_belongs(op, t, ret) : r;
}

/* ---- the body ---- */

/* The schema whose types a form body's strings get. */
static int form_schema(
		struct op *op, const struct crud *c, const char *id, const struct schema **ret)
{
	const json_t *name = json_object_get(c->call->input, "name");
	const struct plugin_code *code;
	json_t *old = NULL;
	int r;

	*ret = op->model->schemas[c->target.def->type];
	if (c->target.def->type != ENTITY_PLUGINS)
		return 0;
	if (!json_is_string(name) && id != NULL && read_entity(op, ENTITY_PLUGINS, id, &old) == 0)
		name = json_object_get(old, "name");
	r = plugin_code_find(
			op, (struct str){json_string_value(name), json_string_length(name)}, &code);
	json_decref(old);
	if (r == 0)
		*ret = code->schema;
	return r == OP_E_NONE ? 0 : r;
}

/* New reference: the input with types, and the parent of a nested path in its place. */
static int make_input(struct op *op, const struct crud *c, const char *id, json_t **ret)
{
	const struct admin_target *t = &c->target;
	const struct schema *schema;
	char parent[UUID_TEXT_BYTES];
	json_t *input = c->call->input != NULL ? json_deep_copy(c->call->input) : json_object();
	int r = 0;

	if (c->call->is_form) {
		json_t *plain = input;

		r = form_schema(op, c, id, &schema);
		if (r == 0)
			input = schema_coerce(schema, plain);
		json_decref(plain);
	}
	if (r == 0 && t->of != NULL) {
		r = read_id(op, t->other->type, t->other_key, parent);
		if (r == 0)
			json_object_set_new(input, t->of->field, json_pack("{s:s}", "id", parent));
	}
	if (r != 0) {
		json_decref(input);
		return r;
	}
	*ret = input;
	return 0;
}

/* ---- the verbs ---- */

static int show(struct op *op, struct crud *c, int r)
{
	if (r == 0 && c->target.def->type == ENTITY_PLUGINS)
		plugin_instance_show(op, &c->result);
	return r;
}

static int run_post(struct op *op, void *arg)
{
	struct crud *c = arg;
	json_t *input;
	int r = make_input(op, c, NULL, &input);

	if (r != 0)
		return r;
	r = write_insert(op, c->target.def->type, input, &c->result);
	json_decref(input);
	c->status = 201;
	return show(op, c, r);
}

static int run_get(struct op *op, void *arg)
{
	struct crud *c = arg;
	char id[UUID_TEXT_BYTES];
	int r = find_item(op, &c->target, id);

	c->status = 200;
	if (r == 0)
		r = read_entity(op, c->target.def->type, id, &c->result);
	if (r == 0)
		r = certificate_show(op, c->target.def->type, c->result);
	return show(op, c, r);
}

static int run_put(struct op *op, void *arg)
{
	struct crud *c = arg;
	const struct admin_target *t = &c->target;
	char id[UUID_TEXT_BYTES] = "";
	json_t *input;
	int r = t->through != NULL ? find_through(op, t, id) : item_id(op, t, id);

	if (r == OP_E_NONE && t->through == NULL &&
			(uuid_is_valid(t->key) || t->def->endpoint_key[0] != '\0')) {
		if (uuid_is_valid(t->key)) {
			for (size_t i = 0; i < sizeof(id) - 1; i++)
				id[i] = ascii_lower(t->key.p[i]);
			id[sizeof(id) - 1] = '\0';
		} else {
			uuid_make(id);
		}
		r = 0;
	}
	if (r == 0)
		r = make_input(op, c, id, &input);
	if (r != 0)
		return r;
	if (t->through == NULL && !uuid_is_valid(t->key) && t->def->endpoint_key[0] != '\0')
		json_object_set_new(input, t->def->endpoint_key, json_stringn(t->key.p, t->key.n));
	r = write_upsert(op, t->def->type, id, input, &c->result);
	json_decref(input);
	c->status = 200;
	return show(op, c, r);
}

static int run_patch(struct op *op, void *arg)
{
	struct crud *c = arg;
	char id[UUID_TEXT_BYTES];
	json_t *input;
	int r = find_item(op, &c->target, id);

	if (r == 0)
		r = make_input(op, c, id, &input);
	if (r != 0)
		return r;
	r = write_update(op, c->target.def->type, id, input, &c->result);
	json_decref(input);
	c->status = 200;
	return show(op, c, r);
}

static int run_delete(struct op *op, void *arg)
{
	struct crud *c = arg;
	char id[UUID_TEXT_BYTES];
	int r = find_item(op, &c->target, id);

	if (r == 0)
		r = write_delete(op, c->target.def->type, id);
	c->status = 204;
	return r == OP_E_NONE ? 0 : r;
}

/* ---- driving ---- */

static void crud_free(void *arg)
{
	struct crud *c = arg;

	json_decref(c->result);
	free(c);
}

static void crud_forget(void *arg)
{
	struct crud *c = arg;

	admin_message(c->call, 503, "sluice-control is stopping");
	crud_free(c);
}

static void crud_done(void *arg, int r, struct op *op)
{
	struct crud *c = arg;

	if (r == 0)
		admin_reply(c->call, c->status, sl_steal(c->result));
	else
		admin_refuse(c->call, &op->fault);
	crud_free(c);
}

void admin_crud_refuse_read_only(struct admin_call *call, const struct entity_def *def)
{
	static const char *const verbs[] = {[ADMIN_POST] = "create",
			[ADMIN_PUT] = "create or update",
			[ADMIN_PATCH] = "update",
			[ADMIN_DELETE] = "remove"};
	struct fault fault = {0};

	fault_set(&fault, FAULT_OPERATION_UNSUPPORTED, NULL,
			"cannot %s '%s' entities when not using a database", verbs[call->method],
			def->name);
	admin_refuse(call, &fault);
	fault_done(&fault);
}

void admin_crud_run(struct admin_call *call, const struct admin_target *target)
{
	static op_fn *const runs[] = {[ADMIN_GET] = run_get,
			[ADMIN_POST] = run_post,
			[ADMIN_PUT] = run_put,
			[ADMIN_PATCH] = run_patch,
			[ADMIN_DELETE] = run_delete};
	struct model *m = call->parts->model;
	struct op_request request = {.done = crud_done, .forget = crud_forget, .what = call->what};
	struct op op;
	struct crud *c;
	int r;

	if (call->method != ADMIN_GET && model_is_read_only(m)) {
		admin_crud_refuse_read_only(call, target->def);
		return;
	}
	c = calloc(1, sizeof(*c));
	if (c == NULL) {
		admin_message(call, 503, "out of memory");
		return;
	}
	c->call = call;
	c->target = *target;
	request.run = runs[call->method];
	request.arg = c;
	if (call->method != ADMIN_GET) {
		op_start(call->parts->runner, &request);
		return;
	}
	r = op_read(m, run_get, c, &op);
	crud_done(c, r, &op);
	op_done(&op);
}
