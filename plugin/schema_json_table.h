/* SPDX-License-Identifier: Apache-2.0
 *
 * The keywords of JSON Schema draft 4 that a "json" field may use, in the order in which they
 * are checked.  A keyword that is not here is refused by name.
 */
#pragma once

/* clang-format off */
/* X(keyword, identifier, kind of argument) */
#define JSON_KEYWORD_TABLE(X) \
	X("type",                 type,                  TYPES) \
	X("enum",                 enum,                  VALUES) \
	X("minimum",              minimum,               NUMBER) \
	X("maximum",              maximum,               NUMBER) \
	X("exclusiveMinimum",     exclusive_minimum,     EXCLUSIVE) \
	X("exclusiveMaximum",     exclusive_maximum,     EXCLUSIVE) \
	X("multipleOf",           multiple_of,           POSITIVE) \
	X("minLength",            min_length,            COUNT) \
	X("maxLength",            max_length,            COUNT) \
	X("pattern",              pattern,               REGEX) \
	X("minItems",             min_items,             COUNT) \
	X("maxItems",             max_items,             COUNT) \
	X("uniqueItems",          unique_items,          BOOLEAN) \
	X("items",                items,                 SCHEMA_OR_LIST) \
	X("additionalItems",      none,                  SCHEMA_OR_BOOLEAN) \
	X("minProperties",        min_properties,        COUNT) \
	X("maxProperties",        max_properties,        COUNT) \
	X("properties",           properties,                  SCHEMA_MAP) \
	X("patternProperties",    pattern_properties,    REGEX_MAP) \
	X("additionalProperties", none,                  SCHEMA_OR_BOOLEAN) \
	X("required",             required,              NAMES) \
	X("allOf",                all_of,                SCHEMA_LIST) \
	X("anyOf",                any_of,                SCHEMA_LIST) \
	X("oneOf",                one_of,                SCHEMA_LIST) \
	X("not",                  not,                   SCHEMA) \
	X("title",                none,                  ANNOTATION) \
	X("description",          none,                  ANNOTATION) \
	X("default",              none,                  ANNOTATION) \
	X("examples",             none,                  ANNOTATION) \
	X("$schema",              none,                  ANNOTATION)

#define JSON_TYPE_TABLE(X) \
	X("object",  json_is_object(value)) \
	X("array",   json_is_array(value)) \
	X("string",  json_is_string(value)) \
	X("boolean", json_is_boolean(value)) \
	X("null",    json_is_null(value)) \
	X("number",  json_is_number(value)) \
	X("integer", json_is_integer(value) || (json_is_real(value) && \
		floor(json_real_value(value)) >= json_real_value(value)))
/* clang-format on */
