/* SPDX-License-Identifier: Apache-2.0
 *
 * The store as a declarative file.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <yaml.h>

#include "base/buf.h"
#include "control/loader.h"

static int append(void *arg, unsigned char *p, size_t n)
{
	struct buf *out = arg;

	buf_add(out, p, n);
	return !out->is_failed;
}

static int add_text(yaml_document_t *doc, const char *text, size_t n, bool is_text)
{
	yaml_scalar_style_t style = !is_text ? YAML_PLAIN_SCALAR_STYLE
				    : memchr(text, '\n', n) != NULL
						    ? YAML_LITERAL_SCALAR_STYLE
						    : YAML_DOUBLE_QUOTED_SCALAR_STYLE;
	union {
		const char *in;
		yaml_char_t *out;
	} u = {.in = text};

	return yaml_document_add_scalar(doc, NULL, u.out, (int)n, style);
}

static int add_value(yaml_document_t *doc, const json_t *v);

static int add_object(yaml_document_t *doc, const json_t *v)
{
	int map = yaml_document_add_mapping(doc, NULL, YAML_BLOCK_MAPPING_STYLE);
	const char *key;
	json_t *member;

	json_object_foreach ((json_t *)(uintptr_t)v, key, member) {
		if (!json_is_null(member))
			yaml_document_append_mapping_pair(doc, map,
					add_text(doc, key, strlen(key), false),
					add_value(doc, member));
	}
	return map;
}

static int add_array(yaml_document_t *doc, const json_t *v)
{
	int list = yaml_document_add_sequence(doc, NULL, YAML_BLOCK_SEQUENCE_STYLE);
	const json_t *item;
	size_t i;

	json_array_foreach (v, i, item)
		yaml_document_append_sequence_item(doc, list, add_value(doc, item));
	return list;
}

static int add_value(yaml_document_t *doc, const json_t *v)
{
	sl_auto_mem char *text = NULL;

	if (json_is_object(v))
		return add_object(doc, v);
	if (json_is_array(v))
		return add_array(doc, v);
	if (json_is_string(v))
		return add_text(doc, json_string_value(v), json_string_length(v), true);
	text = json_dumps(v, JSON_ENCODE_ANY);
	return add_text(doc, text != NULL ? text : "null", text != NULL ? strlen(text) : 4, false);
}

/* {"service":{"id":x}} is written `service: x`. */
static json_t *entity_for_file(const struct entity_def *def, struct str json)
{
	json_t *entity = json_loadb(json.p, json.n, 0, NULL);

	for (const struct entity_foreign *f = def->foreign; f->field != NULL; f++) {
		json_t *id = json_object_get(json_object_get(entity, f->field), "id");

		if (id != NULL)
			json_object_set(entity, f->field, id);
	}
	return entity;
}

static int collect(struct op *op, void *arg)
{
	json_t *root = arg;
	struct store_entity e;
	int r = STORE_E_NONE;

	for (enum entity_type t = 0; t < ENTITY_COUNT; t++) {
		const struct entity_def *def = entity_def(t);
		json_t *list = json_array();
		char at[UUID_TEXT_BYTES] = "";

		while ((r = store_next(op->txn, def->kind, at, &e)) == 0) {
			memcpy(at, e.id, sizeof(at));
			json_array_append_new(list, entity_for_file(def, e.json));
		}
		if (json_array_size(list) != 0)
			json_object_set(root, def->name, list);
		json_decref(list);
	}
	return r == STORE_E_NONE ? 0 : op_store(op, r);
}

static char *emit(const json_t *root)
{
	struct buf out = {0};
	yaml_document_t doc;
	yaml_emitter_t emitter;
	int is_good = 0;

	if (yaml_emitter_initialize(&emitter) == 0)
		return NULL;
	yaml_emitter_set_output(&emitter, append, &out);
	yaml_emitter_set_unicode(&emitter, 1);
	yaml_emitter_set_width(&emitter, -1);
	if (yaml_document_initialize(&doc, NULL, NULL, NULL, 1, 1) != 0) {
		add_value(&doc, root);
		is_good = yaml_emitter_open(&emitter) && yaml_emitter_dump(&emitter, &doc) &&
			  yaml_emitter_close(&emitter);
	}
	yaml_emitter_delete(&emitter);
	if (is_good && buf_z(&out) != NULL)
		return out.p;
	buf_done(&out);
	return NULL;
}

char *loader_export(struct model *model)
{
	json_t *root = json_pack("{s:s, s:b}", "_format_version", "3.0", "_transform", 0);
	struct op op;
	char *text = NULL;

	if (op_read(model, collect, root, &op) == 0)
		text = emit(root);
	op_done(&op);
	json_decref(root);
	return text;
}
