/* SPDX-License-Identifier: Apache-2.0
 *
 * Why an operation was refused, as the Admin API says it: an HTTP status and Kong's error
 * object {"code","name","message","fields"}.
 */
#pragma once

#include <jansson.h>

#include "base/str.h"
#include "base/why.h"

/* X(constant, code, HTTP status, name) */
/* clang-format off */
#define FAULT_TABLE(X) \
	X(INVALID_PRIMARY_KEY, 1, 400, "invalid primary key") \
	X(SCHEMA_VIOLATION, 2, 400, "schema violation") \
	X(PRIMARY_KEY_VIOLATION, 3, 400, "primary key violation") \
	X(FOREIGN_KEY_VIOLATION, 4, 400, "foreign key violation") \
	X(UNIQUE_VIOLATION, 5, 409, "unique constraint violation") \
	X(NOT_FOUND, 6, 404, "not found") \
	X(INVALID_OFFSET, 7, 400, "invalid offset") \
	X(DATABASE_ERROR, 8, 500, "database error") \
	X(INVALID_SIZE, 9, 400, "invalid size") \
	X(INVALID_OPTIONS, 11, 400, "invalid options") \
	X(OPERATION_UNSUPPORTED, 12, 405, "operation unsupported") \
	X(FOREIGN_KEYS_UNRESOLVED, 13, 400, "foreign keys unresolved") \
	X(DECLARATIVE_CONFIG, 14, 400, "invalid declarative configuration") \
	X(REFERENCED_BY_OTHERS, 19, 400, "referenced by others")
/* clang-format on */

enum fault_code {
#define X(constant, code, http, name) FAULT_##constant = code,
	FAULT_TABLE(X)
#undef X
};

/* Embedded by value; body is owned.  Zero-initialised = no fault. */
struct fault {
	int status;
	json_t *body;
};

void fault_done(struct fault *f);
/* Replaces what f held.  fields (NULL = {}): ownership passes. */
void fault_set(struct fault *f, enum fault_code code, json_t *fields, const char *fmt, ...)
		__attribute__((format(printf, 4, 5)));
/* {"message":…} alone, with a status. */
void fault_plain(struct fault *f, int status, const char *fmt, ...)
		__attribute__((format(printf, 3, 4)));
/* Code 2 from the errors of plugin/schema (ownership passes): the message lists them. */
void fault_schema(struct fault *f, json_t *errors);
/* Code 2 with one field. */
void fault_field(struct fault *f, const char *field, const char *fmt, ...)
		__attribute__((format(printf, 3, 4)));
/* 500 from a store error. */
void fault_store(struct fault *f, const struct why *why);
/* The code in body, 0 when it has none. */
int fault_code(const struct fault *f);
