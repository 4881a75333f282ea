/* SPDX-License-Identifier: Apache-2.0
 *
 * YAML (one document, core types) and JSON as a JSON tree, with the line of everything.
 * Hostile input: bounded depth and size, aliases counted as what they expand to.
 */
#pragma once

#include <jansson.h>

#include "base/str.h"
#include "base/why.h"

#define YAML_DEPTH_MAX 64
#define YAML_NODES_MAX 4000000

/* A mirror of the tree: a mapping is {"":line, key:mirror…}, a sequence [line, mirror…], a scalar
 * its line. */
struct yaml_json {
	json_t *value, *lines; /* owned; NULL when empty */
};

/* -EINVAL with why->line and what is wrong. */
int yaml_json_parse(struct yaml_json *ret, struct str text, struct why *why);
void yaml_json_done(struct yaml_json *y);

/* The line of a mirror node, 0 for NULL; of its member, or of the node when there is none. */
int yaml_json_line(const json_t *lines);
const json_t *yaml_json_member(const json_t *lines, const char *key);
const json_t *yaml_json_element(const json_t *lines, size_t i);
