/* SPDX-License-Identifier: Apache-2.0
 *
 * Bodies of Admin API requests: JSON, application/x-www-form-urlencoded and
 * multipart/form-data, all as one JSON object.  In forms `config.a.b=1` nests, `list[]=x` and
 * `list[2]=x` (1-based) make arrays, a repeated name too, and an empty value is null; values
 * stay strings until schema_coerce().  Hostile input: bounded in fields, depth and index.
 */
#pragma once

#include <jansson.h>

#include "base/str.h"
#include "base/why.h"

#define ADMIN_FORM_FIELDS_MAX 2000
#define ADMIN_FORM_DEPTH_MAX 32
#define ADMIN_FORM_INDEX_MAX 2000

enum admin_body {
	ADMIN_BODY_JSON,
	ADMIN_BODY_FORM,
	ADMIN_BODY_MULTIPART,
	ADMIN_BODY_YAML,
	ADMIN_BODY_TEXT,
	ADMIN_BODY_UNKNOWN,
};

/* Of a Content-Type value; for multipart the boundary is a slice of it. */
enum admin_body admin_body_type(struct str content_type, struct str *ret_boundary);

/* New reference to an object.  -EINVAL with a sentence. */
int admin_form_parse(struct str body, json_t **ret, struct why *why);
int admin_multipart_parse(struct str body, struct str boundary, json_t **ret, struct why *why);
int admin_json_parse(struct str body, json_t **ret, struct why *why);

/* One `name=value` into object, as above.  value: borrowed. */
int admin_form_set(json_t *object, struct str name, json_t *value, struct why *why);
