/* SPDX-License-Identifier: Apache-2.0 */
#include "control/declarative.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/declarative_link.h"

void declarative_done(struct declarative *d)
{
	for (size_t i = 0; i < d->n; i++)
		json_decref(d->v[i].input);
	yaml_json_done(&d->tree);
	json_decref(d->errors);
	arena_free(d->arena);
	*d = (struct declarative){.v = NULL};
}

/* ---- errors ---- */

void declarative_error(struct declarative *d, const struct declarative_entity *entity,
		const char *field, int line, const char *message)
{
	json_t *error = json_pack("{s:i, s:s}", "line", line, "message", message);

	if (entity != NULL)
		json_object_set_new(error, "entity", json_integer((json_int_t)(entity - d->v)));
	if (field != NULL)
		json_object_set_new(error, "field", json_string(field));
	if (entity != NULL)
		json_object_set_new(error, "path",
				field != NULL && field[0] != '\0'
						? json_sprintf("%s.%s", entity->path, field)
						: json_string(entity->path));
	else
		json_object_set_new(error, "path", json_string(field != NULL ? field : ""));
	json_array_append_new(d->errors, error);
}

struct placed {
	json_t *error;
	int line;
	size_t at;
};

static int placed_order(const void *a, const void *b)
{
	const struct placed *x = a, *y = b;

	if (x->line != y->line)
		return x->line < y->line ? -1 : 1;
	return x->at < y->at ? -1 : x->at > y->at;
}

void declarative_sort_errors(struct declarative *d)
{
	size_t n = json_array_size(d->errors), i;
	struct placed *list = arena_alloc(d->arena, (n + 1) * sizeof(*list));
	json_t *error;

	if (list == NULL)
		return; /* unsorted is still complete */
	json_array_foreach (d->errors, i, error)
		list[i] = (struct placed){json_incref(error),
				(int)json_integer_value(json_object_get(error, "line")), i};
	qsort(list, n, sizeof(*list), placed_order);
	json_array_clear(d->errors);
	for (i = 0; i < n; i++)
		json_array_append_new(d->errors, list[i].error);
}

struct each {
	struct declarative *d;
	const struct declarative_entity *entity;
};

/* The line of "config.list.2" below an entity's mirror. */
static int line_of(const json_t *lines, const char *path)
{
	char part[256];

	while (*path != '\0') {
		size_t n = strcspn(path, ".");

		snprintf(part, sizeof(part), "%.*s", (int)n, path);
		if (json_is_array(lines))
			lines = yaml_json_element(lines, strtoul(part, NULL, 10) - 1);
		else
			lines = yaml_json_member(lines, part);
		path += n;
		path += *path == '.';
	}
	return yaml_json_line(lines);
}

static void add_one(void *arg, const char *path, const char *message)
{
	struct each *each = arg;

	declarative_error(each->d, each->entity, path, line_of(each->entity->lines, path), message);
}

void declarative_errors_of(struct declarative *d, const struct declarative_entity *entity,
		const json_t *errors)
{
	struct each each = {d, entity};

	schema_error_each(errors, add_one, &each);
}

/* ---- collecting ---- */

static struct declarative_entity *add(struct declarative *d, const struct declarative_entity *e)
{
	if (d->n == d->cap) {
		size_t cap = d->cap != 0 ? 2 * d->cap : 64;
		struct declarative_entity *v =
				arena_grow(d->arena, d->v, d->cap * sizeof(*v), cap * sizeof(*v));

		if (v == NULL)
			return NULL;
		d->v = v;
		d->cap = cap;
	}
	d->v[d->n] = *e;
	d->v[d->n].index = d->count[e->type]++;
	return &d->v[d->n++];
}

static const char *const parents[] = {"certificates", "upstreams", "services", "routes",
		"consumers", "consumer_groups", "key_sets"};

static bool takes_children(const struct entity_def *def)
{
	for (size_t i = 0; i < sizeof(parents) / sizeof(parents[0]); i++) {
		if (strcmp(def->name, parents[i]) == 0)
			return true;
	}
	return false;
}

static const char *foreign_to(const struct entity_def *child, const struct entity_def *parent)
{
	for (const struct entity_foreign *f = child->foreign; f->field != NULL; f++) {
		if (f->to == parent->type)
			return f->field;
	}
	return NULL;
}

struct group {
	const struct entity_def *def;
	json_t *list; /* of the tree */
	const json_t *lines;
	const char *path;         /* of the list */
	const char *parent_field; /* set in each, to parent_id */
	const char *parent_id;
	const char *link_field; /* each is no entity but a reference: this field of a membership */
};

static int add_group(struct declarative *d, const struct group *g);

/* Below a consumer and below a group: memberships, written as what they lead to. */
static const struct link {
	enum entity_type parent;
	const char *key, *parent_field, *link_field;
} links[] = {
		{ENTITY_CONSUMERS, "groups", "consumer", "consumer_group"},
		{ENTITY_CONSUMER_GROUPS, "consumers", "consumer_group", "consumer"},
};

static int add_nested(struct declarative *d, size_t at, const char *key, struct group *g)
{
	struct declarative_entity e = d->v[at]; /* the list moves as it grows */
	int r;

	g->list = json_incref(json_object_get(e.input, key));
	if (g->list == NULL)
		return 0;
	g->lines = yaml_json_member(e.lines, key);
	g->path = arena_printf(d->arena, "%s.%s", e.path, key).p;
	g->parent_id = json_string_value(json_object_get(e.input, "id"));
	json_object_del(e.input, key);
	r = json_is_null(g->list) ? 0 : add_group(d, g);
	json_decref(g->list);
	return r;
}

static int add_links(struct declarative *d, const struct entity_def *def, size_t at)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < sizeof(links) / sizeof(links[0]); i++) {
		struct group g = {.def = entity_def(ENTITY_CONSUMER_GROUP_CONSUMERS),
				.parent_field = links[i].parent_field,
				.link_field = links[i].link_field};

		if (links[i].parent == def->type)
			r = add_nested(d, at, links[i].key, &g);
	}
	return r;
}

static int add_children(struct declarative *d, const struct entity_def *def, size_t at)
{
	int r = add_links(d, def, at);

	for (enum entity_type i = 0; r == 0 && i < ENTITY_COUNT; i++) {
		const struct entity_def *child = entity_def(i);
		const char *field = takes_children(def) ? foreign_to(child, def) : NULL;
		struct group g = {.def = child, .parent_field = field};

		if (field != NULL)
			r = add_nested(d, at, child->name, &g);
	}
	return r;
}

/* Below a certificate an SNI may be its name alone. */
static json_t *entity_input(const struct group *g, json_t *value)
{
	if (g->link_field != NULL)
		return json_is_string(value) || json_is_object(value)
				       ? json_pack("{s:O}", g->link_field, value)
				       : NULL;
	if (g->def->type == ENTITY_SNIS && g->parent_field != NULL && json_is_string(value))
		return json_pack("{s:O}", "name", value);
	return json_is_object(value) ? json_copy(value) : NULL;
}

static int add_entity(struct declarative *d, const struct group *g, size_t i, json_t *value)
{
	struct declarative_entity e = {.type = g->def->type};
	struct declarative_entity *added;
	json_t *input;

	e.lines = yaml_json_element(g->lines, i);
	e.path = arena_printf(d->arena, "%s[%zu]", g->path, i).p;
	if (e.path == NULL)
		return -ENOMEM;
	input = entity_input(g, value);
	e.input = input != NULL ? input : json_object();
	added = add(d, &e);
	if (added == NULL) {
		json_decref(e.input);
		return -ENOMEM;
	}
	if (input == NULL) {
		added->is_failed = true;
		declarative_error(d, added, NULL, yaml_json_line(e.lines), "expected a record");
		return 0;
	}
	if (g->parent_field != NULL)
		json_object_set_new(
				e.input, g->parent_field, json_pack("{s:s}", "id", g->parent_id));
	declarative_link_id(d, added, i);
	return add_children(d, g->def, (size_t)(added - d->v));
}

static int add_group(struct declarative *d, const struct group *g)
{
	json_t *value;
	size_t i;
	int r = 0;

	if (!json_is_array(g->list)) {
		declarative_error(d, NULL, g->path, yaml_json_line(g->lines), "expected an array");
		return 0;
	}
	json_array_foreach (g->list, i, value) {
		r = add_entity(d, g, i, value);
		if (r != 0)
			return r;
	}
	return 0;
}

/* ---- the file ---- */

static void check_version(struct declarative *d, const json_t *version, const json_t *lines)
{
	static const char *const known[] = {"1.1", "2.1", "3.0"};
	char text[16] = "";

	if (json_is_string(version))
		snprintf(text, sizeof(text), "%s", json_string_value(version));
	else if (json_is_real(version))
		snprintf(text, sizeof(text), "%.1f", json_real_value(version));
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (strcmp(text, known[i]) == 0)
			return;
	}
	declarative_error(d, NULL, "_format_version",
			yaml_json_line(yaml_json_member(lines, "_format_version")),
			version == NULL ? "required field missing"
					: "expected one of: 1.1, 2.1, 3.0");
}

static bool is_ignored(const char *key)
{
	static const char *const keys[] = {"_format_version", "_transform", "_comment", "_ignore",
			"_info", "_workspace", "_konnect"};

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		if (strcmp(key, keys[i]) == 0)
			return true;
	}
	return false;
}

static int read_root(struct declarative *d)
{
	json_t *root = d->tree.value, *value;
	const char *key;
	int r = 0;

	if (!json_is_object(root)) {
		declarative_error(d, NULL, "", yaml_json_line(d->tree.lines), "expected a record");
		return 0;
	}
	check_version(d, json_object_get(root, "_format_version"), d->tree.lines);
	json_object_foreach (root, key, value) {
		const struct entity_def *def = entity_by_name(str_of(key));
		struct group g = {.def = def, .list = value, .path = key};

		g.lines = yaml_json_member(d->tree.lines, key);
		if (def != NULL && r == 0 && !json_is_null(value))
			r = add_group(d, &g);
		else if (def == NULL && !is_ignored(key))
			declarative_error(d, NULL, key, yaml_json_line(g.lines), "unknown field");
	}
	return r;
}

int declarative_parse(struct declarative *d, struct str text, struct why *why)
{
	int r;

	*d = (struct declarative){.errors = json_array()};
	r = arena_new(&d->arena, 0);
	if (r != 0)
		return r;
	r = yaml_json_parse(&d->tree, text, why);
	if (r == -EINVAL) {
		declarative_error(d, NULL, "", why->line, why->text);
		return 0;
	}
	if (r == 0)
		r = read_root(d);
	if (r == 0)
		r = declarative_link(d);
	return r;
}
