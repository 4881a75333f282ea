/* SPDX-License-Identifier: Apache-2.0
 *
 * Which consumers are in which groups: from both sides, POST and DELETE of a collection, GET and
 * DELETE of an item.
 */
#include <stdlib.h>
#include <string.h>

#include "control/admin_path.h"
#include "control/write.h"
#include "control/write_index.h"

struct member {
	struct admin_call *call;
	struct admin_target target; /* slices into the call */
	char near[UUID_TEXT_BYTES], far[UUID_TEXT_BYTES];
	int status;
	json_t *result;
};

static bool is_of_group(const struct member *m)
{
	return m->target.other->type == ENTITY_CONSUMER_GROUPS;
}

static int find_near(struct op *op, struct member *m)
{
	return read_id(op, m->target.other->type, m->target.other_key, m->near);
}

/* The membership that the path names. */
static int find_item(struct op *op, struct member *m, char ret[UUID_TEXT_BYTES])
{
	int r = find_near(op, m);

	if (r == 0)
		r = read_id(op, m->target.across->to, m->target.key, m->far);
	if (r != 0)
		return r;
	return is_of_group(m) ? write_index_member(op, m->near, m->far, ret)
			      : write_index_member(op, m->far, m->near, ret);
}

/* ---- POST ---- */

/* {"consumer": …} to a group, {"group": …} to a consumer: an id or a name. */
static int find_far(struct op *op, struct member *m)
{
	const char *field = is_of_group(m) ? "consumer" : "group";
	const json_t *v = json_object_get(m->call->input, field);
	int r;

	if (!json_is_string(v)) {
		fault_field(&op->fault, field,
				v == NULL ? "required field missing" : "expected a string");
		return OP_E_REFUSED;
	}
	r = read_id(op, m->target.across->to,
			(struct str){json_string_value(v), json_string_length(v)}, m->far);
	if (r != OP_E_NONE)
		return r;
	fault_set(&op->fault, FAULT_FOREIGN_KEYS_UNRESOLVED, json_pack("{s:O}", field, v),
			"foreign key unresolved (%s=%s): no such entry in '%s'", field,
			json_string_value(v), entity_def(m->target.across->to)->name);
	return OP_E_REFUSED;
}

/* Both ends as they are. */
static int show_both(struct op *op, struct member *m)
{
	json_t *near = NULL, *far = NULL;
	int r = read_entity(op, m->target.other->type, m->near, &near);

	if (r == 0)
		r = read_entity(op, m->target.across->to, m->far, &far);
	if (r == 0)
		m->result = json_pack("{s:O, s:[O]}", m->target.of->field, near,
				entity_def(m->target.across->to)->name, far);
	json_decref(near);
	json_decref(far);
	return r;
}

static int run_post(struct op *op, void *arg)
{
	struct member *m = arg;
	json_t *input, *made = NULL;
	int r = find_near(op, m);

	if (r == 0)
		r = find_far(op, m);
	if (r != 0)
		return r;
	input = json_pack("{s:{s:s}, s:{s:s}}", m->target.of->field, "id", m->near,
			m->target.across->field, "id", m->far);
	r = write_insert(op, m->target.def->type, input, &made);
	json_decref(input);
	if (r != 0)
		return r;
	json_decref(made);
	m->status = 201;
	return show_both(op, m);
}

/* ---- GET and DELETE ---- */

static int run_get(struct op *op, void *arg)
{
	struct member *m = arg;
	char id[UUID_TEXT_BYTES];
	int r = find_item(op, m, id);

	m->status = 200;
	return r == 0 ? read_entity(op, m->target.across->to, m->far, &m->result) : r;
}

static int delete_all(struct op *op, struct member *m)
{
	const struct entity_def *def = m->target.def;
	struct store_ref ref = {def->kind, (uint8_t)(m->target.of - def->foreign), m->near};
	char at[UUID_TEXT_BYTES] = "";
	int r;

	while ((r = store_ref_next(op->txn, &ref, at, at)) == 0) {
		r = write_delete(op, def->type, at);
		if (r != 0)
			return r;
	}
	return r == STORE_E_NONE ? 0 : op_store(op, r);
}

static int run_delete(struct op *op, void *arg)
{
	struct member *m = arg;
	char id[UUID_TEXT_BYTES];
	int r = m->target.is_item ? find_item(op, m, id) : find_near(op, m);

	m->status = 204;
	if (r == 0)
		r = m->target.is_item ? write_delete(op, m->target.def->type, id)
				      : delete_all(op, m);
	return r == OP_E_NONE ? 0 : r;
}

/* ---- driving ---- */

static void member_done(void *arg, int r, struct op *op)
{
	struct member *m = arg;

	if (r == 0)
		admin_reply(m->call, m->status, sl_steal(m->result));
	else
		admin_refuse(m->call, &op->fault);
	json_decref(m->result);
	free(m);
}

void admin_member_run(struct admin_call *call, const struct admin_target *target)
{
	struct op_request request = {.done = member_done, .what = call->what};
	struct member *m;
	struct op op;
	int r;

	if (call->method != ADMIN_GET && model_is_read_only(call->parts->model)) {
		admin_crud_refuse_read_only(call, target->def);
		return;
	}
	m = calloc(1, sizeof(*m));
	if (m == NULL) {
		admin_message(call, 503, "out of memory");
		return;
	}
	m->call = call;
	m->target = *target;
	request.arg = m;
	if (call->method != ADMIN_GET) {
		request.run = call->method == ADMIN_POST ? run_post : run_delete;
		op_start(call->parts->runner, &request);
		return;
	}
	r = op_read(call->parts->model, run_get, m, &op);
	member_done(m, r, &op);
	op_done(&op);
}
