/* SPDX-License-Identifier: Apache-2.0
 *
 * YAML 1.1 as plain values, for plugins: libyaml's events, of which nothing is constructed but
 * null, booleans, numbers, text, lists and maps.  Hostile text is bounded: its bytes, the depth
 * and the number of its nodes as they are with every alias expanded, the number of its anchors.
 *
 * Called between vm_host_enter() and vm_host_leave(): knows no Lua.  libngx.a and tests/fuzz.
 */
#pragma once

#include <stdbool.h>

#include "base/buf.h"
#include "base/why.h"
#include "plugin/value.h"

#define YAML_TEXT_MAX (1U << 20)
#define YAML_ANCHORS_MAX 256

/* How a scalar's tag says that it is to be read. */
enum yaml_kind {
	YAML_KIND_ANY, /* no tag and no quotes: by its form */
	YAML_KIND_NULL,
	YAML_KIND_BOOL,
	YAML_KIND_INTEGER,
	YAML_KIND_FLOAT,
	YAML_KIND_TEXT,
};

/* Asked between nodes: stop? */
typedef bool yaml_stop_fn(void *arg);

/* The documents of a text, or its first one, as a list in the arena.  0; -EINVAL with what is
 * wrong and where ("line 1, column 2: …") in why; -ENOMEM: the arena is used up; -ECANCELED. */
int yaml_load(struct arena *a, struct str text, bool is_all, yaml_stop_fn *stop, void *arg,
		struct value *ret, struct why *why);

/* Appends a document for every element of the list: block style, maps ordered by key (numbers,
 * then text).  0; -EINVAL with why: not a list, not UTF-8, more than max bytes; -ENOMEM. */
int yaml_dump(struct arena *a, struct buf *out, const struct value *documents, size_t max,
		struct why *why);

/* The value of a scalar; false: it is not of that kind.  The text is NUL-terminated and outlives
 * the value. */
bool yaml_scalar(enum yaml_kind kind, struct str text, struct value *ret);
