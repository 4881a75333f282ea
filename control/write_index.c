/* SPDX-License-Identifier: Apache-2.0 */
#include "control/write_index.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "control/certificate.h"
#include "control/key.h"
#include "control/plugin_instance.h"
#include "control/upstream.h"

#define PLUGIN_KEY_FIELD 8 /* number of the combined unique key of plugins */
#define KEY_FIELD 8        /* ... and of keys: set and kid */
#define MEMBER_FIELD 8     /* ... and of memberships: group and consumer */

static struct str value_str(const json_t *v)
{
	return json_is_string(v) ? (struct str){json_string_value(v), json_string_length(v)}
				 : STR_NONE;
}

static const char *entity_id(const json_t *entity)
{
	return json_string_value(json_object_get(entity, "id"));
}

static const char *foreign_id(const json_t *entity, const char *field)
{
	return json_string_value(json_object_get(json_object_get(entity, field), "id"));
}

/* ---- checks ---- */

static int check_foreign(struct op *op, const struct entity_foreign *f, const json_t *entity)
{
	const struct entity_def *to = entity_def(f->to);
	const char *id = foreign_id(entity, f->field);
	struct store_entity there;
	int r;

	if (id == NULL)
		return 0;
	r = store_get(op->txn, to->kind, id, &there);
	if (r != STORE_E_NONE)
		return op_store(op, r);
	fault_set(&op->fault, FAULT_FOREIGN_KEY_VIOLATION,
			json_pack("{s:{s:s}}", f->field, "id", id),
			"the foreign key '{id=\"%s\"}' does not reference an existing '%s' entity.",
			id, to->name);
	return OP_E_REFUSED;
}

static int check_unique(
		struct op *op, const struct entity_def *def, uint8_t field, const json_t *entity)
{
	const json_t *value = json_object_get(entity, def->unique[field]);
	struct str text = value_str(value);
	char id[UUID_TEXT_BYTES];
	int r;

	if (text.p == NULL)
		return 0;
	r = store_unique_get(op->txn, def->kind, field, text, id);
	if (r != 0)
		return r == STORE_E_NONE ? 0 : op_store(op, r);
	if (strcmp(id, entity_id(entity)) == 0)
		return 0;
	fault_set(&op->fault, FAULT_UNIQUE_VIOLATION, json_pack("{s:O}", def->unique[field], value),
			"UNIQUE violation detected on '{%s=\"%s\"}'", def->unique[field], text.p);
	return OP_E_REFUSED;
}

static void add_foreign_text(struct buf *text, const json_t *entity, const char *field)
{
	const char *id = foreign_id(entity, field);

	if (id != NULL)
		buf_printf(text, "%s={id=\"%s\"}", field, id);
	else
		buf_printf(text, "%s=null", field);
}

static int refuse_plugin_twice(struct op *op, const json_t *entity)
{
	sl_auto_buf text = {0};
	json_t *fields = json_object();

	for (const char *const *f = (const char *const[]){"consumer", "consumer_group", "name",
			     "route", "service", NULL};
			*f != NULL; f++) {
		json_t *v = json_object_get(entity, *f);

		if (strcmp(*f, "consumer_group") == 0 && !json_is_object(v))
			continue;
		json_object_set(fields, *f, v != NULL ? v : json_null());
	}
	add_foreign_text(&text, entity, "consumer");
	if (foreign_id(entity, "consumer_group") != NULL) {
		buf_add_str(&text, STR(","));
		add_foreign_text(&text, entity, "consumer_group");
	}
	buf_printf(&text, ",name=\"%s\",", json_string_value(json_object_get(entity, "name")));
	add_foreign_text(&text, entity, "route");
	buf_add_str(&text, STR(","));
	add_foreign_text(&text, entity, "service");
	fault_set(&op->fault, FAULT_UNIQUE_VIOLATION, fields, "UNIQUE violation detected on '{%s}'",
			buf_z(&text));
	return OP_E_REFUSED;
}

static int check_plugin_key(struct op *op, const struct entity_def *def, const json_t *entity)
{
	sl_auto_mem char *key = plugin_instance_key(entity);
	char id[UUID_TEXT_BYTES];
	int r;

	if (key == NULL)
		return op_store(op, -ENOMEM);
	r = store_unique_get(op->txn, def->kind, PLUGIN_KEY_FIELD, str_of(key), id);
	if (r != 0)
		return r == STORE_E_NONE ? 0 : op_store(op, r);
	return strcmp(id, entity_id(entity)) == 0 ? 0 : refuse_plugin_twice(op, entity);
}

static char *target_key(const json_t *entity)
{
	return upstream_target_key(foreign_id(entity, "upstream"),
			json_string_value(json_object_get(entity, "target")));
}

static int check_target_key(struct op *op, const struct entity_def *def, const json_t *entity)
{
	const json_t *target = json_object_get(entity, "target");
	sl_auto_mem char *key = target_key(entity);
	char id[UUID_TEXT_BYTES];
	int r;

	if (key == NULL)
		return op_store(op, -ENOMEM);
	r = store_unique_get(op->txn, def->kind, 0, str_of(key), id);
	if (r != 0)
		return r == STORE_E_NONE ? 0 : op_store(op, r);
	if (strcmp(id, entity_id(entity)) == 0)
		return 0;
	fault_set(&op->fault, FAULT_UNIQUE_VIOLATION,
			json_pack("{s:O, s:O}", "target", target, "upstream",
					json_object_get(entity, "upstream")),
			"UNIQUE violation detected on '{target=\"%s\",upstream={id=\"%s\"}}'",
			json_string_value(target), foreign_id(entity, "upstream"));
	return OP_E_REFUSED;
}

static int check_key(struct op *op, const struct entity_def *def, const json_t *entity)
{
	const json_t *kid = json_object_get(entity, "kid"), *set = json_object_get(entity, "set");
	sl_auto_mem char *key = key_unique_text(entity);
	sl_auto_buf text = {0};
	char id[UUID_TEXT_BYTES];
	int r;

	if (key == NULL)
		return op_store(op, -ENOMEM);
	r = store_unique_get(op->txn, def->kind, KEY_FIELD, str_of(key), id);
	if (r != 0)
		return r == STORE_E_NONE ? 0 : op_store(op, r);
	if (strcmp(id, entity_id(entity)) == 0)
		return 0;
	add_foreign_text(&text, entity, "set");
	fault_set(&op->fault, FAULT_UNIQUE_VIOLATION,
			json_pack("{s:O, s:O?}", "kid", kid, "set", set),
			"UNIQUE violation detected on '{kid=\"%s\",%s}'", json_string_value(kid),
			buf_z(&text));
	return OP_E_REFUSED;
}

int write_index_member(
		struct op *op, const char *group, const char *consumer, char ret[UUID_TEXT_BYTES])
{
	char key[2 * UUID_TEXT_BYTES];
	int r;

	snprintf(key, sizeof(key), "%s:%s", group, consumer);
	r = store_unique_get(op->txn, entity_def(ENTITY_CONSUMER_GROUP_CONSUMERS)->kind,
			MEMBER_FIELD, str_of(key), ret);
	return r == STORE_E_NONE ? OP_E_NONE : op_store(op, r);
}

static int check_member(struct op *op, const struct entity_def *def, const json_t *entity)
{
	const char *group = foreign_id(entity, "consumer_group");
	const char *consumer = foreign_id(entity, "consumer");
	char id[UUID_TEXT_BYTES];
	int r = write_index_member(op, group, consumer, id);

	(void)def;
	if (r != 0)
		return r == OP_E_NONE ? 0 : r;
	if (strcmp(id, entity_id(entity)) == 0)
		return 0;
	fault_set(&op->fault, FAULT_UNIQUE_VIOLATION,
			json_pack("{s:O, s:O}", "consumer", json_object_get(entity, "consumer"),
					"consumer_group",
					json_object_get(entity, "consumer_group")),
			"UNIQUE violation detected on "
			"'{consumer={id=\"%s\"},consumer_group={id=\"%s\"}}'",
			consumer, group);
	return OP_E_REFUSED;
}

int write_index_check(struct op *op, const struct entity_def *def, const json_t *old,
		const json_t *entity)
{
	int r = 0;

	(void)old;
	for (const struct entity_foreign *f = def->foreign; r == 0 && f->field != NULL; f++)
		r = check_foreign(op, f, entity);
	for (uint8_t i = 0; r == 0 && def->unique[i] != NULL; i++)
		r = check_unique(op, def, i, entity);
	if (r == 0 && def->type == ENTITY_PLUGINS)
		r = check_plugin_key(op, def, entity);
	if (r == 0 && def->type == ENTITY_TARGETS)
		r = check_target_key(op, def, entity);
	if (r == 0 && def->type == ENTITY_KEYS)
		r = check_key(op, def, entity);
	if (r == 0 && def->type == ENTITY_CONSUMER_GROUP_CONSUMERS)
		r = check_member(op, def, entity);
	return r;
}

/* ---- writing ---- */

/* One pair of functions for both directions, so that what was put is what is removed. */
struct index_verbs {
	int (*unique)(struct store_txn *t, uint8_t kind, uint8_t field, struct str value,
			const char *id);
	int (*ref)(struct store_txn *t, const struct store_ref *ref, const char *child);
	int (*tag)(struct store_txn *t, struct str tag, uint8_t kind, const char *id);
};

static int unique_remove(
		struct store_txn *t, uint8_t kind, uint8_t field, struct str value, const char *id)
{
	(void)id;
	return store_unique_remove(t, kind, field, value);
}

static const struct index_verbs verbs_put = {store_unique_put, store_ref_put, store_tag_put};
static const struct index_verbs verbs_remove = {unique_remove, store_ref_remove, store_tag_remove};

static int apply_plugin(struct op *op, const struct index_verbs *verbs,
		const struct entity_def *def, const json_t *entity)
{
	const struct plugin_code *code;
	sl_auto_mem char *key = plugin_instance_key(entity);
	int r;

	if (key == NULL)
		return -ENOMEM;
	r = verbs->unique(op->txn, def->kind, PLUGIN_KEY_FIELD, str_of(key), entity_id(entity));
	if (r != 0)
		return r;
	r = plugin_code_find(op, value_str(json_object_get(entity, "name")), &code);
	if (r != 0)
		return r == OP_E_NONE ? 0 : r;
	return verbs->ref(op->txn, &(struct store_ref){def->kind, PLUGIN_CODE_REF_FIELD, code->id},
			entity_id(entity));
}

static int apply_target(struct op *op, const struct index_verbs *verbs,
		const struct entity_def *def, const json_t *entity)
{
	sl_auto_mem char *key = target_key(entity);

	if (key == NULL)
		return -ENOMEM;
	return verbs->unique(op->txn, def->kind, 0, str_of(key), entity_id(entity));
}

static int apply_key(struct op *op, const struct index_verbs *verbs, const struct entity_def *def,
		const json_t *entity)
{
	sl_auto_mem char *key = key_unique_text(entity);

	if (key == NULL)
		return -ENOMEM;
	return verbs->unique(op->txn, def->kind, KEY_FIELD, str_of(key), entity_id(entity));
}

static int apply_member(struct op *op, const struct index_verbs *verbs,
		const struct entity_def *def, const json_t *entity)
{
	char key[2 * UUID_TEXT_BYTES];

	snprintf(key, sizeof(key), "%s:%s", foreign_id(entity, "consumer_group"),
			foreign_id(entity, "consumer"));
	return verbs->unique(op->txn, def->kind, MEMBER_FIELD, str_of(key), entity_id(entity));
}

static int apply_authorities(struct op *op, const struct index_verbs *verbs,
		const struct entity_def *def, const json_t *entity)
{
	const json_t *ca;
	int r = 0;
	size_t i;

	json_array_foreach (json_object_get(entity, "ca_certificates"), i, ca) {
		struct store_ref ref = {def->kind, CERTIFICATE_CA_REF_FIELD, json_string_value(ca)};

		if (r == 0)
			r = verbs->ref(op->txn, &ref, entity_id(entity));
	}
	return r;
}

static int apply(struct op *op, const struct index_verbs *verbs, const struct entity_def *def,
		const json_t *entity)
{
	const char *id = entity_id(entity);
	const json_t *tag;
	int r = 0;
	size_t at;

	for (uint8_t i = 0; r == 0 && def->unique[i] != NULL; i++) {
		struct str value = value_str(json_object_get(entity, def->unique[i]));

		if (value.p != NULL)
			r = verbs->unique(op->txn, def->kind, i, value, id);
	}
	for (uint8_t i = 0; r == 0 && def->foreign[i].field != NULL; i++) {
		const char *parent = foreign_id(entity, def->foreign[i].field);

		if (parent != NULL)
			r = verbs->ref(op->txn, &(struct store_ref){def->kind, i, parent}, id);
	}
	json_array_foreach (json_object_get(entity, "tags"), at, tag) {
		if (r == 0)
			r = verbs->tag(op->txn, value_str(tag), def->kind, id);
	}
	if (r == 0 && def->type == ENTITY_PLUGINS)
		r = apply_plugin(op, verbs, def, entity);
	if (r == 0 && def->type == ENTITY_SERVICES)
		r = apply_authorities(op, verbs, def, entity);
	if (r == 0 && def->type == ENTITY_TARGETS)
		r = apply_target(op, verbs, def, entity);
	if (r == 0 && def->type == ENTITY_KEYS)
		r = apply_key(op, verbs, def, entity);
	if (r == 0 && def->type == ENTITY_CONSUMER_GROUP_CONSUMERS)
		r = apply_member(op, verbs, def, entity);
	return r < 0 ? op_store(op, r) : r;
}

int write_index_put(struct op *op, const struct entity_def *def, const json_t *entity)
{
	return apply(op, &verbs_put, def, entity);
}

int write_index_remove(struct op *op, const struct entity_def *def, const json_t *entity)
{
	return apply(op, &verbs_remove, def, entity);
}
