/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/yaml_value.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include <yaml.h>

/* What a node is, with its aliases expanded. */
struct node {
	struct value value;
	unsigned height; /* tables below it, and itself when it is one */
	unsigned weight; /* nodes */
	bool is_merge;   /* the key "<<" */
};

struct anchor {
	struct str name;
	struct node node;
};

struct reader {
	yaml_parser_t parser;
	yaml_event_t event; /* the one at hand, when has_event */
	bool has_event;
	struct arena *arena;
	struct anchor anchors[YAML_ANCHORS_MAX];
	unsigned n_anchors, nodes;
	yaml_stop_fn *stop;
	void *arg;
	struct why *why;
};

static int refuse(struct reader *r, const yaml_mark_t *at, const char *what, const char *name)
{
	why_set(r->why, NULL, 0, "line %zu, column %zu: %s%.60s", at->line + 1, at->column + 1,
			what, name);
	return -EINVAL;
}

static void drop_event(struct reader *r)
{
	if (r->has_event)
		yaml_event_delete(&r->event);
	r->has_event = false;
}

static int next(struct reader *r)
{
	drop_event(r);
	if (r->stop(r->arg))
		return -ECANCELED;
	if (yaml_parser_parse(&r->parser, &r->event) != 1)
		return r->parser.error == YAML_MEMORY_ERROR
				       ? -ENOMEM
				       : refuse(r, &r->parser.problem_mark,
							 r->parser.problem != NULL
									 ? r->parser.problem
									 : "not YAML",
							 "");
	r->has_event = true;
	return 0;
}

/* A node more, of that weight and height, at that depth. */
static int count(struct reader *r, unsigned weight, unsigned height, unsigned depth)
{
	if (depth + height > VALUE_DEPTH_MAX)
		return refuse(r, &r->event.start_mark, "nested too deep", "");
	if (weight > VALUE_NODES_MAX - r->nodes)
		return refuse(r, &r->event.start_mark, "too large once its aliases are expanded",
				"");
	r->nodes += weight;
	return 0;
}

/* ---- anchors ---- */

static struct anchor *find_anchor(struct reader *r, const char *name)
{
	for (unsigned i = 0; i < r->n_anchors; i++)
		if (str_eq(r->anchors[i].name, str_of(name)))
			return &r->anchors[i];
	return NULL;
}

/* Known from here on, that is behind the node: an alias inside it has no anchor yet. */
static int set_anchor(struct reader *r, struct str name, const struct node *node)
{
	struct anchor *a = name.p != NULL ? find_anchor(r, name.p) : NULL;

	if (name.p == NULL)
		return 0;
	if (a == NULL && r->n_anchors == YAML_ANCHORS_MAX)
		return refuse(r, &r->parser.mark, "too many anchors", "");
	if (a == NULL)
		a = &r->anchors[r->n_anchors++];
	*a = (struct anchor){name, *node};
	return 0;
}

static int keep_name(struct reader *r, const yaml_char_t *anchor, struct str *ret)
{
	*ret = STR_NONE;
	if (anchor == NULL)
		return 0;
	*ret = arena_str(r->arena, str_of((const char *)anchor));
	return ret->p != NULL ? 0 : -ENOMEM;
}

static int read_alias(struct reader *r, unsigned depth, struct node *ret)
{
	const char *name = (const char *)r->event.data.alias.anchor;
	const struct anchor *a = find_anchor(r, name);

	if (a == NULL)
		return refuse(r, &r->event.start_mark, "no anchor before it has the name ", name);
	*ret = a->node;
	ret->is_merge = false;
	return count(r, ret->weight, ret->height, depth);
}

/* ---- scalars ---- */

#define TAG "tag:yaml.org,2002:"

static const struct {
	const char *tag;
	enum yaml_kind kind;
} scalar_tags[] = {
		{TAG "null", YAML_KIND_NULL},
		{TAG "bool", YAML_KIND_BOOL},
		{TAG "int", YAML_KIND_INTEGER},
		{TAG "float", YAML_KIND_FLOAT},
		{TAG "str", YAML_KIND_TEXT},
		{"!", YAML_KIND_TEXT},
};

/* A tag constructs nothing: those of plain data choose among the forms, others are refused. */
static int scalar_kind(struct reader *r, enum yaml_kind *ret)
{
	const char *tag = (const char *)r->event.data.scalar.tag;

	*ret = r->event.data.scalar.plain_implicit ? YAML_KIND_ANY : YAML_KIND_TEXT;
	if (tag == NULL)
		return 0;
	for (size_t i = 0; i < sizeof(scalar_tags) / sizeof(scalar_tags[0]); i++) {
		if (strcmp(scalar_tags[i].tag, tag) == 0) {
			*ret = scalar_tags[i].kind;
			return 0;
		}
	}
	return refuse(r, &r->event.start_mark, "not a tag of plain data: ", tag);
}

static int read_scalar(struct reader *r, unsigned depth, struct node *ret)
{
	struct str text = {(const char *)r->event.data.scalar.value, r->event.data.scalar.length};
	struct str name = STR_NONE;
	enum yaml_kind kind;
	int err = count(r, 1, 0, depth);

	if (err == 0)
		err = scalar_kind(r, &kind);
	if (err == 0)
		err = keep_name(r, r->event.data.scalar.anchor, &name);
	if (err != 0)
		return err;
	*ret = (struct node){
			.weight = 1, .is_merge = kind == YAML_KIND_ANY && str_eq(text, STR("<<"))};
	text = arena_str(r->arena, text);
	if (text.p == NULL)
		return -ENOMEM;
	if (!yaml_scalar(kind, text, &ret->value))
		return refuse(r, &r->event.start_mark,
				"not of the type that its tag says: ", text.p);
	return set_anchor(r, name, ret);
}

/* ---- lists and maps ---- */

static int read_node(struct reader *r, unsigned depth, struct node *ret);

static void join(struct node *to, const struct node *part)
{
	to->weight += part->weight;
	if (part->height + 1 > to->height)
		to->height = part->height + 1;
}

static int start_table(struct reader *r, const yaml_char_t *tag, const char *want,
		const yaml_char_t *anchor, unsigned depth, struct str *ret_name, struct node *ret)
{
	int err = count(r, 1, 1, depth);

	if (err == 0 && tag != NULL && strcmp((const char *)tag, want) != 0 &&
			strcmp((const char *)tag, "!") != 0)
		err = refuse(r, &r->event.start_mark,
				"not a tag of plain data: ", (const char *)tag);
	if (err == 0)
		err = keep_name(r, anchor, ret_name);
	if (err != 0)
		return err;
	*ret = (struct node){value_table_make(r->arena), .height = 1, .weight = 1};
	return ret->value.table != NULL ? 0 : -ENOMEM;
}

static int read_list(struct reader *r, unsigned depth, struct node *ret)
{
	struct str name;
	int err = start_table(r, r->event.data.sequence_start.tag, TAG "seq",
			r->event.data.sequence_start.anchor, depth, &name, ret);

	if (err == 0)
		ret->value.table->is_array = true;
	for (double i = 1; err == 0; i++) {
		struct value key = {.type = VALUE_NUMBER, .number = i};
		struct node item;

		err = next(r);
		if (err == 0 && r->event.type == YAML_SEQUENCE_END_EVENT)
			return set_anchor(r, name, ret);
		if (err == 0)
			err = read_node(r, depth + 1, &item);
		if (err == 0)
			err = value_append(r->arena, ret->value.table, key, item.value);
		if (err == 0)
			join(ret, &item);
	}
	return err;
}

static bool is_key(const struct value *v)
{
	return v->type == VALUE_STRING || v->type == VALUE_BOOL ||
	       (v->type == VALUE_NUMBER && !isnan(v->number));
}

static int append_all(struct reader *r, struct value_table *to, const struct value_table *from)
{
	int err = count(r, from->n, 0, 0);

	for (uint32_t i = 0; i < from->n && err == 0; i++)
		err = value_append(r->arena, to, from->v[i].key, from->v[i].value);
	return err;
}

/* Of two fields with one name the later counts, so what is merged comes before what is written,
 * and of a list of maps its last comes first. */
static int merge(struct reader *r, const struct value *v, const yaml_mark_t *at, struct value *into)
{
	const struct value_table *t = v->type == VALUE_TABLE ? v->table : NULL;
	struct value all = value_table_make(r->arena);
	bool is_list = t != NULL && t->is_array;
	int err = all.table != NULL ? 0 : -ENOMEM;

	if (t == NULL)
		return refuse(r, at, "only maps are merged", "");
	for (uint32_t i = is_list ? t->n : 0; i > 0 && err == 0; i--) {
		const struct value *part = &t->v[i - 1].value;

		err = part->type == VALUE_TABLE ? append_all(r, all.table, part->table)
						: refuse(r, at, "only maps are merged", "");
	}
	if (!is_list && err == 0)
		err = append_all(r, all.table, t);
	if (err == 0)
		err = append_all(r, all.table, into->table);
	*into = all;
	return err;
}

static int read_pair(struct reader *r, unsigned depth, struct node *to)
{
	yaml_mark_t at = r->event.start_mark;
	struct node key, value;
	int err = read_node(r, depth + 1, &key);

	if (err == 0 && !is_key(&key.value))
		err = refuse(r, &at, "a key must be text, a number or a boolean", "");
	if (err == 0)
		err = next(r);
	if (err == 0)
		err = read_node(r, depth + 1, &value);
	if (err != 0)
		return err;
	join(to, &key);
	join(to, &value);
	if (key.is_merge) {
		uint32_t n = to->value.table->n;

		err = merge(r, &value.value, &at, &to->value);
		to->weight += to->value.table != NULL ? to->value.table->n - n : 0;
		return err;
	}
	return value_append(r->arena, to->value.table, key.value, value.value);
}

static int read_map(struct reader *r, unsigned depth, struct node *ret)
{
	struct str name;
	int err = start_table(r, r->event.data.mapping_start.tag, TAG "map",
			r->event.data.mapping_start.anchor, depth, &name, ret);

	while (err == 0) {
		err = next(r);
		if (err == 0 && r->event.type == YAML_MAPPING_END_EVENT)
			return set_anchor(r, name, ret);
		if (err == 0)
			err = read_pair(r, depth, ret);
	}
	return err;
}

static int read_node(struct reader *r, unsigned depth, struct node *ret)
{
	if (r->event.type == YAML_ALIAS_EVENT)
		return read_alias(r, depth, ret);
	if (r->event.type == YAML_SCALAR_EVENT)
		return read_scalar(r, depth, ret);
	if (r->event.type == YAML_SEQUENCE_START_EVENT)
		return read_list(r, depth, ret);
	if (r->event.type == YAML_MAPPING_START_EVENT)
		return read_map(r, depth, ret);
	return refuse(r, &r->event.start_mark, "a value is missing", "");
}

/* ---- documents ---- */

static int read_documents(struct reader *r, bool is_all, struct value_table *to)
{
	int err = next(r);

	for (double i = 1; err == 0 && r->event.type != YAML_STREAM_END_EVENT;) {
		struct node document;

		if (r->event.type == YAML_DOCUMENT_START_EVENT) {
			r->n_anchors = 0; /* they are a document's */
			err = next(r);
			if (err == 0)
				err = read_node(r, 0, &document);
			if (err == 0)
				err = value_append(r->arena, to,
						(struct value){.type = VALUE_NUMBER, .number = i++},
						document.value);
			if (err == 0 && !is_all)
				return 0;
		}
		if (err == 0)
			err = next(r);
	}
	return err;
}

int yaml_load(struct arena *a, struct str text, bool is_all, yaml_stop_fn *stop, void *arg,
		struct value *ret, struct why *why)
{
	struct reader *r = arena_calloc(a, sizeof(*r));
	int err;

	*ret = value_table_make(a);
	if (text.n > YAML_TEXT_MAX) {
		why_set(why, NULL, 0, "too much data: at most 1 MB");
		return -EINVAL;
	}
	if (r == NULL || ret->table == NULL || yaml_parser_initialize(&r->parser) != 1)
		return -ENOMEM;
	r->arena = a;
	r->stop = stop;
	r->arg = arg;
	r->why = why;
	/* it takes no NULL, not even for nothing */
	yaml_parser_set_input_string(
			&r->parser, (const unsigned char *)(text.p != NULL ? text.p : ""), text.n);
	err = read_documents(r, is_all, ret->table);
	drop_event(r);
	yaml_parser_delete(&r->parser);
	return err;
}
