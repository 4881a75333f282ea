/* SPDX-License-Identifier: Apache-2.0
 *
 * Between the files of the schema engine; nobody else includes it.
 *
 * A definition ("def") is the prepared JSON of one field or record: schema_prepare() has
 * checked its structure, expanded typedefs, made records required, and given every record a
 * member "@fields" (name → def, in order).  Functions below may rely on that.
 *
 * A check returns true, or false with *ret_error a new reference: a string, an object
 * (records) or a sparse array (elements).  *ret_error stays NULL only when memory is out.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "base/buf.h"

#define SCHEMA_DEPTH_MAX 24

static inline void sl_json_decref(json_t **j)
{
	json_decref(*j);
}

#define sl_auto_json __attribute__((cleanup(sl_json_decref))) json_t

/* jansson's iterators take objects that they do not change without const. */
static inline json_t *schema_each(const json_t *object)
{
	return (json_t *)(uintptr_t)object;
}

enum schema_type {
	SCHEMA_STRING = 1 << 0,
	SCHEMA_NUMBER = 1 << 1,
	SCHEMA_INTEGER = 1 << 2,
	SCHEMA_BOOLEAN = 1 << 3,
	SCHEMA_ARRAY = 1 << 4,
	SCHEMA_SET = 1 << 5,
	SCHEMA_MAP = 1 << 6,
	SCHEMA_RECORD = 1 << 7,
	SCHEMA_FOREIGN = 1 << 8,
	SCHEMA_JSON = 1 << 9,
	SCHEMA_ANY = 1 << 10,
};

/* 0 = no such type. */
enum schema_type schema_type_of(const char *name);
/* The type of a prepared def; SCHEMA_ANY when it says none. */
enum schema_type schema_def_type(const json_t *def);

/* schema_meta.c, schema_prepare.c: a new reference, or NULL with *ret_errors. */
json_t *schema_prepare(const json_t *form, json_t **ret_errors);
/* Structure only; definitions may be unexpanded.  NULL = good, else the error (new reference). */
json_t *schema_meta_field(const json_t *def, unsigned int depth);
json_t *schema_meta_fields(const json_t *fields, unsigned int depth);
json_t *schema_meta_entity_checks(const json_t *checks, unsigned int depth);
json_t *schema_meta_shorthands(const json_t *list, unsigned int depth);

/* schema_value.c */
bool schema_check_field(const json_t *def, const json_t *value, json_t **ret_error);
/* given: what a partial update sent for this record; NULL = everything is checked. */
bool schema_check_record(
		const json_t *def, const json_t *record, const json_t *given, json_t **ret_errors);
bool schema_is_reference(const json_t *def, const json_t *value);
/* A reference anywhere the def allows one, for skipping entity checks. */
bool schema_has_reference(const json_t *def, const json_t *value);

/* schema_validator.c: the attributes of def in their order; the first failure is msg. */
bool schema_run_validators(const json_t *def, const json_t *value, struct buf *msg);
/* Equal as Lua sees it: 1 and 1.0 are one number, at any depth. */
bool schema_is_equal(const json_t *a, const json_t *b);
/* As tostring() of the reference would print it. */
void schema_print_value(struct buf *out, const json_t *value);

/* schema_entity_check.c: adds to errors. */
void schema_run_entity_checks(const json_t *record_def, const json_t *record, const json_t *given,
		json_t *errors);

/* schema_fill.c: new reference; NULL = absent (or memory is out). */
json_t *schema_fill_record(const json_t *def, const json_t *input);
json_t *schema_fill_field(const json_t *def, const json_t *value);

/* A list without its repeated members, in its order: new reference. */
json_t *schema_dedup(const json_t *list);

/* schema_coerce.c: new reference. */
json_t *schema_coerce_record(const json_t *def, const json_t *input);

/* schema_shorthand.c: moves what it can to where it belongs in record (owned by the caller,
 * changed in place); what is wrong stays, and schema_check_shorthand() says what. */
void schema_expand_shorthands(const json_t *record_def, json_t *record);
/* 1 = name is a shorthand and *ret_error says what is wrong with it; 0 = it is none. */
int schema_check_shorthand(const json_t *record_def, const json_t *record, const char *name,
		json_t **ret_error);

/* "a.b.c" in nested objects, borrowed; NULL = absent. */
json_t *schema_get_path(const json_t *record, const char *path);
/* The def of "a.b.c" below a record def, borrowed; NULL = no such field. */
const json_t *schema_def_path(const json_t *record_def, const char *path);

/* *ret_error = json string from a format; always false. */
bool schema_fail(json_t **ret_error, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
json_t *schema_message(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
