/* SPDX-License-Identifier: Apache-2.0 */
#include "shm/yaml_json.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <yaml.h>

struct reader {
	yaml_document_t doc;
	size_t nodes;
	struct why *why;
};

void yaml_json_done(struct yaml_json *y)
{
	json_decref(y->value);
	json_decref(y->lines);
	*y = (struct yaml_json){NULL, NULL};
}

/* ---- scalars ---- */

static const struct {
	const char *text;
	int value; /* 0, 1; -1 = null */
} words[] = {
		{"", -1},
		{"~", -1},
		{"null", -1},
		{"Null", -1},
		{"NULL", -1},
		{"true", 1},
		{"True", 1},
		{"TRUE", 1},
		{"yes", 1},
		{"on", 1},
		{"false", 0},
		{"False", 0},
		{"FALSE", 0},
		{"no", 0},
		{"off", 0},
};

static json_t *plain_number(const char *text)
{
	char *end;
	double real;
	long long whole;

	if (strspn(text, "+-.0123456789") == 0)
		return NULL;
	errno = 0;
	whole = strtoll(text, &end, text[0] == '0' && (text[1] == 'x' || text[1] == 'X') ? 16 : 10);
	if (*end == '\0' && errno == 0)
		return json_integer(whole);
	if (strspn(text, "+-.0123456789eE") != strlen(text))
		return NULL;
	real = strtod(text, &end);
	return *end == '\0' && end != text && isfinite(real) ? json_real(real) : NULL;
}

static json_t *plain_scalar(const char *text, size_t n)
{
	json_t *number;

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strlen(words[i].text) == n && memcmp(words[i].text, text, n) == 0)
			return words[i].value < 0 ? json_null() : json_boolean(words[i].value);
	}
	number = plain_number(text);
	return number != NULL ? number : json_stringn(text, n);
}

static json_t *scalar(const yaml_node_t *node)
{
	const char *text = (const char *)node->data.scalar.value;
	size_t n = node->data.scalar.length;

	if (node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
			strcmp((const char *)node->tag, YAML_STR_TAG) == 0)
		return plain_scalar(text, n);
	return json_stringn(text, n);
}

/* ---- trees ---- */

static int read_node(struct reader *r, int index, unsigned depth, struct yaml_json *ret);

static int refuse(struct reader *r, const yaml_node_t *node, const char *what)
{
	why_set(r->why, NULL, (int)node->start_mark.line + 1, "%s", what);
	return -EINVAL;
}

static int read_pair(struct reader *r, const yaml_node_pair_t *pair, unsigned depth,
		struct yaml_json *ret)
{
	yaml_node_t *key = yaml_document_get_node(&r->doc, pair->key);
	struct yaml_json member = {NULL, NULL};
	const char *name;
	int err;

	if (key == NULL || key->type != YAML_SCALAR_NODE)
		return refuse(r, key != NULL ? key : yaml_document_get_root_node(&r->doc),
				"a key must be a plain word");
	name = (const char *)key->data.scalar.value;
	if (json_object_get(ret->value, name) != NULL) {
		why_set(r->why, NULL, (int)key->start_mark.line + 1,
				"the key '%.100s' is there twice", name);
		return -EINVAL;
	}
	err = read_node(r, pair->value, depth + 1, &member);
	if (err != 0)
		return err;
	if (json_object_set_new(ret->value, name, member.value) != 0) {
		json_decref(member.lines);
		return refuse(r, key, "a key is not valid UTF-8");
	}
	json_object_set_new(ret->lines, name, member.lines);
	return 0;
}

static int read_mapping(
		struct reader *r, const yaml_node_t *node, unsigned depth, struct yaml_json *ret)
{
	int err = 0;

	ret->value = json_object();
	ret->lines = json_pack("{s:i}", "", (int)node->start_mark.line + 1);
	for (const yaml_node_pair_t *p = node->data.mapping.pairs.start;
			err == 0 && p < node->data.mapping.pairs.top; p++)
		err = read_pair(r, p, depth, ret);
	return err;
}

static int read_sequence(
		struct reader *r, const yaml_node_t *node, unsigned depth, struct yaml_json *ret)
{
	int err = 0;

	ret->value = json_array();
	ret->lines = json_pack("[i]", (int)node->start_mark.line + 1);
	for (const yaml_node_item_t *i = node->data.sequence.items.start;
			err == 0 && i < node->data.sequence.items.top; i++) {
		struct yaml_json item = {NULL, NULL};

		err = read_node(r, *i, depth + 1, &item);
		if (err != 0)
			return err;
		json_array_append_new(ret->value, item.value);
		json_array_append_new(ret->lines, item.lines);
	}
	return err;
}

static int read_node(struct reader *r, int index, unsigned depth, struct yaml_json *ret)
{
	const yaml_node_t *node = yaml_document_get_node(&r->doc, index);
	int err = 0;

	if (node == NULL)
		return -EINVAL;
	if (depth > YAML_DEPTH_MAX)
		return refuse(r, node, "nested too deep");
	if (++r->nodes > YAML_NODES_MAX)
		return refuse(r, node, "too large once its aliases are expanded");
	if (node->type == YAML_MAPPING_NODE) {
		err = read_mapping(r, node, depth, ret);
	} else if (node->type == YAML_SEQUENCE_NODE) {
		err = read_sequence(r, node, depth, ret);
	} else {
		ret->value = scalar(node);
		ret->lines = json_integer((json_int_t)node->start_mark.line + 1);
		if (ret->value == NULL)
			err = refuse(r, node, "a text is not valid UTF-8");
	}
	if (err != 0)
		yaml_json_done(ret);
	return err;
}

static int parse_yaml(struct yaml_json *ret, struct str text, struct why *why)
{
	struct reader r = {.why = why};
	yaml_parser_t parser;
	int err;

	if (yaml_parser_initialize(&parser) == 0)
		return why_errno(why, ENOMEM, "cannot read the configuration");
	yaml_parser_set_input_string(&parser, (const unsigned char *)text.p, text.n);
	if (yaml_parser_load(&parser, &r.doc) == 0) {
		why_set(why, NULL, (int)parser.problem_mark.line + 1, "not valid YAML: %s",
				parser.problem != NULL ? parser.problem : "cannot be read");
		yaml_parser_delete(&parser);
		return -EINVAL;
	}
	if (yaml_document_get_root_node(&r.doc) == NULL) {
		why_set(why, NULL, 1, "the configuration is empty");
		err = -EINVAL;
	} else {
		err = read_node(&r, 1, 0, ret);
	}
	yaml_document_delete(&r.doc);
	yaml_parser_delete(&parser);
	return err;
}

int yaml_json_parse(struct yaml_json *ret, struct str text, struct why *why)
{
	json_t *value;

	*ret = (struct yaml_json){NULL, NULL};
	if (memchr(text.p, '\0', text.n) != NULL) {
		why_set(why, NULL, 0, "a NUL byte in the configuration");
		return -EINVAL;
	}
	/* JSON by its own rules where it is one: YAML 1.1 reads some escapes differently */
	value = json_loadb(text.p, text.n, JSON_REJECT_DUPLICATES, NULL);
	if (value == NULL)
		return parse_yaml(ret, text, why);
	ret->value = value;
	ret->lines = json_integer(1);
	return 0;
}

/* ---- places ---- */

int yaml_json_line(const json_t *lines)
{
	if (json_is_object(lines))
		lines = json_object_get(lines, "");
	else if (json_is_array(lines))
		lines = json_array_get(lines, 0);
	return (int)json_integer_value(lines);
}

const json_t *yaml_json_member(const json_t *lines, const char *key)
{
	const json_t *member = key[0] != '\0' ? json_object_get(lines, key) : NULL;

	return member != NULL ? member : lines;
}

const json_t *yaml_json_element(const json_t *lines, size_t i)
{
	const json_t *element = json_array_get(lines, i + 1);

	return element != NULL ? element : lines;
}
