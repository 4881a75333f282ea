/* SPDX-License-Identifier: Apache-2.0 */
#include "control/declarative_link.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "base/buf.h"
#include "base/hex.h"

/* ---- ids ---- */

void declarative_id(const char *entity, const char *key, char ret[37])
{
	static const uint8_t space[16] = {0xfd, 0x02, 0x80, 0x1f, 0x09, 0x57, 0x4a, 0x15, 0xa5,
			0x5a, 0xc8, 0xd9, 0x60, 0x6f, 0x30, 0xb5};
	uint8_t sha[EVP_MAX_MD_SIZE];
	sl_auto_buf name = {0};
	char hex[33];

	buf_add(&name, space, sizeof(space));
	buf_printf(&name, "%s:%s", entity, key);
	EVP_Digest(name.p, name.n, sha, NULL, EVP_sha1(), NULL);
	sha[6] = (uint8_t)((sha[6] & 0x0f) | 0x50);
	sha[8] = (uint8_t)((sha[8] & 0x3f) | 0x80);
	hex_encode(sha, 16, hex);
	snprintf(ret, UUID_TEXT_BYTES, "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12,
			hex + 16, hex + 20);
}

/* What the reference says, before it is resolved: an id, a name, or "". */
static const char *reference_text(const json_t *value, const char *key)
{
	const char *text = json_string_value(value);

	if (text == NULL)
		text = json_string_value(json_object_get(value, "id"));
	if (text == NULL)
		text = json_string_value(json_object_get(value, key));
	return text != NULL ? text : "";
}

void declarative_link_id(struct declarative *d, struct declarative_entity *e, size_t position)
{
	const struct entity_def *def = entity_def(e->type);
	const char *own = json_string_value(json_object_get(e->input, def->endpoint_key));
	const char *name = json_string_value(json_object_get(e->input, "name"));
	const char *kid = json_string_value(json_object_get(e->input, "kid"));
	const char *cert = json_string_value(json_object_get(e->input, "cert"));
	sl_auto_buf key = {0};
	char id[UUID_TEXT_BYTES];

	(void)d;
	if (json_object_get(e->input, "id") != NULL)
		return;
	if (own != NULL && e->type == ENTITY_TARGETS) { /* unique within its upstream only */
		buf_printf(&key, "%s:%s",
				reference_text(json_object_get(e->input, "upstream"), "name"), own);
	} else if (own != NULL) {
		buf_add_str(&key, str_of(own));
	} else if (cert != NULL) {
		buf_add_str(&key, str_of(cert));
	} else {
		name = name != NULL ? name : kid;
		buf_printf(&key, "%s", name != NULL ? name : "");
		for (const struct entity_foreign *f = def->foreign; f->field != NULL; f++)
			buf_printf(&key, ":%s",
					reference_text(json_object_get(e->input, f->field),
							entity_def(f->to)->endpoint_key));
		/* a membership is what it joins, wherever it stands */
		if (name == NULL && e->type != ENTITY_CONSUMER_GROUP_CONSUMERS)
			buf_printf(&key, "#%zu", position);
	}
	declarative_id(def->name, buf_z(&key), id);
	json_object_set_new(e->input, "id", json_string(id));
}

/* ---- references and uniqueness ---- */

struct names {
	json_t *ids[ENTITY_COUNT];                     /* id → index */
	json_t *keys[ENTITY_COUNT][ENTITY_FIELDS_MAX]; /* unique value → id */
};

static void already(struct declarative *d, struct declarative_entity *e, const char *field,
		const char *value)
{
	json_t *message = json_sprintf(
			"uniqueness violation: '%s' entity with %s set to '%s' already declared",
			entity_def(e->type)->name, field, value);

	e->is_failed = true;
	declarative_error(d, e, field, yaml_json_line(yaml_json_member(e->lines, field)),
			json_string_value(message));
	json_decref(message);
}

static void take_names(struct declarative *d, struct names *names, struct declarative_entity *e)
{
	const struct entity_def *def = entity_def(e->type);
	const char *id = json_string_value(json_object_get(e->input, "id"));

	if (id == NULL)
		return;
	if (json_object_get(names->ids[e->type], id) != NULL)
		already(d, e, "id", id);
	json_object_set_new(names->ids[e->type], id, json_integer(e - d->v));
	for (unsigned i = 0; def->unique[i] != NULL; i++) {
		const char *value = json_string_value(json_object_get(e->input, def->unique[i]));

		if (value == NULL)
			continue;
		if (json_object_get(names->keys[e->type][i], value) != NULL)
			already(d, e, def->unique[i], value);
		json_object_set_new(names->keys[e->type][i], value, json_string(id));
	}
}

static void resolve(struct declarative *d, const struct names *names, struct declarative_entity *e,
		const struct entity_foreign *f)
{
	const struct entity_def *to = entity_def(f->to);
	json_t *value = json_object_get(e->input, f->field), *message;
	const char *text = reference_text(value, to->endpoint_key);
	const char *id = NULL;

	if (value == NULL || json_is_null(value))
		return;
	if (json_object_get(names->ids[f->to], text) != NULL)
		id = text;
	else
		id = json_string_value(json_object_get(names->keys[f->to][0], text));
	if (id != NULL) {
		json_object_set_new(e->input, f->field, json_pack("{s:s}", "id", id));
		return;
	}
	e->is_failed = true;
	message = json_sprintf("invalid reference '%s: %s' (no such entry in '%s')", f->field, text,
			to->name);
	declarative_error(d, e, f->field, yaml_json_line(yaml_json_member(e->lines, f->field)),
			json_string_value(message));
	json_decref(message);
}

static void resolve_all(struct declarative *d, const struct names *names)
{
	for (size_t i = 0; i < d->n; i++) {
		const struct entity_def *def = entity_def(d->v[i].type);

		for (const struct entity_foreign *f = def->foreign; f->field != NULL; f++)
			resolve(d, names, &d->v[i], f);
	}
}

int declarative_link(struct declarative *d)
{
	struct names names;

	for (enum entity_type t = 0; t < ENTITY_COUNT; t++) {
		names.ids[t] = json_object();
		for (unsigned i = 0; i < ENTITY_FIELDS_MAX; i++)
			names.keys[t][i] = json_object();
	}
	for (size_t i = 0; i < d->n; i++)
		take_names(d, &names, &d->v[i]);
	resolve_all(d, &names);
	for (enum entity_type t = 0; t < ENTITY_COUNT; t++) {
		json_decref(names.ids[t]);
		for (unsigned i = 0; i < ENTITY_FIELDS_MAX; i++)
			json_decref(names.keys[t][i]);
	}
	return 0;
}
