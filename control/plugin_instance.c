/* SPDX-License-Identifier: Apache-2.0 */
#include "control/plugin_instance.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/write.h"
#include "plugin/condition.h"

static struct str name_of(const json_t *entity)
{
	const json_t *v = json_object_get(entity, "name");

	return json_is_string(v) ? (struct str){json_string_value(v), json_string_length(v)}
				 : STR_NONE;
}

/* ---- the schema ---- */

static int check_condition(struct op *op, const json_t *entity)
{
	const json_t *text = json_object_get(entity, "condition");
	sl_auto(condition) c = NULL;
	struct why why = WHY_NONE;

	if (!json_is_string(text))
		return 0;
	if (condition_new(&c, (struct str){json_string_value(text), json_string_length(text)},
			    &why) == 0)
		return 0;
	if (why.line > 0)
		fault_field(&op->fault, "condition", "column %d: %s", why.line, why.text);
	else
		fault_field(&op->fault, "condition", "%s", why.text);
	return OP_E_REFUSED;
}

int plugin_instance_process_with(struct op *op, const struct schema *schema, enum schema_mode mode,
		const json_t *input, const json_t *given, json_t **ret)
{
	json_t *errors = NULL;
	int r;

	*ret = schema_process(schema, mode, input, given, &errors);
	if (*ret == NULL) {
		fault_schema(&op->fault, errors);
		return OP_E_REFUSED;
	}
	r = check_condition(op, *ret);
	if (r != 0) {
		json_decref(*ret);
		*ret = NULL;
	}
	return r;
}

/* Beside "not enabled", says what else is wrong with the fields every plugin has. */
static int refuse_unknown(struct op *op, struct str name, const json_t *input)
{
	json_t *copy = json_copy((json_t *)(uintptr_t)input), *errors = NULL, *entity;

	json_object_del(copy, "config");
	entity = schema_process(
			op->model->schemas[ENTITY_PLUGINS], SCHEMA_INSERT, copy, NULL, &errors);
	json_decref(entity);
	json_decref(copy);
	if (errors == NULL)
		errors = json_object();
	json_object_del(errors, "config"); /* nobody knows what it should hold */
	if (name.p != NULL)
		json_object_set_new(errors, "name",
				json_sprintf("plugin '%s' not enabled; add it to the 'plugins' "
					     "configuration property",
						name.p));
	fault_schema(&op->fault, errors);
	return OP_E_REFUSED;
}

/* An update that names the plugin may name another one: what its config was is then judged as if it
 * were given. */
static json_t *with_config(const json_t *given, const json_t *input)
{
	json_t *copy = json_copy((json_t *)(uintptr_t)given);
	json_t *config = json_object_get(input, "config");

	if (config != NULL && json_object_get(given, "name") != NULL)
		json_object_set(copy, "config", config);
	return copy;
}

int plugin_instance_process(struct op *op, enum schema_mode mode, const json_t *input,
		const json_t *given, json_t **ret)
{
	const struct plugin_code *code;
	struct str name = name_of(input);
	json_t *judged = NULL;
	int r = plugin_code_find(op, name, &code);

	if (r == OP_E_NONE)
		return refuse_unknown(op, name, input);
	if (r != 0)
		return r;
	if (given != NULL)
		judged = with_config(given, input);
	r = plugin_instance_process_with(op, code->schema, mode, input, judged, ret);
	json_decref(judged);
	return r;
}

const struct schema *plugin_instance_schema(struct op *op, const json_t *entity)
{
	const struct plugin_code *code;

	if (plugin_code_find(op, name_of(entity), &code) != 0)
		return NULL;
	return code->schema;
}

void plugin_instance_show(struct op *op, json_t **entity)
{
	const struct schema *schema = plugin_instance_schema(op, *entity);
	json_t *shown = schema != NULL ? json_deep_copy(*entity) : NULL;

	if (shown == NULL)
		return;
	schema_show_shorthands(schema_form(schema), shown);
	json_decref(*entity);
	*entity = shown;
}

/* ---- against routes ---- */

static bool has_common(const json_t *a, const json_t *b)
{
	const json_t *x, *y;
	size_t i, j;

	json_array_foreach (a, i, x) {
		json_array_foreach (b, j, y) {
			if (json_equal(x, y))
				return true;
		}
	}
	return false;
}

static int has_common_with_route(
		struct op *op, const json_t *protocols, const char *route_id, bool *ret)
{
	json_t *route = NULL;
	int r = read_entity(op, ENTITY_ROUTES, route_id, &route);

	*ret = r == 0 && has_common(protocols, json_object_get(route, "protocols"));
	json_decref(route);
	return r;
}

static int has_common_with_service(
		struct op *op, const json_t *protocols, const char *service_id, bool *ret)
{
	struct store_ref ref = {entity_def(ENTITY_ROUTES)->kind, 0, service_id};
	char at[UUID_TEXT_BYTES] = "";
	int r;

	*ret = true; /* a service without routes takes any plugin */
	while ((r = store_ref_next(op->txn, &ref, at, at)) == 0) {
		r = has_common_with_route(op, protocols, at, ret);
		if (r != 0 || *ret)
			return r;
	}
	return r == STORE_E_NONE ? 0 : op_store(op, r);
}

static bool is_scoped_by(const json_t *entity, const char *field)
{
	return json_is_object(json_object_get(entity, field));
}

int plugin_instance_check(struct op *op, const json_t *entity)
{
	const json_t *protocols = json_object_get(entity, "protocols");
	const char *route =
			json_string_value(json_object_get(json_object_get(entity, "route"), "id"));
	const char *service = json_string_value(
			json_object_get(json_object_get(entity, "service"), "id"));
	bool is_common = true;
	int r = 0;

	if (is_scoped_by(entity, "consumer") && is_scoped_by(entity, "consumer_group")) {
		fault_field(&op->fault, "consumer_group",
				"an instance is scoped by a consumer or by a consumer group, not "
				"by both");
		return OP_E_REFUSED;
	}
	if (route != NULL)
		r = has_common_with_route(op, protocols, route, &is_common);
	else if (service != NULL)
		r = has_common_with_service(op, protocols, service, &is_common);
	if (r != 0 || is_common)
		return r;
	fault_field(&op->fault, "protocols", "%s",
			route != NULL ? "must match the associated route's protocols"
				      : "must match the protocols of at least one route pointing "
					"to this Plugin's service");
	return OP_E_REFUSED;
}

static const char *scope_id(const json_t *entity, const char *field)
{
	const char *id = json_string_value(json_object_get(json_object_get(entity, field), "id"));

	return id != NULL ? id : "";
}

char *plugin_instance_key(const json_t *entity)
{
	const char *group = scope_id(entity, "consumer_group");
	struct str name = name_of(entity);
	char *key;

	/* without a group it is the key of stores that were written before there were any */
	if (asprintf(&key, "%.*s:%s:%s:%s%s%s", STR_ARG(name), scope_id(entity, "route"),
			    scope_id(entity, "service"), scope_id(entity, "consumer"),
			    group[0] != '\0' ? ":" : "", group) < 0)
		return NULL;
	return key;
}
