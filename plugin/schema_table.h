/* SPDX-License-Identifier: Apache-2.0
 *
 * The attributes a field definition may have.  Order of the validators is the order in which
 * they run.
 */
#pragma once

/* clang-format off */

/* Shorthands for the types of SCHEMA_VALIDATOR_TABLE. */
#define ON_ALL (~0U)
#define ON_NUMBERS (SCHEMA_NUMBER | SCHEMA_INTEGER)
#define ON_LISTS (SCHEMA_ARRAY | SCHEMA_SET)

/* X(attribute, kind of argument, types it may stand on) */
#define SCHEMA_VALIDATOR_TABLE(X) \
	X(eq,           ANY,           ON_ALL) \
	X(ne,           ANY,           ON_ALL) \
	X(not_one_of,   ARRAY,         ON_ALL) \
	X(one_of,       ARRAY,         SCHEMA_STRING | ON_NUMBERS) \
	X(gt,           NUMBER,        ON_ALL) \
	X(timestamp,    BOOLEAN,       ON_NUMBERS) \
	X(uuid,         BOOLEAN,       SCHEMA_STRING) \
	X(is_regex,     BOOLEAN,       SCHEMA_STRING) \
	X(between,      PAIR,          ON_NUMBERS) \
	X(len_eq,       COUNT,         SCHEMA_STRING | SCHEMA_MAP | ON_LISTS) \
	X(len_min,      COUNT,         ON_ALL) \
	X(len_max,      COUNT,         ON_ALL) \
	X(starts_with,  STRING,        ON_ALL) \
	X(not_match,    PATTERN,       ON_ALL) \
	X(match_none,   PATTERNS,      ON_ALL) \
	X(match,        PATTERN,       SCHEMA_STRING) \
	X(match_all,    PATTERNS,      ON_ALL) \
	X(match_any,    PATTERN_GROUP, ON_ALL) \
	X(contains,     ANY,           ON_LISTS) \
	X(typedef,      TYPEDEF,       ON_ALL) \
	X(mutually_exclusive_subsets, SUBSETS, ON_LISTS)

/* X(attribute, kind of argument, types it may stand on): everything that is not a check. */
#define SCHEMA_ATTRIBUTE_TABLE(X) \
	X(type,               STRING,      ON_ALL) \
	X(required,           BOOLEAN,     ON_ALL) \
	X(nilable,            BOOLEAN,     ON_ALL) \
	X(default,            ANY,         ON_ALL) \
	X(auto,               BOOLEAN,     ON_ALL) \
	X(unique,             BOOLEAN,     SCHEMA_STRING | SCHEMA_FOREIGN | ON_NUMBERS) \
	X(unique_across_ws,   BOOLEAN,     SCHEMA_STRING | SCHEMA_FOREIGN | ON_NUMBERS) \
	X(reference,          STRING,      ON_ALL) \
	X(on_delete,          ON_DELETE,   ON_ALL) \
	X(abstract,           BOOLEAN,     SCHEMA_STRING | ON_NUMBERS | SCHEMA_RECORD | SCHEMA_MAP | ON_LISTS) \
	X(immutable,          BOOLEAN,     ON_ALL) \
	X(transient,          BOOLEAN,     SCHEMA_STRING | SCHEMA_BOOLEAN | ON_NUMBERS | ON_LISTS) \
	X(referenceable,      BOOLEAN,     ON_ALL) \
	X(encrypted,          BOOLEAN,     ON_ALL) \
	X(description,        DESCRIPTION, ON_ALL) \
	X(examples,           ARRAY,       ON_ALL) \
	X(err,                STRING,      ON_ALL) \
	X(deprecation,        OBJECT,      ON_ALL) \
	X(translate_backwards, ARRAY,      ON_ALL) \
	X(generate_admin_api, BOOLEAN,     ON_ALL) \
	X(legacy,             BOOLEAN,     ON_ALL) \
	X(indexed,            BOOLEAN,     ON_ALL) \
	X(hidden,             BOOLEAN,     ON_ALL) \
	X(db_export,          BOOLEAN,     ON_ALL) \
	X(elements,           FIELD,       ON_LISTS) \
	X(keys,               FIELD,       SCHEMA_MAP) \
	X(values,             FIELD,       SCHEMA_MAP) \
	X(fields,             FIELDS,      SCHEMA_RECORD) \
	X(entity_checks,      CHECKS,      SCHEMA_RECORD) \
	X(shorthand_fields,   SHORTHANDS,  SCHEMA_RECORD) \
	X(json_schema,        JSON_SCHEMA, SCHEMA_JSON)

/* X(name, type, attribute it cannot be without, message when a value is something else) */
#define SCHEMA_TYPE_TABLE(X) \
	X("string",  SCHEMA_STRING,  "",            "expected a string") \
	X("number",  SCHEMA_NUMBER,  "",            "expected a number") \
	X("integer", SCHEMA_INTEGER, "",            "expected an integer") \
	X("boolean", SCHEMA_BOOLEAN, "",            "expected a boolean") \
	X("array",   SCHEMA_ARRAY,   "elements",    "expected an array") \
	X("set",     SCHEMA_SET,     "elements",    "expected a set") \
	X("map",     SCHEMA_MAP,     "keys values", "expected a map") \
	X("record",  SCHEMA_RECORD,  "fields",      "expected a record") \
	X("foreign", SCHEMA_FOREIGN, "reference",   "expected a record") \
	X("json",    SCHEMA_JSON,    "json_schema", "value failed JSON-schema validation") \
	X("any",     SCHEMA_ANY,     "",            "")
/* clang-format on */
