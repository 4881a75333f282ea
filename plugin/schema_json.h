/* SPDX-License-Identifier: Apache-2.0
 *
 * Values of type "json": a subset of JSON Schema draft 4, given inline.
 */
#pragma once

#include <stdbool.h>

#include <jansson.h>

/* declaration: the field's json_schema attribute, {"inline":{…}}; another kind of declaration
 * accepts everything.  False with *ret_error a string (new reference). */
bool schema_json_check(const json_t *declaration, const json_t *value, json_t **ret_error);
