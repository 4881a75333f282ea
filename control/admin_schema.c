/* SPDX-License-Identifier: Apache-2.0
 *
 * /schemas: the JSON forms, and validation without storing.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "control/admin_path.h"
#include "control/plugin_code.h"
#include "control/plugin_instance.h"
#include "control/plugin_source.h"
#include "control/write.h"
#include "control/write_input.h"

/* ---- showing ---- */

/* What is only for our own validation stays inside. */
static json_t *shown_form(const json_t *form)
{
	json_t *shown = json_object();
	static const char *const keys[] = {"fields", "entity_checks", "shorthand_fields"};

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		json_t *v = json_object_get(form, keys[i]);

		if (v != NULL)
			json_object_set(shown, keys[i], v);
	}
	return shown;
}

static const struct entity_def *entity_of(const struct admin_call *call)
{
	const struct entity_def *def = entity_by_name(call->seg[1]);

	return def != NULL ? def : entity_by_path(call->seg[1]);
}

static void no_entity(struct admin_call *call)
{
	admin_reply(call, 404,
			json_pack("{s:o}", "message",
					json_sprintf("No entity named '%.200s'", call->seg[1].p)));
}

void admin_schema_entity(struct admin_call *call)
{
	const struct entity_def *def = entity_of(call);
	json_t *form;

	if (def == NULL) {
		no_entity(call);
		return;
	}
	form = entity_form(def);
	admin_reply(call, 200, shown_form(form));
	json_decref(form);
}

struct plugin_form {
	struct str name;
	json_t *shown;
};

static int find_form(struct op *op, void *arg)
{
	struct plugin_form *form = arg;
	const struct plugin_code *code;
	int r = plugin_code_find(op, form->name, &code);

	if (r == 0)
		form->shown = shown_form(code->form);
	return r;
}

void admin_schema_plugin(struct admin_call *call)
{
	struct plugin_form form = {.name = call->seg[2]};
	struct op op;
	int r = op_read(call->parts->model, find_form, &form, &op);

	if (r == OP_E_NONE)
		admin_reply(call, 404,
				json_pack("{s:o}", "message",
						json_sprintf("No plugin named '%.200s'",
								form.name.p)));
	else if (r != 0)
		admin_refuse(call, &op.fault);
	else
		admin_reply(call, 200, form.shown);
	op_done(&op);
}

/* ---- validating ---- */

struct validation {
	struct admin_call *call;
	const struct entity_def *def;
};

static int coerce(struct op *op, const struct validation *v, json_t **input)
{
	const struct schema *schema = op->model->schemas[v->def->type];
	const json_t *name = json_object_get(*input, "name");
	const struct plugin_code *code;
	json_t *plain = *input;
	int r = OP_E_NONE;

	if (!v->call->is_form)
		return 0;
	if (v->def->type == ENTITY_PLUGINS && json_is_string(name))
		r = plugin_code_find(op,
				(struct str){json_string_value(name), json_string_length(name)},
				&code);
	if (r < 0)
		return r;
	*input = schema_coerce(r == 0 ? code->schema : schema, plain);
	json_decref(plain);
	return 0;
}

static int process(struct op *op, const struct validation *v, const json_t *input)
{
	const json_t *verdict;
	json_t *entity = NULL, *errors = NULL;
	int r = 0;

	if (v->def->type == ENTITY_PLUGINS) {
		r = plugin_instance_process(op, SCHEMA_INSERT, input, NULL, &entity);
	} else {
		entity = schema_process(op->model->schemas[v->def->type], SCHEMA_INSERT, input,
				NULL, &errors);
		if (entity == NULL) {
			fault_schema(&op->fault, errors);
			r = OP_E_REFUSED;
		}
	}
	if (r == 0 && v->def->type == ENTITY_CUSTOM_PLUGINS)
		r = plugin_source_check(op, entity, &verdict);
	json_decref(entity);
	return r;
}

static int validate(struct op *op, void *arg)
{
	const struct validation *v = arg;
	json_t *input = v->call->input != NULL ? json_deep_copy(v->call->input) : json_object();
	int r = coerce(op, v, &input);

	if (r == 0)
		r = write_input_prepare(op, v->def, input);
	if (r == 0)
		r = process(op, v, input);
	json_decref(input);
	return r;
}

static void validate_done(void *arg, int r, struct op *op)
{
	struct validation *v = arg;

	if (r == 0)
		admin_message(v->call, 200, "schema validation successful");
	else
		admin_refuse(v->call, &op->fault);
	free(v);
}

static void validate_entity(struct admin_call *call, const struct entity_def *def)
{
	struct validation *v = calloc(1, sizeof(*v));

	if (v == NULL) {
		admin_message(call, 503, "out of memory");
		return;
	}
	v->call = call;
	v->def = def;
	op_start(call->parts->runner, &(struct op_request){.run = validate,
						      .done = validate_done,
						      .arg = v,
						      .what = call->what});
}

void admin_schema_validate(struct admin_call *call)
{
	const struct entity_def *def = entity_of(call);

	if (def == NULL)
		no_entity(call);
	else
		validate_entity(call, def);
}

void admin_schema_validate_plugin(struct admin_call *call)
{
	validate_entity(call, entity_def(ENTITY_PLUGINS));
}
