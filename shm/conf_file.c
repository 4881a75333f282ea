/* SPDX-License-Identifier: Apache-2.0 */
#include "shm/conf_file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "base/buf.h"
#include "shm/conf_row.h"

#define FILE_BYTES_MAX (1 << 20)
#define KEY_BYTES_MAX 128

struct reader {
	struct conf *c;
	const char *name; /* of the file, short enough for struct why */
	yaml_document_t *doc;
	struct why *why;
	bool seen[128]; /* by row */
};

static int node_line(const yaml_node_t *node)
{
	return (int)node->start_mark.line + 1;
}

static struct str node_text(const yaml_node_t *node)
{
	return (struct str){(const char *)node->data.scalar.value, node->data.scalar.length};
}

static bool is_null(const yaml_node_t *node)
{
	struct str text = node_text(node);

	return node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
	       (text.n == 0 || str_eq(text, STR("~")) || str_ieq(text, STR("null")));
}

static int refuse_unknown(struct reader *rd, const yaml_node_t *key, struct str name)
{
	const char *nearest = conf_row_nearest(name);
	int shown = (int)(name.n < 80 ? name.n : 80);

	if (nearest != NULL)
		why_set(rd->why, rd->name, node_line(key), "unknown key \"%.*s\"; did you mean %s?",
				shown, name.p, nearest);
	else
		why_set(rd->why, rd->name, node_line(key),
				"unknown key \"%.*s\"; --help-config lists every key", shown,
				name.p);
	return -EINVAL;
}

/* [a, b] becomes "a,b". */
static int join_sequence(struct reader *rd, const struct conf_row *row, const yaml_node_t *node,
		struct buf *out)
{
	const yaml_node_item_t *item = node->data.sequence.items.start;

	for (; row->type == CONF_TYPE_LIST && item < node->data.sequence.items.top; item++) {
		const yaml_node_t *member = yaml_document_get_node(rd->doc, *item);

		if (member == NULL || member->type != YAML_SCALAR_NODE) {
			why_set(rd->why, rd->name, node_line(node), "%s: a member is not text",
					row->name);
			return -EINVAL;
		}
		if (out->n != 0)
			buf_add_str(out, STR(","));
		buf_add_str(out, node_text(member));
	}
	if (row->type == CONF_TYPE_LIST)
		return out->is_failed ? -ENOMEM : 0;
	why_set(rd->why, rd->name, node_line(node), "%s takes one value, not a list", row->name);
	return -EINVAL;
}

static int read_value(struct reader *rd, const struct conf_row *row, const yaml_node_t *node)
{
	struct conf_problem problem;
	sl_auto_buf joined = {.p = NULL};
	int r = 0;

	if (node->type == YAML_SCALAR_NODE) {
		if (is_null(node))
			return 0; /* the default stands */
		r = conf_row_set(row, rd->c, node_text(node), &problem);
	} else if (node->type == YAML_SEQUENCE_NODE) {
		r = join_sequence(rd, row, node, &joined);
		if (r < 0)
			return r;
		r = conf_row_set(row, rd->c, buf_str(&joined), &problem);
	} else {
		why_set(rd->why, rd->name, node_line(node), "%s takes a value, not a mapping",
				row->name);
		return -EINVAL;
	}
	if (r == -EINVAL)
		why_set(rd->why, rd->name, node_line(node), "%s: %s", row->name, problem.text);
	return r;
}

static int read_key(struct reader *rd, const char *above, const yaml_node_t *key,
		const yaml_node_t *value)
{
	char name[KEY_BYTES_MAX];
	const struct conf_row *row, *first;
	size_t n, ignored;

	n = strlen(above) + key->data.scalar.length;
	if (n >= sizeof(name))
		return refuse_unknown(rd, key, node_text(key));
	memcpy(name, above, strlen(above));
	memcpy(name + strlen(above), key->data.scalar.value, key->data.scalar.length);
	row = conf_row_find((struct str){name, n});
	if (row == NULL)
		return refuse_unknown(rd, key, (struct str){name, n});
	first = conf_rows(&ignored);
	if (rd->seen[row - first]) {
		why_set(rd->why, rd->name, node_line(key), "%s is given twice", row->name);
		return -EINVAL;
	}
	rd->seen[row - first] = true;
	return read_value(rd, row, value);
}

static int read_mapping(struct reader *rd, const char *above, const yaml_node_t *map)
{
	const yaml_node_pair_t *pair = map->data.mapping.pairs.start;
	int r = 0;

	for (; r == 0 && pair < map->data.mapping.pairs.top; pair++) {
		const yaml_node_t *key = yaml_document_get_node(rd->doc, pair->key);
		const yaml_node_t *value = yaml_document_get_node(rd->doc, pair->value);

		if (key == NULL || value == NULL || key->type != YAML_SCALAR_NODE) {
			why_set(rd->why, rd->name, node_line(map), "a key is not text");
			return -EINVAL;
		}
		if (above[0] == '\0' && value->type == YAML_MAPPING_NODE &&
				str_eq(node_text(key), STR("plugin_limits")))
			r = read_mapping(rd, "plugin_limits_", value);
		else
			r = read_key(rd, above, key, value);
	}
	return r;
}

static int read_document(struct reader *rd)
{
	const yaml_node_t *root = yaml_document_get_root_node(rd->doc);

	if (root == NULL || (root->type == YAML_SCALAR_NODE && is_null(root)))
		return 0;
	if (root->type == YAML_MAPPING_NODE)
		return read_mapping(rd, "", root);
	why_set(rd->why, rd->name, node_line(root), "must hold `key: value` lines");
	return -EINVAL;
}

static int refuse_yaml(const struct reader *rd, const yaml_parser_t *parser)
{
	if (parser->error == YAML_MEMORY_ERROR)
		return -ENOMEM;
	why_set(rd->why, rd->name, (int)parser->problem_mark.line + 1, "not YAML: %s%s%s",
			parser->problem != NULL ? parser->problem : "unreadable",
			parser->context != NULL ? " " : "",
			parser->context != NULL ? parser->context : "");
	return -EINVAL;
}

int conf_text_read(struct conf *c, const char *name, struct str text, struct why *why)
{
	size_t n = strlen(name), room = sizeof(why->file) - 1;
	yaml_parser_t parser;
	yaml_document_t doc;
	struct reader rd = {.c = c, .doc = &doc, .why = why};
	int r;

	/* The end of a long path says more than its start. */
	rd.name = n > room ? name + (n - room) : name;
	if (!yaml_parser_initialize(&parser))
		return -ENOMEM;
	yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(
			&parser, (const unsigned char *)(text.n != 0 ? text.p : ""), text.n);
	if (!yaml_parser_load(&parser, &doc)) {
		r = refuse_yaml(&rd, &parser);
	} else {
		r = read_document(&rd);
		yaml_document_delete(&doc);
	}
	yaml_parser_delete(&parser);
	return r;
}

int conf_file_read(struct conf *c, const char *file, struct why *why)
{
	sl_auto_file FILE *f = fopen(file, "re");
	sl_auto_buf text = {.p = NULL};
	size_t n;

	if (f == NULL)
		return why_errno(why, errno, "cannot read %s", file);
	do {
		if (!buf_reserve(&text, 65536))
			return -ENOMEM;
		n = fread(text.p + text.n, 1, 65536, f);
		text.n += n;
	} while (n != 0 && text.n <= FILE_BYTES_MAX);
	if (ferror(f))
		return why_errno(why, errno != 0 ? errno : EIO, "cannot read %s", file);
	if (text.n > FILE_BYTES_MAX) {
		why_set(why, NULL, 0, "%s is larger than %d bytes: not a node configuration", file,
				FILE_BYTES_MAX);
		return -EINVAL;
	}
	return conf_text_read(c, file, buf_str(&text), why);
}
