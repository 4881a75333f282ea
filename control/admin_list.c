/* SPDX-License-Identifier: Apache-2.0
 *
 * Collections: pages in id order, filtered by tags.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <event2/http.h>
#include <openssl/evp.h>

#include "base/buf.h"
#include "control/admin_path.h"
#include "control/certificate.h"
#include "control/plugin_instance.h"
#include "control/write.h"

#define SIZE_DEFAULT 100
#define SIZE_MAX_PAGE 1000
#define TAGS_MAX 16

struct list {
	struct admin_call *call;
	const struct admin_target *target;
	size_t size;
	char after[UUID_TEXT_BYTES];
	struct str tags[TAGS_MAX];
	unsigned tags_n;
	bool is_any; /* OR */
	char parent[UUID_TEXT_BYTES];
	json_t *data;
	bool has_more;
};

/* ---- the query ---- */

static bool read_size(struct list *l, struct fault *fault)
{
	const char *text = admin_query(l->call, "size");
	uint64_t n;

	l->size = SIZE_DEFAULT;
	if (text == NULL)
		return true;
	if (!str_to_u64(str_of(text), &n)) {
		fault_set(fault, FAULT_INVALID_SIZE, NULL, "size must be a number");
		return false;
	}
	if (n < 1 || n > SIZE_MAX_PAGE) {
		fault_set(fault, FAULT_INVALID_SIZE, NULL,
				"size must be an integer between 1 and %d", SIZE_MAX_PAGE);
		return false;
	}
	l->size = (size_t)n;
	return true;
}

static bool read_offset(struct list *l, struct fault *fault)
{
	const char *text = admin_query(l->call, "offset");
	unsigned char id[64];
	size_t n = text != NULL ? strlen(text) : 0;

	if (text == NULL)
		return true;
	/* 36 bytes are 48 base64 characters without padding */
	if (n == 48 &&
			EVP_DecodeBlock(id, (const unsigned char *)text, 48) ==
					UUID_TEXT_BYTES - 1 &&
			uuid_is_valid((struct str){(char *)id, UUID_TEXT_BYTES - 1})) {
		memcpy(l->after, id, UUID_TEXT_BYTES - 1);
		l->after[UUID_TEXT_BYTES - 1] = '\0';
		return true;
	}
	fault_set(fault, FAULT_INVALID_OFFSET, NULL,
			"'%.200s' is not a valid offset: bad base64 encoding", text);
	return false;
}

static bool refuse_tags(struct fault *fault, const char *reason)
{
	fault_set(fault, FAULT_INVALID_OPTIONS, json_pack("{s:s}", "tags", reason),
			"invalid option (tags: %s)", reason);
	return false;
}

static bool read_tags(struct list *l, struct fault *fault)
{
	const char *text = admin_query(l->call, "tags");
	struct str rest = str_of(text);
	char sep;

	if (text == NULL)
		return true;
	if (rest.n == 0)
		return refuse_tags(fault, "cannot be null");
	l->is_any = str_find_char(rest, '/') >= 0;
	if (l->is_any && str_find_char(rest, ',') >= 0)
		return refuse_tags(fault, "invalid filter syntax");
	sep = l->is_any ? '/' : ',';
	while (rest.p != NULL) {
		ptrdiff_t at = str_find_char(rest, sep);
		struct str one = at < 0 ? rest : str_head(rest, (size_t)at);

		if (one.n == 0)
			return refuse_tags(fault, "invalid filter syntax");
		if (l->tags_n == TAGS_MAX)
			return refuse_tags(fault, "more than 16 tags");
		l->tags[l->tags_n++] = one;
		rest = at < 0 ? STR_NONE : str_from(rest, (size_t)at + 1);
	}
	return true;
}

/* ---- walking ---- */

static bool has_tag(const json_t *entity, struct str tag)
{
	const json_t *v;
	size_t i;

	json_array_foreach (json_object_get(entity, "tags"), i, v) {
		if (str_eq(tag, (struct str){json_string_value(v), json_string_length(v)}))
			return true;
	}
	return false;
}

static bool passes(const struct list *l, const json_t *entity)
{
	unsigned hits = 0;

	for (unsigned i = 0; i < l->tags_n; i++)
		hits += has_tag(entity, l->tags[i]);
	return l->is_any ? hits != 0 : hits == l->tags_n;
}

/* The lowest id above `after` that may be in the list: by the parent's index, a tag's, or the
 * table itself, whichever is the narrowest at hand. */
static int next_id(
		struct op *op, const struct list *l, const char *after, char ret[UUID_TEXT_BYTES])
{
	const struct entity_def *def = l->target->def;
	char best[UUID_TEXT_BYTES] = "";
	struct store_entity e;
	int r;

	if (l->target->of != NULL) {
		struct store_ref ref = {
				def->kind, (uint8_t)(l->target->of - def->foreign), l->parent};

		return store_ref_next(op->txn, &ref, after, ret);
	}
	if (l->tags_n == 0) {
		r = store_next(op->txn, def->kind, after, &e);
		if (r == 0)
			memcpy(ret, e.id, UUID_TEXT_BYTES);
		return r;
	}
	for (unsigned i = 0; i < (l->is_any ? l->tags_n : 1); i++) {
		char id[UUID_TEXT_BYTES];

		r = store_tag_next(op->txn, l->tags[i], def->kind, after, id);
		if (r < 0)
			return r;
		if (r == 0 && (best[0] == '\0' || strcmp(id, best) < 0))
			memcpy(best, id, sizeof(best));
	}
	memcpy(ret, best, sizeof(best));
	return best[0] != '\0' ? 0 : STORE_E_NONE;
}

/* What the list shows for this id: the entity, or what the membership leads to. */
static int read_shown(struct op *op, const struct list *l, const char *id, json_t **ret)
{
	const struct entity_foreign *across = l->target->across;
	json_t *member, *entity;
	int r = read_entity(op, l->target->def->type, id, &entity);

	if (r != 0 || across == NULL) {
		*ret = r == 0 ? entity : NULL;
		return r;
	}
	member = entity;
	r = read_entity(op, across->to,
			json_string_value(json_object_get(
					json_object_get(member, across->field), "id")),
			ret);
	json_decref(member);
	return r;
}

static int find_parent(struct op *op, struct list *l)
{
	if (l->target->of == NULL)
		return 0;
	return read_id(op, l->target->other->type, l->target->other_key, l->parent);
}

static int list_run(struct op *op, void *arg)
{
	struct list *l = arg;
	char at[UUID_TEXT_BYTES], id[UUID_TEXT_BYTES];
	int r = find_parent(op, l);

	memcpy(at, l->after, sizeof(at));
	while (r == 0) {
		json_t *entity;

		r = next_id(op, l, at, id);
		if (r == 0)
			r = read_shown(op, l, id, &entity);
		if (r == 0)
			r = certificate_show(op, l->target->def->type, entity);
		if (r != 0)
			break;
		if (l->target->def->type == ENTITY_PLUGINS)
			plugin_instance_show(op, &entity);
		if (passes(l, entity) && json_array_size(l->data) == l->size) {
			json_decref(entity);
			l->has_more = true;
			return 0;
		}
		if (passes(l, entity)) {
			json_array_append(l->data, entity);
			memcpy(l->after, id, sizeof(id)); /* the page's last, for its offset */
		}
		memcpy(at, id, sizeof(at));
		json_decref(entity);
	}
	return r == STORE_E_NONE ? 0 : r < 0 ? op_store(op, r) : r;
}

/* ---- the answer ---- */

static json_t *page(const struct list *l)
{
	json_t *body = json_pack("{s:O, s:n}", "data", l->data, "next");
	const char *tags = admin_query(l->call, "tags"), *size = admin_query(l->call, "size");
	unsigned char offset[52];
	sl_auto_mem char *escaped_tags = tags != NULL ? evhttp_encode_uri(tags) : NULL;
	sl_auto_mem char *escaped = NULL;
	sl_auto_buf next = {0};

	if (!l->has_more)
		return body;
	EVP_EncodeBlock(offset, (const unsigned char *)l->after, UUID_TEXT_BYTES - 1);
	escaped = evhttp_encode_uri((char *)offset);
	buf_printf(&next, "%s?offset=%s", l->call->path, escaped);
	if (escaped_tags != NULL)
		buf_printf(&next, "&tags=%s", escaped_tags);
	if (size != NULL)
		buf_printf(&next, "&size=%zu", l->size);
	json_object_set_new(body, "next", json_string(buf_z(&next)));
	json_object_set_new(body, "offset", json_string((char *)offset));
	return body;
}

void admin_list_run(struct admin_call *call, const struct admin_target *target)
{
	struct list l = {.call = call, .target = target};
	struct fault fault = {0};
	struct op op = {0};
	int r;

	if (!read_size(&l, &fault) || !read_offset(&l, &fault) || !read_tags(&l, &fault)) {
		admin_refuse(call, &fault);
		fault_done(&fault);
		return;
	}
	l.data = json_array();
	r = op_read(call->parts->model, list_run, &l, &op);
	if (r == 0)
		admin_reply(call, 200, page(&l));
	else
		admin_refuse(call, &op.fault);
	op_done(&op);
	json_decref(l.data);
}
