/* SPDX-License-Identifier: Apache-2.0
 *
 * Values of type "json": the part of JSON Schema draft 4 in schema_json_table.h, given inline.
 * `pattern` is PCRE2 over UTF-8 with a bound on its steps; $ref, format and dependencies are
 * refused.
 */
#pragma once

#include <stdbool.h>

#include <jansson.h>

/* declaration: the field's json_schema attribute, {"inline":{…}}, found good by
 * schema_json_meta().  False with *ret_error a string (new reference). */
bool schema_json_check(const json_t *declaration, const json_t *value, json_t **ret_error);

/* Whether a json_schema attribute is one this build honours to the letter.  NULL = it is, else
 * a string that names the place (new reference). */
json_t *schema_json_meta(const json_t *declaration);

/* A draft-4 pattern; NULL = not one, *ret_at the byte.  Free with pcre2_code_free(). */
struct pcre2_real_code_8;
struct pcre2_real_code_8 *schema_json_regex(const json_t *pattern, size_t *ret_at);
